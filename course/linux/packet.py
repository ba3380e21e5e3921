"""A packet, as far as hosts decide by it: who to whom, how many hops are left, what it says.

Addresses are texts in their usual form ("10.240.0.4"), so that a packet reads as it is written.
What a host notes on a packet while it holds it, such as the mark of netfilter, is not part of the
packet: it never leaves the host.

>>> print(tcp("10.244.0.2", 40000, "10.0.0.10", 80))
tcp 10.244.0.2:40000 -> 10.0.0.10:80 SYN ttl 64
>>> print(tcp("10.244.0.2", 40000, "10.0.0.10", 80).reply())
tcp 10.0.0.10:80 -> 10.244.0.2:40000 SYN,ACK ttl 64
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from course.addresses import canonical, parse_address
from course.errors import InputError, whole_number

# ICMP type and code by the name that iptables gives them (RFC 792, RFC 1812)
ICMP = {
    "echo-reply": (0, 0),
    "network-unreachable": (3, 0),
    "host-unreachable": (3, 1),
    "protocol-unreachable": (3, 2),
    "port-unreachable": (3, 3),
    "fragmentation-needed": (3, 4),
    "network-prohibited": (3, 9),
    "host-prohibited": (3, 10),
    "communication-prohibited": (3, 13),
    "echo-request": (8, 0),
    "ttl-zero-during-transit": (11, 0),
}
ECHO = ("echo-request", "echo-reply")
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "sctp": 132}  # by their numbers (IANA)
TTL = 64  # what a Linux host writes into a packet of its own: net.ipv4.ip_default_ttl


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet. Ports are those of TCP, UDP and SCTP; an ICMP echo holds its identifier in both.

    `flags` are TCP's, as "SYN", "SYN,ACK", "ACK", "RST" or "FIN,ACK". An ICMP error carries the
    packet that it is `about`. Raises InputError for what is no packet.
    """

    protocol: str
    source: str
    destination: str
    source_port: int = 0
    destination_port: int = 0
    flags: str = ""
    icmp: str = ""
    about: Packet | None = None
    ttl: int = TTL

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            known = ", ".join(PROTOCOLS)
            raise InputError(self.protocol, "is no protocol of a packet.", f"Use one of {known}.")
        for address in (self.source, self.destination):
            number(address)
        for port in (self.source_port, self.destination_port):
            if whole_number(port, "port") > 0xFFFF:
                raise InputError(port, "is no port.", "Ports end at 65535.")
        if (self.protocol == "icmp") != (self.icmp in ICMP):
            raise InputError(self.icmp, "is no ICMP type.", f"Choose one of {', '.join(ICMP)}.")
        if self.is_error != (self.about is not None):
            raise InputError(self.icmp, "and the packet it is about belong together.", "Give both.")

    @property
    def is_error(self) -> bool:
        """Whether it is an ICMP error: it tells what became of another packet."""
        return bool(self.icmp) and self.icmp not in ECHO

    @property
    def is_answer(self) -> bool:
        """Whether nobody answers it with an error: an ICMP error, or a reset (RFC 1122, 3.2.2)."""
        return self.is_error or "RST" in self.flags

    def reply(self) -> Packet:
        """The first packet the other way, as the one addressed would send it.

        Raises InputError for an ICMP error, which nobody answers.
        """
        if self.is_error:
            raise InputError(str(self), "is an error: nobody answers it.", "Ask what it is about.")
        flags = {"SYN": "SYN,ACK", "": ""}.get(self.flags, "ACK")
        return replace(
            self,
            source=self.destination,
            destination=self.source,
            source_port=self.destination_port,
            destination_port=self.source_port,
            flags=flags,
            icmp="echo-reply" if self.icmp else "",
            ttl=TTL,
        )

    def __str__(self) -> str:
        if self.about:
            about = str(self.about).partition(" ttl ")[0]
            return f"icmp {self.source} -> {self.destination} {self.icmp} ttl {self.ttl} ({about})"
        if self.icmp:
            ends = f"{self.source} -> {self.destination} {self.icmp} id {self.source_port}"
        else:
            source, destination = _bracketed(self.source), _bracketed(self.destination)
            ends = f"{source}:{self.source_port} -> {destination}:{self.destination_port}"
        return " ".join(filter(None, (self.protocol, ends, self.flags, f"ttl {self.ttl}")))


def tcp(source: str, source_port: int, destination: str, destination_port: int) -> Packet:
    """The packet that opens a TCP connection: a SYN."""
    return Packet("tcp", source, destination, source_port, destination_port, "SYN")


def udp(source: str, source_port: int, destination: str, destination_port: int) -> Packet:
    """A UDP datagram."""
    return Packet("udp", source, destination, source_port, destination_port)


def ping(source: str, destination: str, identifier: int = 1) -> Packet:
    """An ICMP echo request.

    >>> print(ping("10.0.0.4", "10.0.0.5"))
    icmp 10.0.0.4 -> 10.0.0.5 echo-request id 1 ttl 64
    """
    return Packet("icmp", source, destination, identifier, identifier, icmp="echo-request")


def icmp_error(source: str, icmp: str, about: Packet) -> Packet:
    """The ICMP error by which `source` tells a sender what became of its packet.

    >>> print(icmp_error("10.0.0.1", "host-unreachable", ping("10.0.0.4", "10.9.9.9")))
    icmp 10.0.0.1 -> 10.0.0.4 host-unreachable ttl 64 (icmp 10.0.0.4 -> 10.9.9.9 echo-request id 1)
    """
    return Packet("icmp", source, about.source, icmp=icmp, about=about)


def reset(about: Packet) -> Packet:
    """The TCP reset that refuses a connection, in the name of the one addressed."""
    return replace(about.reply(), flags="RST" if "ACK" in about.flags else "RST,ACK")


@lru_cache(maxsize=1 << 16)
def number(address: str) -> int:
    """The number that an address is. Raises InputError for a text that is none in usual form.

    >>> number("0.0.1.0")
    256
    """
    parsed = parse_address(address)
    if canonical(parsed) != address:
        raise InputError(address, "is not in its usual form.", f"Write {canonical(parsed)}.")
    return int(parsed)


@lru_cache(maxsize=1 << 16)
def span(network: str) -> tuple[int, int, int]:
    """A range as (family, first address, last address), for fast questions.

    >>> span("0.0.1.0/24")
    (4, 256, 511)
    """
    written, _, length = network.partition("/")
    first, bits = number(written), 128 if ":" in written else 32
    size = 1 << (bits - int(length or bits))
    return (6 if bits == 128 else 4), first & -size, first | size - 1


def within(address: str, network: str) -> bool:
    """Whether an address lies in a range; an IPv4 address lies in no IPv6 range.

    >>> within("10.1.2.3", "10.0.0.0/8")
    True
    """
    family, first, last = span(network)
    return (":" in address) == (family == 6) and first <= number(address) <= last


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
