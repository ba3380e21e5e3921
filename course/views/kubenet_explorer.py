"""What becomes of a packet in kubenet with one of its parts left out: an explorer.

It builds nothing: every answer is predicted, by the same rules as in the lessons.

>>> world = built(Parts(route_to_node2=False))
>>> print(told(tried(world, "web-3", "web-1")))
The answer is lost: no route at azure; web-1 had seen the source 10.244.1.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from html import escape

import ipywidgets as widgets

from course.predict import predict
from course.scenarios import small_cluster
from course.topology import IpMasqAgent, Node
from course.trace import Disposition, Flow, Trace
from course.views.fields import LABEL_WIDTH
from course.views.html import note
from course.views.kubenet import MACHINE_PORT, POD_PORT
from course.views.questions import WIDE
from course.views.sequence import sequence
from course.views.traces import ending, reason
from course.world import World, build

PODS, MACHINES = ("web-1", "web-2", "web-3"), ("vm-1", "vm-2", "office", "internet")
PLACES = {
    "web-1": "web-1, a pod on node1",
    "web-2": "web-2, a pod on node1",
    "web-3": "web-3, a pod on node2",
    "vm-1": "vm-1, in the node subnet",
    "vm-2": "vm-2, in another subnet",
    "office": "office, on premises",
    "internet": "internet",
}
LABELS = {
    "route_to_node1": "Route to node1's pods",
    "route_to_node2": "Route to node2's pods",
    "forwarding_at_node1": "IP forwarding on node1's network interface",
    "forwarding_at_node2": "IP forwarding on node2's network interface",
    "masquerade": "Masquerading on the nodes",
}


@dataclass(frozen=True)
class Parts:
    """Which parts of kubenet are there."""

    route_to_node1: bool = True
    route_to_node2: bool = True
    forwarding_at_node1: bool = True
    forwarding_at_node2: bool = True
    masquerade: bool = True


@lru_cache(maxsize=64)
def built(parts: Parts) -> World:
    """The small cluster with these parts. Without masquerading, ip-masq-agent leaves all alone."""
    routed = {"node1": parts.route_to_node1, "node2": parts.route_to_node2}
    forwards = {"node1": parts.forwarding_at_node1, "node2": parts.forwarding_at_node2}
    cluster = small_cluster("kubenet").changed(
        nodes=tuple(Node(name, ip_forwarding=on) for name, on in forwards.items()),
        missing_routes=tuple(name for name, there in routed.items() if not there),
        ip_masq_agent=None if parts.masquerade else IpMasqAgent(("0.0.0.0/0",)),
    )
    return build(cluster)


def tried(world: World, source: str, destination: str) -> Trace:
    """What becomes of a call."""
    port = POD_PORT if destination in PODS else MACHINE_PORT
    return predict(world, Flow(source, world.address(destination), port)).trace


def told(trace: Trace) -> str:
    """Whether a call is answered; if not, whether the request is lost or the answer, and where."""
    if trace.disposition == Disposition.DELIVERED:
        return f"It works: {ending(trace)}."
    return f"The {'answer' if trace.delivered else 'request'} is lost: {ending(trace)}."


class KubenetExplorer(widgets.VBox):
    """Who calls whom, and which parts are there; below, what becomes of the packet."""

    def __init__(self) -> None:
        places = [(text, name) for name, text in PLACES.items()]
        self.source = _choice("From", places, "web-1")
        self.destination = _choice("To", places, "web-3")
        self.parts = {
            name: widgets.Checkbox(value=True, description=label, indent=False, layout=WIDE)
            for name, label in LABELS.items()
        }
        self.said, self.picture = widgets.HTML(), widgets.HTML()
        controls = (self.source, self.destination, *self.parts.values())
        super().__init__([*controls, self.said, self.picture])
        for control in controls:
            control.observe(lambda _: self.update(), names="value")
        self.update()

    def update(self) -> None:
        """Predict the call with the parts that are there, and show it."""
        if self.source.value == self.destination.value:
            self.said.value = note("Choose two different ends.", "alert")
            self.picture.value = ""
            return
        world = built(Parts(**{name: box.value for name, box in self.parts.items()}))
        trace = tried(world, self.source.value, self.destination.value)
        why = reason(trace)
        by = f" What decided: <code>{escape(why)}</code>." if why else ""
        self.said.value = note(f"<strong>{escape(told(trace))}</strong>{by}", "status")
        self.picture.value = sequence(trace).html


def kubenet_explorer() -> KubenetExplorer:
    """The small cluster in kubenet, to take a part away and see what still works."""
    return KubenetExplorer()


def _choice(label: str, options: list[tuple[str, str]], value: str) -> widgets.Dropdown:
    return widgets.Dropdown(
        options=options, value=value, description=label,
        style={"description_width": LABEL_WIDTH}, layout=widgets.Layout(width="34em"),
    )  # fmt: skip
