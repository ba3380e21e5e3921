"""A live lab: a cluster that was built for real, next to the prediction of what it does.

>>> from course.scenarios import small_cluster
>>> lab = Lab(small_cluster("overlay"))  # doctest: +SKIP
>>> seen = lab.observe(Flow("web-1", "10.244.1.2", 8080))  # doctest: +SKIP
>>> lab.compare(seen).equal  # doctest: +SKIP
True
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence

from course.compare import Comparison, compare
from course.lab.construct import construct
from course.lab.namespaces import Command, Output
from course.lab.observe import observe
from course.linux.host import State
from course.predict import Prediction, States, predict
from course.topology import Topology
from course.trace import Flow, Trace
from course.world import World, build


class Lab:
    """A Topology built out of network namespaces, and the World that predicts what it does.

    `plugins` tells whether pods are made by CNI plugins, as on a node, or straight from the
    World's data, which is faster. Close it, or use `with`. Raises InputError for what cannot be,
    and where no lab can run.
    """

    def __init__(self, topology: Topology, plugins: bool = True) -> None:
        self.world: World = build(topology)
        self.state: States = {}
        self._before: dict[Trace, States] = {}
        self._built = construct(self.world, plugins)

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

        The connection stays open. If its source port was used before, the next one is taken, and
        the flow of the Trace tells which.
        """
        return observe(self._built, flow)

    def compare(self, observation: Trace) -> Comparison:
        """Lay the prediction beside an observation; `state` is what hosts remember after it."""
        found = compare(self.world, observation, self.state)
        self.state = found.prediction.state
        return found
