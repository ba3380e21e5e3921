"""What `python -m course plan` does: read a plan, or a cluster that runs, and report on it.

A plan works if no finding is an error in the model that counts. Of a cluster that runs, more may be
unknown than known, and the report begins with that. It counts as working only if the answers told
its model, its pools with their numbers, and its ranges; what else is missing is only named.

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

MOST_NAMED = 12  # of what is needed, in the first lines


def check(
    texts: Sequence[str | bytes], runs: bool = False, today: str | None = None
) -> tuple[str, bool]:
    """The report, and whether the plan or cluster works; false also where too little is known.

    `runs` says that the texts are answers of az and kubectl, else there is one text, a plan; files
    may be given as their bytes. `today` is the day on which retirement dates are looked at. Raises
    InputError for what cannot be read.

    >>> report, works = check(['{"kind": "Node"}'], runs=True)
    >>> works, "Too little is known to say whether the cluster works." in report
    (False, True)
    """
    if runs:
        return _cluster(running.read(texts), today)
    if len(texts) != 1:
        raise InputError(len(texts), "plans were given.", "Give one, or say --running.")
    comparison = compare(_on(_plan(texts[0]), today))
    return markdown(comparison), comparison.judged.works


def _plan(given: str | bytes) -> Design:
    try:
        return document.read(given)
    except document.DocumentError:
        if not _is_printed_by_az(given):
            raise
    raise InputError("the file", "is no plan, but what az or kubectl print.", "Say --running.")


def _is_printed_by_az(given: str | bytes) -> bool:
    try:
        running.read([given])
    except InputError:
        return False
    return True


def _cluster(found: running.Running, today: str | None) -> tuple[str, bool]:
    comparison = compare(_on(found.design, today))
    head, gap, rest = markdown(comparison).partition("\n\n")
    text = head + gap + _reservation(found) + gap + rest + _read_and_asked(found)
    return text, comparison.judged.works and not found.needed


def _on(design: Design, day: str | None) -> Design:
    if day is None:
        return design
    try:
        return replace(design, today=date.fromisoformat(day))
    except ValueError:
        raise InputError(day, "is no day.", "Write it as 2028-03-31.") from None


def _reservation(found: running.Running) -> str:
    """How far the report is to be trusted, before anybody reads on."""
    count = len(found.missing)
    opened = "1 question is" if count == 1 else f"{count:,} questions are"
    said = f"**What was not told stands at its default: {opened} open, see the end.**"
    if not found.needed:
        return said
    fields = ", ".join(f"`{each.field}`" for each in found.needed[:MOST_NAMED])
    more = len(found.needed) - MOST_NAMED
    return (
        f"{said} Too little is known to say whether the cluster works. First answer: {fields}"
        f"{f' and {more:,} more' if more > 0 else ''}."
    )


def _read_and_asked(found: running.Running) -> str:
    """What was read of a cluster that runs, and what was not there and stands at its default."""
    lines = ["", "## What was read", "", *(f"- {note}" for note in found.notes)]
    lines += ["", "## Open questions", ""]
    needed = set(found.needed)
    for each in found.missing:
        kind = "**needed**" if each in needed else "open"
        command = f" `{each.command}`" if each.command else ""
        lines.append(f"- {kind} (`{each.field}`): {each.question}{command}")
    return "\n".join(lines) + "\n"
