"""Services with sessionAffinity ClientIP: a load balancer keeps a client to one node.

AKS gives the rules of such a Service the distribution mode SourceIP, a hash of the addresses alone;
those of all others a hash of addresses and ports. Linux hashes all routes of a host alike. So here
the first connection of a client is led as any other, by addresses and ports; which node got it is
noted (`-m recent`, as kube-proxy's own affinity does it), and a mark leads all that follows from
that address to the same node. Unlike kube-proxy's, this affinity has no timeout: a hash has none.

The mark says which node, never whether: a route table, or a network that is not peered any more,
keeps a client from the balancer's address as it would without.

Chosen here: that a client stays where it was when other nodes come or go. Azure then reckons anew,
and documents that nobody may rely on it.

Sources: kubernetes-sigs/cloud-provider-azure, pkg/provider/azure_loadbalancer.go
(getExpectedLoadBalancingRulePropertiesForPort); Microsoft Learn, "Azure Load Balancer distribution
modes". How many clients a list keeps: see course.linux.recent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from course.fabric.balancer import fronts, of_port
from course.linux.routing import NextHop, PolicyRule, Route
from course.linux.ruleset import Ruleset
from course.wiring.made import Made

FIRST_TABLE = 401


@dataclass(frozen=True)
class Stay:
    """A node that keeps the clients of a load balancer's address: they bear a `mark`, by which the
    table of that number is asked. `ports` are matches for the ports of its Services."""

    front: str
    ports: tuple[str, ...]
    hop: NextHop
    mark: int

    @property
    def table(self) -> str:
        """The table that leads to the node."""
        return str(FIRST_TABLE - 1 + self.mark)


def stays(made: Sequence[Made], routes: Iterable[Route]) -> list[Stay]:
    """Each node that `routes` may choose for a Service with affinity."""
    ports: dict[str, list[str]] = {}
    for each in made:
        for service, ip in fronts(each.cluster):
            if service.session_affinity == "ClientIP":
                ports.setdefault(ip, []).extend(of_port(ip, port) for port in service.ports)
    ways = [
        (ip, hop)
        for ip, hop in ((each.network.removesuffix("/32"), hop) for each in routes
                        for hop in each.nexthops)
        if ip in ports
    ]  # fmt: skip
    found = enumerate(dict.fromkeys(ways), 1)
    return [Stay(ip, tuple(ports[ip]), hop, mark) for mark, (ip, hop) in found]


def noting(rules: Ruleset, kept: Iterable[Stay]) -> Ruleset:
    """The same rules, with those that note who went to which node, and mark who comes again."""
    lines = [line for each in kept for line in _rules(each)]
    return rules.apply("\n".join(["*mangle", *lines, "COMMIT", ""])) if lines else rules


def _rules(stay: Stay) -> Iterator[str]:
    listed = f"--name {stay.front}-{stay.hop.dev} --rsource"
    for match in stay.ports:
        mark = f"-j MARK --set-xmark {stay.mark:#x}/0xffffffff"
        yield f"-A PREROUTING {match} -m recent --rcheck {listed} {mark}"
        yield f"-A FORWARD {match} -o {stay.hop.dev} -m recent --set {listed}"


def policy(
    asked: Iterable[PolicyRule], balancing: Sequence[Route], kept: Iterable[Stay]
) -> Iterator[PolicyRule]:
    """Who bears a mark is led by its table, right before a table with the balancer's own route is
    asked: so all that is asked earlier, such as a route table, has its say first.

    `asked` are the rules of the host, `balancing` the routes to balancers in all its tables.
    """
    own = {(each.table, each.network) for each in balancing}
    for each, rule in product(kept, asked):
        if (rule.table, f"{each.front}/32") in own:
            yield replace(
                rule, priority=rule.priority - 1, table=each.table, fwmark=f"{each.mark:#x}"
            )  # fmt: skip


def routes(kept: Iterable[Stay]) -> Iterator[Route]:
    """In each table, the way to its node."""
    for each in kept:
        yield Route(f"{each.front}/32", via=each.hop.via, dev=each.hop.dev, table=each.table)
