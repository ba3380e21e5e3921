"""A World that was built: its hosts as namespaces, and what chance has named in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from course.lab.namespaces import Namespaces
from course.world import World


@dataclass(frozen=True)
class Built:
    """A World that was built. `names` are interfaces whose real name is one of chance, with the
    name that the World gives them."""

    namespaces: Namespaces
    world: World
    names: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def name(self, host: str, real: str) -> str:
        """The World's name of an interface."""
        return self.names.get((host, real), real)

    def real_name(self, host: str, name: str) -> str:
        """The real name of an interface of the World."""
        real = {(h, given): found for (h, found), given in self.names.items()}
        return real.get((host, name), name)
