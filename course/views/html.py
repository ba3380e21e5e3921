"""Text as HTML that reads well in JupyterLab, light or dark, by eye or by screen reader."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from course.facts import fact
from course.prose import Mark, replace_marks

TEXT_COLOUR = "var(--jp-content-font-color1, #111)"


class Html:
    """Something to show: HTML for a notebook, the same in plain text for everything else."""

    def __init__(self, html: str, text: str) -> None:
        self.html, self.text = html, text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}

    def __repr__(self) -> str:
        return self.text


def inline(text: str) -> str:
    """A line of Markdown as HTML: bold, code, links, and marked numbers with what they rest on.

    >>> inline("**Five** of `/24`")
    '<strong>Five</strong> of <code>/24</code>'
    """
    html = replace_marks(escape(text, quote=False), _mark)
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", html)
    html = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", html)
    html = re.sub(r"\*([^*]+)\*", r"<em>\1</em>", html)
    return re.sub(r"\[([^\]]+)\]\((https://[^)\s]+)\)", r'<a href="\2">\1</a>', html)


def plain(text: str) -> str:
    """The same line without any marks.

    >>> plain("**Five** of [256](calc:2**8)")
    'Five of 256'
    """
    text = replace_marks(text, lambda mark: mark.text)
    return re.sub(r"\*+|`|\]\(https://[^)]*\)|\[", "", text)


def note(html: str, role: str = "") -> str:
    """A paragraph set off by a bar at its left; `role` "status" or "alert" has it read out."""
    role = f' role="{role}"' if role else ""
    return (
        f'<div{role} style="border-left: 3px solid {TEXT_COLOUR}; padding: 2px 0 2px 10px; '
        f"margin: 4px 0; color: {TEXT_COLOUR}; line-height: 1.5; max-width: 60em; "
        f'white-space: normal">{html}</div>'
    )


def table(caption: str, head: list[str], rows: list[list[str]]) -> str:
    """A table of HTML cells; the first cell of a row names it. A wide one scrolls by itself."""
    cell = (
        "padding: 3px 10px; text-align: left; vertical-align: top; white-space: normal; "
        "overflow-wrap: break-word"
    )
    heads = "".join(f'<th scope="col" style="{cell}">{each}</th>' for each in head)
    body = "".join(
        f'<tr style="border-top: 1px solid var(--jp-border-color2, #ccc)">'
        f'<th scope="row" style="{cell}; font-weight: normal">{row[0]}</th>'
        + "".join(f'<td style="{cell}">{each}</td>' for each in row[1:])
        + "</tr>"
        for row in rows
    )
    return (
        # by keyboard too: one scrolls what has the focus
        f'<div role="group" aria-label="{caption}" tabindex="0" '
        f'style="overflow-x: auto; max-width: 100%">'
        f'<table style="color: {TEXT_COLOUR}; border-collapse: collapse; margin: 6px 0; '
        f'line-height: 1.35">'
        f'<caption style="text-align: left; caption-side: top; padding: 3px 10px; '
        f'color: {TEXT_COLOUR}"><strong>{caption}</strong></caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def source_link(source: str) -> str:
    """A source, a link with perhaps a detail after it, as HTML."""
    url, _, detail = source.partition(" ")
    shown = escape(url.removeprefix("https://"))
    style = "overflow-wrap: anywhere; text-decoration: underline"
    link = f'<a href="{escape(url)}" style="{style}">{shown}</a>'
    return link + (f" ({escape(detail)})" if detail else "")


def _mark(mark: Mark) -> str:
    if mark.kind != "fact":
        return mark.text
    known = fact(mark.target)
    says = f"{known.statement} As of {known.claims[0].as_of}."
    return f'<span title="{escape(says)}">{mark.text}</span>'
