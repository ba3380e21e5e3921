"""How each area of cases/aks_planning.yaml is asked of the course."""

from __future__ import annotations

from fractions import Fraction

from course import netapp, outbound, ranges
from course.addresses import canonical, parse_address, parse_range
from course.cluster import NodePool, max_pods_problem, scale_set_problem, surge_nodes
from course.design import Design, Outbound, Pool, Services
from course.errors import InputError
from course.facts import number
from course.networks import model
from course.networks.pod_subnet_static import wasted
from course.planner.comparison import plan as whole_plan
from course.sizing import kubenet, node_subnet, overlay, pod_range, pod_subnet
from course.subnet import (
    reserved_addresses,
    smallest_prefix_for,
    total_addresses,
    usable_addresses,
)


def planned(model_id, kind, pool, internal=0, **ranges):
    """What the planner says that a pool takes of one kind of range."""
    design = Design(pools=(pool,), services=Services(internal=internal), **ranges)
    demands = whole_plan(design, model(model_id)).demands
    return next(each for each in demands if each.kind == kind)


def node_subnet_plan(nodes, max_pods, extra_nodes, max_surge, internal_lbs):
    pool = NodePool(nodes, max_pods, max_surge, extra_nodes)
    plan = node_subnet.plan(pool, internal_lbs)
    whole = Pool("system", nodes + extra_nodes, max_pods=max_pods, max_surge=max_surge)
    demand = planned("node-subnet", "node subnet", whole, internal_lbs)
    # the page of the lesson and the planner say the same
    assert (plan.required_addresses, plan.min_prefix) == (demand.needed, demand.min_prefix)
    return {
        "surge_nodes": pool.surge_nodes,
        "total_nodes": pool.peak_nodes,
        "required_ips": plan.required_addresses,
        "min_prefix": plan.min_prefix,
    }


def node_subnet_capacity(subnet_prefix, max_pods, max_surge):
    capacity = node_subnet.capacity(subnet_prefix, max_pods, max_surge)
    return {"usable_ips": capacity.usable_addresses, "max_nodes": capacity.max_nodes}


def subnet_usable(prefix):
    return {"total_ips": total_addresses(prefix), "usable_ips": usable_addresses(prefix)}


def subnet_prefix_for(required_ips):
    return {"min_prefix": smallest_prefix_for(required_ips)}


def reserved(cidr):
    kept = reserved_addresses(parse_range(cidr))
    return {
        "reserved": [str(address) for address in kept.addresses],
        "first_usable": str(kept.first_usable),
        "last_usable": str(kept.last_usable),
    }


def max_surge_nodes(pool_nodes, max_surge):
    return {"surge_nodes": surge_nodes(pool_nodes, max_surge)}


def vmss_surge_allowed(pool_nodes, max_surge):
    pool = NodePool(pool_nodes, max_pods=30, max_surge=max_surge)
    return {
        "nodes_during_upgrade": pool.peak_nodes,
        "allowed": scale_set_problem(pool) is None,
    }


def max_pods_valid(max_pods, pool_nodes):
    try:
        valid = max_pods_problem(NodePool(pool_nodes, max_pods)) is None
    except InputError:  # not even a pool
        valid = False
    return {"valid": valid, "pool_pod_capacity": max_pods * pool_nodes}


def vnet_limit_node_subnet(max_pods, vnet_private_ip_limit):
    return {"max_nodes": node_subnet.vnet_max_nodes(max_pods, vnet_private_ip_limit)}


def anf_basic_limit(nodes, surge_nodes, vnet_pod_ips_per_node, network_features):
    limit = netapp.limit(nodes, surge_nodes, vnet_pod_ips_per_node, network_features)
    return {
        "vnet_ips": limit.addresses,
        "limit": limit.limit,
        "within_limit": limit.within,
    }


def pod_cidr_nodes(pod_cidr_prefix):
    return {"max_nodes": pod_range.nodes_served(pod_cidr_prefix)}


