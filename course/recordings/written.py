"""Traces as text, and back: one line for each packet that was seen.

>>> from course.trace import Disposition, Flow, Hop, Sighting, Trace
>>> ping = Flow("a", "10.0.0.2", protocol="icmp")
>>> seen = Sighting("a", "eth0", "out", ping.packet("10.0.0.1"))
>>> trace = Trace(ping, (Hop("a", (seen,)),), Disposition.NO_NEIGHBOUR, "a")
>>> for key, value in write(trace).items():
...     print(key, value)
flow a -> icmp 10.0.0.2 from 40000
hops [['a', 'eth0 out: icmp 10.0.0.1 -> 10.0.0.2 echo-request id 40000 ttl 64']]
end no neighbour at a
>>> read(write(trace)) == trace
True
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from fractions import Fraction
from typing import Any

from course.linux.packet import TTL, Packet
from course.linux.passage import Step
from course.trace import Disposition, Flow, Hop, Sighting, Trace

FLOW = re.compile(
    r"(?P<source>\S+) -> (?P<protocol>\w+) (?P<to>\S+)(?: ttl (?P<ttl>\d+))? "
    r"from (?P<source_port>\d+)"
)
SIGHTING = re.compile(r"(?P<role>.+) (?P<direction>in|out): (?P<packet>.+)")
ICMP = re.compile(
    r"icmp (?P<source>\S+) -> (?P<destination>\S+) (?P<icmp>[a-z-]+)(?: id (?P<identifier>\d+))?"
    r"(?: ttl (?P<ttl>\d+))?(?: \((?P<about>.+)\))?"
)
OTHER = re.compile(
    r"(?P<protocol>\w+) (?P<source>\S+):(?P<source_port>\d+) -> "
    r"(?P<destination>\S+):(?P<destination_port>\d+)(?: (?P<flags>[A-Z,]+))?(?: ttl (?P<ttl>\d+))?"
)


def write(trace: Trace) -> dict[str, Any]:
    """A Trace as JSON has it. Of a step, what is as by default is left out."""
    told: dict[str, Any] = {
        "flow": f"{trace.flow} from {trace.flow.source_port}",
        "hops": [
            [hop.host, *map(_sighting, hop.sightings), *map(_step, hop.steps)]
            for hop in trace.hops
        ],
        "end": f"{trace.disposition} at {trace.ended_at}",
    }  # fmt: skip
    if trace.delivered:
        told["got"] = f"{trace.server}: {trace.delivered}"
    return told


def read(told: Mapping[str, Any]) -> Trace:
    """A Trace, from what `write` made of it. Raises ValueError or KeyError for anything else."""
    disposition, _, ended_at = told["end"].rpartition(" at ")
    server, _, delivered = told.get("got", "").partition(": ")
    return Trace(
        read_flow(told["flow"]), tuple(map(_read_hop, told["hops"])), Disposition(disposition),
        ended_at, read_packet(delivered) if delivered else None, server,
    )  # fmt: skip


def read_flow(text: str) -> Flow:
    """A Flow, from its text with the source port behind it."""
    found = _matched(FLOW, text)
    to, port = found["to"], "0"
    if found["protocol"] != "icmp":
        to, _, port = to.rpartition(":")
    return Flow(
        found["source"], to, int(port), found["protocol"], int(found["source_port"]),
        int(found["ttl"] or TTL),
    )  # fmt: skip


def read_packet(text: str) -> Packet:
    """A packet, from its text. One that an ICMP error quotes has no TTL there, and gets 0.

    >>> text = "icmp 10.0.0.1 -> 10.0.0.4 host-unreachable ttl 63 (udp 10.0.0.4:1 -> 10.9.9.9:53)"
    >>> str(read_packet(text)) == text
    True
    """
    if not text.startswith("icmp "):
        found = _matched(OTHER, text)
        return Packet(
            found["protocol"], found["source"].strip("[]"), found["destination"].strip("[]"),
            int(found["source_port"]), int(found["destination_port"]), found["flags"] or "",
            ttl=int(found["ttl"] or 0),
        )  # fmt: skip
    found = _matched(ICMP, text)
    identifier = int(found["identifier"] or 0)
    return Packet(
        "icmp", found["source"], found["destination"], identifier, identifier,
        icmp=found["icmp"], about=read_packet(found["about"]) if found["about"] else None,
        ttl=int(found["ttl"] or 0),
    )  # fmt: skip


def _sighting(seen: Sighting) -> str:
    return f"{seen.role} {seen.direction}: {seen.packet}"


def _step(step: Step) -> dict[str, str]:
    told = [(each.name, getattr(step, each.name), each.default) for each in fields(step)]
    return {name: str(value) for name, value, default in told if value != default}


def _read_hop(told: list[Any]) -> Hop:
    host, *rest = told
    sightings = (_read_sighting(host, each) for each in rest if isinstance(each, str))
    steps = (_read_step(each) for each in rest if not isinstance(each, str))
    return Hop(host, tuple(sightings), tuple(steps))


def _read_sighting(host: str, text: str) -> Sighting:
    found = _matched(SIGHTING, text)
    return Sighting(host, found["role"], found["direction"], read_packet(found["packet"]))


def _read_step(told: Mapping[str, str]) -> Step:
    packets = {name: read_packet(told[name]) for name in ("before", "after")}
    chance = Fraction(told.get("chance", "1"))
    return Step(**{**told, **packets, "chance": chance})  # type: ignore[arg-type]


def _matched(pattern: re.Pattern[str], text: str) -> dict[str, str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is nothing that a recording says.")
    return found.groupdict()
