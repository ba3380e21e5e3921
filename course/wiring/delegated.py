"""Pods in a subnet of their own (pod subnet), delegated to the cluster; dynamic or static.

Azure finds a pod by the addresses that its node holds of that subnet. Nothing is masqueraded by
ip-masq-agent: a pod keeps its address to whatever it calls, in peered networks and on premises
too, and on the way to the internet as far as Azure's edge. What Azure itself answers (its DNS,
instance metadata) is asked in the name of the node.

Not documented, and chosen here: that the addresses stand on the node's network card as seen from
the fabric (they belong to a network container of the node), and that kube-proxy takes the pod
subnet of the first pool for its cluster CIDR, as with node subnets (course.networks.node_subnet):
pods of a pool with another one pass for outsiders, as AKS issue 2449 reports it there. Documented,
but doubted: that the group and the route table of the pod subnet apply to pods, and not those of
the node's (Azure/azure-container-networking issue 3204 reports the latter).
Sources: facts dynamic.snat, podsubnet.delegated.
"""

from __future__ import annotations

from dataclasses import replace

from course.topology import Cluster, Topology
from course.wiring import transparent
from course.wiring.made import Made
from course.wiring.masquerade import swift

CONFLIST = "cns-azure-linux-swift"


def made(cluster: Cluster, topology: Topology) -> Made:
    """The nodes and pods of a cluster with a pod subnet, and the addresses that nodes hold."""
    pods = {node.name: topology.pod_subnet(cluster, node) for node in cluster.nodes}
    ranges = {name: subnet.range for name, subnet in pods.items() if subnet}
    hosts = transparent.made(
        cluster, topology, CONFLIST, lambda node: ranges[node.name],
        topology.subnet(cluster.pod_subnet).range,
        lambda node: swift(ranges[node.name], node.address),
    )  # fmt: skip
    return replace(hosts, cards={node.name: node.held for node in cluster.nodes})
