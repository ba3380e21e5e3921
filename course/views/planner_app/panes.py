"""The tabs of results. Only the one that is seen is made; the others when they are chosen."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import ipywidgets as widgets

from course.errors import InputError
from course.planner.comparison import Comparison
from course.views.address_space import address_space
from course.views.html import note
from course.views.planner_app import results

Render = Callable[[Comparison], str]


class Pane(widgets.VBox):
    """A tab: its title, and what it shows of a comparison."""

    title: str

    def show(self, comparison: Comparison) -> None:
        """Make what is seen, unless it is there already."""


class Told(Pane):
    """A tab that only tells something. It is one piece of HTML: each message to the browser takes
    as long as all the reckoning."""

    def __init__(self, title: str, render: Render) -> None:
        self.title, self.render = title, render
        self.html = widgets.HTML()
        self._shown: Comparison | None = None
        super().__init__([self.html])

    def show(self, comparison: Comparison) -> None:
        """Make what is seen, unless it is there already."""
        if self._shown is comparison:
            return
        try:
            self.html.value = self.render(comparison)
        except InputError as error:
            self.html.value = note(escape(str(error)), "alert")
        self._shown = comparison


def told() -> list[Told]:
    """The tabs that only tell something."""
    return [
        Told("Compare", lambda found: results.compared(found) + address_space(found).html),
        Told("Findings", lambda found: results.findings(found.judged)),
        Told("Working", lambda found: results.working(found.judged)),
        Told("Growth", lambda found: results.growth(found.judged, found)),
        Told("Moving", results.moving),
    ]
