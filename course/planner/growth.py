"""How far a design can grow, what breaks first, and how much room there is.

A range that the planner proposes would grow along with the design and never break. A subnet that
exists does not: one in use cannot be resized (fact azure.in_use_subnet_resize). So growth is
reckoned from the design as built: with the proposed ranges fixed as its own.

Every limit is a number used out of a number that there is, so one search serves all of them: see
course.planner.search. The cost does not depend on the number of nodes.

>>> from course.networks import model
>>> from course.design import Design, Pool, Subnet
>>> from course.addresses import parse_range
>>> small = Design(
...     pools=(Pool("system", nodes=3, max_pods=30, max_surge=1),),
...     subnets=(Subnet("nodes", parse_range("10.240.0.0/24")),),
... )
>>> outlook(small, model("node-subnet")).growth("system", "nodes").left
4
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from course.design import MOST, Design, Pool, Subnet
from course.errors import InputError
from course.facts import number
from course.finding import Demand, Limit, Severity
from course.networks.model import NetworkModel
from course.planner.comparison import ModelPlan
from course.planner.comparison import plan as plan_of
from course.planner.limits import limits
from course.planner.placing import place
from course.planner.search import Found, broken, first
from course.working import Line, as_text

Limits = tuple[Limit, ...]
# every limit of the design with this pool in place of the one of its name
Look = Callable[[Pool], Limits]


def built(plan: ModelPlan) -> Design:
    """The design as it stands once it is built: in the plan's model, with every default filled in,
    and the proposed ranges as its own subnets and pod range.

    A demand for which nothing is free stays without a range. Planning the result again in the same
    model proposes nothing more.

    >>> from course.networks import model
    >>> [subnet.name for subnet in built(plan_of(Design(), model("pod-subnet-dynamic"))).subnets]
    ['nodes', 'pods']
    """
    subnets, pod_range = list(plan.design.subnets), plan.design.pod_range
    for demand in plan.demands:
        if not demand.proposed or demand.range is None:
            continue
        if demand.kind == "pod range":
            pod_range = demand.range
        else:
            subnets.append(Subnet(demand.name, demand.range))
    return replace(plan.design, model=plan.model.id, subnets=tuple(subnets), pod_range=pod_range)


@dataclass(frozen=True)
class HeadRoom:
    """How much of a limit is used."""

    limit: Limit

    @property
    def share(self) -> float:
        """The part that is used: 1 is all of it, more is too much."""
        used, most = self.limit.used, self.limit.most
        return used / most if most else (math.inf if used else 1.0)

    @property
    def share_text(self) -> str:
        """The share in percent. 100% and less fits, more than 100% does not: it is rounded so."""
        used, most = 100 * self.limit.used, self.limit.most
        if not most:
            return "there is none"
        return f"{-(-used // most) if self.limit.broken else used // most:,}%"

    @property
    def line(self) -> Line:
        """It as a line of a calculation."""
        limit = self.limit
        left = f"{limit.left:,} left" if not limit.broken else f"{-limit.left:,} missing"
        how = f"{limit.used:,} of {limit.most:,}, {left}"
        return Line(limit.what, how, self.share_text, limit.fact)


def head_room(plan: ModelPlan) -> tuple[HeadRoom, ...]:
    """Every limit of a plan, the tightest first.

    >>> from course.networks import model
    >>> kubenet = plan_of(Design(pools=(Pool(nodes=399, max_surge=1),)), model("kubenet"))
    >>> tightest = head_room(kubenet)[0]
    >>> tightest.limit.what, tightest.limit.left, tightest.share_text
    ('routes of the route table, one a node', 0, '100%')
    """
    rooms = map(HeadRoom, (*plan.limits, *_unplaced(plan.demands)))
    return tuple(sorted(rooms, key=lambda room: -room.share))


@dataclass(frozen=True)
class Break:
    """A limit that breaks, and the value at which it does. `limit` is as it stands there."""

    at: int
    limit: Limit

    @property
    def how(self) -> str:
        """What is used there, of what there is."""
        return f"{self.limit.used:,} of {self.limit.most:,} {self.limit.what}"


@dataclass(frozen=True)
class Growth:
    """How far one number of one pool can grow, with all else as it is.

    `what` is "nodes", "max-pods" or "max-surge"; `unit` is "%" for a max-surge in percent. It is
    `now`, and was tried up to `end`; `end_why` says why no further, by `end_fact`. `breaks` are the
    limits that all break at the first value at which one does and AKS refuses; none if nothing
    breaks. `warnings` are limits of less weight that are passed before, the first one first.
    `fits` is the most that would do where `now` is too much; None where nothing less would.
    """

    pool: str
    what: str
    now: int
    end: int
    end_why: str
    end_fact: str = ""
    unit: str = ""
    breaks: tuple[Break, ...] = ()
    warnings: tuple[Break, ...] = ()
    fits: int | None = None

    @property
    def breaks_at(self) -> int | None:
        """The first value that is too much; None if nothing breaks. `now` if it is broken now."""
        return self.breaks[0].at if self.breaks else None

    @property
    def broken_now(self) -> bool:
        """Whether something is broken before anything grows."""
        return self.breaks_at == self.now

    @property
    def left(self) -> int:
        """By how much it can grow; 0 if something is broken now."""
        most = self.end if self.breaks_at is None else self.breaks_at - 1
        return max(0, most - self.now)

    @property
    def how(self) -> str:
        """How one makes it grow, where that is not plain."""
        return HOW.get(self.what, ("", ""))[0]

    @property
    def facts(self) -> tuple[str, ...]:
        """All that it rests on."""
        found = [each.limit.fact for each in (*self.breaks, *self.warnings)]
        found += [self.end_fact, HOW.get(self.what, ("", ""))[1]]
        return tuple(dict.fromkeys(each for each in found if each))

    @property
    def working(self) -> tuple[Line, ...]:
        """How the room came about, line by line."""
        warned = [self._line("warning from", each) for each in self.warnings]
        ends = [self._line("breaks at", each) for each in self.breaks]
        if not self.breaks:
            ends = [Line("can grow to", self.end_why, self.shown(self.end), self.end_fact)]
        now = Line(f"{self.what} now", "as planned", self.shown(self.now))
        return (now, *warned, *ends, Line("room left", self._room(), self.shown(self.left)))

    def explain(self) -> str:
        """The working in plain text, with what to do, and what AKS answers."""
        lines = [as_text(f"How far {self.what} of pool {self.pool} can grow", self.working)]
        lines += [f"  AKS answers: {e.limit.refusal}" for e in self.breaks if e.limit.refusal]
        lines += [f"  {each}" for each in dict.fromkeys(e.limit.do for e in self.breaks)]
        return "\n".join([*lines, *([f"  {self.how}"] if self.how else [])])

    def shown(self, value: int) -> str:
        """A value with its unit: "1,000", "33%"."""
        return f"{value:,}{self.unit}"

    def _line(self, what: str, found: Break) -> Line:
        since = "now" if found.at == self.now else self.shown(found.at)
        return Line(what, found.how, since, found.limit.fact)

    def _room(self) -> str:
        if self.broken_now:
            return "broken already" + ("" if self.fits is None else f", fits up to {self.fits:,}")
        if self.breaks_at is None:
            return f"{self.end:,} - {self.now:,}"
        return f"{self.breaks_at:,} - 1 - {self.now:,}"


@dataclass(frozen=True)
class Outlook:
    """How a design can grow in one model. `design` is the one that grows: as it is built, with
    pools whose number of pods was left open growing in pods along with max-pods."""

    model: NetworkModel
    design: Design
    head_room: tuple[HeadRoom, ...]
    growths: tuple[Growth, ...]

    def growth(self, pool: str, what: str) -> Growth:
        """How far this number of this pool can grow. Raises InputError if there is no such one."""
        for each in self.growths:
            if (each.pool, each.what) == (pool, what):
                return each
        known = ", ".join(f"{each.what} of {each.pool}" for each in self.growths)
        raise InputError(f"{what} of {pool}", "is nothing that grows here.", f"There are {known}.")

    def explain(self) -> str:
        """The head-room and everything that can grow, in plain text."""
        room = as_text("Head-room, the tightest first", [each.line for each in self.head_room])
        rows = [
            Line(f"{each.what} of {each.pool}", _first_words(each), each.shown(each.left))
            for each in self.growths
        ]
        return "\n".join([self.model.title, room, as_text("Room to grow", rows)])


@lru_cache(maxsize=8)  # the planner shows it, and writes it into the text for a ticket
def outlook(design: Design, model: NetworkModel) -> Outlook:
    """How a design can grow in a model: nodes, max-pods and max-surge of each pool, each with all
    else as it is.

    >>> from course.networks import model as model_of
    >>> found = outlook(Design(pools=(Pool(nodes=390, max_surge=1),)), model_of("kubenet"))
    >>> print(found.growth("system", "nodes").explain())
    How far nodes of pool system can grow
      nodes now  =  as planned                                        =  390
      breaks at  =  401 of 400 routes of the route table, one a node  =  400
      room left  =  400 - 1 - 390                                     =    9
      Run fewer nodes, or choose Azure CNI Overlay.
    """
    plan = plan_of(design, model)
    base = _left_open(built(plan), design)

    @cache
    def look(pool: Pool) -> Limits:
        pools = tuple(pool if each.name == pool.name else each for each in base.pools)
        return _limits(replace(base, pools=pools), model)

    growths = [_growth(pool, way, look) for pool in base.pools for way in WAYS]
    return Outlook(model, base, head_room(plan), tuple(growths))


@dataclass(frozen=True)
class _Way:
    """One number of a pool that can grow: where it ends and why (with the fact), the pool with
    another number in its place, and the number's unit."""

    what: str
    now: Callable[[Pool], int]
    end: Callable[[Pool], tuple[int, str, str]]
    put: Callable[[Pool, int], Pool]
    unit: Callable[[Pool], str] = lambda pool: ""


