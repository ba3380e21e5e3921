"""The matches and targets of iptables that the course knows, and how iptables-save writes each.

What is not in these two tables is refused by name. Options stand in the order in which
iptables-save prints them; beside each stands the function that turns its values into the printed
form, so that a rule reads the same whether a program wrote it or the kernel gave it back.

Source: iptables 1.8.9, `man iptables-extensions`; the forms are those its iptables-save prints,
the same for its nft and its legacy variant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache

from netaddr import IPNetwork

from course.addresses import canonical, parse_address
from course.errors import InputError
from course.linux.packet import ICMP

Normal = Callable[..., tuple[str, ...] | None]  # None: it says nothing and is left out
ALL_BITS = 0xFFFFFFFF
STEPS = 1 << 31  # the kernel compares chance with a number of 31 bits
PROTOCOLS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "ipv6-icmp", "132": "sctp"}
ADDRESS_TYPES = ("UNICAST", "LOCAL", "BROADCAST", "MULTICAST")
STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT")
TCP_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")
REJECTIONS = {
    "icmp-net-unreachable": "network-unreachable",
    "icmp-host-unreachable": "host-unreachable",
    "icmp-proto-unreachable": "protocol-unreachable",
    "icmp-port-unreachable": "port-unreachable",
    "icmp-net-prohibited": "network-prohibited",
    "icmp-host-prohibited": "host-prohibited",
    "icmp-admin-prohibited": "communication-prohibited",
    "tcp-reset": "",
}


def flag() -> tuple[str, ...]:
    """An option without a value."""
    return ()


def word(value: str) -> tuple[str, ...]:
    """A value that is kept as it is written."""
    return (value,)


def network(value: str) -> tuple[str, ...] | None:
    """An address or range, cut to its length; every address says nothing.

    >>> network("10.240.0.7/16"), network("10.240.0.7"), network("0.0.0.0/0")
    (('10.240.0.0/16',), ('10.240.0.7/32',), None)
    """
    written, _, length = value.partition("/")
    first = _usual(written)
    bits = 128 if ":" in first else 32
    if "." in length:
        length = str(parse_mask(length))
    if length and not (length.isdecimal() and int(length) <= bits):
        raise InputError(value, f"has no length from 0 to {bits}.", "Write 10.240.0.0/16.")
    kept = int(length or bits)
    if kept == 0:
        return None
    if kept < bits:
        first = canonical(IPNetwork(f"{first}/{kept}").network)
    return (f"{first}/{kept}",)


def host_or_network(value: str) -> tuple[str, ...] | None:
    """As `network`, but one address stands without a length."""
    normal = network(value)
    return normal and (normal[0].removesuffix("/32").removesuffix("/128"),)


def parse_mask(text: str) -> int:
    """The length that a netmask means.

    >>> parse_mask("255.255.0.0")
    16
    """
    mask = parse_address(text)
    if not mask.is_netmask():
        raise InputError(text, "is no netmask.", "Write a length, like /16.")
    return mask.netmask_bits()


def address(value: str) -> tuple[str, ...]:
    """One address."""
    return (_usual(value),)


def protocol(value: str) -> tuple[str, ...] | None:
    """A protocol by name or number; `all` says nothing."""
    name = PROTOCOLS.get(value, value.lower())
    if name in ("all", "0"):
        return None
    if name not in PROTOCOLS.values():
        raise InputError(value, "is no protocol known here.", f"Known: {_list(PROTOCOLS.values())}")
    return (name,)


def ports(value: str) -> tuple[str, ...]:
    """A port or a range of ports.

    >>> ports("30000:32767"), ports("1024:"), ports("80:80")
    (('30000:32767',), ('1024:65535',), ('80',))
    """
    first, colon, last = value.partition(":")
    low, high = _port(first or "0"), _port((last or "65535") if colon else first)
    if high < low:
        raise InputError(value, "ends before it begins.", "Write the lower port first.")
    return (str(low) if low == high else f"{low}:{high}",)


def port_list(value: str) -> tuple[str, ...]:
    """Ports and ranges of ports with commas between."""
    return (",".join(ports(part)[0] for part in value.split(",")),)


def port_span(value: str) -> tuple[str, ...]:
    """The ports that translation may choose: 1024-65535."""
    first, dash, last = value.partition("-")
    return (f"{_port(first)}-{_port(last)}" if dash else str(_port(first)),)


def tcp_flags(mask: str, wanted: str) -> tuple[str, ...]:
    """Which flags are looked at, and which of them must be set."""
    return (_in_order(mask, TCP_FLAGS), _in_order(wanted, TCP_FLAGS))


def icmp_type(value: str) -> tuple[str, ...]:
    """An ICMP type by name or number; echo-request is 8."""
    if value in ICMP:
        kind, code = ICMP[value]
        return (f"{kind}/{code}" if kind == 3 else str(kind),)
    if not re.fullmatch(r"\d{1,3}(/\d{1,3})?", value):
        raise InputError(value, "is no ICMP type.", f"Write a number or one of {_list(ICMP)}")
    return (value,)


def mark(value: str) -> tuple[str, ...]:
    """A mark, or a mark and the bits that are looked at.

    >>> mark("16384"), mark("0x4000/0x4000")
    (('0x4000',), ('0x4000/0x4000',))
    """
    bits, mask = mark_and_mask(value)
    return (f"{bits:#x}" if mask == ALL_BITS else f"{bits:#x}/{mask:#x}",)


def mark_and_mask(value: str) -> tuple[int, int]:
    """The two numbers of a mark; without a mask, all bits count."""
    bits, _, mask = value.partition("/")
    try:
        numbers = int(bits, 0), int(mask, 0) if mask else ALL_BITS
    except ValueError:
        numbers = -1, -1
    if not all(0 <= number <= ALL_BITS for number in numbers):
        raise InputError(value, "is no mark.", "Write it like 0x4000 or 0x4000/0x4000.")
    return numbers


def probability(value: str) -> tuple[str, ...]:
    """Chance as the kernel keeps it, in steps of 2^-31.

    >>> probability("0.33333333333")
    ('0.33333333349',)
    """
    return (f"{float(chance(value)):.11f}",)


def chance(value: str) -> Fraction:
    """The exact chance that the kernel takes a probability for.

    >>> chance("0.5")
    Fraction(1, 2)
    """
    if not re.fullmatch(r"[01]?\.?\d*", value) or not 0 <= float(value or 2) <= 1:
        raise InputError(value, "is no probability.", "Write a number from 0 to 1, like 0.5.")
    return Fraction(round(float(value) * STEPS), STEPS)


def only(*values: str) -> Normal:
    """One of a few words."""

    def one_of(value: str) -> tuple[str, ...]:
        if value not in values:
            raise InputError(value, "is not supported here.", f"Supported: {_list(values)}")
        return (value,)

    return one_of


def some_of(order: tuple[str, ...]) -> Normal:
    """Some of a few words with commas between, in their own order."""
    return lambda value: (_in_order(value, order),)


def seconds(value: str) -> tuple[str, ...]:
    """A whole number."""
    if not value.isdecimal():
        raise InputError(value, "is no whole number.", "Write one, like 10800.")
    return (str(int(value)),)


def destination(value: str) -> tuple[str, ...]:
    """ADDRESS, ADDRESS:PORT or :PORT of DNAT."""
    return _address_and_ports(value, _port_text)


def source(value: str) -> tuple[str, ...]:
    """ADDRESS or ADDRESS:FIRST-LAST of SNAT."""
    return _address_and_ports(value, lambda text: port_span(text)[0])


def _address_and_ports(value: str, normal: Callable[[str], str]) -> tuple[str, ...]:
    if value.count(":") > 1:  # IPv6 with a port stands in brackets
        inner, _, port = value.removeprefix("[").partition("]")
        end, wanted = f"[{_usual(inner)}]", port.removeprefix(":")
        return (f"{end}:{normal(wanted)}" if wanted else end.strip("[]"),)
    end, colon, wanted = value.partition(":")
    if "-" in end:
        raise InputError(value, "is a range of addresses.", "Name one address a rule.")
    end = _usual(end) if end or not colon else ""
    return (f"{end}:{normal(wanted)}" if colon else end,)


@lru_cache(maxsize=256)
def _usual(address: str) -> str:
    """An address in its usual form; rules that name the same one often stand side by side."""
    return canonical(parse_address(address))


def _port_text(text: str) -> str:
    return str(_port(text))


def _port(text: str) -> int:
    if text.isdecimal() and int(text) <= 0xFFFF:
        return int(text)
    raise InputError(text, "is no port.", "Write a number from 0 to 65535.")


def _in_order(value: str, order: tuple[str, ...]) -> str:
    """The words of a list with commas, in iptables-save's own order."""
    names = value.split(",")
    if value in ("NONE", "ALL") and order is TCP_FLAGS:
        names = [] if value == "NONE" else list(order)
    unknown = [name for name in names if name not in order]
    if unknown:
        raise InputError(value, f"names {unknown[0]}.", f"Known: {_list(order)}")
    return ",".join(name for name in order if name in names) or "NONE"


