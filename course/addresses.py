"""Addresses and ranges: strict reading, containment, overlap, cutting and merging.

An address range is written ADDRESS/LENGTH, as Azure and Kubernetes want it: 10.240.0.0/16. Reading
is strict, because a range that is nearly right is the most expensive kind of wrong: leading zeros
(are they octal?), missing octets and bits set after the length are refused, each with its reason.
The arithmetic is netaddr's; ranges and addresses are its IPNetwork and IPAddress.

>>> parse_range("10.0.0.1/24")
Traceback (most recent call last):
...
course.errors.InputError: '10.0.0.1/24' has bits set after its length, /24: it names an address \
inside a range. The range that holds it is 10.0.0.0/24.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import netaddr
from netaddr import INET_PTON, IPAddress, IPNetwork, IPRange

from course.errors import InputError, whole_number

_V4 = r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})"
_V6 = r"(?=.*:)[0-9A-Fa-f:.]+"
_WRITE_ADDRESS = "Write four numbers from 0 to 255, like 10.0.0.4, or IPv6, like fd00::4."


def parse_address(text: str, version: int | None = None) -> IPAddress:
    """Read one address, strictly. `version` 4 or 6 demands that family.

    Raises InputError for anything but one complete address in its usual form.

    >>> parse_address("10.0.0.4")
    IPAddress('10.0.0.4')
    >>> parse_address("010.0.0.4")
    Traceback (most recent call last):
    ...
    course.errors.InputError: '010.0.0.4' has a leading zero in 010, which some programs read as \