def _with_nodes(pool: Pool, nodes: int) -> Pool:
    if pool.max_nodes is None:
        return replace(pool, nodes=nodes)
    return replace(pool, max_nodes=nodes)


def _surge(pool: Pool) -> tuple[int, str]:
    """The number of its max-surge, and its unit."""
    text = str(pool.max_surge).strip()
    return int(text.rstrip("%")), "%" if text.endswith("%") else ""


def _surge_end(pool: Pool) -> tuple[int, str, str]:
    now, unit = _surge(pool)
    most = 100 if unit else pool.planned_nodes
    return max(now, most), "surge is never more than the pool", "surge.rounding"


def _max_pods_end(pool: Pool) -> tuple[int, str, str]:
    fact_id = "nodesubnet.max_pods"
    return max(pool.max_pods or 0, number(fact_id)), "the most that AKS accepts", fact_id


WAYS = (
    _Way(
        "nodes", lambda pool: pool.planned_nodes,
        lambda pool: (MOST, "the most that the planner reckons with", ""), _with_nodes,
    ),
    _Way(
        "max-pods", lambda pool: pool.max_pods or 0, _max_pods_end,
        lambda pool, value: replace(pool, max_pods=value),
    ),
    _Way(
        "max-surge", lambda pool: _surge(pool)[0], _surge_end,
        lambda pool, value: replace(pool, max_surge=f"{value}%" if _surge(pool)[1] else value),
        lambda pool: _surge(pool)[1],
    ),
)  # fmt: skip
HOW = {
    "max-pods": (
        "max-pods of an existing pool cannot be changed: make a new pool and move the pods there.",
        "aks.max_pods_changeable",
    )
}


