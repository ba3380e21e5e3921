"""A bar of parts, drawn to scale as SVG. Parts are told apart by pattern and text, not by colour
alone."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

WIDTH, BAR, LINE = 640, 30, 20
# what is drawn over the fill
LOOKS = {
    "kept by Azure": ("#7f7f7f", "M0 4 L8 4"),
    "for nodes": ("#1f4e79", ""),
    "for pods": ("#9dc3e6", ""),
    "for internal Services": ("#a9d18e", "M4 0 L4 8"),
    "for surge nodes": ("#ffd966", "M0 8 L8 0"),
    "free": ("#ffffff", ""),
}


def bar_svg(parts: Mapping[str, int], total: int, end: str = "end of the subnet") -> str:
    """The parts side by side, each as wide as its share, with a legend below.

    A thick line stands where the subnet ends, after `total` addresses; `end` names it.
    """
    scale = WIDTH / max(sum(parts.values()), total, 1)
    height = BAR + 14 + LINE * (len(parts) + 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH + 4}" height="{height}" '
        f'viewBox="-2 -6 {WIDTH + 4} {height}" font-size="13" '
        f'font-family="Helvetica,Arial,DejaVu Sans,sans-serif">'
        f"<defs>{''.join(map(_hatching, parts))}</defs>"
        f"{_boxes(parts, scale)}{_end(total * scale)}{_legend(parts, end)}</svg>"
    )


def _boxes(parts: Mapping[str, int], scale: float) -> str:
    boxes, left = "", 0.0
    for name, addresses in parts.items():
        boxes += _box(name, left, 0, addresses * scale, BAR)
        left += addresses * scale
    return boxes


def _end(x: float) -> str:
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="-6" y2="{BAR + 6}" stroke="#000" stroke-width="4"/>'
    )


def _legend(parts: Mapping[str, int], end: str) -> str:
    rows = ""
    for row, (name, addresses) in enumerate(parts.items()):
        y = BAR + 12 + row * LINE
        rows += _box(name, 0, y, 22, 13)
        rows += f'<text x="30" y="{y + 11}">{addresses:,} {escape(name)}</text>'
    y = BAR + 12 + len(parts) * LINE
    rows += f'<line x1="11" x2="11" y1="{y - 1}" y2="{y + 14}" stroke="#000" stroke-width="4"/>'
    return rows + f'<text x="30" y="{y + 11}">{escape(end)}</text>'


def _box(name: str, x: float, y: float, width: float, height: float) -> str:
    fill, hatching = LOOKS[name]
    place = f'x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}"'
    box = f'<rect {place} fill="{fill}" stroke="#000"/>'
    return box + (f'<rect {place} fill="url(#{_id(name)})"/>' if hatching else "")


def _hatching(name: str) -> str:
    path = LOOKS[name][1]
    return (
        f'<pattern id="{_id(name)}" width="8" height="8" patternUnits="userSpaceOnUse">'
        f'<path d="{path}" stroke="#000"/></pattern>'
        if path
        else ""
    )


def _id(name: str) -> str:
    return name.replace(" ", "-")
