"""A Lab's engine that answers from a tape: nothing is sent, no process is started.

What a learner asks may come in another order than it was recorded in, and more often. Of the
sessions that have an answer, the one is followed that has most of what was asked so far, in that
order. So what `conntrack -L` prints belongs to the packets that were shown before.

>>> session = ["a -> tcp b:80", "b$ conntrack -L", "a -> tcp c:80", "b$ conntrack -L"]
>>> follow(session, ["a -> tcp c:80", "b$ conntrack -L"])
(2, 3)
>>> follow(session, ["a -> tcp c:80", "b$ conntrack -L", "b$ conntrack -L"])
(2, 1)
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from course.compare import compare
from course.errors import InputError
from course.predict import States
from course.recordings.shelf import find
from course.recordings.tape import Said, asked_of, question
from course.trace import Flow, Trace
from course.world import World

LIVE = "To see it live: python -m course doctor tells what this machine lacks for that."


def follow(session: Sequence[str], asked: Sequence[str]) -> tuple[int, int]:
    """How much of what was asked a session answers in its own order, and where that ends.

    A session that is at its end begins again.
    """
    agreed = at = after = 0
    for each in asked:
        if each not in session:
            continue
        ahead = each in session[after:]
        at = session.index(each, after if ahead else 0)
        agreed, after = agreed + ahead, at + 1
    return agreed, at


class Replay:
    """A World as it was recorded. `why` is what stands in the way of a live lab here, if anything.

    Raises InputError for a recording that is broken.
    """

    def __init__(self, world: World, why: str = "") -> None:
        self._world, self._why = world, why
        self._tape = find(world)
        self._sessions = self._tape.sessions if self._tape else ()
        self._questions = [[*map(question, session)] for session in self._sessions]
        self._asked: list[str] = []
        self._shown: set[tuple[int, int]] = set()
        self._begun_again = False
        self._memories: dict[int, list[States]] = {}

    @property
    def label(self) -> str:
        """When and on which kernel it was recorded, and why it is not live."""
        said = str(self._tape.made) if self._tape else "not recorded: only predictions are shown"
        again = ", begun again" if self._begun_again else ""
        return f"{said}{again}" + (f" (this machine: {self._why})" if self._why else "")

    def observe(self, flow: Flow, state: States) -> tuple[Trace, States]:
        """What was seen of a flow, and what hosts remembered there before it was sent."""
        self._world.host(flow.source)
        session, at = self._answer(str(flow), f"{flow.source} -> ")
        seen = self._sessions[session][at]
        assert isinstance(seen, Trace)
        return seen, self._memory(session, at)

    def run(self, host: str, words: Sequence[str], timeout: float) -> str:
        """What a command printed on a host."""
        session, at = self._answer(asked_of(host, shlex.join(words)), asked_of(host, ""))
        said = self._sessions[session][at]
        assert isinstance(said, Said)
        return said.output

    def close(self) -> None:
        """Nothing to take away."""

    def _answer(self, asked: str, alike: str) -> tuple[int, int]:
        """The session and the event in it that answer; `alike` is how similar questions begin."""
        able = [number for number, known in enumerate(self._questions) if asked in known]
        if not able:
            raise self._unknown(asked, alike)
        self._asked.append(asked)
        ways = {number: follow(self._questions[number], self._asked) for number in able}
        chosen = max(able, key=lambda number: ways[number][0])
        found = chosen, ways[chosen][1]
        self._begun_again |= found in self._shown
        self._shown.add(found)
        return found

    def _unknown(self, asked: str, alike: str) -> InputError:
        known = dict.fromkeys(each for session in self._questions for each in session)
        like = [each for each in known if each.startswith(alike)]
        there = f"Recorded are: {'; '.join(like)}. " if like else ""
        what = "was not recorded" if self._tape else "was not recorded, nor was this cluster"
        return InputError(asked, f"{what}.", there + LIVE)

    def _memory(self, number: int, at: int) -> States:
        """What hosts remembered before an event of a session."""
        known = self._memories.setdefault(number, [{}])
        for event in self._sessions[number][len(known) - 1 : at]:
            state = known[-1]
            if isinstance(event, Trace):
                state = compare(self._world, event, state).prediction.state
            known.append(state)
        return known[at]
