"""How chance spread a flow that was sent many times: who answered, and which source each saw.

>>> from course.laboratory import Tally
>>> from course.predict import outcomes
>>> from course.scenarios import SCENARIOS, small_cluster
>>> from course.world import build
>>> world = build(small_cluster("overlay"))
>>> flow = SCENARIOS["to a ClusterIP"].flow(world)
>>> ways = outcomes(world, flow)
>>> print(show_spread(Tally(flow, (ways[0].result, *3 * (ways[1].result,))), ways))
web-1 → tcp 10.0.0.80:80, sent 4 times, with what was predicted.
- web-1, seeing 10.240.0.4: 1 of 4 (25%), predicted 1 in 4
- web-2, seeing 10.244.0.2: 3 of 4 (75%), predicted 1 in 4
- web-3, seeing 10.244.0.2: 0 of 4 (0%), predicted 1 in 4
- web-4, seeing 10.244.0.2: 0 of 4 (0%), predicted 1 in 4
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from html import escape

from course.errors import InputError
from course.laboratory import Tally
from course.linux.draws import Drawn, odds
from course.trace import Disposition, Trace
from course.views.html import Html, table
from course.views.pictures import Picture
from course.views.svg import SIZE, box, page, text, width_of
from course.views.traces import arrows

WIDTH, BAR, LINE, GAP = 700, 18, 30, 12
HEAD = ["who answered", "source it saw", "times", "share"]


def show_spread(tally: Tally, predicted: Sequence[Drawn[Trace]] = ()) -> Html:
    """A tally, as `lab.observe_many` makes it, as bars and as a table.

    `predicted` are all ways that chance can go, from course.predict.outcomes: how likely each was
    is told as well, also of what was not seen. Raises InputError for a flow that was never sent.
    """
    if not tally.traces:
        raise InputError(str(tally.flow), "was never sent.", "Send it at least once.")
    shares = shares_of(tally, predicted)
    times = len(tally.traces)
    title = f"{arrows(str(tally.flow))}, sent {times:,} time{'s' * (times > 1)}"
    title += f" (not {tally.wanted:,}: no more were recorded)" * bool(tally.wanted)
    words = [share.in_words(times) for share in shares]
    alt = f"{title}{', with what was predicted' * bool(predicted)}."
    picture = Picture(_bars(shares, times), alt, words, LEGEND * bool(predicted))
    head = HEAD + ["predicted"] * bool(predicted)
    rows = [[escape(cell) for cell in share.cells(times)[: len(head)]] for share in shares]
    return Html(picture.html + table(escape(title), head, rows), "\n- ".join([alt, *words]))


LEGEND = "A thick line stands where a bar would end if chance had spread as it does on average."


@dataclass(frozen=True)
class Share:
    """How often a flow went one way, and how likely that was; None if nobody predicted it."""

    who: str
    source: str
    times: int
    likely: Fraction | None

    @property
    def name(self) -> str:
        """Who answered, and the source seen."""
        return f"{self.who}, seeing {self.source}" if self.source else self.who

    @property
    def odds(self) -> str:
        """How likely it was, in words."""
        return "" if self.likely is None else odds(self.likely)

    def cells(self, of: int) -> list[str]:
        """Who, source, times, share, how likely."""
        shown = f"{self.times / of:.0%}"
        return [self.who, self.source or "none", f"{self.times:,}", shown, self.odds]

    def in_words(self, of: int) -> str:
        """The same in a line."""
        predicted = f", predicted {self.odds}" if self.odds else ""
        return f"{self.name}: {self.times:,} of {of:,} ({self.times / of:.0%}){predicted}"


def shares_of(tally: Tally, predicted: Sequence[Drawn[Trace]] = ()) -> list[Share]:
    """Every way that a flow went or might have gone, by name."""
    times = Counter(map(_way, tally.traces))
    likely: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for drawn in predicted:
        likely[_way(drawn.result)] += drawn.probability
    return [
        Share(*way, times[way], likely[way] if predicted else None)
        for way in sorted({*times, *likely})
    ]


def _way(trace: Trace) -> tuple[str, str]:
    """Who answered and which source it saw; or how it ended, where nobody did."""
    if trace.disposition == Disposition.DELIVERED:
        return trace.server, trace.source_seen or ""
    return f"nobody: {trace.disposition} at {trace.ended_at}", ""


def _bars(shares: list[Share], times: int) -> str:
    left = max(width_of(share.name) for share in shares) + GAP
    right = width_of(f"{times:,}") + 2 * GAP
    most = max([times * (share.likely or 0) for share in shares] + [s.times for s in shares])
    scale = (WIDTH - left - right) / float(most)
    drawn = ""
    for row, share in enumerate(shares):
        y = GAP + row * LINE
        drawn += text(left - GAP / 2, y + SIZE, share.name, "end")
        drawn += box(left, y, share.times * scale, BAR, "#9dc3e6")
        drawn += text(left + share.times * scale + GAP, y + SIZE, f"{share.times:,}", rim=True)
        if share.likely is not None:
            x = left + float(times * share.likely) * scale
            drawn += f'<path d="M{x:.1f} {y - 4} v{BAR + 8}" stroke="#000" stroke-width="4"/>'
    return page(WIDTH, GAP + len(shares) * LINE, drawn)
