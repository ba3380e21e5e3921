"""Connection tracking: what a host remembers of the packets that passed, and NAT along with it.

A connection is known by two tuples: how its packets look on the way there when they come in, and
how those of the way back look when they come in. Without NAT the one is the other turned round;
NAT is nothing but a difference between them. So a reply is translated back without any rule.

>>> there = Tuple("tcp", "10.244.0.2", 40000, "10.0.0.10", 80)
>>> known = Connection(there).with_destination("10.244.1.3", 8080)
>>> print(known)
tcp 10.244.0.2:40000 -> 10.0.0.10:80, reply 10.244.1.3:8080 -> 10.244.0.2:40000
>>> known.nat
('DNAT',)

Source: Linux net/netfilter/nf_conntrack_core.c, nf_conntrack_proto_{tcp,icmp}.c, nf_nat_core.c;
TCP's sequence numbers, its states after the handshake and all timeouts are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from course.linux.packet import Packet

SOURCE, DESTINATION = "SNAT", "DNAT"


@dataclass(frozen=True, slots=True)
class Tuple:
    """One direction of a connection. For ICMP echo both ports are the identifier."""

    protocol: str
    source: str
    source_port: int
    destination: str
    destination_port: int

    def turned(self) -> Tuple:
        """The other way round."""
        return Tuple(
            self.protocol, self.destination, self.destination_port, self.source, self.source_port
        )

    def __str__(self) -> str:
        return f"{self.source}:{self.source_port} -> {self.destination}:{self.destination_port}"


@dataclass(frozen=True, slots=True)
class Connection:
    """An entry: both tuples, whether a reply was seen, its mark, and the zone it counts in."""

    original: Tuple
    back: Tuple | None = None  # the reply's tuple, if it is not the original turned round
    replied: bool = False
    mark: int = 0
    zone: int = 0

    @property
    def reply(self) -> Tuple:
        """How packets of the way back look when they come in."""
        return self.back or self.original.turned()

    @property
    def nat(self) -> tuple[str, ...]:
        """Which of SNAT and DNAT it went through."""
        turned, back = self.original.turned(), self.reply
        source = (turned.destination, turned.destination_port) != (
            back.destination, back.destination_port,
        )  # fmt: skip
        destination = (turned.source, turned.source_port) != (back.source, back.source_port)
        return ((SOURCE,) if source else ()) + ((DESTINATION,) if destination else ())

    def with_destination(self, address: str, port: int) -> Connection:
        """The same connection after DNAT."""
        return self._with_reply(replace(self.reply, source=address, source_port=port), port)

    def with_source(self, address: str, port: int) -> Connection:
        """The same connection after SNAT."""
        back = replace(self.reply, destination=address, destination_port=port)
        return self._with_reply(back, port)

    def _with_reply(self, back: Tuple, port: int) -> Connection:
        if back.protocol == "icmp":  # the identifier is one for both ends
            back = replace(back, source_port=port, destination_port=port)
        return replace(self, back=None if back == self.original.turned() else back)

    def seen_by(self, reply: bool) -> Tuple:
        """What packets of one way look like once they are translated."""
        return (self.original if reply else self.reply).turned()

    def __str__(self) -> str:
        return f"{self.original.protocol} {self.original}, reply {self.reply}"


@dataclass(frozen=True, slots=True)
class Tracked:
    """What connection tracking says of one packet: its state, its connection, which way it goes.

    `state` is INVALID, NEW, RELATED, ESTABLISHED or UNTRACKED. A connection that is not `known`
    yet is noted when its first packet leaves the host or reaches a socket.
    """

    state: str
    connection: Connection | None = None
    reply: bool = False
    known: bool = False

    @property
    def refused(self) -> bool:
        """Whether the packet is the reset with which its connection ends: it is not known any more.

        >>> Tracked("NEW", known=False).refused, Tracked("ESTABLISHED", reply=True).refused
        (False, True)
        """
        return self.reply and not self.known


UNTRACKED = Tracked("UNTRACKED")
INVALID = Tracked("INVALID")


def tuple_of(packet: Packet) -> Tuple:
    """The tuple that a packet belongs to."""
    return Tuple(
        packet.protocol, packet.source, packet.source_port,
        packet.destination, packet.destination_port,
    )  # fmt: skip


def track(packet: Packet, connections: tuple[Connection, ...], zone: int = 0) -> Tracked:
    """What connection tracking says of a packet that comes in.

    A reset that is the only reply ends a connection: it is forgotten at once, and its port is free.

    >>> from course.linux.packet import reset, tcp
    >>> syn = tcp("10.0.0.4", 40000, "10.0.0.5", 80)
    >>> track(syn, ()).state, track(syn.reply(), ()).state
    ('NEW', 'INVALID')
    >>> track(syn.reply(), (Connection(tuple_of(syn)),)).state
    'ESTABLISHED'
    >>> track(reset(syn), (Connection(tuple_of(syn)),)).refused
    True
    """
    # an error is about a packet that went the other way: look for the reply to it
    wanted = tuple_of(packet.about).turned() if packet.about else tuple_of(packet)
    for connection in _in_zone(connections, zone):
        for reply, known in ((False, connection.original), (True, connection.reply)):
            if known == wanted and _fits_way(packet, reply):
                state = "ESTABLISHED" if reply or connection.replied else "NEW"
                refused = reply and not connection.replied and "RST" in packet.flags
                return Tracked("RELATED" if packet.about else state, connection, reply, not refused)
    if packet.about or not _may_open(packet):
        return INVALID
    return Tracked("NEW", Connection(wanted, zone=zone))


def _fits_way(packet: Packet, reply: bool) -> bool:
    """An echo request goes there and an echo reply comes back, though both look alike."""
    return not packet.icmp or packet.is_error or (packet.icmp == "echo-reply") == reply


def _may_open(packet: Packet) -> bool:
    """Whether a packet may begin a connection.

    An echo reply, a reset or a SYN,ACK may not; any other TCP packet may, because
    net.netfilter.nf_conntrack_tcp_loose is 1.
    """
    flags = packet.flags.split(",")
    return packet.icmp != "echo-reply" and "RST" not in flags and packet.flags != "SYN,ACK"


def _in_zone(connections: tuple[Connection, ...], zone: int) -> Iterator[Connection]:
    return (connection for connection in connections if connection.zone == zone)


def is_free(connection: Connection, connections: tuple[Connection, ...]) -> bool:
    """Whether the replies to a connection could not be taken for those of another one.

    >>> one = Connection(Tuple("tcp", "10.0.0.4", 40000, "10.0.0.5", 80))
    >>> other = Connection(Tuple("tcp", "10.0.0.6", 40000, "10.0.0.5", 80))
    >>> is_free(other.with_source("10.0.0.4", 40000), (one,))
    False
    """
    pings = connection.original.protocol == "icmp"  # no echo reply is taken for a request
    return not any(
        connection.reply == other.reply or (connection.reply == other.original and not pings)
        for other in _in_zone(connections, connection.zone)
        if other.original != connection.original
    )


def note(
    connection: Connection, connections: tuple[Connection, ...], replied: bool
) -> tuple[Connection, ...]:
    """All connections once this one is noted, or noted again with what is new about it."""
    noted = replace(connection, replied=connection.replied or replied)
    same = (noted.original, noted.zone)
    if any((other.original, other.zone) == same for other in connections):
        return tuple(
            noted if (other.original, other.zone) == same else other for other in connections
        )
    return (*connections, noted)


def translate(packet: Packet, tracked: Tracked, which: str) -> Packet:
    """A packet with its SOURCE or its DESTINATION translated, as its connection demands.

    An ICMP error is translated outside and, the other way round, in the packet that it quotes, so
    that the sender recognises its own packet.
    """
    connection = tracked.connection
    if connection is None or not _concerns(connection, tracked.reply, which):
        return packet
    wanted = connection.seen_by(tracked.reply)
    if packet.about:
        inner = _rewrite(packet.about, wanted.turned(), _other(which))
        outer = replace(packet, about=inner)
        if which == SOURCE:
            return replace(outer, source=wanted.source)
        return replace(outer, destination=wanted.destination)
    return _rewrite(packet, wanted, which)


def _concerns(connection: Connection, reply: bool, which: str) -> bool:
    """On the way back, the source is translated where DNAT was done, and the other way round."""
    return (_other(which) if reply else which) in connection.nat


def _other(which: str) -> str:
    return DESTINATION if which == SOURCE else SOURCE


def _rewrite(packet: Packet, wanted: Tuple, which: str) -> Packet:
    if which == SOURCE:
        changed = replace(packet, source=wanted.source, source_port=wanted.source_port)
    else:
        changed = replace(
            packet, destination=wanted.destination, destination_port=wanted.destination_port
        )
    if packet.icmp:  # one identifier for both
        port = changed.source_port if which == SOURCE else changed.destination_port
        changed = replace(changed, source_port=port, destination_port=port)
    return changed
