"""Your own cluster: the design of one that runs, read from what az and kubectl print of it.

Nothing is sent anywhere, and of what is pasted only the few fields that a plan needs are copied:
no id of a subscription, tenant or identity, no key, certificate, user name or host name.

>>> running = read(['{"name": "shop", "type": "Microsoft.ContainerService/ManagedClusters", '
...     '"networkProfile": {"networkPlugin": "azure", "networkPluginMode": "overlay"}}'])
>>> running.design.name, running.design.model
('shop', 'overlay')
>>> running.missing[0].field, running.missing[0].question
('kubernetes', 'Which Kubernetes version does it run?')
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from course.addresses import contains
from course.design import Design, Services, Subnet
from course.errors import InputError
from course.planner.running_cluster import read_cluster, without_cluster
from course.planner.running_json import Documents, Fields, documents, id_part
from course.planner.running_network import cluster_network, made_by_aks, read_network
from course.planner.running_nodes import SeenPool, node_groups, seen_pools
from course.planner.running_pools import az_pools, read_pools
from course.planner.running_report import (
    AZ_AKS_SHOW,
    AZ_NODEPOOL_LIST,
    AZ_VNET_LIST,
    AZ_VNET_SHOW,
    KUBECTL_GET_NODES,
    Missing,
    Report,
)

__all__ = ["COMMANDS", "Missing", "Running", "read"]

COMMANDS = (AZ_AKS_SHOW, AZ_NODEPOOL_LIST, AZ_VNET_SHOW, KUBECTL_GET_NODES)


@dataclass(frozen=True)
class Running:
    """A cluster as it runs. Where something is `missing`, `design` holds a default; `notes` say
    what was recognised, what was left out, and where the answers disagree."""

    design: Design
    missing: tuple[Missing, ...]
    notes: tuple[str, ...]


def read(texts: Sequence[str | bytes]) -> Running:
    """The design of a running cluster, from what the commands in COMMANDS print as JSON.

    Any of them will do, in any order, in one text or several; files may be given as they are.
    Raises InputError for what is no JSON, for answers of which none is one of these, and for
    answers about several clusters. It never shows what was pasted.

    >>> read(["Unable to connect to the server"])
    Traceback (most recent call last):
    ...
    course.errors.InputError: 'text 1' holds no JSON. Copy all of what the command prints with \
--output json, from its first bracket to its last.
    """
    try:
        return _read(documents(texts))
    except RecursionError:
        raise InputError(
            "the text", "is nested deeper than any answer of az or kubectl.", "Copy it again."
        ) from None


def _read(given: Documents) -> Running:
    report = Report()
    _tell_what_was_given(given, report)
    cluster, name = _one_cluster(given)
    seen = seen_pools(given.nodes, report)
    told = az_pools(cluster, given.pools, report)
    if cluster:
        design = read_cluster(cluster, told, report)
    else:
        kubelets = [each for pool in seen.values() for each in pool.kubelets]
        design = without_cluster(name, kubelets, report)
    design = replace(design, pools=read_pools(told, seen, report))
    design = _with_network(design, given, cluster, told, report)
    design = _with_subnets_of_pools(design, told, seen, report)
    _compare_pod_ranges(design, seen, report)
    _ask_what_nothing_tells(report)
    return Running(design, report.missing, report.notes)


def _tell_what_was_given(given: Documents, report: Report) -> None:
    counts = {
        "clusters (az aks show)": len(given.clusters),
        "node pools (az aks nodepool list)": len(given.pools),
        "virtual networks (az network vnet)": len(given.networks),
        "nodes (kubectl get nodes)": len(given.nodes),
        "of other kinds, left out": given.unknown,
    }
    told = "; ".join(f"{what}: {count}" for what, count in counts.items() if count)
    report.note(f"Read: {told}.")


def _one_cluster(given: Documents) -> tuple[Fields | None, str]:
    """What `az aks show` prints, and the cluster's name.

    Raises InputError where the answers are about several clusters.
    """
    named_by_pools = {id_part(pool.text("id"), "managedclusters") for pool in given.pools} - {""}
    names = {name.lower() for name in named_by_pools}
    names |= {cluster.text("name").lower() for cluster in given.clusters} - {""}
    groups = {cluster.text("noderesourcegroup").lower() for cluster in given.clusters} - {""}
    groups |= node_groups(given.nodes)
    if max(len(given.clusters), len(names), len(groups)) > 1:
        raise InputError(
            "the text", "tells of more than one cluster.", "Give the answers of one at a time."
        )
    return next(iter(given.clusters), None), max(named_by_pools, default="")


def _groups(given: Documents, cluster: Fields | None) -> set[str]:
    """The resource groups, in lower case, in which AKS made the cluster's machines."""
    made = cluster.text("noderesourcegroup").lower() if cluster else ""
    return ({made} - {""}) | node_groups(given.nodes)


