"""The tabs that fill the form: from a plan that was saved, or from a cluster that runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import ipywidgets as widgets

from course.design import Design
from course.errors import InputError
from course.planner import document, running
from course.views.html import note, table
from course.views.planner_app.form import label_of
from course.views.planner_app.panes import Pane

Texts = Sequence[str | bytes]
# gives the design that texts describe, and what is to be told of it as HTML; raises InputError
Reader = Callable[[Texts], tuple[Design, str]]

# a message to the kernel that is too large is dropped on the way, without a word
NOTHING = (
    "Nothing has arrived: paste a text or choose a file first. Files of more than 10 MB never "
    "arrive here; in a terminal <code>python -m course plan --running FILE ...</code> reads them."
)


class Loading(Pane):
    """Text to paste or files to upload, and a button that fills the form with it."""

    def __init__(
        self, title: str, says: str, read: Reader, on_load: Callable[[Design], None]
    ) -> None:
        self.read, self.on_load = read, on_load
        self.text = widgets.Textarea(
            description="Paste here",
            # it travels as it is typed: on leaving the box, it would race with the click
            continuous_update=True,
            layout=widgets.Layout(width="98%", height="12em"),
        )
        self.files = widgets.FileUpload(
            description="Or choose files", multiple=True, layout=widgets.Layout(width="auto")
        )
        self.button = widgets.Button(
            description="Fill the form", layout=widgets.Layout(width="auto")
        )
        self.button.on_click(lambda _: self.load())
        self.told = widgets.HTML()
        buttons = widgets.HBox([self.files, self.button])
        self.title = title
        super().__init__([widgets.HTML(note(says)), self.text, buttons, self.told])

    def load(self) -> None:
        """Read what was given and fill the form with it, or say what is wrong with it."""
        texts = [bytes(each["content"]) for each in self.files.value]
        if self.text.value.strip():
            texts.append(self.text.value.encode("utf-8", "replace"))
        if not texts:
            self.told.value = note(NOTHING, "alert")
            return
        try:
            design, told = self.read(texts)
            self.on_load(design)
        except InputError as error:
            said = "<br>".join(map(escape, str(error).splitlines()[:40]))
            self.told.value = note(f"<strong>Error:</strong> {said}", "alert")
            return
        # what was pasted may hold secrets: it is not kept
        self.text.value, self.files.value = "", ()
        self.told.value = told


def load_plan(on_load: Callable[[Design], None]) -> Loading:
    """The tab that loads a plan which was exported as JSON."""
    return Loading("Load", "The JSON of a plan, as the tab Export gives it.", _read_plan, on_load)


def load_cluster(on_load: Callable[[Design], None]) -> Loading:
    """The tab that reads a cluster which runs."""
    commands = "".join(f"<li><code>{escape(each)}</code></li>" for each in running.COMMANDS)
    says = (
        "Paste what these commands print, one after the other, or choose the files in which you "
        f"saved it. Any of them will do; nothing leaves this machine.<ul>{commands}</ul>"
    )
    return Loading("Your own cluster", says, _read_cluster, on_load)


def _read_plan(texts: Texts) -> tuple[Design, str]:
    if len(texts) > 1:
        raise InputError(len(texts), "plans are too many at once.", "Give one.")
    (given,) = texts
    try:
        text = given if isinstance(given, str) else given.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("the file", "is no text.", "Save it as UTF-8.") from None
    return document.read(text), note("The form holds this plan now.", "status")


def _read_cluster(texts: Texts) -> tuple[Design, str]:
    found = running.read(texts)
    notes = "".join(f"<li>{escape(each)}</li>" for each in found.notes)
    told = note(f"The form holds your cluster now.<ul>{notes}</ul>", "status")
    if not found.missing:
        return found.design, told + note("Nothing is missing.")
    rows = [
        [escape(each.question), escape(label_of(each.field)), _command(each.command)]
        for each in found.missing
    ]
    head = ["missing", "stands at its default", "what tells it"]
    return found.design, told + table("What these answers did not tell", head, rows)


def _command(command: str) -> str:
    return f"<code>{escape(command)}</code>" if command else "no command tells it"
