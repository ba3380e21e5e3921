"""What `az aks show` tells of a cluster besides its pools: model, ranges, policy, way out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from course.addresses import parse_address, parse_range
from course.design import (
    DATA_PLANES,
    LOAD_BALANCERS,
    OUTBOUND_TYPES,
    POLICIES,
    TIERS,
    Design,
    Outbound,
)
from course.errors import InputError
from course.planner.running_json import Fields
from course.planner.running_report import AZ_AKS_SHOW, Missing, Report

_NET = "networkprofile"
_ROUTES = (
    "az network route-table route list --resource-group <resource-group> "
    "--route-table-name <route-table> --output json"
)
_NAT_GATEWAY = "az network nat gateway show --resource-group <resource-group> --name <nat-gateway>"
_PREFIX = "az network public-ip prefix show --resource-group <resource-group> --name <prefix>"
_QUESTIONS = {
    "name": "What is the cluster called?",
    "model": "Which model gives its pods their addresses?",
    "kubernetes": "Which Kubernetes version does it run?",
    "tier": "Which pricing tier has it: Free, Standard or Premium?",
    "pod_range": "Which range have its pods?",
    "service_range": "Which range have its Services?",
    "dns_address": "Which address has its DNS Service?",
    "outbound.type": "How does it reach the internet?",
    "load_balancer": "Which SKU has its load balancer: standard or basic?",
    "policy": "Which network policy engine does it run?",
    "data_plane": "Which data plane does it run?",
}
_WITH_POD_RANGE = ("kubenet", "overlay")


def without_cluster(name: str, kubelets: Sequence[str], report: Report) -> Design:
    """The design where `az aks show` was not given: asks for all that it would tell.

    The name may be known from the pools, the version from the nodes: no node is newer than the
    control plane.
    """
    newest = max((_minor(each) for each in kubelets), key=_order, default="")
    design = report.changed(Design(), _missing("name"), name=name) if name else Design()
    design = report.changed(design, _missing("kubernetes"), kubernetes=newest)
    for field in _QUESTIONS:
        known = (field == "name" and name) or (field == "kubernetes" and newest)
        if not known:
            report.add(_missing(field))
    return design


def read_cluster(cluster: Fields, pools: Sequence[Fields], report: Report) -> Design:
    """The design without its pools and networks; asks for what az did not tell.

    >>> read_cluster(Fields({"networkprofile": {"networkplugin": "kubenet"}}), (), Report()).model
    'kubenet'
    """
    version = cluster.text("currentkubernetesversion") or cluster.text("kubernetesversion")
    told: dict[str, object] = {
        "name": cluster.text("name"),
        "kubernetes": _minor(version) or None,
        "tier": _one_of(cluster.text("sku", "tier").replace("Paid", "Standard"), TIERS, None),
        "service_range": _range(cluster, "servicecidr", "servicecidrs"),
        "dns_address": _dns_address(cluster),
        "load_balancer": _one_of(cluster.at(_NET, "loadbalancersku"), LOAD_BALANCERS, "standard"),
        "policy": _one_of(cluster.at(_NET, "networkpolicy"), POLICIES, "none"),
        "data_plane": _one_of(cluster.at(_NET, "networkdataplane"), DATA_PLANES, "azure"),
        "model": _model(cluster, pools, report),
    }
    design = Design()
    for field, value in told.items():
        # what was not told is None here, where Design has something: it is asked for
        if value is None:
            report.add(_missing(field))
        else:
            design = report.changed(design, _missing(field), **{field: value})
    design = report.changed(design, _missing("outbound.type"), outbound=_outbound(cluster, report))
    return _with_pod_range(_with_needs(design, cluster), cluster, report)


def _missing(field: str) -> Missing:
    return Missing(field, _QUESTIONS[field], AZ_AKS_SHOW)


def _minor(version: str) -> str:
    """The first two parts of a version like 1.31.8 or v1.31.8, "" if it is none."""
    found = re.match(r"v?([0-9]{1,2}\.[0-9]{1,3})(?![0-9])", version)
    return found[1] if found else ""


def _order(minor: str) -> tuple[int, ...]:
    return tuple(int(part) for part in minor.split(".") if part)


def _one_of(value: object, allowed: Sequence[str], unset: str | None) -> str | None:
    """The allowed word that this is, in whatever case; `unset` where az shows nothing."""
    if value is None or value == "":
        return unset
    lower = value.lower() if isinstance(value, str) else None
    return next((word for word in allowed if word.lower() == lower), None)


def _model(cluster: Fields, pools: Sequence[Fields], report: Report) -> str | None:
    plugin = cluster.text(_NET, "networkplugin").lower()
    if plugin == "kubenet":
        return "kubenet"
    if plugin == "none":
        report.note("The cluster brings its own network plugin; the planner knows no model of it.")
        report.ask("model", "Which model is to be planned in place of its own network plugin?")
        return ""
    if plugin != "azure":
        return None
    if cluster.text(_NET, "networkpluginmode").lower() == "overlay":
        return "overlay"
    static = {
        pool.text("podipallocationmode").lower() == "staticblock"
        for pool in pools
        if pool.text("podsubnetid")
    }
    if not static:
        return "node-subnet"
    if len(static) == 2:
        report.note(
            "Some pools take pod addresses in static blocks and some dynamically; the plan takes "
            "all for dynamic."
        )
    return "pod-subnet-static" if static == {True} else "pod-subnet-dynamic"


def _range(cluster: Fields, one: str, many: str) -> object:
    """The first IPv4 range: of a cluster with both families the planner plans that one."""
    for text in (cluster.text(_NET, one), *cluster.texts(_NET, many)):
        try:
            return parse_range(text, version=4)
        except InputError:
            continue
    return None


def _dns_address(cluster: Fields) -> object:
    try:
        return parse_address(cluster.text(_NET, "dnsserviceip"), version=4)
    except InputError:
        return None


def _with_pod_range(design: Design, cluster: Fields, report: Report) -> Design:
    if ":" in "".join(cluster.texts(_NET, "podcidrs") + cluster.texts(_NET, "servicecidrs")):
        report.note("The cluster has IPv6 ranges too; the planner plans its IPv4 ones.")
    if design.model not in _WITH_POD_RANGE:
        return design  # its pods have addresses of a subnet
    found = _range(cluster, "podcidr", "podcidrs")
    if found is None:
        report.add(_missing("pod_range"))
    return report.changed(design, _missing("pod_range"), pod_range=found)


def _with_needs(design: Design, cluster: Fields) -> Design:
    # the one need that shows; the others are asked for
    if cluster.at("addonprofiles", "aciconnectorlinux", "enabled") is not True:
        return design
    return Report().changed(design, Missing("needs", ""), needs=frozenset({"virtual nodes"}))


def _outbound(cluster: Fields, report: Report) -> Outbound:
    kind = _one_of(cluster.at(_NET, "outboundtype"), OUTBOUND_TYPES, None)
    if kind is None:
        report.add(_missing("outbound.type"))
        return Outbound()
    outbound = Outbound(kind)
    if kind == "userDefinedRouting":
        report.ask(
            "outbound.next_hop", "Which address has the appliance that its route leads to?", _ROUTES
        )
    if kind == "userAssignedNATGateway":
        report.ask(
            "outbound.addresses", "How many public addresses has the NAT gateway?", _NAT_GATEWAY
        )
    if kind == "managedNATGateway":
        profile = (_NET, "natgatewayprofile")
        count = cluster.whole(*profile, "managedoutboundipprofile", "count")
        return _with_addresses(outbound, count or _listed(cluster, profile), report)
    if kind == "loadBalancer" and cluster.text(_NET, "loadbalancersku").lower() != "basic":
        return _of_load_balancer(outbound, cluster, report)
    return outbound


def _of_load_balancer(outbound: Outbound, cluster: Fields, report: Report) -> Outbound:
    profile = (_NET, "loadbalancerprofile")
    if cluster.each(*profile, "outboundipprefixes", "publicipprefixes"):
        report.ask(
            "outbound.addresses",
            "How many addresses have the load balancer's public IP prefixes together?", _PREFIX,
        )  # fmt: skip
    else:
        # the managed ones are counted for IPv4 alone
        count = cluster.whole(*profile, "managedoutboundips", "count")
        outbound = _with_addresses(outbound, count or _listed(cluster, profile), report)
    ports = cluster.at(*profile, "allocatedoutboundports")
    known = 0 if ports is None else cluster.whole(*profile, "allocatedoutboundports")
    ask = Missing("outbound.ports_per_node", "How many outbound ports has each node?", AZ_AKS_SHOW)
    return report.changed(outbound, ask, ports_per_node=known)


def _listed(cluster: Fields, profile: tuple[str, ...]) -> int:
    """How many addresses a profile lists, those that somebody brought or else those in effect."""
    brought = cluster.each(*profile, "outboundips", "publicips")
    return len(brought or cluster.each(*profile, "effectiveoutboundips"))


def _with_addresses(outbound: Outbound, count: int, report: Report) -> Outbound:
    ask = Missing("outbound.addresses", "How many public addresses has its way out?", AZ_AKS_SHOW)
    return report.changed(outbound, ask, addresses=count)
