"""Azure CNI, node subnet: every pod takes an address from the subnet of its node.

When AKS makes a node, it puts on the node's network interface an address for the node and one for
each pod that the node may ever run (max-pods). They are taken from the subnet at once, before any
pod exists. So the number of addresses follows from max-pods, never from the pods that run.

Source: facts nodesubnet.preallocation and nodesubnet.ip_formula.

>>> plan(NodePool(nodes=50, max_pods=30)).required_addresses
1581
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from course.cluster import (
    MaxSurge,
    NodePool,
    largest_pool,
    pool_beside_surge,
    surge_nodes,
)
from course.errors import whole_number
from course.facts import number
from course.subnet import smallest_prefix_for, total_addresses, usable_addresses
from course.working import Line, as_text


@dataclass(frozen=True)
class Plan:
    """The addresses that a node pool takes from its subnet, at the peak: while it is upgraded.

    Counts are addresses, except `pool`. `internal_load_balancers` counts frontends: each internal
    Service of type LoadBalancer takes one address.
    """

    pool: NodePool
    internal_load_balancers: int = 0

    def __post_init__(self) -> None:
        whole_number(self.internal_load_balancers, "internal LoadBalancer Services")

    @property
    def per_node(self) -> int:
        """What one node takes: one for itself, and max-pods for pods."""
        return self.pool.max_pods + 1

    @property
    def steady(self) -> int:
        """What is taken outside of upgrades, before scaling out."""
        return self.pool.nodes * self.per_node + self.internal_load_balancers

    @property
    def required_addresses(self) -> int:
        """What is taken at the peak, without the addresses Azure keeps of every subnet."""
        return self.pool.peak_nodes * self.per_node + self.internal_load_balancers

    @property
    def min_prefix(self) -> int:
        """The length of the smallest subnet in which it fits."""
        return smallest_prefix_for(self.required_addresses)

    @property
    def working(self) -> tuple[Line, ...]:
        """The calculation, line by line."""
        pool, prefix = self.pool, self.min_prefix
        total, reserved = total_addresses(prefix), number("azure.reserved_per_subnet")
        left = f"{total:,} - {reserved} = {usable_addresses(prefix):,} are left"
        lines = [
            Line("surge nodes", _surge_text(pool), pool.surge_nodes, "surge.rounding"),
            Line(
                "nodes at the peak", _sum(pool.nodes, pool.extra_nodes, pool.surge_nodes),
                pool.peak_nodes,
            ),
            Line(
                "addresses per node", f"{pool.max_pods} for pods + 1 for the node",
                self.per_node, "nodesubnet.preallocation",
            ),
            Line(
                "addresses needed", self._needed_text(), self.required_addresses,
                "nodesubnet.ip_formula",
            ),
            Line(
                "smallest subnet", left, f"/{prefix}", "azure.reserved_per_subnet",
            ),
        ]  # fmt: skip
        return tuple(lines)

    def explain(self) -> str:
        """The calculation in plain text.

        >>> print(plan(NodePool(nodes=50, max_pods=30)).explain())
        Addresses of 50 nodes with max-pods 30
          surge nodes         =  max-surge 1                   =      1
          nodes at the peak   =  50 + 1                        =     51
          addresses per node  =  30 for pods + 1 for the node  =     31
          addresses needed    =  51 x 31                       =  1,581
          smallest subnet     =  2,048 - 5 = 2,043 are left    =    /21
        """
        title = f"Addresses of {self.pool.nodes:,} nodes with max-pods {self.pool.max_pods}"
        return as_text(title, self.working)

    def _needed_text(self) -> str:
        product = f"{self.pool.peak_nodes:,} x {self.per_node}"
        balancers = self.internal_load_balancers
        return f"{product} + {balancers} for internal Services" if balancers else product


def plan(pool: NodePool, internal_load_balancers: int = 0) -> Plan:
    """The addresses that a pool takes from its subnet, at the peak.

    Source: fact nodesubnet.ip_formula. Raises InputError for an impossible number.

    >>> plan(NodePool(nodes=50, max_pods=30, extra_nodes=10), 1).required_addresses
    1892
    """
    return Plan(pool, internal_load_balancers)


@dataclass(frozen=True)
class SubnetUse:
    """A plan laid into a subnet of a given length: what takes how much, at the peak."""

    plan: Plan
    prefix: int

    @property
    def total(self) -> int:
        """All addresses of the subnet."""
        return total_addresses(self.prefix)

    @property
    def free(self) -> int:
        """Addresses left at the peak; below 0, as many are missing."""
        return usable_addresses(self.prefix) - self.plan.required_addresses

    @property
    def fits(self) -> bool:
        """Whether the plan fits, during an upgrade too."""
        return self.free >= 0

    @property
    def verdict(self) -> str:
        """What can be done with the pool in this subnet, in one sentence.

        >>> SubnetUse(Plan(NodePool(8, max_pods=30)), 24).verdict
        'It runs, but AKS would refuse to upgrade it.'
        """
        usable, pool = usable_addresses(self.prefix), self.plan.pool
        today = Plan(replace(pool, extra_nodes=0), self.plan.internal_load_balancers)
        if self.fits:
            return "It fits."
        if usable < today.steady:
            return "It does not fit: AKS would refuse to make the pool."
        if usable < today.required_addresses:
            return "It runs, but AKS would refuse to upgrade it."
        return "It fits today. Scaled out, it could no longer be upgraded."

    @property
    def largest_pool(self) -> int:
        """The most nodes that could be upgraded here, with all other settings as they are."""
        room = usable_addresses(self.prefix) - self.plan.internal_load_balancers
        peak = min(max(0, room) // self.plan.per_node, number("azure.vmss_max_instances"))
        return largest_pool(peak, self.plan.pool.max_surge)

    @property
    def parts(self) -> dict[str, int]:
        """Addresses by what takes them, in the order in which they are taken."""
        pool = self.plan.pool
        parts = {
            "kept by Azure": number("azure.reserved_per_subnet"),
            "for nodes": pool.planned_nodes,
            "for pods": pool.planned_nodes * pool.max_pods,
            "for internal Services": self.plan.internal_load_balancers,
            "for surge nodes": pool.surge_nodes * self.plan.per_node,
            "free": self.free,
        }
        return {name: addresses for name, addresses in parts.items() if addresses > 0}

    @property
    def summary(self) -> str:
        """One sentence: does it fit, and by how much.

        >>> SubnetUse(Plan(NodePool(8, max_pods=30)), 24).summary
        'At the peak 279 addresses are needed and a /24 has 251: 28 are missing.'
        """
        usable = usable_addresses(self.prefix)
        needed = f"At the peak {self.plan.required_addresses:,} addresses are needed"
        outcome = f"{self.free:,} stay free" if self.fits else f"{-self.free:,} are missing"
        return f"{needed} and a /{self.prefix} has {usable:,}: {outcome}."

    @property
    def words(self) -> list[str]:
        """The shares in words, one line each."""
        return [f"{addresses:,} {name}" for name, addresses in self.parts.items()]


@dataclass(frozen=True)
class Capacity:
    """How many nodes fit in a subnet so that they can still be upgraded."""

    prefix: int
    max_pods: int
    max_surge: MaxSurge

    def __post_init__(self) -> None:
        whole_number(self.max_pods, "pods per node", least=1)
        usable_addresses(self.prefix)
        surge_nodes(0, self.max_surge)

    @property
    def usable_addresses(self) -> int:
        """Addresses of the subnet without those Azure keeps."""
        return usable_addresses(self.prefix)

    @property
    def slots(self) -> int:
        """Nodes for which there are addresses, surge nodes included."""
        return self.usable_addresses // (self.max_pods + 1)

    @property
    def max_nodes(self) -> int:
        """The largest pool that leaves room for its max-surge."""
        return pool_beside_surge(self.slots, self.max_surge)

    @property
    def working(self) -> tuple[Line, ...]:
        """The calculation, line by line."""
        usable, reserved = self.usable_addresses, number("azure.reserved_per_subnet")
        return (
            Line(
                "usable addresses", f"{total_addresses(self.prefix):,} - {reserved}",
                usable, "azure.reserved_per_subnet",
            ),
            Line(
                "nodes with addresses", f"{usable:,} / ({self.max_pods} + 1), rounded down",
                self.slots, "nodesubnet.preallocation",
            ),
            Line(
                "largest pool", self._peak_text(self.max_nodes), self.max_nodes, "surge.rounding",
            ),
        )  # fmt: skip

    def explain(self) -> str:
        """The calculation in plain text.

        >>> print(capacity(24, max_pods=30).explain())
        Nodes with max-pods 30 that fit in a /24
          usable addresses      =  256 - 5                                       =  251
          nodes with addresses  =  251 / (30 + 1), rounded down                  =    8
          largest pool          =  at its peak 8; one node more would make it 9  =    7
        """
        title = f"Nodes with max-pods {self.max_pods} that fit in a /{self.prefix}"
        return as_text(title, self.working)

    def _peak_text(self, nodes: int) -> str:
        peak, more = (count + surge_nodes(count, self.max_surge) for count in (nodes, nodes + 1))
        return f"at its peak {peak:,}; one node more would make it {more:,}"


def capacity(prefix: int, max_pods: int, max_surge: MaxSurge = 1) -> Capacity:
    """How many nodes fit in a subnet of this length so that they can still be upgraded.

    Source: derived from fact nodesubnet.ip_formula. Raises InputError for an impossible number.

    >>> capacity(24, max_pods=30, max_surge=0).max_nodes
    8
    """
    return Capacity(prefix, max_pods, max_surge)


def vnet_max_nodes(max_pods: int, private_addresses: int | None = None) -> int:
    """The most nodes that one virtual network can hold, if it holds nothing else.

    `private_addresses` is the limit of the virtual network, fact azure.vnet_private_ips.

    >>> vnet_max_nodes(max_pods=250)
    261
    """
    whole_number(max_pods, "pods per node", least=1)
    if private_addresses is None:
        private_addresses = number("azure.vnet_private_ips")
    return whole_number(private_addresses, "private addresses") // (max_pods + 1)


def _surge_text(pool: NodePool) -> str:
    text = f"max-surge {pool.max_surge}"
    if "%" in str(pool.max_surge):
        text += f" of {pool.planned_nodes:,}, rounded up"
    return text


def _sum(*terms: int) -> str:
    """The terms that are not 0, added: "50 + 1"."""
    return " + ".join(f"{term:,}" for term in terms if term) or "0"
