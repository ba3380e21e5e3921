"""How each area of cases/aks_planning.yaml is asked of the course."""

from __future__ import annotations

from course import netapp
from course.addresses import parse_range
from course.cluster import NodePool, max_pods_problem, scale_set_problem, surge_nodes
from course.errors import InputError
from course.networks import node_subnet
from course.subnet import (
    reserved_addresses,
    smallest_prefix_for,
    total_addresses,
    usable_addresses,
)


def node_subnet_plan(nodes, max_pods, extra_nodes, max_surge, internal_lbs):
    pool = NodePool(nodes, max_pods, max_surge, extra_nodes)
    plan = node_subnet.plan(pool, internal_lbs)
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


AREAS = {
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
