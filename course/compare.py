"""Laying a prediction beside an observation: what chance decided is read off the observation.

A host that draws (an endpoint, a port, a path) draws anew each time, so an observation is compared
with the prediction for what was drawn there. Every way that chance can go is predicted, and the
one that comes closest is taken; ports, of which there are too many, are read off the packets seen.
A drawing that was not possible is no way that chance can go, and so shows as a difference.

>>> from course.scenarios import SCENARIOS, small_cluster
>>> from course.world import build
>>> world = build(small_cluster("overlay"))
>>> flow = SCENARIOS["to a ClusterIP"].flow(world)
>>> from course.predict import outcomes
>>> seen = outcomes(world, flow)[2].result
>>> found = compare(world, seen)
>>> found.equal, found.prediction.trace.server, len(found.answers)
(True, 'web-3', 3)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from course.linux.draws import Answer, Draw, Drawn, Question, every
from course.predict import Prediction, States, predict
from course.trace import Trace, differences
from course.world import World


@dataclass(frozen=True)
class Comparison:
    """An observation, the prediction that comes closest to it, and what still differs.

    `drawn` is that prediction with what chance had to decide for it; a source port is told there
    as well, but not how likely it was. `drift` is what somebody changed by hand, a sentence each.
    It is looked for where an observation differs; and on the host where a packet was lost, as the
    same end may have another cause. `remembered` is what hosts on the way may remember of what was
    sent by hand; it is looked for where an observation differs.
    """

    observation: Trace
    drawn: Drawn[Prediction]
    differences: tuple[str, ...]
    drift: tuple[str, ...] = ()
    remembered: tuple[str, ...] = ()

    @property
    def prediction(self) -> Prediction:
        """The prediction that comes closest."""
        return self.drawn.result

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The answers of chance that it rests on."""
        return self.drawn.answers

    @property
    def equal(self) -> bool:
        """Whether prediction and observation say the same."""
        return not self.differences


def compare(world: World, observation: Trace, state: States | None = None) -> Comparison:
    """Predict what was observed, with what chance decided there; `state` is that before it.

    Raises InputError for a flow that can go more than 10,000 ways.
    """
    flow = observation.flow

    def predicted(draw: Draw) -> Prediction:
        return predict(world, flow, state, lambda question: draw(_narrowed(question, observation)))

    ways = list(every(predicted))
    closest = max(ways, key=lambda way: _common(way.result.trace, observation))
    found = tuple(differences(closest.result.trace, observation))
    return Comparison(observation, closest, found)


def _narrowed(question: Question, observation: Trace) -> Question:
    """A question for a port, with no answer but the one with which the host sent a packet."""
    if question.kind != "source port":
        return question
    ports = (
        seen.packet.source_port
        for seen in observation.sightings
        if seen.host == question.host and seen.direction == "out"
    )
    seen = next((port for port in ports if question.allows(port)), None)
    return question if seen is None else replace(question, outcomes=((seen, Fraction(1)),))


def _common(prediction: Trace, observation: Trace) -> tuple[int, bool]:
    """How many sightings agree from the start, and whether the ends do."""
    pairs = zip(prediction.sightings, observation.sightings, strict=False)
    agreeing = 0
    for one, other in pairs:
        if one != other:
            break
        agreeing += 1
    return agreeing, prediction == observation