def _with_network(
    design: Design,
    given: Documents,
    cluster: Fields | None,
    told: Sequence[Fields],
    report: Report,
) -> Design:
    groups = _groups(given, cluster)
    if told:
        design = replace(design, own_network=not made_by_aks(told))
    else:
        report.ask("own_network", "Did AKS make its virtual network?", AZ_NODEPOOL_LIST)
    own = cluster_network(given.networks, told, groups, report)
    if own is None:
        return design
    network = read_network(own, given.networks, groups, report)
    if network.internal_services:
        report.note(
            f"Internal Services hold addresses in the network: {network.internal_services}."
        )
    return replace(
        design,
        vnet=network.vnet or design.vnet,
        subnets=network.subnets,
        peered=network.peered,
        services=Services(internal=network.internal_services),
    )


def _with_subnets_of_pools(
    design: Design, told: Sequence[Fields], seen: Mapping[str, SeenPool], report: Report
) -> Design:
    """Each pool in the subnet that az names, or else that its nodes' addresses lie in."""
    named = {fields.text("name") for fields in told if fields.text("vnetsubnetid")}
    pools = []
    for pool in design.pools:
        # Azure takes names in any case, and so may have written these in another
        of_nodes = _subnet_called(pool.subnet, design.subnets)
        of_pods = _subnet_called(pool.pod_subnet, design.subnets)
        if pool.name not in named:
            of_nodes = _subnet_around(seen.get(pool.name), design.subnets)
        pool = replace(pool, subnet=of_nodes.name) if of_nodes else pool
        pools.append(replace(pool, pod_subnet=of_pods.name) if of_pods else pool)
    design = replace(design, pools=tuple(pools))
    _ask_for_subnets(design, report)
    return design


def _ask_for_subnets(design: Design, report: Report) -> None:
    used = [pool.subnet for pool in design.pools]
    if design.model.startswith("pod-subnet"):
        used += [pool.pod_subnet for pool in design.pools]
    for name in dict.fromkeys(used):
        if design.subnet(name) is None:
            report.ask(
                f"subnets.{name}", f"Which range has the subnet of the pools, here called {name}?",
                AZ_VNET_SHOW if design.own_network else AZ_VNET_LIST,
            )  # fmt: skip


def _subnet_called(name: str, subnets: Sequence[Subnet]) -> Subnet | None:
    return next((subnet for subnet in subnets if subnet.name.lower() == name.lower()), None)


def _subnet_around(seen: SeenPool | None, subnets: Sequence[Subnet]) -> Subnet | None:
    """The subnet with all of these nodes; without any, the only one that there is."""
    if seen is None or not seen.addresses:
        return subnets[0] if len(subnets) == 1 else None
    around = (
        each for each in subnets if all(contains(each.range, found) for found in seen.addresses)
    )
    return next(around, None)


def _compare_pod_ranges(design: Design, seen: Mapping[str, SeenPool], report: Report) -> None:
    shown = [each for pool in seen.values() for each in pool.pod_ranges]
    whole = design.pod_range
    if whole is None or all(contains(whole, each) for each in shown):
        return
    report.note(f"kubectl shows pod ranges of nodes outside of {whole}, the range that az says.")


def _ask_what_nothing_tells(report: Report) -> None:
    report.ask(
        "services", "How many Services of type LoadBalancer has it, public and internal, and how "
        "many ports has each?", "kubectl get services --all-namespaces",
    )  # fmt: skip
    report.ask("on_premises", "Which networks on premises does it talk to?")
    report.ask("needs", "What must its network offer, beyond what the answers show?")
