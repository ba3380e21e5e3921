"""Questions and predictions as data, and how an answer is judged.

A question stands in `question_bank/NN.toml`; the notebook only names it, so that nobody reads the
answer before committing to one. Every option says why it is right or wrong, every likely wrong
number is a known misunderstanding, and "not attempted" is not "wrong".

>>> judge(question("00.taste"), None).outcome
<Outcome.NOT_ATTEMPTED: 'not attempted'>
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from course.errors import InputError

BANK = Path(__file__).parent / "question_bank"


class Outcome(Enum):
    """What became of an answer."""

    NOT_ATTEMPTED = "not attempted"
    WRONG = "wrong"
    RIGHT = "right"


@dataclass(frozen=True)
class Option:
    """One option of a choice, with why it is right or wrong."""

    text: str
    why: str
    right: bool = False


@dataclass(frozen=True)
class Choice:
    """Choose one option or, where several are right, all that are. An answer is a list of texts."""

    id: str
    prompt: str
    options: tuple[Option, ...]
    hints: tuple[str, ...] = ()

    @property
    def several(self) -> bool:
        """Whether more than one option is right."""
        return sum(option.right for option in self.options) > 1

    @property
    def solution(self) -> list[str]:
        """The options to choose."""
        return [option.text for option in self.options if option.right]

    @property
    def shuffled(self) -> list[Option]:
        """The options in an order that gives nothing away and is always the same."""
        return sorted(self.options, key=lambda option: _scrambled(self.id + option.text))


@dataclass(frozen=True)
class Number:
    """Give a number. `mistakes` tells what lies behind a wrong number that people often give."""

    id: str
    prompt: str
    answer: int
    unit: str
    right: str
    wrong: str
    mistakes: Mapping[int, str]
    hints: tuple[str, ...] = ()

    @property
    def solution(self) -> int:
        """The number to give."""
        return self.answer


@dataclass(frozen=True)
class Ordering:
    """Put items in order. `items` are in the right order here; a view shows them shuffled."""

    id: str
    prompt: str
    items: tuple[str, ...]
    right: str
    wrong: str
    hints: tuple[str, ...] = ()

    @property
    def solution(self) -> list[str]:
        """The items in order."""
        return list(self.items)

    @property
    def shuffled(self) -> list[str]:
        """The items by the alphabet: an order that gives nothing away and is always the same."""
        by_name = sorted(self.items, key=str.lower)
        return by_name if by_name != list(self.items) else by_name[::-1]


Question = Choice | Number | Ordering
Answer = Sequence[str] | int | None


@dataclass(frozen=True)
class Judgement:
    """What became of an answer, and why, one text for each thing there is to say."""

    outcome: Outcome
    feedback: tuple[str, ...]


def question(question_id: str) -> Question:
    """The question with this id, like "05.taken".

    Raises InputError for an id that no question has.
    """
    lesson = question_id.partition(".")[0]
    try:
        return _bank(lesson)[question_id]
    except KeyError:
        known = ", ".join(question_ids(lesson)) or "none"
        raise InputError(question_id, "is no question.", f"In lesson {lesson}: {known}.") from None


def texts_of(lesson: str) -> list[str]:
    """All that a learner may read of a lesson's questions."""
    return [text for asked in _bank(lesson).values() for text in texts(asked)]


def texts(asked: Question) -> list[str]:
    """All that a learner may read of a question."""
    found = [asked.prompt, *asked.hints]
    if isinstance(asked, Choice):
        return found + [text for option in asked.options for text in (option.text, option.why)]
    if isinstance(asked, Number):
        found += asked.mistakes.values()
    return [*found, asked.right, asked.wrong]


def question_ids(lesson: str) -> list[str]:
    """The ids of a lesson's questions, in the order of its file."""
    return list(_bank(lesson))


def express_ids(lesson: str) -> list[str]:
    """The ids of the questions that tell whether a learner may skip the lesson.

    >>> express_ids("00")
    []
    """
    return [each for each in question_ids(lesson) if each.startswith(f"{lesson}.express-")]