octal. Write 10.
    """
    if isinstance(text, str) and re.fullmatch(f"{_V4}|{_V6}", text):
        try:
            address = IPAddress(text, flags=INET_PTON)
        except netaddr.AddrFormatError:
            pass
        else:
            _demand_family(text, address, version)
            return address
    raise InputError(text, *_why_no_address(text))


def parse_range(text: str, version: int | None = None) -> IPNetwork:
    """Read an address range, strictly: no bits may be set after its length.

    The length may also be written as a netmask or wildcard mask (IPv4); an address alone is a
    range of one. Raises InputError otherwise.

    >>> parse_range("10.240.0.0/16").size
    65536
    >>> parse_range("10.0.0.0/255.0.0.0")
    IPNetwork('10.0.0.0/8')
    """
    if not isinstance(text, str):
        raise InputError(text, "is not a text.", "Write a range like '10.240.0.0/16'.")
    written, slash, length = text.partition("/")
    start, scope = _range_start(text, written)
    prefix = _length(text, length, start) if slash else _bits(start)
    network = IPNetwork((int(start), prefix), version=start.version)
    if network.ip != network.network:
        raise InputError(
            text,
            f"has bits set after its length, /{prefix}: it names an address inside a range.",
            f"The range that holds it is {canonical(network.cidr)}.",
        )
    if scope:
        raise InputError(text, "names an interface; a range has none.", f"Leave out {scope}.")
    _demand_family(text, network, version)
    return network


def canonical(item: IPAddress | IPNetwork) -> str:
    """The one usual text of an address or range; IPv6 as RFC 5952 wants it, in hexadecimal.

    >>> canonical(parse_address("2001:0:0:4:0:0:0:8"))
    '2001:0:0:4::8'
    """
    if isinstance(item, IPNetwork):
        return f"{canonical(item.network)}/{item.prefixlen}"
    return str(item) if item.version == 4 else _rfc5952(item)


def contains(network: IPNetwork, member: IPAddress | IPNetwork) -> bool:
    """Whether an address, or every address of a range, lies in a range.

    >>> contains(parse_range("1.2.3.0/24"), parse_address("1.2.3.37"))
    True
    """
    return member in network


def is_inside(network: IPNetwork, other: IPNetwork) -> bool:
    """Whether a range lies inside another, or is the same.

    Raises InputError if one is IPv4 and the other IPv6.
    """
    _same_family([network, other])
    return contains(other, network)


def overlaps(one: IPNetwork, other: IPNetwork) -> bool:
    """Whether two ranges share an address. An IPv4 and an IPv6 range never do.

    >>> overlaps(parse_range("10.0.0.0/16"), parse_range("10.0.128.0/20"))
    True
    """
    return one in other or other in one


def hosts(network: IPNetwork) -> IPRange:
    """The addresses of a range that hosts may use on an ordinary network (not on Azure's).

    IPv4 without the first and the last (network, broadcast), IPv6 without the first (subnet-router
    anycast); a range of one or two keeps all (RFC 3021).

    >>> hosts(parse_range("1.2.3.0/24")).size
    254
    """
    first, last = network.first, network.last
    if network.size > 2:
        first += 1
        last -= network.version == 4
    version = network.version
    return IPRange(IPAddress(first, version), IPAddress(last, version))


def nth(network: IPNetwork, index: int) -> IPAddress:
    """The address at a position in a range, counted from 0; below 0, from its end.

    Raises InputError for a position outside of the range.
    """
    if isinstance(index, int) and -network.size <= index < network.size:
        return network[index]
    raise InputError(
        index, f"is outside of {canonical(network)}.", f"Its positions are 0 to {network.size - 1}."
    )


def supernet(network: IPNetwork, diff: int = 1, new_prefix: int | None = None) -> IPNetwork:
    """The range `diff` bits shorter that holds this one, or the one of length `new_prefix`.

    The whole address space is its own supernet. Raises InputError for a length that is not
    shorter or below 0, and when both are asked for.
    """
    if network.prefixlen == 0:
        return network
    prefix = _other_length(network, -diff, new_prefix)
    if not 0 <= prefix <= network.prefixlen:
        raise InputError(
            f"/{prefix}", f"does not hold {canonical(network)}.", "Ask for a shorter length."
        )
    return IPNetwork((network.first, prefix), version=network.version).cidr


def subnets(network: IPNetwork, diff: int = 1, new_prefix: int | None = None) -> list[IPNetwork]:
    """Cut a range into equal parts, `diff` bits longer or of length `new_prefix`.

    A range of one address yields itself. Raises InputError for a length that does not exist or is
    not longer.

    >>> [canonical(part) for part in subnets(parse_range("10.0.0.0/24"))]
    ['10.0.0.0/25', '10.0.0.128/25']
    """
    if network.size == 1:
        return [network]
    prefix = _other_length(network, diff, new_prefix)
    if not network.prefixlen <= prefix <= _bits(network):
        raise InputError(
            f"/{prefix}", f"is no part of {canonical(network)}.", "Ask for a longer length."
        )
    if prefix - network.prefixlen > 16:
        raise InputError(
            f"/{prefix}", f"cuts {canonical(network)} into too many parts.", "Cut in two steps."
        )
    return list(network.subnet(prefix))


def supernets_up_to(address: IPAddress, prefix: int) -> list[IPNetwork]:
    """Every range that holds an address, from length `prefix` down to two addresses.

    Raises InputError for a length that no range of the family has.
    """
    _possible_length(prefix, _bits(address))
    return IPNetwork(address).supernet(prefix)


def allocate(
    pool: IPNetwork, requests: Sequence[tuple[int, int]]
) -> tuple[list[list[IPNetwork]], list[IPNetwork]]:
    """Carve ranges out of a pool: for each (length, count) the ranges, and then what is left.

    Raises InputError if a request does not fit in what is left.

    >>> got, left = allocate(parse_range("10.0.0.0/24"), [(25, 1), (26, 1)])
    >>> [canonical(part) for part in left]
    ['10.0.0.192/26']
    """
    free = [pool]
    got: list[list[IPNetwork]] = []
    for prefix, count in requests:
        _possible_length(prefix, _bits(pool))
        got.append([])
        for _ in range(count):
            blocks = [block for block in free if block.prefixlen <= prefix]
            if not blocks:
                left = ", ".join(canonical(block) for block in sorted(free)) or "nothing"
                raise InputError(
                    f"{count} x /{prefix}", f"do not fit in {canonical(pool)}.", f"Left: {left}."
                )
            # the smallest block that will do, so that large ones stay whole
            block = max(blocks, key=lambda block: (block.prefixlen, -block.first))
            part = IPNetwork((block.first, prefix), version=pool.version)
            free.remove(block)
            free += exclude(block, part)
            got[-1].append(part)
    return got, sorted(free)


def merge(networks: Iterable[IPNetwork]) -> list[IPNetwork]:
    """The fewest ranges that hold the same addresses.

    Raises InputError if IPv4 and IPv6 are mixed.
    """
    networks = list(networks)
    _same_family(networks)
    return netaddr.cidr_merge(networks)


def exclude(network: IPNetwork, remove: IPNetwork) -> list[IPNetwork]:
    """What is left of a range without another, as ranges in order."""
    _same_family([network, remove])
    return netaddr.cidr_exclude(network, remove)


def summarize(first: IPAddress, last: IPAddress) -> list[IPNetwork]:
    """The ranges that hold exactly the addresses from first to last."""
    _same_family([first, last])
    if first > last:
        raise InputError(canonical(first), f"lies after {canonical(last)}.", "Swap them.")
    return netaddr.iprange_to_cidrs(first, last)


def longest_match(address: IPAddress, candidates: Iterable[IPNetwork]) -> IPNetwork | None:
    """The most specific range that holds an address, as a routing table chooses; else None."""
    return netaddr.smallest_matching_cidr(address, list(candidates))


def _range_start(text: str, written: str) -> tuple[IPAddress, str]:
    """What stands before the slash: an address, with an interface (%eth0) if one was written."""
    bare, percent, scope = written.partition("%")
    if percent and (not scope or "%" in scope or ":" not in bare):
        raise InputError(text, "has a % that names no interface.", "Leave it out.")
    try:
        return parse_address(bare), percent + scope
    except InputError as error:
        rule = error.rule if bare else "has no address in it."
        way_out = error.way_out.replace(_WRITE_ADDRESS, "Write a range like 10.240.0.0/16.")
        raise InputError(text, rule, way_out) from None


def _length(text: str, length: str, start: IPAddress) -> int:
    bits = _bits(start)
    if re.fullmatch("0*[0-9]{1,3}", length) and int(length[-3:]) <= bits:
        return int(length[-3:])
    if start.version == 4 and re.fullmatch(_V4, length):
        mask = parse_address(length)
        if mask.is_netmask():
            return mask.netmask_bits()
        if mask.is_hostmask():
            return bits - int(mask).bit_length()
    raise InputError(
        text, f"has no possible length after its slash: {length!r}.", f"Write /0 to /{bits}."
    )


def _other_length(network: IPNetwork, diff: int, new_prefix: int | None) -> int:
    if new_prefix is None:
        return int(network.prefixlen + diff)
    if abs(diff) != 1:
        raise InputError((diff, new_prefix), "are two answers to one question.", "Give one.")
    return _possible_length(new_prefix, _bits(network))


def _possible_length(prefix: int, bits: int) -> int:
    if whole_number(prefix, "prefix bits") > bits:
        raise InputError(f"/{prefix}", "is no length of such a range.", f"Choose /0 to /{bits}.")
    return prefix


def _demand_family(text: str, item: IPAddress | IPNetwork, version: int | None) -> None:
    if version not in (None, item.version):
        raise InputError(text, f"is IPv{item.version}.", f"Write an IPv{version} one.")


def _bits(item: IPAddress | IPNetwork) -> int:
    return 32 if item.version == 4 else 128


def _same_family(items: Sequence[IPAddress | IPNetwork]) -> None:
    if len({item.version for item in items}) > 1:
        raise InputError(
            [canonical(item) for item in items],
            "mixes IPv4 and IPv6, which have no addresses in common.",
            "Compare ranges of one family.",
        )


def _why_no_address(text: object) -> tuple[str, str]:
    if not isinstance(text, str):
        return "is not a text.", _WRITE_ADDRESS
    octets = text.split(".")
    if len(octets) == 4 and all(octet.isascii() and octet.isdigit() for octet in octets):
        for octet in octets:
            if int(octet[-4:]) > 255:
                return f"has an octet above 255: {octet}.", _WRITE_ADDRESS
            if len(octet) > 1 and octet[0] == "0":
                return (
                    f"has a leading zero in {octet}, which some programs read as octal.",
                    f"Write {int(octet[-4:])}.",
                )
    if text != text.strip():
        return "has white space around it.", "Remove it."
    return "is not a complete address.", _WRITE_ADDRESS


def _rfc5952(address: IPAddress) -> str:
    words = [f"{word:x}" for word in address.words]
    runs = re.finditer(r"(?:\b0(?: |$)){2,}", " ".join(words))
    longest = max(runs, key=lambda run: len(run[0].split()), default=None)
    if longest is None:
        return ":".join(words)
    text = " ".join(words)
    head, tail = text[: longest.start()].split(), text[longest.end() :].split()
    return f"{':'.join(head)}::{':'.join(tail)}"
