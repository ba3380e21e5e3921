"""The words of Azure that an export may write: commands with flags, resources with properties.

They stand in azure_terms.toml, each with the page that documents it. Every export passes here on
its way out, so that nothing that is not documented can be written.

>>> sorted(command("az group create").flags)
['--location', '--name']
>>> resource("Microsoft.Network/virtualNetworks").api_version
'2026-03-01'
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from course.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class Term:
    """A flag or property. `values` are all words it may have; () if it may have any. `least` and
    `most` bound a number. `needs` and `never_with` name others that must, or must not, be there.
    """

    name: str
    type: str
    source: str
    as_of: str
    checked: str
    required: bool = False
    values: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    needs: tuple[str, ...] = ()
    never_with: tuple[str, ...] = ()


@dataclass(frozen=True)
class Command:
    """An az command and its flags."""

    name: str
    source: str
    as_of: str
    flags: Mapping[str, Term]

    def check(self, flags: Mapping[str, object]) -> None:
        """Raises InputError unless the flags and their values are documented and complete."""
        _check(self.name, self.flags, list(flags.items()))


@dataclass(frozen=True)
class Resource:
    """A resource type of Bicep and its properties, by path: "properties.subnets[].name"."""

    type: str
    api_version: str
    source: str
    as_of: str
    properties: Mapping[str, Term]

    def check(self, body: Mapping[str, object]) -> None:
        """Raises InputError unless the properties and values are documented and complete."""
        _check(self.type, self.properties, list(self.paths(body)))

    def paths(self, value: object, path: str = "") -> Iterator[tuple[str, object]]:
        """Every property of a body with its path. What the table has as one is one, such as a list
        of ranges."""
        if path in self.properties or not isinstance(value, Mapping | list):
            yield path, value
        elif isinstance(value, list):
            for item in value:
                yield from self.paths(item, f"{path}[]")
        else:
            for name, item in value.items():
                yield from self.paths(item, f"{path}.{name}" if path else name)


def command(name: str) -> Command:
    """The az command with this name. Raises InputError for one that is not in the table."""
    return _known(name, _table().commands, "command")


def resource(type_name: str) -> Resource:
    """The resource type with this name. Raises InputError for one that is not in the table."""
    return _known(type_name, _table().resources, "resource type")


def role_id(name: str) -> str:
    """The id of a built-in role, the same in every subscription.

    >>> role_id("Network Contributor")
    '4d97b98b-1d4f-4787-a291-c67834d212e7'
    """
    return _known(name, _table().roles, "role")


def checked() -> Mapping[str, str]:
    """The programs and libraries in which the words were found, with their versions."""
    return _table().checked


class _Table(NamedTuple):
    commands: Mapping[str, Command]
    resources: Mapping[str, Resource]
    roles: Mapping[str, str]
    checked: Mapping[str, str]


@cache
def _table() -> _Table:
    table = tomllib.loads((Path(__file__).parent / "azure_terms.toml").read_text("utf-8"))
    commands = (
        Command(each["name"], each["source"], each["as_of"], _terms(each, each["flags"]))
        for each in table["command"]
    )
    resources = (
        Resource(
            each["type"], each["api_version"], each["source"], each["as_of"],
            _terms(each, each["properties"]),
        )
        for each in table["resource"]
    )  # fmt: skip
    return _Table(
        {each.name: each for each in commands},
        {each.type: each for each in resources},
        {name: each["id"] for name, each in table["roles"].items()},
        table["checked"],
    )


def _terms(owner: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Term]:
    """The flags or properties of a command or resource, from which they take source and date."""
    return {name: _term(name, {**_origin(owner), **entry}) for name, entry in entries.items()}


def _origin(owner: Mapping[str, Any]) -> dict[str, Any]:
    return {name: owner[name] for name in ("source", "as_of", "checked")}


def _term(name: str, entry: Mapping[str, Any]) -> Term:
    least, most = entry.get("range", (None, None))
    return Term(
        name, entry.get("type", "text"), entry["source"], entry["as_of"], entry["checked"],
        entry.get("required", False), tuple(entry.get("values", ())), least, most,
        tuple(entry.get("needs", ())), tuple(entry.get("never_with", ())),
    )  # fmt: skip


def _known(name: str, table: Mapping[str, T], kind: str) -> T:
    if name in table:
        return table[name]
    raise InputError(name, f"is no {kind} that the planner writes.", _WAY_OUT)


def _check(owner: str, terms: Mapping[str, Term], given: list[tuple[str, object]]) -> None:
    names = {name for name, _ in given}
    for name, value in given:
        term = _known(name, terms, f"word of {owner}")
        for word in value if isinstance(value, list | tuple) else [value]:
            if term.values and word not in term.values:
                raise InputError(word, f"is no value of {name} of {owner}.", _WAY_OUT)
        for other in term.needs:
            if other not in names:
                raise InputError(name, f"of {owner} needs {other}.", "Give both, or none.")
    for term in terms.values():
        if term.required and term.name not in names and _has_parent(term.name, names):
            raise InputError(owner, f"needs {term.name}.", "Give it.")


def _has_parent(path: str, names: set[str]) -> bool:
    """Whether the list that a property's owner stands in is there at all."""
    parent, in_list, _ = path.rpartition("[]")
    return not in_list or any(name.startswith(f"{parent}[]") for name in names)


_WAY_OUT = "If Azure documents it, add it to azure_terms.toml with its source."
