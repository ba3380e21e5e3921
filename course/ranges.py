"""The ranges of a whole design: what must not overlap what, and where cluster DNS may live.

>>> from course.addresses import parse_range
>>> [canonical(each) for each in reserved_overlaps(parse_range("172.16.0.0/12"))]
['172.30.0.0/16', '172.31.0.0/16']
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import combinations

from netaddr import IPAddress, IPNetwork

from course.addresses import canonical, contains, nth, overlaps, parse_range
from course.errors import InputError, whole_number
from course.facts import fact, number

_HOSTLESS = ("0.0.0.0/8", "240.0.0.0/4")


def overlapping(ranges: Mapping[str, IPNetwork]) -> list[tuple[str, str]]:
    """The names of each two ranges that share an address, in the order given.

    >>> overlapping({"node": parse_range("10.0.0.0/20"), "service": parse_range("10.0.0.0/16")})
    [('node', 'service')]
    """
    return [
        (one, other)
        for (one, first), (other, second) in combinations(ranges.items(), 2)
        if overlaps(first, second)
    ]


def reserved_overlaps(network: IPNetwork) -> list[IPNetwork]:
    """The ranges that AKS keeps for itself and that this one overlaps.

    Source: fact aks.reserved_ranges.
    """
    return [each for each in _ranges_of("aks.reserved_ranges") if overlaps(each, network)]


def forbidden_overlaps(network: IPNetwork) -> list[IPNetwork]:
    """The ranges that no virtual network of Azure may have and that this one overlaps.

    Source: fact azure.forbidden_ranges.

    >>> forbidden_overlaps(parse_range("224.0.0.0/16"))
    [IPNetwork('224.0.0.0/4')]
    """
    return [each for each in _ranges_of("azure.forbidden_ranges") if overlaps(each, network)]


def impossible_overlaps(network: IPNetwork) -> list[IPNetwork]:
    """The ranges of which no host may have an address, in Azure or elsewhere, and that this one
    overlaps: those that no virtual network may have, and two that Linux or others do not route.

    Sources: fact azure.forbidden_ranges; RFC 6890 ("this network", and reserved for future use).

    >>> impossible_overlaps(parse_range("240.0.0.0/16"))
    [IPNetwork('240.0.0.0/4')]
    """
    others = (each for each in map(parse_range, _HOSTLESS) if overlaps(each, network))
    return [*forbidden_overlaps(network), *others]


@cache
def _ranges_of(fact_id: str) -> tuple[IPNetwork, ...]:
    return tuple(parse_range(text) for text in fact(fact_id).value)


def dns_problem(service_range: IPNetwork, dns_address: IPAddress) -> InputError | None:
    """Why AKS refuses this address for cluster DNS, or None: inside the service range, and neither
    its first host address, which is the API server's, nor the range's own.

    Source: fact service.dns_ip_rule.

    >>> from course.addresses import parse_address
    >>> dns_problem(parse_range("10.0.0.0/16"), parse_address("10.0.0.10")) is None
    True
    """
    address, name = canonical(dns_address), canonical(service_range)
    way_out = "Choose another in the range; .10 is usual."
    if not contains(service_range, dns_address):
        return InputError(address, f"is outside of the service range {name}.", way_out)
    if dns_address in (service_range[0], nth(service_range, min(1, service_range.size - 1))):
        return InputError(address, f"is taken: it is the first of {name}.", way_out)
    return None


def load_balancer_configurations(services: int, ports: int, nodes: int) -> int:
    """Backend configurations that Services behind one frontend address take: each port of each
    Service, on each node. The limit is fact aks.lb_backend_ip_configs_per_frontend.

    >>> load_balancer_configurations(services=1, ports=5, nodes=2000)
    10000
    """
    whole_number(services, "services")
    return services * whole_number(ports, "ports") * whole_number(nodes, "nodes")


def within_load_balancer_limit(configurations: int) -> bool:
    """Whether one frontend address may have so many backend configurations.

    >>> within_load_balancer_limit(10001)
    False
    """
    return configurations <= number("aks.lb_backend_ip_configs_per_frontend")
