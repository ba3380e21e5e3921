"""A prediction beside an observation, row by row, with what chance decided.

>>> from course.compare import compare
>>> from course.predict import outcomes
>>> from course.scenarios import SCENARIOS, small_cluster
>>> from course.world import build
>>> world = build(small_cluster("overlay"))
>>> seen = outcomes(world, SCENARIOS["to a load balancer, Local"].flow(world))[3].result
>>> found = compare(world, seen)
>>> print(verdict(found))
Seen as predicted: delivered, and answered: web-4 saw the source 203.0.113.10.
>>> print(chance(found))
Chance decided here. The draw was: path via 10.240.0.5 dev nic-node2 on azure, endpoint \
10.244.1.3:8080 on node2, as likely as 1 in 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from itertools import zip_longest
from typing import NamedTuple

from course.compare import Comparison
from course.errors import InputError
from course.linux.draws import Answer, Drawn, Question, odds
from course.predict import Prediction
from course.trace import Sighting, Trace, differences
from course.views.html import Html, note, table
from course.views.traces import arrows, decided, ending, trace_of
from course.views.traces import reason as why_lost

HEAD = ["row", "where", "predicted", "seen"]
BY_CHANCE = (
    "Chance may have decided otherwise than you predicted: lab.compare(seen) predicts again, with "
    "what it decided."
)
MOST = 5  # changes by hand that are told in a verdict
SAME, FIRST, LATER = "=", "≠ first difference", "≠"


def show_comparison(
    found: Comparison | Prediction | Trace, observation: Trace | None = None
) -> Html:
    """A prediction and an observation side by side, and above them whether they are the same.

    Either a Comparison, as `lab.compare` makes it, or a prediction and an observation. Only a
    Comparison knows what chance decided. Raises InputError where one of the two is missing.
    """
    as_they_are = not isinstance(found, Comparison)
    if not isinstance(found, Comparison):
        found = beside(found, observation)
    rows = list(rows_of(found.prediction.trace, found.observation))
    about = [
        chance(found),
        reason(found),
        stopped(found),
        BY_CHANCE * (as_they_are and not found.equal),
    ]
    notes = list(filter(None, about))
    said = " ".join(filter(None, (verdict(found), by_hand(found))))
    caption = f"{arrows(str(found.observation.flow))}: prediction and observation"
    return Html(
        note(escape(said), "status")
        + table(escape(caption), HEAD, [list(map(_marked, row.cells())) for row in rows])
        + "".join(note(escape(each)) for each in notes),
        "\n".join([caption, said, *map(str, rows), *notes]),
    )


def beside(prediction: Prediction | Trace, observation: Trace | None) -> Comparison:
    """A prediction and an observation as they are, whatever chance decided.

    Raises InputError where there is no observation.
    """
    trace = trace_of(prediction)
    if observation is None:
        raise InputError(
            str(trace.flow), "is compared with nothing.",
            "Write show_comparison(lab.compare(seen)).",
        )  # fmt: skip
    drawn = Drawn((), (), Fraction(1), Prediction(trace, {}))
    return Comparison(observation, drawn, tuple(differences(trace, observation)))


def verdict(found: Comparison) -> str:
    """Whether an observation is as predicted; if not, what differs first."""
    if found.equal:
        return f"Seen as predicted: {ending(found.observation)}."
    return f"Not as predicted: {arrows('; '.join(found.differences))}."


def chance(found: Comparison) -> str:
    """What chance decided for an observation, and how likely that was; empty if nothing."""
    drawn = list(dict.fromkeys(_drawn(found)))
    if not drawn:
        return ""
    was = "was" if found.equal else "that comes closest is"
    likely = ""
    if found.drawn.probability < 1:
        likely = f", as likely as {odds(found.drawn.probability)}"
        ports = any(question.kind == "source port" for question in found.drawn.questions)
        likely += ", the port aside" * ports
    return f"Chance decided here. The draw {was}: {', '.join(drawn)}{likely}."


def reason(found: Comparison) -> str:
    """What the prediction rests on where an observation parts from it; empty if it does not."""
    trace = found.prediction.trace
    pairs = zip_longest(trace.sightings, found.observation.sightings)
    parted = next((one for one, other in pairs if one != other), None)
    hops = (hop for hop in trace.hops if any(seen is parted for seen in hop.sightings))
    steps = [step for hop in hops for step in hop.told if step.decided_by]
    if parted is None or not steps:
        return ""
    return f"What was predicted at {parted.host} rests on: {'; '.join(map(decided, steps))}."


def stopped(found: Comparison) -> str:
    """What lost the packet that was observed, as its host said; empty if nothing did."""
    why = why_lost(found.observation)
    return f"What was seen at {found.observation.ended_at} rests on: {why}." if why else ""


def by_hand(found: Comparison) -> str:
    """What no prediction knows of, and may have led to what was seen; empty if nothing."""
    causes = [
        f"Somebody changed by hand: {_first(found.drift, ': lab.drift()')}." * bool(found.drift),
        f"Hosts may still remember: {_first(found.remembered)}." * bool(found.remembered),
    ]
    said = " ".join(filter(None, causes))
    return "But that may have another cause. " * bool(found.equal and said) + said


def _first(sentences: Sequence[str], all_of_them: str = "") -> str:
    """The first sentences of many; `all_of_them` tells where they are."""
    more = len(sentences) - MOST
    rest = [f"and {more} more{all_of_them}"] if more > 0 else []
    return "; ".join((*sentences[:MOST], *rest))


class Side(NamedTuple):
    """Where something was predicted or seen, and what."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}" if self.place else self.what


