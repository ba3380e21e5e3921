"""How the demands of pools that share a subnet add up: what the models have in common.

>>> from course.design import Design, Pool
>>> two = Design(pools=(Pool("a", 2, max_surge=1), Pool("b", 3, max_surge=1)))
>>> [demand.needed for demand in node_subnets(two, one_address)]
[7]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from netaddr import IPNetwork

from course.addresses import canonical
from course.design import Design, Pool
from course.facts import fact, number
from course.finding import Demand, Finding, Limit, Severity
from course.sizing.pod_range import addresses_per_node
from course.subnet import total_addresses
from course.working import Line

# how many addresses one node of a pool takes: the working, whose last line is the number
PerNode = Callable[[Pool], tuple[Line, ...]]


@dataclass(frozen=True)
class Kept:
    """Addresses of a subnet that serve nobody, and the fact that says so."""

    addresses: int
    fact: str


def one_address(pool: Pool) -> tuple[Line, ...]:
    """What a node takes where its pods live elsewhere."""
    return (Line(f"addresses a node of {pool.name}", "1 for the node", 1),)


def node_subnets(
    design: Design, per_node: PerNode, preallocated: bool = False
) -> tuple[Demand, ...]:
    """What each node subnet gives: to each node what `per_node` says, and one address to each
    internal Service, in the subnet of the first pool. `preallocated` is whether AKS counts the
    addresses of pods before it makes a node, and refuses."""
    demands = []
    for name, pools in _by_subnet(design, lambda pool: pool.subnet).items():
        internal = design.services.internal if design.pools[0] in pools else 0
        shared = _Subnet("node subnet", name, design, pools, per_node, internal)
        demands.append(shared.demand(preallocated))
    return tuple(demands)


def pod_subnets(design: Design, per_node: PerNode, kept: Kept | None = None) -> tuple[Demand, ...]:
    """What each pod subnet gives to the nodes that use it. `kept` are addresses that serve nobody,
    if not the five that Azure keeps of every subnet."""
    return tuple(
        _Subnet("pod subnet", name, design, pools, per_node, 0, kept).demand()
        for name, pools in _by_subnet(design, lambda pool: pool.pod_subnet).items()
    )


def _by_subnet(design: Design, subnet: Callable[[Pool], str]) -> dict[str, list[Pool]]:
    """Pools by the subnet that they share, by the name that the design gives it."""
    found: dict[str, list[Pool]] = {}
    first: dict[str, str] = {}
    for pool in design.pools:
        known = design.subnet(subnet(pool))
        name = known.name if known else first.setdefault(subnet(pool).lower(), subnet(pool))
        found.setdefault(name, []).append(pool)
    return found


def pod_range(design: Design, per_node_fact: str, preallocated: bool = False) -> Demand:
    """What nodes take of a pod range beside the virtual network: a /24 each, surge included.
    `preallocated` as for node_subnets."""
    lines = [line for pool in design.pools for line in _nodes(pool)]
    nodes, each = design.peak_nodes, addresses_per_node()
    terms = [f"{pool.peak_nodes:,}" for pool in design.pools]
    prefix = smallest_range(nodes * each)
    lines += [
        Line("nodes at the peak", " + ".join(terms), nodes),
        Line("addresses needed", f"{nodes:,} x {each}", nodes * each, per_node_fact),
        _smallest("smallest pod range", prefix, Kept(0, "")),
    ]
    steady = each * sum(pool.nodes for pool in design.pools)
    where = design.pod_range
    size = int(where.size) if where else 0
    # AKS asks for the most that could run, from the first day
    refusal = _refusal(nodes * each, size, where, "networkProfile.podCIDR") if preallocated else ""
    return Demand(
        "pod range", "pods", nodes * each, 0, prefix, tuple(lines), where, steady=steady,
        fact=per_node_fact, refusal=refusal,
    )  # fmt: skip


def pods_limit(
    limit_id: str, what: str, design: Design, pods: Callable[[Pool], int | None], most: int,
    fact_id: str, do: str,
) -> Limit:  # fmt: skip
    """A limit on the pods of a cluster, of which each node runs `pods`: a warning beyond it."""
    each = [(pool.planned_nodes, pods(pool) or 0) for pool in design.pools]
    total = sum(nodes * count for nodes, count in each)
    how = " + ".join(f"{nodes:,} x {count}" for nodes, count in each)
    working = (Line("pods", how, total, fact_id),)
    return Limit(
        limit_id, what, total, most, fact_id, do, working, severity=Severity.WARNING, field="pools"
    )


def too_large(demands: Sequence[Demand], fact_id: str) -> tuple[Finding, ...]:
    """Findings for pod subnets, given or proposed, larger than the largest, a fact."""
    largest = number(fact_id)
    return tuple(
        Finding(
            Severity.ERROR, f"The pod subnet {each.name} would be larger than a /{largest}.",
            (fact_id,), f"Make it a /{largest} or smaller, and use several.",
            field=f"subnets.{each.name}",
        )
        for each in demands
        if each.kind == "pod subnet" and each.range is not None
        and each.range.prefixlen < largest
    )  # fmt: skip


def smallest_prefix(needed: int, kept: int) -> int | None:
    """The length of the smallest subnet with so many addresses besides those `kept`; None if no
    IPv4 range is large enough.

    >>> smallest_prefix(251, 5), smallest_prefix(252, 5)
    (24, 23)
    """
    least = number("azure.subnet_smallest_prefix")
    prefix = min(least, 32 - (needed + kept - 1).bit_length())
    return prefix if prefix >= 0 else None


def smallest_range(needed: int) -> int | None:
    """The length of the smallest range with so many addresses, a /24 at least; None if no IPv4
    range is large enough.

    >>> smallest_range(5000 * 256)
    11
    """
    prefix = min(number("overlay.node_pod_cidr_prefix"), 32 - max(0, needed - 1).bit_length())
    return prefix if prefix >= 0 else None


@dataclass(frozen=True)
class _Subnet:
    """Pools that share a subnet."""

    kind: str
    name: str
    design: Design
    pools: list[Pool]
    per_node: PerNode
    internal: int
    kept: Kept | None = None

    def demand(self, preallocated: bool = False) -> Demand:
        """What they take of it, with the working."""
        by_azure = Kept(number("azure.reserved_per_subnet"), "azure.reserved_per_subnet")
        kept = self.kept or by_azure
        each = [self.per_node(pool) for pool in self.pools]
        counts = [int(lines[-1].result) for lines in each]
        peaks = [pool.peak_nodes * count for pool, count in zip(self.pools, counts, strict=True)]
        given = self.design.subnet(self.name)
        others = given.taken if given else 0
        besides = self.internal + others
        needed = sum(peaks) + besides
        steady = besides + sum(p.nodes * count for p, count in zip(self.pools, counts, strict=True))
        prefix = smallest_prefix(needed, kept.addresses)
        working: list[Line] = []
        for pool, lines, count, peak in zip(self.pools, each, counts, peaks, strict=True):
            how = f"{pool.peak_nodes:,} x {count:,}"
            working += [*_nodes(pool), *lines, Line(f"addresses of {pool.name}", how, peak)]
        working += self._sum(peaks, others, needed, prefix, kept)
        where = given.range if given else None
        refusal = ""
        if preallocated and where:
            # AKS counts the autoscaler's most at once, and surge nodes when it upgrades
            left = int(where.size) - kept.addresses - besides
            first = sum(p.planned_nodes * n for p, n in zip(self.pools, counts, strict=True))
            refusal = _refusal(first if first > left else sum(peaks), left, where, self.name)
        return Demand(
            self.kind, self.name, needed, kept.addresses, prefix, tuple(working), where,
            steady=steady, fact=each[0][-1].fact or "azure.reserved_per_subnet", refusal=refusal,
        )  # fmt: skip

    def _sum(
        self, peaks: list[int], others: int, needed: int, prefix: int | None, kept: Kept
    ) -> Iterable[Line]:
        together = "surge.all_pools" if len(peaks) > 1 else ""
        terms = [f"{peak:,}" for peak in peaks]
        terms += [f"{self.internal:,} for internal Services"] if self.internal else []
        terms += [f"{others:,} taken by others"] if others else []
        return (
            Line("addresses needed", " + ".join(terms), needed, together),
            _smallest("smallest subnet", prefix, kept),
        )


@lru_cache(maxsize=1024)  # every demand of every model shows them
def _nodes(pool: Pool) -> tuple[Line, ...]:
    """The nodes of a pool at its peak."""
    surge = f"max-surge {pool.max_surge}"
    if "%" in str(pool.max_surge):
        surge = f"{pool.max_surge} of {pool.planned_nodes:,}, rounded up"
    return (
        Line(f"surge nodes of {pool.name}", surge, pool.surge_nodes, "surge.rounding"),
        Line(
            f"nodes of {pool.name} at the peak", f"{pool.planned_nodes:,} + {pool.surge_nodes:,}",
            pool.peak_nodes,
        ),
    )  # fmt: skip


def _smallest(what: str, prefix: int | None, kept: Kept) -> Line:
    if prefix is None:
        return Line(what, "no IPv4 range is large enough", "none")
    total = total_addresses(prefix)
    if not kept.addresses:
        return Line(what, f"{total:,} addresses", f"/{prefix}")
    how = f"{total:,} - {kept.addresses} = {total - kept.addresses:,} are left"
    return Line(what, how, f"/{prefix}", kept.fact)


def _refusal(needed: int, available: int, where: IPNetwork | None, name: str) -> str:
    """What AKS answers where a range is too small, as users have reported it.

    Source: fact azure.insufficient_subnet_size.
    """
    if where is None:
        return ""
    code = fact("azure.insufficient_subnet_size").value
    return (
        f"{code}: Pre-allocated IPs {needed} exceeds IPs available {available} in Subnet Cidr "
        f"{canonical(where)}, Subnet Name {name}."
    )
