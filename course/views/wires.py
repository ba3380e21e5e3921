"""A picture of one node: its own network, the networks of its pods, and the wires between them.

Each network is a box of its own, though all of them are on one machine: a pod is a network
namespace. What is drawn are the interfaces and wires of a World, the same that the lab builds.
"""

from __future__ import annotations

import graphviz

from course.errors import InputError
from course.linux.interfaces import Interface
from course.topology import AZURE, Topology
from course.views.pictures import Picture, boxes
from course.world import End, World, build

WIRE = {"dir": "none", "penwidth": "2.5"}
ROUTED = {"dir": "both", "style": "dashed"}


def node_wiring(what: Topology | World, node: str = "node1") -> Picture:
    """The network of a node and those of its pods, with the wires between them.

    A thick line is a wire (a veth pair) or a port of a bridge; dashed arrows meet where the node
    looks into its routes. Raises InputError for a host that is no node.

    >>> from course.scenarios import small_cluster
    >>> for words in node_wiring(small_cluster("node-subnet")).words[:3]:
    ...     print(words)
    web-1 has a network of its own: eth0, 10.240.0.5.
    A wire leads from its eth0 to the veth of web-1 on node1.
    A route on node1 leads to it: 10.240.0.5 dev (the veth of web-1).
    """
    world = what if isinstance(what, World) else build(what)
    _demand_node(world, node)
    bridge = next((link for link in world.host(node).interfaces if link.kind == "bridge"), None)
    pods = [pod.name for each in world.topology.clusters for pod in each.pods_of(node)]
    ends = {pod: _end_on_node(world, pod) for pod in pods}
    drawn = _drawn(world, node, ends, bridge)
    words = [line for pod in pods for line in _words(world, node, pod, bridge)]
    return Picture.of_graph(drawn, _alt(node, pods, bridge), [*words, _way_out(world, node)])


def _drawn(
    world: World, node: str, ends: dict[str, End], bridge: Interface | None
) -> graphviz.Digraph:
    """Pods at the left, each a box of its own; the node's own network; Azure at the right."""
    drawn = boxes("wires", rankdir="LR", ranksep="0.6")
    drawn.attr("node", fillcolor="white", style="filled")
    with drawn.subgraph(name="cluster_machine") as machine:
        machine.attr(label=f"{node}: one machine, {len(ends) + 1} networks", bgcolor="#f4f4f4")
        for pod in ends:
            with machine.subgraph(name=f"cluster_{pod}") as own:
                own.attr(label=f"network of {pod}", bgcolor="#e8eef5")
                own.node(pod, f"eth0\n{world.address(pod)}")
        with machine.subgraph(name="cluster_own") as own:
            own.attr(label=f"{node}'s own network", bgcolor="#f8f3e3")
            for pod, end in ends.items():
                own.node(f"end of {pod}", world.role(*end))
            if bridge:
                own.node("bridge", _named(bridge))
            own.node("routes", f"routes\nof {node}", shape="diamond", margin="0")
            own.node("card", _named(world.host(node).interface("eth0")))
    drawn.node("fabric", "Azure's network", shape="oval")
    for pod in ends:
        drawn.edge(pod, f"end of {pod}", **WIRE)
        if bridge:
            drawn.edge(f"end of {pod}", "bridge", **WIRE)
        else:
            drawn.edge(f"end of {pod}", "routes", **ROUTED)
    if bridge:
        drawn.edge("bridge", "routes", **ROUTED)
    drawn.edge("routes", "card", **ROUTED)
    drawn.edge("card", "fabric", **WIRE)
    return drawn


def _demand_node(world: World, node: str) -> None:
    nodes = [each.name for cluster in world.topology.clusters for each in cluster.nodes]
    if node not in nodes:
        raise InputError(node, "is no node.", f"There are {', '.join(nodes)}.")


def _end_on_node(world: World, pod: str) -> End:
    end = world.far_end(pod, "eth0")
    assert end, f"{pod} has no wire"
    return end


def _named(link: Interface) -> str:
    """An interface with its addresses."""
    return "\n".join((link.name, *link.ips[:1]))


def _alt(node: str, pods: list[str], bridge: Interface | None) -> str:
    joined = (
        f"Their other ends are ports of the bridge {bridge.name}"
        if bridge
        else "Each of their other ends stands alone, and the node has a route to each"
    )
    return (
        f"The machine {node} with the networks of {' and '.join(pods)} and its own, each a box. A "
        f"wire leads from each pod into the network of the node. {joined}. The interface eth0 of "
        f"{node} leads to Azure's network."
    )


def _words(world: World, node: str, pod: str, bridge: Interface | None) -> list[str]:
    end = world.role(*_end_on_node(world, pod))
    address = world.address(pod)
    joined = (
        f"The {end} is plugged into the bridge {bridge.name}, {bridge.ips[0]}."
        if bridge
        else f"A route on {node} leads to it: {address} dev (the {end})."
    )
    return [
        f"{pod} has a network of its own: eth0, {address}.",
        f"A wire leads from its eth0 to the {end} on {node}.",
        joined,
    ]


def _way_out(world: World, node: str) -> str:
    wire = world.far_end(node, "eth0")
    leads = "Azure's network" if wire and wire.host == AZURE else "nowhere"
    return f"{node} itself has eth0, {world.address(node)}, which leads to {leads}."
