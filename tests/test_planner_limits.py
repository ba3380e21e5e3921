"""How far limits are used: each number by hand, at its edge."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from netaddr import IPNetwork

from course.design import NEEDS, Design, Outbound, Pool, Services, Subnet
from course.networks import all_models, model
from course.planner.comparison import compare, plan

NOW = Design(today=date(2026, 11, 21), kubernetes="1.34")


def limit(model_id, limit_id, **changes):
    """One limit of a design in a model."""
    found = plan(replace(NOW, **changes), model(model_id)).limits
    return next(each for each in found if each.id == limit_id)


def net(text):
    return IPNetwork(text)


def test_internal_services_are_charged_to_the_subnet_of_the_first_pool_alone():
    apart = (Pool("a", 4, max_surge=0), Pool("b", 5, max_surge=0, subnet="more"))
    found = plan(replace(NOW, pools=apart, services=Services(internal=3)), model("overlay"))
    assert [each.needed for each in found.demands if each.kind == "node subnet"] == [7, 5]


def test_the_refusal_names_what_aks_counts_nodes_and_pods_alone():
    subnets = (Subnet("nodes", net("10.240.0.0/24"), taken=20),)
    pools = (Pool(nodes=7, max_pods=30, max_surge=1),)
    found = limit("node-subnet", "node subnet nodes", subnets=subnets, pools=pools,
                  services=Services(internal=3))  # fmt: skip
    assert (found.used, found.most) == (8 * 31 + 20 + 3, 251)
    assert "Pre-allocated IPs 248 exceeds IPs available 228" in found.refusal  # 217 would fit
    larger = limit("node-subnet", "node subnet nodes", subnets=subnets,
                   pools=(Pool(nodes=3, max_nodes=9, max_pods=30, max_surge=1),))  # fmt: skip
    assert "Pre-allocated IPs 279 exceeds IPs available 231" in larger.refusal


@pytest.mark.parametrize("each", all_models(), ids=lambda each: each.id)
def test_aks_is_quoted_only_where_its_answer_is_known(each):
    subnets = (Subnet("nodes", net("10.240.0.0/28")), Subnet("pods", net("10.240.1.0/28")))
    small = replace(NOW, pools=(Pool(nodes=30),), subnets=subnets, pod_range=net("10.100.0.0/22"))
    quoted = {limit.id for limit in plan(small, each).limits if limit.refusal}
    known = {"overlay": {"pod range pods"}, "node-subnet": {"node subnet nodes"}}
    assert quoted == known.get(each.id, set())


@pytest.mark.parametrize(
    ("nodes", "later"), [(8, True), (9, False)], ids=["runs, no upgrade", "does not run"]
)
def test_a_subnet_can_be_too_small_at_once_or_only_later(nodes, later):
    subnets = (Subnet("nodes", net("10.240.0.0/24")),)
    pools = (Pool(nodes=nodes, max_pods=30, max_surge=1),)
    found = limit("node-subnet", "node subnet nodes", subnets=subnets, pools=pools)
    assert found.broken
    assert ("while it is scaled out or upgraded" in found.what) is later


def test_a_pod_range_can_be_too_small_at_once():
    pools = (Pool(nodes=5, max_surge=1),)
    found = limit("overlay", "pod range pods", pools=pools, pod_range=net("10.100.0.0/22"))
    assert "while" not in found.what


def test_pods_are_counted_on_all_nodes_that_the_autoscaler_may_add():
    pools = (Pool(nodes=3, max_nodes=400, max_pods=250, pods=100),)
    assert limit("overlay", "overlay pods", pools=pools).used == 400 * 250
    assert limit("pod-subnet-dynamic", "dynamic pods", pools=pools).used == 400 * 100
    assert limit("pod-subnet-static", "static pods", pools=pools).used == 400 * 250


def test_two_blocks_of_a_static_pod_subnet_serve_nobody():
    subnets = (Subnet("pods", net("10.240.1.0/26")),)
    pools = (Pool(nodes=1, max_pods=31, max_surge=0),)
    found = limit("pod-subnet-static", "pod subnet pods", subnets=subnets, pools=pools)
    assert (found.used, found.most) == (32, 32)


def test_a_block_counts_as_one_address_of_the_virtual_network():
    pools = (Pool(nodes=100, max_pods=239, max_surge=0),)
    vnet = (net("10.128.0.0/9"),)
    assert limit("pod-subnet-static", "virtual network", pools=pools, vnet=vnet).used == 100 + 1500
    assert limit("node-subnet", "virtual network", pools=pools, vnet=vnet).used == 24_000


def test_addresses_of_others_count_once():
    subnets = (Subnet("nodes", net("10.240.0.0/24"), 7), Subnet("db", net("10.240.1.0/24"), 5))
    pools = (Pool(nodes=3, max_surge=0),)
    assert limit("overlay", "virtual network", subnets=subnets, pools=pools).used == 3 + 7 + 5


def test_pods_that_are_expected_decide_what_dynamic_allocation_holds():
    pools = (Pool(nodes=1, max_pods=110, pods=25, max_surge=0),)
    found = plan(replace(NOW, pools=pools), model("pod-subnet-dynamic"))
    assert found.demands[1].needed == 48 + 1


def test_the_load_balancer_counts_surge_nodes_and_rounds_up_its_frontends():
    pools = (Pool(nodes=999, max_surge=1),)
    services = Services(public=3, internal=5, ports=10, frontends=2)
    found = limit("overlay", "public load balancer", pools=pools, services=services)
    assert (found.used, found.most) == (2 * 10 * 1000, 10_000)
    each_its_own = Services(public=3, internal=5, ports=10)
    found = limit("overlay", "public load balancer", pools=pools, services=each_its_own)
    assert found.used == 10 * 1000
    assert not found.broken
    assert limit("overlay", "internal load balancer", pools=pools, services=services).used == 10_000
    assert limit("overlay", "load-balanced services", services=services).used == 8


def test_nodes_of_an_overlay_cluster_are_counted_without_surge():
    assert limit("overlay", "overlay nodes", pools=(Pool(nodes=900, max_surge=100),)).used == 900


def test_ports_are_told_for_the_nodes_that_run_during_an_upgrade():
    said = [each.what for each in plan(
        replace(NOW, pools=(Pool(nodes=50, max_surge=1),)), model("overlay")
    ).findings if "snat.default_table" in each.facts]  # fmt: skip
    assert "While 51 nodes run, each gets 512 outbound ports" in said[0]
    gateway = Outbound("userAssignedNATGateway", 2)
    said = [each.what for each in plan(
        replace(NOW, outbound=gateway, pools=(Pool(nodes=63, max_surge=1),)), model("overlay")
    ).findings if "natgw.ports_per_ip" in each.facts]  # fmt: skip
    assert "share 129,024 outbound ports" in said[0]
    assert "2,016 a node, if 64 nodes" in said[0]


def test_the_default_pod_range_is_proposed_up_to_the_last_node_that_it_serves():
    def proposed(nodes):
        found = plan(replace(NOW, pools=(Pool(nodes=nodes, max_surge=0),)), model("overlay"))
        return str(found.demands[1].range)

    assert proposed(256) == "10.244.0.0/16"
    assert proposed(257) != "10.244.0.0/16"


def test_windows_on_overlay_is_advised_to_run_110_pods_and_windows_2025_is_welcome():
    for max_pods, advice in ((110, 0), (111, 1)):
        pools = (Pool(), Pool("win", system="Windows2025", max_pods=max_pods))
        found = plan(replace(NOW, pools=pools), model("overlay"))
        assert found.works
        facts = [each.facts for each in found.findings]
        assert facts.count(("overlay.windows_recommended_max_pods",)) == advice


def test_a_user_pool_may_have_no_node():
    pools = (Pool(), Pool("user", nodes=0, max_pods=10))
    assert plan(replace(NOW, pools=pools), model("overlay")).works


def test_an_overlap_with_a_subnet_is_told_once():
    subnets = (Subnet("nodes", net("10.240.0.0/24")),)
    found = plan(
        replace(NOW, subnets=subnets, pod_range=net("10.240.0.0/16")), model("overlay")
    ).findings
    assert len([each for each in found if each.field == "pod_range"]) == 1


def test_each_model_meets_the_needs_that_its_pages_do_not_rule_out():
    met = {
        each.id: {need for need in NEEDS if plan(replace(NOW, needs=frozenset({need})), each).works}
        for each in all_models()
    }
    both = {"application gateway for containers", "private link service"}
    assert met == {
        "overlay": both,
        "pod-subnet-dynamic": set(NEEDS),
        "pod-subnet-static": set(NEEDS) - {"private link service"},
        "node-subnet": set(NEEDS),
        "kubenet": {"private link service"},
    }


def test_where_no_model_works_the_first_is_shown():
    nothing = replace(NOW, pools=(Pool(nodes=6000),))
    comparison = compare(nothing)
    assert comparison.recommended is None
    assert comparison.judged is comparison.plans[0]


def test_names_of_subnets_are_met_in_any_case():
    pools = (Pool("a", 3, max_surge=0, subnet="Nodes"), Pool("b", 4, max_surge=0, subnet="nodes"))
    subnets = (Subnet("NODES", net("10.240.0.0/24")),)
    for given in ((), subnets):
        found = plan(replace(NOW, pools=pools, subnets=given), model("overlay"))
        assert [each.needed for each in found.demands if each.kind == "node subnet"] == [7]
