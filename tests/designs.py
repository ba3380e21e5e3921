"""Designs drawn by hypothesis: clusters of every size, in networks of every kind."""

from __future__ import annotations

from datetime import date

from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

from course.design import (
    DATA_PLANES,
    LOAD_BALANCERS,
    NEEDS,
    OUTBOUND_TYPES,
    POLICIES,
    SYSTEMS,
    TIERS,
    Choices,
    Design,
    NamedRange,
    Outbound,
    Pool,
    Services,
    Subnet,
)

surges = st.one_of(st.none(), st.integers(0, 50), st.integers(0, 100).map("{}%".format))


def ranges(shortest=8, longest=29, inside="10.0.0.0/8"):
    """Ranges of these lengths inside another."""
    space = IPNetwork(inside)

    def at(prefix, index):
        size = 2 ** (32 - prefix)
        return IPNetwork((space.first + index % max(1, space.size // size) * size, prefix))

    return st.builds(
        at, st.integers(max(shortest, space.prefixlen), longest), st.integers(0, 2**24)
    )


@st.composite
def pools(draw, name="system", most=1000):
    """A pool, autoscaled or not."""
    nodes = draw(st.integers(0, most))
    autoscaled = draw(st.booleans())
    system = draw(st.sampled_from(SYSTEMS))
    return Pool(
        name=name,
        nodes=nodes,
        min_nodes=draw(st.integers(0, nodes)) if autoscaled else None,
        max_nodes=nodes + draw(st.integers(0, 200)) if autoscaled else None,
        max_pods=draw(st.none() | st.integers(10, 250)),
        max_surge=draw(surges),
        pods=draw(st.none() | st.integers(0, 250)),
        system=system,
        subnet=draw(st.sampled_from(["nodes", "more"])),
        pod_subnet=draw(st.sampled_from(["pods", "others"])),
    )


@st.composite
def designs(draw, most=1000):
    """A whole design. Much of it does not work: that is for findings to say."""
    names = ["system", "user", "batch"][: draw(st.integers(1, 3))]
    named = draw(st.lists(st.sampled_from(["nodes", "pods", "more", "db"]), unique=True))
    networks = st.builds(NamedRange, st.just("hub"), ranges())
    return Design(
        name="prod",
        today=draw(st.dates(date(2025, 1, 1), date(2030, 1, 1))),
        kubernetes=draw(st.sampled_from(["", "1.26", "1.33", "1.36"])),
        tier=draw(st.sampled_from(TIERS)),
        pools=tuple(draw(pools(name, most)) for name in names),
        own_network=draw(st.booleans()),
        vnet=(draw(ranges(8, 20)),),
        subnets=tuple(Subnet(name, draw(ranges()), draw(st.integers(0, 300))) for name in named),
        pod_range=draw(st.none() | ranges(9, 24)),
        service_range=draw(ranges(8, 28)),
        dns_address=IPAddress(draw(st.integers(0x0A000000, 0x0AFFFFFF))),
        peered=tuple(draw(st.lists(networks, max_size=1))),
        on_premises=(NamedRange("office", draw(ranges())),) if draw(st.booleans()) else (),
        outbound=Outbound(
            draw(st.sampled_from(OUTBOUND_TYPES)),
            draw(st.integers(1, 120)),
            draw(st.sampled_from([0, 8, 1000, 1004, 64000])),
            draw(st.none() | st.just(IPAddress("10.9.0.4"))),
        ),
        services=Services(
            draw(st.integers(0, 400)), draw(st.integers(0, 50)),
            draw(st.integers(1, 9)), draw(st.integers(1, 5)),
        ),
        load_balancer=draw(st.sampled_from(LOAD_BALANCERS)),
        policy=draw(st.sampled_from(POLICIES)),
        data_plane=draw(st.sampled_from(DATA_PLANES)),
        needs=frozenset(draw(st.lists(st.sampled_from(sorted(NEEDS)), unique=True))),
        choices=draw(st.builds(Choices, st.sampled_from([1, "10%"]), st.sampled_from([110, 250]))),
    )  # fmt: skip
