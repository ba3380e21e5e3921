"""By what a World is known: a digest of all that decides what its hosts do.

Two Worlds with the same hosts have the same digest, whatever they were described with. So a
recording is found again as long as it is true, and no longer. What has its default value is left
out: a field more in a class, that nobody uses yet, changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from course.linux.ruleset import Ruleset
from course.world import World


def digest(world: World) -> str:
    """16 hexadecimal digits for a World: of its hosts, and of how a Trace names their interfaces.

    >>> from course.scenarios import small_cluster
    >>> from course.world import build
    >>> worlds = [build(small_cluster(model)) for model in ("overlay", "overlay", "kubenet")]
    >>> one, same, other = map(digest, worlds)
    >>> one == same, one == other
    (True, False)
    """
    hosts = [_plain(host) for host in sorted(world.hosts, key=lambda host: host.name)]
    roles = sorted([*role, name] for role, name in world.roles.items())
    text = json.dumps([hosts, roles], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Ruleset):
        return str(value)
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in _told(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value


def _told(value: Any) -> list[Field[Any]]:
    """The fields of a dataclass that have another value than by default."""
    return [each for each in fields(value) if getattr(value, each.name) != _default(each)]


def _default(field: Field[Any]) -> Any:
    factory = field.default_factory
    return field.default if factory is MISSING else factory()
