"""What `ip` and iptables-restore are told, so that a host that stands becomes another one.

Only what differs is told: the rest of the host goes on, and remembers what it remembers. Each
function lays a host as it was read back beside the host that is wanted.

>>> from course.linux.ruleset import parse
>>> found = parse("*nat\\n:OLD - [0:0]\\n-A OUTPUT -j OLD\\n-A INPUT -j ACCEPT\\nCOMMIT")
>>> wanted = parse("*nat\\n:NEW - [0:0]\\n-A OUTPUT -j NEW\\n-A INPUT -j ACCEPT\\nCOMMIT")
>>> print(patch(found, wanted), end="")
*nat
:NEW - [0:0]
-F OUTPUT
-F OLD
-A OUTPUT -j NEW
-X OLD
COMMIT
>>> found.apply(patch(found, wanted)) == wanted
True
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from course.lab.build import addresses
from course.lab.built import Built
from course.lab.drift import plain, wanted_routes
from course.linux.host import Host
from course.linux.interfaces import Interface, Neighbour
from course.linux.routing import DEFAULT_RULES, LOCAL_RULE, Route
from course.linux.ruleset import BUILT_IN, Chain, Ruleset


def links(built: Built, found: Host, wanted: Host) -> Iterator[str]:
    """What interfaces are, for `ip -batch`; all that are wanted are there."""
    for link in wanted.interfaces:
        now = found.interface(link.name)
        if not link.mac or built.by_chance(wanted.name, link.name):
            link = replace(link, mac=now.mac)
        if now.mtu != link.mtu:
            yield f"link set {link.name} mtu {link.mtu}"
        if now.master and not link.master:
            yield f"link set {link.name} nomaster"
        if _as_told(now) != _as_told(link):
            if now.addresses:  # all at once: others of its link go with the first
                yield f"addr flush dev {link.name}"
            yield from addresses(replace(wanted, interfaces=(link,))).splitlines()
            if "127.0.0.1/8" in link.addresses and now.up:  # or lo has it when it comes up
                yield f"addr add 127.0.0.1/8 dev {link.name} scope host"


def _as_told(link: Interface) -> tuple[object, ...]:
    """What `ip` is told of an interface."""
    flat = link.prefix_route or not link.addresses
    return link.addresses, link.mac, link.up, link.master, link.hairpin, flat


def ways(built: Built, found: Mapping[str, Host], wanted: Host) -> Iterator[str]:
    """Routes, policy rules and static neighbours of a host among others, for `ip -batch`."""
    here = found[wanted.name]
    before = {_told(route): route for route in here.routes}
    after = {_told(route): route for route in wanted_routes(wanted)}
    yield from (f"route del {told}" for told in before if told not in after)
    for told, route in after.items():
        if told not in before:
            yield f"route add table {route.table} {route}"
    yield from _policy(here, wanted)
    known = {(each.address, each.dev): each.mac for each in here.neighbours}
    for each in wanted.neighbours:
        mac = _mac(built, found, wanted.name, each)
        if mac and known.pop((each.address, each.dev), "") != mac:
            yield f"neigh replace {each.address} lladdr {mac} dev {each.dev} nud permanent"
    yield from (f"neigh del {address} dev {dev}" for address, dev in known)


def _mac(built: Built, found: Mapping[str, Host], host: str, wanted: Neighbour) -> str:
    """The MAC of a neighbour; of one at the other end of a wire, the one that this really has."""
    far = built.world.far_end(host, wanted.dev)
    if far and built.world.host(far.host).interface(far.interface).mac == wanted.mac:
        return found[far.host].interface(far.interface).mac
    return wanted.mac


def _told(route: Route) -> str:
    """A route as `ip` is told which one is meant."""
    return f"table {route.table} {plain(route)}"


def _policy(found: Host, wanted: Host) -> Iterator[str]:
    rules = (*DEFAULT_RULES, *wanted.rules)
    if sorted(map(str, found.rules)) == sorted(map(str, rules)):
        return
    yield "rule flush"  # which leaves that of the table local
    for rule in rules:
        if rule != LOCAL_RULE or rule not in found.rules:
            priority, _, words = str(rule).partition(": ")
            yield f"rule add pref {priority} {words}"


def patch(found: Ruleset, wanted: Ruleset) -> str:
    """The text by which iptables-restore --noflush turns one ruleset into another, chain by chain.

    Chains that are the same are not touched, so their counters go on.
    """
    lines: list[str] = []
    for table in BUILT_IN:
        before, after = (each.tables.get(table, {}) for each in (found, wanted))
        if told := list(_patch(BUILT_IN[table], before, after)):
            lines += (f"*{table}", *told, "COMMIT")
    return "\n".join((*lines, "")) if lines else ""


def _patch(
    built_in: tuple[str, ...], before: Mapping[str, Chain], after: Mapping[str, Chain]
) -> Iterator[str]:
    own = {name: Chain(policy="ACCEPT") for name in built_in}
    before, after = {**own, **before}, {**own, **after}
    yield from (f":{name} - [0:0]" for name in after if name not in before)
    for name in built_in:
        if before[name].policy != after[name].policy:
            yield f":{name} {after[name].policy} [0:0]"
    changed = [name for name in after if before.get(name, Chain()).rules != after[name].rules]
    gone = [name for name in before if name not in after]
    yield from (f"-F {name}" for name in (*changed, *gone) if name in before)
    yield from (f"-A {name} {rule}" for name in changed for rule in after[name].rules)
    yield from (f"-X {name}" for name in gone)
