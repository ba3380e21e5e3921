"""A Lab's engine that is real: the World as namespaces, and packets that are sent through them."""

from __future__ import annotations

import platform
import signal
import textwrap
from collections import Counter
from collections.abc import Sequence

from course.lab.agent.job import LARGEST
from course.lab.change import change
from course.lab.construct import construct, of_data
from course.lab.drift import drift
from course.lab.extras import take_away
from course.lab.namespaces import Command, Output
from course.lab.observe import observe
from course.machine import run, which
from course.memory import Applied
from course.predict import States
from course.recordings.tape import linux, spelled
from course.trace import Flow, Trace
from course.world import World

MOST = 1_000_000  # bytes that a command may print
SHOWN = 60  # characters of a command, where it is named in a sentence


class Live:
    """A World that was built. Raises InputError where none can be, LabError with what a tool said.

    `plugins` tells whether pods are made by CNI plugins, or straight from the World's data.
    """

    def __init__(self, world: World, plugins: bool = True) -> None:
        self.plugins = plugins
        self.built = construct(world, plugins)
        self._touched: set[str] = set()  # hosts on which somebody ran a command
        self._left: dict[str, set[str]] = {}  # what no World remembers, and the hosts that may

    @property
    def label(self) -> str:
        """That it is live, and on which kernel."""
        return f"live, on {linux(platform.release())}"

    @property
    def iptables(self) -> str:
        """The version and the variant of iptables."""
        return run(which("iptables") or "iptables", "--version").output

    def observe(self, flow: Flow, state: States) -> tuple[Trace, States]:
        """Send a flow, and see what becomes of it; hosts remember what they have seen so far."""
        return observe(self.built, flow, self._touched), state

    def interrupted(self, flow: Flow, *hosts: str) -> None:
        """Hosts may remember a flow, but nobody has seen what became of it."""
        self._left.setdefault(f"{flow}, interrupted", set()).update(hosts)

    def run(self, host: str, words: Sequence[str], timeout: float) -> str:
        """What a command prints on a host, errors included."""
        self._touched.add(host)
        namespaces = self.built.namespaces
        before = Counter(namespaces.connections())
        try:
            (output,) = namespaces.run(Command(words, host, timeout=timeout, most=MOST))
        finally:
            if left := Counter(namespaces.connections()) - before:
                command = textwrap.shorten(spelled(words), SHOWN, placeholder=" ...")
                self._left.setdefault(f"what {host}$ {command} has sent", set()).update(left)
        return str(output) + _ending(output, timeout)

    def apply(self, world: World) -> Applied:
        """Change what stands into another World. What is half changed is taken away."""
        try:
            if self._touched:  # first: what is wanted may not stand beside it
                take_away(self.built)
            changed = change(self.built, world if self.plugins else of_data(world))
        except BaseException:
            self.close()
            raise
        self.built = changed.built
        stay = {*world.by_name} - changed.anew
        self._left = {sent: hosts & stay for sent, hosts in self._left.items()}
        return Applied(changed.anew, changed.refused)

    @property
    def by_hand(self) -> bool:
        """Whether somebody can change hosts by hand."""
        return True

    def drift(self) -> tuple[str, ...]:
        """What somebody changed by hand, a sentence each."""
        return drift(self.built)

    def causes(self, *hosts: str) -> tuple[str, ...]:
        """What was changed by hand on some hosts, or on all."""
        return drift(self.built, *hosts) if self._touched else ()

    def remembered(self, *hosts: str) -> tuple[str, ...]:
        """What some hosts may remember and no World does: sent by hand, or interrupted."""
        return tuple(
            f"{sent} ({', '.join(sorted(those))})"
            for sent, by in self._left.items()
            if (those := by.intersection(hosts))
        )

    @property
    def closed(self) -> bool:
        """Whether it was closed, or has ended in another way."""
        return self.built.namespaces.closed

    def close(self) -> None:
        """Take everything away. May be called twice."""
        self.built.namespaces.close()


def _ending(output: Output, timeout: float) -> str:
    """What is to be said of a command that was made to end; mostly nothing."""
    if output.cut:
        return f"\n(cut after {MOST // 10**6} MB, and stopped)\n"
    if output.code == -signal.SIGXFSZ:
        return f"(stopped: its file grew beyond {LARGEST >> 20} MiB)\n"
    return f"(stopped after {timeout:g} s)\n" * output.late
