"""One Linux host as data: all that decides what it does to a packet, and what it remembers.

>>> from course.linux.interfaces import Interface
>>> host = Host("vm1", (loopback(), Interface("eth0", 2, ("10.240.1.4/24",))))
>>> host.sysctl("net.ipv4.ip_forward"), host.address_type("10.240.1.4")
(0, 'LOCAL')
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from course.errors import InputError
from course.linux.conntrack import Connection, Tuple
from course.linux.draws import Answer, Draw, first
from course.linux.interfaces import Interface, Neighbour, loopback
from course.linux.packet import Packet, number, span, within
from course.linux.routing import Found, PolicyRule, Route, address_type, lookup
from course.linux.ruleset import Ruleset

# What a setting is where nobody sets it. CONF is the interface, or `all`.
SYSCTLS = {
    "net.ipv4.ip_forward": 0,
    "net.ipv4.conf.CONF.rp_filter": 0,
    "net.ipv4.conf.CONF.proxy_arp": 0,
    "net.ipv4.conf.CONF.proxy_arp_pvlan": 0,
    "net.ipv4.conf.CONF.route_localnet": 0,
    "net.ipv4.conf.CONF.accept_local": 0,
    "net.bridge.bridge-nf-call-iptables": 1,  # once br_netfilter is loaded
}


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket that waits for packets; 0.0.0.0 is every address of the host.

    A socket that is connected to a `peer` (address and port) takes packets from nobody else.
    """

    protocol: str
    port: int
    address: str = "0.0.0.0"
    peer: tuple[str, int] | None = None

    def takes(self, packet: Packet) -> bool:
        """Whether a packet is for this socket."""
        if (packet.protocol, packet.destination_port) != (self.protocol, self.port):
            return False
        if self.address not in ("0.0.0.0", packet.destination):
            return False
        if self.peer:
            return self.peer == (packet.source, packet.source_port)
        return packet.flags != "SYN,ACK"  # nobody who only listens has asked for that


@dataclass(frozen=True, slots=True)
class IpSet:
    """A set of addresses or ranges (hash:net) that rules ask for by name; may name ports.

    A member is written as ipset prints it: "10.0.0.4", "10.0.0.0/24" or "10.0.0.4,tcp:80".
    """

    name: str
    members: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for member in self.members:
            span(member.partition(",")[0])

    def holds(self, address: str, protocol: str = "", port: int = 0) -> bool:
        """Whether an address, with its port where members name one, is in the set."""
        for member in self.members:
            network, comma, wanted = member.partition(",")
            if within(address, network) and (not comma or wanted == f"{protocol}:{port}"):
                return True
        return False


