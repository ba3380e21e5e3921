"""Planning for a node subnet: rules that hold for every pool and subnet."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from course import netapp
from course.addresses import parse_range
from course.cluster import NodePool, largest_pool, max_pods_problem, scale_set_problem, surge_nodes
from course.errors import InputError
from course.sizing.node_subnet import Plan, SubnetUse, capacity, plan
from course.subnet import (
    reserved_addresses,
    smallest_prefix_for,
    total_addresses,
    usable_addresses,
)

percentages = st.integers(0, 100).map("{}%".format)
surges = st.one_of(st.integers(0, 50), percentages)
pools = st.builds(NodePool, st.integers(0, 1000), st.integers(10, 250), surges, st.integers(0, 100))


@given(pools, st.integers(0, 20))
def test_the_smallest_subnet_fits_and_the_next_smaller_does_not(pool, balancers):
    planned = plan(pool, balancers)
    assert usable_addresses(planned.min_prefix) >= planned.required_addresses
    if planned.min_prefix < 29:
        assert usable_addresses(planned.min_prefix + 1) < planned.required_addresses


@given(st.integers(8, 29), st.integers(10, 250), st.integers(0, 50))
def test_capacity_sets_a_max_surge_that_is_a_number_aside_in_full(prefix, max_pods, surge):
    found = capacity(prefix, max_pods, surge)
    assert found.max_nodes == max(0, usable_addresses(prefix) // (max_pods + 1) - surge)
    planned = plan(NodePool(found.max_nodes, max_pods, surge))
    assert planned.required_addresses <= found.usable_addresses


@given(st.integers(8, 29), st.integers(10, 250), percentages)
def test_the_largest_pool_can_be_upgraded_and_one_node_more_cannot(prefix, max_pods, surge):
    most = capacity(prefix, max_pods, surge).max_nodes

    def needed(nodes):
        return plan(NodePool(nodes, max_pods, surge)).required_addresses

    assert needed(most) <= usable_addresses(prefix) < needed(most + 1)


@given(st.integers(0, 2000), surges)
def test_the_largest_pool_and_its_surge_are_the_inverse_of_each_other(peak, surge):
    most = largest_pool(peak, surge)
    assert most + surge_nodes(most, surge) <= peak
    assert most + 1 + surge_nodes(most + 1, surge) > peak


@given(st.integers(0, 5000), surges)
def test_surge_is_rounded_up_and_never_more_than_the_pool(nodes, surge):
    found = surge_nodes(nodes, surge)
    assert 0 <= found <= nodes
    if isinstance(surge, str):
        assert 0 <= found * 100 - nodes * int(surge[:-1]) < 100


@given(pools, st.integers(0, 20), st.integers(8, 29))
def test_the_parts_of_a_subnet_add_up(pool, balancers, prefix):
    use = SubnetUse(Plan(pool, balancers), prefix)
    assume(use.fits)
    assert sum(use.parts.values()) == total_addresses(prefix)


def test_running_pods_change_nothing():
    asked_for = {"nodes", "max_pods", "max_surge", "extra_nodes"}
    assert asked_for == set(NodePool.__dataclass_fields__)
    assert Plan(NodePool(50, 30)).steady == 1550


def test_the_working_shows_every_step_of_the_documented_example():
    text = plan(NodePool(50, 30)).explain()
    for step in ("50 + 1", "51 x 31", "1,581", "2,048 - 5 = 2,043", "/21"):
        assert step in text


def test_a_subnet_can_be_full_enough_to_run_and_too_full_to_upgrade():
    use = SubnetUse(plan(NodePool(8, 30)), 24)
    assert use.verdict == "It runs, but AKS would refuse to upgrade it."
    assert use.free == -28
    assert use.largest_pool == 7


@pytest.mark.parametrize(
    ("pool", "balancers", "prefix", "largest"),
    [
        (NodePool(7, 30), 5, 24, 6),  # Services take the place of a node
        (NodePool(4, 30, 5), 0, 24, 4),  # surge is never more than the pool
        (NodePool(10, 10), 0, 16, 999),  # a scale set ends at a thousand
        (NodePool(1, 250), 300, 24, 0),
    ],
)
def test_the_largest_pool_minds_services_surge_and_scale_set(pool, balancers, prefix, largest):
    assert SubnetUse(Plan(pool, balancers), prefix).largest_pool == largest


def test_a_pool_can_fit_today_and_not_after_scaling_out():
    use = SubnetUse(plan(NodePool(7, 30, extra_nodes=1)), 24)
    assert use.verdict == "It fits today. Scaled out, it could no longer be upgraded."
    assert SubnetUse(plan(NodePool(9, 30)), 24).verdict.startswith("It does not fit")


@pytest.mark.parametrize("surge", ["ten", "", "-1", "101%", "1.5%", -1, 1.5, True, None, "10 %"])
def test_a_surge_that_is_none_is_refused(surge):
    with pytest.raises(InputError, match="is no max-surge"):
        NodePool(3, 30, surge)


@pytest.mark.parametrize("nodes", [-1, 2.0, "3", True, None])
def test_nodes_are_whole_numbers(nodes):
    with pytest.raises(InputError, match="number of nodes"):
        NodePool(nodes, 30)


@pytest.mark.parametrize("prefix", [30, 32, 33, -1, "24", 24.0])
def test_azure_has_no_subnet_of_this_length(prefix):
    with pytest.raises(InputError):
        usable_addresses(prefix)


def test_more_addresses_than_ipv4_has_fit_nowhere():
    assert smallest_prefix_for(2**32 - 5) == 0
    with pytest.raises(InputError, match="no IPv4 range"):
        smallest_prefix_for(2**32)


def test_azure_keeps_no_addresses_of_an_ipv6_subnet_that_we_could_name():
    with pytest.raises(InputError, match="is IPv6"):
        reserved_addresses(parse_range("fd00::/64"))


def test_aks_wants_ten_to_250_pods_a_node_and_thirty_a_pool():
    assert max_pods_problem(NodePool(3, 10)) is None
    assert "Choose 10 to 250" in str(max_pods_problem(NodePool(10, 9)))
    assert "room for at least 30" in str(max_pods_problem(NodePool(1, 29)))


def test_a_scale_set_holds_a_thousand_instances_surge_included():
    assert scale_set_problem(NodePool(999, 30, 1)) is None
    assert "at most 1000" in str(scale_set_problem(NodePool(1000, 30, 1)))


def test_standard_network_features_lift_the_limit_of_azure_netapp_files():
    assert netapp.limit(50, 1, 30, "Standard").within
    with pytest.raises(InputError, match="Basic or Standard"):
        netapp.limit(50, 1, 30, "Premium")
