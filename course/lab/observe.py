"""What really became of a flow: a Trace, as a prediction is one.

What was seen is cut into hops: a hop is what came in at a host and what it sent on because of
that; whoever answers begins another one. Where no answer came, the host where a packet was seen
last is asked why (course.lab.evidence).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from course.lab.built import Built
from course.lab.evidence import counters, ruled, why
from course.lab.report import ANSWER, ERROR, QUESTION, Report, Seen, send
from course.linux.packet import Packet
from course.linux.passage import Step
from course.trace import Disposition, Flow, Hop, Trace


def observe(built: Built, flow: Flow, ruled_by_hand: Iterable[str] = ()) -> Trace:
    """Send a flow, and see what becomes of it.

    If its source port was in use before, it is sent from the next one that was not; the Trace's
    flow tells which. `ruled_by_hand` are hosts that may have got rules of which the World knows
    nothing. Raises InputError for a host that is not there, LabError with what a tool said.
    """
    before = counters(built, ruled(built.world).union(ruled_by_hand))
    report = send(built, flow)
    if report.answered:
        return trace(report, Disposition.DELIVERED, flow.source, _said(report))
    lost = why(built, report, before)
    if lost.disposition == Disposition.NO_NEIGHBOUR:
        # when a host gives up its ARP it says so, seconds later: no part of a Trace
        report = replace(report, seen=report.way)
    return trace(report, lost.disposition, lost.where, lost.step)


def trace(report: Report, disposition: Disposition, where: str, why: Step | None = None) -> Trace:
    """A report as a Trace; `why` is the last step, at the host where it ended."""
    found = hops(report)
    if why:
        last = max((at for at, hop in enumerate(found) if hop.host == where), default=0)
        found[last] = replace(found[last], steps=(why,))
    server, packet = delivered(report)
    return Trace(report.flow, tuple(found), disposition, where, packet, server)


def _said(report: Report) -> Step | None:
    """The answer in the server's own words."""
    _, packet = delivered(report)
    return Step("delivered", report.text, packet, packet) if report.text and packet else None


def hops(report: Report) -> list[Hop]:
    """The hops of a flow; its sender is one even if nothing left it."""
    runs: list[list[Seen]] = []
    for seen in report.seen:
        if runs and _goes_on(runs[-1][-1], seen):
            runs[-1].append(seen)
        else:
            runs.append([seen])
    found = [Hop(run[0].host, tuple(each.sighting for each in run)) for run in runs]
    # what no wire saw: it asked, and perhaps answered, itself
    return found or [Hop(report.flow.source, ())] * (1 + report.answered)


def _goes_on(before: Seen, seen: Seen) -> bool:
    """Whether a packet left because of the one before: passed on, or refused."""
    passed_on = seen.kind in (before.kind, ERROR)
    return before.host == seen.host and before.came_in and not seen.came_in and passed_on


def delivered(report: Report) -> tuple[str, Packet | None]:
    """The server, and the first packet as it saw it; nothing if none got it."""
    flow, answers = report.flow, [each for each in report.way if each.kind == ANSWER]
    server = report.served[0][0] if report.served else ""
    if not server and answers and not answers[0].came_in:
        server = answers[0].host
    if not server and report.answered:
        server = flow.source  # it answered itself, and no wire saw it
    if not server:
        return "", None
    asked = _questions(report.seen, server)
    packet = asked[-1].packet if asked else flow.packet(flow.destination)
    if report.served:
        _, _, (address, port), (source, source_port) = report.served[0]
        packet = replace(
            packet, source=source, source_port=source_port, destination=address,
            destination_port=port,
        )  # fmt: skip
    return server, packet


def _questions(seen: Iterable[Seen], host: str) -> list[Seen]:
    """The questions that came to a host."""
    return [each for each in seen if each.host == host and each.kind == QUESTION and each.came_in]
