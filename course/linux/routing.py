"""Routing: which way a packet leaves a host, and which route and policy rule said so.

Policy rules are asked in order of priority; each names a table, and in a table the longest prefix
wins, then the lowest metric. The table `local` and the routes to a host's own links come with its
addresses; nobody writes them.

>>> from course.linux.interfaces import Interface
>>> eth0 = Interface("eth0", 2, ("10.240.0.4/16",))
>>> found = lookup((eth0,), (Route("default", via="10.240.0.1"),), (), "10.0.0.1")
>>> print(found)
default via 10.240.0.1 dev eth0
>>> found.dev, found.next_hop, found.source
('eth0', '10.240.0.1', '10.240.0.4')

Source: Linux net/ipv4/fib_trie.c, fib_rules.c, fib_semantics.c, devinet.c.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from netaddr import IPAddress

from course.addresses import canonical
from course.errors import InputError
from course.linux.draws import Draw, Question, first
from course.linux.interfaces import Interface
from course.linux.packet import number, span, within

TYPES = ("unicast", "local", "broadcast", "blackhole", "unreachable", "prohibit", "throw")


@dataclass(frozen=True, slots=True)
class NextHop:
    """One of several ways of a route, and its weight."""

    via: str = ""
    dev: str = ""
    weight: int = 1

    def __str__(self) -> str:
        return _words(via=self.via, dev=self.dev)


@dataclass(frozen=True, slots=True)
class Route:
    """One route as `ip route` writes it; `destination` is a range, an address or "default".

    Without `dev`, the interface is the one on whose link `via` lies. Several `nexthops` share the
    load. Type "throw" goes on with the next policy rule.
    """

    destination: str
    via: str = ""
    dev: str = ""
    type: str = "unicast"
    table: str = "main"
    scope: str = ""
    src: str = ""
    metric: int = 0
    onlink: bool = False
    proto: str = ""
    nexthops: tuple[NextHop, ...] = ()

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise InputError(self.type, "is no type of route.", f"Types: {', '.join(TYPES)}.")
        for address in filter(None, (self.via, self.src)):
            number(address)
        low = span(self.network)[1]
        if low != number(self.network.partition("/")[0]):
            raise InputError(self.destination, "has bits set after its length.", "Clear them.")

    @property
    def network(self) -> str:
        """The range that it leads to."""
        if self.destination == "default":
            return "0.0.0.0/0"
        return self.destination

    @property
    def length(self) -> int:
        """The length of its prefix."""
        return int(self.network.partition("/")[2] or 32)

    def __str__(self) -> str:
        named = "" if self.type == "unicast" else self.type
        words = _words(
            via=self.via, dev=self.dev, proto=self.proto, scope=self.scope, src=self.src,
            metric=self.metric or "",
        )  # fmt: skip
        hops = " ".join(f"nexthop {hop} weight {hop.weight}" for hop in self.nexthops)
        onlink = "onlink" if self.onlink else ""
        return " ".join(
            filter(None, (named, self.destination.removesuffix("/32"), words, onlink, hops))
        )


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """Which table is asked for which packets, as `ip rule` writes it.

    >>> print(PolicyRule(100, "100", iif="nic-node1"))
    100: from all iif nic-node1 lookup 100
    """

    priority: int
    table: str
    source: str = ""
    destination: str = ""
    iif: str = ""
    fwmark: str = ""

    def fits(self, source: str, destination: str, iif: str, mark: int) -> bool:
        """Whether it speaks of such a packet; `iif` is "lo" for a packet made here."""
        wanted, _, mask = self.fwmark.partition("/")
        return (
            (not self.source or within(source, self.source))
            and (not self.destination or within(destination, self.destination))
            and (not self.iif or self.iif == iif)
            and (not wanted or mark & int(mask or "0xffffffff", 0) == int(wanted, 0))
        )

    def __str__(self) -> str:
        words = _words(to=self.destination, fwmark=self.fwmark, iif=self.iif, lookup=self.table)
        return f"{self.priority}: from {self.source or 'all'} {words}"


LOCAL_RULE = PolicyRule(0, "local")
DEFAULT_RULES = (LOCAL_RULE, PolicyRule(32766, "main"), PolicyRule(32767, "default"))


@dataclass(frozen=True, slots=True)
class Found:
    """What a lookup found: the route and the policy rule that decided, and what follows."""

    route: Route
    rule: PolicyRule
    dev: str
    via: str
    source: str  # what a packet made here gets as its source
    destination: str

    @property
    def next_hop(self) -> str:
        """The address on the link that the packet is handed to."""
        return self.via or self.destination

    def __str__(self) -> str:
        table = "" if self.rule.table in ("main", "local") else f" (table {self.rule.table})"
        return f"{self.route}{table}"


def lookup(
    interfaces: Sequence[Interface],
    routes: Iterable[Route],
    rules: Iterable[PolicyRule],
    destination: str,
    *,
    source: str = "0.0.0.0",
    iif: str = "lo",
    mark: int = 0,
    draw: Draw = first,
    host: str = "",
) -> Found | None:
    """The route for a packet, or None where no route leads to its destination.

    `rules` are those besides the kernel's own three. `draw` chooses among several next hops.
    """
    for rule in sorted((*DEFAULT_RULES, *rules), key=lambda rule: rule.priority):
        if not rule.fits(source, destination, iif, mark):
            continue
        found = _best(all_routes(interfaces, routes, rule.table), destination)
        if found and found.type != "throw":
            hop = _next_hop(found, draw, host)
            chosen = found.src or select_source(interfaces, hop.dev, hop.via)
            return Found(found, rule, hop.dev, hop.via, chosen, destination)
    return None


def all_routes(
    interfaces: Sequence[Interface], routes: Iterable[Route], table: str
) -> Iterator[Route]:
    """The routes of a table, those that come with addresses included."""
    up = {interface.name for interface in interfaces if interface.up}
    for interface in interfaces:
        for route in own_routes(interface):
            # its addresses stay the host's own while a link is down; all other routes are gone
            if route.table == table and (interface.up or route.type == "local"):
                yield route
    for route in routes:
        if route.table == table:
            settled = replace(route, dev=_device(route.via, interfaces)) if _open(route) else route
            if not settled.dev or settled.dev in up:
                yield settled


def _open(route: Route) -> bool:
    return bool(route.via) and not route.dev


def _device(via: str, interfaces: Iterable[Interface]) -> str:
    """The interface on whose link a gateway lies."""
    for interface in interfaces:
        if any(within(via, address) for address in interface.addresses):
            return interface.name
    raise InputError(via, "lies on no link of this host.", "Give the route a dev.")


@lru_cache(maxsize=1 << 14)
def own_routes(interface: Interface) -> tuple[Route, ...]:
    """The routes that the kernel makes for the addresses of an interface.

    >>> for route in own_routes(Interface("eth0", 2, ("10.240.0.4/16",))):
    ...     print(f"{route.table}: {route}")
    local: local 10.240.0.4 dev eth0 proto kernel scope host src 10.240.0.4
    main: 10.240.0.0/16 dev eth0 proto kernel scope link src 10.240.0.4
    local: broadcast 10.240.255.255 dev eth0 proto kernel scope link src 10.240.0.4
    """
    routes: dict[tuple[str, str], Route] = {}
    primary: dict[str, str] = {}  # the first address of each link; the others borrow its name
    for address, ip in zip(interface.addresses, interface.ips, strict=True):
        if ":" in address:
            continue
        length = int(address.partition("/")[2])
        _, low, high = span(address)
        network = f"{canonical(IPAddress(low, 4))}/{length}"
        src = primary.setdefault(network, ip)
        made = Route(
            ip, dev=interface.name, type="local", table="local", scope="host", src=src,
            proto="kernel",
        )  # fmt: skip
        routes["local", ip] = made
        if interface.kind == "loopback" and length < 32:
            routes["local", network] = replace(made, destination=network)
        elif length < 32 and interface.prefix_route:
            link = replace(made, destination=network, type="unicast", table="main", scope="link")
            routes.setdefault(("main", network), link)
        if length < 31:
            last = canonical(IPAddress(high, 4))
            wide = replace(made, destination=last, type="broadcast", scope="link")
            routes.setdefault(("local", last), wide)
    return tuple(routes.values())


def address_type(
    interfaces: Sequence[Interface], routes: Iterable[Route], address: str, dev: str = ""
) -> str:
    """What an address is to a host: LOCAL, BROADCAST, MULTICAST, or UNICAST for all others.

    Only the table `local` counts; with `dev`, only what belongs to that interface.
    """
    value = number(address)
    if value >> 28 == 0xE:
        return "MULTICAST"
    if value == 0xFFFFFFFF or value >> 24 == 0:
        return "BROADCAST"
    found = _best(all_routes(interfaces, routes, "local"), address)
    if found is None or (dev and found.dev != dev):
        return "UNICAST"
    return found.type.upper()


def select_source(interfaces: Sequence[Interface], dev: str, towards: str = "") -> str:
    """The address that a host uses on an interface: one on the link of `towards`, or its first.

    An interface without an address borrows one of another interface, up or down, the lowest index
    first. Addresses of 127.0.0.0/8 have the scope of the host: they never are its name for others,
    not even on lo. Without any it is 0.0.0.0. Source: Linux net/ipv4/devinet.c, inet_select_addr.
    """
    borrowing = sorted((i for i in interfaces if i.name != dev), key=lambda i: i.index)
    for interface in (*(i for i in interfaces if i.name == dev), *borrowing):
        usable = [a for a in interface.addresses if ":" not in a and not a.startswith("127.")]
        near = [a for a in usable if towards and within(towards, a)]
        if usable:
            return (near or usable)[0].partition("/")[0]
    return "0.0.0.0"


def _best(routes: Iterable[Route], destination: str) -> Route | None:
    fitting = [route for route in routes if within(destination, route.network)]
    return min(fitting, key=lambda route: (-route.length, route.metric), default=None)


def _next_hop(route: Route, draw: Draw, host: str) -> NextHop:
    if not route.nexthops:
        return NextHop(route.via, route.dev)
    total = sum(hop.weight for hop in route.nexthops)
    by_text = {str(hop): hop for hop in route.nexthops}
    outcomes = tuple((text, Fraction(hop.weight, total)) for text, hop in by_text.items())
    return by_text[str(draw(Question("path", host, str(route), outcomes)))]


def _words(**given: object) -> str:
    return " ".join(f"{name} {value}" for name, value in given.items() if value not in ("", None))
