"""The rules of a Service as a picture, and those that packets met as a table.

Both are read from what stands on a node: the picture from its rules, the table from its counters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape

import graphviz

from course.errors import InputError
from course.kubeproxy.chains import (
    CLUSTER_POLICY,
    ENDPOINT,
    EXTERNAL,
    MARK_MASQ,
    NODEPORTS,
    SERVICES,
    name_hash,
)
from course.kubeproxy.hits import hits
from course.kubeproxy.objects import Service
from course.linux.rule import Rule
from course.linux.ruleset import Ruleset
from course.views.html import Html, table
from course.views.pictures import Picture, boxes
from course.world import World

HEAD = ["chain", "rule", "packets", "what it is for"]


def rules_hit(saved: str) -> Html:
    """The rules of kube-proxy that packets met on a node, from `iptables-save -c -t nat`.

    Raises InputError for a text in which no rule of kube-proxy counted a packet.
    """
    found = hits(saved)
    if not found:
        raise InputError(saved[:40], "counts no packet.", "Read iptables-save -c -t nat.")
    rows = [
        [escape(hit.chain), f"<code>{escape(hit.rule)}</code>", str(hit.packets), hit.purpose]
        for hit in found
    ]
    lines = [f"{hit.chain} {hit.rule}: {hit.packets}. {hit.purpose}" for hit in found]
    title = "Rules that packets met, in order"
    return Html(table(title, HEAD, rows), "\n".join([title, *lines]))


@dataclass(frozen=True)
class Way:
    """From one box of the picture to the next, and for which packets."""

    start: str
    end: str
    who: str = ""

    def __str__(self) -> str:
        return f"{self.start} leads to {self.end}{f': {self.who}' if self.who else ''}"


def service_rules(world: World, service: str, node: str, entrances: bool = False) -> Picture:
    """The chains of a Service on a node, from its address to the pods behind it.

    With `entrances` also those for its node port and its load balancer. Raises InputError for a
    Service of which the node has no rules.

    >>> from course.scenarios import small_cluster
    >>> from course.world import build
    >>> print(service_rules(build(small_cluster("overlay")), "local", "node2"))
    The rules of the Service local on node2: from 10.0.0.81:80 to web-1 on node1, 10.244.0.2:8080.
    - 10.0.0.81:80 leads to KUBE-SVC-3ENV...
    - KUBE-SVC-3ENV... leads to KUBE-SEP-EBCA...: every packet
    - KUBE-SEP-EBCA... leads to web-1 on node1, 10.244.0.2:8080: DNAT
    """
    rules = world.host(node).netfilter
    ways = list(dict.fromkeys(_ways(rules, world, service, entrances)))
    if not ways:
        raise InputError(service, f"has no rules on {node}.", "Name a Service with endpoints.")
    starts = [way.start for way in ways if not way.start.startswith("KUBE-")]
    pods = [way.end for way in ways if way.start.startswith(ENDPOINT) or way.end == "dropped"]
    alt = (
        f"The rules of the Service {service} on {node}: from {_and(dict.fromkeys(starts))} "
        f"to {'; '.join(dict.fromkeys(pods))}."
    )
    return Picture.of_graph(_drawn(ways, starts, pods), alt, [str(way) for way in ways])


def _drawn(ways: list[Way], starts: list[str], pods: list[str]) -> graphviz.Digraph:
    drawn = boxes("rules", rankdir="LR", nodesep="0.2", ranksep="0.3")
    drawn.attr("node", margin="0.14,0.08")
    for start in starts:
        drawn.node(_name(start), start, style="rounded")
    for pod in pods:
        drawn.node(_name(pod), pod.replace(", ", "\n"), style="rounded", peripheries="2")
    for way in ways:
        drawn.edge(_name(way.start), _name(way.end), label=way.who.replace(", ", ",\n"))
    return drawn


def _name(box: str) -> str:
    return box.replace(":", " ")  # a colon would mean a port of a box


def _ways(rules: Ruleset, world: World, service: str, entrances: bool) -> Iterator[Way]:
    """Every way through the chains of a Service, from its addresses on."""
    names = {_chain_end(each) for each in world.topology.cluster.services if each.name == service}
    first = [
        rule
        for chain in (SERVICES, NODEPORTS)
        for rule in _rules(rules, chain)
        if rule.calls[-16:] in names and (entrances or rule.calls.startswith(CLUSTER_POLICY))
    ]
    for rule in first:
        yield Way(_asked(rule), _short(rule.calls))
    for rule in first:
        yield from _inside(rules, world, rule.calls)


def _inside(rules: Ruleset, world: World, chain: str) -> Iterator[Way]:
    """From a chain to those that it leads to, and on from there."""
    marked, inside = "", _rules(rules, chain)
    endpoints = sum(rule.calls.startswith(ENDPOINT) for rule in inside)
    for rule in inside:
        if target := re.search(r"--to-destination (\S+)", rule.text):
            yield Way(_short(chain), _pod(world, target[1]), "DNAT")
        elif rule.calls == MARK_MASQ and chain.startswith(EXTERNAL):
            marked = ", marked" * (_who(rule, inside) == "everybody")
        elif rule.calls.startswith(ENDPOINT):
            yield Way(_short(chain), _short(rule.calls), _share(rule, endpoints))
            yield from _inside(rules, world, rule.calls)
        elif rule.calls and rule.calls != MARK_MASQ:
            yield Way(_short(chain), _short(rule.calls), _who(rule, inside) + marked)
            yield from _inside(rules, world, rule.calls)
    if chain.startswith(EXTERNAL) and inside and not any(_is_for_all(rule) for rule in inside):
        yield Way(_short(chain), "dropped", "all others")  # by the table filter


def _rules(rules: Ruleset, chain: str) -> tuple[Rule, ...]:
    found = rules.chain("nat", chain)
    return found.rules if found else ()


def _chain_end(service: Service) -> str:
    """The 16 characters in which the chains of a Service's first port end."""
    port = service.ports[0]
    name = f"{service.namespace}/{service.name}" + f":{port.name}" * bool(port.name)
    return name_hash(name, port.protocol.lower())


def _asked(rule: Rule) -> str:
    """The address or node port that a rule is for."""
    address, port = re.search(r"-d (\S+)/32", rule.text), re.search(r"--dport (\d+)", rule.text)
    number = port[1] if port else ""
    return f"{address[1]}:{number}" if address else f"node port {number}"


def _who(rule: Rule, inside: tuple[Rule, ...]) -> str:
    """Which packets a rule of a chain for traffic from outside is for."""
    if _is_for_all(rule):
        return "everybody" if all(map(_is_for_all, inside)) else "all others"
    return "the node itself" if "--src-type LOCAL" in rule.asks else "pods"


def _is_for_all(rule: Rule) -> bool:
    return "-s " not in rule.asks and "--src-type" not in rule.asks


def _share(rule: Rule, endpoints: int) -> str:
    """Which share of the packets that are left an endpoint gets."""
    chance = re.search(r"--probability (\S+)", rule.text)
    if chance:
        return f"1 of {round(1 / float(chance[1]))}"
    return "the rest" if endpoints > 1 else "every packet"


def _pod(world: World, socket: str) -> str:
    """An endpoint with the pod that it is."""
    address = socket.rpartition(":")[0]
    pods = (pod for pod in world.topology.cluster.pods if pod.address == address)
    return next((f"{pod.name} on {pod.node}, {socket}" for pod in pods), socket)


def _short(chain: str) -> str:
    """A chain with the first four of its 16 characters, as one tells it to somebody."""
    return f"{chain[:13]}..." if len(chain) > 20 else chain


def _and(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