def pod_cidr_for_nodes(nodes_including_surge):
    return {"pod_cidr_prefix": pod_range.prefix_for(nodes_including_surge)}


def overlay_pod_cidr_validation(pod_cidr_prefix, pools):
    whole = tuple(
        Pool(f"pool{index}", pool["max_nodes"], max_surge=pool["surge"])
        for index, pool in enumerate(pools)
    )
    pod_range = parse_range(f"10.0.0.0/{pod_cidr_prefix}")
    found = whole_plan(Design(pools=whole, pod_range=pod_range), model("overlay"))
    (use,) = (each for each in found.limits if each.id == "pod range pods")
    return {"preallocated_ips": use.used, "available_ips": use.most, "fits": not use.broken}


def overlay_pod_cidr_expand(current, requested):
    return {"allowed": overlay.may_expand(parse_range(current), parse_range(requested))}


def overlay_node_subnet(nodes, extra_nodes, max_surge, internal_lbs):
    pool = Pool("system", nodes + extra_nodes, max_surge=max_surge)
    demand = planned("overlay", "node subnet", pool, internal_lbs)
    return {
        "total_nodes": pool.peak_nodes,
        "required_ips": demand.needed,
        "min_prefix": demand.min_prefix,
    }


def kubenet_capacity(subnet_prefix, pod_cidr_prefix, max_pods):
    found = kubenet.capacity(subnet_prefix, pod_cidr_prefix, max_pods)
    return {
        "by_subnet": found.by_subnet,
        "by_pod_cidr": found.by_pod_range,
        "by_routes": found.by_routes,
        "max_nodes": found.max_nodes,
        "max_pods_total": found.max_pods_total,
    }


def dynamic_pool_target(pods_with_pod_ip, batch, min_free_fraction, max_ips):
    free = Fraction(str(min_free_fraction))
    return {"pod_ips_requested": pod_subnet.pool_target(pods_with_pod_ip, max_ips, batch, free)}


def dynamic_subnet_use(nodes, pods_with_pod_ip_per_node, primary_ips_per_node):
    use = pod_subnet.DynamicUse(nodes, pods_with_pod_ip_per_node, primary_ips_per_node)
    return {"ips_used": use.addresses, "min_prefix": use.min_prefix}


def dynamic_subnet_max_nodes(pod_subnet_prefix, primary_ips_per_node):
    most = pod_subnet.max_nodes_at_start(pod_subnet_prefix, primary_ips_per_node)
    return {"max_nodes_at_startup": most}


def dynamic_stranded_ips(
    pod_subnet_prefix, max_pods, host_network_pods_per_node, batch, primary_ips_per_node
):
    full = pod_subnet.FullPodSubnet(
        pod_subnet_prefix, max_pods, host_network_pods_per_node, batch, primary_ips_per_node
    )
    return {
        "usable_ips": usable_addresses(pod_subnet_prefix),
        "allocatable_in_batches": full.batches * batch,
        "left_over": full.left_over,
        "full_nodes": full.full_nodes,
        "partial_nodes": full.partial_nodes,
        "pods_that_can_run": full.pods,
    }


def static_block(max_pods):
    pool = Pool("system", 1, max_pods=max_pods, max_surge=0)
    demand = planned("pod-subnet-static", "pod subnet", pool)
    return {
        "blocks_per_node": pod_subnet.blocks_per_node(max_pods),
        "ips_per_node": demand.needed,
        "pod_ips_per_node": demand.needed - 1,
        "wasted_per_node": wasted(pool),
    }


def snat_default_ports(backend_nodes):
    return {"ports_per_node": outbound.default_ports(backend_nodes)}


def snat_max_nodes(outbound_ips, ports_per_node):
    return {"max_nodes": outbound.max_nodes(outbound_ips, ports_per_node)}


