"""A Lab's engine that is real: the World as namespaces, and packets that are sent through them."""

from __future__ import annotations

import platform
from collections.abc import Sequence

from course.lab.change import change
from course.lab.construct import construct, of_data
from course.lab.drift import drift
from course.lab.namespaces import Command
from course.lab.observe import observe
from course.machine import run, which
from course.memory import Applied
from course.predict import States
from course.recordings.tape import linux
from course.trace import Flow, Trace
from course.world import World

MOST = 1_000_000  # bytes that a command may print


class Live:
    """A World that was built. Raises InputError where none can be, LabError with what a tool said.

    `plugins` tells whether pods are made by CNI plugins, or straight from the World's data.
    """

    def __init__(self, world: World, plugins: bool = True) -> None:
        self.plugins = plugins
        self.built = construct(world, plugins)
        self._touched: set[str] = set()  # hosts on which somebody ran a command

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

    def run(self, host: str, words: Sequence[str], timeout: float) -> str:
        """What a command prints on a host, errors included."""
        self._touched.add(host)
        (output,) = self.built.namespaces.run(Command(words, host, timeout=timeout, most=MOST))
        if output.cut:
            return f"{output}\n(cut after {MOST // 10**6} MB, and stopped)\n"
        return str(output) + f"(stopped after {timeout:g} s)\n" * output.late

    def apply(self, world: World) -> Applied:
        """Change what stands into another World. What is half changed is taken away."""
        try:
            changed = change(self.built, world if self.plugins else of_data(world))
        except BaseException:
            self.close()
            raise
        self.built = changed.built
        return Applied(changed.anew, changed.refused)

    def drift(self) -> tuple[str, ...]:
        """What somebody changed by hand, a sentence each."""
        return drift(self.built)

    @property
    def closed(self) -> bool:
        """Whether it was closed, or has ended in another way."""
        return self.built.namespaces.closed

    def close(self) -> None:
        """Take everything away. May be called twice."""
        self.built.namespaces.close()
