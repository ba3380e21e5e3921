"""Ways of clusters from one network model to another, and what stands in the way of each."""

from __future__ import annotations

from html import escape

from course.design import Design
from course.networks import model
from course.planner.comparison import plan
from course.planner.moves import Way, moves
from course.views.html import Html, table

HEAD = ["from", "in place?", "how", "what stands in the way"]


def ways_to(target: str, *designs: Design) -> Html:
    """The way of each design, out of the model that it names, to another one.

    >>> print(ways_to("overlay", Design(model="node-subnet", kubernetes="1.26")))
    The way to Azure CNI Overlay
    Azure CNI, node subnet: in place: not yet; how: az aks update --network-plugin azure \
--network-plugin-mode overlay --pod-cidr POD_RANGE; in the way: It needs Kubernetes 1.27 or later; \
the cluster has 1.26.
    """
    rows = [_row(each, _way(target, each)) for each in designs]
    title = f"The way to {model(target).title}"
    html = table(escape(title), HEAD, [[escape(cell) for cell in row] for row in rows])
    return Html(html, "\n".join([title, *map(_as_text, rows)]))


def _way(target: str, design: Design) -> Way:
    wanted = model(target).id
    found = moves(plan(design, model(design.model)))
    return next(each for each in found if each.to == wanted)


def _row(design: Design, way: Way) -> list[str]:
    wrong = " ".join(way.blockers) or "nothing that the planner knows"
    return [model(design.model).title, _in_place(way), way.how, wrong]


def _in_place(way: Way) -> str:
    if not way.in_place:
        return "no"
    return "not yet" if way.blockers else "yes"


def _as_text(row: list[str]) -> str:
    title, in_place, how, wrong = row
    return f"{title}: in place: {in_place}; how: {how}; in the way: {wrong}"