def _growth(pool: Pool, way: _Way, look: Look) -> Growth:
    now, (end, why, fact_id) = way.now(pool), way.end(pool)

    def errors(value: int) -> Found:
        return _of(Severity.ERROR, look(way.put(pool, value)))

    def warnings(value: int) -> Found:
        return _of(Severity.WARNING, look(way.put(pool, value)))

    def passed(limit_id: str, last: int) -> Break:
        def alone(value: int) -> Found:
            return {name: each for name, each in warnings(value).items() if name == limit_id}

        at = first(now, last, alone)
        at = last if at is None else at
        return Break(at, warnings(at)[limit_id])

    at = first(now, end, errors)
    last = end if at is None else max(now, at - 1)
    breaks = [] if at is None else [Break(at, each) for each in broken(errors(at))]
    warned = (passed(each.id, last) for each in broken(warnings(last)))
    return Growth(
        pool.name, way.what, now, end, why, fact_id, way.unit(pool),
        breaks=tuple(breaks),
        warnings=tuple(sorted(warned, key=lambda each: each.at)),
        fits=_fits(pool, look) if at == now and way.what == "nodes" else None,
    )  # fmt: skip


def _fits(pool: Pool, look: Look) -> int | None:
    """The most nodes, fewer than there are, with which nothing is broken."""
    at = first(
        0, pool.planned_nodes, lambda nodes: _of(Severity.ERROR, look(_with_fewer(pool, nodes)))
    )
    return at - 1 if at else None


def _with_fewer(pool: Pool, nodes: int) -> Pool:
    if pool.max_nodes is None:
        return replace(pool, nodes=nodes)
    least = None if pool.min_nodes is None else min(pool.min_nodes, nodes)
    return replace(pool, min_nodes=least, nodes=min(pool.nodes, nodes), max_nodes=nodes)


def _of(severity: Severity, found: Limits) -> Found:
    return {each.id: each for each in found if each.severity is severity}


def _limits(design: Design, model: NetworkModel) -> Limits:
    """Every limit, at a fraction of the cost of a whole plan."""
    settled = model.settle(design)
    demands = place(settled, model.demands(settled))
    return (*limits(model, settled, demands), *_unplaced(demands))


def _unplaced(demands: tuple[Demand, ...]) -> Limits:
    """Demands for which nothing is free, as limits of which there is nothing."""
    return tuple(
        Limit(
            id=f"{demand.kind} {demand.name}",
            what=f"addresses for the {demand.kind} {demand.name}, for which no range is free",
            used=demand.needed,
            most=0,
            fact=demand.fact,
            do="Free address space for it, or run fewer nodes.",
            working=demand.working,
        )
        for demand in demands
        if demand.range is None
    )


def _left_open(design: Design, asked: Design) -> Design:
    """A settled design whose pools run as many pods as was asked: where that was left open, as many
    as they may, whatever max-pods becomes."""
    pools = zip(design.pools, asked.pools, strict=True)
    return replace(design, pools=tuple(replace(pool, pods=was.pods) for pool, was in pools))


def _first_words(growth: Growth) -> str:
    if growth.breaks:
        return f"from {growth.shown(growth.breaks[0].at)}: {growth.breaks[0].how}"
    return f"to {growth.shown(growth.end)}: {growth.end_why}"
