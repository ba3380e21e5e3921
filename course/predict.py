"""Which way a packet goes, and who rewrites it: a World walked host by host.

What a host does, course.linux.path says; here packets are only carried from one end of a wire to
the other, and those who are asked made to answer. Nothing here knows of Kubernetes or Azure.
Left out: what a host tells the sender, seconds later, when nobody answers its ARP.

>>> from course.scenarios import small_cluster
>>> from course.world import build
>>> trace, state = predict(build(small_cluster("overlay")), Flow("web-1", "10.244.1.2", 8080))
>>> print(*trace.path, "=", trace.disposition, "from", trace.source_seen)
web-1 node1 azure node2 web-3 web-3 node2 azure node1 web-1 = delivered from 10.244.0.2
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from course.errors import InputError
from course.linux.draws import Draw, Drawn, every, first
from course.linux.host import Host, Socket, State
from course.linux.outcome import Fate, Outcome, Sent
from course.linux.packet import Packet
from course.linux.path import receive, send
from course.trace import Disposition, Flow, Hop, Sighting, Trace
from course.world import End, World

MOST_HOPS = 1000  # far more than TTLs of 64 allow
States = Mapping[str, State]  # what each host remembers, by its name


class Prediction(NamedTuple):
    """A trace, and what all hosts remember after it."""

    trace: Trace
    state: States


def predict(
    world: World, flow: Flow, state: States | None = None, draw: Draw = first
) -> Prediction:
    """What becomes of a flow: the way there and the way back.

    `state` is what hosts remember from flows before, `draw` decides where they draw
    (course.linux.draws). Raises InputError for a host that is not there, for a destination that is
    broadcast, or if packets never come to an end.
    """
    world.demand_one_host(flow.destination)
    walk = _Walk(world, flow, dict(state or {}), draw)
    walk.start()
    for _ in range(MOST_HOPS):
        if not walk.waiting:
            return Prediction(walk.trace(), walk.states)
        walk.arrive(walk.waiting.pop(0))
    raise InputError(str(flow), "never comes to an end.", "Look for a bridge that leads to itself.")


def outcomes(world: World, flow: Flow, state: States | None = None) -> tuple[Drawn[Trace], ...]:
    """All ways that chance can go for a flow, each with its probability; they sum to one.

    >>> from course.scenarios import small_cluster
    >>> from course.world import build
    >>> ways = outcomes(build(small_cluster("overlay")), Flow("vm-1", "10.240.0.4", 30080))
    >>> [(way.result.server, f"{float(way.probability):.6f}") for way in ways]
    [('web-1', '0.250000'), ('web-2', '0.250000'), ('web-3', '0.250000'), ('web-4', '0.250000')]
    """
    return tuple(every(lambda draw: predict(world, flow, state, draw).trace))


class _Arrival(NamedTuple):
    """A packet that stands before an interface."""

    end: End
    packet: Packet
    next_hop: str


@dataclass
class _Walk:
    """A flow while it is followed: it changes, and what comes of it does not."""

    world: World
    flow: Flow
    states: dict[str, State]
    draw: Draw
    waiting: list[_Arrival] = field(default_factory=list)
    hops: list[Hop] = field(default_factory=list)
    lost: tuple[Disposition, str] | None = None
    answer: Packet | None = None  # what the client waits for
    answered: bool = False
    delivered: Packet | None = None
    server: str = ""

    def start(self) -> None:
        """The client chooses its source address, by the route, and sends the first packet."""
        host = self.world.host(self.flow.source)
        found = host.route(self.flow.destination)
        packet = self.flow.packet(found.source if found else "0.0.0.0")
        if found:
            self.answer = packet.reply()
        self.program_sends(self.flow.source, packet)

    def program_sends(self, name: str, packet: Packet) -> None:
        """A program on a host sends a packet."""
        state = self.states.get(name, State())
        outcome = send(self.host(name), packet, state, draw=self.draw)
        self.take(name, outcome, ())

    def arrive(self, arrival: _Arrival) -> None:
        """A packet comes in by an interface."""
        name, interface = arrival.end
        state = self.states.get(name, State())

        outcome = receive(
            self.host(name), interface, arrival.packet, state,
            next_hop=arrival.next_hop, draw=self.draw,
        )  # fmt: skip
        if outcome.fate == Fate.REFUSED and name == self.flow.source and self.delivered:
            self.lose(Disposition.UNASKED, name)
        seen = Sighting(name, self.world.role(name, interface), "in", arrival.packet)
        self.take(name, outcome, (seen,))

    def host(self, name: str) -> Host:
        """A host; the client with the socket that waits for the answer, and for no other."""
        host, asked = self.world.host(name), self.answer
        if asked is None or name != self.flow.source or asked.icmp:
            return host
        server = (asked.source, asked.source_port)
        waits = Socket(asked.protocol, asked.destination_port, asked.destination, server)
        return replace(host, sockets=(*host.sockets, waits))

    def take(self, name: str, outcome: Outcome, seen: tuple[Sighting, ...]) -> None:
        """Note what a host did, carry what it sent, and let it answer what it got."""
        self.states[name] = outcome.state
        carried = [(sent, self.carry(name, sent)) for sent in outcome.sent]
        out = tuple(
            Sighting(name, self.world.role(name, sent.interface), "out", sent.packet)
            for sent, arrival in carried
            if arrival
        )
        self.hops.append(Hop(name, (*seen, *out), outcome.steps, self.world.words(name)))
        if outcome.fate not in (Fate.SENT, Fate.DELIVERED):
            self.lose(_DISPOSITIONS[outcome.fate], name)
        for sent, arrival in carried:
            if arrival:
                self.waiting.append(arrival)
            else:
                self.lose(self.why_not_carried(name, sent), name)
        if outcome.delivered:
            self.deliver(name, outcome.delivered)

    def carry(self, name: str, sent: Sent) -> _Arrival | None:
        """Where a packet arrives that was sent by an interface; None if nobody there takes it."""
        far = self.world.far_end(name, sent.interface)
        if far is None or not self.takes(name, sent, far):
            return None
        return _Arrival(far, sent.packet, sent.next_hop)

    def why_not_carried(self, name: str, sent: Sent) -> Disposition:
        """Its wire is down at the other end, or nobody there takes it; a bridge cannot tell."""
        far = self.world.far_end(name, sent.interface)
        if far and not sent.bridge and not self.world.host(far.host).interface(far.interface).up:
            return Disposition.LINK_DOWN
        return Disposition.NO_NEIGHBOUR

    def takes(self, name: str, sent: Sent, far: End) -> bool:
        """Whether somebody at the other end says that the next hop is there, asked by ARP.

        Nobody is asked if the sender has been told (a static neighbour, with its MAC).
        """
        host, other = self.world.host(name), self.world.host(far.host)
        link = other.interface(far.interface)
        if not link.up:
            return False
        told = [
            n.mac for n in host.neighbours if (n.address, n.dev) == (sent.next_hop, sent.interface)
        ]
        if any(told):
            return link.mac in told
        if link.master and other.port_of(link.master, sent.next_hop):
            return True
        return other.answers_arp(link.master or link.name, sent.next_hop, sent.asker)

    def deliver(self, name: str, packet: Packet) -> None:
        """A packet reached a socket: the answer its client, anything else a server."""
        if self.is_answer(name, packet):
            self.answered = True
        elif packet.icmp == "echo-reply":
            self.lose(Disposition.UNASKED, name)
        elif packet.is_answer or packet.flags not in ("", "SYN"):
            return  # an error, a reset: nobody answers it
        elif self.delivered is None:
            self.delivered, self.server = packet, name
            self.program_sends(name, packet.reply())

    def is_answer(self, name: str, packet: Packet) -> bool:
        """Whether a packet is what the client waits for, whatever its TTL."""
        waited = self.answer
        return waited is not None and name == self.flow.source and (
            replace(packet, ttl=waited.ttl) == waited
        )  # fmt: skip

    def lose(self, disposition: Disposition, name: str) -> None:
        """Note the first packet that is lost; what comes after is a consequence."""
        if self.lost is None:
            self.lost = (disposition, name)

    def trace(self) -> Trace:
        """All that was seen."""
        disposition, where = Disposition.DELIVERED, self.flow.source
        if not self.answered:
            disposition, where = self.lost or (Disposition.DROPPED, self.hops[-1].host)
        return Trace(
            self.flow, tuple(self.hops), disposition, where, self.delivered, self.server
        )  # fmt: skip


_DISPOSITIONS = {
    Fate.DROPPED: Disposition.DROPPED,
    Fate.REFUSED: Disposition.REFUSED,
    Fate.NO_ROUTE: Disposition.NO_ROUTE,
    Fate.NOT_FORWARDED: Disposition.NOT_FORWARDED,
    Fate.MARTIAN: Disposition.MARTIAN,
    Fate.EXPIRED: Disposition.EXPIRED,
    Fate.NO_NEIGHBOUR: Disposition.NO_NEIGHBOUR,
    Fate.LINK_DOWN: Disposition.LINK_DOWN,
}
