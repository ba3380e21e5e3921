"""The node pools of the form: a row of controls for each, to add and to remove."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from html import escape
from itertools import count
from typing import Any

import ipywidgets as widgets

from course.design import SYSTEMS, Pool
from course.views.html import note
from course.views.planner_app.controls import MOST_NAMED, Control, Part, refused
from course.views.planner_app.reading import COUNT, COUNT_OR_NONE, SURGE_OR_NONE

CONTROLS = (
    Control("name", "Pool name"),
    Control("nodes", "Nodes", COUNT),
    Control(
        "min_nodes", "Autoscaler, least", COUNT_OR_NONE, hint="no autoscaler", tried_as="nodes"
    ),
    Control("max_nodes", "Autoscaler, most", COUNT_OR_NONE, hint="no autoscaler", tried_as="nodes"),
    Control("system", "Operating system", options=SYSTEMS),
    Control("max_pods", "max-pods", COUNT_OR_NONE, hint="model's default"),
    Control("max_surge", "max-surge (or %)", SURGE_OR_NONE, hint="the default"),
    Control("pods", "Pods expected", COUNT_OR_NONE, hint="as max-pods"),
    Control("subnet", "Node subnet"),
    Control("pod_subnet", "Pod subnet"),
)


DRAWN = 0.3  # seconds
# five beside each other, so that a pool takes two lines
COLUMNS = "repeat(auto-fill, minmax(9.5em, 1fr))"


class Row(widgets.HBox):
    """One pool, with the button that removes it."""

    def __init__(self, on_change: Callable[..., None], on_remove: Callable[[Row], None]) -> None:
        self.part = Part(Pool, CONTROLS, COLUMNS)
        self.part.observe_all(on_change)
        self.remove = widgets.Button(layout=widgets.Layout(width="8em", flex="0 0 auto"))
        self.remove.add_class("aks-wrapped")
        self.remove.on_click(lambda _: on_remove(self))
        self.part.views["name"].control.observe(lambda _: self._name(), names="value")
        self._name()
        line = "1px solid var(--jp-border-color1, #888)"
        layout = widgets.Layout(border_top=line, padding="2px 0 6px", align_items="center")
        super().__init__([self.part, self.remove], layout=layout)

    @property
    def name(self) -> str:
        """The name in its field."""
        return str(self.part.views["name"].control.value)

    def _name(self) -> None:
        """Say in the name of each control whose it is."""
        pool = f"pool {self.name[:MOST_NAMED]}"
        self.remove.description = f"Remove {pool}"
        for view in self.part.views.values():
            view.name(pool)


class Pools(widgets.VBox):
    """All node pools."""

    def __init__(self, on_change: Callable[..., None]) -> None:
        self.on_change = on_change
        self._error = self._remark = ""
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
        names = {row.name for row in self.rows.children}
        row = Row(self.on_change, self.drop)
        row.part.show(Pool(next(f"user{n}" for n in count(1) if f"user{n}" not in names)))
        self.rows.children = (*self.rows.children, row)
        self._only_one()
        self.on_change()
        _focus(row.part.views["name"].control)

    def drop(self, row: Row) -> None:
        """Remove a pool."""
        place = self.rows.children.index(row)
        self.rows.children = [each for each in self.rows.children if each is not row]
        _close(row)
        self._only_one()
        self.on_change()
        left = [each.remove for each in self.rows.children[place:]]
        _focus(next((button for button in left if not button.disabled), self.add))

    def complain(self, message: str) -> None:
        """Show an error of the pools together; an empty text removes it."""
        self._error = message
        self._tell()

    def _tell(self) -> None:
        said = note(f"<strong>Error:</strong> {escape(self._error)}", "alert")
        self.error.value = said if self._error else refused(self._remark)

    def remark(self, found: Mapping[str, str]) -> None:
        """Show findings beside the controls of the pools that they name."""
        self._remark = found.get("pools", "")
        self._tell()
        for row in self.rows.children:
            row.part.remark(found, f"pools.{row.name}.")

    @property
    def wrong(self) -> list[str]:
        """The labels of the controls that have an error, with their pool."""
        found = [label for row in self.rows.children for label in row.part.wrong]
        return [*(["Node pools"] if self._error else []), *found]

    @property
    def told(self) -> int:
        """How many errors stand beside the pools."""
        beside: int = sum(row.part.told for row in self.rows.children)
        return beside + bool(self.error.value)

    def _only_one(self) -> None:
        """A cluster has at least one pool."""
        for row in self.rows.children:
            row.remove.disabled = len(self.rows.children) == 1


def _focus(widget: Any) -> None:
    """Give the keyboard to a widget, once the browser has had the time to draw it."""
    try:
        asyncio.get_running_loop().call_later(DRAWN, widget.focus)
    except RuntimeError:  # no notebook runs
        widget.focus()


def _close(widget: Any) -> None:
    for child in getattr(widget, "children", ()):
        _close(child)
    widget.close()