def _list(names: object) -> str:
    return ", ".join(map(str, names)) + "."  # type: ignore[call-overload]


# What a rule may ask of a packet: module -> option -> its printed form. "" is the IP header.
MATCHES: Mapping[str, Mapping[str, Normal]] = {
    "": {"-s": network, "-d": network, "-i": word, "-o": word, "-p": protocol},
    "comment": {"--comment": word},
    "tcp": {"--sport": ports, "--dport": ports, "--tcp-flags": tcp_flags},
    "udp": {"--sport": ports, "--dport": ports},
    "sctp": {"--sport": ports, "--dport": ports},
    "icmp": {"--icmp-type": icmp_type},
    "multiport": {"--sports": port_list, "--dports": port_list, "--ports": port_list},
    "mark": {"--mark": mark},
    "connmark": {"--mark": mark},
    "state": {"--state": some_of(STATES[:5])},
    "conntrack": {
        "--ctstate": some_of(STATES),
        "--ctproto": seconds,
        "--ctorigsrc": host_or_network,
        "--ctorigdst": host_or_network,
        "--ctreplsrc": host_or_network,
        "--ctrepldst": host_or_network,
        "--ctorigdstport": ports,
        "--ctdir": only("ORIGINAL", "REPLY"),
    },
    "addrtype": {
        "--src-type": some_of(ADDRESS_TYPES),
        "--dst-type": some_of(ADDRESS_TYPES),
        "--limit-iface-in": flag,
        "--limit-iface-out": flag,
    },
    "statistic": {"--mode": only("random"), "--probability": probability},
    "recent": {
        "--set": flag,
        "--rcheck": flag,
        "--update": flag,
        "--remove": flag,
        "--seconds": seconds,
        "--hitcount": seconds,
        "--reap": flag,
        "--name": word,
        "--mask": address,
        "--rsource": flag,
        "--rdest": flag,
    },
    "physdev": {
        "--physdev-in": word,
        "--physdev-is-in": flag,
        "--physdev-out": word,
        "--physdev-is-out": flag,
        "--physdev-is-bridged": flag,
    },
    "set": {"--match-set": lambda name, ends: (name, ends)},
    "nfacct": {"--nfacct-name": word},
}

