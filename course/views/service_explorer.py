"""An explorer: who answers a call to a Service, and which source the pod sees.

Nothing is known here: each choice is a cluster of its own, and the packet is predicted in it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from html import escape

import ipywidgets as widgets

from course.kubeproxy.why import explain
from course.linux.draws import odds
from course.predict import outcomes
from course.scenarios import FRONT, INTERNAL, local, small_cluster
from course.topology import AZURE, EDGE, Exposure
from course.trace import Disposition, Flow, Trace
from course.views.fields import LABEL_WIDTH
from course.views.html import note, table
from course.views.traces import lost_at, way_back
from course.world import World, build

POLICIES = ("Cluster", "Local")
CLIENTS = (
    ("web-1, a pod on node1", "web-1"),
    ("web-2, a pod on node1", "web-2"),
    ("vm-2, in the virtual network", "vm-2"),
    ("internet, outside", "internet"),
)
PODS = (("web-2, on node1", "web-2"), ("web-4, on node2", "web-4"))
ENTRANCES = (
    ("its cluster IP", "cluster IP"),
    ("its node port at node1", "node1"),
    ("its node port at node2", "node2"),
    ("its load balancer", "load balancer"),
)
NOBODY = {
    AZURE: "A cluster IP is an address of nobody: Azure's network knows no way to it.",
    EDGE: "The address is private: the internet knows no way to it.",
}
HEAD = ["what happens", "source that the pod sees", "the way there", "how likely"]


@dataclass(frozen=True)
class Call:
    """A call to a Service before one pod: its externalTrafficPolicy, who calls, and where.

    `entrance` is "cluster IP", "load balancer", or the node whose node port is called.

    >>> for result in Call("Local", "vm-2", "web-2", "node2").results:
    ...     print(result)
    no answer: dropped by a rule at node2 (always). Only endpoints on this node may answer clients \
outside, and it has none: dropped, so that the load balancer turns to another node.
    >>> print(*Call("Cluster", "vm-2", "web-2", "node2").results)
    web-2 answers and sees 10.240.0.5, the address of node2 (always)
    """

    policy: str
    client: str
    pod: str
    entrance: str

    @property
    def flow(self) -> Flow:
        """What is sent."""
        service = _exposed(self.policy, self.pod, self.client).service
        if self.entrance == "cluster IP":
            return Flow(self.client, service.cluster_ips[0], service.ports[0].port)
        if self.entrance == "load balancer":
            return Flow(self.client, service.load_balancer_ingress[0].ip, service.ports[0].port)
        address = _world(self.policy, self.pod, self.client).address(self.entrance)
        return Flow(self.client, address, service.ports[0].node_port)

    @property
    def results(self) -> tuple[Result, ...]:
        """What may happen, each with how likely it is."""
        world = _world(self.policy, self.pod, self.client)
        likely: defaultdict[tuple[str, str, str, str], Fraction] = defaultdict(Fraction)
        for drawn in outcomes(world, self.flow):
            likely[_told(world, drawn.result)] += drawn.probability
        return tuple(Result(*told, chance) for told, chance in likely.items())


@dataclass(frozen=True)
class Result:
    """What happens to a call, and why if nobody answers; which source the pod sees, the hosts on
    the way, how likely that is."""

    what: str
    why: str
    source: str
    way: str
    likely: Fraction

    def __str__(self) -> str:
        sees = f" and sees {self.source}" if self.source else ""
        why = f". {self.why}" if self.why else ""
        return f"{self.what}{sees} ({self.how_likely}){why}"

    @property
    def how_likely(self) -> str:
        """How likely it is, in words."""
        return "always" if self.likely == 1 else odds(self.likely)


class ServiceExplorer(widgets.VBox):
    """Four lists to choose from, and below them what the predictor says."""

    def __init__(self) -> None:
        self.policy = _choice("externalTrafficPolicy", POLICIES)
        self.client = _choice("who calls", CLIENTS)
        self.pod = _choice("pod behind the Service", PODS)
        self.entrance = _choice("called at", ENTRANCES)
        self.result = widgets.HTML()
        self.choices = [self.policy, self.client, self.pod, self.entrance]
        super().__init__([*self.choices, self.result])
        for each in self.choices:
            each.observe(lambda _: self.update(), names="value")
        self.update()

    def update(self) -> None:
        """Predict anew, and show it."""
        call = Call(*(each.value for each in self.choices))
        results = call.results
        said = "; or: ".join(escape(str(each)) for each in results)
        rows = [
            [escape(each.what), escape(each.source) or "none", each.way, each.how_likely]
            for each in results
        ]
        shown = table(escape(str(call.flow).replace("->", "→")), HEAD, rows)
        self.result.value = note(f"<strong>{said}</strong>", "status") + shown


def service_explorer() -> ServiceExplorer:
    """Choose a policy, a client, a pod and a way in; see who answers and which source it sees."""
    return ServiceExplorer()


def _choice(label: str, options: tuple[str | tuple[str, str], ...]) -> widgets.Dropdown:
    return widgets.Dropdown(
        options=list(options), description=label, style={"description_width": LABEL_WIDTH},
        layout=widgets.Layout(width="32em"),
    )  # fmt: skip


def _exposed(policy: str, pod: str, client: str) -> Exposure:
    """A Service before one pod; who calls from the internet calls a public address."""
    address = FRONT if client == "internet" else INTERNAL
    number = pod.rpartition("-")[2]
    return replace(local(policy, address), selector={"app": "web", "n": number})


@cache
def _world(policy: str, pod: str, client: str) -> World:
    exposed = _exposed(policy, pod, client)
    return build(small_cluster("overlay").changed(exposures=(exposed,)))


def _told(world: World, trace: Trace) -> tuple[str, str, str, str]:
    """What happened and why, the source seen, and the hosts on the way there."""
    way = ", ".join(dict.fromkeys(trace.path[: way_back(trace)]))
    if trace.disposition == Disposition.DELIVERED:
        return f"{trace.server} answers", "", _whose(world, str(trace.source_seen)), way
    return f"no answer: {trace.disposition} at {trace.ended_at}", _why(trace), "", way


def _whose(world: World, address: str) -> str:
    """An address, and whose it is."""
    cluster = world.topology.cluster
    names = {each.address: each.name for each in cluster.nodes}
    names |= {each.address: each.name for each in cluster.pods}
    whose = f"the address of {names[address]}" if address in names else "the client's own address"
    return f"{address}, {whose}"


def _why(trace: Trace) -> str:
    """Why nobody answered: by the fabric, or by what a rule of kube-proxy is for."""
    if trace.ended_at in NOBODY:
        return NOBODY[trace.ended_at]
    at = lost_at(trace)
    steps = () if at is None else trace.hops[at].told
    told = (explain(f"-A {step.chain} {step.decided_by}") for step in steps)
    return next(filter(None, told), "")
