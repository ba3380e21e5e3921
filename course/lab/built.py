"""A World that was built: its hosts as namespaces, and what chance has named in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from course.lab.namespaces import Namespaces
from course.world import World


@dataclass(frozen=True)
class Built:
    """A World that was built. `names` are interfaces whose real name is one of chance, with the
    name that the World gives them; `results` what plugins printed, in the end, of each pod."""

    namespaces: Namespaces
    world: World
    names: Mapping[tuple[str, str], str] = field(default_factory=dict)
    results: Mapping[str, Any] = field(default_factory=dict)

    def name(self, host: str, real: str) -> str:
        """The World's name of an interface."""
        return self.names.get((host, real), real)

    def real_name(self, host: str, name: str) -> str:
        """The real name of an interface of the World."""
        return self._real.get((host, name), name)

    @cached_property
    def _real(self) -> Mapping[tuple[str, str], str]:
        return {(host, name): real for (host, real), name in self.names.items()}

    def by_chance(self, host: str, name: str) -> bool:
        """Whether chance named an interface of the World."""
        return (host, name) in self._real

    def spelled(self, host: str, text: str) -> str:
        """A text of words with the real names of interfaces, also within a setting's name."""
        for (there, name), real in self._real.items():
            if there == host:
                text = text.replace(name, real)
        return text
