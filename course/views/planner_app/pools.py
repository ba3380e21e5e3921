"""The node pools of the form: a row of controls for each, to add and to remove."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from itertools import count
from typing import Any

import ipywidgets as widgets

from course.design import SYSTEMS, Pool
from course.views.html import note
from course.views.planner_app.controls import Control, Part
from course.views.planner_app.reading import COUNT, COUNT_OR_NONE, SURGE_OR_NONE

CONTROLS = (
    Control("name", "Pool name"),
    Control("nodes", "Nodes", COUNT),
    Control(
        "min_nodes", "Autoscaler, least", COUNT_OR_NONE, hint="no autoscaler", tried_as="nodes"
    ),
    Control("max_nodes", "Autoscaler, most", COUNT_OR_NONE, hint="no autoscaler", tried_as="nodes"),
    Control("max_pods", "max-pods (per node)", COUNT_OR_NONE, hint="the model's default"),
    Control("max_surge", "max-surge (1 or 10%)", SURGE_OR_NONE, hint="the default"),
    Control("pods", "Pods expected", COUNT_OR_NONE, hint="as many as may run"),
    Control("system", "System", options=SYSTEMS),
    Control("subnet", "Node subnet"),
    Control("pod_subnet", "Pod subnet"),
)


class Row(widgets.VBox):
    """One pool, with the button that removes it."""

    def __init__(self, on_change: Callable[..., None], on_remove: Callable[[Row], None]) -> None:
        self.part = Part(Pool, CONTROLS)
        self.part.observe_all(on_change)
        self.remove = widgets.Button(description="Remove this pool")
        self.remove.on_click(lambda _: on_remove(self))
        top = widgets.Layout(border_top="1px solid var(--jp-border-color1, #888)")
        super().__init__([self.part, self.remove], layout=top)


class Pools(widgets.VBox):
    """All node pools."""

    def __init__(self, on_change: Callable[..., None]) -> None:
        self.on_change = on_change
        self.error = widgets.HTML()
        self.rows = widgets.VBox()
        self.add = widgets.Button(description="Add a node pool")
        self.add.on_click(lambda _: self.append())
        super().__init__([self.error, self.rows, self.add])

    def read(self) -> tuple[Pool, ...] | None:
        """The pools, or None if one of them is wrong."""
        found = [row.part.read() for row in self.rows.children]
        return None if None in found else tuple(found)

    def show(self, pools: tuple[Pool, ...]) -> None:
        """Put the pools of a Design into the rows."""
        rows = list(self.rows.children)
        for row in rows[len(pools) :]:
            _close(row)
        rows = rows[: len(pools)]
        rows += [Row(self.on_change, self.drop) for _ in pools[len(rows) :]]
        for row, pool in zip(rows, pools, strict=True):
            row.part.show(pool)
        self.rows.children = rows
        self._only_one()

    def append(self) -> None:
        """Add a pool under a name that is free."""
        names = {row.part.views["name"].control.value for row in self.rows.children}
        row = Row(self.on_change, self.drop)
        row.part.show(Pool(next(f"user{n}" for n in count(1) if f"user{n}" not in names)))
        self.rows.children = (*self.rows.children, row)
        self._only_one()
        self.on_change()

    def drop(self, row: Row) -> None:
        """Remove a pool."""
        self.rows.children = [each for each in self.rows.children if each is not row]
        _close(row)
        self._only_one()
        self.on_change()

    def complain(self, message: str) -> None:
        """Show an error of the pools together; an empty text removes it."""
        said = f"<strong>Error:</strong> {escape(message)}"
        self.error.value = note(said, "alert") if message else ""

    def remark(self, found: Mapping[str, str]) -> None:
        """Show findings beside the controls of the pools that they name."""
        for row in self.rows.children:
            name = row.part.views["name"].control.value
            row.part.remark(found, f"pools.{name}.")

    @property
    def wrong(self) -> list[str]:
        """The labels of the controls that have an error, with their pool."""
        found = [label for row in self.rows.children for label in row.part.wrong]
        return [*(["Node pools"] if self.error.value else []), *found]

    def _only_one(self) -> None:
        """A cluster has at least one pool."""
        for row in self.rows.children:
            row.remove.disabled = len(self.rows.children) == 1


def _close(widget: Any) -> None:
    for child in getattr(widget, "children", ()):
        _close(child)
    widget.close()
