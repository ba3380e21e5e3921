"""A World that stands, changed into another one: only what differs is touched.

Pods that are no more, or that are others now, are deleted by their plugins, and new ones are added
by theirs, as on a node. Hosts that stay keep what they remember, a Service's old connections too;
but who is where on a link, they ask anew. What a learner has changed by hand is taken back:
whatever stands becomes what the new World says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from course.lab.build import at_birth, serve
from course.lab.built import Built
from course.lab.cleanup import clean_up
from course.lab.construct import demand
from course.lab.namespaces import Command
from course.lab.pods import add_pods, delete_pods, without_pods
from course.lab.read_back import read_back
from course.lab.reshape import Hosts, batches, reshape, wires
from course.world import End, World


@dataclass(frozen=True)
class Changed:
    """What stands now. `anew` are the hosts that were made anew, and remember nothing; `refused`
    the pods that a plugin has not made, with its words: the rest of the World stands."""

    built: Built
    anew: frozenset[str]
    refused: Mapping[str, str]


def change(built: Built, world: World) -> Changed:
    """Change what stands into another World. Raises LabError with what a tool said, or with what
    stands and should not; it is half changed then."""
    before, namespaces, names = built.world, built.namespaces, set(world.by_name)
    found = read_back(built, *(names & set(before.by_name)))
    stay = {name for name in found if not _is_another(built, world, found, name)}
    built = _with_hosts(built, world, stay)
    if {*before.by_name} | names != stay:
        found = read_back(built, *names)
    coming = [pod for pod in world.calls if pod not in stay]
    wanted = (without_pods(world, h, coming, bridge=h.name in stay) for h in world.hosts)
    reshape(before, built, found, {host.name: host for host in wanted})
    built, refused = add_pods(built, coming)
    serve(namespaces, world.hosts)
    # or they would look for a pod where another one was that had its address
    namespaces.must(*(Command(("ip", "neigh", "flush", "all"), name) for name in stay))
    clean_up(built)
    if not refused:
        demand(built, *names)
    return Changed(built, frozenset(names - stay), refused)


def _is_another(built: Built, world: World, found: Hosts, name: str) -> bool:
    """Whether a host of both Worlds is another one: a pod that other calls make, or on another
    node, or one whose wire somebody has cut."""
    before = built.world
    if name not in before.calls and name not in world.calls:
        return False
    if before.calls.get(name) != world.calls.get(name) or name not in built.results:
        return True
    return wires(before, found).get(End(name, "eth0")) != world.far_end(name, "eth0")


def take_away(built: Built, hosts: Iterable[str]) -> None:
    """Take hosts away: pods by their plugins, others with their wires."""
    leaving = {name: built.world.host(name) for name in hosts}
    delete_pods(built, {pod: built.results[pod] for pod in leaving if pod in built.results})
    cut = {
        name: [f"link del {link.name}" for link in host.interfaces if link.peer]
        for name, host in leaving.items()
    }
    built.namespaces.run(*batches(built, cut, "-force"))  # what is gone already is gone
    built.namespaces.unmake(leaving)


def _with_hosts(built: Built, world: World, stay: set[str]) -> Built:
    """Take away all hosts but those that stay, and make those that another World has besides."""
    take_away(built, set(built.world.by_name) - stay)
    fresh = set(world.by_name) - stay
    built.namespaces.make({name: at_birth(world.host(name)) for name in fresh})
    names = {
        (host, real): name
        for (host, real), name in built.names.items()
        if {host, built.world.host(host).interface(name).peer_host} <= stay
    }
    results = {pod: result for pod, result in built.results.items() if pod in stay}
    return Built(built.namespaces, world, names, results)
