"""Whose packets for pods Azure knows a way for, and which table says so, in each model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from course.linux.host import Host
from course.linux.routing import Found
from course.topology import AZURE, Cluster, Topology
from course.views.pictures import Picture
from course.views.svg import box, page, text, width_of
from course.world import World, build

WIDTH, GAP, ROW, TABLE = 640, 10, 23, 330


@dataclass(frozen=True)
class Knowledge:
    """What Azure knows of the pods of a cluster: for whose packets there is a way (`known`), for
    whose there is none, and the routes."""

    model: str
    known: tuple[str, ...]
    unknown: tuple[str, ...]
    routes: tuple[str, ...]


def pod_routes(*topologies: Topology) -> Picture:
    """Who may send to pods by their own addresses, in the first cluster of each topology.

    Asked of the tables of the host `azure`, the same that the lab builds.

    >>> from course.scenarios import small_cluster
    >>> print(pod_routes(small_cluster("overlay")).words[0])
    overlay: Azure has a way to pods for packets of node1 and node2.
    """
    found = [_knowledge(build(each)) for each in topologies]
    words = []
    for each in found:
        words += [
            f"{each.model}: Azure has a way to pods for packets of {_and(each.known)}.",
            f"{each.model}: it has none for packets of {_and(each.unknown)}.",
            *(f"{each.model}: {route}" for route in each.routes),
        ]
    told = "; ".join(f"in {each.model} {_and(each.known)}" for each in found)
    return Picture(_drawn(found), f"For whose packets Azure has a way to pods: {told}.", words)


def _knowledge(world: World) -> Knowledge:
    cluster, azure = world.topology.cluster, world.host(AZURE)
    asked = {dev: dict(_ways(azure, dev, cluster)) for dev in _cards(azure)}
    owners = {dev: dev.removeprefix("nic-") for dev in asked}
    most = max(asked.values(), key=len)
    routes = (f"{found.route.network} → {node}" for node, found in most.items())
    return Knowledge(
        cluster.model,
        tuple(owners[dev] for dev, ways in asked.items() if ways),
        tuple(owners[dev] for dev, ways in asked.items() if not ways),
        tuple(routes),
    )


def _cards(azure: Host) -> list[str]:
    return [link.name for link in azure.interfaces if link.name.startswith("nic-")]


def _ways(azure: Host, dev: str, cluster: Cluster) -> Iterator[tuple[str, Found]]:
    """The ways that Azure has to the pods of each node, for packets that come from a card."""
    for node in cluster.nodes:
        for pod in cluster.pods_of(node.name)[:1]:
            found = azure.route(pod.address, iif=dev)
            if found and found.route.type == "unicast" and found.dev == f"nic-{node.name}":
                yield node.name, found


def _drawn(found: Sequence[Knowledge]) -> str:
    """The models below each other."""
    svg, y = "", float(GAP)
    for each in found:
        height = _height(each)
        svg += box(GAP, y, WIDTH - 2 * GAP, height, "#f4f4f4", 'rx="6"')
        svg += text(2 * GAP, y + 18, each.model, bold=True) + _senders(each, y + 28)
        y += height + GAP
    return page(WIDTH, y, svg)


def _height(each: Knowledge) -> float:
    return 34 + ROW * max(len(each.known) + len(each.unknown), len(each.routes) + 1)


def _senders(each: Knowledge, top: float) -> str:
    """Who sends on the left, what Azure knows on the right, a line between where it helps."""
    tall = ROW * (len(each.routes) + 1)
    svg = box(TABLE, top, WIDTH - TABLE - 2 * GAP, tall, "#fff", 'stroke-width="2"')
    for at, line in enumerate(("Azure's routes to pods", *each.routes)):
        svg += text(TABLE + GAP, top + 16 + ROW * at, line, bold=not at)
    for at, name in enumerate((*each.known, *each.unknown)):
        y = top + ROW * at
        svg += box(2 * GAP, y, width_of(name) + 2 * GAP, ROW - 5, "#fff")
        svg += text(3 * GAP, y + 14, name)
        left, middle = width_of(name) + 4 * GAP, y + 9
        if name in each.known:
            into = top + min(ROW * at + 9, tall)
            svg += f'<path d="M{left:.1f} {middle:.1f} L{TABLE} {into:.1f}" stroke="#000"/>'
        else:
            svg += f'<path d="M{left:.1f} {middle:.1f} h40" stroke="#000" stroke-dasharray="4 3"/>'
            svg += text(left + 46, y + 14, "no way to a pod")
    return svg


def _and(names: tuple[str, ...]) -> str:
    *most, last = names or ("",)
    return f"{', '.join(most)} and {last}" if most else last
