"""A picture of the address space that a design takes in each model, drawn to scale.

Each model has a bar for each range of the virtual network with its subnets where they lie, and
below them a line for each range that it uses: how much of it is used at the peak. Used parts are
told apart by hatching and by words; what the planner proposes has a dashed border.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from netaddr import IPNetwork

from course.addresses import canonical, contains
from course.design import Design
from course.finding import Demand
from course.planner.comparison import Comparison, ModelPlan
from course.views.bar import LOOKS, WIDTH
from course.views.pictures import Picture

BAR, LINE, GAUGE, LEAST, LETTER = 20, 19, 150, 3, 7
# more lines than these make no picture; the words name them all
MOST_LINES = 5
KINDS = {"node subnet": "n", "pod subnet": "p", "pod range": "p", "other": "o", "too small": "x"}
FILLS = {
    "n": (LOOKS["for nodes"][0], ""),
    "p": (LOOKS["for pods"][0], "M0 0 L8 8"),
    "o": ("#d0d0d0", "M0 4 L8 4"),
    "x": ("#f4b6b6", "M0 0 L8 8 M8 0 L0 8"),
}


def address_space(comparison: Comparison) -> Picture:
    """What a design takes of its ranges in each model, the models below each other."""
    rows, top = "", 16
    words: list[str] = []
    for plan in comparison.plans:
        drawn, height = _model(plan, comparison.design)
        rows += f'<g transform="translate(0 {top})">{drawn}</g>'
        top += height
        words += _words(plan)
    key, height = _key(comparison.design, top)
    words.append(_service_words(comparison.design))
    vnet = ", ".join(map(canonical, comparison.design.vnet))
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH + 4}" height="{top + height}" '
        f'viewBox="-2 0 {WIDTH + 4} {top + height}" font-size="13" fill="#000" '
        f'font-family="Helvetica,Arial,DejaVu Sans,sans-serif">'
        f"<defs>{''.join(map(_pattern, FILLS))}</defs>{rows}{key}</svg>"
    )
    alt = (
        f"The virtual network, {vnet}, in {len(comparison.plans)} models, with the subnets in it "
        "and how much of each range is used at the peak. The same stands below in words."
    )
    return Picture(svg, alt, words)


def _model(plan: ModelPlan, design: Design) -> tuple[str, int]:
    """One model's title, bar and lines, and their height."""
    errors = len(plan.errors)
    told = "works" if plan.works else f"{errors} error{'s' if errors > 1 else ''}"
    drawn = f'<text font-weight="bold">{escape(plan.model.title)}</text>'
    drawn += f'<text x="{WIDTH}" text-anchor="end">{told}</text>'
    network, y = _network(plan, design)
    drawn += network
    for demand in plan.demands[:MOST_LINES]:
        drawn += _gauge(demand, y)
        y += LINE
    if len(plan.demands) > MOST_LINES:
        left = len(plan.demands) - MOST_LINES
        drawn += f'<text y="{y + 13}">and {left} more, in words below</text>'
        y += LINE
    return drawn, y + 26


def _network(plan: ModelPlan, design: Design) -> tuple[str, int]:
    """The ranges of the virtual network below each other, to one scale, subnets where they lie;
    and their height."""
    scale = WIDTH / max(int(space.size) for space in design.vnet)
    parts, drawn, y = _subnets(plan, design), "", 4
    for space in design.vnet[:MOST_LINES]:
        inside = [part for part in parts if contains(space, part.range)]
        used = sum(part.used for part in inside)
        size = int(space.size)
        said = f"{canonical(space)}: {used:,} of {size:,} addresses used"
        drawn += f'<text y="{y + 13}">{said}</text>'
        drawn += _rect(0, y + LINE, size * scale, BAR, 'fill="#fff" stroke="#000"')
        for part in inside:
            x = (int(part.range.first) - int(space.first)) * scale
            drawn += _subnet(part, x, y + LINE, max(LEAST, int(part.range.size) * scale))
        y += LINE + BAR + 4
    if len(design.vnet) > MOST_LINES:
        drawn += f'<text y="{y + 13}">and {len(design.vnet) - MOST_LINES} more ranges</text>'
        y += LINE
    return drawn, y


