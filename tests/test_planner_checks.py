"""What the planner says of a design: each rule of AKS that a design can break, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

from course.design import Choices, Design, NamedRange, Outbound, Pool, Services, Subnet
from course.facts import fact, number
from course.finding import Severity
from course.networks import all_models, model
from course.planner.comparison import compare, plan
from tests.designs import designs, ranges

ERROR, WARNING, ADVICE = Severity.ERROR, Severity.WARNING, Severity.ADVICE
GOOD = Design(today=date(2026, 11, 21), kubernetes="1.34")


def net(text):
    return IPNetwork(text)


def found(model_id, **changes):
    """The findings of a good design with these changes."""
    return plan(replace(GOOD, **changes), model(model_id)).findings


def said(model_id, fact_id, **changes):
    """The findings that rest on this fact."""
    return [each for each in found(model_id, **changes) if fact_id in each.facts]


def pool(**more):
    return (Pool(**({"max_surge": 1} | more)),)


def test_a_small_cluster_with_every_default_works_in_every_model():
    for each in all_models():
        assert plan(GOOD, each).works, each.id


# one line for each rule: the model, the fact behind it, what breaks it, how bad it is
BROKEN = [
    ("overlay", "aks.reserved_ranges", {"pod_range": net("172.16.0.0/12")}, ERROR),
    ("overlay", "aks.reserved_ranges", {"service_range": net("172.30.0.0/20"),
     "dns_address": IPAddress("172.30.0.10")}, ERROR),
    ("overlay", "aks.reserved_ranges", {"vnet": (net("192.0.2.0/24"),)}, ERROR),
    ("overlay", "service.cidr_max", {"service_range": net("10.0.0.0/12")}, ERROR),
    ("overlay", "service.dns_ip_rule", {"dns_address": IPAddress("10.0.0.1")}, ERROR),
    ("overlay", "service.dns_refusal", {"dns_address": IPAddress("10.1.0.10")}, ERROR),
    ("overlay", "service.cidr_no_overlap", {"service_range": net("10.240.0.0/24"),
     "dns_address": IPAddress("10.240.0.10")}, ERROR),
    ("overlay", "service.cidr_overlap_refusal", {"service_range": net("10.240.0.0/24"),
     "subnets": (Subnet("nodes", net("10.240.0.0/24")),)}, ERROR),
    ("overlay", "overlay.no_overlap_with", {"pod_range": net("10.0.0.0/15")}, ERROR),
    ("overlay", "overlay.no_overlap_with", {"pod_range": net("10.240.128.0/20")}, WARNING),
    ("overlay", "overlay.overlap_refusal", {"pod_range": net("10.240.0.0/16"),
     "subnets": (Subnet("nodes", net("10.240.0.0/24")),)}, ERROR),
    ("overlay", "overlay.no_overlap_with", {"pod_range": net("10.100.0.0/16"),
     "peered": (NamedRange("hub", net("10.100.7.0/24")),)}, ERROR),
    ("overlay", "overlay.no_overlap_with", {"pod_range": net("10.100.0.0/16"),
     "on_premises": (NamedRange("office", net("10.0.0.0/9")),)}, ERROR),
    ("overlay", "azure.peering_disjoint", {"peered": (NamedRange("hub", net("10.240.9.0/24")),)},
     ERROR),
    ("overlay", "azure.subnets_disjoint", {"subnets": (Subnet("db", net("10.9.0.0/24")),)}, ERROR),
    ("overlay", "azure.subnets_disjoint", {"subnets": (Subnet("a", net("10.240.0.0/24")),
     Subnet("b", net("10.240.0.128/25")))}, ERROR),
    ("overlay", "azure.subnet_smallest_prefix", {"subnets": (Subnet("a", net("10.240.0.0/30")),)},
     ERROR),
    ("pod-subnet-dynamic", "podsubnet.delegated", {"pools": pool(pod_subnet="nodes")}, ERROR),
    ("pod-subnet-dynamic", "dynamic.max_subnet_prefix", {"vnet": (net("10.128.0.0/9"),),
     "subnets": (Subnet("pods", net("10.128.0.0/15")),)}, ERROR),
    ("pod-subnet-static", "static.max_subnet_prefix", {"vnet": (net("10.128.0.0/9"),),
     "subnets": (Subnet("pods", net("10.160.0.0/11")),)}, ERROR),
    ("pod-subnet-static", "static.efficient_max_pods", {"pools": pool(max_pods=32)}, ADVICE),
    ("pod-subnet-static", "static.max_pods_per_cluster", {"pools": tuple(
        Pool(f"p{i}", 1000, max_pods=239, max_surge=0) for i in range(5))}, WARNING),
    ("pod-subnet-dynamic", "aks.dynamic_max_app_pods", {"pools": pool(nodes=501, pods=100)},
     WARNING),
    ("overlay", "aks.max_nodes_per_pool", {"pools": pool(nodes=1001)}, ERROR),
    ("overlay", "azure.vmss_max_instances", {"pools": pool(nodes=1000)}, ERROR),
    ("overlay", "aks.max_nodes_per_cluster", {"pools": tuple(
        Pool(f"p{i}", 834) for i in range(6))}, ERROR),
    ("overlay", "aks.upgrade_blocked_at_nodes", {"pools": tuple(
        Pool(f"p{i}", 1000, max_surge=1) for i in range(5))}, WARNING),
    ("overlay", "aks.max_node_pools", {"pools": tuple(Pool(f"p{i}") for i in range(101))}, ERROR),
    ("overlay", "aks.overlay_max_pods_total", {"pools": pool(nodes=801, max_pods=250)}, WARNING),
    ("overlay", "aks.free_tier_recommended_nodes", {"tier": "Free", "pools": pool(nodes=11)},
     WARNING),
    ("overlay", "aks.min_max_pods", {"pools": pool(max_pods=9)}, ERROR),
    ("overlay", "aks.pool_min_pod_capacity", {"pools": pool(nodes=2, max_pods=10)}, ERROR),
    ("overlay", "overlay.windows_recommended_max_pods", {"pools": (Pool(), Pool(
        "win", system="Windows2025"))}, ADVICE),
    ("overlay", "overlay.windows", {"pools": (Pool(), Pool("win", system="Windows2019"))}, ERROR),
    ("overlay", "windows.last_kubernetes", {"kubernetes": "1.35", "pools": (Pool(), Pool(
        "win", system="Windows2022"))}, ERROR),
    ("overlay", "aks.first_pool_linux", {"pools": pool(name="win", system="Windows2022")}, ERROR),
    ("overlay", "overlay.name_length", {"subnets": (Subnet("n" * 64, net("10.240.0.0/24")),)},
     ERROR),
    ("overlay", "surge.max_unavailable", {"pools": pool(max_surge=0)}, WARNING),
    ("overlay", "surge.max_unavailable", {"pools": (Pool(), Pool("user", max_surge=0))}, ADVICE),
    ("overlay", "aks.system_pool_least_nodes", {"pools": pool(nodes=0)}, ERROR),
    ("overlay", "aks.system_pool_least_nodes", {"pools": pool(min_nodes=0, max_nodes=5)}, ERROR),
    ("overlay", "aks.system_pool_least_nodes", {"pools": (Pool(), Pool("user", nodes=0))}, None),
    ("kubenet", "kubenet.max_nodes", {"pools": pool(nodes=400)}, ERROR),
    ("kubenet", "kubenet.windows", {"pools": (Pool(), Pool("win", system="Windows2022"))}, ERROR),
    ("kubenet", "kubenet.retirement_date", {}, WARNING),
    ("kubenet", "policy.engines", {"policy": "azure"}, ERROR),
    ("kubenet", "cilium.kubenet", {"data_plane": "cilium", "policy": "cilium"}, ERROR),
    ("overlay", "policy.engines", {"policy": "cilium"}, ERROR),
    ("overlay", "policy.engines", {"policy": "calico", "data_plane": "cilium"}, ERROR),
    ("overlay", "cilium.windows", {"data_plane": "cilium", "policy": "cilium", "pools": (
        Pool(), Pool("win", system="Windows2022"))}, ERROR),
    ("overlay", "npm.linux_end", {"policy": "azure"}, WARNING),
    ("overlay", "npm.max_nodes", {"policy": "azure", "pools": pool(nodes=251)}, WARNING),
    ("overlay", "npm.max_pods", {"policy": "azure", "pools": pool(nodes=101, pods=200)}, WARNING),
    ("overlay", "npm.windows_end", {"policy": "azure", "pools": (
        Pool(), Pool("win", system="Windows2022"))}, ERROR),
    ("overlay", "lb.basic_retired", {"load_balancer": "basic"}, ERROR),
    ("overlay", "overlay.unsupported", {"needs": frozenset({"direct pod access"})}, ERROR),
    ("kubenet", "agc.kubenet", {"needs": frozenset({"application gateway for containers"})}, ERROR),
    ("pod-subnet-static", "static.private_link_service",
     {"needs": frozenset({"private link service"})}, ERROR),
    ("overlay", "aks.lb_services_max", {"services": Services(public=301)}, ERROR),
    ("overlay", "aks.lb_backend_ip_configs_per_frontend",
     {"services": Services(public=5, frontends=1), "pools": pool(nodes=1000, max_surge=0)}, None),
    ("overlay", "aks.lb_backend_ip_configs_per_frontend",
     {"services": Services(public=6, frontends=1), "pools": pool(nodes=834, max_surge=0)}, ERROR),
    ("overlay", "snat.max_nodes_formula",
     {"outbound": Outbound(ports_per_node=1000), "pools": pool(nodes=64)}, ERROR),
    ("overlay", "snat.max_nodes_formula",
     {"outbound": Outbound(ports_per_node=1000), "pools": pool(nodes=63)}, None),
    ("overlay", "snat.ports_multiple_of", {"outbound": Outbound(ports_per_node=1004)}, ERROR),
    ("overlay", "snat.default_table", {"pools": tuple(
        Pool(f"p{i}", 500, max_surge=1) for i in range(2))}, WARNING),
    ("overlay", "lb.managed_outbound_ips_max", {"outbound": Outbound(addresses=101)}, ERROR),
    ("overlay", "natgw.max_ips", {"outbound": Outbound("userAssignedNATGateway", 17)}, ERROR),
    ("overlay", "outbound.managed_nat_own_network", {"outbound": Outbound("managedNATGateway")},
     ERROR),
    ("overlay", "outbound.managed_nat_own_network",
     {"outbound": Outbound("managedNATGateway"), "own_network": False}, None),
    ("pod-subnet-dynamic", "podsubnet.delegated", {"own_network": False}, ERROR),
    ("overlay", "udr.requirements", {"outbound": Outbound("userDefinedRouting")}, WARNING),
    ("overlay", "udr.requirements", {"outbound": Outbound(
        "userDefinedRouting", next_hop=IPAddress("10.1.0.4"))}, None),
    ("overlay", "udr.requirements", {"own_network": False, "outbound": Outbound(
        "userAssignedNATGateway")}, ERROR),
    ("overlay", "azure.forbidden_ranges", {"vnet": (net("224.0.0.0/16"),)}, ERROR),
    ("overlay", "azure.forbidden_ranges", {"pod_range": net("127.0.0.0/16")}, ERROR),
    ("overlay", "azure.peering_disjoint",
     {"on_premises": (NamedRange("hq", net("10.240.0.0/12")),)}, WARNING),
    ("overlay", "azure.peering_disjoint",
     {"on_premises": (NamedRange("hq", net("10.240.0.0/17")),)}, ERROR),
    ("overlay", "azure.peering_disjoint", {"peered": (NamedRange("hub", net("10.1.0.0/16")),),
     "on_premises": (NamedRange("hq", net("10.1.4.0/24")),)}, WARNING),
    ("kubenet", "kubenet.no_overlap_with", {"pod_range": net("10.240.0.0/16"),
     "subnets": (Subnet("nodes", net("10.240.0.0/24")),)}, ERROR),
    ("pod-subnet-static", "static.min_kubernetes", {"kubernetes": "1.27"}, ERROR),
    ("pod-subnet-static", "static.min_kubernetes", {"kubernetes": "1.28"}, None),
    ("overlay", "windows.server_2022_end", {"today": date(2027, 3, 15), "kubernetes": "",
     "pools": (Pool(), Pool("win", system="Windows2022"))}, ERROR),
    ("overlay", "natgw.ports_per_ip", {"outbound": Outbound("userAssignedNATGateway")}, ADVICE),
    ("overlay", "firewall.snat_ports_per_ip", {"outbound": Outbound(
        "userDefinedRouting", next_hop=IPAddress("10.1.0.4"))}, ADVICE),
    ("overlay", "udr.requirements", {"outbound": Outbound(
        "userDefinedRouting", next_hop=IPAddress("8.8.8.8"))}, WARNING),
    ("overlay", "udr.requirements", {"load_balancer": "basic", "outbound": Outbound(
        "userDefinedRouting", next_hop=IPAddress("10.1.0.4"))}, ERROR),
    ("overlay", "surge.max_unavailable", {"pools": pool(max_surge="00%")}, WARNING),
    ("overlay", "azure.subnets_disjoint", {"subnets": (Subnet("aks", net("10.240.0.0/24")),)},
     ADVICE),
    ("overlay", "aks.lb_services_max", {"services": Services(public=150, internal=151)}, ERROR),
    ("overlay", "aks.lb_backend_ip_configs_per_frontend",
     {"services": Services(public=100), "pools": pool(nodes=900, max_surge=0)}, None),
    ("overlay", "aks.lb_backend_ip_configs_per_frontend",
     {"services": Services(public=7, frontends=2), "pools": pool(nodes=995),
      "outbound": Outbound("userAssignedNATGateway")}, None),
    ("overlay", "aks.lb_backend_ip_configs_per_frontend",
     {"services": Services(internal=5, ports=11), "pools": pool(nodes=909, max_surge=1)}, ERROR),
    ("pod-subnet-dynamic", "dynamic.max_subnet_prefix", {"vnet": (net("10.0.0.0/9"),),
     "service_range": net("10.200.0.0/16"), "dns_address": IPAddress("10.200.0.10"),
     "pools": tuple(Pool(f"p{i}", 600, max_pods=250, max_surge=0) for i in range(2))}, ERROR),
    ("pod-subnet-dynamic", "dynamic.max_subnet_prefix",
     {"subnets": (Subnet("pods", net("10.240.0.0/16")),)}, None),
    ("node-subnet", "azure.vnet_private_ips", {"vnet": (net("10.128.0.0/9"),),
     "pools": pool(nodes=700, max_pods=100)}, ERROR),
    ("node-subnet", "azure.insufficient_subnet_size",
     {"subnets": (Subnet("nodes", net("10.240.0.0/24")),), "pools": pool(nodes=10)}, ERROR),
]  # fmt: skip


@pytest.mark.parametrize(
    ("model_id", "fact_id", "changes", "severity"), BROKEN, ids=lambda each: str(each)[:40]
)
def test_a_rule_that_is_broken_is_found(model_id, fact_id, changes, severity):
    findings = said(model_id, fact_id, **changes)
    worst = min((list(Severity).index(each.severity) for each in findings), default=None)
    if severity is None:
        assert all(each.severity is ADVICE for each in findings)
    else:
        assert worst == list(Severity).index(severity), findings


@pytest.mark.parametrize(
    ("fact_id", "model_id", "changes"),
    [
        ("kubenet.retirement_date", "kubenet", {}),
        ("npm.linux_end", "overlay", {"policy": "azure"}),
        ("npm.windows_end", "overlay",
         {"policy": "azure", "pools": (Pool(), Pool("win", system="Windows2022"))}),
        ("lb.basic_retired", "overlay", {"load_balancer": "basic"}),
        ("windows.server_2019_end", "node-subnet",
         {"pools": (Pool(), Pool("win", system="Windows2019"))}),
    ],
)  # fmt: skip
def test_what_retires_is_a_warning_until_the_day_and_an_error_from_it_on(
    fact_id, model_id, changes
):
    end = date.fromisoformat(fact(fact_id).value)
    (before,) = said(model_id, fact_id, today=date.fromordinal(end.toordinal() - 1), **changes)
    (after,) = said(model_id, fact_id, today=end, **changes)
    assert before.severity is WARNING
    assert before.what.endswith(f"{end}, in 1 day.")
    assert after.severity is ERROR


small = ranges(25, 29, inside="10.0.0.0/24")


@settings(max_examples=300)
@given(
    vnet=small, service=small, pods=small, subnets=st.lists(small, max_size=2),
    peered=st.lists(small, max_size=1), office=st.lists(small, max_size=1),
    each=st.sampled_from(all_models()),
)  # fmt: skip
def test_what_is_called_free_of_overlap_is_so_address_by_address(
    vnet, service, pods, subnets, peered, office, each
):
    design = replace(
        GOOD,
        vnet=(vnet,),
        service_range=service,
        pod_range=pods,
        subnets=tuple(Subnet(f"s{index}", each) for index, each in enumerate(subnets)),
        peered=tuple(NamedRange("hub", each) for each in peered),
        on_premises=tuple(NamedRange("office", each) for each in office),
    )
    outside = [service, *([] if each.flat else [pods])]
    pairs = [*combinations(subnets, 2), *((vnet, other) for other in (*peered, *office))]
    pairs += [(one, other) for one in outside for other in (vnet, *subnets, *peered, *office)]
    pairs += [*combinations(outside, 2), *((one, other) for one in peered for other in office)]
    shared = any(set(map(int, one)) & set(map(int, other)) for one, other in pairs)
    words = ("overlap", "lies in the virtual network", "lies inside the on-premises")
    findings = [e for e in plan(design, each).findings if any(word in e.what for word in words)]
    assert shared == bool(findings)
    stray = any(set(map(int, subnet)) - set(map(int, vnet)) for subnet in subnets)
    assert stray == any("not inside" in e.what for e in plan(design, each).findings)


@settings(max_examples=60, deadline=None)
@given(designs())
def test_the_recommended_model_is_the_first_that_works(design):
    comparison = compare(design)
    working = [each for each in comparison.plans if not each.errors]
    assert comparison.recommended is (working[0] if working else None)
    assert comparison.judged in comparison.plans


def test_overlay_is_recommended_unless_pods_must_be_reached():
    assert compare(GOOD).recommended.model.id == "overlay"
    needy = replace(GOOD, needs=frozenset({"direct pod access"}))
    assert compare(needy).recommended.model.id == "pod-subnet-dynamic"
    virtual = replace(GOOD, needs=frozenset({"virtual nodes"}))
    assert compare(virtual).recommended.model.id == "pod-subnet-dynamic"


def test_the_model_chosen_is_the_one_that_is_judged():
    assert compare(replace(GOOD, model="kubenet")).judged.model.id == "kubenet"


def test_where_pages_disagree_the_claim_is_an_input():
    two = (replace(GOOD, pools=(Pool(nodes=50, max_pods=30),), choices=Choices(surge=claim.value))
           for claim in fact("surge.default").claims)  # fmt: skip
    needs = {plan(design, model("node-subnet")).demands[0].needed for design in two}
    assert needs == {51 * 31, 55 * 31}
    full = replace(GOOD, pools=pool(nodes=900, max_pods=250))
    for claim in fact("aks.overlay_max_pods_total").claims:
        design = replace(full, choices=Choices(overlay_pods=claim.value))
        limits = {each.id: each for each in plan(design, model("overlay")).limits}
        assert limits["overlay pods"].broken is (claim.value < 900 * 250)
    for claim in fact("dynamic.default_max_pods").claims:
        design = replace(GOOD, choices=Choices(pod_subnet_max_pods=claim.value))
        assert plan(design, model("pod-subnet-static")).design.pools[0].max_pods == claim.value


def test_an_autoscaled_pool_is_planned_at_its_most():
    design = replace(GOOD, pools=(Pool(nodes=3, max_nodes=20, max_pods=30, max_surge="10%"),))
    assert plan(design, model("node-subnet")).demands[0].needed == 22 * 31


def test_pools_that_share_a_subnet_are_added_and_others_are_not():
    apart = (Pool("a", 4, max_surge=0), Pool("b", 5, max_surge=0, subnet="more"))
    demands = plan(replace(GOOD, pools=apart), model("overlay")).demands
    assert [each.needed for each in demands if each.kind == "node subnet"] == [4, 5]
    assert [each.needed for each in demands if each.kind == "pod range"] == [9 * 256]


def test_internal_services_and_others_take_addresses_of_the_node_subnet():
    subnets = (Subnet("nodes", net("10.240.0.0/24"), taken=12),)
    design = replace(GOOD, subnets=subnets, services=Services(internal=3))
    (nodes, _) = plan(design, model("overlay")).demands
    assert nodes.needed == 3 + 1 + 3 + 12
    assert number("azure.reserved_per_subnet") == nodes.kept
