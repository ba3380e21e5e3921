"""Which ways lead from one model to another, and what stands in the way of each.

>>> from course.design import Design
>>> from course.networks import model
>>> from course.planner.comparison import plan
>>> old = plan(Design(kubernetes="1.26"), model("kubenet"))
>>> for way in moves(old)[:1]:
...     print(way.to, way.in_place, *way.blockers, sep="; ")
overlay; True; It needs Kubernetes 1.27 or later; the cluster has 1.26.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from course.design import Design
from course.networks import all_models
from course.networks.model import Move, NetworkModel
from course.planner.comparison import ModelPlan
from course.planner.comparison import plan as plan_of
from course.planner.versions import is_at_least


@dataclass(frozen=True)
class Way:
    """A way to another model. `in_place` is whether the cluster stays; without blockers it is open.

    `to` and `to_title` are the other model's id and title ("cilium": that data plane), `how` is the
    command or the words for it.
    """

    to: str
    to_title: str
    how: str
    in_place: bool
    blockers: tuple[str, ...]
    facts: tuple[str, ...]

    @property
    def open(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.blockers


def moves(plan: ModelPlan) -> tuple[Way, ...]:
    """A way to every other model, the one that AKS knows or else a new cluster, and to the Cilium
    data plane if AKS knows one.

    Sources: facts migrate.ipam_paths, migrate.podsubnet_to_overlay, migrate.dataplane_paths,
    static.migration.
    """
    known = {move.to: move for move in plan.model.moves}
    ways = []
    if "cilium" in known and plan.design.data_plane != "cilium":
        ways.append(_known(plan.design, known["cilium"], "the Cilium data plane"))
    for other in all_models():
        if other.id == plan.model.id:
            continue
        move = known.get(other.id)
        way = _known(plan.design, move, other.title) if move else _new_cluster(other)
        ways.append(replace(way, blockers=(*way.blockers, *_there(plan, other))))
    return tuple(sorted(ways, key=lambda way: not way.in_place))


def _known(design: Design, move: Move, title: str) -> Way:
    blockers = []
    if move.needs_kubernetes and not is_at_least(design.kubernetes, move.needs_kubernetes):
        has = f"the cluster has {design.kubernetes}" if design.kubernetes else "say which it has"
        blockers.append(f"It needs Kubernetes {move.needs_kubernetes} or later; {has}.")
    if move.without_policy and design.policy != "none":
        blockers.append(
            f"It needs a cluster without a network policy engine; this one has {design.policy}."
        )
    if move.without_windows and design.windows:
        blockers.append("It needs a cluster without Windows nodes.")
    return Way(move.to, title, move.how, move.in_place, tuple(blockers), move.facts)


def _there(plan: ModelPlan, other: NetworkModel) -> tuple[str, ...]:
    """What would be wrong in the other model and is not wrong in this one; and when it ends."""
    there = plan_of(plan.design, other)
    wrong_here = {finding.what for finding in plan.errors}
    wrong = [each.what for each in there.errors if each.what not in wrong_here]
    ends = [each.what for each in there.findings if other.ends and other.ends in each.facts]
    return tuple(dict.fromkeys((*ends, *wrong)))


def _new_cluster(other: NetworkModel) -> Way:
    how = "a new cluster beside the old one; move the workloads, then delete the old one"
    return Way(other.id, other.title, how, False, (), ("migrate.ipam_paths",))
