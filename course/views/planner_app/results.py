"""What the planner found, as HTML: the models side by side, findings, working, growth, moves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from course.facts import fact
from course.finding import Demand, Finding, Severity
from course.networks.model import Reason
from course.planner.comparison import Comparison, ModelPlan
from course.planner.growth import Growth, HeadRoom, outlook
from course.planner.moves import Way, moves
from course.planner.report import verdict
from course.views.address_space import in_words
from course.views.html import note, source_link, table
from course.views.tables import working_table
from course.working import Line


def verdict_note(comparison: Comparison) -> str:
    """Which model was looked at, whether the design works in it, and which one to take."""
    return note(f"<strong>{escape(verdict(comparison))}</strong>", "status")


def compared(comparison: Comparison) -> str:
    """Every model in a row, with reasons for and against the one that counts."""
    head = [
        "model", "does it work?", "takes of the virtual network", "nodes", "pods", "max-pods",
        "retires",
    ]  # fmt: skip
    rows = [_row(plan, comparison) for plan in comparison.plans]
    return table("The models side by side", head, rows) + _reasons(comparison.judged)


def _row(plan: ModelPlan, comparison: Comparison) -> list[str]:
    marks = [
        *(["recommended"] if plan is comparison.recommended else []),
        *(["looked at"] if plan is comparison.judged else []),
    ]
    told = f"<br>({', '.join(marks)})" if marks else ""
    nodes = [each for each in plan.demands if each.kind == "node subnet"]
    pods = [each for each in plan.demands if each.kind != "node subnet"]
    most = dict.fromkeys(str(pool.max_pods) for pool in plan.design.pools)
    return [
        f"<strong>{escape(plan.model.title)}</strong>{told}",
        _works(plan),
        f"{plan.network_addresses:,} addresses",
        _places(nodes),
        _places(pods) or "with the nodes",
        ", ".join(most),
        fact(plan.model.ends).value if plan.model.ends else "no date known",
    ]


def _works(plan: ModelPlan) -> str:
    counts = {
        severity: sum(each.severity is severity for each in plan.findings) for severity in Severity
    }
    told = [_many(count, severity.value) for severity, count in counts.items() if count]
    why = "" if plan.works else f": {escape(plan.errors[0].what)}"
    return "<br>".join([f"<strong>{'yes' if plan.works else 'no'}</strong>{why}", *told])


def _many(count: int, what: str) -> str:
    plural = what if count == 1 or what == Severity.ADVICE.value else f"{what}s"
    return f"{count} {plural}"


def _places(demands: Iterable[Demand]) -> str:
    return "<br>".join(
        escape(in_words(each)) + (f", at least a /{each.min_prefix}" if each.min_prefix else "")
        for each in demands
    )


def _reasons(plan: ModelPlan) -> str:
    def items(reasons: Sequence[Reason]) -> str:
        rows = (f"<li>{escape(each.text)} {_dated(each.fact)}</li>" for each in reasons)
        return f"<ul>{''.join(rows)}</ul>" if reasons else " Nothing."

    title = escape(plan.model.title)
    told = f"<strong>{title}:</strong> {escape(plan.model.idea)}."
    if not plan.works:  # nothing speaks for it then
        return note(f"{told}<br>The design does not work in it: {escape(plan.errors[0].what)}")
    return note(
        f"{told}<br>For it:{items(plan.model.reasons_for)}"
        f"Against it:{items(plan.model.reasons_against)}"
    )


def findings(plan: ModelPlan) -> str:
    """Every finding of a plan, the worst first."""
    if not plan.findings:
        return note(f"{escape(plan.model.title)}: nothing was found. Nothing is wrong.")
    rows = [_finding(each) for each in plan.findings]
    title = f"Findings in {escape(plan.model.title)}"
    return table(title, ["severity", "what was found", "what to do", "source"], rows)


def _finding(finding: Finding) -> list[str]:
    said = escape(finding.what)
    if finding.refusal:
        said += f"<br>AKS answers: <code>{escape(finding.refusal)}</code>"
    place = f"<br>In a file: <code>{escape(finding.field)}</code>" if finding.field else ""
    return [
        f"<strong>{finding.severity.value}</strong>", said, escape(finding.do) + place,
        _facts(finding.facts),
    ]  # fmt: skip


@dataclass(frozen=True)
class _Explained:
    title: str
    working: tuple[Line, ...]

    def explain(self) -> str:
        return self.title


def working(plan: ModelPlan) -> str:
    """How each number came about, line by line."""
    return "".join(working_table(_Explained(in_words(each), each.working)) for each in plan.demands)


def growth(plan: ModelPlan, comparison: Comparison) -> str:
    """How far each number of each pool can grow, and how full everything is."""
    found = outlook(comparison.design, plan.model)
    rows = [_grows(each) for each in found.growths]
    head = ["grows", "planned for", "room left", "what ends it", "what to do"]
    first = table(f"Room to grow in {escape(plan.model.title)}, all else as it is", head, rows)
    rooms = [_room(each) for each in found.head_room]
    head = ["how full", "what", "used", "there are", "left", "source"]
    return first + table("How full everything is, the fullest first", head, rooms)


def _grows(found: Growth) -> list[str]:
    ends = [f"at {found.shown(each.at)}: {each.how}" for each in found.breaks]
    if found.broken_now:
        ends = [f"broken now: {each.how}" for each in found.breaks]
        ends += [] if found.fits is None else [f"fits up to {found.shown(found.fits)}"]
    ends = ends or [f"{found.shown(found.end)}: {found.end_why}"]
    warned = [f"warning from {found.shown(each.at)}: {each.how}" for each in found.warnings]
    do = [each.limit.do for each in found.breaks] + ([found.how] if found.how else [])
    return [
        escape(f"{found.what} of {found.pool}"),
        found.shown(found.now),
        f"<strong>{found.shown(found.left)}</strong>",
        "<br>".join(map(escape, [*ends, *warned])),
        "<br>".join(map(escape, dict.fromkeys(do))) or "Nothing.",
    ]


def _room(room: HeadRoom) -> list[str]:
    limit = room.limit
    left = f"{limit.left:,}" if not limit.broken else f"<strong>{-limit.left:,} missing</strong>"
    return [
        room.share_text, escape(limit.what), f"{limit.used:,}", f"{limit.most:,}", left,
        _facts((limit.fact,)),
    ]  # fmt: skip


def moving(comparison: Comparison) -> str:
    """The ways that lead from each model to the others; those from the one that counts unfolded."""
    others = (
        f"<details><summary>{escape(plan.model.title)}: {_many_ways(moves(plan))}</summary>"
        f"{_ways(plan)}</details>"
        for plan in comparison.plans
        if plan is not comparison.judged
    )
    return _ways(comparison.judged) + note(f"Ways out of the other models{''.join(others)}")


def _many_ways(ways: Sequence[Way]) -> str:
    in_place = [way for way in ways if way.in_place]
    blocked = sum(not way.open for way in in_place)
    return f"{len(in_place) or 'none'} in place" + (
        f", {blocked} of them blocked" if blocked else ""
    )


def _ways(plan: ModelPlan) -> str:
    rows = [_way(each) for each in moves(plan)]
    head = ["to", "is it open?", "how", "source"]
    return table(f"Ways out of {escape(plan.model.title)}", head, rows)


def _way(way: Way) -> list[str]:
    is_open = "yes" if way.open else f"no: {' '.join(map(escape, way.blockers))}"
    same = "in place" if way.in_place else "not in place"
    return [f"<strong>{escape(way.to_title)}</strong><br>{same}", is_open, escape(way.how),
            _facts(way.facts)]  # fmt: skip


def _facts(ids: Iterable[str]) -> str:
    """Facts with their date and sources, to unfold."""
    items = "".join(
        f"<li>{escape(known.statement)} "
        + "; ".join(
            f"As of {escape(claim.as_of)}: {', '.join(map(source_link, claim.sources))}"
            for claim in known.claims
        )
        + "</li>"
        for known in map(fact, ids)
    )
    if not items:
        return ""
    summary = '<summary style="white-space: nowrap">sources</summary>'
    return f"<details>{summary}<ul>{items}</ul></details>"


def _dated(fact_id: str) -> str:
    known = fact(fact_id)
    return f'<span title="{escape(known.statement)}">(as of {escape(known.claims[0].as_of)})</span>'
