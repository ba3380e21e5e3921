"""How a pod subnet is used over time, drawn to scale as SVG: what nodes hold, what pods have, and
where the subnet ends. Areas are told apart by tone, pattern and text, not by colour alone."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from course.errors import InputError
from course.sizing.batches import Moment, Use, over_time
from course.views.pictures import FONT, Picture

WIDTH, LEFT, RIGHT, TOP, HEIGHT, LINE = 640, 54, 12, 46, 230, 20
# one node ahead of the other two: their pods rise, fall, and rise until the subnet is full
STORY = (
    (0, 0, 0), (4, 2, 0), (8, 5, 3), (12, 8, 6), (16, 12, 9), (20, 16, 12), (22, 18, 14),
    (22, 20, 16), (18, 16, 14), (14, 12, 10), (10, 8, 7), (6, 5, 4), (3, 2, 2), (3, 2, 2),
    (8, 6, 4), (14, 11, 8), (20, 16, 12), (24, 20, 16), (27, 23, 18), (30, 26, 21), (33, 29, 24),
    (36, 32, 28), (39, 35, 32), (42, 38, 36), (44, 41, 39), (46, 43, 42),
)  # fmt: skip
HELD, PODS, WAITING, SINGLE = "#9dc3e6", "#1f4e79", "#ffd966", "#e4e4e4"


def batches_over_time(
    prefix: int = 25, steps: Sequence[Sequence[int]] = STORY, max_pods: int | None = None
) -> Picture:
    """Addresses of a pod subnet over time. Each step names the pods on every node, as in
    course.sizing.batches.over_time; up to 60 steps are drawn well.

    Raises InputError for a length or a number of pods that cannot be, or if there is no step.

    >>> print(batches_over_time(26, [(8, 8, 8), (9, 8, 8)]).alt)
    A /26 pod subnet over 2 steps: nodes hold 51 of its 59 addresses. Step 2: node 1 gets no batch.
    """
    use = over_time(prefix, steps, max_pods)
    if not use.moments:
        raise InputError("no step", "is too little for a picture.", "Give the pods of one step.")
    return use_over_time(use)


def use_over_time(use: Use, caption: str = "") -> Picture:
    """The same for a use that is reckoned already."""
    held = [moment.used for moment in use.moments]
    least, most = min(held), max(held)
    told = " ".join(f"{_sentence(moment)}." for moment in _milestones(use))
    alt = (
        f"A /{use.prefix} pod subnet over {len(held):,} step{'s' * (len(held) > 1)}: nodes hold "
        f"{f'{least:,} to {most:,}' if least < most else f'{most:,}'} of its {use.size:,} "
        f"addresses. {told or 'Every node gets its batches.'}"
    )
    return Picture(_Chart(use).svg(), alt, [_words(moment) for moment in use.moments], caption)


def _milestones(use: Use) -> list[Moment]:
    """The first step at which a node is refused, and the first at which a pod waits."""
    found = {each.step: each for each in (use.exhausted_at, use.waiting_at) if each is not None}
    return list(found.values())


def _words(moment: Moment) -> str:
    held = f"nodes hold {moment.used:,} addresses, {moment.running:,} pods have one"
    if moment.exhausted:
        held += "; the subnet counts as exhausted, nodes draw one by one"
    return f"{_sentence(moment)}; {held}." if moment.refused else f"Step {moment.step}: {held}."


def _sentence(moment: Moment) -> str:
    asked = "further address" if moment.exhausted else "batch"
    names = [str(place) for place in moment.refused]
    who = f"node {names[0]} gets" if len(names) == 1 else f"nodes {', '.join(names)} get"
    if len(names) > 4:
        who = f"{len(names)} nodes get"
    text = f"Step {moment.step}: {who} no {asked}"
    if not moment.waiting:
        return text
    return f"{text}, {moment.waiting:,} {'pod waits' if moment.waiting == 1 else 'pods wait'}"


class _Chart:
    """A use laid out: a column for each step, addresses upwards."""

    def __init__(self, use: Use) -> None:
        self.use = use
        self.column = (WIDTH - LEFT - RIGHT) / len(use.moments)
        self.most_waiting = max(moment.waiting for moment in use.moments)
        # many pods that wait must not press the subnet flat: their bars are cut
        self.most_drawn = max(1, use.size // 2)
        self.top = use.size + min(self.most_waiting, self.most_drawn) + max(1, use.size // 8)

    def svg(self) -> str:
        """The whole drawing."""
        entries = self._entries()
        height = TOP + HEIGHT + 48 + LINE * len(entries)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" font-size="13" font-family="{FONT}">{_PATTERN}'
            f"{self._single()}{self._areas()}{self._waiting()}{self._axes()}{self._end()}"
            f"{self._marks()}{_legend(entries)}</svg>"
        )

    def _x(self, step: float) -> float:
        """The left edge of a step's column."""
        return LEFT + (step - 1) * self.column

    def _y(self, addresses: float) -> float:
        return TOP + HEIGHT * (1 - addresses / self.top)

    def _areas(self) -> str:
        moments = self.use.moments
        held = self._area([moment.used for moment in moments], HELD)
        return held + self._area([moment.running for moment in moments], PODS)

    def _area(self, heights: list[int], fill: str) -> str:
        corners = [(self._x(1), self._y(0))]
        for step, height in enumerate(heights, 1):
            corners += [(self._x(step), self._y(height)), (self._x(step + 1), self._y(height))]
        corners.append((self._x(len(heights) + 1), self._y(0)))
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
        return f'<polygon points="{points}" fill="{fill}" stroke="#000"/>'

    def _single(self) -> str:
        """A grey ground behind the steps in which nodes draw one by one."""
        return "".join(
            f'<rect x="{self._x(moment.step):.1f}" y="{TOP}" width="{self.column + 0.5:.1f}" '
            f'height="{HEIGHT}" fill="{SINGLE}"/>'
            for moment in self.use.moments
            if moment.exhausted
        )

    def _waiting(self) -> str:
        """Pods that wait, on top of where the subnet ends."""
        bottom, bars = self._y(self.use.size), ""
        for moment in self.use.moments:
            if moment.waiting:
                top = self._y(self.use.size + min(moment.waiting, self.most_drawn))
                bars += _box(WAITING, self._x(moment.step), top, self.column, bottom - top, True)
        return bars

    def _end(self) -> str:
        y, words = self._y(self.use.size), f"/{self.use.prefix}: {self.use.size:,} addresses"
        # above the line, unless pods that wait are drawn there
        beside = self.use.moments[: 1 + int(160 / self.column)]
        above = not any(moment.waiting for moment in beside)
        return (
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#000" '
            f'stroke-width="4"/>{_text(LEFT + 6, y - 7 if above else y + 17, words)}'
        )

    def _marks(self) -> str:
        """Where a node is refused and where pods wait, each named in a row of its own."""
        lines = words = ""
        marks = [(self._x(moment.step + 0.5), moment) for moment in _milestones(self.use)]
        # words stand on the side with more room: the outer of two lines passes beside the other's
        if marks[-1:] and marks[-1][0] > WIDTH / 2:
            marks.reverse()
        for row, (x, moment) in enumerate(marks, 2 - len(marks)):
            y, end = 14 + 17 * row, self._y(moment.used)
            right = x > WIDTH / 2
            lines += (
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y - 10}" y2="{end:.1f}" stroke="#000" '
                f'stroke-width="1.5" stroke-dasharray="4 3"/>'
            )
            anchor = "end" if right else "start"
            words += _text(x - 6 if right else x + 6, y, _sentence(moment), anchor)
        return lines + words

    def _axes(self) -> str:
        bottom = TOP + HEIGHT
        drawn = f'<path d="M{LEFT} {TOP} V{bottom} H{WIDTH - RIGHT}" fill="none" stroke="#000"/>'
        for addresses in range(0, self.top + 1, _apart(self.top / 6)):
            y = self._y(addresses)
            drawn += f'<line x1="{LEFT - 5}" x2="{LEFT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#000"/>'
            drawn += _text(LEFT - 8, y + 4, f"{addresses:,}", "end")
        apart = _apart(26 / self.column)
        for step in range(1, len(self.use.moments) + 1):
            first = step == 1 and (apart - 1) * self.column > 20
            if first or step % apart == 0:
                drawn += _text(self._x(step + 0.5), bottom + 17, str(step), "middle")
        return drawn + _text((LEFT + WIDTH - RIGHT) / 2, bottom + 34, "step", "middle")

    def _entries(self) -> list[tuple[str, str]]:
        """What the legend names: a look, and words."""
        entries = [
            (HELD, "addresses that nodes hold, each node's own among them"),
            (PODS, "of these, addresses that pods have"),
        ]
        if any(moment.exhausted for moment in self.use.moments):
            entries.append((SINGLE, "grey ground: exhausted, nodes draw addresses one by one"))
        if self.most_waiting:
            cut = f" (drawn up to {self.most_drawn:,})" * (self.most_waiting > self.most_drawn)
            words = f"pods that wait for an address, {self.most_waiting:,} at most{cut}"
            entries.append((WAITING, words))
        return [*entries, ("", "end of the subnet, without the addresses that Azure keeps")]


