"""What differs between hosts as they are and as the World says: what somebody changed by hand.

`drift` reads hosts back, `unlike` lays them beside the World, a sentence for each difference; what
no World tells of, course.lab.extras lists. What chance or the kernel itself decides is none: the
names that plugins draw, indexes, MACs that nobody has set, neighbours that were learned, counters.
What hosts remember is none, either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from course.lab.build import at_birth, of_interfaces
from course.lab.built import Built
from course.lab.extras import extras
from course.lab.read_back import read_back
from course.linux.host import Host
from course.linux.interfaces import Interface
from course.linux.routing import DEFAULT_RULES, Route, all_routes
from course.linux.ruleset import BUILT_IN, Chain, Ruleset


def drift(built: Built, *hosts: str) -> tuple[str, ...]:
    """What was changed by hand on some hosts, or on all, a sentence each; nothing if nothing was.

    Raises LabError with what a tool said.
    """
    asked = hosts or tuple(built.world.by_name)
    found = read_back(built, *dict.fromkeys((*asked, *_beyond(built, asked))))
    return *unlike(built, found, *asked), *extras(built, *asked)


def unlike(built: Built, found: Mapping[str, Host], *hosts: str) -> Iterator[str]:
    """What differs between hosts that were read back, or some of them, and the World's, a sentence
    each."""
    for name in hosts or found:
        wanted, host = built.world.host(name), found[name]
        for sentence in (
            *_things(_Told(wanted, built), _Told(host, built, found)),
            *_settings(built, wanted),
            *_rules(wanted.netfilter, host.netfilter),
        ):
            yield f"{name}: {built.spelled(name, sentence)}"


def _beyond(built: Built, hosts: Iterable[str]) -> Iterator[str]:
    """The hosts whose MACs others have as a static neighbour's."""
    for name in hosts:
        for each in built.world.host(name).neighbours:
            if far := built.world.far_end(name, each.dev):
                yield far.host


def wanted_routes(host: Host) -> list[Route]:
    """The routes of a host of the World, with those that the kernel makes for its addresses."""
    tables = dict.fromkeys(("main", *(route.table for route in host.routes)))
    return [
        route for table in tables for route in all_routes(host.interfaces, host.routes, table)
    ]  # fmt: skip


def plain(route: Route) -> Route:
    """A route without what does not tell it from others."""
    return replace(
        route, destination=route.network if route.length else "default",
        scope="", proto="", onlink=False,
    )  # fmt: skip


@dataclass(frozen=True)
class _Told:
    """A host, to be told in things: each with its value, or nothing if it is just there.

    `found` are hosts that were read back, this one among them; without it, the host is the World's.
    """

    host: Host
    built: Built
    found: Mapping[str, Host] | None = None

    def things(self) -> Iterator[tuple[str, str]]:
        """All that may be there or not."""
        host = self.host
        yield from ((f"interface {link.name}", link.kind) for link in host.interfaces)
        for link in host.interfaces:
            flag = "" if link.prefix_route else " noprefixroute"
            yield from ((f"address {ip} of {link.name}", flag) for ip in link.addresses)
        for route in self.routes():
            table = "" if route.table == "main" else f" in table {route.table}"
            yield f"route {plain(route)}{table}", ""
        for rule in host.rules if self.found else (*DEFAULT_RULES, *host.rules):
            yield f"policy rule {rule}", ""
        for each in host.neighbours:
            if each.mac:
                yield f"neighbour {each.address} of {each.dev}", self.far_mac(each.dev, each.mac)

    def routes(self) -> list[Route]:
        return [*self.host.routes] if self.found else wanted_routes(self.host)

    def far_mac(self, dev: str, mac: str) -> str:
        """A MAC of a neighbour, told as that of the other end of the wire where it is that."""
        hosts = self.built.world.by_name if self.found is None else self.found
        names = {link.name for link in self.built.world.host(self.host.name).interfaces}
        far = self.built.world.far_end(self.host.name, dev) if dev in names else None
        ends = {
            link.mac
            for link in (hosts[far.host].interfaces if far and far.host in hosts else ())
            if far and link.name == far.interface
        }
        return "that of the other end of the wire" if mac in ends else mac

    def about(self, link: Interface, set_mac: bool) -> Iterator[tuple[str, str]]:
        """What an interface is like, that is there."""
        yield link.name, "up" if link.up else "down"
        yield f"mtu of {link.name}", str(link.mtu)
        yield f"master of {link.name}", link.master or "nobody"
        yield f"hairpin of {link.name}", "on" if link.hairpin else "off"
        if set_mac:
            yield f"MAC of {link.name}", link.mac


def _things(wanted: _Told, found: _Told) -> Iterator[str]:
    """What is gone, what was added, what is another than it was."""
    before, now = dict(wanted.things()), dict(found.things())
    there = {link.name: link for link in found.host.interfaces}
    for link in wanted.host.interfaces:
        if link.name in there:
            set_mac = bool(link.mac) and not wanted.built.by_chance(wanted.host.name, link.name)
            before |= wanted.about(link, set_mac)
            now |= found.about(there[link.name], set_mac)
    yield from (f"{what} is gone" for what in before if what not in now)
    yield from (f"{what} was added" for what in now if what not in before)
    for what, value in before.items():
        if now.get(what, value) != value:
            yield f"{what} is {now[what]}, was {value}"


def _rules(wanted: Ruleset, found: Ruleset) -> Iterator[str]:
    for table, chains in BUILT_IN.items():
        before, now = (_chains(each, table) for each in (wanted, found))
        for name in dict.fromkeys((*chains, *before, *now)):
            where, one, other = f"{table} {name}", before.get(name), now.get(name)
            if one is None or other is None:
                yield f"chain {where} " + ("was added" if one is None else "is gone")
            else:
                yield from _chain(where, one, other)


def _chains(rules: Ruleset, table: str) -> dict[str, Chain]:
    """The chains of a table; the kernel's own are as good as there."""
    own = {name: Chain(policy="ACCEPT") for name in BUILT_IN[table]}
    return own | dict(rules.tables.get(table, {}))


def _chain(where: str, wanted: Chain, found: Chain) -> Iterator[str]:
    if wanted.policy != found.policy:
        yield f"policy of {where} is {found.policy}, was {wanted.policy}"
    before, now = Counter(wanted.rules), Counter(found.rules)
    yield from (f"rule {rule} is gone from {where}" for rule in (before - now).elements())
    yield from (f"rule {rule} was added to {where}" for rule in (now - before).elements())
    if before == now and wanted.rules != found.rules:
        yield f"the rules of {where} are in another order"


def _settings(built: Built, wanted: Host) -> Iterator[str]:
    """What is set for a whole host, and for its interfaces."""
    own = {built.spelled(wanted.name, path): v for path, v in of_interfaces(wanted).items()}
    # to set ip_forward changes accept_redirects; nobody sends any
    told = {path: v for path, v in (at_birth(wanted) | own).items() if "accept_redir" not in path}
    found = built.namespaces.get(wanted.name, [*told])
    for path, value in found.items():
        usual = told[path]
        if path.endswith("/forwarding"):  # goes along with that of the host
            usual = found["net/ipv4/ip_forward"]
        if value != usual:
            yield f"{path.replace('/', '.')} is {value}, was {usual}"
