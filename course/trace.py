"""Flow, Trace, Hop: what is asked of a World, and what is predicted or observed.

A prediction and an observation are both Traces, so they can be laid side by side. Two are equal if
they say the same of every hop: which host, which interface by its role, which way, and the packet
(protocol, addresses, ports, flags or ICMP type, TTL); and if they end the same, at the same host.
Why each host did what it did (the steps) is not compared: a capture does not show it. Neither are
times, MACs, indexes, ARP and retransmissions: they are not in a Trace.

Seen is every packet at the ends of wires. A bridge itself is none: what passes it is seen at its
ports.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from math import prod

from course.addresses import parse_address
from course.errors import InputError, whole_number
from course.linux.draws import odds
from course.linux.packet import TTL, Packet, within
from course.linux.passage import Step

CLIENT_PORT, MOST_PORTS, MOST_TTL = 40000, 65_535, 255
NO_ONES = ("0.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32")  # this network, multicast, broadcast
_TOLD = ("made", "translated", "routed", "bridged", "dropped", "delivered")


class Disposition(StrEnum):
    """How a flow ended. All but the first are about the packet that was lost first."""

    DELIVERED = "delivered"  # there, and the answer back
    DROPPED = "dropped by a rule"
    REFUSED = "refused"  # by a rule or a closed port, with a word to the sender
    NO_ROUTE = "no route"
    NOT_FORWARDED = "not forwarded"
    MARTIAN = "martian"
    EXPIRED = "expired"
    NO_NEIGHBOUR = "no neighbour"
    LINK_DOWN = "link down"
    UNASKED = "unasked"  # an answer came, but from an address that nobody asked
    UNEXPLAINED = "unexplained"  # observed, never predicted: nothing that is asked tells why


@dataclass(frozen=True)
class Flow:
    """One thing tried: a host sends a first packet to an address, and waits for the answer.

    For icmp (a ping) the port does not count, and the source port is the identifier. `ttl` is how
    many hosts may have it in their hands, as traceroute sets it: the last one answers that it has
    expired. Raises InputError for what is no IPv4 address of one host, no port or
    no TTL.

    >>> print(Flow("web-1", "10.0.0.80", 80))
    web-1 -> tcp 10.0.0.80:80
    """

    source: str
    destination: str
    port: int = 0
    protocol: str = "tcp"
    source_port: int = CLIENT_PORT
    ttl: int = TTL

    def __post_init__(self) -> None:
        if self.protocol not in ("tcp", "udp", "icmp"):
            raise InputError(self.protocol, "is no protocol of a flow.", "Use tcp, udp or icmp.")
        parse_address(self.destination, 4)
        _demand_one_host(self.destination)
        if not 1 <= whole_number(self.ttl, "TTL") <= MOST_TTL:
            raise InputError(self.ttl, "is no TTL.", f"Use 1 to {MOST_TTL}.")
        for port in (self.port, self.source_port):
            if whole_number(port, "port") > MOST_PORTS:
                raise InputError(port, "is no port.", f"Ports go up to {MOST_PORTS}.")
        if self.protocol != "icmp" and not self.source_port:
            raise InputError(0, f"is no source port of {self.protocol}.", "Use 1 to 65535.")
        if (self.protocol == "icmp") == bool(self.port):
            raise InputError(self.port, f"is no port for {self.protocol}.", "icmp alone has none.")

    def packet(self, source: str) -> Packet:
        """Its first packet, with the source address that the host chose."""
        if self.protocol == "icmp":
            port = self.source_port
            return Packet(
                "icmp", source, self.destination, port, port, icmp="echo-request", ttl=self.ttl
            )  # fmt: skip
        flags = "SYN" if self.protocol == "tcp" else ""
        return Packet(
            self.protocol, source, self.destination, self.source_port, self.port, flags,
            ttl=self.ttl,
        )  # fmt: skip

    def __str__(self) -> str:
        port = f":{self.port}" if self.port else ""
        ttl = f" ttl {self.ttl}" if self.ttl != TTL else ""
        return f"{self.source} -> {self.protocol} {self.destination}{port}{ttl}"


@dataclass(frozen=True)
class Sighting:
    """A packet as it is seen at an interface, coming in or going out."""

    host: str
    role: str
    direction: str
    packet: Packet

    def __post_init__(self) -> None:
        about = self.packet.about
        if about:  # of a quoted packet, the TTL is whatever it was when it was quoted
            object.__setattr__(self, "packet", replace(self.packet, about=replace(about, ttl=0)))

    def __str__(self) -> str:
        return f"{self.host} {self.role} {self.direction}: {self.packet}"


@dataclass(frozen=True)
class Hop:
    """One host of a Trace: what came in, what went out, and the steps between.

    An observation has no steps. `words` are what is told in place of a text in them: the role of
    an interface for a name that was drawn.
    """

    host: str
    sightings: tuple[Sighting, ...]
    steps: tuple[Step, ...] = field(default=(), compare=False)
    words: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def chance(self) -> Fraction:
        """How likely it was that chance, where this host asked it, went this way."""
        return prod((step.chance for step in self.steps), start=Fraction(1))

    @property
    def drawn_by(self) -> tuple[str, ...]:
        """What drew on this host, each once."""
        return tuple(dict.fromkeys(step.effect for step in self.steps if step.kind == "drawn"))

    @property
    def translations(self) -> tuple[Step, ...]:
        """The steps that rewrote an address."""
        return tuple(step for step in self.steps if step.kind == "translated")

    @property
    def told(self) -> tuple[Step, ...]:
        """The steps worth telling: whose packet it is, what changed its way, what stopped it."""
        return tuple(
            replace(step, effect=self._told(step.effect), decided_by=self._told(step.decided_by))
            for step in self.steps
            if step.kind in _TOLD or (step.kind == "filtered" and step.effect != "ACCEPT")
        )

    def _told(self, text: str) -> str:
        for name, words in self.words.items():
            text = re.sub(rf"(?<![\w.]){re.escape(name)}(?![\w.])", words, text)
        return text


@dataclass(frozen=True)
class Trace:
    """What became of a flow, hop by hop, the way back included.

    `ended_at` is the host where the first lost packet was lost; if none was, the one that asked.
    `delivered` is the packet that reached a server, as the server sees it.
    """

    flow: Flow
    hops: tuple[Hop, ...]
    disposition: Disposition
    ended_at: str
    delivered: Packet | None = field(default=None, compare=False)
    server: str = field(default="", compare=False)

    @property
    def sightings(self) -> tuple[Sighting, ...]:
        """All packets seen, in order."""
        return tuple(seen for hop in self.hops for seen in hop.sightings)

    @property
    def path(self) -> tuple[str, ...]:
        """The hosts in order, there and back."""
        return tuple(hop.host for hop in self.hops)

    @property
    def chance(self) -> Fraction:
        """How likely it was that chance went this way, on all hosts together."""
        return prod((hop.chance for hop in self.hops), start=Fraction(1))

    @property
    def source_seen(self) -> str | None:
        """The source address that the server saw, or None if nothing reached one."""
        return self.delivered.source if self.delivered else None

    def rows(self) -> list[tuple[str, str, str, str]]:
        """A table: host, interface, direction, packet."""
        return [(s.host, s.role, s.direction, str(s.packet)) for s in self.sightings]

    def explain(self) -> str:
        """The trace in words: a line for each hop, with what decided there, and the end."""
        return "\n".join((str(self.flow), *map(_hop_in_words, self.hops), _end_in_words(self)))

    def __str__(self) -> str:
        return "\n".join((*map(str, self.sightings), f"= {self.disposition} at {self.ended_at}"))


def differences(prediction: Trace, observation: Trace) -> Iterator[str]:
    """What two traces say differently, a line each; nothing if they are equal.

    >>> ping = Flow("a", "10.0.0.2", protocol="icmp")
    >>> seen = Hop("a", (Sighting("a", "eth0", "out", ping.packet("10.0.0.1")),))
    >>> one = Trace(ping, (seen,), Disposition.DELIVERED, "a")
    >>> list(differences(one, Trace(ping, (), Disposition.NO_ROUTE, "a")))
    ['predicted, not seen: a eth0 out: icmp 10.0.0.1 -> 10.0.0.2 echo-request id 40000 ttl 64', \
'predicted delivered at a, observed no route at a']
    """
    if prediction.flow != observation.flow:
        yield f"predicted {prediction.flow}, observed {observation.flow}"
    ours, theirs = list(prediction.sightings), list(observation.sightings)
    for at in range(max(len(ours), len(theirs))):
        one, other = (each[at] if at < len(each) else None for each in (ours, theirs))
        if one == other:
            continue
        if one and other:
            yield f"predicted {one}, seen {other}"
        else:
            yield f"predicted, not seen: {one}" if one else f"seen, not predicted: {other}"
        break  # what follows differs because of this
    ends = [(trace.disposition, trace.ended_at) for trace in (prediction, observation)]
    if ends[0] != ends[1]:
        yield "predicted {} at {}, observed {} at {}".format(*ends[0], *ends[1])


def _demand_one_host(destination: str) -> None:
    """Raise InputError for an address that stands for no host, or for many.

    Azure carries neither broadcast nor multicast (fact azure.vnet_blocked_protocols).
    """
    for text in NO_ONES:
        if within(destination, text):
            raise InputError(
                destination, f"is of {text}: it is the address of no host, or of many.",
                "A flow goes to one host: give its address.",
            )  # fmt: skip


def _hop_in_words(hop: Hop) -> str:
    drawn = f"  by chance: {odds(hop.chance)}, drawn by {' and '.join(hop.drawn_by)}"
    told = (f"  {step}" for step in hop.told)
    return "\n".join((f"{hop.host}:", *told, *([drawn] if hop.drawn_by else [])))


def _end_in_words(trace: Trace) -> str:
    if trace.disposition == Disposition.DELIVERED:
        seen = f"; {trace.server} saw {trace.source_seen}" if trace.delivered else ""
        return f"= delivered, and answered{seen}"
    arrived = f", after {trace.server} had got the first packet" if trace.delivered else ""
    return f"= {trace.disposition} at {trace.ended_at}{arrived}"
