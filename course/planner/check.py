"""What `python -m course plan` does: read a plan, or a cluster that runs, and report on it.

>>> report, works = check(['{"pools": [{"nodes": 6000}]}'])
>>> works
False
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from course.design import Design
from course.errors import InputError
from course.planner import document, running
from course.planner.comparison import compare
from course.planner.report import markdown


def check(texts: Sequence[str], runs: bool = False, today: str | None = None) -> tuple[str, bool]:
    """The report on a plan, and whether it works: no finding is an error in the model that counts.

    `runs` says that the texts are answers of az and kubectl, else there is one text, a plan.
    `today` is the day on which retirement dates are looked at. Raises InputError for what cannot
    be read.
    """
    asked = ""
    if runs:
        found = running.read(texts)
        design, asked = found.design, _asked(found)
    elif len(texts) == 1:
        design = document.read(texts[0])
    else:
        raise InputError(len(texts), "plans are too many at once.", "Give one, or say --running.")
    if today is not None:
        design = _on(design, today)
    comparison = compare(design)
    return markdown(comparison) + asked, comparison.judged.works


def _on(design: Design, day: str) -> Design:
    try:
        return replace(design, today=date.fromisoformat(day))
    except ValueError:
        raise InputError(day, "is no day.", "Write it as 2028-03-31.") from None


def _asked(found: running.Running) -> str:
    """What was read of a cluster that runs, and what was not there and stands at its default."""
    lines = ["", "## What was read", "", *(f"- {note}" for note in found.notes)]
    for each in found.missing:
        command = f" `{each.command}`" if each.command else ""
        lines.append(f"- missing: {each.question}{command}")
    return "\n".join(lines) + "\n"
