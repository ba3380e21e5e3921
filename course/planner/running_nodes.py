"""What kubectl sees of a cluster: nodes, gathered by their pool."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from netaddr import IPAddress, IPNetwork

from course.addresses import parse_address, parse_range
from course.errors import InputError
from course.planner.running_json import Fields, id_part
from course.planner.running_report import Report

_POOL_LABELS = ("kubernetes.azure.com/agentpool", "agentpool")


@dataclass(frozen=True)
class SeenPool:
    """The nodes of one pool as they run. `max_pods` is None where they differ or do not say."""

    name: str
    nodes: int
    max_pods: int | None
    os_type: str
    os_sku: str
    addresses: tuple[IPAddress, ...]
    pod_ranges: tuple[IPNetwork, ...]
    kubelets: tuple[str, ...]


def seen_pools(nodes: Sequence[Fields], report: Report) -> dict[str, SeenPool]:
    """The pools that nodes belong to, by name; nodes of no pool are noted and left out.

    >>> node = Fields({"metadata": {"labels": {"agentpool": "user"}}})
    >>> seen_pools([node, node], Report())["user"].nodes
    2
    """
    groups: dict[str, list[Fields]] = {}
    for node in nodes:
        groups.setdefault(_pool_name(node), []).append(node)
    strays = groups.pop("", [])
    if strays:
        report.note(
            f"Nodes that belong to no node pool, such as virtual and auto-provisioned nodes, were "
            f"left out: {len(strays)}."
        )
    cordoned = sum(node.at("spec", "unschedulable") is True for node in nodes)
    if cordoned:
        report.note(f"Nodes that take no new pods (cordoned): {cordoned}.")
    return {name: _seen(name, groups[name]) for name in sorted(groups)}


def node_groups(nodes: Sequence[Fields]) -> set[str]:
    """The resource groups that the nodes' machines are in, in lower case."""
    ids = (node.text("spec", "providerid") for node in nodes)
    return {id_part(each, "resourcegroups").lower() for each in ids} - {""}


def _pool_name(node: Fields) -> str:
    names = (node.text("metadata", "labels", label) for label in _POOL_LABELS)
    return next((name for name in names if name), "")


def _seen(name: str, nodes: Sequence[Fields]) -> SeenPool:
    capacities = {node.whole("status", "capacity", "pods") for node in nodes}
    return SeenPool(
        name=name,
        nodes=len(nodes),
        max_pods=capacities.pop() if len(capacities) == 1 else None,
        os_type=_most_common(nodes, "metadata", "labels", "kubernetes.io/os"),
        os_sku=_most_common(nodes, "metadata", "labels", "kubernetes.azure.com/os-sku"),
        addresses=tuple(address for node in nodes for address in _addresses(node)),
        pod_ranges=tuple(found for node in nodes for found in _pod_range(node)),
        kubelets=tuple(node.text("status", "nodeinfo", "kubeletversion") for node in nodes),
    )


def _most_common(nodes: Sequence[Fields], *path: str) -> str:
    # the text itself decides between equals, and not which node came first
    counts = Counter(node.text(*path) for node in nodes)
    return max(counts, key=lambda text: (counts[text], text))


def _addresses(node: Fields) -> list[IPAddress]:
    found = []
    for each in node.each("status", "addresses"):
        if each.text("type") == "InternalIP":
            try:
                found.append(parse_address(each.text("address"), version=4))
            except InputError:
                continue  # an IPv6 address, of which the plan knows nothing
    return found


def _pod_range(node: Fields) -> list[IPNetwork]:
    try:
        return [parse_range(node.text("spec", "podcidr"), version=4)]
    except InputError:
        return []  # nodes whose pods have addresses of a subnet have none
