"""What chance decides: a question that is asked where a host would draw, and who answers it.

A host draws an endpoint (the statistic match), a source port (MASQUERADE, if the packet's own port
is taken) and a path (routes with several next hops). Whoever follows a packet passes a function
that answers: `first`, `replay` of answers known before, or, through `every`, all possible answers
with their probability.

>>> coin = Question("statistic", "node1", "-j HEADS", ((True, Fraction(1, 2)), (False, Fraction(1, 2))))
>>> [(found.result, str(found.probability)) for found in every(lambda draw: draw(coin))]
[(True, '1/2'), (False, '1/2')]
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

from course.errors import InputError

Answer = bool | int | str
T = TypeVar("T")


@dataclass(frozen=True)
class Question:
    """Something that a host draws: what kind, on which host, for which rule or route.

    `outcomes` are the answers with the probability of each. Of the many ports that a translation
    may choose only the first is listed, for all; `also` tells whether another answer is possible.
    """

    kind: str
    host: str
    about: str
    outcomes: tuple[tuple[Answer, Fraction], ...]
    also: Callable[[Answer], bool] = lambda answer: False

    def allows(self, answer: Answer) -> bool:
        """Whether this answer is possible."""
        listed = (value for value, probability in self.outcomes if probability > 0)
        return answer in listed or self.also(answer)


Draw = Callable[[Question], Answer]


@dataclass(frozen=True)
class Drawn(Generic[T]):
    """One way that chance can go: the questions, the answers, how likely, what comes of it."""

    questions: tuple[Question, ...]
    answers: tuple[Answer, ...]
    probability: Fraction
    result: T


def first(question: Question) -> Answer:
    """Always the first possible answer."""
    return next(answer for answer, probability in question.outcomes if probability > 0)


def replay(answers: Sequence[Answer]) -> Draw:
    """Answers in the order in which the questions come, and then always the first possible one.

    The function raises InputError for an answer that is not possible.

    >>> draw = replay([7])
    >>> draw(Question("path", "router", "default", ((1, Fraction(1)),)))
    Traceback (most recent call last):
    ...
    course.errors.InputError: 7 is no possible answer on router to: path for default. Possible: 1.
    """
    rest = iter(answers)

    def draw(question: Question) -> Answer:
        answer = next(rest, None)
        if answer is None:
            return first(question)
        if not question.allows(answer):
            possible = ", ".join(str(value) for value, chance in question.outcomes if chance > 0)
            raise InputError(
                answer, f"is no possible answer on {question.host} to: {question.kind} for "
                f"{question.about}.", f"Possible: {possible}.",
            )  # fmt: skip
        return answer

    return draw


def every(run: Callable[[Draw], T], most: int = 10_000) -> Iterator[Drawn[T]]:
    """All ways that chance can go, by running again with each answer; probabilities sum to one.

    `run` must do the same for the same answers. Raises InputError for more than `most` ways.
    """
    ways: list[tuple[Answer, ...]] = [()]
    for _ in range(most):
        if not ways:
            return
        given = ways.pop()
        drawn = _run(run, given)
        yield drawn
        # the answers that were not taken, from the last question to the first one not given
        for at in range(len(given), len(drawn.answers)):
            others = [
                value for value, chance in drawn.questions[at].outcomes
                if chance > 0 and value != drawn.answers[at]
            ]  # fmt: skip
            ways += ((*drawn.answers[:at], value) for value in reversed(others))
    if ways:
        raise InputError(most, "ways of chance are not all.", "Ask for more, or for one.")


def odds(probability: Fraction) -> str:
    """A probability in words; the 31 bits of the statistic match are rounded off.

    >>> odds(Fraction(715827883, 2147483648)), odds(Fraction(0))
    ('1 in 3', 'never')
    """
    rounded = probability.limit_denominator(1000)
    return f"{rounded.numerator} in {rounded.denominator}" if probability else "never"


def _run(run: Callable[[Draw], T], given: tuple[Answer, ...]) -> Drawn[T]:
    answer, questions, answers = replay(given), list[Question](), list[Answer]()

    def draw(question: Question) -> Answer:
        questions.append(question)
        answers.append(answer(question))
        return answers[-1]

    result = run(draw)
    probability = Fraction(1)
    for question, value in zip(questions, answers, strict=True):
        probability *= dict(question.outcomes)[value]
    return Drawn(tuple(questions), tuple(answers), probability, result)
