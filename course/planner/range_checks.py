"""What is wrong with the ranges of a design: overlaps, reserved ranges, sizes, the DNS address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from netaddr import IPNetwork

from course.addresses import canonical, contains, overlaps
from course.design import Design, NamedRange
from course.facts import fact, number
from course.finding import Demand, Finding, Severity
from course.networks.model import NetworkModel
from course.ranges import dns_problem, forbidden_overlaps, reserved_overlaps

T = TypeVar("T")
Findings = Iterator[Finding]
ERROR, WARNING = Severity.ERROR, Severity.WARNING


def range_findings(
    model: NetworkModel, design: Design, demands: Sequence[Demand]
) -> tuple[Finding, ...]:
    """Every finding about ranges, for the ranges that a model uses."""
    pod_range = next((each.range for each in demands if each.kind == "pod range"), None)
    return (
        *_virtual_network(design),
        *_subnets(design, demands),
        *_connected(design),
        *_beside(
            design, "service range", design.service_range, "service_range",
            "service.cidr_no_overlap",
        ),
        *_service_range(design),
        *(_pod_range(model, design, pod_range) if pod_range is not None else ()),
    )  # fmt: skip


def _virtual_network(design: Design) -> Findings:
    for space in design.vnet:
        yield from _reserved("virtual network", space, "vnet")
        for kind, other in _others(design):
            if overlaps(space, other.range):
                yield _met(kind, other, space)
    for first, second in _pairs(design.vnet):
        if not overlaps(first, second):
            continue
        yield Finding(
            ERROR, f"The virtual network names {canonical(first)} and {canonical(second)}, which "
            "overlap.", ("azure.subnets_disjoint",), "Name each address once.", field="vnet",
        )  # fmt: skip


def _met(kind: str, other: NamedRange, space: IPNetwork) -> Finding:
    """A connected network that shares addresses with the virtual network."""
    shown = f"{other.name}, {canonical(other.range)}"
    if kind == "on-premises" and space in other.range:
        return Finding(
            WARNING, f"The virtual network, {canonical(space)}, lies inside the on-premises "
            f"network {shown}.", ("azure.peering_disjoint",),
            "Make sure that nothing on premises uses these addresses: it could not be reached.",
            field="vnet",
        )  # fmt: skip
    return Finding(
        ERROR, f"The virtual network, {canonical(space)}, overlaps the {kind} network {shown}.",
        ("azure.peering_disjoint",), "Choose an address space that no connected network uses.",
        field="vnet",
    )  # fmt: skip


def _connected(design: Design) -> Findings:
    """Networks connected to this one that overlap each other: one of them cannot be reached."""
    for (_, first), (_, second) in _pairs(list(_others(design))):
        if overlaps(first.range, second.range):
            yield Finding(
                WARNING, f"The networks {first.name}, {canonical(first.range)}, and {second.name}, "
                f"{canonical(second.range)}, overlap.", ("azure.peering_disjoint",),
                "Where both have an address, only one of them can be reached.", field="peered",
            )  # fmt: skip


def _others(design: Design) -> Iterator[tuple[str, NamedRange]]:
    """Every connected network, with its kind."""
    yield from (("peered", each) for each in design.peered)
    yield from (("on-premises", each) for each in design.on_premises)


def _subnets(design: Design, demands: Sequence[Demand]) -> Findings:
    smallest = number("azure.subnet_smallest_prefix")
    for subnet in design.subnets:
        field, shown = f"subnets.{subnet.name}", f"{subnet.name}, {canonical(subnet.range)},"
        if not any(contains(space, subnet.range) for space in design.vnet):
            yield Finding(
                ERROR, f"The subnet {shown} is not inside the virtual network.",
                ("azure.subnets_disjoint",),
                f"Choose a range inside {', '.join(canonical(each) for each in design.vnet)}.",
                field=field,
            )  # fmt: skip
        if subnet.range.prefixlen > smallest:
            yield Finding(
                ERROR, f"The subnet {shown} is smaller than any subnet of Azure.",
                ("azure.subnet_smallest_prefix",), f"Make it a /{smallest} or larger.", field=field,
            )  # fmt: skip
    for first, second in _pairs(design.subnets):
        if overlaps(first.range, second.range):
            yield Finding(
                ERROR, f"The subnets {first.name}, {canonical(first.range)}, and {second.name}, "
                f"{canonical(second.range)}, overlap.", ("azure.subnets_disjoint",),
                "Give each its own range.", field=f"subnets.{second.name}",
            )  # fmt: skip
    node_subnets = {each.name for each in demands if each.kind == "node subnet"}
    for name in sorted(node_subnets & {e.name for e in demands if e.kind == "pod subnet"}):
        yield Finding(
            ERROR, f"The subnet {name} is to serve nodes and pods at once.",
            ("podsubnet.delegated",), "Give pods a subnet of their own.", field=f"subnets.{name}",
        )  # fmt: skip


def _service_range(design: Design) -> Findings:
    most = int(fact("service.cidr_max").value.removeprefix("/"))
    where = canonical(design.service_range)
    if design.service_range.prefixlen <= most:
        yield Finding(
            ERROR, f"The service range, {where}, is too large.", ("service.cidr_max",),
            f"Make it smaller than a /{most}, such as a /16.", field="service_range",
        )  # fmt: skip
    if problem := dns_problem(design.service_range, design.dns_address):
        address, code = canonical(design.dns_address), fact("service.dns_refusal").value
        inside = contains(design.service_range, design.dns_address)
        yield Finding(
            ERROR, f"The cluster DNS address {address} {problem.rule}",
            ("service.dns_ip_rule", *(() if inside else ("service.dns_refusal",))),
            problem.way_out, field="dns_address",
            refusal="" if inside else f"{code}: The DNS service IP {address} is out of the range "
            f"defined by service CIDR {where}.",
        )  # fmt: skip
    code = fact("service.cidr_overlap_refusal").value
    for subnet in design.subnets:
        if overlaps(design.service_range, subnet.range):
            yield Finding(
                ERROR, f"The service range, {where}, overlaps the subnet {subnet.name}, "
                f"{canonical(subnet.range)}.",
                ("service.cidr_no_overlap", "service.cidr_overlap_refusal"),
                "Choose a service range that nothing else uses.", field="service_range",
                refusal=f"{code}: The specified service CIDR {where} is conflicted with an "
                f"existing subnet CIDR {canonical(subnet.range)}",
            )  # fmt: skip
    for space in design.vnet:
        inside = any(overlaps(design.service_range, subnet.range) for subnet in design.subnets)
        if overlaps(design.service_range, space) and not inside:
            yield Finding(
                ERROR, f"The service range, {where}, overlaps the virtual network, "
                f"{canonical(space)}.", ("service.cidr_no_overlap",),
                "Choose a service range that nothing else uses.", field="service_range",
            )  # fmt: skip


def _pod_range(model: NetworkModel, design: Design, pod_range: IPNetwork) -> Findings:
    where, rule = canonical(pod_range), model.pod_range_rule
    yield from _beside(design, "pod range", pod_range, "pod_range", rule)
    if overlaps(pod_range, design.service_range):
        yield Finding(
            ERROR, f"The pod range, {where}, overlaps the service range, "
            f"{canonical(design.service_range)}.", (rule, "service.cidr_no_overlap"),
            "Move one of them.", field="pod_range",
        )  # fmt: skip
    hit = [subnet for subnet in design.subnets if overlaps(pod_range, subnet.range)]
    code = fact(model.pod_range_refusal).value if model.pod_range_refusal else ""
    for subnet in hit:
        yield Finding(
            ERROR, f"The pod range, {where}, overlaps the subnet {subnet.name}, "
            f"{canonical(subnet.range)}.",
            (rule, *((model.pod_range_refusal,) if code else ())),
            "Choose a pod range outside of the virtual network.", field="pod_range",
            refusal=f"{code}: NetworkProfile CIDR {where} overlaps with reserved VNET CIDR "
            f"{canonical(subnet.range)}" if code else "",
        )  # fmt: skip
    for space in design.vnet:
        if overlaps(pod_range, space) and not hit:
            yield Finding(
                WARNING, f"The pod range, {where}, lies in the virtual network, "
                f"{canonical(space)}: no subnet can ever use it.", (rule,),
                "Choose a pod range outside of the virtual network.", field="pod_range",
            )  # fmt: skip


def _beside(design: Design, name: str, network: IPNetwork, field: str, rule: str) -> Findings:
    """What holds for both ranges that lie beside the virtual network."""
    yield from _reserved(name, network, field)
    for kind, other in _others(design):
        if overlaps(network, other.range):
            yield Finding(
                ERROR, f"The {name}, {canonical(network)}, overlaps the {kind} network "
                f"{other.name}, {canonical(other.range)}.", (rule,),
                f"Choose a {name} that no connected network uses: "
                "what lies there could not be reached.", field=field,
            )  # fmt: skip


def _reserved(name: str, network: IPNetwork, field: str) -> Findings:
    kinds = (
        ("aks.reserved_ranges", reserved_overlaps(network), "which AKS keeps for itself"),
        ("azure.forbidden_ranges", forbidden_overlaps(network), "which Azure does not allow"),
    )
    for fact_id, kept, why in kinds:
        if kept:
            shown = " and ".join(canonical(each) for each in kept)
            yield Finding(
                ERROR, f"The {name}, {canonical(network)}, overlaps {shown}, {why}.", (fact_id,),
                "Choose another range.", field=field,
            )  # fmt: skip


def _pairs(items: Sequence[T]) -> Iterator[tuple[T, T]]:
    return ((one, other) for index, one in enumerate(items) for other in items[index + 1 :])
