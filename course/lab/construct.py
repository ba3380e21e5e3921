"""A World, constructed: hosts and wires from its data, pods by the CNI plugins that it names."""

from __future__ import annotations

from course.lab.build import build
from course.lab.built import Built
from course.lab.namespaces import Namespaces
from course.world import World


def construct(world: World, plugins: bool = True) -> Built:
    """Build a World in namespaces of its own. Raises InputError where that cannot be done here."""
    namespaces = Namespaces()
    try:
        build(namespaces, world.hosts)
        return Built(namespaces, world)
    except BaseException:
        namespaces.close()
        raise
