"""Azure CNI, node subnet: every pod takes an address from the subnet of its node.

The addresses of all pods that a node may ever run are taken when the node is made. The arithmetic
of one pool, with more of its working, is course.sizing.node_subnet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from course.design import Choices, Design, Pool
from course.facts import number
from course.finding import Demand
from course.networks.demands import node_subnets
from course.networks.model import TO_CILIUM, Move, NetworkModel, Reason
from course.working import Line

if TYPE_CHECKING:
    from course.topology import Cluster, Topology
    from course.wiring.made import Made


class NodeSubnet(NetworkModel):
    """Pods live in the subnet of their nodes, with addresses set aside beforehand."""

    id = "node-subnet"
    title = "Azure CNI, node subnet"
    idea = "max-pods addresses of the node's subnet for each node, beforehand"
    rank = 4
    reasons_for = (
        Reason("pods are reached by their own addresses in the network", "nodesubnet.snat"),
        Reason("virtual nodes work", "overlay.unsupported"),
    )
    reasons_against = (
        Reason("every pod that could run takes an address", "nodesubnet.preallocation"),
        Reason("Microsoft calls it legacy", "nodesubnet.status"),
        Reason("a virtual network ends at 65,536 addresses", "azure.vnet_private_ips"),
    )
    moves = (
        Move(
            "overlay", "az aks update --network-plugin azure --network-plugin-mode overlay "
            "--pod-cidr POD_RANGE", ("migrate.ipam_paths", "migrate.command"),
            needs_kubernetes="1.27", without_policy=True,
        ),
        TO_CILIUM,
    )  # fmt: skip

    def default_max_pods(self, choices: Choices) -> int:
        """Source: fact nodesubnet.default_max_pods."""
        return number("nodesubnet.default_max_pods")

    def demands(self, design: Design) -> tuple[Demand, ...]:
        """One address a node, and max-pods beside it."""
        return node_subnets(design, _one_node, preallocated=True)

    def profile(self) -> Mapping[str, str]:
        """Plugin azure alone."""
        return {"networkPlugin": "azure"}

    def addressed(self, cluster: Cluster, topology: Topology) -> Cluster:
        """Each node's card holds its own address and max-pods more; pods take of those."""
        from course.wiring import addressing

        held = {node.name: cluster.pool_of(node).max_pods for node in cluster.nodes}
        cluster = addressing.nodes_with_cards(cluster, topology, lambda node: held[node.name])
        spare = addressing.spare_addresses(cluster, topology)
        return addressing.pods_with(cluster, addressing.of_card, spare)

    def hosts(self, cluster: Cluster, topology: Topology) -> Made:
        """A route to each pod on its node; Azure finds pods by the addresses of network cards.

        ip-masq-agent leaves alone what goes to the virtual network, and nothing else: a peered one
        sees the node. kube-proxy takes the subnet of the first pool for the range of pods. So a
        machine there passes for a pod (kubernetes issue 95555), and a pod of a pool in another
        subnet for an outsider: Services show its node's address instead of its own (AKS issue
        2449). Users report both; no page of Azure does. Sources: facts nodesubnet.snat,
        nodesubnet.preallocation.
        """
        from course.wiring import masquerade, transparent

        subnet = topology.subnet(cluster.subnet)
        network = topology.network_of(subnet)
        rules = masquerade.of_aks(cluster, network.ranges)
        made = transparent.made(
            cluster, topology, "azure-linux",
            lambda node: topology.node_subnet(cluster, node).range, subnet.range,
            lambda node: rules,
        )  # fmt: skip
        return replace(made, cards={node.name: node.held for node in cluster.nodes})


def _one_node(pool: Pool) -> tuple[Line, ...]:
    count = (pool.max_pods or 0) + 1
    how = f"{pool.max_pods} for pods + 1 for the node"
    return (Line(f"addresses a node of {pool.name}", how, count, "nodesubnet.preallocation"),)


MODEL = NodeSubnet()
