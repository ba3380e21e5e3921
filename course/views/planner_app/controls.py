"""The controls of the planner: made from a description, and read into a part of a Design.

A Control says which part of a Design it holds, by name, and how its text is read. What a value may
be is said by that part itself: a control asks it, so that its error stands beside the control.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import ipywidgets as widgets

from course.errors import InputError
from course.views.fields import Field, FieldView
from course.views.html import note
from course.views.planner_app.reading import WORD, Kind

# columns as wide as the longest label, and what stands in a field
COLUMNS = "repeat(auto-fill, minmax(18em, 1fr))"
Option = tuple[str, Any]
# of what was pasted by mistake, so much of a name
MOST_NAMED = 40


@dataclass(frozen=True)
class Control:
    """One control: the attribute that it holds, its label, and how its text is read.

    With `options` it is a list to choose from; with `lines` a text of several lines. `hint` stands
    in an empty field. `tried_as` is the attribute that says whether the value may be, where this
    one cannot tell alone; "" tries nothing.
    """

    name: str
    label: str
    kind: Kind = WORD
    options: Sequence[Option | str] = ()
    lines: bool = False
    hint: str = ""
    tried_as: str | None = None

    def widget(self) -> Any:
        """The control itself."""
        shared = {
            "description": self.label,
            "description_allow_html": True,  # see ControlView.name
            "layout": widgets.Layout(width="auto"),
        }
        if self.options:
            return widgets.Dropdown(options=list(self.options), **shared)
        # the result follows the keyboard
        kind = widgets.Textarea if self.lines else widgets.Text
        if self.lines:
            shared["layout"].height = "7em"
        return kind(placeholder=self.hint, continuous_update=True, **shared)


class ControlView(FieldView):
    """A control with its error; reads a text once, and then remembers what it meant."""

    def __init__(self, control: Control, part: Callable[..., Any]) -> None:
        self.spec, self.part = control, part
        self._seen: tuple[Any, Any] | None = None
        self._error = self._remark = ""
        field = Field(control.name, control.label, "", self._meaning)
        super().__init__(field, control.widget())
        # its error stands below it, so that the others keep their places while one types
        self.layout = widgets.Layout(flex_flow="column", align_items="stretch", min_width="0")
        if control.lines:
            self.add_class("aks-wide")

    def name(self, of: str) -> None:
        """Say to a screen reader which of many such controls this is."""
        hidden = f'<span class="aks-hidden"> of {escape(of[:MOST_NAMED])}</span>'
        self.control.description = self.spec.label + hidden

    def read(self) -> Any:
        """What the control says. Raises InputError."""
        given = self.control.value
        if self._seen is None or self._seen[0] != given:
            self._seen = (given, self._meaning(given))
        return self._seen[1]

    @property
    def wrong(self) -> bool:
        """Whether its text cannot be read."""
        return bool(self._error)

    @property
    def told(self) -> bool:
        """Whether something stands beside it: its text cannot be read, or AKS refuses it."""
        return bool(self._error or self._remark)

    def complain(self, message: str) -> None:
        """Show an error beside the control; an empty text removes it."""
        self._error = message
        if message or not self._remark:
            super().complain(message)
        else:
            self.error.value = refused(self._remark)

    def remark(self, what: str) -> None:
        """Show what AKS refuses about a value that can be read; an empty text removes it."""
        if what != self._remark:
            self._remark = what
            self.complain(self._error)

    def show(self, value: Any) -> None:
        """Put a value of a Design into the control."""
        if not self.spec.options:
            self.control.value = self.spec.kind.write(value)
            return
        values = [each[1] if isinstance(each, tuple) else each for each in self.spec.options]
        if value not in values:
            # a design from elsewhere may hold what no page claims
            self.spec = replace(
                self.spec, options=[*self.spec.options, (f"{value} (of your own)", value)]
            )
            self.control.options = list(self.spec.options)
        self.control.value = value

    def _meaning(self, given: Any) -> Any:
        value = given if self.spec.options else self.spec.kind.read(given)
        tried = self.spec.name if self.spec.tried_as is None else self.spec.tried_as
        if tried and value is not None:
            self.part(**{tried: value})
        return value


class Flags(widgets.VBox):
    """Boxes to tick; what is ticked is a set of words."""

    def __init__(self, words: Mapping[str, str]) -> None:
        self.boxes = {
            word: widgets.Checkbox(
                description=f"{says[0].upper()}{says[1:]}",
                indent=False,
                layout=widgets.Layout(width="auto"),
            )
            for word, says in words.items()
        }
        self.error = widgets.HTML()
        super().__init__([*self.boxes.values(), self.error])

    def remark(self, what: str) -> None:
        """Show what AKS refuses of them together; an empty text removes it."""
        self.error.value = refused(what)

    @property
    def told(self) -> int:
        """How many errors stand beside them."""
        return int(bool(self.error.value))

    def read(self) -> frozenset[str]:
        """The words that are ticked."""
        return frozenset(word for word, box in self.boxes.items() if box.value)

    def show(self, words: frozenset[str]) -> None:
        """Tick these words and no others."""
        for word, box in self.boxes.items():
            box.value = word in words


class Part(widgets.Box):
    """Controls that together make one part of a Design, such as a pool, side by side."""

    def __init__(
        self, part: Callable[..., Any], controls: Sequence[Control], columns: str = COLUMNS
    ) -> None:
        self.part = part
        self.views = {each.name: ControlView(each, part) for each in controls}
        super().__init__(
            list(self.views.values()),
            layout=widgets.Layout(
                display="grid", grid_template_columns=columns, grid_gap="4px 1em",
                align_items="flex-start", flex="1 1 auto", min_width="0",
            ),
        )  # fmt: skip

    def read(self) -> Any:
        """The part, or None if a control, or what they say together, is wrong, which is told."""
        values, errors = self.values()
        made = None
        if not errors:
            try:
                made = self.part(**values)
            except InputError as error:
                errors = {blamed(self.part, values): str(error)}
        self.complain(errors)
        return made

    def values(self) -> tuple[dict[str, Any], dict[str, str]]:
        """What the controls say, by name, and the errors of those that are wrong."""
        values, errors = {}, {}
        for name, view in self.views.items():
            try:
                values[name] = view.read()
            except InputError as error:
                errors[name] = str(error)
        return values, errors

    def complain(self, errors: Mapping[str, str]) -> None:
        """Show these errors beside their controls, and no others."""
        for name, view in self.views.items():
            view.complain(errors.get(name, ""))

    def remark(self, found: Mapping[str, str], path: str) -> None:
        """Show findings beside the controls that they name; `path` is where this part stands."""
        for name, view in self.views.items():
            own = [what for field, what in found.items() if _names(field, f"{path}{name}")]
            view.remark(own[0] if own else "")

    def show(self, value: Any) -> None:
        """Put a part of a Design into the controls."""
        for name, view in self.views.items():
            view.show(getattr(value, name))

    def observe_all(self, do: Callable[[Any], None]) -> None:
        """Call this whenever one of the controls changes."""
        for view in self.views.values():
            view.control.observe(do, names="value")

    @property
    def wrong(self) -> list[str]:
        """The labels of the controls that have an error."""
        return [view.spec.label for view in self.views.values() if view.wrong]

    @property
    def told(self) -> int:
        """How many controls have something beside them that is wrong."""
        return sum(view.told for view in self.views.values())


def refused(what: str) -> str:
    """What AKS refuses, as HTML; nothing for an empty text."""
    return note(f"<strong>Does not work:</strong> {escape(what)}") if what else ""


def _names(field: str, name: str) -> bool:
    """Whether a finding's field is this control, or something that the control lists."""
    return field == name or field.startswith(f"{name}.")


def blamed(part: Callable[..., Any], values: Mapping[str, Any]) -> str:
    """Which of the values to blame, where each may be but not all together: the one without which
    the others may be, else the first.

    >>> from course.design import Pool
    >>> blamed(Pool, {"name": "a", "nodes": 3, "max_nodes": 2})
    'max_nodes'
    """
    for name in values:
        try:
            part(**{other: value for other, value in values.items() if other != name})
        except InputError:
            continue
        return name
    return next(iter(values))
