"""What holds for every prediction in worlds whose routes, security groups and settings are bent."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.predict import outcomes, predict
from course.scenarios import (
    CLUSTER_IP,
    DNS,
    FRONT,
    INTERNAL,
    NODE_PORT,
    PUBLIC,
    small_cluster,
)
from course.topology import Machine
from course.trace import Disposition, Flow
from course.virtual_network import SecurityRule, UserRoute
from course.world import build
from tests.worlds import (
    MODELS,
    NOBODYS,
    assert_never_twice,
    follow,
    loyal,
    with_routes,
    with_security,
)

FIREWALL = "10.240.1.9"
SUBNETS = ("nodes", "others", "pods")
TO_FIREWALL = ("VirtualAppliance", FIREWALL)
PREFIXES = (
    "0.0.0.0/0", "10.0.0.0/8", "10.240.0.0/16", "10.240.1.0/24", "10.244.0.0/16", "10.240.2.0/24",
    "203.0.113.0/24", "198.51.100.0/24", "192.168.0.0/16",
)  # fmt: skip
TAGS_AND_RANGES = ("*", "Internet", "VirtualNetwork", "AzureLoadBalancer", "10.244.0.0/16")


def tables(*hops):
    """Route tables whose routes lead to one of these next hops."""
    route = st.builds(lambda prefix, hop: UserRoute(prefix, *hop),
                      st.sampled_from(PREFIXES), st.sampled_from(hops))  # fmt: skip
    return st.lists(route, max_size=4, unique_by=lambda route: route.prefix)


plain_tables = tables(("None",), ("Internet",), ("VnetLocal",))
tables_with_appliance = tables(TO_FIREWALL, ("None",), ("VnetLocal",))
groups = st.none() | st.lists(
    st.builds(
        SecurityRule, st.uuids().map(lambda each: f"r{each.hex[:6]}"), st.integers(100, 4096),
        st.sampled_from(["Allow", "Deny"]), st.sampled_from(["Inbound", "Outbound"]), st.just("*"),
        st.sampled_from(TAGS_AND_RANGES), st.sampled_from(TAGS_AND_RANGES),
    ), max_size=3, unique_by=lambda rule: (rule.priority, rule.direction),
)  # fmt: skip


@st.composite
def bent_topologies(draw, beside_the_appliance=plain_tables):
    """The small cluster with an appliance, route tables, groups and other settings at random."""
    topology = small_cluster(draw(st.sampled_from(MODELS)))
    firewall = Machine("firewall", FIREWALL, forwards=True, translates=draw(st.booleans()))
    topology = replace(topology, machines=(*topology.machines, firewall))
    for subnet in SUBNETS:
        beside = beside_the_appliance if subnet == "others" else tables_with_appliance
        topology = with_routes(topology, *draw(beside), subnet=subnet)
        group = draw(groups)
        if group is not None:
            topology = with_security(topology, *group, subnet=subnet)
    first, *others = topology.cluster.nodes
    exposed = topology.cluster.exposures
    return topology.changed(
        exposures=tuple(loyal(each) if draw(st.booleans()) else each for each in exposed),
        nodes=(replace(first, ip_forwarding=draw(st.booleans())), *others),
        bridge_calls_iptables=draw(st.booleans()), hairpin=draw(st.booleans()),
        probes_acted=draw(st.booleans()),
    )  # fmt: skip


HOSTS = [
    "web-1", "web-2", "web-3", "node1", "node2", "vm-1", "vm-2", "peer", "office", "internet",
    "firewall",
]  # fmt: skip
ADDRESSES = [
    CLUSTER_IP, "10.0.0.81", "10.0.0.82", PUBLIC, FRONT, INTERNAL, DNS, *NOBODYS, "127.0.0.1",
    "169.254.1.1", "10.240.0.1", "10.244.0.1", "192.0.2.1", "8.8.8.8",
]  # fmt: skip
PORTS = [80, 8080, 53, NODE_PORT, 30081, 10250, 9999]
flows = st.tuples(
    st.sampled_from(["tcp", "udp", "icmp"]), st.sampled_from(HOSTS),
    st.sampled_from([*HOSTS, *ADDRESSES]), st.sampled_from(PORTS), st.integers(40000, 40002),
)  # fmt: skip
some_flows = st.lists(flows, min_size=10, max_size=10)


def addressed(world, drawn):
    """A drawn flow in a World: its end may be a host."""
    protocol, source, to, port, own = drawn
    address = world.address(to) if to in world.by_name else to
    return Flow(source, address, 0 if protocol == "icmp" else port, protocol, own)


@given(bent_topologies(), some_flows)
@settings(deadline=None, max_examples=60)
def test_no_host_gets_the_same_packet_a_second_time_whatever_bends_its_way(topology, asked):
    world = build(topology)
    for flow in asked:
        assert_never_twice(predict(world, addressed(world, flow)).trace)


@given(bent_topologies(tables_with_appliance), some_flows, st.integers(0, 2**32))
@settings(deadline=None, max_examples=60)
def test_every_prediction_ends_and_its_chances_sum_to_one(topology, asked, seed):
    """Whatever the hosts remember from other flows; routes may lead in a circle."""
    world, random, state = build(topology), Random(seed), {}

    def draw(question):
        return random.choice([answer for answer, chance in question.outcomes if chance])

    for flow in (addressed(world, each) for each in asked):
        assert sum(way.probability for way in outcomes(world, flow, state)) == 1
        trace, state = predict(world, flow, state, draw)
        ways = [[s.packet for s in trace.sightings if s.direction == way] for way in ("out", "in")]
        assert Counter(ways[0]) == Counter(ways[1]), "what is sent arrives, and nothing else does"


@pytest.mark.parametrize("model", MODELS)
def test_where_a_route_table_leads_back_to_its_own_appliance_a_packet_ends_when_its_ttl_does(model):
    topology = replace(
        small_cluster(model), machines=(Machine("firewall", FIREWALL, forwards=True),)
    )
    circle = UserRoute("203.0.113.0/24", *TO_FIREWALL)
    for subnet in SUBNETS:
        topology = with_routes(topology, circle, subnet=subnet)
    trace = follow(build(topology), "node1", "203.0.113.10")
    assert trace.disposition == Disposition.EXPIRED
    came = [seen.packet.ttl for seen in trace.sightings if seen.direction == "in"]
    assert came[:64] == [*range(64, 0, -1)]
    assert trace.path[1:65] == ("azure", "firewall") * 32
    told = trace.sightings[-1]
    assert (told.host, told.packet.icmp) == ("node1", "ttl-zero-during-transit")
