"""Azure CNI Overlay: nodes take addresses of the subnet, pods take theirs from a range beside it.

Azure itself routes the pod range, a /24 to each node. AKS checks the range against the most nodes
that could ever run, with autoscaling and surge, not against those that run.

Sources: facts overlay.node_pod_cidr_prefix, overlay.service_check, overlay.pod_cidr_expand.

>>> PodRangeUse(22, (Pool(max_nodes=4, surge=1),)).fits
False
"""

from __future__ import annotations

from dataclasses import dataclass

from netaddr import IPNetwork

from course.addresses import is_inside
from course.cluster import NodePool
from course.errors import whole_number
from course.sizing.pod_range import addresses_per_node
from course.subnet import smallest_prefix_for, total_addresses


@dataclass(frozen=True)
class NodeSubnetPlan:
    """What an overlay pool takes from the node subnet: one address a node, none for pods."""

    pool: NodePool
    internal_load_balancers: int = 0

    @property
    def required_addresses(self) -> int:
        """What is taken at the peak, without the addresses Azure keeps."""
        return self.pool.peak_nodes + self.internal_load_balancers

    @property
    def min_prefix(self) -> int:
        """The length of the smallest subnet in which it fits."""
        return smallest_prefix_for(self.required_addresses)


@dataclass(frozen=True)
class Pool:
    """The most nodes that a pool may come to by autoscaling, and the surge nodes on top."""

    max_nodes: int
    surge: int

    def __post_init__(self) -> None:
        whole_number(self.max_nodes, "nodes")
        whole_number(self.surge, "surge nodes")


@dataclass(frozen=True)
class PodRangeUse:
    """A pod range against the most that its pools could take of it, as AKS checks it."""

    prefix: int
    pools: tuple[Pool, ...]

    @property
    def preallocated(self) -> int:
        """Addresses for all nodes that could run at once."""
        return addresses_per_node() * sum(pool.max_nodes + pool.surge for pool in self.pools)

    @property
    def available(self) -> int:
        """Addresses of the range."""
        return total_addresses(self.prefix)

    @property
    def fits(self) -> bool:
        """Whether AKS accepts it."""
        return self.preallocated <= self.available


def may_expand(current: IPNetwork, requested: IPNetwork) -> bool:
    """Whether the pod range of a cluster may become another: only a larger one that contains it.

    Source: fact overlay.pod_cidr_expand. Raises InputError if the families differ.

    >>> from course.addresses import parse_range
    >>> may_expand(parse_range("10.244.0.0/18"), parse_range("10.244.0.0/16"))
    True
    """
    return is_inside(current, requested) and current != requested
