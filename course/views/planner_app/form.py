"""The form of the planner: everything that a Design holds, in sections, with errors beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from typing import Any

import ipywidgets as widgets

from course.design import (
    DATA_PLANES,
    LOAD_BALANCERS,
    NEEDS,
    OUTBOUND_TYPES,
    POLICIES,
    TIERS,
    Choices,
    Design,
    Outbound,
    Services,
)
from course.errors import InputError
from course.facts import Claim, Fact, fact
from course.finding import Finding
from course.networks import all_models
from course.views.html import note, source_link
from course.views.planner_app.controls import Control, Flags, Part, blamed
from course.views.planner_app.pools import Pools
from course.views.planner_app.reading import (
    ADDRESS,
    ADDRESS_OR_NONE,
    COUNT,
    COUNT_OR_NONE,
    DAY,
    NETWORKS,
    RANGE,
    RANGE_OR_NONE,
    RANGES,
    SUBNETS,
)

CLUSTER = (
    Control("name", "Cluster name"),
    Control("kubernetes", "Kubernetes version", hint="such as 1.34"),
    Control("tier", "Tier", options=TIERS),
    Control("today", "Day of the plan", DAY),
)
NETWORK = (
    Control("vnet", "Virtual network", RANGES, hint="10.240.0.0/16"),
    Control("pod_range", "Pod range", RANGE_OR_NONE, hint="empty: one is proposed"),
    Control("service_range", "Service range", RANGE),
    Control("dns_address", "DNS address", ADDRESS),
    Control("subnets", "Subnets", SUBNETS, lines=True, hint="nodes=10.240.0.0/24"),
    Control("peered", "Peered networks", NETWORKS, lines=True, hint="hub=10.0.0.0/16"),
    Control("on_premises", "On premises", NETWORKS, lines=True, hint="hq=172.20.0.0/16"),
)
OUTBOUND = (
    Control("type", "Outbound type", options=OUTBOUND_TYPES),
    Control("addresses", "Public addresses out", COUNT),
    Control("ports_per_node", "Ports a node", COUNT, hint="0: automatic"),
    Control("next_hop", "Next hop", ADDRESS_OR_NONE, hint="address of a firewall"),
)
SERVICES = (
    Control("public", "Public Services", COUNT),
    Control("internal", "Internal Services", COUNT),
    Control("ports", "Ports a Service", COUNT),
    Control("frontends", "Frontend addresses", COUNT_OR_NONE, hint="one each"),
)
BALANCER = (Control("load_balancer", "Load balancer", options=LOAD_BALANCERS),)
POLICY = (
    Control("policy", "Policy engine", options=POLICIES),
    Control("data_plane", "Data plane", options=DATA_PLANES),
)
# what Choices holds, and the fact whose pages disagree
DISAGREE = {
    "surge": ("Default max-surge", "surge.default"),
    "pod_subnet_max_pods": ("Default max-pods", "dynamic.default_max_pods"),
    "overlay_pods": ("Most pods, overlay", "aks.overlay_max_pods_total"),
}
NETWORK_HELP = (
    "Subnets and networks: <code>name=range</code>, a line each. Addresses that others use stand "
    "behind a subnet: <code>db=10.240.9.0/24 (40 taken)</code>. Node pools name the subnets they "
    "use; a subnet that is not listed is proposed."
)
DISAGREE_HELP = "Choose the page that you believe. At first the newest one counts."
POOL_HELP = (
    "An empty field means the default. The pods that you expect on each node count where addresses "
    "follow the pods that run."
)


class Form(widgets.VBox):
    """Sections as tabs. `on_change` is called whenever something changes."""

    def __init__(self, on_change: Callable[..., None]) -> None:
        self.parts = {
            "cluster": Part(Design, CLUSTER),
            "network": Part(Design, NETWORK),
            "outbound": Part(Outbound, OUTBOUND),
            "services": Part(Services, SERVICES),
            "balancer": Part(Design, BALANCER),
            "policy": Part(Design, POLICY),
            "choices": _choices(),
        }
        self.pools, self.needs = Pools(on_change), Flags(NEEDS)
        self.model = _model()
        for part in self.parts.values():
            part.observe_all(on_change)
        for box in (*self.needs.boxes.values(), self.model):
            box.observe(on_change, names="value")
        self.sections = self._sections()
        self.tabs = widgets.Tab([widgets.VBox(list(each)) for each in self.sections.values()])
        self._mark()
        super().__init__([self.tabs])

    def _sections(self) -> dict[str, tuple[Any, ...]]:
        parts = self.parts
        return {
            "Cluster": (parts["cluster"],),
            "Network": (_says(NETWORK_HELP), parts["network"]),
            "Node pools": (_says(POOL_HELP), self.pools),
            "Way out and Services": (parts["outbound"], parts["services"], parts["balancer"]),
            "Policy and needs": (parts["policy"], _says("The cluster needs:"), self.needs),
            "Where pages disagree": (_says(DISAGREE_HELP), parts["choices"]),
        }

    def read(self) -> Design | None:
        """The design, or None where something is wrong, which then stands beside its control."""
        values: dict[str, Any] = {"model": self.model.value, "needs": self.needs.read()}
        complete = True
        for name, part in self.parts.items():
            if part.part is Design:
                found, errors = part.values()
                part.complain(errors)
                complete = complete and not errors
                values |= found
            else:
                values[name] = part.read()
                complete = complete and values[name] is not None
        values["pools"] = self.pools.read()
        design = self._whole(values) if complete and values["pools"] is not None else None
        self._mark()
        return design

    def _whole(self, values: dict[str, Any]) -> Design | None:
        try:
            design = Design(**values)
        except InputError as error:
            self._complain(blamed(Design, values), str(error))
            return None
        self.pools.complain("")
        return design

    def _complain(self, name: str, message: str) -> None:
        for part in self.parts.values():
            if part.part is Design and name in part.views:
                part.views[name].complain(message)
                return
        self.pools.complain(message)

    def show(self, design: Design) -> None:
        """Put a design into the form."""
        for name, part in self.parts.items():
            part.show(design if part.part is Design else getattr(design, name))
        self.pools.show(design.pools)
        self.needs.show(design.needs)
        self.model.value = design.model

    def remark(self, findings: Iterable[Finding]) -> None:
        """Show what AKS would refuse beside the control that each finding names."""
        found = {finding.field: finding.what for finding in reversed(tuple(findings))}
        for name, part in self.parts.items():
            part.remark(found, "" if part.part is Design else f"{name}.")
        self.pools.remark(found)

    @property
    def wrong(self) -> dict[str, list[str]]:
        """The labels of the controls that have an error, by section."""
        found = {
            title: [label for each in section for label in getattr(each, "wrong", ())]
            for title, section in self.sections.items()
        }
        return {title: labels for title, labels in found.items() if labels}

    def _mark(self) -> None:
        """The title of a section tells how many errors are in it."""
        wrong = self.wrong
        titles = []
        for title in self.sections:
            count = len(wrong.get(title, ()))
            told = f" ({count} error{'s' if count > 1 else ''})" if count else ""
            titles.append(title + told)
        self.tabs.titles = titles


def _model() -> widgets.Dropdown:
    models = [(model.title, model.id) for model in all_models()]
    return widgets.Dropdown(
        options=[("the recommended one", ""), *models],
        description="Model to look at",
        style={"description_width": "11em"},
        layout=widgets.Layout(width="30em"),
    )


def _choices() -> Part:
    """The choices, each with the reason why it is one."""
    part = Part(
        Choices,
        [
            Control(name, label, options=[(_option(claim), claim.value) for claim in known.claims])
            for name, (label, known) in _disagreements().items()
        ],
    )
    told = (widgets.HTML(_why(known)) for _, known in _disagreements().values())
    part.children = [each for pair in zip(part.views.values(), told, strict=True) for each in pair]
    part.layout.flex_flow = "column"
    return part


def _disagreements() -> dict[str, tuple[str, Fact]]:
    return {name: (label, fact(fact_id)) for name, (label, fact_id) in DISAGREE.items()}


def _option(claim: Claim) -> str:
    said = f"{claim.value:,}" if isinstance(claim.value, int) else claim.value
    return f"{said} ({claim.as_of})"


def _why(known: Fact) -> str:
    claims = "".join(
        f"<li>{escape(claim.amount(known.unit))}, as of {escape(claim.as_of)}: "
        f"{escape(claim.note)}. {', '.join(map(source_link, claim.sources))}</li>"
        for claim in known.claims
    )
    return note(f"{escape(known.statement)} {escape(known.note)}<ul>{claims}</ul>")


def _says(html: str) -> widgets.HTML:
    return widgets.HTML(note(html))
