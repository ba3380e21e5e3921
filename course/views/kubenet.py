"""kubenet in pictures: bridges and the route table, and which source others see.

Both are drawn from a World: what the route table holds is read off Azure's routes, and what others
see is predicted.

>>> from course.scenarios import small_cluster
>>> from course.world import build
>>> print(kubenet_picture(build(small_cluster("kubenet").changed(missing_routes=("node2",)))))
2 nodes, each with a bridge and a /24 for its pods. The route table of their subnet knows \
1 of the 2 ranges.
- node1, 10.240.0.4: bridge cbr0, 10.244.0.1, with web-1 10.244.0.2, web-2 10.244.0.3.
- node2, 10.240.0.5: bridge cbr0, 10.244.1.1, with web-3 10.244.1.2, web-4 10.244.1.3.
- Route table: 10.244.0.0/24 → 10.240.0.4 (node1).
- Route table: 10.244.1.0/24 → nobody.
"""

from __future__ import annotations

from collections.abc import Mapping

import graphviz

from course.cni.kubenet import BRIDGE
from course.predict import predict
from course.topology import AZURE, Machine, Node, Topology
from course.trace import Flow
from course.views.pictures import FONT, Picture, boxes
from course.views.traces import ending
from course.world import World

POD_PORT, MACHINE_PORT = 8080, 80  # what the small cluster's pods and machines listen on


def kubenet_picture(world: World) -> Picture:
    """The nodes of a kubenet cluster with their bridges, and the route table of their subnet."""
    nodes, routes = world.topology.cluster.nodes, node_routes(world)
    graph = boxes("kubenet", rankdir="TB", nodesep="0.25")
    rows = [_route(node, routes) for node in nodes]
    graph.node("table", "\n".join(["route table of the node subnet", *rows]), peripheries="2")
    for node in nodes:
        _draw_node(graph, world, node)
        if node.name in routes:
            graph.edge("table", f"{node.name} eth0")
        else:
            graph.edge("table", f"{node.name} eth0", "  no route leads here", style="dashed")
    known = f"{len(routes)} of the {len(nodes)} ranges"
    return Picture.of_graph(
        graph,
        f"{len(nodes)} nodes, each with a bridge and a /24 for its pods. "
        f"The route table of their subnet knows {known}.",
        [*(_node_in_words(world, node) for node in nodes), *(f"Route table: {r}." for r in rows)],
    )


def node_routes(world: World) -> Mapping[str, str]:
    """The nodes whose pods Azure's route table knows, and the address to which it leads."""
    routes = {(route.destination, route.via) for route in world.host(AZURE).routes}
    nodes = world.topology.cluster.nodes
    return {n.name: n.address for n in nodes if (n.pod_range, n.address) in routes}


def sources_seen(world: World, pod: str = "web-1") -> Picture:
    """Which source others see when a pod calls them, as it is predicted.

    >>> from course.scenarios import small_cluster
    >>> from course.world import build
    >>> print(sources_seen(build(small_cluster("kubenet"))))
    Who sees which source when web-1 calls. web-2, web-3: 10.244.0.2, the pod; vm-1, vm-2, peer, \
office: 10.240.0.4, its node; internet: 198.51.100.4.
    - web-2 (on the same node) sees 10.244.0.2, the pod.
    - web-3 (on another node) sees 10.244.0.2, the pod.
    - vm-1 (in the node subnet) sees 10.240.0.4, its node.
    - vm-2 (in another subnet) sees 10.240.0.4, its node.
    - peer (in a peered network) sees 10.240.0.4, its node.
    - office (on premises) sees 10.240.0.4, its node.
    - internet (a public server) sees 198.51.100.4.
    """
    places = _places(world, pod)
    node = world.topology.cluster.pod(pod).node
    names = {world.address(pod): ", the pod", world.address(node): ", its node"}
    graph, words = boxes("sources seen", rankdir="LR"), []
    seen: dict[str, list[str]] = {}
    graph.node(pod, f"{pod}\n{world.address(pod)}", style="rounded")
    for other, (port, place) in places.items():
        trace = predict(world, Flow(pod, world.address(other), port)).trace
        source = trace.source_seen or ending(trace)
        who = f"{source}{names.get(source, '')}"
        seen.setdefault(who, []).append(other)
        words.append(f"{other} ({place}) sees {who}.")
        graph.node(other, f"{other}\n{place}", style="rounded" if port == POD_PORT else "solid")
        graph.edge(pod, other, f"  {who}  ", style="solid" if "the pod" in who else "dashed")
    told = (f"{', '.join(others)}: {who}" for who, others in seen.items())
    return Picture.of_graph(
        graph, f"Who sees which source when {pod} calls. {'; '.join(told)}.", words
    )


def _places(world: World, pod: str) -> Mapping[str, tuple[int, str]]:
    """Whom a pod calls: a pod on its node, one on another, every machine; with port and place."""
    cluster = world.topology.cluster
    here = cluster.pod(pod).node
    others = {each.node == here: each.name for each in cluster.pods[::-1] if each.name != pod}
    near = {True: "on the same node", False: "on another node"}
    pods = {name: (POD_PORT, near[same]) for same, name in sorted(others.items(), reverse=True)}
    machines = {m.name: (MACHINE_PORT, _place(world.topology, m)) for m in world.topology.machines}
    return pods | machines


def _place(topology: Topology, machine: Machine) -> str:
    subnet = topology.subnet_of(machine.address)
    if subnet is None:
        return "on premises" if topology.on_premises_range(machine.address) else "a public server"
    home = topology.subnet(topology.cluster.subnet)
    if subnet == home:
        return "in the node subnet"
    same = topology.network_of(subnet) == topology.network_of(home)
    return "in another subnet" if same else "in a peered network"


def _draw_node(graph: graphviz.Digraph, world: World, node: Node) -> None:
    with graph.subgraph(name=f"cluster_{node.name}") as box:
        box.attr(label=node.name, style="rounded", fontname=FONT)
        card, bridge = f"{node.name} eth0", f"{node.name} {BRIDGE}"
        box.node(card, f"eth0\n{node.address}")
        box.node(bridge, f"bridge {BRIDGE}\n{_bridge(world, node)}")
        box.edge(card, bridge, dir="none")
        for pod in world.topology.cluster.pods_of(node.name):
            box.node(pod.name, f"{pod.name}\n{pod.address}", style="rounded")
            box.edge(bridge, pod.name, dir="none")


def _bridge(world: World, node: Node) -> str:
    return world.host(node.name).interface(BRIDGE).ips[0]


def _node_in_words(world: World, node: Node) -> str:
    pods = world.topology.cluster.pods_of(node.name)
    listed = ", ".join(f"{pod.name} {pod.address}" for pod in pods) or "no pods"
    return f"{node.name}, {node.address}: bridge {BRIDGE}, {_bridge(world, node)}, with {listed}."


def _route(node: Node, routes: Mapping[str, str]) -> str:
    leads = f"{routes[node.name]} ({node.name})" if node.name in routes else "nobody"
    return f"{node.pod_range} → {leads}"
