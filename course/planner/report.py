"""The plan of a cluster as a text for a ticket: Markdown, the same for a person and for CI."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from course.addresses import canonical
from course.facts import fact
from course.finding import Demand, Finding
from course.networks.model import Reason
from course.planner.comparison import Comparison, ModelPlan
from course.planner.growth import outlook
from course.planner.moves import moves
from course.working import as_text

SMALLEST = (
    "A proposed range is the smallest that fits the plan. A subnet in use cannot be resized: leave "
    "room for what may come."
)
TIGHTEST = 5  # of all limits, these are shown


def markdown(comparison: Comparison) -> str:
    """The models side by side, then the one that counts: findings, addresses, ways out, sources.

    >>> from course.design import Design
    >>> from course.planner.comparison import compare
    >>> markdown(compare(Design(name="prod"))).splitlines()[0]
    '# Network plan of prod'
    """
    judged = comparison.judged
    sections = [
        f"# Network plan of {comparison.design.name}",
        _verdict(comparison),
        "## All models",
        _side_by_side(comparison.plans),
        f"## Findings in {judged.model.title}",
        _findings(judged),
        f"## Addresses in {judged.model.title}",
        *(_demand(demand) for demand in judged.demands),
        *([SMALLEST] if any(demand.proposed for demand in judged.demands) else []),
        f"## Head-room in {judged.model.title}",
        _head_room(comparison),
        f"## Ways out of {judged.model.title}",
        _ways(judged),
        "## Sources",
        _sources(judged),
    ]
    return "\n\n".join(sections) + "\n"


def verdict(comparison: Comparison) -> str:
    """In a sentence or two: which model was judged, whether the design works in it, which to take.

    >>> from course.design import Design
    >>> from course.planner.comparison import compare
    >>> verdict(compare(Design()))
    'Recommended: Azure CNI Overlay. The design works in it.'
    """
    judged, best = comparison.judged, comparison.recommended
    works = "The design works in it."
    if not judged.works:
        count = len(judged.errors)
        works = f"The design does not work in it: {count} error{'s' if count > 1 else ''}."
    if not comparison.design.model:
        if best is None:
            return f"The design works in no model. Shown: {judged.model.title}."
        return f"Recommended: {best.model.title}. {works}"
    said = f"Chosen: {judged.model.title}. {works}"
    if best is None:
        return f"{said} It works in no model."
    return said if best is judged else f"{said} Recommended: {best.model.title}."


def reasons(plan: ModelPlan) -> tuple[Reason, ...]:
    """Why one would choose this model, then why not."""
    return (*plan.model.reasons_for, *plan.model.reasons_against)


def _verdict(comparison: Comparison) -> str:
    best = comparison.recommended or comparison.judged
    lines = [f"**{verdict(comparison)}** Looked at on {comparison.design.today}.", ""]
    lines += [f"- for {best.model.title}: {each.text}" for each in best.model.reasons_for]
    lines += [f"- against it: {each.text}" for each in best.model.reasons_against]
    lines += [f"- not {each.model.title}: {each.errors[0].what}" for each in comparison.failing]
    return "\n".join(lines)


def _side_by_side(plans: Sequence[ModelPlan]) -> str:
    head = ["model", "works", "addresses of the virtual network", "ranges", "errors", "warnings"]
    rows = [
        [
            plan.model.title,
            "yes" if plan.works else "no",
            f"{plan.network_addresses:,}",
            "; ".join(map(where, plan.demands)),
            str(len(plan.errors)),
            str(sum(each.severity.value == "warning" for each in plan.findings)),
        ]
        for plan in plans
    ]
    return _table(head, rows)


def where(demand: Demand) -> str:
    """A demand in short: what it is, how many addresses, where.

    >>> from course.design import Design
    >>> from course.planner.comparison import compare
    >>> where(compare(Design()).plan("overlay").demands[1])
    'pod range: 1,024 of 10.244.0.0/16 (proposed)'
    """
    name = demand.kind if demand.kind == "pod range" else f"{demand.kind} {demand.name}"
    if demand.range is None:
        return f"{name}: {demand.needed:,}, no free range of this size"
    proposed = " (proposed)" if demand.proposed else ""
    return f"{name}: {demand.needed:,} of {canonical(demand.range)}{proposed}"


def _findings(plan: ModelPlan) -> str:
    if not plan.findings:
        return "None."
    return "\n".join(line for finding in plan.findings for line in _finding(finding))


def _finding(finding: Finding) -> Iterable[str]:
    place = f" (`{finding.field}`)" if finding.field else ""
    yield f"- **{finding.severity.value}**: {finding.what}{place}"
    yield f"  - What to do: {finding.do}"
    if finding.refusal:
        yield f"  - AKS answers: `{finding.refusal}`"
    for fact_id in finding.facts:
        yield f"  - Rule: {fact(fact_id).statement} [{fact_id}]"


def _demand(demand: Demand) -> str:
    return f"```\n{as_text(where(demand), demand.working)}\n```"


def _head_room(comparison: Comparison) -> str:
    """What is used most, and how far each number of each pool can grow before what breaks."""
    found = outlook(comparison.design, comparison.judged.model)
    lines = [
        f"- {room.share_text} used: {room.limit.used:,} of {room.limit.most:,} {room.limit.what}"
        for room in found.head_room[:TIGHTEST]
    ]
    for growth in found.growths:
        breaks = growth.breaks[0].how if growth.breaks else growth.end_why
        at = growth.shown(growth.end if growth.breaks_at is None else growth.breaks_at)
        verb = "breaks at" if growth.breaks else "ends at"
        room = f"{growth.what} of {growth.pool}: {growth.shown(growth.left)} more"
        if growth.fits is not None:
            room += f", {growth.shown(growth.fits)} would fit"
        lines.append(f"- {room}; {verb} {at}: {breaks}")
    return "\n".join(lines)


def _ways(plan: ModelPlan) -> str:
    lines = []
    for way in moves(plan):
        kind = "in place" if way.in_place else "not in place"
        lines.append(f"- to {way.to_title}, {kind}: {way.how}")
        lines += [f"  - In the way: {blocker}" for blocker in way.blockers]
    return "\n".join(lines)


def _sources(plan: ModelPlan) -> str:
    ids = [line.fact for demand in plan.demands for line in demand.working if line.fact]
    ids += [fact_id for finding in plan.findings for fact_id in finding.facts]
    ids += [each.fact for each in reasons(plan)]
    lines = []
    for fact_id in dict.fromkeys(ids):
        for claim in fact(fact_id).claims:
            sources = ", ".join(f"<{source.split()[0]}>" for source in claim.sources)
            lines.append(f"- {fact_id} (as of {claim.as_of}): {sources}")
    return "\n".join(lines)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
