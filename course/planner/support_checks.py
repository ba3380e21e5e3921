"""What does not go together (policy engine, data plane, systems, needs, way out), and what ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from course.cluster import NodePool, max_pods_problem
from course.design import NEEDS, Design
from course.facts import fact, number
from course.finding import Demand, Finding, Severity
from course.networks.model import NetworkModel
from course.outbound import default_ports, nat_gateway_ports, ports_problem
from course.planner.versions import is_at_least, is_later

Findings = Iterator[Finding]
ERROR, WARNING, ADVICE = Severity.ERROR, Severity.WARNING, Severity.ADVICE


def support_findings(
    model: NetworkModel, design: Design, demands: Sequence[Demand]
) -> tuple[Finding, ...]:
    """Every finding about what a settled design combines, and about what ends, in a model."""
    return (
        *_pools(design),
        *_system_pool(design),
        *_data_plane(model, design),
        *_systems(model, design),
        *_needs(model, design),
        *_outbound(design),
        *_network(design, demands),
        *_unnamed(design, demands),
        *_names(model, design),
        *_version(model, design),
        *_what_ends(model, design),
    )


def _pools(design: Design) -> Findings:
    for pool in design.pools:
        problem = max_pods_problem(NodePool(pool.nodes, pool.max_pods or 1))
        if problem and pool.nodes:
            yield Finding(
                ERROR, f"In pool {pool.name}, max-pods {problem.value} {problem.rule}",
                ("aks.min_max_pods", "aks.pool_min_pod_capacity"), problem.way_out,
                field=f"pools.{pool.name}.max_pods",
            )  # fmt: skip
        if pool.without_surge and pool is not design.pools[0]:
            yield Finding(
                ADVICE, f"Pool {pool.name} has no surge nodes: upgrades drain nodes first, so "
                "that fewer run meanwhile.", ("surge.max_unavailable",),
                "Set its max-unavailable, and leave room on the other nodes.",
                field=f"pools.{pool.name}.max_surge",
            )  # fmt: skip


def _system_pool(design: Design) -> Findings:
    """The first pool is a system pool: cluster DNS and the like run there."""
    pool, least = design.pools[0], number("aks.system_pool_least_nodes")
    fewest = pool.nodes if pool.min_nodes is None else pool.min_nodes
    if fewest < least:
        yield Finding(
            ERROR, f"The first pool, {pool.name}, is a system pool and may have {fewest} nodes.",
            ("aks.system_pool_least_nodes",), f"Keep at least {least} node in it.",
            field=f"pools.{pool.name}.nodes",
        )  # fmt: skip
    if pool.windows:
        yield Finding(
            ERROR, f"The first pool, {pool.name}, runs Windows.", ("aks.first_pool_linux",),
            "Put a Linux pool first.", field=f"pools.{pool.name}.system",
        )  # fmt: skip
    if pool.without_surge:
        yield Finding(
            WARNING, f"The first pool, {pool.name}, is a system pool without surge nodes, and "
            "cannot be upgraded so.", ("surge.max_unavailable",),
            "Set its max-surge to 1 or more.", field=f"pools.{pool.name}.max_surge",
        )  # fmt: skip


def _data_plane(model: NetworkModel, design: Design) -> Findings:
    engines = model.policies.get(design.data_plane)
    if engines is None:
        yield Finding(
            ERROR, f"{model.title} does not run the {design.data_plane} data plane.",
            (model.data_plane_fact,), "Choose another data plane, or another model.",
            field="data_plane",
        )  # fmt: skip
    elif design.policy not in engines:
        code = fact("cilium.policy_required").value
        cilium = design.data_plane == "cilium"
        yield Finding(
            ERROR, f"{model.title} with the {design.data_plane} data plane has no policy engine "
            f"{design.policy}.", (model.policy_fact,),
            f"Choose {' or '.join(engines)}.", field="policy",
            refusal=f"{code}: Cilium dataplane requires network policy cilium." if cilium else "",
        )  # fmt: skip


def _systems(model: NetworkModel, design: Design) -> Findings:
    for pool in design.pools:
        if pool.system not in model.systems:
            yield Finding(
                ERROR, f"{model.title} has no pools with {pool.system}, which {pool.name} runs.",
                (model.system_fact,), f"It has {', '.join(model.systems)}.",
                field=f"pools.{pool.name}.system",
            )  # fmt: skip
        last = fact("windows.last_kubernetes").value.get(pool.system)
        if last and is_later(design.kubernetes, last):
            yield Finding(
                ERROR, f"{pool.system}, which {pool.name} runs, ends with Kubernetes {last}.",
                ("windows.last_kubernetes",), "Choose a newer Windows Server.",
                field=f"pools.{pool.name}.system",
            )  # fmt: skip
    windows = ", ".join(pool.name for pool in design.pools if pool.windows)
    if windows and design.data_plane == "cilium":
        yield Finding(
            ERROR, f"The Cilium data plane has no Windows nodes, such as those of {windows}.",
            ("cilium.windows",), "Choose the azure data plane, or Linux pools.", field="data_plane",
        )  # fmt: skip


def _needs(model: NetworkModel, design: Design) -> Findings:
    for need in sorted(design.needs & set(model.unmet)):
        yield Finding(
            ERROR, f"{model.title} does not give what you need: {NEEDS[need]}.",
            (model.unmet[need],), "Choose a model that does.", field="needs",
        )  # fmt: skip


def _outbound(design: Design) -> Findings:
    outbound = design.outbound
    problem = ports_problem(outbound.ports_per_node)
    if problem and outbound.type == "loadBalancer":
        yield Finding(
            ERROR, f"{problem.value:,} {problem.rule}", ("snat.ports_multiple_of",),
            problem.way_out, field="outbound.ports_per_node",
        )  # fmt: skip
    if outbound.type in _PORTS:
        yield _PORTS[outbound.type](design)
    if outbound.type == "userDefinedRouting" and outbound.next_hop is None:
        yield Finding(
            WARNING, "The plan does not say where userDefinedRouting leads.",
            ("udr.requirements",), "Name the private address of the firewall or appliance.",
            field="outbound.next_hop",
        )  # fmt: skip
    if outbound.next_hop is not None and not outbound.next_hop.is_ipv4_private_use():
        yield Finding(
            WARNING, f"The next hop {outbound.next_hop} is no private address.",
            ("udr.requirements",), "Name the private address of the firewall or appliance.",
            field="outbound.next_hop",
        )  # fmt: skip
    if outbound.type == "userDefinedRouting" and design.load_balancer == "basic":
        yield Finding(
            ERROR, "userDefinedRouting needs the Standard load balancer.", ("udr.requirements",),
            "Choose the standard load balancer.", field="load_balancer",
        )  # fmt: skip


def _of_load_balancer(design: Design) -> Finding:
    """Ports that each node has: its own share."""
    nodes, ports = max(design.peak_nodes, 1), design.outbound.ports_per_node
    most = max(int(size.partition("-")[2]) for size in fact("snat.default_table").value)
    shown = f"{ports:,}" if ports else "few"
    if not ports and nodes <= most:
        shown = f"{default_ports(nodes):,}"
    said = f"While {nodes:,} nodes run, each gets {shown} outbound ports to one destination"
    said += ", as the plan says." if ports else ": the more nodes, the fewer."
    return Finding(
        ADVICE, said,
        ("snat.default_table", "snat.more_ips_do_not_raise_ports_per_node"),
        "If pods open many connections to one address, set the ports a node, or use a NAT gateway.",
        field="outbound.ports_per_node",
    )  # fmt: skip


def _of_nat_gateway(design: Design) -> Finding:
    """Ports that all nodes share."""
    addresses = min(design.outbound.addresses, number("natgw.max_ips"))
    ports, nodes = nat_gateway_ports(addresses), max(design.peak_nodes, 1)
    return Finding(
        ADVICE, f"All nodes share {ports:,} outbound ports to one destination: {ports // nodes:,} "
        f"a node, if {nodes:,} nodes use them alike.", ("natgw.ports_per_ip",),
        "If that is too few for the busiest hour, add public addresses.",
        field="outbound.addresses",
    )  # fmt: skip


def _of_appliance(design: Design) -> Finding:
    """Ports of the appliance, which only Azure Firewall documents."""
    ports = number("firewall.snat_ports_per_ip")
    return Finding(
        ADVICE, "The appliance's ports are shared by all nodes; Azure Firewall has "
        f"{ports:,} for each of its public addresses.", ("firewall.snat_ports_per_ip",),
        f"Reckon with {max(design.peak_nodes, 1):,} nodes when you size it.",
        field="outbound.next_hop",
    )  # fmt: skip


_PORTS = {
    "loadBalancer": _of_load_balancer,
    "managedNATGateway": _of_nat_gateway,
    "userAssignedNATGateway": _of_nat_gateway,
    "userDefinedRouting": _of_appliance,
}


def _network(design: Design, demands: Sequence[Demand]) -> Findings:
    """Whose the virtual network is."""
    outbound = design.outbound.type
    if design.own_network and outbound == "managedNATGateway":
        code = fact("outbound.managed_nat_own_network").value
        yield Finding(
            ERROR, "managedNATGateway works only where AKS makes the virtual network itself.",
            ("outbound.managed_nat_own_network",), "Choose userAssignedNATGateway.",
            refusal=f"{code}: Outbound type is managedNATGateway but agent pool "
            f"'{design.pools[0].name}' is using custom VNet, which is not allowed.",
            field="outbound.type",
        )  # fmt: skip
    if not design.own_network and outbound in ("userAssignedNATGateway", "userDefinedRouting"):
        yield Finding(
            ERROR, f"{outbound} needs a virtual network of your own.", ("udr.requirements",),
            "Plan a network of your own, or choose another way out.", field="own_network",
        )  # fmt: skip
    if not design.own_network and any(each.kind == "pod subnet" for each in demands):
        yield Finding(
            ERROR, "A pod subnet needs a virtual network of your own.", ("podsubnet.delegated",),
            "Plan a network of your own.", field="own_network",
        )  # fmt: skip


def _unnamed(design: Design, demands: Sequence[Demand]) -> Findings:
    """Subnets that pools name and the design does not have, though it has others."""
    for each in demands:
        if design.subnets and each.kind != "pod range" and design.subnet(each.name) is None:
            yield Finding(
                ADVICE, f"The plan has no subnet {each.name}, which pools are to use as their "
                f"{each.kind}.", ("azure.subnets_disjoint",),
                "Give it a range, or let the pools use another; until then a range is proposed.",
                field=f"subnets.{each.name}",
            )  # fmt: skip


def _names(model: NetworkModel, design: Design) -> Findings:
    most = number("overlay.name_length")
    for subnet in design.subnets:
        if model.names_are_labels and len(subnet.name) > most:
            yield Finding(
                ERROR, f"The name of the subnet {subnet.name} has {len(subnet.name)} characters.",
                ("overlay.name_length",), f"Use at most {most}.", field=f"subnets.{subnet.name}",
            )  # fmt: skip


def _version(model: NetworkModel, design: Design) -> Findings:
    if not model.min_kubernetes or not design.kubernetes:
        return
    first = fact(model.min_kubernetes).value
    if not is_at_least(design.kubernetes, first):
        yield Finding(
            ERROR, f"{model.title} comes with Kubernetes {first}; the plan has "
            f"{design.kubernetes}.", (model.min_kubernetes,), "Choose a later version.",
            field="kubernetes",
        )  # fmt: skip


def _what_ends(model: NetworkModel, design: Design) -> Findings:
    today, windows = design.today, design.windows
    if model.ends:
        yield _ending(today, model.ends, model.title, "Choose Azure CNI Overlay.", "model")
    if design.policy == "azure":
        name, do = "Azure Network Policy Manager", "Choose Cilium or Calico."
        if windows:
            yield _ending(today, "npm.windows_end", f"{name} on Windows", do, "policy")
        yield _ending(today, "npm.linux_end", f"{name} on Linux", do, "policy")
    if design.load_balancer == "basic":
        do = "Choose the standard load balancer."
        yield _ending(today, "lb.basic_retired", "The Basic load balancer", do, "load_balancer")
    for pool in design.pools:
        if pool.system in _WINDOWS_ENDS:
            yield _ending(
                today, _WINDOWS_ENDS[pool.system], f"{pool.system}, which {pool.name} runs,",
                "Choose a newer Windows Server.", f"pools.{pool.name}.system",
            )  # fmt: skip


_WINDOWS_ENDS = {
    "Windows2019": "windows.server_2019_end",
    "Windows2022": "windows.server_2022_end",
}


def _ending(today: date, fact_id: str, name: str, do: str, field: str) -> Finding:
    """An error once the day has come, a warning before."""
    end = date.fromisoformat(fact(fact_id).value)
    if today >= end:
        return Finding(ERROR, f"{name} ended on {end}.", (fact_id,), do, field=field)
    days = (end - today).days
    said = f"{name} ends on {end}, in {days:,} day{'s' if days > 1 else ''}."
    return Finding(WARNING, said, (fact_id,), do, field=field)
