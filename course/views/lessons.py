"""What frames a lesson: its beginning, its sources, the map of all lessons, the doctor."""

from __future__ import annotations

import json
from html import escape

from course import doctor as course_doctor
from course.curriculum import Lesson, Project, Tool, lesson, lessons, projects, tools
from course.errors import InputError
from course.facts import Fact
from course.personal_copy import ROOT
from course.progress import last_lesson, record, standing
from course.prose import facts_in
from course.questions import texts_of
from course.views.html import Html, note, table
from course.views.lab import load_magics
from course.views.tables import facts_table


def begin(number: str) -> Html:
    """Open a lesson: remembers that you were here, tells how far you are, and brings %%lab."""
    load_magics()
    this = lesson(number)
    trouble = record(this.number)
    how_far = standing(this.number)
    said = f"Lesson {this.number}, about {this.minutes} minutes. Your questions: {how_far}."
    if trouble:
        said += f" {trouble}. The lesson works all the same."
    return Html(note(escape(said)), said)


def course_map() -> Html:
    """All lessons with what you can do afterwards and how far you are; the projects; the tools."""
    entries = [
        *map(_lesson_row, lessons()),
        *map(_project_row, projects()),
        *map(_tool_row, tools()),
    ]
    head = ["lesson", "time", "afterwards you can", "exercise", "your questions"]
    rows, lines = zip(*entries, strict=True)
    return Html(table("The lessons", head, list(rows)), "\n".join(lines))


def _lesson_row(each: Lesson) -> tuple[list[str], str]:
    how_far = str(standing(each.number))
    if each.number == last_lesson():
        how_far += "; you were here last"
    title = f"{each.number} {each.title}"
    exercise = "none"
    if each.exercise:
        exercise = _link(f"../{each.exercise_file}", f"exercise {each.number}")
    place = _link(each.file.rpartition("/")[2], title)
    row = [place, f"{each.minutes} min", escape(each.afterwards), exercise, escape(how_far)]
    return row, f"{title} ({each.minutes} min): {how_far}"


def _project_row(each: Project) -> tuple[list[str], str]:
    place = _link(f"../{each.file}", each.name)
    row = [place, f"{each.minutes} min", escape(each.afterwards), "itself", "none"]
    return row, f"{each.name} ({each.minutes} min), after lesson {each.after}"


def _tool_row(each: Tool) -> tuple[list[str], str]:
    place = _link(each.file.rpartition("/")[2], each.name)
    return [place, "any time", escape(each.use), "none", "none"], f"{each.name}: {each.use}"


def _link(target: str, text: str) -> str:
    return f'<a href="{escape(target)}">{escape(text)}</a>'


def doctor() -> Html:
    """What works on this machine, and how to mend what does not."""
    checks = course_doctor.examine()
    rows = [
        [
            escape(each.name),
            escape(each.state),
            escape(each.says) + (f"<br>What to do: {escape(each.fix)}" if each.fix else ""),
        ]
        for each in checks
    ]
    head = ["part", "state", "what was found"]
    return Html(table("This machine", head, rows), course_doctor.report(checks))


def sources(number: str) -> Html:
    """Every fact that a lesson states, with its sources and their date."""
    this = lesson(number)
    return facts_table(f"The facts of lesson {this.number}", lesson_facts(this.number))


def lesson_facts(number: str) -> list[Fact]:
    """The facts that a lesson's notebook and questions mark, in order.

    Raises InputError where the notebook cannot be read.
    """
    file = ROOT / lesson(number).file
    try:
        cells = json.loads(file.read_text("utf-8"))["cells"]
    except (OSError, ValueError, KeyError):
        raise InputError(str(file), "cannot be read.", "Is the course complete here?") from None
    prose = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    return facts_in("\n".join([*prose, *texts_of(number)]))
