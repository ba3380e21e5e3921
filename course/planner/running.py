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
from course.planner.running_network import (
    Network,
    cluster_network,
    made_by_aks,
    read_network,
)
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
# without these, nobody can say whether the cluster's addresses suffice
ESSENTIAL = ("model", "pools", "vnet", "subnets", "pod_range", "service_range", "peered")


@dataclass(frozen=True)
class Running:
    """A cluster as it runs. Where something is `missing`, `design` holds a default; `notes` say
    what was recognised, what was left out, and where the answers disagree."""

    design: Design
    missing: tuple[Missing, ...]
    notes: tuple[str, ...]

    @property
    def needed(self) -> tuple[Missing, ...]:
        """What of the missing must be known before a verdict counts: model, pools, ranges."""
        return tuple(each for each in self.missing if each.field.split(".")[0] in ESSENTIAL)


def read(texts: Sequence[str | bytes]) -> Running:
    """The design of a running cluster, from what the commands in COMMANDS print as JSON.

    Any of them will do, in any order, in one text or several; files may be given as their bytes.
    Raises InputError for what is no JSON, for answers of which none is one of these, and for
    answers about several clusters. It never shows what was pasted, nor does its traceback.

    >>> read(["Unable to connect to the server"])
    Traceback (most recent call last):
    ...
    course.errors.InputError: 'text 1' holds no JSON. Copy all of what the command prints with \
--output json, from its first bracket to its last.
    """
    try:
        return _read(documents(texts))
    except RecursionError:
        refused = InputError(
            "the text", "is nested deeper than any answer of az or kubectl.", "Copy it again."
        )
    except InputError as error:
        # the errors behind it, and the frames that it came through, hold what was pasted
        refused = error.with_traceback(None)
        refused.__context__ = None
    del texts
    raise refused


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
    design = _with_own_network(design, told, report)
    network = _network(given, cluster, told, report)
    design = replace(
        design, vnet=network.vnet or design.vnet, subnets=network.subnets, peered=network.peered
    )
    design = _with_subnets_of_pools(design, told, seen, report)
    design = _with_services(design, network.services, report)
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
    # two clusters may share a name, each in a group of its own
    told = (*given.clusters, *given.pools)
    homes = {id_part(each.text("id"), "resourcegroups").lower() for each in told} - {""}
    names = {name.lower() for name in named_by_pools}
    names |= {cluster.text("name").lower() for cluster in given.clusters} - {""}
    groups = {cluster.text("noderesourcegroup").lower() for cluster in given.clusters} - {""}
    groups |= node_groups(given.nodes)
    if max(len(given.clusters), len(homes), len(names), len(groups)) > 1:
        raise InputError(
            "the text", "tells of more than one cluster.", "Give the answers of one at a time."
        )
    return next(iter(given.clusters), None), max(named_by_pools, default="")


def _groups(given: Documents, cluster: Fields | None) -> set[str]:
    """The resource groups, in lower case, in which AKS made the cluster's machines."""
    made = cluster.text("noderesourcegroup").lower() if cluster else ""
    return ({made} - {""}) | node_groups(given.nodes)


def _with_own_network(design: Design, told: Sequence[Fields], report: Report) -> Design:
    if told:
        return replace(design, own_network=not made_by_aks(told))
    report.ask("own_network", "Did AKS make its virtual network?", AZ_NODEPOOL_LIST)
    return design


def _network(
    given: Documents, cluster: Fields | None, told: Sequence[Fields], report: Report
) -> Network:
    groups = _groups(given, cluster)
    own = cluster_network(given.networks, told, groups, report)
    return Network() if own is None else read_network(own, given.networks, groups, report)


def _with_subnets_of_pools(
    design: Design, told: Sequence[Fields], seen: Mapping[str, SeenPool], report: Report
) -> Design:
    """Each pool in the subnet that az names, or else that its nodes' addresses lie in."""
    named = {fields.text("name") for fields in told if fields.text("vnetsubnetid")}
    pools = []
    for pool in design.pools:
        # Azure takes names in any case, and so may have written these in another
        of_nodes = design.subnet(pool.subnet)
        of_pods = design.subnet(pool.pod_subnet)
        if pool.name not in named:
            of_nodes = _subnet_around(seen.get(pool.name), design.subnets)
        pool = replace(pool, subnet=of_nodes.name) if of_nodes else pool
        pools.append(replace(pool, pod_subnet=of_pods.name) if of_pods else pool)
    design = replace(design, pools=tuple(pools))
    _ask_for_subnets(design, report)
    return design


def _with_services(design: Design, held: Mapping[str, int], report: Report) -> Design:
    """The plan counts internal Services in the first pool's subnet; those elsewhere are taken."""
    first = design.subnet(design.pools[0].subnet)
    home = first.name if first else ""
    elsewhere = {name: count for name, count in held.items() if name != home}
    for where, count in (
        ("in the subnet of the first pool", held.get(home, 0)),
        ("in other subnets, where they count as taken", sum(elsewhere.values())),
    ):
        if count:
            report.note(f"Internal Services hold addresses {where}: {count:,}.")
    subnets = tuple(
        replace(each, taken=each.taken + elsewhere.get(each.name, 0)) for each in design.subnets
    )
    return replace(design, subnets=subnets, services=Services(internal=held.get(home, 0)))


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
