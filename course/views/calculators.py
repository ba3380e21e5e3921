"""Calculators: fields, a rule from the course, and its result as text and picture.

A calculator adds no rule of its own. What the course refuses stands beside the field that is
wrong, in the same words; the last good result stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import ipywidgets as widgets

from course.addresses import parse_range
from course.cluster import MaxSurge, NodePool, max_pods_problem, scale_set_problem, surge_nodes
from course.errors import InputError, whole_number
from course.facts import number
from course.questions import read_number
from course.sizing.node_subnet import SubnetUse, plan
from course.sizing.pod_subnet import StaticUse
from course.subnet import usable_addresses
from course.views.fields import Field, FieldView
from course.views.html import note
from course.views.pictures import subnet_bar
from course.views.tables import working_table


class Calculator(widgets.VBox):
    """Fields above, the result below. `compute` takes the fields' values by name, gives HTML.

    `compute` may raise FieldError to name the field at fault.
    """

    def __init__(self, fields: Sequence[Field], compute: Callable[..., str]) -> None:
        self.fields = {field.name: FieldView(field) for field in fields}
        self.compute = compute
        self.stale, self.result = widgets.HTML(), widgets.HTML()
        super().__init__([*self.fields.values(), self.stale, self.result])
        for view in self.fields.values():
            view.control.observe(lambda _: self.update(), names="value")
        self.update()

    def update(self) -> None:
        """Read the fields; show the result, or each error beside its field."""
        self.stale.value = note("For the last values without an error:")
        values = {}
        for name, view in self.fields.items():
            try:
                values[name] = view.read()
                view.complain("")
            except InputError as error:
                view.complain(str(error))
        if len(values) < len(self.fields):
            return
        try:
            self.result.value = self.compute(**values)
            self.stale.value = ""
        except FieldError as error:
            self.fields[error.field].complain(str(error.why))


class FieldError(Exception):
    """A combination of values that breaks a rule, and the field to change."""

    def __init__(self, field: str, why: InputError) -> None:
        self.field, self.why = field, why
        super().__init__(field, why)


def node_subnet_calculator(subnet: str = "10.240.0.0/21", nodes: int = 50) -> Calculator:
    """The addresses of a node pool in a node subnet, and how full they make it.

    `subnet` and `nodes` are what it starts with.
    """
    usual, most = number("nodesubnet.default_max_pods"), number("nodesubnet.max_pods")
    fields = (
        Field("prefix", "Node subnet", subnet, _read_subnet),
        Field("nodes", "Nodes", str(nodes), count("nodes", least=1)),
        Field("max_pods", "max-pods (per node)", str(usual), max_pods(most)),
        Field("max_surge", "max-surge (1 or 10%)", "1", surge),
        Field("extra_nodes", "Nodes to scale out by", "0", count("nodes")),
        Field("balancers", "Internal Services", "0", count("internal Services")),
    )
    return Calculator(fields, _node_subnet_result)


def static_blocks_calculator(subnet: str = "10.240.2.0/24", pods: int = 32) -> Calculator:
    """What max-pods costs in a pod subnet with static blocks.

    `subnet` and `pods`, its max-pods, are what it starts with.
    """
    most = number("nodesubnet.max_pods")
    fields = (
        Field("prefix", "Pod subnet", subnet, _read_subnet),
        Field("max_pods", "max-pods (per node)", str(pods), max_pods(most)),
    )
    return Calculator(fields, _static_blocks_result)


def _static_blocks_result(prefix: int, max_pods: int) -> str:
    use = StaticUse(prefix, max_pods)
    said = f"<strong>{use.nodes:,} nodes.</strong> Of each, {use.idle} addresses serve no pod."
    return note(said, "status") + working_table(use, with_facts=False)


def _node_subnet_result(
    prefix: int, nodes: int, max_pods: int, max_surge: MaxSurge, extra_nodes: int, balancers: int
) -> str:
    pool = NodePool(nodes, max_pods, max_surge, extra_nodes)
    if problem := max_pods_problem(pool):
        raise FieldError("max_pods", problem)
    if problem := scale_set_problem(pool):
        raise FieldError("nodes", problem)
    try:
        planned = plan(pool, balancers)
        use = SubnetUse(planned, prefix)
        shown = subnet_bar(use).html + working_table(planned, with_facts=False)
    except InputError as error:
        raise FieldError("nodes", error) from error
    largest = f"{use.largest_pool:,} node{'s' * (use.largest_pool != 1)}"
    most = f"The largest pool of this kind that could be upgraded here: {largest}."
    return note(f"<strong>{use.verdict}</strong> {escape(use.summary)} {most}", "status") + shown


def _read_subnet(text: str) -> int:
    subnet = parse_range(text.strip(), version=4)
    usable_addresses(subnet.prefixlen)
    return int(subnet.prefixlen)


def max_pods(most: int) -> Callable[[str], int]:
    """Reads a max-pods that AKS accepts: up to the most that a network model allows."""

    def read(text: str) -> int:
        least = number("aks.min_max_pods")
        value = read_number(text)
        if value is not None and least <= value <= most:
            return value
        raise InputError(text, "is no max-pods that AKS accepts.", f"Choose {least} to {most}.")

    return read


def surge(text: str) -> MaxSurge:
    """Reads a max-surge, like 1 or 10%."""
    surge_nodes(0, text)
    return text.strip()


def count(name: str, least: int = 0) -> Callable[[str], int]:
    """Reads a number of something; `name` is what is counted."""
    return lambda text: whole_number(read_number(text), name, least)
