"""Azure CNI Overlay: nodes take addresses of the subnet, pods take theirs from a range beside it.

Azure itself routes the pod range, a /24 to each node; nothing is encapsulated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from course.design import Choices, Design
from course.facts import number
from course.finding import Demand, Finding, Limit, Severity
from course.networks.demands import node_subnets, one_address, pod_range, pods_limit
from course.networks.model import TO_CILIUM, NetworkModel, Reason

if TYPE_CHECKING:
    from course.topology import Cluster, Topology
    from course.wiring.made import Made


class Overlay(NetworkModel):
    """Pods live in a range beside the virtual network, a /24 of it on each node."""

    id = "overlay"
    title = "Azure CNI Overlay"
    idea = "a /24 of a pod range for each node; Azure routes it"
    rank = 1
    flat = False
    systems = ("Linux", "Windows2022", "Windows2025")
    system_fact = "overlay.windows"
    pod_range_rule = "overlay.no_overlap_with"
    pod_range_refusal = "overlay.overlap_refusal"
    unmet: ClassVar = {
        "direct pod access": "overlay.unsupported",
        "virtual nodes": "overlay.unsupported",
    }
    names_are_labels = True
    reasons_for = (
        Reason("the virtual network gives addresses to nodes only", "overlay.encapsulation"),
        Reason("the same pod range may serve every cluster", "overlay.no_overlap_with"),
        Reason("it grows to 5,000 nodes", "overlay.max_nodes"),
        Reason("its pod range can be made larger later", "overlay.pod_cidr_expand"),
    )
    reasons_against = (
        Reason("nobody outside the cluster can reach a pod's address", "overlay.unsupported"),
    )
    moves = (TO_CILIUM,)

    def default_max_pods(self, choices: Choices) -> int:
        """Source: fact overlay.default_max_pods."""
        return number("overlay.default_max_pods")

    def demands(self, design: Design) -> tuple[Demand, ...]:
        """One address a node of the subnet, 256 of the pod range."""
        nodes = node_subnets(design, one_address)
        return (*nodes, pod_range(design, "overlay.node_pod_cidr_prefix", preallocated=True))

    def limits(self, design: Design) -> tuple[Limit, ...]:
        """The most nodes, and the most pods, that Microsoft supports."""
        return (
            Limit(
                "overlay nodes", "nodes of an overlay cluster", design.planned_nodes,
                number("overlay.max_nodes"), "overlay.max_nodes",
                "Spread the work over several clusters.", field="pools",
            ),
            pods_limit(
                "overlay pods", "pods of an overlay cluster, if every node is full", design,
                lambda pool: pool.max_pods, design.choices.overlay_pods,
                "aks.overlay_max_pods_total", "Run fewer pods a node, or several clusters.",
            ),
        )  # fmt: skip

    def checks(self, design: Design, demands: Sequence[Demand]) -> tuple[Finding, ...]:
        """Windows containers: fewer pods a node are recommended."""
        most = number("overlay.windows_recommended_max_pods")
        return tuple(
            Finding(
                Severity.ADVICE,
                f"Pool {pool.name} runs Windows with max-pods {pool.max_pods}.",
                ("overlay.windows_recommended_max_pods",),
                f"Set its max-pods to {most} or fewer.",
                field=f"pools.{pool.name}.max_pods",
            )
            for pool in design.pools
            if pool.windows and (pool.max_pods or 0) > most
        )

    def profile(self) -> Mapping[str, str]:
        """Plugin azure, mode overlay."""
        return {"networkPlugin": "azure", "networkPluginMode": "overlay"}

    def addressed(self, cluster: Cluster, topology: Topology) -> Cluster:
        """Nodes in the subnet, a /24 of the pod range each; pods from the address after its first
        one on, which is chosen here (course.wiring.addressing.of_range)."""
        from course.wiring import addressing

        cluster = addressing.nodes_with_ranges(cluster, topology)
        return addressing.pods_with(cluster, addressing.of_range)

    def hosts(self, cluster: Cluster, topology: Topology) -> Made:
        """A route to each pod on its node; Azure keeps a routing domain with a /24 for each node.

        What leaves the pod range bears the node's address, which the node itself writes: that
        ip-masq-agent does it is derived, the documentation only says that Azure CNI does. Sources:
        facts overlay.encapsulation, overlay.unsupported.
        """
        from course.wiring import masquerade, transparent

        rules = masquerade.of_aks(cluster, [cluster.pod_range])
        made = transparent.made(
            cluster, topology, "azure-linux-swift-overlay-consolidated",
            lambda node: node.pod_range, cluster.pod_range, lambda node: rules,
        )  # fmt: skip
        return replace(made, domain={node.pod_range: node.name for node in cluster.nodes})


MODEL = Overlay()
