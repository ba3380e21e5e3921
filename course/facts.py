"""Every limit and default of AKS that the course states, with where it was read and when.

A fact has one claim, or several where the vendor's own pages disagree. A lesson, a calculator or
a test that needs a limit asks for it here; nobody types 1,581 twice.

>>> number("azure.reserved_per_subnet")
5
>>> print(fact("azure.reserved_per_subnet").claims[0].as_of)
2026-07-31
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from course.errors import InputError

CONFIDENCE = {
    "documented": "stated by the vendor",
    "derived": "follows from a documented rule",
    "field_report": "from an issue or a maintainer's comment",
    "conflict": "the vendor's own pages disagree",
}


@dataclass(frozen=True)
class Claim:
    """What one page, or several that agree, says: a value, its sources and their date.

    `as_of` is the page's own date, as exact as it is known: "2026-04-16", "2025", "unknown".
    A source is a link, with a detail in words after it where that helps.
    """

    value: Any
    sources: tuple[str, ...]
    as_of: str
    note: str = ""

    def amount(self, unit: str) -> str:
        """The value as one says it.

        >>> fact("azure.vnet_private_ips").claims[0].amount("addresses")
        '65,536 addresses'
        """
        if isinstance(self.value, bool):
            return "yes" if self.value else "no"
        if isinstance(self.value, int):
            return f"{self.value:,} {_singular(unit) if self.value == 1 else unit}"
        if isinstance(self.value, list):
            return ", ".join(map(str, self.value))
        if isinstance(self.value, dict):
            return "; ".join(f"{key}: {value}" for key, value in self.value.items())
        return str(self.value)

    @property
    def read_no_later_than(self) -> date:
        """The earliest day that `as_of` can mean: what is known less exactly counts as older."""
        if self.as_of == "unknown":
            return date.min
        year, month, day = (*(int(part) for part in self.as_of.split("-")), 1, 1)[:3]
        return date(year, month, day)


@dataclass(frozen=True)
class Fact:
    """A limit, default, rule or date of AKS or Azure. `unit` says what the value counts."""

    id: str
    unit: str
    statement: str
    confidence: str
    claims: tuple[Claim, ...]
    note: str = ""
    see: str = ""

    @property
    def value(self) -> Any:
        """The value, where the sources agree on one.

        Raises InputError where they do not: then a calculator must make it an input.
        """
        if len(self.claims) == 1:
            return self.claims[0].value
        told = ", ".join(f"{claim.value} ({claim.as_of})" for claim in self.claims)
        raise InputError(
            self.id, f"has no single value: the vendor's pages say {told}.", "Choose a claim."
        )

    @property
    def as_of(self) -> date:
        """The date of its oldest claim."""
        return min(claim.read_no_later_than for claim in self.claims)

    def cite(self) -> str:
        """The fact as text: statement, values, sources with their dates, confidence, note.

        >>> print(fact("azure.subnet_smallest_prefix").cite().splitlines()[0])
        The smallest IPv4 subnet Azure accepts is a /29 (3 usable addresses).
        """
        lines = [self.statement]
        for claim in self.claims:
            dated = f"as of {claim.as_of}" + (f"; {claim.note}" if claim.note else "")
            lines.append(f"  {claim.amount(self.unit)} ({dated})")
            lines += [f"    {source}" for source in claim.sources]
        lines.append(f"  Confidence: {self.confidence}, {CONFIDENCE[self.confidence]}.")
        if self.note:
            lines.append(f"  Note: {self.note}")
        if self.see:
            lines.append(f"  See also: {self.see}")
        return "\n".join(lines)


def fact(fact_id: str) -> Fact:
    """The fact with this id.

    Raises InputError for an unknown id, and suggests near ones.

    >>> fact("kubenet.max_node")
    Traceback (most recent call last):
    ...
    course.errors.InputError: 'kubenet.max_node' is no fact of this course. Did you mean \
kubenet.max_nodes, ...?
    """
    try:
        return all_facts()[fact_id]
    except KeyError:
        raise InputError(fact_id, "is no fact of this course.", _near(fact_id)) from None


@cache  # a planner asks for the same few dozen at each keystroke
def number(fact_id: str) -> int:
    """The value of a fact that is a whole number.

    Raises InputError for an unknown id, several values, or a value of another kind.
    """
    value = fact(fact_id).value
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise InputError(fact_id, f"is not a number: {value!r}.", f"Ask for fact({fact_id!r}).value.")


@cache
def all_facts() -> Mapping[str, Fact]:
    """Every fact by its id, in the order of the file."""
    tables = tomllib.loads((Path(__file__).parent / "facts.toml").read_text("utf-8"))
    return MappingProxyType(
        {
            f"{group}.{name}": _fact(f"{group}.{name}", entry)
            for group, entries in tables.items()
            for name, entry in entries.items()
        }
    )


def by_age() -> list[Fact]:
    """All facts, the oldest first: these are the ones to read again at their source."""
    return sorted(all_facts().values(), key=lambda each: (each.as_of, each.id))


def age_report(today: date) -> str:
    """Every fact with its age on a day, the oldest first, as text: age, date, id, value.

    >>> print(age_report(date(2026, 11, 20)).splitlines()[0].split())
    ['age', 'in', 'days', 'as', 'of', 'fact']
    """
    lines = [f"{'age in days':>11}  {'as of':<10}  fact"]
    for each in by_age():
        oldest = min(each.claims, key=lambda claim: claim.read_no_later_than)
        age = "?" if oldest.as_of == "unknown" else (today - each.as_of).days
        lines.append(f"{age:>11}  {oldest.as_of:<10}  {each.id}")
    return "\n".join(lines)


def _fact(fact_id: str, entry: dict[str, Any]) -> Fact:
    claims = entry.get("claims", [entry])
    return Fact(
        id=fact_id,
        unit=entry["unit"],
        statement=entry["statement"],
        confidence=entry["confidence"],
        claims=tuple(_claim(claim) for claim in claims),
        note=entry.get("note", ""),
        see=entry.get("see", ""),
    )


def _claim(entry: dict[str, Any]) -> Claim:
    note = entry.get("says", "") or entry.get("as_of_note", "")
    return Claim(entry["value"], tuple(entry["sources"]), entry["as_of"], note)


def _singular(unit: str) -> str:
    """One of what a unit counts: one address, one node."""
    return unit.removesuffix("es") if unit.endswith("sses") else unit.removesuffix("s")


def _near(fact_id: str) -> str:
    from difflib import get_close_matches  # only needed when something is wrong

    near = get_close_matches(str(fact_id), all_facts(), n=3, cutoff=0.5)
    if near:
        return f"Did you mean {', '.join(near)}?"
    return "`python -m course facts` lists them all."