def judge(asked: Question, answer: Answer) -> Judgement:
    """Judge an answer: None or nothing chosen is "not attempted".

    Raises InputError for an answer that is not one of this question, like an unknown option.

    >>> judge(question("00.taste"), 1500).outcome
    <Outcome.WRONG: 'wrong'>
    """
    if answer is None or answer == [] or answer == ():
        return Judgement(Outcome.NOT_ATTEMPTED, ("Commit to an answer first. A guess will do.",))
    if isinstance(asked, Number) and isinstance(answer, int):
        return _judge_number(asked, answer)
    if isinstance(asked, Choice) and not isinstance(answer, int | str):
        return _judge_choice(asked, answer)
    if isinstance(asked, Ordering) and not isinstance(answer, int | str):
        return _judge_ordering(asked, answer)
    raise InputError(answer, f"does not answer {asked.id}.", "Give what the question asks for.")


def read_number(text: str) -> int | None:
    """A number as people write it: "1581", "1,581", "1 581", "/24"; None for an empty text.

    Raises InputError for anything else.

    >>> read_number("1,581")
    1581
    """
    bare = text.strip().removeprefix("/")
    if not bare:
        return None
    if len(bare) < 30 and re.fullmatch(r"-?[0-9]{1,3}([, _\u00a0]?[0-9]{3})*", bare):
        return int(re.sub(r"[^0-9-]", "", bare))
    raise InputError(text[:40], "is not a whole number.", "Write digits only, like 1234.")


def _scrambled(text: str) -> bytes:
    return sha256(text.encode("utf-8")).digest()


def _judge_number(asked: Number, answer: int) -> Judgement:
    if answer == asked.answer:
        return Judgement(Outcome.RIGHT, (asked.right,))
    return Judgement(Outcome.WRONG, (asked.mistakes.get(answer, asked.wrong),))


def _judge_choice(asked: Choice, answer: Sequence[str]) -> Judgement:
    options = {option.text: option for option in asked.options}
    for text in answer:
        if text not in options:
            raise InputError(text, f"is no option of {asked.id}.", "Choose one of its options.")
    chosen = [option for option in asked.options if option.text in answer]
    feedback = [f"“{option.text}” {option.why}" for option in chosen]
    if {option.text for option in chosen} == set(asked.solution):
        return Judgement(Outcome.RIGHT, tuple(feedback))
    if all(option.right for option in chosen):
        feedback.append("There is more to choose.")
    return Judgement(Outcome.WRONG, tuple(feedback))


def _judge_ordering(asked: Ordering, answer: Sequence[str]) -> Judgement:
    if sorted(answer) != sorted(asked.items):
        raise InputError(list(answer), "is not every item once.", "Give each its own place.")
    if list(answer) == asked.solution:
        return Judgement(Outcome.RIGHT, (asked.right,))
    places = zip(answer, asked.items, strict=True)
    first_wrong = next(place for place, (given, due) in enumerate(places, 1) if given != due)
    before = "The first is out of place." if first_wrong == 1 else (
        f"The first {first_wrong - 1} are right." if first_wrong > 2 else "The first is right."
    )  # fmt: skip
    return Judgement(Outcome.WRONG, (before, asked.wrong))


@cache
def _bank(lesson: str) -> dict[str, Question]:
    file = BANK / f"{lesson}.toml"
    if not file.exists():
        return {}
    entries = tomllib.loads(file.read_text("utf-8"))
    return {f"{lesson}.{name}": _read(f"{lesson}.{name}", entry) for name, entry in entries.items()}


def _read(question_id: str, entry: dict[str, Any]) -> Question:
    kind = entry.pop("kind")
    entry |= {"id": question_id, "hints": tuple(entry.get("hints", ()))}
    if kind == "choice":
        entry["options"] = tuple(Option(**option) for option in entry["options"])
        return Choice(**entry)
    if kind == "number":
        entry["mistakes"] = {each["value"]: each["why"] for each in entry.get("mistakes", ())}
        return Number(**entry)
    if kind == "ordering":
        entry["items"] = tuple(entry["items"])
        return Ordering(**entry)
    raise InputError(kind, f"is no kind of question ({question_id}).", "See course/questions.py.")
