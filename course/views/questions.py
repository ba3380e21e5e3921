"""Questions to answer in a notebook: nothing is told before the learner commits to an answer."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import ipywidgets as widgets
from traitlets import TraitError

from course import progress
from course.errors import InputError
from course.prose import facts_in
from course.questions import (
    Answer,
    Choice,
    Judgement,
    Number,
    Ordering,
    Outcome,
    Question,
    judge,
    question,
    read_number,
    texts,
)
from course.views.html import inline, note, plain, source_link

WIDE = widgets.Layout(width="auto", max_width="46em")


def ask(question_id: str) -> QuestionView:
    """Show a question by its id, like "05.taken"."""
    return QuestionView(question(question_id))


class QuestionView(widgets.VBox):
    """A question with its entry, its buttons and what is said to the answer.

    Everything is reached by Tab and worked by Space, Enter and the arrow keys. `told` is called
    with the question and each judgement.
    """

    def __init__(
        self, asked: Question, told: Callable[[Question, Judgement], None] | None = None
    ) -> None:
        self.asked, self.told = asked, told
        self.entry, self.read, self.fill = _entry(asked)
        self.hints_given = 0
        self.commit = _button("Commit", self._on_commit)
        self.hint = _button("Hint", self._on_hint)
        self.reveal = _button("Show the answer", self._on_reveal)
        self.hinted, self.said = widgets.HTML(), widgets.HTML(self._before())
        self.buttons = widgets.HBox([self.commit, *([self.hint] if asked.hints else [])])
        prompt = widgets.HTML(note(inline(asked.prompt)))
        super().__init__([prompt, self.entry, self.buttons, self.hinted, self.said])

    def _before(self) -> str:
        """What is said of an earlier answer: all of it today, so that running the cell again loses
        nothing; later only how it went, so that the learner can try from memory."""
        earlier = [
            event for event in progress.answers().get(self.asked.id, []) if event.outcome != "shown"
        ]
        if not earlier:
            return ""
        last = earlier[-1]
        said = f"You answered this on {escape(last.at[:10])}: {escape(last.outcome)}."
        if not last.is_recent:
            return note(f"{said} Try again from memory.")
        try:
            judgement = judge(self.asked, last.answer)
            self.fill(last.answer)
        except (InputError, TypeError, ValueError, TraitError):
            return note(said)  # the question has changed since
        return note(_said(self.asked, judgement))

    def _on_commit(self) -> None:
        try:
            answer = self.read()
            judgement = judge(self.asked, answer)
        except InputError as error:
            self.said.value = note(escape(str(error)), "alert")
            return
        trouble = ""
        if judgement.outcome is not Outcome.NOT_ATTEMPTED:
            trouble = self._record(answer, judgement.outcome.value)
        self.said.value = note(f"{_said(self.asked, judgement)} {escape(trouble)}", "status")
        others = [button for button in self.buttons.children if button is not self.reveal]
        wrong = judgement.outcome is Outcome.WRONG
        self.buttons.children = (*others, self.reveal) if wrong else tuple(others)
        if self.told:
            self.told(self.asked, judgement)

    def _on_hint(self) -> None:
        hints = self.asked.hints
        self.hints_given = min(self.hints_given + 1, len(hints))
        shown = "".join(
            f"<div>Hint {place} of {len(hints)}: {inline(hint)}</div>"
            for place, hint in enumerate(hints[: self.hints_given], 1)
        )
        self.hinted.value = note(shown, "status")

    def _on_reveal(self) -> None:
        self._record(None, "shown")
        self.said.value = note(_answer_in_full(self.asked), "status")

    def _record(self, answer: Answer, outcome: str) -> str:
        return progress.record(self.asked.id.partition(".")[0], self.asked.id, answer, outcome)


Entry = tuple[widgets.Widget, Callable[[], Answer], Callable[[Answer], None]]


def _entry(asked: Question) -> Entry:
    """The controls for an answer, how to read them, and how to fill them in."""
    if isinstance(asked, Number):
        return _number_entry(asked)
    if isinstance(asked, Ordering):
        return _ordering_entry(asked)
    return _several_entry(asked) if asked.several else _one_entry(asked)


def _one_entry(asked: Choice) -> Entry:
    options = [(plain(option.text), option.text) for option in asked.shuffled]
    radio = widgets.RadioButtons(
        options=options, value=None, description="Your answer:", layout=WIDE
    )

    def fill(answer: Answer) -> None:
        (radio.value,) = answer  # type: ignore[misc]

    return radio, lambda: [radio.value] if radio.value else None, fill


def _several_entry(asked: Choice) -> Entry:
    boxes = {
        option.text: widgets.Checkbox(description=plain(option.text), indent=False, layout=WIDE)
        for option in asked.shuffled
    }

    def read() -> Answer:
        return [text for text, box in boxes.items() if box.value]

    def fill(answer: Answer) -> None:
        for text, box in boxes.items():
            box.value = text in answer  # type: ignore[operator]

    told = widgets.HTML(note("Choose all that are right."))
    return widgets.VBox([told, *boxes.values()]), read, fill


def _number_entry(asked: Number) -> Entry:
    field = widgets.Text(
        description=f"Your answer ({asked.unit}):",
        continuous_update=False,  # sent once, when the field is left: never after the click
        style={"description_width": "initial"},
        layout=widgets.Layout(width="24em"),
    )

    def fill(answer: Answer) -> None:
        field.value = str(answer)

    return field, lambda: read_number(field.value), fill


def _ordering_entry(asked: Ordering) -> Entry:
    places = [("choose", 0), *((str(place), place) for place in range(1, len(asked.items) + 1))]
    fields = {
        item: widgets.Dropdown(
            options=places,
            description=plain(item),
            style={"description_width": "26em"},
            layout=widgets.Layout(width="34em"),
        )
        for item in asked.shuffled
    }

    def read() -> Answer:
        chosen = {item: field.value for item, field in fields.items()}
        if not any(chosen.values()):
            return None
        twice = {place for place in chosen.values() if list(chosen.values()).count(place) > 1}
        if 0 in chosen.values() or twice:
            missing = 0 in chosen.values()
            named = "choose" if missing else min(twice)
            said = "still stands at an item." if missing else "is given more than once."
            raise InputError(named, said, "Give each item a place of its own.")
        return sorted(chosen, key=lambda item: chosen[item])

    def fill(answer: Answer) -> None:
        for place, item in enumerate(answer, 1):  # type: ignore[arg-type]
            fields[item].value = place

    told = widgets.HTML(note("Give each line its place: 1 is first."))
    return widgets.VBox([told, *fields.values()]), read, fill


def _said(asked: Question, judgement: Judgement) -> str:
    opening = {
        Outcome.NOT_ATTEMPTED: "Not attempted.",
        Outcome.RIGHT: "Right.",
        Outcome.WRONG: "Not yet.",
    }[judgement.outcome]
    html = " ".join([f"<strong>{opening}</strong>", *map(inline, judgement.feedback)])
    shown = list(judgement.feedback)
    if judgement.outcome is Outcome.RIGHT and isinstance(asked, Choice):
        html += _other_options(asked)
        shown = texts(asked)
    return html + _sources(shown)


def _sources(shown: list[str]) -> str:
    """The facts that the texts rest on, each with its date and where to read it."""
    facts = facts_in("\n".join(shown))
    items = "".join(
        f"<li>{escape(each.statement)} "
        + "; ".join(
            f"As of {escape(claim.as_of)}: {', '.join(map(source_link, claim.sources))}"
            for claim in each.claims
        )
        + "</li>"
        for each in facts
    )
    return f"<details><summary>Sources</summary><ul>{items}</ul></details>" if facts else ""


def _answer_in_full(asked: Question) -> str:
    if isinstance(asked, Choice):
        right = [option for option in asked.options if option.right]
        told = " ".join(f"“{inline(option.text)}” {inline(option.why)}" for option in right)
        return f"<strong>The answer.</strong> {told}{_other_options(asked)}{_sources(texts(asked))}"
    answer = f"{asked.answer:,}" if isinstance(asked, Number) else "; ".join(asked.items)
    return f"<strong>The answer: {inline(answer)}.</strong> {inline(asked.right)}"


def _other_options(asked: Choice) -> str:
    others = "".join(
        f"<li>“{inline(option.text)}” {inline(option.why)}</li>"
        for option in asked.options
        if not option.right
    )
    return f"<details><summary>The other options</summary><ul>{others}</ul></details>"


def _button(text: str, on_click: Callable[[], None]) -> widgets.Button:
    button = widgets.Button(description=text, layout=widgets.Layout(width="auto"))
    button.on_click(lambda _: on_click())
    return button
