"""Numbers in prose, each marked with where it comes from, so that a test can hold them true.

A mark is a Markdown link whose target is not a page:

- `[1,581](fact:nodesubnet.example_50x30)`: a limit or default; it must agree with the fact.
- `[1,550](calc:50*31)`: computed; it must be what the expression gives.
- `[50 nodes](given:)`: made up by the lesson for its example.

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

_MARK = re.compile(r"\[([^\]\[]+)\]\((fact|calc|given):([^\s()]*(?:\([^\s()]*\)[^\s()]*)*)\)")
_NUMBER = re.compile(r"(?<![\w.,/:%#-])\d+(?:,\d{3})*(?:\.\d+)?")
_YEAR = re.compile(r"19[89]\d|20[0-3]\d")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_NOT_PROSE = re.compile(
    r"<!--.*?-->|<[^>\n]*>"  # HTML tags; what they enclose is prose
    r"|\]\([^)\n]*\)|https?://\S+"  # link targets
    r"|\d{4}-\d{2}(?:-\d{2})?"  # dates
    r"|\d+(?:\.\d+){3}(?:/\d+)?",  # addresses and ranges
    re.DOTALL,
)


@dataclass(frozen=True)
class Mark:
    """One marked number: the text a reader sees, and what it claims to be."""

    text: str
    kind: str
    target: str

    def problem(self) -> str:
        """Why the mark is wrong, or an empty text."""
        if self.kind == "given":
            return ""
        try:
            if self.kind == "calc":
                found = _evaluate(self.target)
                says = f"is not {self.target}: that is {found:,}"
                return "" if _read_number(self.text) == found else f"{self.text} {says}"
            found_fact = fact(self.target)
        except (InputError, ArithmeticError, SyntaxError) as error:
            return f"{self.text}: {error}"
        values = [claim.value for claim in found_fact.claims]
        if any(_agrees(self.text, value) for value in values):
            return ""
        told = " or ".join(str(value) for value in values)
        return f"{self.text} is not what fact {found_fact.id} says: {told}"


def marks(text: str) -> Iterator[Mark]:
    """Every mark of a text, in order; code has none.

    >>> [mark.target for mark in marks("[30](fact:nodesubnet.default_max_pods) pods")]
    ['nodesubnet.default_max_pods']
    """
    for found in _MARK.finditer(_CODE.sub(" ; ", text)):
        yield Mark(*found.groups())


def replace_marks(text: str, replace: Callable[[Mark], str]) -> str:
    """The text with each mark replaced."""
    return _MARK.sub(lambda found: replace(Mark(*found.groups())), text)


def problems(text: str) -> list[str]:
    """What is wrong with the numbers of a Markdown text: marks that are untrue, and numbers of 100
    or more, or followed by a fact's unit, that bear no mark.

    >>> problems("AKS allows 250 pods on a node.")
    ['250 pods bears no mark: ...AKS allows 250 pods on a node....']
    """
    wrong = [problem for mark in marks(text) if (problem := mark.problem())]
    prose = _NOT_PROSE.sub(" ; ", _MARK.sub(" ; ", _CODE.sub(" ; ", text)))
    for found in _NUMBER.finditer(prose):
        unit = _unit_after(prose[found.end() :])
        if unit or (_read_number(found[0]) >= 100 and not _YEAR.fullmatch(found[0])):
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
    return re.compile(rf"[\s\u00a0-]+(?:[A-Za-z-]+ )?((?:{'|'.join(sorted(words))})(?:es|s)?)\b")


def _unit_after(text: str) -> str:
    found = _unit_words().match(text)
    return f" {found[1]}" if found else ""


def _read_number(text: str) -> float:
    found = re.search(r"\d+(?:,\d{3})*(?:\.\d+)?", text)
    if not found:
        raise InputError(text, "has no number in it.", "Mark a number.")
    return float(found[0].replace(",", ""))


def _agrees(text: str, value: Any) -> bool:
    has_number = bool(re.search(r"\d", text))
    if isinstance(value, int) and not isinstance(value, bool):
        return has_number and _read_number(text) == value
    if not has_number:
        return True  # words cite a fact that is no number
    said = text.strip("` ").lower()
    return said == str(value).lower() or said == _spoken_date(str(value)).lower()


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
