"""kubenet: nodes take addresses of the subnet, pods take theirs from a pod range of their own.

AKS writes one route for each node's /24 into a route table; what leaves the pod range bears the
node's address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from course.design import Choices, Design
from course.errors import InputError
from course.facts import number
from course.finding import Demand, Limit
from course.networks.demands import node_subnets, one_address, pod_range
from course.networks.model import Move, NetworkModel, Reason
from course.virtual_network import UserRoute

if TYPE_CHECKING:
    from course.topology import Cluster, Topology
    from course.wiring.made import Made


class Kubenet(NetworkModel):
    """Pods live behind their node's address; a route table knows which node holds which pods."""

    id = "kubenet"
    title = "kubenet"
    idea = "a /24 of a pod range for each node; a route table knows them"
    rank = 5
    flat = False
    policies: ClassVar = {"azure": ("none", "calico")}
    data_plane_fact = "cilium.kubenet"
    systems = ("Linux",)
    system_fact = "kubenet.windows"
    pod_range_rule = "kubenet.no_overlap_with"
    ends = "kubenet.retirement_date"
    unmet: ClassVar = {
        "direct pod access": "kubenet.snat",
        "virtual nodes": "kubenet.virtual_nodes",
        "application gateway for containers": "agc.kubenet",
    }
    reasons_for = (
        Reason("the virtual network gives addresses to nodes only", "kubenet.encapsulation"),
    )
    reasons_against = (
        Reason("it retires on 31 March 2028", "kubenet.retirement_date"),
        Reason("a route table ends at 400 routes", "azure.route_table_routes"),
        Reason("others see the node, never the pod", "kubenet.snat"),
    )
    moves = (
        Move(
            "overlay", "az aks update --network-plugin azure --network-plugin-mode overlay",
            ("kubenet.retirement_date", "migrate.ipam_paths", "migrate.command"),
            needs_kubernetes="1.27", without_policy=True,
        ),
    )  # fmt: skip

    def default_max_pods(self, choices: Choices) -> int:
        """Source: fact kubenet.default_max_pods."""
        return number("kubenet.default_max_pods")

    def demands(self, design: Design) -> tuple[Demand, ...]:
        """One address a node of the subnet, 256 of the pod range."""
        nodes = node_subnets(design, one_address)
        return (*nodes, pod_range(design, "kubenet.node_pod_cidr_prefix"))

    def limits(self, design: Design) -> tuple[Limit, ...]:
        """One route a node, surge nodes included."""
        return (
            Limit(
                "routes", "routes of the route table, one a node", design.peak_nodes,
                number("azure.route_table_routes"), "kubenet.max_nodes",
                "Run fewer nodes, or choose Azure CNI Overlay.",
            ),
        )  # fmt: skip

    def profile(self) -> Mapping[str, str]:
        """Plugin kubenet."""
        return {"networkPlugin": "kubenet"}

    def addressed(self, cluster: Cluster, topology: Topology) -> Cluster:
        """Nodes in the subnet, a /24 of the pod range each; pods from the address after its first
        one on, which is the bridge's."""
        from course.wiring import addressing

        cluster = addressing.nodes_with_ranges(cluster, topology)
        _demand_no_other_routes(cluster, topology)
        return addressing.pods_with(cluster, addressing.of_range)

    def hosts(self, cluster: Cluster, topology: Topology) -> Made:
        """Pods on a bridge; a route for each node in the route table of the node subnet.

        ip-masq-agent leaves alone what goes to the pod range. Sources: facts
        kubenet.routes_maintained_by, kubenet.snat; course.cni.kubenet for the bridge.
        """
        from course.wiring import bridge, masquerade

        rules = masquerade.of_aks(cluster, [cluster.pod_range])
        routes = (
            UserRoute(node.pod_range, "VirtualAppliance", node.address)
            for node in cluster.nodes
            if node.name not in cluster.missing_routes
        )
        made = bridge.made(cluster, topology, rules)
        return replace(made, routes=tuple(routes))


def _demand_no_other_routes(cluster: Cluster, topology: Topology) -> None:
    """A route table has one route of a prefix, and AKS writes one for each node's part.

    Sources: Microsoft Learn, "Virtual network traffic routing", "Use kubenet with your own IP
    address ranges" (bring your own route table); fact kubenet.routes_maintained_by.
    """
    for node in cluster.nodes:
        prefixes = [route.prefix for route in topology.node_subnet(cluster, node).routes]
        if node.pod_range in prefixes and node.name not in cluster.missing_routes:
            raise InputError(
                node.pod_range, f"has a route already: AKS writes that of {node.name}.",
                f"Take yours away, or name {node.name} in missing_routes.",
            )  # fmt: skip


MODEL = Kubenet()