def _subnet(part: _Part, x: float, y: int, width: float) -> str:
    """A subnet, with its name where there is room for it."""
    box = _box(part.kind, x, y, width, part.proposed)
    if len(part.name) * LETTER + 4 > width:
        return box
    # a white rim, so that it can be read on any pattern
    look = 'text-anchor="middle" stroke="#fff" stroke-width="4" paint-order="stroke"'
    return f'{box}<text x="{x + width / 2:.1f}" y="{y + 15}" {look}>{escape(part.name)}</text>'


@dataclass(frozen=True)
class _Part:
    """A subnet of the virtual network, and how many of its addresses are used."""

    kind: str
    name: str
    range: IPNetwork
    proposed: bool
    used: int


def _subnets(plan: ModelPlan, design: Design) -> list[_Part]:
    used = [each for each in plan.demands if each.kind != "pod range"]
    names = {each.name for each in used}
    others = [
        _Part("other", each.name, each.range, False, each.taken)
        for each in design.subnets
        if each.name not in names
    ]
    own = [
        _Part(each.kind, each.name, each.range, each.proposed, each.needed)
        for each in used
        if each.range is not None
    ]
    return [*others, *own]


def _gauge(demand: Demand, y: int) -> str:
    """A line: how full a range is."""
    share = demand.needed / demand.available if demand.available else 1.0
    kind = demand.kind if share <= 1 and demand.range is not None else "too small"
    style = 'fill="#fff" stroke="#000"' + (' stroke-dasharray="4 3"' if demand.proposed else "")
    drawn = _rect(0, y, GAUGE, 13, style)
    drawn += _box(kind, 0, y, max(1.0, GAUGE * min(1.0, share)), False, 13)
    return drawn + f'<text x="{GAUGE + 8}" y="{y + 11}">{escape(in_words(demand))}</text>'


def in_words(demand: Demand) -> str:
    """A demand in words: which range, how much of it is used.

    >>> from course.planner.comparison import compare
    >>> in_words(compare(Design()).plan("overlay").demands[0])
    'subnet nodes (proposed 10.240.0.0/28): 4 of 11 used'
    """
    name = demand.kind if demand.kind == "pod range" else f"subnet {_short(demand.name)}"
    if demand.range is None:
        return f"{name}: {demand.needed:,} needed, no free range of this size"
    which = "proposed " if demand.proposed else ""
    used = f"{demand.needed:,} of {demand.available:,} used"
    too_small = "" if demand.needed <= demand.available else ", too small"
    return f"{name} ({which}{canonical(demand.range)}): {used}{too_small}"


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:22]}..."


def _words(plan: ModelPlan) -> list[str]:
    return [f"{plan.model.title}: {in_words(demand)}." for demand in plan.demands]


def _key(design: Design, top: int) -> tuple[str, int]:
    """What the looks mean, and the service range, which is the same in every model."""
    looks: Sequence[tuple[str, str, bool]] = (
        ("node subnet", "for nodes", False),
        ("pod subnet", "for pods", False),
        ("other", "other subnets", False),
        ("too small", "too small", False),
        ("", "proposed", True),
    )
    drawn, x = "", 0
    for kind, said, dashed in looks:
        drawn += _box(kind, x, top - 8, 20, dashed, 13)
        drawn += f'<text x="{x + 26}" y="{top + 3}">{said}</text>'
        x += 40 + 8 * len(said)
    drawn += f'<text y="{top + 24}">{escape(_service_words(design))}</text>'
    return drawn, 32


def _service_words(design: Design) -> str:
    where = canonical(design.service_range)
    size = int(design.service_range.size)
    return f"Outside of it, the same in every model: service range {where}, {size:,} addresses."


def _box(kind: str, x: float, y: float, width: float, dashed: bool, height: int = BAR) -> str:
    fill, path = FILLS[KINDS[kind]] if kind else ("#fff", "")
    stroke = 'stroke="#000" stroke-dasharray="4 3"' if dashed else 'stroke="#000"'
    box = _rect(x, y, width, height, f'fill="{fill}" {stroke}')
    return box + (
        _rect(x, y, width, height, f'fill="url(#{KINDS[kind]})"') if path and width > LEAST else ""
    )


def _rect(x: float, y: float, width: float, height: float, style: str) -> str:
    return f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}" {style}/>'


def _pattern(name: str) -> str:
    path = FILLS[name][1]
    return (
        f'<pattern id="{name}" width="8" height="8" patternUnits="userSpaceOnUse">'
        f'<path d="{path}" stroke="#000" stroke-width=".7"/></pattern>'
        if path
        else ""
    )
