"""How far a pod range reaches in overlay, and what AKS says of it: a picture and a calculator.

Both ask the planner; what it refuses is shown in its words, and in those of AKS where known.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from netaddr import IPNetwork

from course.addresses import canonical, parse_range
from course.cluster import MaxSurge
from course.design import Design, NamedRange, Pool, Subnet
from course.errors import InputError
from course.facts import fact, number
from course.finding import Demand, Finding
from course.networks import model
from course.planner.comparison import ModelPlan, plan
from course.sizing.pod_range import addresses_per_node
from course.views.bar import bar_svg
from course.views.calculators import Calculator, FieldError, count, max_pods, surge
from course.views.fields import Field
from course.views.html import note, table
from course.views.pictures import Picture

ASKED = ("pod_range", "service_range", "pools", "subnets.nodes")  # fields whose errors are shown


def pod_range_use(pod_range: str, *pools: Pool) -> Picture:
    """How full an overlay pod range is when its pools are as large as they may ever be.

    >>> print(pod_range_use("10.244.0.0/22", Pool(nodes=1, max_nodes=4, max_surge=1)).caption)
    AKS refuses it: 1,280 addresses are needed, 1,024 are there. InsufficientSubnetSize: \
Pre-allocated IPs 1280 exceeds IPs available 1024 in Subnet Cidr 10.244.0.0/22, Subnet Name \
networkProfile.podCIDR.
    """
    made = _plan(Design(model="overlay", pools=pools, pod_range=parse_range(pod_range, 4)))
    demand = _demand(made)
    said = f" {demand.refusal}" if _too_small(demand) else ""
    return _picture(demand, made.design, f"{_verdict(demand, made.design)}{said}")


def pod_range_calculator(pod_range: str = "10.244.0.0/16", nodes: int = 3) -> Calculator:
    """Whether a pod range serves so many nodes, and what it must not overlap.

    `pod_range` and `nodes` are what it starts with.
    """
    services, most = fact("aks.default_service_cidr").value, number("overlay.default_max_pods")
    fields = (
        Field("pod_range", "Pod range", pod_range, _read_range),
        Field("nodes", "Nodes, at the most", str(nodes), count("nodes", least=1)),
        Field("max_surge", "max-surge (1 or 10%)", "1", surge),
        Field("max_pods", "max-pods (per node)", "30", max_pods(most)),
        Field("subnet", "Node subnet", "10.240.0.0/23", _read_range),
        Field("services", "Service range", services, _read_range),
        Field("others", "On-premises ranges", "192.168.0.0/24", _read_ranges),
    )
    return Calculator(fields, _calculated)


def _calculated(
    pod_range: IPNetwork, nodes: int, max_surge: MaxSurge, max_pods: int, subnet: IPNetwork,
    services: IPNetwork, others: list[IPNetwork],
) -> str:  # fmt: skip
    try:
        design = Design(
            model="overlay",
            pools=(Pool("pool1", nodes, max_pods=max_pods, max_surge=max_surge),),
            vnet=(subnet,),
            subnets=(Subnet("nodes", subnet),),
            pod_range=pod_range,
            service_range=services,
            dns_address=services[min(10, services.size - 1)],
            on_premises=tuple(NamedRange(f"site{n}", each) for n, each in enumerate(others, 1)),
        )
        made = _plan(design)
    except InputError as error:
        raise FieldError("nodes", error) from error
    demand = _demand(made)
    wrong = [each for each in made.errors if each.field in ASKED]
    said = _verdict(demand, made.design)
    if wrong and not _too_small(demand):
        said = f"It cannot be like this, though {said[0].lower()}{said[1:]}"
    return (
        note(f"<strong>{escape(said)}</strong>", "status")
        + (_complaints(wrong) if wrong else "")
        + _picture(demand, made.design).html
        + _working(demand)
    )


def _plan(design: Design) -> ModelPlan:
    return plan(design, model("overlay"))


def _demand(made: ModelPlan) -> Demand:
    return next(each for each in made.demands if each.kind == "pod range")


def _too_small(demand: Demand) -> bool:
    return demand.needed > demand.available


def _verdict(demand: Demand, design: Design) -> str:
    needed, there = f"{demand.needed:,}", f"{demand.available:,}"
    if _too_small(demand):
        return f"AKS refuses it: {needed} addresses are needed, {there} are there."
    left = (demand.available - demand.needed) // addresses_per_node()
    return (
        f"The pod range is large enough: {design.peak_nodes:,} nodes at the peak take {needed} of "
        f"{there} addresses. {left:,} more nodes would fit."
    )


def _picture(demand: Demand, design: Design, caption: str = "") -> Picture:
    """A bar of the pod range, a /24 for each node; what goes beyond its end is too much."""
    each, total = addresses_per_node(), demand.available
    planned = design.planned_nodes * each
    surge, free = demand.needed - planned, max(0, total - demand.needed)
    parts = {"for nodes": planned, "for surge nodes": surge, "free": free}
    parts = {name: addresses for name, addresses in parts.items() if addresses}
    words = [
        f"{addresses:,} addresses {name} ({addresses // each:,} × /24)"
        for name, addresses in parts.items()
    ]
    where = canonical(design.pod_range) if design.pod_range else "that the planner proposes"
    words.append(f"the pod range ends after {total:,} addresses: {total // each:,} nodes")
    alt = f"A bar of the pod range {where}: {'; '.join(words)}."
    return Picture(bar_svg(parts, total, "end of the pod range"), alt, words, caption)


def _complaints(wrong: Iterable[Finding]) -> str:
    rows = [
        [escape(each.what), escape(each.refusal or "not known"), escape(each.do)] for each in wrong
    ]
    return table("What is wrong", ["what", "AKS says", "what to do"], rows)


def _working(demand: Demand) -> str:
    rows = [
        [escape(line.what), escape(line.how), f"<strong>{escape(line.result_text)}</strong>"]
        for line in demand.working
    ]
    return table("How many addresses", ["what", "how", "result"], rows)


def _read_range(text: str) -> IPNetwork:
    return parse_range(text.strip(), 4)


def _read_ranges(text: str) -> list[IPNetwork]:
    return [_read_range(each) for each in text.replace(",", " ").split()]
