"""Whether the live lab can run here, and which network models can: tried, not guessed."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from functools import cache

from course.lab.probe import verdicts
from course.lab.probe.namespaces import in_namespaces, python
from course.lab.probe.needs import TOOLS, Needs
from course.lab.probe.refusals import surroundings
from course.machine import Check, which
from course.networks import all_models
from course.scenarios import small_cluster
from course.world import build


@dataclass(frozen=True)
class Readiness:
    """What a machine can do for the live lab.

    `models` are the ids of the network models that can be built live, `parts` what was examined,
    `unshare` the command that makes namespaces here, to be followed by a program.
    """

    models: tuple[str, ...]
    parts: tuple[Check, ...]
    unshare: tuple[str, ...] = ()

    @property
    def can_run(self) -> bool:
        """Whether any network model can be built live."""
        return bool(self.models)

    @property
    def why_not(self) -> str:
        """What stands in the way, a line for each cause with its cure; empty if nothing does.

        >>> lacking = Check("Live lab: programs", "limited", "missing: ip.", "Install iproute2.")
        >>> Readiness((), (lacking,)).why_not
        'missing: ip. Install iproute2.'
        """
        limited = (part for part in self.parts if part.state != "works")
        return "\n".join(f"{part.says} {part.fix}".strip() for part in limited)


def readiness(anew: bool = False) -> Readiness:
    """Whether the live lab can run here. Never raises for what is missing.

    That it can is remembered for the life of the process, unless asked `anew`; that it cannot may
    be mended at any time, and is tried again.
    """
    if anew:
        _remembered.cache_clear()
    found = _remembered()
    if not found.can_run:
        _remembered.cache_clear()
    return found


@cache
def _remembered() -> Readiness:
    return examined()


def examined(needs: Needs | None = None) -> Readiness:
    """Try everything, in namespaces that are gone afterwards."""
    if sys.platform != "linux":
        return Readiness((), (verdicts.other_system_verdict(sys.platform),))
    needs = needs or Needs()
    missing = tuple(tool for tool in TOOLS if not which(tool))
    if "unshare" in missing:
        return Readiness((), (verdicts.programs_verdict(missing),))
    # what is tried needs the programs
    program = ("true",) if missing else python("trials", json.dumps(asdict(needs)))
    unshare, ran = in_namespaces(*program)
    found = json.loads(ran.output.splitlines()[-1]) if ran.returncode == 0 and not missing else {}
    parts = (
        verdicts.namespaces_verdict(ran, surroundings()),
        verdicts.programs_verdict(missing),
        verdicts.plugins_verdict(needs, found.get("plugins", {})),
        *verdicts.kernel_verdicts(found),
    )
    return Readiness(live_models(parts), parts, unshare if ran.returncode == 0 else ())


def live_models(parts: tuple[Check, ...]) -> tuple[str, ...]:
    """The ids of the models that can be built live, once these parts were examined.

    Without br_netfilter all can but those whose pods are on a bridge; without anything else none.

    >>> live_models((Check(verdicts.BRIDGES, "limited", "br_netfilter is not loaded."),))
    ('overlay', 'pod-subnet-dynamic', 'pod-subnet-static', 'node-subnet')
    """
    limited = {part.name for part in parts if part.state != "works"}
    if limited - {verdicts.BRIDGES}:
        return ()
    return tuple(each.id for each in all_models() if not (limited and has_bridge(each.id)))


@cache
def has_bridge(model: str) -> bool:
    """Whether a network model puts pods on a bridge.

    >>> has_bridge("kubenet"), has_bridge("overlay")
    (True, False)
    """
    hosts = build(small_cluster(model)).hosts
    return any(link.kind == "bridge" for host in hosts for link in host.interfaces)
