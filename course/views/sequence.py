"""A trace as a sequence picture: hosts side by side, time downwards, an arrow for each wire passed.

The way back is dashed, a translated address stands in a hatched box, the end in a thick one: all is
told by line, pattern and text, nothing by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from course.predict import Prediction
from course.trace import Hop, Sighting, Trace
from course.views.pictures import Picture
from course.views.svg import box, page, text, width_of
from course.views.traces import arrows, ending, ends, lost_at, trace_of, way_back

LEAST_WIDTH, MARGIN, HEAD, STUB, STRIP = 640, 10, 26, 60, 14
HEIGHTS = {"packet": 38, "translated": 53, "arrived": 36, "end": 40, "turn": 34}
LEGEND = "solid: the way there · dashed: the way back · hatched: an address is translated (NAT)"


@dataclass(frozen=True)
class Event:
    """A row of the picture. A packet goes from `host` to `to`; if one of them is empty, it was seen
    at the other only."""

    kind: str
    host: str
    words: str
    to: str = ""
    back: bool = False

    def __str__(self) -> str:
        if self.kind == "packet":
            return f"{self.host or 'somewhere'} to {self.to or 'somewhere'}: {self.words}"
        return self.words if self.kind == "turn" else f"{self.host}: {self.words}"

    @property
    def lines(self) -> list[str]:
        """What the picture says. A translation names its host, for its box covers many columns."""
        if self.kind != "translated":
            return [self.words]
        what, _, by = str(self).partition(", by ")
        return [what, f"by {by}"]


def sequence(result: Trace | Prediction) -> Picture:
    """A trace, predicted or observed, as a sequence picture, the way there and the way back.

    >>> from course.predict import predict
    >>> from course.scenarios import SCENARIOS, small_cluster
    >>> from course.world import build
    >>> world = build(small_cluster("kubenet"))
    >>> print(sequence(predict(world, SCENARIOS["on a node"].flow(world))))
    Sequence of web-1 → tcp 10.244.0.3:8080: delivered, and answered: web-2 saw the source \
