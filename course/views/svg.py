"""What drawings by hand have in common: a page, text, boxes, and how wide text may be."""

from __future__ import annotations

from html import escape

from course.views.pictures import FONT

SIZE = 13


def page(width: float, height: float, drawn: str) -> str:
    """A drawing of that size, in pixels, on white."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-size="{SIZE}" font-family="{FONT}">'
        f'<rect width="100%" height="100%" fill="#fff"/>{drawn}</svg>'
    )


def text(
    x: float, y: float, words: str, anchor: str = "start", bold: bool = False, rim: bool = False
) -> str:
    """A line of text; a white rim keeps it readable where it stands on a line."""
    look = ' font-weight="bold"' if bold else ""
    look += ' stroke="#fff" stroke-width="4" paint-order="stroke"' if rim else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{look}>{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, fill: str = "#fff", look: str = "") -> str:
    """A rectangle; `look` are attributes besides, such as rx="6"."""
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {place} stroke="#000" fill="{fill}" {look}/>'


def width_of(words: str, bold: bool = False) -> float:
    """How wide a line of text is at most, in pixels, in the widest of the fonts (DejaVu Sans).

    >>> width_of("10.240.0.4") < 80 < width_of("KUBE-SERVICES")
    True
    """
    wide = sum(letter.isupper() or letter in "→mw@×<>" for letter in words)
    narrow = sum(letter in ".,:;/- ilj" for letter in words)
    return SIZE * (0.65 * len(words) + 0.1 * wide - 0.27 * narrow) * (1.12 if bold else 1)
