"""What became of a class: a summary for the instructor, and marks as CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nbgrader.api import Gradebook, MissingEntry

from course.grading.batch import Course, Outcome
from course.grading.record import METADATA
from course.grading.submission import shown, timestamp, whole

Status = Literal["graded", "needs a person", "not graded", "not handed in"]
COLUMNS = (
    *("student_id", "last_name", "first_name", "email", "assignment", "status", "score"),
    *("max_score", "score_so_far", "late_penalty", "handed_in", "remarks"),
)


@dataclass(frozen=True)
class Mark:
    """Where one student stands. Only `graded` has a score that is one."""

    student: str
    status: Status
    score: float | None = None  # less the penalty; all of it is there
    so_far: float | None = None
    most: float = 0.0
    penalty: float = 0.0
    by_hand: int = 0  # cells that wait for a person
    handed_in: str = ""
    remarks: tuple[str, ...] = ()
    name: tuple[str, str, str] = ("", "", "")  # last, first, e-mail


def marks(course: Course, outcome: Outcome) -> list[Mark]:
    """Everybody who handed in or is in the gradebook, in order."""
    with Gradebook(course.directory.db_url, course.directory.course_id) as gradebook:
        people = {each.id: _named(each) for each in gradebook.students}
        handed_in = set(course.submitted())
        return [
            _mark(course, gradebook, student, student in handed_in, outcome, people.get(student))
            for student in sorted(people.keys() | handed_in)
        ]


def _named(student: Any) -> tuple[str, str, str]:
    return (student.last_name or "", student.first_name or "", student.email or "")


def _mark(
    course: Course,
    gradebook: Gradebook,
    student: str,
    handed_in: bool,
    outcome: Outcome,
    name: tuple[str, str, str] | None,
) -> Mark:
    most = gradebook.find_assignment(course.assignment).max_score
    known: dict[str, Any] = {"most": most, "name": name or ("", "", "")}
    if not handed_in:
        return Mark(student, "not handed in", **known)
    when = timestamp(course.folder("submitted", student))
    known["handed_in"] = str(when or "")
    if student in outcome.failed or not course.is_graded(student):
        reason = outcome.failed.get(student, "it was not graded yet")
        return Mark(student, "not graded", remarks=(reason,), **known)
    try:
        submission = gradebook.find_submission(course.assignment, student)
    except MissingEntry:
        return Mark(student, "not graded", remarks=("it is not in the gradebook",), **known)
    penalty = submission.late_submission_penalty or 0.0
    so_far = max(0.0, submission.score - penalty)
    waiting = sum(
        grade.needs_manual_grade for each in submission.notebooks for grade in each.grades
    )
    return Mark(
        student,
        "needs a person" if waiting else "graded",
        None if waiting else so_far,
        so_far,
        penalty=penalty,
        by_hand=waiting,
        remarks=tuple(_remarks(course.folder("autograded", student))),
        **known,
    )


def _remarks(folder: Path) -> Iterator[str]:
    """The remarks that were written on graded notebooks."""
    for file in sorted(folder.glob("*.ipynb")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            yield from json.loads(file.read_bytes())["metadata"][METADATA]["remarks"]


def summary(found: Iterable[Mark], outcome: Outcome) -> str:
    """What the instructor reads: who could not be graded and why, what needs a person, scores."""
    found = list(found)
    counts = (len(outcome.graded), len(outcome.unchanged), len(outcome.failed))
    lines = ["{} graded now, {} unchanged, {} could not be graded.".format(*counts)]
    failed = [each for each in found if each.student in outcome.failed]
    lines += _part("Could not be graded", failed)
    lines += _part("Look at these", [each for each in found if each.so_far is not None])
    if outcome.no_feedback:
        told = sorted(outcome.no_feedback.items())
        lines += ["", "No feedback:", *(f"  {shown(each)}: {why}." for each, why in told)]
    by_hand = [each for each in found if each.by_hand]
    if by_hand:
        cells = sum(each.by_hand for each in by_hand)
        lines += [
            "",
            f"{len(by_hand)} submissions wait for a person, with {cells} cells: Formgrader.",
        ]
    scores = sorted(each.so_far for each in found if each.so_far is not None)
    if scores:
        middle = scores[len(scores) // 2]
        lines += ["", f"Scores so far: {scores[0]:g} to {scores[-1]:g}, median {middle:g}, "]
        lines[-1] += f"of {found[0].most:g}."
    left = [each for each in found if each not in failed]
    for title, status in (("Not graded yet", "not graded"), ("Not handed in", "not handed in")):
        if names := [shown(each.student) for each in left if each.status == status]:
            lines += ["", f"{title}: {', '.join(names)}."]
    return "\n".join(lines)


def _part(title: str, of: list[Mark]) -> list[str]:
    told = [each for each in of if each.remarks]
    if not told:
        return []
    return ["", f"{title}:"] + [
        f"  {shown(each.student)}: {'; '.join(each.remarks)}." for each in told
    ]


def write_csv(file: Path, found: Iterable[Mark], assignment: str) -> None:
    """Marks for a learning-management system; who has no score has an empty one, and a status."""
    with file.open("w", encoding="utf-8", newline="") as opened:
        table = csv.writer(opened)
        table.writerow(COLUMNS)
        for each in found:
            last, first, mail = each.name
            row = [each.student, last, first, mail, assignment, each.status, each.score]
            row += [each.most, each.so_far, each.penalty, each.handed_in, "; ".join(each.remarks)]
            table.writerow([_cell(value) for value in row])


def _cell(value: object) -> str:
    """A value that a spreadsheet takes for text or a number, and never for a formula.

    >>> _cell("=1+1"), _cell(None), _cell(2.5)
    ("'=1+1", '', '2.5')
    """
    text = "" if value is None else whole(str(value))
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
