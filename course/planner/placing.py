"""Where ranges could lie that a design does not name: in what is free.

A subnet is proposed in the free space of the virtual network, a pod range in private address space
that nothing connected uses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from netaddr import IPNetwork, IPSet

from course.addresses import overlaps, parse_range
from course.design import Design
from course.facts import fact
from course.finding import Demand
from course.ranges import reserved_overlaps

PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")


def place(design: Design, demands: Sequence[Demand]) -> tuple[Demand, ...]:
    """The demands, with a proposed range for each that has none and for which one is free."""
    wanting = [each for each in demands if each.range is None and each.min_prefix is not None]
    if not wanting:
        return tuple(demands)
    placed: dict[tuple[str, str], IPNetwork] = {}
    subnets = [subnet.range for subnet in design.subnets]
    elsewhere = [*_elsewhere(design), *(e.range for e in demands if e.range is not None)]
    for each in sorted(wanting, key=lambda demand: demand.min_prefix or 0):
        length = each.min_prefix or 0
        if each.kind == "pod range":
            found = _pod_range((*design.vnet, *subnets, *elsewhere), length)
            elsewhere += [found] if found else []
        else:
            # a connected network around all of this one is a finding, not a place taken
            near = [e for e in elsewhere if not any(space in e for space in design.vnet)]
            found = _first_free(design.vnet, (*subnets, *near), length)
            subnets += [found] if found else []
        if found is not None:
            placed[each.kind, each.name] = found
    return tuple(
        replace(each, range=placed[each.kind, each.name], proposed=True)
        if (each.kind, each.name) in placed
        else each
        for each in demands
    )


def _elsewhere(design: Design) -> Iterable[IPNetwork]:
    """Ranges beside the subnets that a proposal must not overlap."""
    named = (*design.peered, *design.on_premises)
    return (design.service_range, *(each.range for each in named))


def _pod_range(busy: tuple[IPNetwork, ...], length: int) -> IPNetwork | None:
    """The default of AKS if it is large enough and free, else the first private range that is."""
    default = parse_range(fact("aks.default_pod_cidr").value)
    if default.prefixlen <= length and not any(overlaps(default, each) for each in busy):
        return default
    spaces = tuple(parse_range(text) for text in PRIVATE)
    kept = [each for space in spaces for each in reserved_overlaps(space)]
    return _first_free(spaces, (*busy, *kept), length)


def _first_free(
    spaces: tuple[IPNetwork, ...], busy: tuple[IPNetwork, ...], length: int
) -> IPNetwork | None:
    """The first range of a length in the smallest part of the spaces that is free and holds it."""
    fitting = [part for part in _free(spaces, busy) if part.prefixlen <= length]
    if not fitting:
        return None
    part = max(fitting, key=lambda each: (each.prefixlen, -each.first))
    return IPNetwork((part.first, length))


@lru_cache(maxsize=256)
def _free(spaces: tuple[IPNetwork, ...], busy: tuple[IPNetwork, ...]) -> tuple[IPNetwork, ...]:
    """What is left of the spaces."""
    return tuple((IPSet(spaces) - IPSet(busy)).iter_cidrs())
