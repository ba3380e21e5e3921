"""How far a design uses what there is only so much of: the demands of a model, and the limits of
every cluster, its load balancer, its way out and its policy engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netaddr import IPNetwork

from course.addresses import canonical
from course.design import Design
from course.facts import fact, number
from course.finding import Demand, Limit, Severity
from course.networks.model import NetworkModel
from course.ranges import load_balancer_configurations
from course.working import Line

Limits = Iterable[Limit]


def limits(model: NetworkModel, design: Design, demands: Sequence[Demand]) -> tuple[Limit, ...]:
    """Every limit of a settled design in a model, whether it is broken or not."""
    return (
        *(_of_demand(each, each.range) for each in demands if each.range is not None),
        *_virtual_network(model, design, demands),
        *_nodes(design),
        *_load_balancer(design),
        *_outbound(design),
        *_policy(design),
        *model.limits(design),
    )


def _of_demand(demand: Demand, network: IPNetwork) -> Limit:
    where = canonical(network)
    name = demand.kind if demand.kind == "pod range" else f"{demand.kind} {demand.name}"
    later = demand.steady <= demand.available < demand.needed
    when = " while it is scaled out or upgraded" if later else ""
    return Limit(
        id=f"{demand.kind} {demand.name}",
        what=f"addresses of the {name} ({where}){when}",
        used=demand.needed,
        most=demand.available,
        fact=demand.fact,
        do=_how_to_make_room(demand),
        working=demand.working,
        refusal=demand.refusal,
        field="pod_range" if demand.kind == "pod range" else f"subnets.{demand.name}",
    )


def _how_to_make_room(demand: Demand) -> str:
    if demand.min_prefix is None:
        return "No IPv4 range is large enough: run fewer nodes or fewer pods a node."
    larger = f"Give it a /{demand.min_prefix}"
    if demand.kind == "pod range":
        return f"{larger}, or run fewer nodes."
    return (
        f"{larger}: a subnet in use cannot be resized, so put new pools into a larger one. "
        "Or run fewer nodes, fewer pods a node or a smaller max-surge."
    )


def _virtual_network(model: NetworkModel, design: Design, demands: Sequence[Demand]) -> Limits:
    taken = sum(subnet.taken for subnet in design.subnets)
    used_by = {demand.name for demand in demands}
    others = taken - sum(s.taken for s in design.subnets if s.name in used_by)
    addresses = model.counted_addresses(demands) + others
    yield Limit(
        "virtual network", "private addresses in use in one virtual network", addresses,
        number("azure.vnet_private_ips"), "azure.vnet_private_ips",
        "Choose a model that takes pod addresses elsewhere, or use several networks.",
    )  # fmt: skip


def _nodes(design: Design) -> Limits:
    nodes, peak = design.planned_nodes, design.peak_nodes
    yield Limit(
        "nodes", "nodes of the cluster", nodes, number("aks.max_nodes_per_cluster"),
        "aks.max_nodes_per_cluster", "Spread the work over several clusters.", field="pools",
    )  # fmt: skip
    yield Limit(
        "nodes at the peak", "nodes of the cluster while it is upgraded", peak,
        number("aks.max_nodes_per_cluster"), "aks.upgrade_blocked_at_nodes",
        "Leave room for surge nodes below the limit.", severity=Severity.WARNING, field="pools",
    )  # fmt: skip
    yield Limit(
        "pools", "node pools", len(design.pools), number("aks.max_node_pools"),
        "aks.max_node_pools", "Join pools that are alike.", field="pools",
    )  # fmt: skip
    for pool in design.pools:
        yield Limit(
            f"nodes of {pool.name}", f"nodes of pool {pool.name}", pool.planned_nodes,
            number("aks.max_nodes_per_pool"), "aks.max_nodes_per_pool",
            "Divide it into several pools.", field=f"pools.{pool.name}.nodes",
        )  # fmt: skip
        yield Limit(
            f"instances of {pool.name}", f"instances of the scale set of {pool.name}, at its peak",
            pool.peak_nodes, number("azure.vmss_max_instances"), "azure.vmss_max_instances",
            "Use a smaller max-surge, or several pools.", field=f"pools.{pool.name}.max_surge",
        )  # fmt: skip
    if design.tier == "Free":
        yield Limit(
            "nodes of the Free tier", "nodes recommended in the Free tier", nodes,
            number("aks.free_tier_recommended_nodes"), "aks.free_tier_recommended_nodes",
            "Choose the Standard tier.", severity=Severity.WARNING, field="tier",
        )  # fmt: skip


def _load_balancer(design: Design) -> Limits:
    services, nodes = design.services, design.peak_nodes
    count = services.public + services.internal
    yield Limit(
        "load-balanced services", "Services of type LoadBalancer", count,
        number("aks.lb_services_max"), "aks.lb_services_max",
        "Put an ingress in front of several Services.", field="services.public",
    )  # fmt: skip
    frontends = services.public if services.frontends is None else services.frontends
    kinds = {
        "public": -(-services.public // max(frontends, 1)),
        "internal": min(services.internal, 1),  # each has its own
    }
    for kind, on_frontend in kinds.items():
        used = load_balancer_configurations(on_frontend, services.ports, nodes)
        how = f"{on_frontend:,} x {services.ports} x {nodes:,}"
        yield Limit(
            f"{kind} load balancer", f"backend configurations of one {kind} frontend address",
            used, number("aks.lb_backend_ip_configs_per_frontend"),
            "aks.lb_backend_ip_configs_per_frontend",
            "Use more frontend addresses, fewer ports, or fewer nodes.",
            (Line("Services x ports x nodes", how, used),), field=f"services.{kind}",
        )  # fmt: skip


def _outbound(design: Design) -> Limits:
    outbound, nodes = design.outbound, design.peak_nodes
    if outbound.type == "loadBalancer":
        yield from _load_balancer_ports(outbound.addresses, outbound.ports_per_node, nodes)
    elif "NATGateway" in outbound.type:
        yield Limit(
            "NAT gateway addresses", "addresses of the NAT gateway", outbound.addresses,
            number("natgw.max_ips"), "natgw.max_ips", "Use fewer addresses.",
            field="outbound.addresses",
        )  # fmt: skip


def _load_balancer_ports(addresses: int, ports_per_node: int, nodes: int) -> Limits:
    yield Limit(
        "outbound addresses", "outbound addresses of the load balancer", addresses,
        number("lb.managed_outbound_ips_max"), "lb.managed_outbound_ips_max",
        "Use fewer addresses, or a NAT gateway.", field="outbound.addresses",
    )  # fmt: skip
    if ports_per_node:
        each = number("snat.ports_per_frontend_ip")
        used, most = nodes * ports_per_node, addresses * each
        yield Limit(
            "outbound ports", "outbound ports of the load balancer, surge nodes included", used,
            most, "snat.max_nodes_formula",
            "Add outbound addresses, take fewer ports a node, or use a NAT gateway.",
            (
                Line("ports needed", f"{nodes:,} x {ports_per_node:,}", used),
                Line("ports there are", f"{addresses} x {each:,}", most),
            ),
            field="outbound.ports_per_node",
        )  # fmt: skip
    else:
        sizes = fact("snat.default_table").value
        last = max(int(size.partition("-")[2]) for size in sizes)
        yield Limit(
            "outbound ports", "nodes for which outbound ports are given out automatically", nodes,
            last, "snat.default_table", "Set the ports a node yourself, or use a NAT gateway.",
            severity=Severity.WARNING, field="outbound.ports_per_node",
        )  # fmt: skip


def _policy(design: Design) -> Limits:
    if design.policy != "azure":
        return
    pods = sum(pool.planned_nodes * (pool.pods or 0) for pool in design.pools)
    yield Limit(
        "nodes of Azure NPM", "nodes of a cluster with Azure Network Policy Manager",
        design.planned_nodes, number("npm.max_nodes"), "npm.max_nodes",
        "Choose Cilium or Calico.", severity=Severity.WARNING, field="policy",
    )  # fmt: skip
    yield Limit(
        "pods of Azure NPM", "pods of a cluster with Azure Network Policy Manager", pods,
        number("npm.max_pods"), "npm.max_pods", "Choose Cilium or Calico.",
        severity=Severity.WARNING, field="policy",
    )  # fmt: skip
