"""The express path of a lesson: five questions that tell whether a learner may skip it."""

from __future__ import annotations

from html import escape

import ipywidgets as widgets

from course import progress
from course.curriculum import lesson
from course.errors import InputError
from course.questions import Judgement, Outcome, Question, express_ids, question
from course.views.html import note
from course.views.questions import QuestionView

OPEN = "Show the questions"


def express(number: str) -> ExpressPath:
    """Show the express path of a lesson, like "05".

    Raises InputError for a lesson that has none.
    """
    asked = [question(each) for each in express_ids(lesson(number).number)]
    if not asked:
        raise InputError(number, "has no express path.", "Begin with its first section.")
    return ExpressPath(number, asked)


class ExpressPath(widgets.VBox):
    """A button that opens the questions, and below them what the answers say so far.

    What counts is the first answer to a question, today's or an earlier one.
    """

    def __init__(self, number: str, asked: list[Question]) -> None:
        self.lesson = lesson(number)
        self.asked = {each.id: each for each in asked}
        earlier = progress.answers()
        self.first = {each: earlier[each][0].outcome for each in self.asked if each in earlier}
        self.opener = widgets.Button(description=OPEN, layout=widgets.Layout(width="auto"))
        self.opener.on_click(lambda _: self._show())
        self.said = widgets.HTML(note(self.verdict))
        super().__init__([widgets.HBox([self.opener]), self.said])

    @property
    def verdict(self) -> str:
        """What the first answers so far say, as HTML."""
        right = sum(outcome == Outcome.RIGHT.value for outcome in self.first.values())
        if len(self.first) < len(self.asked):
            return f"{len(self.first)} of {len(self.asked)} questions answered."
        if right < len(self.asked):
            return (
                f"{right} of {len(self.asked)} right at the first try. "
                "The lesson has something for you: read on."
            )
        where = f"../{self.lesson.exercise_file}"
        return (
            "<strong>All right at the first try.</strong> You may skip this lesson: go on to its "
            f'<a href="{escape(where)}" style="text-decoration: underline">exercise</a>.'
        )

    def _show(self) -> None:
        views = [QuestionView(each, self._judged) for each in self.asked.values()]
        self.children = (*views, self.said)

    def _judged(self, asked: Question, judgement: Judgement) -> None:
        if judgement.outcome is not Outcome.NOT_ATTEMPTED:
            self.first.setdefault(asked.id, judgement.outcome.value)
            self.said.value = note(self.verdict, "status")