_PATTERN = (
    '<defs><pattern id="waiting" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<path d="M0 6 L6 0" stroke="#000"/></pattern></defs>'
)


def _legend(entries: list[tuple[str, str]]) -> str:
    rows = ""
    for row, (fill, words) in enumerate(entries):
        y = TOP + HEIGHT + 46 + row * LINE
        if fill:
            rows += _box(fill, LEFT, y, 22, 13, fill == WAITING)
        else:
            rows += (
                f'<line x1="{LEFT}" x2="{LEFT + 22}" y1="{y + 7}" y2="{y + 7}" stroke="#000" '
                f'stroke-width="4"/>'
            )
        rows += _text(LEFT + 30, y + 11, words)
    return rows


def _box(fill: str, x: float, y: float, width: float, height: float, hatched: bool) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" stroke="#000"'
    box = f'<rect {place} fill="{fill}"/>'
    return box + (f'<rect {place} fill="url(#waiting)"/>' if hatched else "")


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    # a white rim, for words that stand on an area or a line
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" stroke="#fff" stroke-width="5" '
        f'paint-order="stroke">{escape(words)}</text>'
    )


def _apart(least: float) -> int:
    """A round number, at least so large: 1, 2, 5, 10, 20, ...

    >>> [_apart(least) for least in (0.3, 1.2, 3, 21)]
    [1, 2, 5, 50]
    """
    ten = 1
    while True:
        for number in (ten, 2 * ten, 5 * ten):
            if number >= least:
                return number
        ten *= 10
