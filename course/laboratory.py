"""A live lab: a cluster that was built for real, next to the prediction of what it does.

lab = Lab(small_cluster("overlay"))
flow = Flow("web-1", "10.244.1.2", 8080)
lab.predict(flow).trace           # what will become of it
seen = lab.observe(flow)          # what really does
lab.compare(seen).differences     # none
lab.run("node1", "ip route")      # ask any host, as on a real node
lab.apply(lab.topology.changed(missing_routes=("node1",)))  # change the cluster
lab.drift()                       # what somebody has changed by hand
lab.label                         # whether that was live, or was recorded, and on which kernel
lab.close()

Where no lab can run, the same calls show what was recorded on another machine.
"""

from __future__ import annotations

import os
import shlex
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from course.compare import Comparison, compare
from course.errors import InputError
from course.free_address import asked, given, with_pod, without_pods
from course.memory import Applied, remembered
from course.predict import Prediction, States, predict
from course.recordings.replay import SAYS_SO, SHOW, Replay
from course.recordings.shelf import find
from course.topology import Pod, Topology
from course.trace import Disposition, Flow, Trace
from course.world import World, build


@dataclass(frozen=True)
class Tally:
    """What became of a flow that was sent many times, each time from a port of its own.

    `wanted` is how many times, where fewer were recorded; 0 otherwise.
    """

    flow: Flow
    traces: tuple[Trace, ...]
    wanted: int = 0

    @property
    def servers(self) -> Counter[str]:
        """Who answered, and how often."""
        return Counter(trace.server for trace in self._delivered)

    @property
    def sources(self) -> Counter[str]:
        """Which source a server saw, and how often, of those that were answered."""
        return Counter(str(trace.source_seen) for trace in self._delivered)

    @property
    def ends(self) -> Counter[str]:
        """How it ended, and how often."""
        return Counter(str(trace.disposition) for trace in self.traces)

    @property
    def _delivered(self) -> list[Trace]:
        return [each for each in self.traces if each.disposition == Disposition.DELIVERED]

    def __str__(self) -> str:
        counts = (("answered by", self.servers), ("saw", self.sources), ("ended", self.ends))
        few = f"only {len(self.traces)} of {self.wanted} were recorded" * bool(self.wanted)
        lines = [f"{what} {name}: {n}" for what, found in counts for name, n in found.items()]
        return "\n".join(filter(None, (*lines, few)))


NOT_BY_HAND = "Nobody can change a recording by hand: see what lab.apply shows."
NOT_ADDED = "was not added when this was recorded, and nobody can be asked for an address now."
DESCRIBE = (
    "Give it one yourself, as one of the pods of a description: lab.predict tells what it does."
)
LONGEST = 3600  # seconds that a command may take
RECORD = "COURSE_RECORD"  # names a folder: what each Lab does is written down there


class Engine(Protocol):
    """What answers the questions of a Lab: real hosts, or what was recorded of them."""

    @property
    def label(self) -> str:
        """Whether that is live, and on which kernel it is or was."""

    @property
    def closed(self) -> bool:
        """Whether it answers no more."""

    def observe(self, flow: Flow, state: States) -> tuple[Trace, States]:
        """What became of a flow, and what hosts remembered before it was sent.

        `state` is what they remember of what was observed so far.
        """

    def run(self, host: str, words: Sequence[str], timeout: float) -> str:
        """What a command printed on a host."""

    def apply(self, world: World) -> Applied:
        """Go over to another World."""

    @property
    def by_hand(self) -> bool:
        """Whether somebody can change hosts by hand."""

    def drift(self) -> tuple[str, ...]:
        """What somebody changed by hand, a sentence each."""

    def causes(self, *hosts: str) -> tuple[str, ...]:
        """What may have led to something that was not predicted, on some hosts, or on all."""

    def interrupted(self, flow: Flow, *hosts: str) -> None:
        """Hosts may remember a flow, but nobody has seen what became of it."""

    def remembered(self, *hosts: str) -> tuple[str, ...]:
        """What some hosts may remember, and no prediction knows of."""

    def close(self) -> None:
        """Take everything away. May be called twice."""


