"""The tab from which a plan is taken away: as text, JSON, commands or Bicep."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import ipywidgets as widgets

from course.errors import InputError
from course.planner import az, bicep, document, report
from course.planner.comparison import Comparison
from course.views.html import note
from course.views.planner_app.panes import Pane


@dataclass(frozen=True)
class Format:
    """One form of a plan: its name, the ending of its file, and how it is written."""

    title: str
    ending: str
    write: Callable[[Comparison], str]
    about: str


FORMATS = (
    Format("text for a ticket (Markdown)", "md", report.markdown, "Paste it into the ticket."),
    Format(
        "JSON, to load again", "json", lambda found: document.write(found.design),
        "Keep it under version control; <code>python -m course plan FILE.json</code> checks it.",
    ),
    Format(
        "az commands", "sh", lambda found: az.commands(found.judged),
        "They create what the plan says. Read them before you run them.",
    ),
    Format(
        "Bicep module", "bicep", lambda found: bicep.module(found.judged),
        "It creates what the plan says. Read it before you deploy it.",
    ),
)  # fmt: skip


class Export(Pane):
    """A plan in a form of one's choice, to copy or to save as a file."""

    def __init__(self) -> None:
        self.choice = widgets.Dropdown(
            options=[(each.title, each) for each in FORMATS],
            description="Form",
            layout=widgets.Layout(width="30em"),
        )
        self.link = widgets.HTML()
        self.text = widgets.Textarea(
            description="The plan",
            layout=widgets.Layout(width="98%", height="24em"),
        )
        self._comparison: Comparison | None = None
        self._written = ""
        self.choice.observe(lambda _: self._write(), names="value")
        self.text.observe(lambda _: self._keep(), names="value")
        self.title = "Export"
        super().__init__([self.choice, self.link, self.text])

    def show(self, comparison: Comparison) -> None:
        """Write the plan, unless this one is there already."""
        if comparison is not self._comparison:
            self._comparison = comparison
            self._write()

    def _write(self) -> None:
        if self._comparison is None:
            return
        form: Format = self.choice.value
        try:
            text = form.write(self._comparison)
        except InputError as error:
            self.link.value = note(escape(str(error)), "alert")
            self._set("")
            return
        self._set(text)
        self.link.value = note(f"{_link(form, self._comparison.design.name, text)}. {form.about}")

    def _set(self, text: str) -> None:
        self._written = text
        self.text.value = text

    def _keep(self) -> None:
        """It is for reading: what is typed there changes nothing."""
        if self.text.value != self._written:
            self.text.value = self._written


def _link(form: Format, name: str, text: str) -> str:
    """A link that saves the text as a file; it holds the text itself, nothing is sent anywhere."""
    data = base64.b64encode(text.encode("utf-8")).decode("ascii")
    file = f"{name}.{form.ending}"
    return (
        f'<a download="{escape(file)}" href="data:text/plain;charset=utf-8;base64,{data}" '
        f'style="text-decoration: underline">Save as {escape(file)}</a>'
    )