@dataclass(frozen=True)
class Row:
    """What was predicted and what was seen. The last row tells how it ended."""

    number: str
    mark: str
    predicted: Side
    seen: Side

    def cells(self) -> tuple[str, str, str, str]:
        """Number and mark, where, what was predicted there, what was seen."""
        name = f"{self.number}\u00a0{self.mark}"
        if self.mark == SAME:
            return name, *self.predicted, "the same"
        places = {side.place for side in (self.predicted, self.seen) if side.place}
        if len(places) == 1:
            return name, places.pop(), self.predicted.what, self.seen.what
        return name, "differs", str(self.predicted), str(self.seen)

    def __str__(self) -> str:
        name, place, predicted, seen = self.cells()
        if self.mark == SAME:
            return f"{name} {self.predicted}"
        return f"{name} {place}:\n    predicted: {predicted}\n    seen: {seen}"


def rows_of(prediction: Trace, observation: Trace) -> Iterator[Row]:
    """The rows of a comparison, in the order of time, and how both ended."""
    parted = False
    pairs = zip_longest(prediction.sightings, observation.sightings)
    for number, (one, other) in enumerate(pairs, 1):
        yield Row(str(number), _mark(one == other, parted), _side(one), _side(other))
        parted = parted or one != other
    ends = [
        Side("the end", f"{each.disposition} at {each.ended_at}")
        for each in (prediction, observation)
    ]
    yield Row("end", _mark(ends[0] == ends[1], parted), *ends)


def _mark(same: bool, parted: bool) -> str:
    return SAME if same else LATER if parted else FIRST


def _side(seen: Sighting | None) -> Side:
    if seen is None:
        return Side("", "nothing")
    packet = arrows(str(seen.packet).removeprefix(f"{seen.packet.protocol} "))
    return Side(f"{seen.host}, {seen.role}, {seen.direction}", packet)


def _marked(cell: str) -> str:
    # what belongs together stays on one line
    cell = cell.replace(" ttl ", " ttl\u00a0").replace("the same", "the\u00a0same")
    return f"<strong>{escape(cell)}</strong>" if FIRST in cell else escape(cell)


def _drawn(found: Comparison) -> Iterator[str]:
    """What chance decided, host by host, in words."""
    for question, answer in zip(found.drawn.questions, found.drawn.answers, strict=True):
        yield f"{_answer(found, question, answer)} on {question.host}"


def _answer(found: Comparison, question: Question, answer: Answer) -> str:
    if question.kind == "statistic":
        return _endpoint(found.prediction.trace, question.host) or (
            f"{'yes' if answer else 'no'} at the rule {question.about}"
        )
    return f"{question.kind} {answer}"


def _endpoint(trace: Trace, host: str) -> str:
    """The endpoint to which a host translated what it drew one for."""
    for hop in trace.hops:
        for step in hop.translations:
            what, _, change = step.effect.partition(" ")
            if hop.host == host and what == "destination":
                return f"endpoint {change.rpartition(' ')[2]}"
    return ""
