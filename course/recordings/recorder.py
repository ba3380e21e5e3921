"""A Lab's engine that writes down what the live one answers: a tape with one session.

With COURSE_RECORD in the environment, each Lab writes such a file into the folder that it names.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from course.live import Live
from course.memory import Applied
from course.predict import States
from course.recordings.digest import digest
from course.recordings.shelf import file_name
from course.recordings.tape import Event, Made, Said, Tape, spelled
from course.trace import Flow, Trace
from course.world import World


class Recorder:
    """The live engine of a World, with a tape that runs along."""

    def __init__(self, live: Live, world: World, folder: Path) -> None:
        self._live, self._folder = live, folder
        self._made = Made(date.today().isoformat(), platform.release(), live.iptables)
        folder.mkdir(parents=True, exist_ok=True)
        self._begin(world)

    def _begin(self, world: World) -> None:
        """A new tape."""
        self._world, self._events = digest(world), tuple[Event, ...]()
        number = len(list(self._folder.iterdir()))
        self._file = self._folder / f"{number:04}-{file_name(world)}"
        self._write()

    @property
    def label(self) -> str:
        """That of the live engine."""
        return self._live.label

    def observe(self, flow: Flow, state: States) -> tuple[Trace, States]:
        """Send a flow for real, and write down what became of it."""
        seen, before = self._live.observe(flow, state)
        self._note(seen)
        return seen, before

    def run(self, host: str, words: Sequence[str], timeout: float) -> str:
        """Run a command on a host, and write down what it prints."""
        output = self._live.run(host, words, timeout)
        self._note(Said(host, spelled(words), output))
        return output

    def apply(self, world: World) -> Applied:
        """Build another World, and begin its tape.

        It is built from nothing: hosts on a tape remember what is on that tape, and no more.
        """
        plugins = self._live.plugins
        self._live.close()
        self._live = Live(world, plugins)
        self._begin(world)
        return Applied(frozenset(world.by_name))

    def drift(self) -> tuple[str, ...]:
        """What somebody changed by hand."""
        return self._live.drift()

    def causes(self, *hosts: str) -> tuple[str, ...]:
        """What may have led to something that was not predicted."""
        return self._live.causes(*hosts)

    def interrupted(self, flow: Flow, *hosts: str) -> None:
        """Hosts may remember a flow that is on no tape."""
        self._live.interrupted(flow, *hosts)

    def remembered(self, *hosts: str) -> tuple[str, ...]:
        """What some hosts may remember, and no prediction knows of."""
        return self._live.remembered(*hosts)

    @property
    def by_hand(self) -> bool:
        """Whether somebody can change hosts by hand."""
        return True

    @property
    def closed(self) -> bool:
        """Whether the live engine is."""
        return self._live.closed

    def close(self) -> None:
        """Take everything away but the tape."""
        self._live.close()

    def _note(self, event: Event) -> None:
        self._events += (event,)
        self._write()

    def _write(self) -> None:
        # after each event: nobody needs to close a lab
        text = Tape(self._world, self._made, (self._events,)).to_json()
        self._file.write_text(text, "utf-8")
