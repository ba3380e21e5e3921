"""The planner: the verdict, a form, and what comes of it below. It adds no rule of its own.

What is wrong stands beside its field, and meanwhile the last good result stays, marked as such.
"""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

import ipywidgets as widgets

from course.design import Design
from course.planner.comparison import Comparison, compare
from course.views.html import note
from course.views.planner_app.export import Export
from course.views.planner_app.form import Form, counted
from course.views.planner_app.loading import load_cluster, load_plan
from course.views.planner_app.panes import told
from course.views.planner_app.results import verdict_note

# titles of tabs are paler than one can read well, and the one that has the focus does not show it
STYLE = """<style>
.aks-planner .lm-TabBar-tabLabel { color: var(--jp-ui-font-color1, #111); }
.aks-planner .jupyter-widget-tab > .lm-TabBar .lm-TabBar-tab { flex: 0 0 auto; max-width: 100%; }
.aks-planner .jupyter-widget-tab > .lm-TabBar .lm-TabBar-content { flex-wrap: wrap; }
.aks-planner .widget-html, .aks-planner .widget-html-content { min-width: 0; max-width: 100%; }
.aks-form .widget-text, .aks-form .widget-textarea, .aks-form .widget-dropdown {
    flex-direction: column; align-items: stretch; height: auto; min-width: 0; max-width: 100%; }
.aks-form .widget-text > *, .aks-form .widget-dropdown > * { flex: 0 0 auto; }
.aks-form .widget-dropdown > select { height: var(--jp-widgets-inline-height, 28px); }
.aks-form .widget-label { width: auto; text-align: left; line-height: 1.6; height: auto; }
.aks-planner .aks-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden;
    clip-path: inset(50%); white-space: nowrap; }
.aks-form .aks-wide { grid-column: 1 / -1; }
.aks-planner .aks-wrapped { white-space: normal; height: auto; line-height: 1.4; }
.aks-planner .lm-TabBar-tab:focus-visible { outline: 2px solid currentColor; outline-offset: -3px; }
</style>"""


class Planner(widgets.VBox):
    """The verdict, the form, and tabs of results. `design` is what the results are of."""

    def __init__(self, design: Design) -> None:
        self.design = self.before = design
        self.comparison: Comparison = compare(design)
        self._quiet = False
        self.form = Form(lambda _=None: self.update())
        self.stale, self.verdict = widgets.HTML(), widgets.HTML()
        self.back = widgets.Button(
            description="Bring back what was there before",
            layout=widgets.Layout(width="auto", display="none", align_self="flex-start"),
        )
        self.back.on_click(lambda _: self.load(self.before))
        self.panes = [*told(), Export(), load_plan(self.load), load_cluster(self.load)]
        self.tabs = widgets.Tab(self.panes, titles=[pane.title for pane in self.panes])
        self.tabs.observe(lambda _: self._show_pane(), names="selected_index")
        super().__init__([widgets.HTML(STYLE), self._head(), self.form, self.back, self.tabs])
        self.add_class("aks-planner")
        self._fill(design)
        self.form.read()
        self.form.remark(self.comparison.judged.errors)
        self._show()

    def _head(self) -> widgets.HBox:
        """The model and the verdict, above the form so that they are seen while one types."""
        # room for both notes: the form stays where it is when the second one comes
        room = widgets.Layout(flex="1 1 24em", min_height="8.5em", min_width="0")
        head = widgets.HBox(
            [self.form.model, widgets.VBox([self.verdict, self.stale], layout=room)],
            layout=widgets.Layout(flex_flow="row wrap", grid_gap="0 1em"),
        )
        head.add_class("aks-form")
        return head

    def update(self) -> None:
        """Read the form; show what comes of it, or what is wrong."""
        if self._quiet:
            return
        read = self.form.read()
        # another model can be looked at even while something else is to be mended
        design = read or replace(self.design, model=self.form.model.value)
        if design != self.design:
            self.design, self.comparison = design, compare(design)
            self._show()
        self.form.remark(self.comparison.judged.errors)
        self.stale.value = "" if read else self._stale()

    def load(self, design: Design) -> None:
        """Put a design into the form; what was there can be brought back.

        Raises InputError, and changes nothing, for a design of a model that there is not.
        """
        compare(design)
        self.before = self.design
        self.back.layout.display = ""
        self._fill(design)
        self.update()

    def _fill(self, design: Design) -> None:
        """Put a design into the form, at once and not field by field."""
        self._quiet = True
        try:
            self.form.show(design)
        finally:
            self._quiet = False

    def _show(self) -> None:
        self.verdict.value = verdict_note(self.comparison)
        errors = len(self.comparison.judged.errors)
        self.tabs.titles = [
            counted(pane.title, errors if pane.title == "Findings" else 0) for pane in self.panes
        ]
        self._show_pane()

    def _show_pane(self) -> None:
        index = self.tabs.selected_index
        if index is not None:
            self.panes[index].show(self.comparison)

    def _stale(self) -> str:
        wrong = self.form.wrong
        where = "; ".join(f"{title}: {', '.join(labels)}" for title, labels in wrong.items())
        said = f"<strong>Not up to date.</strong> To be mended: {escape(where)}. "
        return note(f"{said}Below stands the last result without an error.", "alert")


def planner(design: Design | None = None, **parts: Any) -> Planner:
    """The planner, with a design of yours or an ordinary one to begin with."""
    return Planner(design or Design(**parts))
