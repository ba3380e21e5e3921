"""How a pod is wired to its node: what the network models share when they make hosts.

- `made`: what a model makes of a cluster;
- `addressing`: which addresses nodes, network cards and pods are given;
- `node`: the node itself, with kube-proxy's rules;
- `masquerade`: which packets leave with the node's address;
- `bridge`: pods as ports of a bridge (kubenet); `transparent`: a route for each pod (Azure CNI);
- `machine`: a machine that belongs to no cluster.
"""
