"""A live lab: a cluster that was built for real, next to the prediction of what it does.

lab = Lab(small_cluster("overlay"))
flow = Flow("web-1", "10.244.1.2", 8080)
lab.predict(flow).trace           # what will become of it
seen = lab.observe(flow)          # what really does
lab.compare(seen).differences     # none
lab.run("node1", "ip route")      # ask any host, as on a real node
lab.close()
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from course.compare import Comparison, compare
from course.errors import InputError
from course.lab.construct import construct
from course.lab.namespaces import Command
from course.lab.observe import observe
from course.lab.probe.readiness import readiness
from course.predict import Prediction, States, predict
from course.topology import Topology
from course.trace import Flow, Trace
from course.world import World, build


@dataclass(frozen=True)
class Tally:
    """Who answered a flow that was sent many times, how often, and which source it saw."""

    servers: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        counts = (("answered by", self.servers), ("saw", self.sources), ("ended", self.ends))
        return "\n".join(
            f"{what} {name}: {count}" for what, found in counts for name, count in found.items()
        )


def demand_ready(topology: Topology) -> None:
    """Raises InputError, with the cure, for a cluster that this machine cannot build live."""
    ready = readiness()
    for cluster in topology.clusters:
        if cluster.model not in ready.models:
            raise InputError(cluster.model, "cannot be built live here.", ready.why_not)


class Lab:
    """A Topology built out of network namespaces, and the World that predicts what it does.

    `world` is that World, `state` what its hosts remember. `plugins` tells whether pods are made by
    CNI plugins, as on a node, or straight from the World's data, which is faster. Close it, or use
    `with`. Raises InputError for what cannot be, and where no lab can run.
    """

    def __init__(self, topology: Topology, plugins: bool = True) -> None:
        demand_ready(topology)
        self.world: World = build(topology)
        self.state: States = {}
        self._built = construct(self.world, plugins)
        self._touched: set[str] = set()  # hosts on which somebody ran a command
        self._compared: list[tuple[Trace, Comparison]] = []

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take everything away. May be called twice."""
        self._built.namespaces.close()

    def predict(self, flow: Flow) -> Prediction:
        """What will become of a flow, by the present World and what its hosts remember."""
        return predict(self.world, flow, self.state)

    def observe(self, flow: Flow) -> Trace:
        """Send a flow for real, and see what becomes of it.

        The connection stays open while the lab lives. If its source port was used before, the next
        one is taken, and the flow of the Trace tells which.
        """
        seen = observe(self._built, flow, self._touched)
        # hosts remember it, whether anybody compares it or not
        found = compare(self.world, seen, self.state)
        self._compared.append((seen, found))
        self.state = found.prediction.state
        return seen

    def compare(self, observation: Trace) -> Comparison:
        """Lay a prediction beside what was observed here: one from before it was.

        Raises InputError for what was not observed in this lab.
        """
        for seen, found in reversed(self._compared):
            if seen is observation:
                return found
        raise InputError(str(observation.flow), "was not observed here.", "Use lab.observe first.")

    def observe_many(self, flow: Flow, times: int) -> Tally:
        """Send a flow many times, from a port of its own each, and count who answered."""
        tally = Tally()
        for _ in range(times):
            seen = self.observe(flow)
            tally.ends[str(seen.disposition)] += 1
            if seen.delivered:
                tally.servers[seen.server] += 1
                tally.sources[seen.delivered.source] += 1
        return tally

    def run(self, host: str, command: str | Sequence[str], timeout: float = 10) -> str:
        """What a command prints on a host, errors included: `lab.run("node1", "ip route")`.

        A text is read as a shell reads words; for pipes, write "sh -c '...'". A command that has
        not ended after `timeout` seconds is stopped, with all that it started, and the text says
        so. Raises InputError for a host that is not there.
        """
        self.world.host(host)
        words = shlex.split(command) if isinstance(command, str) else [*command]
        if not words:
            raise InputError(command, "is no command.", 'Write one, such as "ip route".')
        self._touched.add(host)
        (output,) = self._built.namespaces.run(Command(words, host, timeout=timeout))
        return str(output) + f"(stopped after {timeout:g} s)\n" * output.late
