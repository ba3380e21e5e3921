"""What a learner describes: virtual networks, machines, and clusters with nodes, pods, Services.

A Topology is a value: whatever changes makes another one. It tells what stands where, not how
packets go; that follows from it (course.world). What is left out of a cluster, such as the address
of a pod, the network model gives out.

>>> from course.virtual_network import Subnet, VirtualNetwork
>>> net = VirtualNetwork("vnet", ("10.240.0.0/16",), (Subnet("nodes", "10.240.0.0/24"),))
>>> two = Cluster("overlay", "nodes", (Node("node1"),), (Pod("web", "node1", {"app": "web"}),))
>>> print(Topology((net,), clusters=(two,)).describe())
virtual network vnet 10.240.0.0/16
  subnet nodes 10.240.0.0/24
cluster aks: overlay, nodes in nodes, pods in 10.244.0.0/16, Services in 10.0.0.0/16
  node1
    web app=web listens 8080
"""

from __future__ import annotations

from course.topology.checks import AZURE, EDGE
from course.topology.cluster import Cluster, Exposure, IpMasqAgent, Node, NodePool, Pod, sockets
from course.topology.topology import Machine, Proxy, Topology

__all__ = [
    "AZURE", "EDGE", "Cluster", "Exposure", "IpMasqAgent", "Machine", "Node", "NodePool", "Pod",
    "Proxy", "Topology", "sockets",
]  # fmt: skip
