"""A World, constructed: hosts and wires from its data, pods by the CNI plugins that it names."""

from __future__ import annotations

from course.lab.build import build
from course.lab.built import Built
from course.lab.namespaces import LabError, Namespaces
from course.lab.pods import add_pods, without_pods
from course.lab.read_back import read_back, unlike
from course.world import World


def construct(world: World, plugins: bool = True) -> Built:
    """Build a World in namespaces of its own, and demand that pods and nodes are as it says.

    Without `plugins`, pods too are made from data. Raises InputError where nothing can be built,
    LabError with what a tool said, or with what stands and should not.
    """
    namespaces = Namespaces()
    try:
        if not plugins:
            build(namespaces, world.hosts)
            return Built(namespaces, world)
        build(namespaces, [without_pods(world, host) for host in world.hosts])
        built = add_pods(namespaces, world)
        demand(built)
        return built
    except BaseException:
        namespaces.close()
        raise


def demand(built: Built) -> None:
    """Demand that pods and nodes are as the World says. Raises LabError for what is not."""
    found = read_back(built, *built.world.files, *built.world.calls)
    if differing := list(unlike(built, found)):
        raise LabError("The plugins made something else:\n" + "\n".join(differing))
