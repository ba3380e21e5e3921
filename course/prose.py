"""Numbers in prose, each marked with where it comes from, so that a test can hold them true.

A mark is a Markdown link whose target is not a page:

- `[1,581](fact:nodesubnet.example_50x30)`: a limit or default; it must agree with the fact.
- `[1,550](calc:50*31)`: computed; it must be what the expression gives.
- `[50 nodes](given:)`: made up by the lesson for its example.
- `[10.240.0.4](shown:observe-vm)`: what the cell of that id shows when the lesson runs; only a run
  can tell whether that is so.

>>> problems("A subnet of [256](calc:2**8) addresses loses [6](fact:azure.reserved_per_subnet).")
['6 is not what fact azure.reserved_per_subnet says: 5']
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from course.errors import InputError
from course.facts import Fact, all_facts, fact

_MARK = r"\[([^\]\[]+)\]\((fact|calc|given|shown):([^\s()]*(?:\([^\s()]*\)[^\s()]*)*)\)"
_NUMBER = r"(?<![\w.,/%#])(?<![A-Za-z_]-)(?!0\d)\d+(?:,\d{3})*(?:\.\d+)?"
# units whose values are written as they are, or not at all
_LITERAL = {"date", "month", "version", "error code", "cidr", "address"}
# after these a unit belongs to something else: "step 1 to the nodes"
_NO_ADJECTIVE = r"(?:to|the|of|in|on|at|and|is|are|for|from|with|by|every|each|how|what|an?)\b"
_YEAR = r"19[89]\d|20[0-3]\d"
_CODE = r"(?s)```.*?```|`(?!\d[\d,]*`)[^`\n]*`"  # a number alone in backticks is prose
_COUNT = "two three four five six seven eight nine ten eleven twelve"
_SPELLED = {word: number for number, word in enumerate(_COUNT.split(), 2)}
_EMPHASIS = r"[*_`]+|&nbsp;|<[^>\n]*>"
_NOT_PROSE = (
    r"(?s)<!--.*?-->"
    r"|\]\([^)\n]*\)|https?://\S+"  # link targets
    r"|\d{4}-\d{2}(?:-\d{2})?"  # dates
    r"|\d+(?:\.\d+){3}(?:/\d+)?"  # addresses and ranges
)


@dataclass(frozen=True)
class Mark:
    """One marked number: the text a reader sees, and what it claims to be."""

    text: str
    kind: str
    target: str

    def problem(self) -> str:
        """Why the mark is wrong, or an empty text."""
        if self.kind in ("given", "shown"):
            return ""
        try:
            if self.kind == "calc":
                if re.fullmatch(r"[\d,]+", self.target):
                    return f"{self.text}: nothing is computed in calc:{self.target}"
                found = _evaluate(self.target)
                says = f"is not {self.target}: that is {found:,}"
                return "" if _read_number(self.text) == found else f"{self.text} {says}"
            found_fact = fact(self.target)
        except (InputError, ArithmeticError, SyntaxError) as error:
            return f"{self.text}: {error}"
        values = [claim.value for claim in found_fact.claims]
        if not _spelled(self.text) <= _counted(f"{values} {found_fact.statement}"):
            return f"{self.text} counts what fact {found_fact.id} does not: {found_fact.statement}"
        if any(_agrees(self.text, value, found_fact.unit) for value in values):
            return ""
        told = " or ".join(str(value) for value in values)
        return f"{self.text} is not what fact {found_fact.id} says: {told}"


def marks(text: str) -> Iterator[Mark]:
    """Every mark of a text, in order; code has none.

    >>> [mark.target for mark in marks("[30](fact:nodesubnet.default_max_pods) pods")]
    ['nodesubnet.default_max_pods']
    """
    for found in re.finditer(_MARK, re.sub(_CODE, " ; ", text)):
        yield Mark(*found.groups())


def replace_marks(text: str, replace: Callable[[Mark], str]) -> str:
    """The text with each mark replaced."""
    return re.sub(_MARK, lambda found: replace(Mark(*found.groups())), text)


def problems(text: str) -> list[str]:
    """What is wrong with the numbers of a Markdown text: marks that are untrue, and numbers of 100
    or more, or followed by a fact's unit, that bear no mark.

    >>> problems("AKS allows 250 pods on a node.")
    ['250 pods bears no mark: ...AKS allows 250 pods on a node....']
    """
    wrong = [problem for mark in marks(text) if (problem := mark.problem())]
    prose = text
    for left_out, instead in (
        (_CODE, " ; "),
        (_MARK, " ; "),
        (_NOT_PROSE, " ; "),
        (_EMPHASIS, " "),
    ):
        prose = re.sub(left_out, instead, prose)
    for found in re.finditer(_NUMBER, prose):
        unit = _unit_after(prose[found.end() :])
        if unit or (_read_number(found[0]) >= 100 and not re.fullmatch(_YEAR, found[0])):
            near = " ".join(prose[max(0, found.start() - 30) : found.end() + 30].split())
            wrong.append(f"{found[0]}{unit} bears no mark: ...{near}...")
    return wrong


def facts_in(text: str) -> list[Fact]:
    """The facts that a text marks, each once, in order."""
    ids = dict.fromkeys(mark.target for mark in marks(text) if mark.kind == "fact")
    return [fact(fact_id) for fact_id in ids]


@cache
def _unit_words() -> re.Pattern[str]:
    """What facts count, in singular and plural: addresses, nodes, pods, ports, ..."""
    countable = {
        re.sub(r" per .*", "", each.unit)
        for each in all_facts().values()
        if any(isinstance(claim.value, int) for claim in each.claims)
    } - {"prefix length", "bool"}
    words = {re.sub(r"(?<=ss)es$|s$", "", unit) for unit in countable}
    between = rf"(?:(?!{_NO_ADJECTIVE})[a-z-]+ ){{0,2}}"
    unit = rf"((?:{'|'.join(sorted(words))})(?:es|s)?)"
    return re.compile(rf"(?i:(?:\s*\|\s*|[\s\u00a0-]+{between}){unit}\b)")


def _unit_after(text: str) -> str:
    found = _unit_words().match(text)
    return f" {found[1]}" if found else ""


def _read_number(text: str) -> float:
    found = re.search(r"\d+(?:,\d{3})*(?:\.\d+)?", text)
    if not found:
        raise InputError(text, "has no number in it.", "Mark a number.")
    return float(found[0].replace(",", ""))


def _agrees(text: str, value: Any, unit: str) -> bool:
    numbers = [_read_number(found) for found in re.findall(r"\d[\d,.]*", text)]
    if isinstance(value, int) and not isinstance(value, bool):
        return bool(numbers) and all(found == value for found in numbers)
    if not numbers and unit not in _LITERAL:
        return True  # words cite a fact that is no number
    said = text.strip("` ").lower()
    return said == str(value).lower() or said == _spoken_date(str(value)).lower()


def _spelled(text: str) -> set[int]:
    """The numbers that a text spells out: five seconds, two failures."""
    return {_SPELLED[word] for word in re.findall(r"[a-z]+", text.lower()) if word in _SPELLED}


def _counted(text: str) -> set[int]:
    """All whole numbers of a text, spelled out or in digits."""
    return _spelled(text) | {int(found) for found in re.findall(r"\d+", text.replace(",", ""))}


def _spoken_date(text: str) -> str:
    """A date as prose says it: 31 March 2028."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return text
    return f"{day.day} {day:%B %Y}"


_OPERATORS: dict[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
}


def _evaluate(expression: str) -> float:
    """Arithmetic with whole numbers and + - * / // **; nothing else."""

    def value(node: ast.expr) -> float:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](value(node.left), value(node.right))
        raise InputError(expression, "is not plain arithmetic.", "Use numbers and + - * / // **.")

    return value(ast.parse(expression, mode="eval").body)
