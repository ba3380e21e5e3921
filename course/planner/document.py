"""A design as a JSON file: to keep under version control, to load again, to check in CI.

What a file leaves out has its default; what it names must be known, since a field with a slip in
its name would silently plan another cluster. A file without `today` is judged on the day on which
it is read.

>>> read('{"pools": [{"name": "system", "nodes": 50}]}').pools[0].nodes
50
>>> read('{"service_range": "10.0.0.1/16"}')
Traceback (most recent call last):
...
course.planner.document.DocumentError: service_range: '10.0.0.1/16' has bits set after its length, \
/16: it names an address inside a range. The range that holds it is 10.0.0.0/16.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import date
from difflib import get_close_matches
from typing import Any

from netaddr import IPAddress, IPNetwork

from course.addresses import canonical, parse_address, parse_range
from course.design import Choices, Design, NamedRange, Outbound, Pool, Services, Subnet
from course.errors import InputError
from course.planner.texts import decoded

MOST_CHARACTERS = 1_000_000  # a plan of a hundred pools has some thirty thousand
# more than AKS and Azure allow or anybody tells apart; each is compared with many others
MOST_POOLS = 200
MOST_SUBNETS = 500
MOST_NETWORKS = 500
MOST_RANGES = 100
MOST_PROBLEMS = 20  # nobody reads more at once
LONGEST_VALUE = 120
LONGEST_NAME = 40
LONGEST_MESSAGE = 500

Reader = Callable[[Any, str], Any]


class DocumentError(InputError):
    """Everything that is wrong with a plan, each with the place in it: "pools[0].nodes"."""

    def __init__(self, problems: tuple[tuple[str, str], ...]) -> None:
        self.problems = problems
        super().__init__("the plan", "cannot be read.", "Mend what is named.")
        self.args = ("\n".join(f"{path}: {message}" for path, message in problems),)


class _Problems(Exception):  # noqa: N818  carries what is wrong from within to read()
    def __init__(self, found: list[tuple[str, str]]) -> None:
        self.found = found
        super().__init__(found)


def read(given: str | bytes) -> Design:
    """The design that a JSON text describes; a file may be given as its bytes.

    Raises DocumentError, which names every place where something is wrong and why.

    >>> read(b'{"pools": [{"nodes": null}]}')
    Traceback (most recent call last):
    ...
    course.planner.document.DocumentError: pools[0].nodes: null is not a whole number. Write a \