def engine(world: World, plugins: bool = True, live: bool | None = None) -> Engine:
    """The live engine of a World where it can run, or else its recording; `live` demands one.

    Raises InputError, with the cure, where the live one is demanded and cannot run, and for a
    recording that is broken.
    """
    if live is False:
        return Replay(world, find(world))
    if why := why_not_live(world.topology):
        if live:
            raise InputError("live=True", "cannot be here.", why)
        return Replay(world, find(world), why)
    from course.live import Live

    if RECORD not in os.environ:
        return Live(world, plugins)
    from course.recordings.recorder import Recorder

    return Recorder(Live(world, plugins), world, Path(os.environ[RECORD]))


def why_not_live(topology: Topology) -> str:
    """What stands in the way of a live lab here, with its cure; empty if nothing does."""
    if os.environ.get(SHOW) == "recorded":
        return SAYS_SO
    try:
        from course.lab.probe.readiness import readiness
    except ImportError as error:
        return f"this Python comes without {error.name}"
    ready = readiness()
    able = ready.can_run and {each.model for each in topology.clusters} <= {*ready.models}
    return "" if able else " ".join(ready.why_not.splitlines())


class Lab:
    """A Topology built out of network namespaces, and the World that predicts what it does.

    Where that cannot be, what was recorded of it is shown; `live` demands one or the other, and
    `label` tells which it is. `world` is that World, `state` what its hosts remember, `opened` when
    it was built, in seconds of the monotonic clock. `plugins` tells whether pods are made by CNI
    plugins, as on a node, or straight from the World's data, which is faster. Close it, or use
    `with`; one that nobody holds any more closes by itself. Raises InputError for what cannot be.
    """

    def __init__(
        self, topology: Topology, plugins: bool = True, live: bool | None = None
    ) -> None:  # fmt: skip
        self.world: World = build(topology)
        self.state: States = {}
        self._plugins, self._end = plugins, ""
        self._engine = engine(self.world, plugins, live)
        self.opened = time.monotonic()
        self._compared: list[tuple[Trace, Comparison]] = []

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take everything away. May be called twice."""
        self._end = self._end or "is closed."
        self._engine.close()

    def _opened(self) -> Engine:
        """What answers. Raises InputError for a lab that somebody has closed."""
        if self._end:
            raise InputError("lab", self._end, "Run the cell again that opens one.")
        return self._engine

    @property
    def closed(self) -> bool:
        """Whether it was closed, or has ended in another way."""
        return self._engine.closed

    @property
    def topology(self) -> Topology:
        """The present description, with every address that was given out."""
        return self.world.topology

    @property
    def label(self) -> str:
        """Whether it is live or was recorded, on which kernel, and why it is not live."""
        return self._engine.label

    def __repr__(self) -> str:
        if self.closed:
            return f"A lab that {self._end or 'has ended.'}"
        models = " and ".join(each.model for each in self.world.topology.clusters) or "no cluster"
        return f"A lab of {models} with {len(self.world.hosts)} hosts: {self.label}."

    def predict(self, flow: Flow) -> Prediction:
        """What will become of a flow, by the present World and what its hosts remember."""
        return predict(self.world, flow, self.state)

    def observe(self, flow: Flow) -> Trace:
        """Send a flow for real, and see what becomes of it; or see what became of it once.

        The connection stays open while the lab lives. If its source port was used before, the next
        one is taken, and the flow of the Trace tells which. Raises InputError for a flow that was
        not recorded, where nothing can be sent, and for a lab that is closed.
        """
        engine = self._opened()
        self.world.demand_one_host(flow.destination)  # before it is sent
        try:
            seen, before = engine.observe(flow, self.state)
            # hosts remember it, whether anybody compares it or not
            found = compare(self.world, seen, before)
            self.state = found.prediction.state
        except KeyboardInterrupt:
            engine.interrupted(flow, *self.predict(flow).trace.path)
            raise
        if not found.equal:
            found = replace(found, drift=engine.causes())
            on_the_way = {*found.prediction.trace.path, *seen.path}
            found = replace(found, remembered=engine.remembered(*on_the_way))
        elif seen.disposition != Disposition.DELIVERED:
            found = replace(found, drift=engine.causes(seen.ended_at))
        self._compared.append((seen, found))
        return seen

    def compare(self, observation: Trace) -> Comparison:
        """Lay a prediction beside what was observed here: one from before it was.

        Raises InputError for what was not observed in this lab.
        """
        for seen, found in reversed(self._compared):
            if seen is observation:
                return found
        raise InputError(str(observation.flow), "was not observed here.", "Use lab.observe first.")

    def apply(self, topology: Topology) -> None:
        """Change the cluster and all around it into what a description says, and only that.

        Pods are added and deleted by their plugins. Hosts that stay remember their connections,
        also those to what is gone; see course.memory. What was changed by hand is taken back, but
        for programs that somebody started in the background, and rules of iptables-legacy: those
        `drift` goes on to tell. A description made of `lab.topology` keeps the addresses that are
        given out. A recording is built anew for each change, so there hosts forget everything.

        Raises InputError for a pod that a plugin has not made, in its words; all else is changed
        then. Raises LabError with what another tool said. The lab is closed then, and where it is
        interrupted: it would be half changed.
        """
        engine, world = self._opened(), build(topology)
        try:
            applied = engine.apply(world)
            self.world, self.state = world, remembered(self.state, world, applied.anew)
        except BaseException as error:
            if self.closed or isinstance(error, KeyboardInterrupt):
                self._end = "is closed: it was half changed when that ended."
                self.close()
            raise
        if applied.refused:
            self.apply(without_pods(self.topology, applied.refused))
            pod, words = next(iter(applied.refused.items()))
            raise InputError(pod, f"was not made. {words}.", "All else is changed.")

    def add_pod(self, pod: Pod) -> str:
        """Add a pod with whatever address is free on its node; which one, is returned.

        host-local is asked for it (course.free_address). Raises InputError, in its words, if none
        is left, where no plugins make pods, and for a pod that was not added to a recording.
        """
        engine = self._opened()
        if not self._plugins:
            raise InputError(pod.name, "is to be made by plugins.", "Leave plugins=False out.")
        add, delete = (asked(self.world, pod, command) for command in ("ADD", "DEL"))
        try:
            try:
                said = engine.run(pod.node, add, 10)
            finally:  # it is pinned from now on, or not wanted any more
                engine.run(pod.node, delete, 10)
        except InputError as error:
            raise InputError(pod.name, NOT_ADDED, DESCRIBE) from error
        address = given(pod, said)
        self.apply(with_pod(self.topology, replace(pod, address=address)))
        return address

    def drift(self) -> tuple[str, ...]:
        """What somebody changed by hand on any host, a sentence each; nothing if nothing was.

        Looked at are interfaces, addresses, routes, policy rules, neighbours, settings, rules, and
        what course.lab.extras lists. Raises InputError for a recording.
        """
        engine = self._opened()
        if not engine.by_hand:
            raise InputError("lab.drift()", "tells nothing here: it is a recording.", NOT_BY_HAND)
        return engine.drift()

    def observe_many(self, flow: Flow, times: int) -> Tally:
        """Send a flow many times, from a port of its own each, and count who answered.

        Where fewer were recorded, those are counted, and the Tally says so.
        """
        seen: dict[int, Trace] = {}
        for _ in range(times):
            trace = self.observe(flow)
            if id(trace) in seen:  # a recording begins again
                return Tally(flow, tuple(seen.values()), times)
            seen[id(trace)] = trace
        return Tally(flow, tuple(seen.values()))

    def run(self, host: str, command: str | Sequence[str], timeout: float = 10) -> str:
        """What a command prints on a host, errors included: `lab.run("node1", "ip route")`.

        A text is read as a shell reads words; for pipes, write "sh -c '...'". A command that has
        not ended after `timeout` seconds, or has printed more than 1 MB, is stopped, with all that
        it started, and the text says so; interrupt it (Ctrl-C), and it is stopped as well. Raises
        InputError for a host that is not there, what was not recorded, a lab that is closed.
        """
        engine = self._opened()
        self.world.host(host)
        words = _words(command)
        if not isinstance(timeout, (int, float)) or not 0 < timeout <= LONGEST:
            raise InputError(timeout, "is no time to wait.", f"Give 1 to {LONGEST} seconds.")
        return engine.run(host, words, timeout)


def _words(command: str | Sequence[str]) -> list[str]:
    """A command's words. Raises InputError for what no program could be told."""
    try:
        words = shlex.split(command) if isinstance(command, str) else [*command]
    except ValueError as error:
        raise InputError(command, f"is no command: {error}.", "Close every quotation.") from error
    if not words or not all(map(_may_be_told, words)):
        raise InputError(command, "is no command.", 'Write words, such as "ip route".')
    return words


def _may_be_told(word: object) -> bool:
    """Whether a program may be given a word: text without zeros, all of it characters."""
    return (
        isinstance(word, str)
        and "\0" not in word
        and word.encode(errors="replace").decode() == word
    )