10.244.0.2. There by web-1, node1, web-2; back by web-2, node1, web-1.
    - web-1 to node1: 10.244.0.2:40000 → 10.244.0.3:8080 SYN
    - node1 to web-2: 10.244.0.2:40000 → 10.244.0.3:8080 SYN
    - web-2: source seen: 10.244.0.2
    - The way back
    - web-2 to node1: 10.244.0.3:8080 → 10.244.0.2:40000 SYN,ACK
    - node1 to web-1: 10.244.0.3:8080 → 10.244.0.2:40000 SYN,ACK
    - web-1: delivered, and answered: web-2 saw the source 10.244.0.2
    """
    trace = trace_of(result)
    shown, turn = list(events(trace)), way_back(trace)
    ways = f"There by {', '.join(trace.path[:turn])}"
    if turn < len(trace.hops):
        ways += f"; back by {', '.join(trace.path[turn:])}"
    alt = f"Sequence of {arrows(str(trace.flow))}: {ending(trace)}. {ways}."
    hosts = list(dict.fromkeys((*trace.path, trace.ended_at)))
    return Picture(_Chart(hosts, shown).svg(), alt, [str(event) for event in shown])


def events(trace: Trace) -> Iterator[Event]:
    """What happens, in order: the rows of the picture."""
    receivers, from_nowhere = _wires(trace)
    turn, lost, arrived = way_back(trace), lost_at(trace), _arrived_at(trace)
    back, seen_before = False, 0
    for at, hop in enumerate(trace.hops):
        numbered = list(enumerate(hop.sightings, seen_before))
        seen_before += len(hop.sightings)
        for number, seen in numbered:
            if number in from_nowhere:
                yield Event("packet", "", ends(seen.packet), hop.host, back)
        if at == turn and not back:
            back = True
            yield Event("turn", hop.host, "The way back")
        yield from _inside(trace, hop, at == arrived, at == lost)
        for number, seen in numbered:
            if seen.direction == "out":
                if seen.packet.is_answer and not back:
                    back = True
                    yield Event("turn", hop.host, "The way back")
                yield Event("packet", hop.host, ends(seen.packet), receivers.get(number, ""), back)
    if lost is None:
        yield Event("end", trace.flow.source, ending(trace))


def _inside(trace: Trace, hop: Hop, arrived: bool, lost: bool) -> Iterator[Event]:
    """What a host does with a packet between its coming and its going."""
    for step in hop.translations:
        by = "conntrack" if step.decided_by.startswith("conntrack") else step.chain
        yield Event("translated", hop.host, f"translates {arrows(step.effect)}, by {by}")
    if arrived:
        yield Event("arrived", hop.host, f"source seen: {trace.source_seen}")
    if lost:
        yield Event("end", hop.host, f"× {ending(trace)}")


def _arrived_at(trace: Trace) -> int | None:
    """The hop at which the server got the first packet."""
    if trace.delivered is None:
        return None
    return next((at for at, hop in enumerate(trace.hops) if hop.host == trace.server), None)


def _wires(trace: Trace) -> tuple[dict[int, str], set[int]]:
    """For each sighting that went out, by its number, which host it came in at next; and the
    sightings that came in from no host that was watched."""
    receivers: dict[int, str] = {}
    waiting: list[tuple[int, Sighting]] = []
    nowhere: set[int] = set()
    for number, seen in enumerate(trace.sightings):
        if seen.direction == "out":
            waiting.append((number, seen))
            continue
        sent = next((w for w in waiting if w[1].packet == seen.packet), None)
        if sent is None:
            nowhere.add(number)
        else:
            waiting.remove(sent)
            receivers[sent[0]] = seen.host
    return receivers, nowhere


class _Chart:
    """Events laid out: a column for each host, a row for each event."""

    def __init__(self, hosts: list[str], shown: list[Event]) -> None:
        self.hosts, self.shown = hosts, shown
        self.head = max(width_of(host, bold=True) for host in hosts) + 14
        longest = max(width_of(LEGEND), *(self._needs(event) for event in shown))
        self.width = max(LEAST_WIDTH, (self.head + 8) * len(hosts), longest) + 2 * MARGIN
        self.rows = [HEAD + 14.0]
        for event in shown:
            self.rows.append(self.rows[-1] + HEIGHTS[event.kind])

    def svg(self) -> str:
        """The whole drawing."""
        bottom = self.rows[-1] + 6
        drawn = "".join(self._lifeline(host, bottom) for host in self.hosts)
        for event, y in zip(self.shown, self.rows, strict=False):
            drawn += self._arrow(event, y) if event.kind == "packet" else self._note(event, y)
        drawn += text(MARGIN, bottom + HEAD + 24, LEGEND)
        return page(self.width, bottom + HEAD + 36, _MARKS + drawn)

    def _x(self, host: str) -> float:
        left = MARGIN + self.head / 2
        apart = (self.width - 2 * left) / max(len(self.hosts) - 1, 1)
        return left + apart * self.hosts.index(host)

    def _lifeline(self, host: str, bottom: float) -> str:
        x = self._x(host)
        line = f'<path d="M{x:.1f} {HEAD} V{bottom:.1f}" stroke="#888" fill="none"/>'
        heads = (
            box(x - self.head / 2, y, self.head, HEAD - 2, "#e8eef5", 'rx="4"')
            + text(x, y + 16, host, "middle", bold=True)
            for y in (2, bottom)
        )
        return line + "".join(heads)

    def _arrow(self, event: Event, y: float) -> str:
        start = self._x(event.host) if event.host else self._x(event.to) - STUB
        end = self._x(event.to) if event.to else start + STUB
        dashes = ' stroke-dasharray="6 4"' if event.back else ""
        line = (
            f'<path d="M{start:.1f} {y + 26:.1f} H{end:.1f}" stroke="#000" stroke-width="1.6" '
            f'fill="none" marker-end="url(#tip)"{dashes}/>'
        )
        middle = self._within((start + end) / 2, self._needs(event))
        return line + text(middle, y + 18, event.words, "middle", rim=True)

    def _note(self, event: Event, y: float) -> str:
        if event.kind == "turn":
            dots = f'<path d="M0 {y + 17:.1f} H{self.width:.1f}" stroke="#888" '
            dots += 'stroke-dasharray="2 4"/>'
            return dots + text(self.width / 2, y + 21, "the way back", "middle", rim=True)
        hatched, end = event.kind == "translated", event.kind == "end"
        strip = STRIP if hatched else 0
        x, width = self._x(event.host), self._needs(event)
        left = self._within(x, width) - width / 2
        look = 'stroke-width="3"' if end else ('rx="11"' if event.kind == "arrived" else "")
        height = 6 + 17 * len(event.lines)
        drawn = box(left, y + 8, width, height, "#fff", look)
        drawn += f'<path d="M{x - 5:.1f} {y + 2:.1f} h10 l-5 6 z"/>'  # whose lifeline it stands on
        if hatched:
            drawn += box(left, y + 8, strip, height, "url(#hatched)")
        middle = left + strip + (width - strip) / 2
        for number, line in enumerate(event.lines):
            drawn += text(middle, y + 24 + 17 * number, line, "middle", bold=end)
        return drawn

    def _needs(self, event: Event) -> float:
        """How wide the text of an event is, with the box around it if it has one."""
        around = {"packet": 0, "turn": 0, "translated": 16 + STRIP}.get(event.kind, 16)
        return max(width_of(line, event.kind == "end") for line in event.lines) + around

    def _within(self, middle: float, width: float) -> float:
        """The middle of something that wide, moved so far that nothing is cut off."""
        return min(max(middle, MARGIN + width / 2), self.width - MARGIN - width / 2)


_MARKS = (
    '<defs><pattern id="hatched" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<path d="M0 6 L6 0" stroke="#000"/></pattern>'
    '<marker id="tip" viewBox="0 0 10 10" refX="10" refY="5" markerWidth="8" markerHeight="8" '
    'orient="auto-start-reverse"><path d="M0 0 L10 5 L0 10 z"/></marker></defs>'
)
