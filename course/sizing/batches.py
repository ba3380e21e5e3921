"""Azure CNI, pod subnet (dynamic): how its use goes up and down as pods come and go.

A node asks for another batch as soon as fewer than half a batch is free, and gives one back as soon
as a batch and a half are free. So one node with 8 pods and one with 9 hold 16 and 32 addresses, and
a single pod that comes and goes moves a whole batch. The two thresholds lie exactly one batch
apart: for a number of pods only one number of whole batches is at rest, the one that
`course.sizing.pod_subnet.pool_target` tells, however the node came there. (Only a max-pods that is
no multiple of 16 makes a difference: a node that holds so many keeps them a little longer.)

Once the subnet is exhausted, nodes keep one free address and move single addresses. AKS measures
that against thresholds which are not published. Here a subnet is exhausted from the step after one
in which a node got no batch, until whole batches for all nodes would fit again. Nodes ask by turns,
in the order in which they stand.

Sources: facts dynamic.batch_size, dynamic.request_threshold_free, dynamic.release_threshold_free,
dynamic.primary_ip_per_node, dynamic.exhausted_behaviour, dynamic.target_formula.

>>> use = over_time(25, [(0, 0, 0), (9, 0, 0), (8, 0, 0)])
>>> [moment.used for moment in use.moments]
[51, 67, 51]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from course.errors import InputError, whole_number
from course.facts import fact, number
from course.sizing.pod_subnet import max_nodes_at_start, pool_target
from course.subnet import total_addresses, usable_addresses
from course.working import Line, as_text


@dataclass(frozen=True)
class Drawing:
    """How nodes draw addresses: `batch` at a time, the next one when fewer than `request_below` are
    free; one goes back when `release_from` or more are free."""

    batch: int
    request_below: int
    release_from: int

    def rest(self, pods: int, held: int, most: int) -> int:
        """How many addresses a node with so many pods holds in the end, if it may hold `most` and
        gets all it asks for."""
        return self.grown(pods, self.shrunk(pods, held), most)

    def shrunk(self, pods: int, held: int) -> int:
        """What is left after it gave back what it may: then it holds whole batches."""
        while held - pods >= self.release_from:
            held -= held % self.batch or self.batch
        return held

    def grown(self, pods: int, held: int, most: int) -> int:
        """What it holds after it asked for all that it wants, and got it."""
        while (more := self.next(pods, held, most)) > held:
            held = more
        return held

    def next(self, pods: int, held: int, most: int) -> int:
        """What it holds after it asked once; the same if it wants no more."""
        if held - pods >= self.request_below:
            return held
        return min(most, held + self.batch - held % self.batch)


@cache
def in_batches() -> Drawing:
    """How nodes draw usually.

    >>> in_batches()
    Drawing(batch=16, request_below=8, release_from=24)
    >>> in_batches().rest(pods=8, held=32, most=250), in_batches().rest(pods=9, held=32, most=250)
    (16, 32)
    """
    return Drawing(
        number("dynamic.batch_size"),
        number("dynamic.request_threshold_free"),
        number("dynamic.release_threshold_free"),
    )


@cache
def one_by_one() -> Drawing:
    """How nodes draw from an exhausted subnet.

    >>> one_by_one().rest(pods=9, held=32, most=250)
    10
    """
    told = fact("dynamic.exhausted_behaviour").value
    return Drawing(told["batch"], told["min_free"], told["max_free"])


@dataclass(frozen=True)
class Node:
    """What a node holds: `primary` addresses of its own (0 if it could not start) and `held` ones
    for its `pods`. It would like to hold `wanted`. Pods on the host's network are not counted."""

    pods: int
    primary: int
    held: int
    wanted: int

    @property
    def addresses(self) -> int:
        """Addresses of the subnet that it takes."""
        return self.primary + self.held

    @property
    def batches(self) -> int:
        """Batches that it holds, the last one perhaps in part."""
        return -(-self.held // in_batches().batch)

    @property
    def running(self) -> int:
        """Pods with an address."""
        return min(self.pods, self.held)

    @property
    def waiting(self) -> int:
        """Pods without one."""
        return self.pods - self.running

    @property
    def free(self) -> int:
        """Addresses that it holds and no pod uses."""
        return self.held - self.running

    @property
    def refused(self) -> bool:
        """Whether it asked for addresses and did not get them."""
        return self.held < self.wanted

    @property
    def working(self) -> str:
        """How its addresses add up: "2 x 16 + 1"."""
        batch = in_batches().batch
        held = f"{self.held}" if self.held % batch else f"{self.held // batch} x {batch}"
        return f"{held} + {self.primary}" if self.primary else "it could not start"


@dataclass(frozen=True)
class Moment:
    """All nodes after one step. `exhausted` is whether they draw one by one."""

    step: int
    size: int
    exhausted: bool
    nodes: tuple[Node, ...]

    @property
    def used(self) -> int:
        """Addresses of the subnet that nodes hold."""
        return sum(node.addresses for node in self.nodes)

    @property
    def free(self) -> int:
        """Addresses of the subnet that no node holds."""
        return self.size - self.used

    @property
    def running(self) -> int:
        """Pods with an address."""
        return sum(node.running for node in self.nodes)

    @property
    def waiting(self) -> int:
        """Pods without one."""
        return sum(node.waiting for node in self.nodes)

    @property
    def refused(self) -> tuple[int, ...]:
        """The nodes that did not get what they asked for, the first node being 1."""
        return tuple(place for place, node in enumerate(self.nodes, 1) if node.refused)

    @property
    def working(self) -> tuple[Line, ...]:
        """What each node holds, line by line."""
        nodes = [
            Line(
                f"node {place}, {node.pods} pods", node.working, node.addresses,
                "dynamic.exhausted_behaviour" if self.exhausted else "dynamic.target_formula",
            )
            for place, node in enumerate(self.nodes, 1)
        ]  # fmt: skip
        terms = " + ".join(str(node.addresses) for node in self.nodes) or "0"
        lines = [
            *nodes,
            Line("addresses held", terms, self.used),
            Line("free in the subnet", f"{self.size:,} - {self.used:,}", self.free),
        ]
        asked = "address" if self.exhausted else "batch"
        for place in self.refused:
            node = self.nodes[place - 1]
            how = f"it got no further {asked}: {node.pods} - {node.running}"
            lines.append(Line(f"node {place}, pods that wait", how, node.waiting))
        return tuple(lines)

    def explain(self) -> str:
        """The working in plain text.

        >>> print(over_time(26, [(0, 20, 8)]).moments[0].explain())
        Step 1
          node 1, 0 pods          =  1 x 16 + 1                        =  17
          node 2, 20 pods         =  1 x 16 + 1                        =  17
          node 3, 8 pods          =  1 x 16 + 1                        =  17
          addresses held          =  17 + 17 + 17                      =  51
          free in the subnet      =  59 - 51                           =   8
          node 2, pods that wait  =  it got no further batch: 20 - 16  =   4
        """
        title = f"Step {self.step}" + (", in single addresses" if self.exhausted else "")
        return as_text(title, self.working)


@dataclass(frozen=True)
class Use:
    """How a pod subnet is used over time."""

    prefix: int
    moments: tuple[Moment, ...]

    @property
    def size(self) -> int:
        """Addresses of the subnet without those Azure keeps."""
        return usable_addresses(self.prefix)

    @property
    def exhausted_at(self) -> Moment | None:
        """The first moment at which a node does not get its batch, if there is one."""
        return next((moment for moment in self.moments if moment.refused), None)

    @property
    def waiting_at(self) -> Moment | None:
        """The first moment at which a pod waits for an address, if there is one."""
        return next((moment for moment in self.moments if moment.waiting), None)


def over_time(prefix: int, steps: Sequence[Sequence[int]], max_pods: int | None = None) -> Use:
    """How nodes use a pod subnet of this length: each step names the pods on every node.

    A step that names more nodes than the one before adds nodes at the end; one that names fewer
    takes them away, and their addresses are free again. `max_pods` is the most that a node may
    hold, else fact dynamic.max_pods.

    Raises InputError for a length, or a number of pods, that cannot be.

    >>> over_time(26, [(8, 8, 8), (8, 9, 8)]).exhausted_at.refused
    (2,)
    """
    most = _max_pods(max_pods)
    size = usable_addresses(prefix)
    moments: list[Moment] = []
    nodes: tuple[Node, ...] = ()
    exhausted = False
    for step, pods in enumerate(steps, 1):
        for each in pods:
            _check(each, most)
        nodes = _after(nodes, pods, most, size, one_by_one() if exhausted else in_batches())
        moments.append(Moment(step, size, exhausted, nodes))
        exhausted = bool(moments[-1].refused) or (exhausted and not _fit(pods, most, size))
    return Use(prefix, tuple(moments))


@dataclass(frozen=True)
class Start:
    """How many nodes a pod subnet can start, each without a pod."""

    prefix: int

    @property
    def per_node(self) -> int:
        """What an idle node holds."""
        return pool_target(0) + number("dynamic.primary_ip_per_node")

    @property
    def nodes(self) -> int:
        """Nodes that can start."""
        return max_nodes_at_start(self.prefix)

    @property
    def working(self) -> tuple[Line, ...]:
        """The calculation, line by line."""
        batch, primary = pool_target(0), number("dynamic.primary_ip_per_node")
        few, kept = number("dynamic.request_threshold_free"), number("azure.reserved_per_subnet")
        usable = usable_addresses(self.prefix)
        return (
            Line(
                "addresses for pods", f"one batch, for 0 free are fewer than {few}", batch,
                "dynamic.request_threshold_free",
            ),
            Line(
                "an idle node holds", f"{batch} + {primary}", self.per_node,
                "dynamic.primary_ip_per_node",
            ),
            Line(
                "usable addresses", f"{total_addresses(self.prefix):,} - {kept}", usable,
                "azure.reserved_per_subnet",
            ),
            Line("nodes that start", f"{usable:,} / {self.per_node}, rounded down", self.nodes),
        )  # fmt: skip

    def explain(self) -> str:
        """The calculation in plain text.

        >>> print(Start(24).explain())
        Idle nodes in a pod subnet of a /24
          addresses for pods  =  one batch, for 0 free are fewer than 8  =   16
          an idle node holds  =  16 + 1                                  =   17
          usable addresses    =  256 - 5                                 =  251
          nodes that start    =  251 / 17, rounded down                  =   14
        """
        return as_text(f"Idle nodes in a pod subnet of a /{self.prefix}", self.working)


def _max_pods(max_pods: int | None) -> int:
    most = number("dynamic.max_pods")
    if max_pods is not None and whole_number(max_pods, "pods per node", least=1) > most:
        raise InputError(max_pods, "is no max-pods that AKS accepts.", f"Choose {most} or fewer.")
    return most if max_pods is None else max_pods


def _check(pods: int, most: int) -> None:
    if whole_number(pods, "pods") > most:
        raise InputError(
            pods, f"pods do not run on one node: it may run {most}.", "Spread them over more nodes."
        )


def _after(
    before: tuple[Node, ...], pods: Sequence[int], most: int, size: int, drawing: Drawing
) -> tuple[Node, ...]:
    """The nodes after a step: all give back what they may, then they ask by turns, each once."""
    new = (Node(0, 0, 0, 0),) * (len(pods) - len(before))
    was = (*before[: len(pods)], *new)
    held = [drawing.shrunk(count, node.held) for count, node in zip(pods, was, strict=True)]
    primary = [node.primary for node in was]
    available = size - sum(held) - sum(primary)
    served = True
    while served:
        served = False
        for place, count in enumerate(pods):
            more = drawing.next(count, held[place], most) - held[place]
            # a node starts with an address of its own, and has none without a first batch
            own = number("dynamic.primary_ip_per_node") - primary[place]
            if more and more + own <= available:
                held[place] += more
                primary[place] += own
                available -= more + own
                served = True
    wanted = [drawing.grown(count, has, most) for count, has in zip(pods, held, strict=True)]
    return tuple(map(Node, pods, primary, held, wanted))


def _fit(pods: Sequence[int], most: int, size: int) -> bool:
    """Whether whole batches for all of them fit."""
    primary = number("dynamic.primary_ip_per_node")
    return sum(pool_target(count, most) + primary for count in pods) <= size
