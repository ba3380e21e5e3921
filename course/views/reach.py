"""Who reaches a pod in each network model, and how Azure's network knows where the pod is.

Both views predict a ping in the small cluster that all lessons use, model by model.
"""

from __future__ import annotations

from functools import cache
from html import escape

import ipywidgets as widgets

from course import networks
from course.errors import InputError
from course.predict import predict
from course.scenarios import SCENARIOS, small_cluster
from course.topology import AZURE, EDGE
from course.trace import Flow, Trace
from course.views.fields import LABEL_WIDTH, Field, FieldView
from course.views.html import Html, note, table
from course.views.sequence import sequence
from course.views.traces import ending, way_back
from course.world import World, build

# how Azure learns where a pod is, and the lesson that is about it
ANSWERS = {
    "kubenet": ("AKS writes a route for each node into a route table", "04"),
    "node-subnet": ("the address stands on the node's network interface, beforehand", "05"),
    "pod-subnet-dynamic": ("the address stands on the node's network interface, in batches", "05"),
    "overlay": ("Azure routes the pod range itself, for this cluster alone", "06"),
}
HEAD = ["model", "web-3 has", "what Azure's network looks up", "web-3 sees", "lesson"]


def four_answers() -> Html:
    """The same ping across nodes in four models: what Azure looked up, and what the pod saw.

    >>> print(four_answers().text.splitlines()[1])
    kubenet: web-3 has 10.244.1.2; Azure looks up 10.244.1.0/24 via 10.240.0.5; web-3 sees \
10.244.0.2; AKS writes a route for each node into a route table (lesson 04)
    """
    rows, lines = [], ["One ping from web-1 to web-3, in four models"]
    for model, (how, lesson) in ANSWERS.items():
        world = _world(model)
        trace = predict(world, SCENARIOS["ping across nodes"].flow(world)).trace
        title, address, entry = networks.model(model).title, world.address("web-3"), _entry(trace)
        seen = str(trace.source_seen)
        rows.append(
            [escape(title), address, f"<code>{entry}</code>: {escape(how)}", seen, lesson]
        )  # fmt: skip
        lines.append(
            f"{title}: web-3 has {address}; Azure looks up {entry}; web-3 sees {seen}; {how} "
            f"(lesson {lesson})"
        )
    return Html(table(lines[0], HEAD, rows), "\n".join(lines))


def _entry(trace: Trace) -> str:
    """The entry by which Azure passed the first packet on: a range or an address, and a node."""
    hop = next(hop for hop in trace.hops if hop.host == AZURE)
    routed = next(step for step in hop.steps if step.kind == "routed")
    return routed.decided_by.partition(" dev ")[0]


@cache
def _world(model: str) -> World:
    return build(small_cluster(model))


def reach_explorer(model: str = "kubenet", source: str = "vm-2", to: str = "web-1") -> Reach:
    """Choose a model and two hosts: does a ping arrive, by which way, and if not, where it ends."""
    return Reach(model, source, to)


class Reach(widgets.VBox):
    """Three choices above, what becomes of a ping below."""

    def __init__(self, model: str, source: str, to: str) -> None:
        models = {networks.model(each).title: each for each in ANSWERS}
        hosts = [host.name for host in _world(model).hosts if host.name not in (AZURE, EDGE)]
        self.fields = {
            "model": _choice("model", "Network model", models, model),
            "source": _choice("source", "A ping from", {each: each for each in hosts}, source),
            "to": _choice("to", "to", {each: each for each in hosts}, to),
        }
        self.result = widgets.HTML()
        super().__init__([*self.fields.values(), self.result])
        for view in self.fields.values():
            view.control.observe(lambda _: self.update(), names="value")
        self.update()

    def update(self) -> None:
        """Predict the ping that is chosen, and tell what becomes of it."""
        model, source, to = (view.read() for view in self.fields.values())
        same = InputError(to, "is where the ping comes from.", "Choose another host.")
        self.fields["to"].complain(str(same) if source == to else "")
        if source != to:
            world = _world(model)
            ping = Flow(source, world.address(to), protocol="icmp")
            trace = predict(world, ping).trace
            self.result.value = note(_told(trace), "status") + sequence(trace).html


def _told(trace: Trace) -> str:
    end = ending(trace)
    there = ", ".join(trace.path[: way_back(trace)])
    return f"<strong>{escape(end[0].upper() + end[1:])}.</strong> The way there: {escape(there)}."


def _choice(name: str, label: str, options: dict[str, str], value: str) -> FieldView:
    control = widgets.Dropdown(
        options=options, value=value, description=label,
        style={"description_width": LABEL_WIDTH}, layout=widgets.Layout(width="32em"),
    )  # fmt: skip
    return FieldView(Field(name, label, value, lambda chosen: chosen), control)
