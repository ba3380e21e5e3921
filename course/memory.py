"""What hosts remember when the World around them changes.

Hosts that stay remember their connections, also those to what is gone. On nodes kube-proxy has
deleted the entries of UDP that lead nowhere (course.kubeproxy.cleanup); a list of `-m recent` goes
with the last rule that names it; and hosts that were made anew remember nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from course.kubeproxy.cleanup import Serving, kept, serving
from course.linux.host import Host, State
from course.predict import States
from course.world import World


@dataclass(frozen=True)
class Applied:
    """What became of a change: the hosts that were made `anew`, and the pods that a plugin
    `refused` to make, with its words."""

    anew: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)


def remembered(state: States, world: World, anew: frozenset[str]) -> States:
    """What the hosts of a World remember, that has come out of another one."""
    nodes = dict(served(world))
    return {
        name: _remembered(world.host(name), each, nodes.get(name, {}))
        for name, each in state.items()
        if name in world.by_name and name not in anew
    }


def served(world: World) -> Iterator[tuple[str, Serving]]:
    """Each node, with what its kube-proxy knows of endpoints that serve."""
    for cluster in world.topology.clusters:
        known = serving(cluster.services, cluster.endpoint_slices)
        yield from ((node.name, known) for node in cluster.nodes)


def _remembered(host: Host, state: State, known: Serving) -> State:
    rules = host.netfilter.text()
    recent = {name: seen for name, seen in state.recent.items() if f"--name {name} " in rules}
    return replace(state, connections=kept(state.connections, known), recent=recent)
