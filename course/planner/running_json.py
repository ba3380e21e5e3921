"""What engineers paste: JSON of az and kubectl, told apart by its shape and read without trust.

az prints some fields in two spellings (vnetSubnetID, vnetSubnetId), and answers that come from the
service itself wrap most of them in "properties"; so names are read in lower case, and the wrapping
is taken off. Nothing here is kept: what was pasted may hold secrets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from course.design import MOST
from course.errors import InputError
from course.planner.texts import decoded

# five thousand nodes, each with the list of images that it holds, are about that long
MOST_CHARACTERS = 100 * 2**20
_HOW = "Copy all of what the command prints with --output json, from its first bracket to its last."
_NEXT_VALUE = re.compile(r"\s*[\[{]")
# az may print warnings before its answer: a value begins where a line does
_FIRST_ON_A_LINE = re.compile(r"^[\[{]", re.MULTILINE)
_LISTS = ("items", "value")  # of kubectl, of the service itself


@dataclass(frozen=True)
class Fields:
    """A JSON object of which nothing is certain: what is absent or of another type reads as empty.

    >>> node = Fields({"status": {"capacity": {"pods": "110"}, "addresses": None}})
    >>> node.whole("status", "capacity", "pods"), node.each("status", "addresses")
    (110, [])
    """

    values: Mapping[str, Any] = field(repr=False)  # not shown, as it may hold secrets

    def at(self, *path: str) -> object:
        """The value at this path, None where there is none."""
        value: object = self.values
        for name in path:
            if not isinstance(value, Mapping):
                return None
            value = value.get(name)
        return value

    def text(self, *path: str) -> str:
        """The text at this path, else ""."""
        value = self.at(*path)
        return value if isinstance(value, str) else ""

    def whole(self, *path: str) -> int | None:
        """The whole number at this path, also one written as text; None where there is none."""
        value = self.at(*path)
        if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value):
            return int(value)
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return value if is_whole and 0 <= value <= MOST else None  # type: ignore[operator, return-value]

    def texts(self, *path: str) -> list[str]:
        """The texts in the list at this path."""
        return [value for value in self._list(*path) if isinstance(value, str)]

    def each(self, *path: str) -> list[Fields]:
        """The objects in the list at this path."""
        return [unwrapped(value) for value in self._list(*path) if isinstance(value, dict)]

    def _list(self, *path: str) -> list[Any]:
        value = self.at(*path)
        return value if isinstance(value, list) else []


@dataclass(frozen=True)
class Documents:
    """What was pasted, by kind. `unknown` counts what is of no kind that the planner reads."""

    clusters: tuple[Fields, ...]
    pools: tuple[Fields, ...]
    networks: tuple[Fields, ...]
    nodes: tuple[Fields, ...]
    unknown: int


def documents(texts: Sequence[str | bytes]) -> Documents:
    """Tell apart what was pasted or uploaded; each text may hold several answers in a row.

    Of what is there twice, the fuller one counts. Raises InputError for what is no JSON, and where
    nothing in it is of a kind that the planner reads. An error never shows what was pasted.

    >>> len(documents(['[{"kind": "Node", "metadata": {"name": "aks-0"}}]']).nodes)
    1
    """
    found: dict[str, list[Fields]] = {"cluster": [], "pool": [], "network": [], "node": [], "": []}
    for number, text in enumerate(texts, start=1):
        for value in _values(_decoded(text, f"text {number}"), f"text {number}"):
            for fields in _objects(value):
                found[_kind(fields)].append(fields)
    unknown = len(found.pop(""))
    if not any(found.values()):
        raise InputError(
            "the text", "holds nothing that the planner reads.",
            "Give what az aks show, az aks nodepool list, az network vnet show or kubectl get "
            "nodes print as JSON.",
        )  # fmt: skip
    clusters, pools, networks, nodes = (_without_repeats(each) for each in found.values())
    return Documents(clusters, pools, networks, nodes, unknown)


def unwrapped(value: Mapping[str, Any]) -> Fields:
    """An object with the content of its "properties" beside its other fields."""
    inner = value.get("properties")
    return Fields({**inner, **value} if isinstance(inner, dict) else value)


def id_part(resource_id: str, kind: str) -> str:
    """What stands after this word in the id of an Azure resource, else "".

    >>> id_part("/subscriptions/x/resourceGroups/rg/providers/y", "resourcegroups")
    'rg'
    """
    parts = resource_id.split("/")
    lower = [part.lower() for part in parts[:-1]]
    return parts[lower.index(kind) + 1] if kind in lower else ""


def _decoded(given: object, where: str) -> str:
    text = decoded(given, where)
    if len(text) > MOST_CHARACTERS:
        raise InputError(
            where, f"is longer than {MOST_CHARACTERS:,} characters.", "Give one cluster's answers."
        )
    return text.lstrip()


def _values(text: str, where: str) -> Iterator[object]:
    """The JSON values that follow each other in a text."""
    end = 0
    while begin := _NEXT_VALUE.match(text, end) or _FIRST_ON_A_LINE.search(text, end):
        try:
            value, end = _DECODER.raw_decode(text, begin.end() - 1)
        except json.JSONDecodeError as error:
            place = f"line {error.lineno}, column {error.colno}"
            raise InputError(where, f"is no complete JSON: see {place}.", _HOW) from None
        yield value
    if end == 0:
        raise InputError(where, "holds no JSON.", _HOW)


def _lower_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name.lower(): value for name, value in pairs}


def _short_int(digits: str) -> int | str:
    # no number of a cluster is longer, and Python itself refuses to read very long ones
    return int(digits) if len(digits) < 20 else digits


_DECODER = json.JSONDecoder(
    object_pairs_hook=_lower_names, parse_int=_short_int, parse_constant=lambda name: None
)


def _objects(value: object) -> Iterator[Fields]:
    """The objects in a value, those in lists each on its own."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            lists = [each[name] for name in _LISTS if isinstance(each.get(name), list)]
            if lists:
                waiting += lists
            else:
                yield unwrapped(each)
        elif isinstance(each, list):
            waiting += each


def _kind(fields: Fields) -> str:
    resource = fields.text("type").lower()
    if resource.endswith("/managedclusters") or fields.each("agentpoolprofiles"):
        return "cluster"
    if resource.endswith("/agentpools") or (fields.at("ostype") and fields.at("maxpods")):
        return "pool"
    if resource.endswith("/virtualnetworks") or fields.at("addressspace", "addressprefixes"):
        return "network"
    return "node" if fields.text("kind") == "Node" else ""


def _without_repeats(found: Sequence[Fields]) -> tuple[Fields, ...]:
    """Each thing once, in an order that does not depend on that of the texts."""
    groups: dict[str, list[Fields]] = {}
    for fields in found:
        groups.setdefault(_identity(fields), []).append(fields)
    return tuple(_fullest(groups[identity]) for identity in sorted(groups))


def _identity(fields: Fields) -> str:
    return (fields.text("id") or fields.text("name") or fields.text("metadata", "name")).lower()


def _fullest(group: Sequence[Fields]) -> Fields:
    if len(group) == 1:
        return group[0]
    # of two equally long ones either may be meant; let it be the same one each time
    return max(group, key=lambda fields: (len(repr(fields.values)), repr(fields.values)))