@dataclass(frozen=True)
class Host:
    """One host. Everything in it is a value: a changed host is another host."""

    name: str
    interfaces: tuple[Interface, ...] = (loopback(),)
    routes: tuple[Route, ...] = ()
    rules: tuple[PolicyRule, ...] = ()
    sysctls: Mapping[str, int] = field(default_factory=dict)
    netfilter: Ruleset = field(default_factory=Ruleset)
    neighbours: tuple[Neighbour, ...] = ()
    ipsets: tuple[IpSet, ...] = ()
    sockets: tuple[Socket, ...] = ()

    def __post_init__(self) -> None:
        names = [interface.name for interface in self.interfaces]
        for name in names:
            if names.count(name) > 1:
                raise InputError(name, f"is there twice on {self.name}.", "Rename one.")
        for key in self.sysctls:
            if _general(key) not in SYSCTLS:
                known = ", ".join(SYSCTLS)
                raise InputError(key, "is a setting that decides nothing here.", f"Known: {known}.")

    def interface(self, name: str) -> Interface:
        """The interface of that name. Raises InputError if there is none."""
        for interface in self.interfaces:
            if interface.name == name:
                return interface
        have = ", ".join(interface.name for interface in self.interfaces)
        raise InputError(name, f"is no interface of {self.name}.", f"It has {have}.")

    def sysctl(self, key: str, interface: str = "") -> int:
        """A setting; for one that every interface has (CONF), the larger of `all` and its own.

        That is how Linux joins the two for rp_filter, proxy_arp and the others that are known here.
        """
        if not interface:
            return self.sysctls.get(key, SYSCTLS[key])
        keys = (key.replace("CONF", conf) for conf in ("all", interface))
        return max(self.sysctls.get(each, SYSCTLS[key]) for each in keys)

    def address_type(self, address: str, dev: str = "") -> str:
        """What an address is to this host: LOCAL, BROADCAST, MULTICAST or UNICAST."""
        return address_type(self.interfaces, self.routes, address, dev)

    def route(
        self,
        destination: str,
        *,
        source: str = "0.0.0.0",
        iif: str = "lo",
        mark: int = 0,
        draw: Draw = first,
    ) -> Found | None:
        """What `ip route get` finds: the route of a packet, or None."""
        number(destination)
        return lookup(
            self.interfaces, self.routes, self.rules, destination,
            source=source, iif=iif, mark=mark, draw=draw, host=self.name,
        )  # fmt: skip

    def listens(self, packet: Packet) -> bool:
        """Whether a socket waits for a packet."""
        return any(socket.takes(packet) for socket in self.sockets)

    def why_not_from(
        self, interface: str, source: str, destination: str, out: str = ""
    ) -> tuple[str, str] | None:
        """Why a source cannot be at an interface, and the setting that says so; or None.

        It is an address of this host itself, or the way back leads elsewhere (rp_filter: 1 is
        strict, by RFC 3704; 2 is loose, any way back will do). The way back of a packet that is
        passed on is that of one which comes in where it goes out: by `out`.
        """
        if self.interface(interface).kind == "loopback":
            return None
        own = self.address_type(source) == "LOCAL"
        if own and not self.sysctl("net.ipv4.conf.CONF.accept_local", interface):
            return f"{source} is this host itself", "accept_local = 0"
        strictness = self.sysctl("net.ipv4.conf.CONF.rp_filter", interface)
        if not strictness or own:
            return None
        back = self.route(source, source=destination, iif=out or "lo")
        if back is None or back.route.type != "unicast":
            return f"no way back to {source}", f"rp_filter = {strictness}"
        if strictness == 1 and back.dev != interface:
            return f"the way back to {source} is {back.dev}", "rp_filter = 1"
        return None

    def port_of(self, bridge: str, address: str) -> str:
        """The port of a bridge that leads to an address, or nothing if nobody is known there."""
        for neighbour in self.neighbours:
            if (neighbour.dev, neighbour.address) == (bridge, address):
                return neighbour.port
        return ""

    def answers_arp(self, interface: str, target: str, asker: str) -> bool:
        """Whether the host says "that is me" when `asker` on a link asks who has an address.

        It does for every address of its own, with proxy_arp for what it would itself reach by
        another interface, and with proxy_arp_pvlan for what it would reach by the same one. It
        answers nobody whose packets it would not take from there.
        """
        if self.address_type(target) == "LOCAL":
            return not self.why_not_from(interface, asker, target)
        if not self.sysctl("net.ipv4.ip_forward"):
            return False
        found = self.route(target, source=asker, iif=interface)
        if found is None or found.route.type != "unicast":
            return False
        if self.why_not_from(interface, asker, target, found.dev):
            return False
        key = "proxy_arp_pvlan" if found.dev == interface else "proxy_arp"
        return bool(self.sysctl(f"net.ipv4.conf.CONF.{key}", interface))


@dataclass(frozen=True)
class State:
    """What a host remembers: its connections, the lists of `-m recent`, what time it is, and where
    a route with several next hops led.

    A list of `recent` holds, for each address, the seconds at which it was seen; the address that
    was not seen for longest stands first. `now` counts seconds from wherever one likes. `paths` are
    next hops by route and flow: the kernel keeps no such list, but with
    net.ipv4.fib_multipath_hash_policy = 1 it hashes addresses and ports, so a flow never changes.
    """

    connections: tuple[Connection, ...] = ()
    recent: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)
    now: float = 0.0
    paths: Mapping[tuple[str, Tuple], Answer] = field(default_factory=dict)


def _general(key: str) -> str:
    """The name of a setting without the interface in it."""
    head, conf, rest = key.partition("net.ipv4.conf.")
    if not conf or head:
        return key
    return f"net.ipv4.conf.CONF.{rest.rpartition('.')[2]}"
