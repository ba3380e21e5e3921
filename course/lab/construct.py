"""A World, constructed: hosts and wires from its data, pods by the CNI plugins that it names."""

from __future__ import annotations

from dataclasses import replace

from course.lab.build import build
from course.lab.built import Built
from course.lab.drift import unlike
from course.lab.namespaces import LabError, Namespaces
from course.lab.pods import add_pods, without_pods
from course.lab.read_back import read_back
from course.world import World


def construct(world: World, plugins: bool = True) -> Built:
    """Build a World in namespaces of its own, and demand that pods and nodes are as it says.

    Without `plugins`, pods too are made from data. Raises InputError where nothing can be built,
    LabError with what a tool said, or with what stands and should not.
    """
    namespaces = Namespaces()
    world = world if plugins else of_data(world)
    try:
        build(namespaces, [without_pods(world, host) for host in world.hosts])
        built, refused = add_pods(Built(namespaces, world), world.calls)
        if refused:
            raise LabError("\n".join(refused.values()))
        demand(built, *world.files, *world.calls)
        return built
    except BaseException:
        namespaces.close()
        raise


def of_data(world: World) -> World:
    """A World whose pods no plugin makes."""
    return replace(world, files={}, calls={})


def demand(built: Built, *hosts: str) -> None:
    """Demand that hosts are as the World says. Raises LabError for what is not."""
    if differing := list(unlike(built, read_back(built, *hosts))):
        raise LabError("What stands is something else:\n" + "\n".join(differing))
