"""What Azure makes of a subnet: the addresses it keeps, those left for you, the smallest that fits.

>>> usable_addresses(24)
251
"""

from __future__ import annotations

from dataclasses import dataclass

from netaddr import IPAddress, IPNetwork

from course.addresses import canonical, nth
from course.errors import InputError, whole_number
from course.facts import number


def total_addresses(prefix: int) -> int:
    """All addresses of an IPv4 range of this length.

    >>> total_addresses(24)
    256
    """
    return int(2 ** (32 - _prefix(prefix)))


def usable_addresses(prefix: int) -> int:
    """The addresses of a subnet of this length that are left for you, after those Azure keeps.

    Source: fact azure.reserved_per_subnet. Raises InputError for a length that is no subnet's.

    >>> usable_addresses(29)
    3
    """
    if _prefix(prefix) > number("azure.subnet_smallest_prefix"):
        raise InputError(
            f"/{prefix}",
            "is smaller than any subnet of Azure.",
            f"Choose /{number('azure.subnet_smallest_prefix')} or a shorter length.",
        )
    return total_addresses(prefix) - number("azure.reserved_per_subnet")


def smallest_prefix_for(required: int) -> int:
    """The length of the smallest subnet with at least this many usable addresses.

    Sources: facts azure.reserved_per_subnet, azure.subnet_smallest_prefix. Raises InputError if no
    IPv4 range is large enough.

    >>> smallest_prefix_for(251), smallest_prefix_for(252)
    (24, 23)
    """
    whole_number(required, "addresses")
    for prefix in range(number("azure.subnet_smallest_prefix"), -1, -1):
        if usable_addresses(prefix) >= required:
            return prefix
    raise InputError(required, "addresses fit in no IPv4 range.", "Check the numbers behind it.")


@dataclass(frozen=True)
class Reserved:
    """The addresses that Azure keeps of a subnet, and the first and last that are yours."""

    addresses: tuple[IPAddress, ...]
    first_usable: IPAddress
    last_usable: IPAddress


def reserved_addresses(subnet: IPNetwork) -> Reserved:
    """Which addresses of a subnet Azure keeps: the first four (network address, gateway, two for
    Azure DNS) and the last (broadcast).

    Source: fact azure.reserved_per_subnet. Raises InputError for IPv6 or a range too small.

    >>> from course.addresses import parse_range
    >>> str(reserved_addresses(parse_range("10.0.0.0/24")).first_usable)
    '10.0.0.4'
    """
    if subnet.version != 4:
        raise InputError(canonical(subnet), "is IPv6.", "Give an IPv4 subnet.")
    usable = usable_addresses(subnet.prefixlen)
    at_start = number("azure.reserved_per_subnet") - 1
    kept = [nth(subnet, index) for index in (*range(at_start), subnet.size - 1)]
    return Reserved(tuple(kept), nth(subnet, at_start), nth(subnet, at_start + usable - 1))


def _prefix(prefix: int) -> int:
    if whole_number(prefix, "prefix bits") > 32:
        raise InputError(prefix, "is no length of an IPv4 range.", "Choose 0 to 32.")
    return prefix
