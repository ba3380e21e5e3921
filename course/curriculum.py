"""The lessons of the course, its projects and its tools: title, time, what you can do afterwards.

>>> lesson("05").file
'lessons/05-azure-cni.ipynb'
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from course.errors import InputError


@dataclass(frozen=True)
class Lesson:
    """One lesson. `minutes` is the time it takes, `afterwards` what its reader can do then."""

    slug: str
    title: str
    minutes: int
    afterwards: str
    exercise: bool

    @property
    def number(self) -> str:
        """Two digits, the first thing in its file's name."""
        return self.slug[:2]

    @property
    def name(self) -> str:
        """What one calls it."""
        return f"Lesson {self.number}"

    @property
    def file(self) -> str:
        """Its notebook, from the course's root."""
        return f"lessons/{self.slug}.ipynb"

    @property
    def exercise_file(self) -> str:
        """The notebook of its exercise, from the course's root; empty if it has none."""
        return f"exercises/{self.slug}/{self.slug}.ipynb" if self.exercise else ""

    @property
    def solution_file(self) -> str:
        """The notebook with the answers, from the course's root; empty if it has no exercise."""
        return f"solutions/{self.slug}/{self.slug}.ipynb" if self.exercise else ""


@dataclass(frozen=True)
class Project:
    """An exercise without a lesson of its own, in which what several taught comes together.

    `minutes` is the time it takes, `afterwards` what one can do then, `after` the lesson before it.
    """

    slug: str
    title: str
    minutes: int
    afterwards: str
    after: str

    @property
    def name(self) -> str:
        """What one calls it."""
        return f"Project: {self.title}"

    @property
    def file(self) -> str:
        """Its notebook, from the course's root."""
        return f"exercises/{self.slug}/{self.slug}.ipynb"

    @property
    def solution_file(self) -> str:
        """The notebook with the answers, from the course's root."""
        return f"solutions/{self.slug}/{self.slug}.ipynb"


@dataclass(frozen=True)
class Tool:
    """A notebook that is no lesson: a tool to work with. `use` is what one does with it."""

    slug: str
    title: str
    use: str

    @property
    def name(self) -> str:
        """What one calls it."""
        return f"Tool: {self.title[0].lower()}{self.title[1:]}"

    @property
    def file(self) -> str:
        """Its notebook, from the course's root."""
        return f"lessons/{self.slug}.ipynb"


@cache
def lessons() -> tuple[Lesson, ...]:
    """All lessons, in reading order."""
    return tuple(Lesson(**entry) for entry in _entries()["lesson"])


@cache
def projects() -> tuple[Project, ...]:
    """All projects, in the order in which they are done."""
    return tuple(Project(**entry) for entry in _entries().get("project", []))


@cache
def tools() -> tuple[Tool, ...]:
    """All tools, each a notebook beside the lessons.

    >>> [tool.name for tool in tools()]
    ['Tool: the planner']
    """
    return tuple(Tool(**entry) for entry in _entries()["tool"])


def lesson(number: str) -> Lesson:
    """The lesson with this number, written "05", "5" or as its whole slug.

    Raises InputError for a number that no lesson has.
    """
    wanted = str(number) and str(number).zfill(2)
    for each in lessons():
        if wanted in (each.number, each.slug):
            return each
    raise InputError(
        number,
        "is no lesson of this course.",
        f"Lessons: {', '.join(each.number for each in lessons())}.",
    )


def named(name: str) -> Lesson | Project | Tool:
    """The project or the tool of this name, else the lesson with this number.

    Raises InputError for what is none of them.
    """
    others: list[Project | Tool] = [*projects(), *tools()]
    for each in others:
        if name == each.slug:
            return each
    return lesson(name)


def _entries() -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads((Path(__file__).parent / "curriculum.toml").read_text("utf-8"))
