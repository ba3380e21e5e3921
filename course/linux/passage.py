"""One packet on its way through one host: what the host notes on it, and each step it took.

A passage lives only while a packet is followed, and it changes; what comes out of it does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from course.linux.conntrack import UNTRACKED, Connection, Tracked, Tuple, tuple_of
from course.linux.draws import Answer, Draw, Question, first
from course.linux.host import Host, State
from course.linux.packet import Packet

# what draws, by the kind of a question
DRAWN_BY = {
    "statistic": "the statistic match of rules",
    "path": "a hash of addresses and ports",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to a packet on a host.

    `kind` is received, made, bridged, matched, drawn, translated, filtered, routed, sent, delivered
    or dropped. `decided_by` is the rule, route, connection or setting that decided, in its tool's
    own words, and `effect` what it did. `chance` is the probability of what was drawn.
    """

    kind: str
    effect: str
    before: Packet
    after: Packet
    decided_by: str = ""
    table: str = ""
    chain: str = ""
    chance: Fraction = Fraction(1)

    def __str__(self) -> str:
        where = f"{self.table} {self.chain}: ".lstrip() if self.table else ""
        why = f" [{where}{self.decided_by}]" if self.decided_by else ""
        return f"{self.kind}: {self.effect}{why}"


@dataclass
class Passage:
    """What a host knows of a packet while it holds it."""

    host: Host
    packet: Packet
    connections: tuple[Connection, ...] = ()
    recent: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)
    now: float = 0.0
    paths: Mapping[tuple[str, Tuple], Answer] = field(default_factory=dict)
    draw: Draw = first
    mark: int = 0
    in_interface: str = ""
    out_interface: str = ""
    in_port: str = ""  # the port of a bridge that it came in by
    out_port: str = ""  # the port of a bridge that it leaves by, if it is bridged
    next_hop: str = ""
    tracked: Tracked | None = None  # None until connection tracking has seen it
    zone: int = 0
    translator: tuple[str, str] | None = None  # the chain and the rule that last set up NAT
    steps: list[Step] = field(default_factory=list)

    @property
    def seen(self) -> Tracked:
        """What connection tracking says of the packet."""
        return self.tracked or UNTRACKED

    @property
    def state(self) -> State:
        """What the host remembers at this moment."""
        return State(self.connections, self.recent, self.now, self.paths)

    def ask(self, question: Question) -> Answer:
        """Draw, and write down how likely the answer was."""
        answer = self.draw(question)
        chance = dict(question.outcomes)[answer]
        if chance < 1:
            drawn_by = DRAWN_BY[question.kind]
            self.steps.append(
                Step("drawn", drawn_by, self.packet, self.packet, question.about, chance=chance)
            )
        return answer

    def choose_path(self, question: Question) -> Answer:
        """Which of several next hops: the one that the packet's flow took before, or a new one."""
        flow = (question.about, tuple_of(self.packet))
        if flow not in self.paths:
            self.paths = {**self.paths, flow: self.ask(question)}
        return self.paths[flow]

    def step(
        self,
        kind: str,
        effect: str,
        decided_by: str = "",
        table: str = "",
        chain: str = "",
        before: Packet | None = None,
    ) -> None:
        """Write down what happened; `before` is the packet before it was changed."""
        self.steps.append(
            Step(kind, effect, before or self.packet, self.packet, decided_by, table, chain)
        )  # fmt: skip
