"""A real packet, sent: what was seen of it at every interface, and how its ends lived it.

Every host is watched while a flow is sent. What belongs to other flows is left out, and what was
seen before: a packet that is sent again tells nothing new.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from course.lab.built import Built
from course.lab.capture import Read, read
from course.linux.interfaces import Interface
from course.linux.packet import Packet
from course.trace import Flow, Sighting

FOR_OTHERS = 3  # PACKET_OTHERHOST: a bridge sent it to every port
QUESTION, ANSWER, ERROR = "question", "answer", "error"


@dataclass(frozen=True)
class Seen:
    """A packet at an interface: what it is to its flow, and the interface by its real name."""

    sighting: Sighting
    kind: str
    interface: str

    @property
    def host(self) -> str:
        """Where it was seen."""
        return self.sighting.host

    @property
    def packet(self) -> Packet:
        """The packet."""
        return self.sighting.packet

    @property
    def came_in(self) -> bool:
        """Whether it came in."""
        return self.sighting.direction == "in"


@dataclass(frozen=True)
class Report:
    """What the agent tells of a flow: what was seen of it, and how its ends lived it."""

    flow: Flow
    seen: tuple[Seen, ...]
    answered: bool
    text: str
    served: tuple[tuple[str, str, tuple[str, int], tuple[str, int]], ...]

    @property
    def way(self) -> tuple[Seen, ...]:
        """Questions and answers, without errors about them."""
        return tuple(each for each in self.seen if each.kind != ERROR)


def send(built: Built, flow: Flow) -> Report:
    """Send a flow and watch. If its source port is in use, the report's flow has the next one.

    Raises InputError for a host that is not there.
    """
    built.world.host(flow.source)
    token = secrets.token_bytes(8)
    told = built.namespaces.send(
        host=flow.source, protocol=flow.protocol, destination=flow.destination, port=flow.port,
        source_port=flow.source_port, ttl=flow.ttl, token=token.hex(),
    )  # fmt: skip
    flow = replace(flow, source_port=told["source_port"])
    seen = tuple(dict.fromkeys(_of_flow(built, flow, token, told["seen"])))
    served = tuple((host, kind, tuple(at), tuple(by)) for host, kind, at, by in told["served"])
    return Report(flow, seen, told["answered"], told["text"], served)


def _of_flow(built: Built, flow: Flow, token: bytes, events: Sequence[Any]) -> Iterator[Seen]:
    """What was seen of a flow, in the order of time."""
    begins: int | None = None
    stray = set(_stray(built, events))
    for _, host, interface, out, _, data in sorted(events):
        found, name = read(bytes.fromhex(data)), built.name(host, interface)
        if found is None or (host, name, data) in stray or not _at_a_wire(built, host, name):
            continue
        if begins is None and (host, out, found.packet.flags) == (flow.source, True, "SYN"):
            begins = found.begins[0]  # the first SYN that leaves its sender, translated or not
        if kind := _kind(found, token, begins):
            role, direction = built.world.role(host, name), "out" if out else "in"
            yield Seen(Sighting(host, role, direction, found.packet), kind, interface)


def _stray(built: Built, events: Sequence[Any]) -> Iterator[tuple[str, str, str]]:
    """Copies that a bridge sent to ports where the packet is for nobody: both ends of the wire."""
    for _, host, interface, _, to, data in events:
        name = built.name(host, interface)
        link = _link(built, host, name)
        if to == FOR_OTHERS and link and not link.master:
            yield host, name, data
            if far := built.world.far_end(host, name):
                yield far.host, far.interface, data


def _at_a_wire(built: Built, host: str, name: str) -> bool:
    link = _link(built, host, name)
    return link is not None and link.kind not in ("bridge", "loopback")


def _link(built: Built, host: str, name: str) -> Interface | None:
    """An interface; None for one that somebody has made by hand."""
    links = built.world.host(host).interfaces
    return next((link for link in links if link.name == name), None)


def _kind(found: Read, token: bytes, begins: int | None) -> str:
    """What a packet is to a flow; nothing if it belongs to another one."""
    packet = found.packet
    if packet.protocol == "tcp" or (packet.about and packet.about.protocol == "tcp"):
        if begins not in found.begins:
            return ""
        return {"SYN": QUESTION, "SYN,ACK": ANSWER}.get(packet.flags, ERROR)
    asked, turned = token in found.payload, token[::-1] in found.payload
    if packet.is_error:
        return ERROR * (asked or turned)
    if packet.icmp:
        return {"echo-request": QUESTION, "echo-reply": ANSWER}[packet.icmp] * asked
    return QUESTION * asked or ANSWER * turned
