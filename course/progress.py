"""What a learner has answered, kept in a file of their own and never in the course's folder.

The file holds one event a line (JSON), and is only ever added to: two notebooks can write at the
same time, a crash loses nothing, and a line that cannot be read is passed over. Nothing that
happens to it may break a lesson.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from course.curriculum import lessons
from course.questions import express_ids, question_ids

FILE_NAME = "progress.jsonl"


@dataclass(frozen=True)
class Event:
    """A visit of a lesson, or an answer to a question.

    `at` is a local time with its offset, `lesson` a number like "05". For an answer, `question` is
    the question's id, `answer` what was given, and `outcome` "right", "wrong", or "shown" where the
    answer was looked at.
    """

    at: str
    lesson: str
    question: str = ""
    answer: Any = None
    outcome: str = ""

    @property
    def is_recent(self) -> bool:
        """Whether it happened within the last twelve hours."""
        try:
            return datetime.now().astimezone() - datetime.fromisoformat(self.at) < timedelta(
                hours=12
            )
        except (ValueError, TypeError):  # no time, or one without an offset
            return False


def folder() -> Path:
    """The folder of the user's data where this course keeps its own."""
    home = Path.home()
    base = {
        "win32": os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local",
        "darwin": home / "Library" / "Application Support",
    }.get(sys.platform) or os.environ.get("XDG_DATA_HOME") or home / ".local" / "share"  # fmt: skip
    return Path(base) / "aks-networking-course"


def record(lesson: str, question: str = "", answer: Any = None, outcome: str = "") -> str:
    """Keep an event. Returns why it could not be kept, or an empty text; never raises."""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    event = Event(now, lesson, question, answer, outcome)
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with (folder() / FILE_NAME).open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps(asdict(event)))  # a line of its own after a torn one
    except (OSError, RuntimeError) as error:
        return f"Your progress could not be kept: {error}"
    return ""


def events() -> list[Event]:
    """All events that can be read, oldest first. A missing or broken file has none."""
    return list(_events())


def answers() -> dict[str, list[Event]]:
    """The answers to each question, oldest first."""
    found: dict[str, list[Event]] = {}
    for event in events():
        if event.question:
            found.setdefault(event.question, []).append(event)
    return found


def last_lesson() -> str | None:
    """The number of the lesson where the learner was last, except the start; None if nowhere."""
    known = {each.number for each in lessons()} - {"00"}
    visited = [event.lesson for event in events() if event.lesson in known]
    return visited[-1] if visited else None


@dataclass(frozen=True)
class Standing:
    """How far a learner is in one lesson: counts of its questions, without those of its express
    path."""

    lesson: str
    questions: int
    answered: int
    right: int
    right_at_once: int

    def __str__(self) -> str:
        if not self.answered:
            return "not started"
        return (
            f"{self.answered} of {self.questions} answered, {self.right} right "
            f"({self.right_at_once} at the first try)"
        )


def standing(lesson: str) -> Standing:
    """How far the learner is in a lesson."""
    express, given = express_ids(lesson), answers()
    asked = [each for each in question_ids(lesson) if each not in express]
    tries = [given[each] for each in asked if each in given]
    return Standing(
        lesson=lesson,
        questions=len(asked),
        answered=len(tries),
        right=sum(any(event.outcome == "right" for event in each) for each in tries),
        right_at_once=sum(each[0].outcome == "right" for each in tries),
    )


def report() -> str:
    """The learner's progress as text, lesson by lesson."""
    lines = [f"{each.number}  {each.title}: {standing(each.number)}" for each in lessons()]
    return "\n".join([*lines, f"Kept in {folder() / FILE_NAME}"])


def export(path: str | Path) -> int:
    """Write all events as one JSON list; returns their number. Raises OSError as files do."""
    found = events()
    Path(path).write_text(json.dumps([asdict(event) for event in found], indent=2) + "\n", "utf-8")
    return len(found)


def reset() -> Path | None:
    """Begin anew. The old file is renamed, not deleted: returns its new path, None if none was."""
    file = folder() / FILE_NAME
    if not file.exists():
        return None
    kept = file.with_name(f"progress-until-{datetime.now():%Y%m%d-%H%M%S-%f}.jsonl")
    return file.rename(kept)


def _events() -> Iterator[Event]:
    try:
        text = (folder() / FILE_NAME).read_text("utf-8", errors="replace")
    except (OSError, RuntimeError):
        return
    for line in text.splitlines():
        try:
            event = Event(**json.loads(line))
        except (ValueError, TypeError, RecursionError):
            continue
        texts = (event.at, event.lesson, event.question, event.outcome)
        if all(isinstance(part, str) for part in texts):
            yield event
