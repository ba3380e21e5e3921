"""A tape: what was seen in one World, and when, and on which kernel.

A session is what one lab did, in order. The order matters: hosts remember the connections that they
have seen, and `conntrack -L` prints them.

>>> said = Said("node1", "ip route", "default via 10.240.0.1 dev eth0\\n")
>>> said.asked
'node1$ ip route'
>>> Tape.from_json(Tape("", Made("2026-11-26", "6.18.2", "iptables v1.8.9"), ((said,),)).to_json())
Tape(world='', made=Made(date='2026-11-26', kernel='6.18.2', iptables='iptables v1.8.9'), \
sessions=((Said(host='node1', command='ip route', output='default via 10.240.0.1 dev eth0\\n'),),))
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from course.recordings.written import read, write
from course.trace import Trace


@dataclass(frozen=True)
class Said:
    """What a command printed on a host."""

    host: str
    command: str
    output: str

    @property
    def asked(self) -> str:
        """What was asked, as it stands after the prompt of a shell."""
        return f"{self.host}$ {self.command}"


@dataclass(frozen=True)
class Made:
    """When something was recorded, on which kernel (its release), with which iptables."""

    date: str
    kernel: str
    iptables: str

    def __str__(self) -> str:
        return f"recorded on {self.date} on {linux(self.kernel)}"


Event = Trace | Said
Session = tuple[Event, ...]


@dataclass(frozen=True)
class Tape:
    """What was recorded in the World with this digest."""

    world: str
    made: Made
    sessions: tuple[Session, ...]

    def to_json(self) -> str:
        """The text of its file."""
        told = {"world": self.world, **asdict(self.made)}
        told["sessions"] = [[_write(event) for event in session] for session in self.sessions]
        return json.dumps(told, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Tape:
        """A tape from the text of its file. Raises ValueError or KeyError for any other text."""
        told = json.loads(text)
        made = Made(*(str(told[key]) for key in ("date", "kernel", "iptables")))
        return cls(told["world"], made, tuple(tuple(map(_read, each)) for each in told["sessions"]))


def linux(release: str) -> str:
    """A kernel in words, by its release.

    >>> linux("6.18.2-generic")
    'Linux 6.18'
    """
    return "Linux " + ".".join(release.split(".")[:2])


def spelled(words: Sequence[str]) -> str:
    """A command as text, the same whether a shell is asked to run it or not.

    >>> spelled(["ip", "route"]), spelled(["sh", "-c", "ip route"]), spelled(["echo", "a  b"])
    ('ip route', 'ip route', "echo 'a  b'")
    """
    if len(words) == 3 and [*words[:2]] == ["sh", "-c"]:
        return words[2].strip()
    return shlex.join(words)


def question(event: Event) -> str:
    """What was asked, whatever came of it: of a Trace its flow, from whatever source port."""
    return event.asked if isinstance(event, Said) else str(event.flow)


def _write(event: Event) -> dict[str, Any]:
    if isinstance(event, Trace):
        return write(event)
    return {event.asked: event.output.split("\n")}


def _read(told: Mapping[str, Any]) -> Event:
    if "flow" in told:
        return read(told)
    ((asked, lines),) = told.items()
    host, _, command = asked.partition("$ ")
    return Said(host, command, "\n".join(lines))
