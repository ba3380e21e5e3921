"""Azure CNI, pod subnet with static blocks: a node gets whole blocks of 16 when it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from course.design import Choices, Design, Pool
from course.facts import number
from course.finding import Demand, Finding, Limit, Severity
from course.networks.demands import (
    Kept,
    node_subnets,
    one_address,
    pod_subnets,
    pods_limit,
    too_large,
)
from course.networks.model import NetworkModel, Reason
from course.sizing.pod_subnet import block_size, blocks_per_node
from course.working import Line

if TYPE_CHECKING:
    from course.topology import Cluster, Node, Topology
    from course.wiring.made import Made


class PodSubnetStatic(NetworkModel):
    """Pods live in a subnet of their own, of which each node holds blocks for all it may run."""

    id = "pod-subnet-static"
    title = "Azure CNI, pod subnet (static blocks)"
    idea = "whole blocks of 16 addresses of a pod subnet for each node, beforehand"
    rank = 3
    min_kubernetes = "static.min_kubernetes"
    unmet: ClassVar = {"private link service": "static.private_link_service"}
    reasons_for = (
        Reason("pods are reached by their own addresses", "dynamic.snat"),
        Reason("it reaches a million pod addresses in one cluster", "static.max_pods_per_cluster"),
    )
    reasons_against = (
        Reason("every pod that could run takes an address", "static.blocks_formula"),
        Reason("it is only for new clusters or new pools", "static.migration"),
        Reason("it cannot be moved to overlay later", "migrate.podsubnet_to_overlay"),
    )

    def default_max_pods(self, choices: Choices) -> int:
        """The vendor's pages disagree: fact dynamic.default_max_pods."""
        return choices.pod_subnet_max_pods

    def demands(self, design: Design) -> tuple[Demand, ...]:
        """One address a node of its subnet; blocks of 16 of the pod subnet.

        Source: facts static.blocks_formula, static.reserved_blocks.
        """
        nodes = node_subnets(design, one_address)
        return (*nodes, *pod_subnets(design, _one_node, kept=_reserved()))

    def counted_addresses(self, demands: Sequence[Demand]) -> int:
        """A block of 16 counts as one: hence a million pods in a virtual network."""
        nodes = sum(each.needed for each in demands if each.kind == "node subnet")
        pods = sum(each.needed for each in demands if each.kind == "pod subnet")
        return nodes + -(-pods // block_size())

    def limits(self, design: Design) -> tuple[Limit, ...]:
        """A million pods."""
        return (
            pods_limit(
                "static pods", "pod addresses of a cluster with static blocks", design,
                lambda pool: pool.max_pods, number("static.max_pods_per_cluster"),
                "static.max_pods_per_cluster", "Run fewer pods a node, or several clusters.",
            ),
        )  # fmt: skip

    def checks(self, design: Design, demands: Sequence[Demand]) -> tuple[Finding, ...]:
        """A max-pods that leaves addresses of a block unused; a subnet that is too large."""
        wasteful = (_wasteful(pool) for pool in design.pools if wasted(pool))
        return (*wasteful, *too_large(demands, "static.max_subnet_prefix"))

    def profile(self) -> Mapping[str, str]:
        """Plugin azure, and pools with a pod subnet of static blocks."""
        return {"networkPlugin": "azure", "podIPAllocationMode": "StaticBlock"}

    def addressed(self, cluster: Cluster, topology: Topology) -> Cluster:
        """Nodes in their subnet; each holds whole blocks of the pod subnet, for all it may run.

        The first address of a node's blocks is kept for itself: static.blocks_formula.
        """
        from course.wiring import addressing

        def held(node: Node) -> int:
            return blocks_per_node(cluster.pool_of(node).max_pods) * block_size()

        cluster = addressing.nodes_with_cards(cluster, topology, held, pod_subnets=True)
        spare = addressing.spare_addresses(cluster, topology)
        return addressing.pods_with(cluster, lambda node: iter(node.held[1:]), spare)

    def hosts(self, cluster: Cluster, topology: Topology) -> Made:
        """A route to each pod on its node; Azure finds pods by the blocks that nodes hold.

        See course.wiring.delegated.
        """
        from course.wiring import delegated

        return delegated.made(cluster, topology)


def wasted(pool: Pool) -> int:
    """Addresses of a node's blocks that no pod can use.

    >>> wasted(Pool(max_pods=30)), wasted(Pool(max_pods=31))
    (1, 0)
    """
    max_pods = pool.max_pods or 1
    return blocks_per_node(max_pods) * block_size() - 1 - max_pods


def _wasteful(pool: Pool) -> Finding:
    idle = wasted(pool)
    plural = "es" if idle > 1 else ""
    return Finding(
        Severity.ADVICE,
        f"With max-pods {pool.max_pods}, each node of {pool.name} holds {idle} address{plural} "
        "that no pod can use.",
        ("static.efficient_max_pods",),
        f"Set max-pods to {(pool.max_pods or 1) + idle}: it takes no address more.",
        field=f"pools.{pool.name}.max_pods",
    )


def _reserved() -> Kept:
    return Kept(number("static.reserved_blocks") * block_size(), "static.reserved_blocks")


def _one_node(pool: Pool) -> tuple[Line, ...]:
    blocks = blocks_per_node(pool.max_pods or 1)
    how = f"({pool.max_pods} + 1) / {block_size()}, rounded up"
    count = blocks * block_size()
    return (
        Line(f"blocks a node of {pool.name}", how, blocks, "static.blocks_formula"),
        Line(
            f"addresses a node of {pool.name}", f"{blocks} x {block_size()}", count,
            "static.block_prefix",
        ),
    )  # fmt: skip


MODEL = PodSubnetStatic()