def snat_headroom(nodes, surge_nodes, ports_per_node, outbound_ips):
    room = outbound.PortRoom(nodes, surge_nodes, ports_per_node, outbound_ips)
    pool = Pool("system", nodes, max_surge=surge_nodes)
    way_out = Outbound(addresses=outbound_ips, ports_per_node=ports_per_node)
    limits = whole_plan(Design(pools=(pool,), outbound=way_out), model("overlay")).limits
    (ports,) = (each for each in limits if each.id == "outbound ports")
    assert ports.broken is not room.sufficient
    return {
        "ports_for_nodes": room.for_nodes,
        "ports_for_surge": room.for_surge,
        "ports_available": room.available,
        "spare_before_surge": room.spare,
        "sufficient": room.sufficient,
        "min_outbound_ips": room.min_outbound_ips,
    }


def snat_ports_valid(ports_per_node):
    return {"valid": outbound.ports_problem(ports_per_node) is None}


def nat_gateway_ports(public_ips):
    return {"snat_ports": outbound.nat_gateway_ports(public_ips)}


def aks_reserved_overlap(cidr):
    found = [canonical(each) for each in ranges.reserved_overlaps(parse_range(cidr))]
    return {"allowed": not found, "overlaps": found}


def service_dns_ip(service_cidr, dns_service_ip):
    problem = ranges.dns_problem(parse_range(service_cidr), parse_address(dns_service_ip))
    if problem is None:
        return {"valid": True, "reason": None}
    outside = "is outside" in problem.rule
    return {"valid": False, "reason": "outside_service_cidr" if outside else "first_address"}


def range_overlaps(**inputs):
    found = ranges.overlapping({name: parse_range(text) for name, text in inputs["ranges"].items()})
    return {"overlaps": [list(pair) for pair in found], "valid": not found}


def lb_backend_configs(services_on_frontend, ports_per_service, nodes):
    found = ranges.load_balancer_configurations(services_on_frontend, ports_per_service, nodes)
    return {
        "backend_ip_configurations": found,
        "limit": number("aks.lb_backend_ip_configs_per_frontend"),
        "within_limit": ranges.within_load_balancer_limit(found),
    }


AREAS = {
    "pod_cidr_nodes": pod_cidr_nodes,
    "pod_cidr_for_nodes": pod_cidr_for_nodes,
    "overlay_pod_cidr_validation": overlay_pod_cidr_validation,
    "overlay_pod_cidr_expand": overlay_pod_cidr_expand,
    "overlay_node_subnet": overlay_node_subnet,
    "kubenet_capacity": kubenet_capacity,
    "dynamic_pool_target": dynamic_pool_target,
    "dynamic_subnet_use": dynamic_subnet_use,
    "dynamic_subnet_max_nodes": dynamic_subnet_max_nodes,
    "dynamic_stranded_ips": dynamic_stranded_ips,
    "static_block": static_block,
    "snat_default_ports": snat_default_ports,
    "snat_max_nodes": snat_max_nodes,
    "snat_headroom": snat_headroom,
    "snat_ports_valid": snat_ports_valid,
    "nat_gateway_ports": nat_gateway_ports,
    "aks_reserved_overlap": aks_reserved_overlap,
    "service_dns_ip": service_dns_ip,
    "range_overlaps": range_overlaps,
    "lb_backend_configs": lb_backend_configs,
    "node_subnet_plan": node_subnet_plan,
    "node_subnet_capacity": node_subnet_capacity,
    "subnet_usable": subnet_usable,
    "subnet_prefix_for": subnet_prefix_for,
    "reserved_addresses": reserved,
    "max_surge_nodes": max_surge_nodes,
    "vmss_surge_allowed": vmss_surge_allowed,
    "max_pods_valid": max_pods_valid,
    "vnet_limit_node_subnet": vnet_limit_node_subnet,
    "anf_basic_limit": anf_basic_limit,
}


def _check(area):
    def check(case):
        assert area(**case["inputs"]) == case["expected"]

    return check


CHECKS = {name: _check(area) for name, area in AREAS.items()}
