"""Azure CNI, pod subnet with dynamic allocation: nodes draw pod addresses in batches of 16."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from course.design import Choices, Design, Pool
from course.facts import number
from course.finding import Demand, Finding, Limit
from course.networks.demands import node_subnets, one_address, pod_subnets, pods_limit, too_large
from course.networks.model import TO_CILIUM, Move, NetworkModel, Reason
from course.sizing.pod_subnet import pool_target
from course.working import Line

if TYPE_CHECKING:
    from course.topology import Cluster, Node, Topology
    from course.wiring.made import Made


class PodSubnetDynamic(NetworkModel):
    """Pods live in a subnet of their own, which nodes draw from as pods come."""

    id = "pod-subnet-dynamic"
    title = "Azure CNI, pod subnet (dynamic)"
    idea = "batches of 16 addresses of a pod subnet, drawn as pods come"
    rank = 2
    names_are_labels = True
    reasons_for = (
        Reason("pods are reached by their own addresses", "dynamic.snat"),
        Reason("addresses follow the pods that run, not those that could", "dynamic.batch_size"),
        Reason("nodes and pods grow apart, each in its subnet", "podsubnet.delegated"),
    )
    reasons_against = (
        Reason("it cannot be moved to overlay later", "migrate.podsubnet_to_overlay"),
        Reason(
            "every node holds up to a batch and a half that no pod uses", "dynamic.target_formula"
        ),
    )
    moves = (
        Move(
            "pod-subnet-static", "new node pools with another pod subnet, then move the pods",
            ("static.migration",), needs_kubernetes="1.28",
        ),
        TO_CILIUM,
    )  # fmt: skip

    def default_max_pods(self, choices: Choices) -> int:
        """The vendor's pages disagree: fact dynamic.default_max_pods."""
        return choices.pod_subnet_max_pods

    def demands(self, design: Design) -> tuple[Demand, ...]:
        """One address a node of its subnet; of the pod subnet its batches and one besides."""
        return (*node_subnets(design, one_address), *pod_subnets(design, _one_node))

    def limits(self, design: Design) -> tuple[Limit, ...]:
        """The most pods that Microsoft tells to plan for."""
        return (
            pods_limit(
                "dynamic pods", "pods of a cluster with dynamic allocation", design,
                lambda pool: pool.pods, number("aks.dynamic_max_app_pods"),
                "aks.dynamic_max_app_pods", "Run fewer pods, or choose Azure CNI Overlay.",
            ),
        )  # fmt: skip

    def checks(self, design: Design, demands: Sequence[Demand]) -> tuple[Finding, ...]:
        """A pod subnet that is too large."""
        return too_large(demands, "dynamic.max_subnet_prefix")

    def profile(self) -> Mapping[str, str]:
        """Plugin azure, and pools with a pod subnet."""
        return {"networkPlugin": "azure", "podIPAllocationMode": "DynamicIndividual"}

    def addressed(self, cluster: Cluster, topology: Topology) -> Cluster:
        """Nodes in their subnet; each holds batches of the pod subnet, for the pods that run.

        And one address besides, for itself: dynamic.primary_ip_per_node.
        """
        from course.wiring import addressing

        own = number("dynamic.primary_ip_per_node")

        def held(node: Node) -> int:
            pods, most = len(cluster.pods_of(node.name)), cluster.pool_of(node).max_pods
            return own + pool_target(pods, max_addresses=most)

        cluster = addressing.nodes_with_cards(cluster, topology, held, pod_subnets=True)
        spare = addressing.spare_addresses(cluster, topology)
        return addressing.pods_with(cluster, lambda node: iter(node.held[own:]), spare)

    def hosts(self, cluster: Cluster, topology: Topology) -> Made:
        """A route to each pod on its node; Azure finds pods by the addresses that nodes hold.

        See course.wiring.delegated.
        """
        from course.wiring import delegated

        return delegated.made(cluster, topology)


def _one_node(pool: Pool) -> tuple[Line, ...]:
    batch, primary = number("dynamic.batch_size"), number("dynamic.primary_ip_per_node")
    pods, most = pool.pods or 0, pool.max_pods or 0
    batches, held = -(-(2 * pods + batch) // (2 * batch)), pool_target(pods, max_addresses=most)
    # a node takes no more for pods than it may run
    whole = held == batches * batch
    shown = f"{batches} x {batch}" if whole else f"{held} (max-pods)"
    return (
        Line(
            f"batches a node of {pool.name}", f"{pods} / {batch} + 1/2, rounded up", batches,
            "dynamic.target_formula",
        ),
        Line(
            f"addresses a node of {pool.name}", f"{shown} + {primary} for the node",
            held + primary, "dynamic.primary_ip_per_node",
        ),
    )  # fmt: skip


MODEL = PodSubnetDynamic()
