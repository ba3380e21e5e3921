"""A field: a control with its name, and beside it the error that its text makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import ipywidgets as widgets

from course.views.html import note

LABEL_WIDTH = "15em"
# an error may quote what was pasted by mistake
MOST_SAID = 400


@dataclass(frozen=True)
class Field:
    """One input: its name and label, its first value, and how to read what is typed.

    `read` raises InputError, whose message then stands beside the field.
    """

    name: str
    label: str
    value: str
    read: Callable[[str], Any]


class FieldView(widgets.HBox):
    """A field with its error beside it; `control` is a text field if no other is given."""

    def __init__(self, field: Field, control: widgets.Widget | None = None) -> None:
        self.field = field
        self.control = control or widgets.Text(
            value=field.value,
            description=field.label,
            continuous_update=False,  # read when the field is left or Enter is pressed
            style={"description_width": LABEL_WIDTH},
            layout=widgets.Layout(width="27em", flex="0 0 auto"),
        )
        self.error = widgets.HTML()
        super().__init__([self.control, self.error], layout=widgets.Layout(flex_flow="row wrap"))

    def read(self) -> Any:
        """What the field says. Raises InputError."""
        return self.field.read(self.control.value)

    def complain(self, message: str) -> None:
        """Show an error beside the field; an empty text removes it."""
        short = message if len(message) <= MOST_SAID else f"{message[:MOST_SAID]} ..."
        said = f"<strong>Error:</strong> {escape(short)}"
        self.error.value = note(said, "alert") if message else ""
