"""What is typed as the values of a Design, and those values as text again.

A Kind reads and writes one sort of value. Nothing here knows a rule of AKS: what a value may be is
said by the Design that it goes into.

>>> [subnet.taken for subnet in SUBNETS.read("nodes=10.240.0.0/24, db=10.240.9.0/24 (40 taken)")]
[0, 40]
>>> SUBNETS.write(SUBNETS.read("db=10.240.9.0/24 (40 taken)"))
'db=10.240.9.0/24 (40 taken)'
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from netaddr import IPNetwork

from course.addresses import canonical, parse_address, parse_range
from course.design import NamedRange, Subnet
from course.errors import InputError
from course.questions import read_number

# longer than any list of networks; what was pasted here by mistake is refused at once
MOST_CHARACTERS = 20_000


@dataclass(frozen=True)
class Kind:
    """One sort of value. `read` raises InputError; `write` gives a text that `read` takes."""

    reader: Callable[[str], Any]
    writer: Callable[[Any], str] = str
    # what an empty field means: None where it means nothing in particular
    optional: bool = False

    def read(self, text: str) -> Any:
        """The value that a text means."""
        if len(text) > MOST_CHARACTERS:
            raise InputError(
                text, f"is longer than {MOST_CHARACTERS:,} characters.", "Was it meant for here?"
            )
        if self.optional and not text.strip():
            return None
        return self.reader(text.strip())

    def write(self, value: Any) -> str:
        """The value as one types it."""
        return "" if value is None else self.writer(value)


def _count(text: str) -> int:
    value = read_number(text)
    if value is None:
        raise InputError(text, "is no number.", "Write digits only, like 12.")
    return value


def _surge(text: str) -> int | str:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else text


def _range(text: str) -> IPNetwork:
    return parse_range(text, version=4)


def _day(text: str) -> date:
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise InputError(text, "is no day.", "Write it as 2028-03-31.")


def _parts(text: str) -> list[str]:
    return [part for part in re.split(r"[,;\s]+", text) if part]


def _ranges(text: str) -> tuple[IPNetwork, ...]:
    return tuple(_range(part) for part in _parts(text))


def _entries(text: str) -> list[tuple[str, IPNetwork, str]]:
    """Name, range and remark of each entry; entries end at commas, semicolons and line ends."""
    found = []
    for part in (part.strip() for part in re.split(r"[,;\n]", text)):
        if not part:
            continue
        name, equals, rest = (each.strip() for each in part.partition("="))
        if not equals:
            raise InputError(part, "has no name.", "Write name=range, as nodes=10.240.0.0/24.")
        written, _, remark = rest.partition(" ")
        found.append((name, _range(written), remark.strip()))
    return found


def _networks(text: str) -> tuple[NamedRange, ...]:
    networks = []
    for name, where, remark in _entries(text):
        if remark:
            raise InputError(remark, "follows a range.", "Put a comma between networks.")
        networks.append(NamedRange(name, where))
    return tuple(networks)


def _subnets(text: str) -> tuple[Subnet, ...]:
    return tuple(Subnet(name, where, _taken(remark)) for name, where, remark in _entries(text))


def _taken(remark: str) -> int:
    if not remark:
        return 0
    if found := re.fullmatch(r"\(([0-9]{1,9}) taken\)", remark):
        return int(found[1])
    raise InputError(remark, "follows a range.", "Write (40 taken), or put a comma before a name.")


def _network_text(networks: tuple[NamedRange, ...]) -> str:
    return "\n".join(f"{each.name}={canonical(each.range)}" for each in networks)


def _subnet_text(subnets: tuple[Subnet, ...]) -> str:
    return "\n".join(
        f"{each.name}={canonical(each.range)}" + (f" ({each.taken} taken)" if each.taken else "")
        for each in subnets
    )


WORD = Kind(str)
COUNT = Kind(_count)
COUNT_OR_NONE = Kind(_count, optional=True)
SURGE_OR_NONE = Kind(_surge, optional=True)
RANGE = Kind(_range, canonical)
RANGE_OR_NONE = Kind(_range, canonical, optional=True)
RANGES = Kind(_ranges, lambda ranges: ", ".join(map(canonical, ranges)))
ADDRESS = Kind(lambda text: parse_address(text, version=4), canonical)
ADDRESS_OR_NONE = Kind(lambda text: parse_address(text, version=4), canonical, optional=True)
DAY = Kind(_day, date.isoformat)
NETWORKS = Kind(_networks, _network_text)
SUBNETS = Kind(_subnets, _subnet_text)
