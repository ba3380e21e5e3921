"""A trace as a table and as a paragraph: who did what to a packet, and which rule or route said so.

>>> from course.scenarios import SCENARIOS, small_cluster
>>> from course.predict import predict
>>> from course.world import build
>>> world = build(small_cluster("overlay"))
>>> print(paragraph(predict(world, SCENARIOS["to a VM"].flow(world))))
web-1 calls tcp 10.240.1.4:80. The packet goes by web-1, node1, azure, vm-2. node1 translates \
the source 10.244.0.2:40000 → 10.240.0.4:40000. The answer goes by vm-2, azure, node1, web-1. \
node1 translates the destination 10.240.0.4:40000 → 10.244.0.2:40000. The end: delivered, and \
answered: vm-2 saw the source 10.240.0.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from course.linux.draws import odds
from course.linux.packet import Packet
from course.linux.passage import Step
from course.predict import Prediction
from course.trace import Disposition, Hop, Trace
from course.views.html import Html, note, table

HEAD = ["hop", "what happened", "source → destination", "what decided it"]


def show_trace(result: Trace | Prediction) -> Html:
    """A trace, predicted or observed: a row for each thing that happened, and all in a paragraph.

    An observation tells what was seen, not why: its last column is empty.
    """
    trace, told = trace_of(result), paragraph(result)
    rows = [
        [escape(cell) for cell in row[:3]] + [f"<code>{escape(row[3])}</code>" if row[3] else ""]
        for row in rows_of(trace)
    ]
    return Html(
        table(escape(arrows(str(trace.flow))), HEAD, rows) + note(escape(told)),
        f"{trace.explain()}\n\n{told}",
    )


def paragraph(result: Trace | Prediction) -> str:
    """A trace in a few sentences: the hosts in order, each translation, the end."""
    return " ".join(_sentences(trace_of(result)))


def rows_of(trace: Trace) -> Iterator[tuple[str, str, str, str]]:
    """The table: hop, what happened, source and destination after it, what decided it."""
    for number, hop in enumerate(trace.hops, 1):
        name = f"{number}\u00a0{hop.host}"
        for step in hop.told:
            yield name, _happened(step), ends(step.after), decided(step)
        if not hop.steps:
            for seen in hop.sightings:
                yield name, f"seen {seen.direction} at {seen.role}", ends(seen.packet), ""
    yield "end", ending(trace), "", reason(trace)


def trace_of(result: Trace | Prediction) -> Trace:
    """The trace of a prediction, or the trace that it is."""
    return result.trace if isinstance(result, Prediction) else result


def arrows(words: str) -> str:
    """The same with arrows as they are drawn."""
    return words.replace("->", "→")


def ends(packet: Packet) -> str:
    """A packet without protocol and TTL, which tell nothing of who talks to whom.

    >>> print(ends(Packet("tcp", "10.0.0.4", "10.0.0.5", 40000, 80, "SYN")))
    10.0.0.4:40000 → 10.0.0.5:80 SYN
    """
    return arrows(str(packet).partition(" ttl ")[0].removeprefix(f"{packet.protocol} "))


def way_back(trace: Trace) -> int:
    """The hop with which the way back begins, counted from 0; the number of hops if none does.

    There a host sends without having received anything, or receives what nobody answers.
    """
    for at, hop in enumerate(trace.hops[1:], 1):
        came = hop.sightings[0] if hop.sightings else None
        if came is None or came.direction == "out" or came.packet.is_answer:
            return at
    return len(trace.hops)


def lost_at(trace: Trace) -> int | None:
    """The hop at which the first lost packet was lost, counted from 0; None if none was."""
    if trace.disposition == Disposition.DELIVERED or not trace.hops:
        return None
    there = [at for at, hop in enumerate(trace.hops) if hop.host == trace.ended_at]
    stopped = [at for at in there if _stops(trace.hops[at])]
    return (stopped or there or [len(trace.hops) - 1])[0]


def _stops(hop: Hop) -> bool:
    """Whether a host neither passed a packet on nor took it: at most, it complained."""
    sent = [seen.packet for seen in hop.sightings if seen.direction == "out"]
    taken = any(step.kind == "delivered" for step in hop.steps)
    return not taken and all(packet.is_answer for packet in sent)


def ending(trace: Trace) -> str:
    """How it ended, where, and which source the server saw."""
    if trace.disposition == Disposition.DELIVERED:
        seen = f": {trace.server} saw the source {trace.source_seen}" if trace.delivered else ""
        return f"delivered, and answered{seen}"
    seen = f"; {trace.server} had seen the source {trace.source_seen}" if trace.delivered else ""
    return f"{trace.disposition} at {trace.ended_at}{seen}"


def reason(trace: Trace) -> str:
    """What decided that a packet was lost, as far as a step says so."""
    at = lost_at(trace)
    stops = () if at is None else trace.hops[at].told
    return next((decided(step) for step in stops if step.kind in ("dropped", "filtered")), "")


def _happened(step: Step) -> str:
    """What a step did; a packet that is made or delivered stands in the next column."""
    whole = step.kind in ("made", "delivered")
    return step.kind if whole else f"{step.kind} {arrows(step.effect)}"


def decided(step: Step) -> str:
    """The rule, route or connection that decided a step, with the chain it stands in."""
    return f"{step.table} {step.chain}: {step.decided_by}" if step.table else step.decided_by


def _sentences(trace: Trace) -> Iterator[str]:
    turn = way_back(trace)
    _, _, asked = str(trace.flow).partition(" -> ")
    yield f"{trace.flow.source} calls {asked}."
    yield f"The packet goes by {', '.join(trace.path[:turn])}."
    yield from _translations(trace.hops[:turn])
    if turn < len(trace.hops):
        answered = trace.disposition in (Disposition.DELIVERED, Disposition.UNASKED)
        what = "The answer" if answered or trace.delivered else "Word of it"
        yield f"{what} goes by {', '.join(trace.path[turn:])}."
        yield from _translations(trace.hops[turn:])
    yield from _chances(trace)
    why = reason(trace)
    yield f"The end: {ending(trace)}{f', by {why}' if why else ''}."


def _chances(trace: Trace) -> Iterator[str]:
    """Where chance decided; a host whose packets pass twice may have drawn twice."""
    drawn = [
        f"at {hop.host} ({', '.join(hop.drawn_by)})" for hop in trace.hops if hop.drawn_by
    ]  # fmt: skip
    if drawn:
        likely = odds(trace.chance)
        yield f"Chance decided {' and '.join(drawn)}: this way is as likely as {likely}."


def _translations(hops: tuple[Hop, ...]) -> Iterator[str]:
    for hop in hops:
        if hop.translations:
            changes = " and the ".join(arrows(step.effect) for step in hop.translations)
            yield f"{hop.host} translates the {changes}."