whole number.
    """
    found = _outcome(given)
    # raised here, where no error on the way holds what was given: it may not be a plan at all
    if isinstance(found, DocumentError):
        del given
        raise found
    return found


def _outcome(given: str | bytes) -> Design | DocumentError:
    try:
        design: Design = _design(_json(given), "")
    except _Problems as problems:
        found = problems.found
    else:
        return design
    if len(found) > MOST_PROBLEMS:
        found = [*found[:MOST_PROBLEMS], ("plan", "There is more, told once these are mended.")]
    return DocumentError(tuple(found))


def write(design: Design) -> str:
    """The design as JSON, which `read` reads again. The day is left out if it is today.

    >>> read(write(Design(name="prod"))) == Design(name="prod")
    True
    """
    document = _plain(design)
    if design.today == date.today():
        del document["today"]
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


# ---- reading ----


def _json(given: str | bytes) -> Any:
    try:
        text = decoded(given, "the file")
    except InputError as error:
        raise _problem("plan", str(error)) from None
    if not text.strip():
        raise _problem("plan", "It is empty. Give the JSON that the planner wrote.")
    if len(text) > MOST_CHARACTERS:
        raise _problem("plan", f"It is longer than {MOST_CHARACTERS:,} characters. Is it a plan?")
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once_each)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _problem(where, f"This is no JSON: {error.msg}.") from None
    except (RecursionError, ValueError):  # too deep, or a number of thousands of digits
        raise _problem("plan", "It is no JSON of a plan. Mend it, or write it anew.") from None


def _no_constant(name: str) -> Any:
    raise _problem("plan", f"{name} is no number that JSON knows. Give a whole number.")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise _problem(_shown_name(twice), f"{_shown(twice)} is given twice. Give it once.")
    return found


def _problem(path: str, message: str) -> _Problems:
    # what a message quotes is no text of ours: it must not move the cursor or forge a line
    return _Problems([(path or "plan", _cut(_printable(message), LONGEST_MESSAGE))])


def _shown(value: object) -> str:
    """A value in a message, in the words of JSON."""
    if isinstance(value, dict | list):
        return "{...}" if isinstance(value, dict) else "[...]"
    if isinstance(value, str):
        return repr(_cut(value, LONGEST_VALUE))
    return _cut(json.dumps(value), LONGEST_VALUE)


def _shown_name(name: str) -> str:
    """The name of a field in a path."""
    return _printable(_cut(name, LONGEST_NAME))


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _printable(text: str) -> str:
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def _record(kind: Callable[..., Any], readers: Mapping[str, Reader]) -> Reader:
    """How to read an object of a kind: each field by its reader, all problems gathered."""

    def read_it(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            raise _problem(path, f'{_shown(value)} is no object. Write {{"name": ...}}.')
        values: dict[str, Any] = {}
        wrong: list[tuple[str, str]] = []
        for name, each in value.items():
            here = f"{path}.{_shown_name(name)}" if path else _shown_name(name)
            try:
                values[name] = _known(name, here, readers)(each, here)
            except _Problems as problems:
                wrong += problems.found
            if len(wrong) > MOST_PROBLEMS:
                break
        if wrong:
            raise _Problems(wrong)
        try:
            return kind(**values)
        except InputError as error:
            raise _problem(path, str(error)) from None
        except TypeError:
            missing = " and ".join(sorted({"name", "range"} - values.keys()))
            raise _problem(path, f"{_shown(value)} lacks {missing}. Give what it lacks.") from None

    return read_it


def _known(name: str, path: str, readers: Mapping[str, Reader]) -> Reader:
    if name in readers:
        return readers[name]
    near = get_close_matches(name[:LONGEST_NAME], readers, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(readers)}."
    raise _problem(path, f"{_shown(name)} is no field of a plan. {hint}")


def _list_of(reader: Reader, most: int, what: str) -> Reader:
    """How to read a list of at most so many items; `what` they are called."""

    def read_it(value: Any, path: str) -> Any:
        if not isinstance(value, list):
            raise _problem(path, f"{_shown(value)} is no list. Write [...].")
        if len(value) > most:
            raise _problem(
                path, f"{len(value):,} {what} are more than a plan may have. Give {most} at most."
            )
        items, wrong = [], []
        for index, each in enumerate(value):
            try:
                items.append(reader(each, f"{path}[{index}]"))
            except _Problems as problems:
                wrong += problems.found
            if len(wrong) > MOST_PROBLEMS:
                break
        if wrong:
            raise _Problems(wrong)
        return tuple(items)

    return read_it


def _by(function: Callable[[Any], Any], *kinds: type) -> Reader:
    """Reads a value of one of these kinds of JSON by a function that may raise InputError."""

    def read_it(value: Any, path: str) -> Any:
        if not isinstance(value, kinds) or isinstance(value, bool):
            names = " or ".join("a text" if kind is str else "a whole number" for kind in kinds)
            raise _problem(path, f"{_shown(value)} is not {names}. Write {names}.")
        try:
            return function(value)
        except InputError as error:
            raise _problem(path, str(error)) from None

    return read_it


def _or_none(reader: Reader) -> Reader:
    return lambda value, path: None if value is None else reader(value, path)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(text, "is no day.", "Write it as 2028-03-31.") from None


def _same(value: Any) -> Any:
    return value


def _yes_or_no(value: Any, path: str) -> bool:
    if isinstance(value, bool):
        return value
    raise _problem(path, f"{_shown(value)} is neither true nor false. Write true or false.")


_TEXT, _WHOLE = _by(_same, str), _by(_same, int)
_SURGE = _by(_same, int, str)
_RANGE = _by(lambda text: parse_range(text, version=4), str)
_ADDRESS = _by(lambda text: parse_address(text, version=4), str)
_NAMED = {"name": _TEXT, "range": _RANGE}
_NETWORK = _record(NamedRange, _NAMED)
_SUBNET = _record(Subnet, {**_NAMED, "taken": _WHOLE})
_POOL = _record(
    Pool,
    {
        "name": _TEXT,
        "nodes": _WHOLE,
        "min_nodes": _or_none(_WHOLE),
        "max_nodes": _or_none(_WHOLE),
        "max_pods": _or_none(_WHOLE),
        "max_surge": _or_none(_SURGE),
        "pods": _or_none(_WHOLE),
        "system": _TEXT,
        "subnet": _TEXT,
        "pod_subnet": _TEXT,
    },
)
_OUTBOUND = _record(
    Outbound,
    {
        "type": _TEXT,
        "addresses": _WHOLE,
        "ports_per_node": _WHOLE,
        "next_hop": _or_none(_ADDRESS),
    },
)
_SERVICES = {
    "public": _WHOLE,
    "internal": _WHOLE,
    "ports": _WHOLE,
    "frontends": _or_none(_WHOLE),
}
_CHOICES = {"surge": _SURGE, "pod_subnet_max_pods": _WHOLE, "overlay_pods": _WHOLE}
_NEEDS = _list_of(_TEXT, 100, "needs")
_design = _record(
    Design,
    {
        "name": _TEXT,
        "model": _TEXT,
        "today": _by(_day, str),
        "kubernetes": _TEXT,
        "tier": _TEXT,
        "pools": _list_of(_POOL, MOST_POOLS, "node pools"),
        "own_network": _yes_or_no,
        "vnet": _list_of(_RANGE, MOST_RANGES, "ranges of the virtual network"),
        "subnets": _list_of(_SUBNET, MOST_SUBNETS, "subnets"),
        "pod_range": _or_none(_RANGE),
        "service_range": _RANGE,
        "dns_address": _ADDRESS,
        "peered": _list_of(_NETWORK, MOST_NETWORKS, "peered ranges"),
        "on_premises": _list_of(_NETWORK, MOST_NETWORKS, "ranges on premises"),
        "outbound": _OUTBOUND,
        "services": _record(Services, _SERVICES),
        "load_balancer": _TEXT,
        "policy": _TEXT,
        "data_plane": _TEXT,
        "needs": lambda value, path: frozenset(_NEEDS(value, path)),
        "choices": _record(Choices, _CHOICES),
    },
)


# ---- writing ----


def _plain(value: Any) -> Any:
    """A value as JSON has it; a dataclass as an object, without what is None."""
    if isinstance(value, (IPNetwork, IPAddress)):
        return canonical(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, frozenset):
        return sorted(value)
    if hasattr(value, "__dataclass_fields__"):
        found = {each.name: getattr(value, each.name) for each in fields(value)}
        return {name: _plain(each) for name, each in found.items() if each is not None}
    return value
