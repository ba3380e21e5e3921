"""The Container Network Interface: how a container runtime has a pod's network made.

A plugin is a program. The runtime starts it with a few environment variables (what to do, to which
container, in which network namespace) and one JSON document on standard input (how); it prints one
JSON document (what it made, or what went wrong) and exits. That is the whole interface:

- `contract`: operations, environment, versions, names, errors;
- `result`: what a plugin prints, in the shape of each version;
- `configuration`: configuration lists: the files under /etc/cni/net.d;
- `runtime`: which plugin calls a list makes, as data, and their execution;
- `expected`: what well-known plugins answer; `host_local`: which address Debian's IPAM hands out;
- `aks`, `kubenet`: the lists that stand on AKS nodes, field by field;
- `plugin`: a small plugin of the course's own, in the way of Azure's transparent mode.

Source of all rules, unless a docstring names another: the CNI specification 1.1.0
(https://github.com/containernetworking/cni/blob/main/SPEC.md) and its Go library, which containerd
and most plugins use.
"""
