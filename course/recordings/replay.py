"""A Lab's engine that answers from a tape: nothing is sent, no process is started.

What a learner asks may come in another order than it was recorded in, and more often. Of the
sessions that have an answer, the one is followed that went the way in which the learner goes. So
what `conntrack -L` prints belongs to the packet that was shown before.

>>> session = ["a -> tcp b:80", "b$ conntrack -L", "a -> tcp c:80", "b$ conntrack -L"]
>>> follow(session, ["a -> tcp c:80", "b$ conntrack -L"])
Way(went_on=(True, True), skipped=2, at=3)
>>> follow(session, ["a -> tcp c:80", "b$ conntrack -L", "b$ conntrack -L"])
Way(went_on=(False, True, True), skipped=2, at=1)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from course.compare import compare
from course.errors import InputError
from course.memory import Applied
from course.predict import States
from course.recordings.shelf import find
from course.recordings.tape import Said, Tape, question, spelled
from course.trace import Flow, Trace
from course.world import World

SHOW = "COURSE_LAB"  # "recorded": recordings are shown, also where a lab could run
SAYS_SO = f"{SHOW} says so."
LEAVE_OUT = "To see it live, leave live=False out."
UNSET = f"To see it live, take {SHOW} out of the environment: del os.environ[{SHOW!r}]"
DOCTOR = "To see it live: python -m course doctor tells what this machine lacks for that."


class Way(NamedTuple):
    """How a session goes along with what is asked: with which questions it goes on, the last one
    first; how many events it skips for that; at which event it is then."""

    went_on: tuple[bool, ...]
    skipped: int
    at: int

    @property
    def nearness(self) -> tuple[tuple[bool, ...], int]:
        """How near it comes to what is asked: the latest questions count most."""
        return self.went_on, -self.skipped


def follow(session: Sequence[str], asked: Sequence[str]) -> Way:
    """The way through a session. At its end it begins again; but that is not to go on."""
    went_on: list[bool] = []
    skipped = at = after = 0
    for each in asked:
        went_on.append(each in session[after:])
        if went_on[-1]:
            at = session.index(each, after)
            skipped += at - after
        elif each in session:
            at = session.index(each)
        else:
            continue
        after = at + 1
    return Way(tuple(reversed(went_on)), skipped, at)


class Replay:
    """A World as a tape has it, if there is one. `why` is what stands in the way of a live lab."""

    def __init__(self, world: World, tape: Tape | None, why: str = "") -> None:
        self._why, self._closed, self._anew = why, False, False
        self._load(world, tape)

    def _load(self, world: World, tape: Tape | None) -> None:
        """Play a tape from its beginning."""
        self._world, self._tape = world, tape
        self._sessions = tape.sessions if tape else ()
        self._questions = [[*map(question, session)] for session in self._sessions]
        self._asked: list[str] = []
        self._shown: set[tuple[int, int]] = set()
        self._begun_again = False
        self._memories: dict[int, list[States]] = {}

    @property
    def label(self) -> str:
        """When and on which kernel it was recorded, and why it is not live."""
        said = str(self._tape.made) if self._tape else "not recorded: only predictions are shown"
        again = ", built anew for the change" * self._anew
        again += ", begun again" * self._begun_again
        return f"{said}{again}" + (f" (this machine: {self._why})" if self._why else "")

    def observe(self, flow: Flow, state: States) -> tuple[Trace, States]:
        """What was seen of a flow, and what hosts remembered there before it was sent.

        Its source port is that of the recording.
        """
        self._world.host(flow.source)
        session, at = self._answer(str(flow), f"{flow.source} -> ")
        seen = self._sessions[session][at]
        assert isinstance(seen, Trace)
        return seen, self._memory(session, at)

    def run(self, host: str, words: Sequence[str], timeout: float) -> str:
        """What a command printed on a host."""
        session, at = self._answer(f"{host}$ {spelled(words)}", f"{host}$ ")
        said = self._sessions[session][at]
        assert isinstance(said, Said)
        return said.output

    def apply(self, world: World) -> Applied:
        """Go on with the tape of another World, if there is one. Its hosts remember nothing yet."""
        self._load(world, find(world))
        self._anew = True
        return Applied(frozenset(world.by_name))

    @property
    def by_hand(self) -> bool:
        """Whether somebody can change hosts by hand: nobody can change a recording."""
        return False

    def drift(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def causes(self, *_: str) -> tuple[str, ...]:
        """Nothing that anybody knows of."""
        return ()

    def interrupted(self, flow: Flow, *_: str) -> None:
        """Nothing was sent."""

    def remembered(self, *_: str) -> tuple[str, ...]:
        """Nothing but what was recorded."""
        return ()

    @property
    def closed(self) -> bool:
        """Whether somebody has closed it."""
        return self._closed

    def close(self) -> None:
        """There is nothing to take away."""
        self._closed = True

    def _answer(self, asked: str, alike: str) -> tuple[int, int]:
        """The session and the event in it that answer; `alike` is how similar questions begin."""
        able = [number for number, known in enumerate(self._questions) if asked in known]
        if not able:
            raise self._unknown(asked, alike)
        self._asked.append(asked)
        ways = {number: follow(self._questions[number], self._asked) for number in able}
        chosen = max(able, key=lambda number: ways[number].nearness)
        found = chosen, ways[chosen].at
        self._begun_again |= found in self._shown
        self._shown.add(found)
        return found

    @property
    def _way_out(self) -> str:
        """How one sees it live."""
        return {"": LEAVE_OUT, SAYS_SO: UNSET}.get(self._why, DOCTOR)

    def _unknown(self, asked: str, alike: str) -> InputError:
        known = dict.fromkeys(each for session in self._questions for each in session)
        like = [each for each in known if each.startswith(alike)]
        there = f"Recorded are: {'; '.join(like)}. " if like else ""
        what = "was not recorded" if self._tape else "was not recorded, nor was this cluster"
        return InputError(asked, f"{what}.", there + self._way_out)

    def _memory(self, number: int, at: int) -> States:
        """What hosts remembered before an event of a session."""
        known = self._memories.setdefault(number, [{}])
        for event in self._sessions[number][len(known) - 1 : at]:
            state = known[-1]
            if isinstance(event, Trace):
                state = compare(self._world, event, state).prediction.state
            known.append(state)
        return known[at]
