"""What the agent captured, read: bytes into packets, and whose packets they are.

A packet is told apart from those of other flows by what no host rewrites on its way: over TCP the
number that the first SYN begins with, otherwise a token that the sender put into it. An ICMP error
quotes it too.

>>> syn = "4500003c00004000400600000af400020af401029c401f90000000070000000050020000000000000000"
>>> seen = read(bytes.fromhex(syn))
>>> print(seen.packet, seen.begins)
tcp 10.244.0.2:40000 -> 10.244.1.2:8080 SYN ttl 64 (7, 6, 4294967295)
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from course.linux.packet import ICMP, PROTOCOLS, Packet

NAMES = {number: name for name, number in PROTOCOLS.items()}
ICMP_NAMES = {numbers: name for name, numbers in ICMP.items()}
FLAGS = ((1, "FIN"), (2, "SYN"), (4, "RST"), (16, "ACK"))
TCP_HEAD = struct.Struct("!HHIIBB")


@dataclass(frozen=True, slots=True)
class Read:
    """A packet that was seen; over TCP with the number that its flow's first SYN began with, of
    which several may fit. `payload` is what it carries behind its headers."""

    packet: Packet
    begins: tuple[int, ...] = ()
    payload: bytes = b""


def read(data: bytes) -> Read | None:
    """Read an IPv4 packet; None for what no Trace tells of: later segments, other protocols."""
    found = _read(data)
    if found is None or found.packet.protocol != "tcp":
        return found
    opens_or_refuses = {"SYN", "RST"} & set(found.packet.flags.split(","))
    return found if opens_or_refuses else None


def _read(data: bytes) -> Read | None:
    length, ttl, protocol = (data[0] & 15) * 4, data[8], NAMES.get(data[9], "")
    source, destination = (str(IPv4Address(data[at : at + 4])) for at in (12, 16))
    rest = data[length:]
    if protocol == "icmp":
        return _icmp(source, destination, ttl, rest)
    if protocol not in ("tcp", "udp"):
        return None
    source_port, port = struct.unpack("!HH", rest[:4])
    packet = Packet(protocol, source, destination, source_port, port, ttl=ttl)
    if protocol == "udp":
        return Read(packet, payload=rest[8:])
    _, _, sequence, acknowledged, _, bits = TCP_HEAD.unpack(rest[: TCP_HEAD.size])
    flags = ",".join(name for bit, name in FLAGS if bits & bit)
    begins = (sequence, (sequence - 1) % 2**32, (acknowledged - 1) % 2**32)
    return Read(replace(packet, flags=flags), begins)


def _icmp(source: str, destination: str, ttl: int, rest: bytes) -> Read | None:
    kind = ICMP_NAMES.get((rest[0], rest[1]))
    if kind is None:
        return None
    if kind.startswith("echo"):
        identifier = struct.unpack("!H", rest[4:6])[0]
        echo = Packet("icmp", source, destination, identifier, identifier, icmp=kind, ttl=ttl)
        return Read(echo, payload=rest[8:])
    about = _read(rest[8:])
    if about is None or about.packet.is_error:
        return None
    error = Packet("icmp", source, destination, icmp=kind, about=about.packet, ttl=ttl)
    return Read(error, about.begins, about.payload)
