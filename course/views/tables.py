"""Results and facts as tables."""

from __future__ import annotations

from html import escape
from typing import Protocol

from course.facts import CONFIDENCE, Fact, fact
from course.views.html import Html, note, source_link, table
from course.working import Line


class Explained(Protocol):
    """A result that can show how it came about."""

    @property
    def working(self) -> tuple[Line, ...]:
        """The calculation, line by line."""

    def explain(self) -> str:
        """The same as text; its first line is a title."""


def show(result: Explained) -> Html:
    """A result with its working, line by line, each with the fact behind it."""
    return Html(working_table(result), result.explain())


def working_table(result: Explained, with_facts: bool = True) -> str:
    """The same as HTML, with or without the facts."""
    head = ["what", "how", "result", "source"]
    rows = [
        [escape(line.what), escape(line.how), f"<strong>{line.result_text}</strong>", _why(line)]
        for line in result.working
    ]
    title = escape(result.explain().splitlines()[0])
    return table(title, head, rows) if with_facts else table(title, head[:3], [r[:3] for r in rows])


def show_fact(fact_id: str) -> Html:
    """A fact with its sources, their date and how sure it is."""
    found = fact(fact_id)
    sources = "".join(
        f"<li>{escape(claim.amount(found.unit))}, as of {escape(claim.as_of)}"
        f"{escape(f' ({claim.note})' if claim.note else '')}: "
        + ", ".join(source_link(source) for source in claim.sources)
        + "</li>"
        for claim in found.claims
    )
    remark = f"<br>Note: {escape(found.note)}" if found.note else ""
    return Html(
        note(
            f"<strong>{escape(found.statement)}</strong><ul>{sources}</ul>"
            f"Confidence: {escape(CONFIDENCE[found.confidence])}.{remark}"
        ),
        found.cite(),
    )


def facts_table(caption: str, facts: list[Fact]) -> Html:
    """Facts with their dates and sources, a row each."""
    rows = [
        [
            escape(each.statement),
            "<br>".join(
                f"<span style='white-space: nowrap'>{escape(claim.as_of)}</span>"
                for claim in each.claims
            ),
            "<br>".join(source_link(source) for claim in each.claims for source in claim.sources),
        ]
        for each in facts
    ]
    html = table(escape(caption), ["fact", "as of", "sources"], rows)
    return Html(html, "\n".join([caption, *(each.cite() for each in facts)]))


def _why(line: Line) -> str:
    if not line.fact:
        return "arithmetic"
    known = fact(line.fact)
    return f"{escape(known.statement)} (as of {escape(known.claims[0].as_of)})"