# What a rule may do with a packet: target -> option -> its printed form.
TARGETS: Mapping[str, Mapping[str, Normal]] = {
    "ACCEPT": {},
    "DROP": {},
    "RETURN": {},
    "REJECT": {"--reject-with": only(*REJECTIONS)},
    "MARK": {"--set-xmark": word},
    "CONNMARK": {
        "--set-xmark": word,
        "--save-mark": flag,
        "--restore-mark": flag,
        "--nfmask": word,
        "--ctmask": word,
    },
    "CT": {"--notrack": flag, "--zone": seconds},
    "DNAT": {"--to-destination": destination, "--random": flag, "--persistent": flag},
    "SNAT": {
        "--to-source": source, "--random": flag, "--random-fully": flag, "--persistent": flag,
    },
    "MASQUERADE": {"--to-ports": port_span, "--random": flag, "--random-fully": flag},
    "REDIRECT": {"--to-ports": port_span, "--random": flag},
}  # fmt: skip

# Other spellings that iptables takes for the same option.
ALIASES = {
    "--source": "-s", "--src": "-s", "--destination": "-d", "--dst": "-d",
    "--in-interface": "-i", "--out-interface": "-o", "--protocol": "-p", "--proto": "-p",
    "--jump": "-j", "--goto": "-g", "--match": "-m",
    "--source-port": "--sport", "--destination-port": "--dport",
    "--source-ports": "--sports", "--destination-ports": "--dports",
    "--to": "--to-source",
}  # fmt: skip
