"""One description: what the planner counts is what the hosts are given."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course import networks
from course.addresses import canonical
from course.errors import InputError
from course.planner.comparison import plan
from course.planner.described import design_of
from course.scenarios import small_cluster
from course.topology import Node, Pod
from course.world import build
from tests.worlds import MODELS


def planned(topology):
    """How much a cluster takes of each kind of range, no node being added for an upgrade."""
    design = design_of(topology)
    pools = tuple(replace(pool, max_surge=0) for pool in design.pools)
    judged = plan(replace(design, pools=pools), networks.model(design.model))
    return {demand.kind: demand.needed for demand in judged.demands}


def given_out(topology):
    """The same, counted in the World."""
    cluster = build(topology).topology.cluster
    beside = 2  # a machine in the node subnet, and the front end of an internal load balancer
    nodes, held = len(cluster.nodes), sum(len(node.held) for node in cluster.nodes)
    if cluster.model == "node-subnet":
        return {"node subnet": nodes + held + beside}
    if cluster.pod_subnet:
        return {"node subnet": nodes + beside, "pod subnet": held}
    ranges = sum(bool(node.pod_range) for node in cluster.nodes)
    return {"node subnet": nodes + beside, "pod range": 256 * ranges}


@given(
    st.sampled_from(MODELS), st.integers(1, 4), st.integers(10, 40),
    st.lists(st.integers(0, 3), max_size=10),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_a_cluster_is_given_as_many_addresses_as_the_planner_counts(model, nodes, max_pods, places):
    each = [sum(n % nodes == at for n in places) for at in range(nodes)]
    most = max(each)  # the planner plans every node of a pool like the fullest
    pods = tuple(Pod(f"p{at}", f"n{at % nodes}") for at in range(most * nodes))
    topology = small_cluster(model).changed(
        nodes=tuple(Node(f"n{n}") for n in range(nodes)), pods=pods, max_pods=max_pods
    )
    assert planned(topology) == given_out(topology)


def test_a_design_has_the_ranges_and_services_of_the_description():
    design = design_of(small_cluster("overlay"))
    assert canonical(design.pod_range) == "10.244.0.0/16"
    assert [each.name for each in design.peered] == ["peered"]
    assert [canonical(each.range) for each in design.on_premises] == ["192.168.0.0/24"]
    assert (design.services.public, design.services.internal) == (2, 1)
    assert {each.name: each.taken for each in design.subnets} == {
        "nodes": 1,
        "others": 1,
        "pods": 0,
    }


def test_a_cluster_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="is no cluster here"):
        design_of(small_cluster("overlay"), "blue")
