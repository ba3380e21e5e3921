"""What a look at a design finds: limits and how far they are used, and findings.

A Limit is anything of which a cluster has only so much: addresses of a subnet, routes of a table,
nodes of a pool. Because each is a number used out of a number allowed, one rule judges them all,
and one search tells which of them breaks first as a cluster grows.

>>> limit = Limit("routes", "routes of the route table", 401, 400, "azure.route_table_routes",
...     "Use fewer nodes.")
>>> limit.left, limit.broken
(-1, True)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from netaddr import IPNetwork

from course.working import Line


class Severity(Enum):
    """How bad a finding is; the first is the worst."""

    ERROR = "error"  # AKS refuses it, or it does not work
    WARNING = "warning"  # it works today
    ADVICE = "advice"  # it works; there is something to know


@dataclass(frozen=True)
class Finding:
    """Something about a design that one should know: what, the facts behind it, what to do.

    `refusal` is what the service itself answers, where that is known. `field` names the part of the
    design to change: "service_range", "pools.user.max_pods".
    """

    severity: Severity
    what: str
    facts: tuple[str, ...]
    do: str
    refusal: str = ""
    field: str = ""


@dataclass(frozen=True)
class Limit:
    """Something of which a design has only so much. `id` stays the same while a design grows.

    `fact` says why there is not more, `do` what one does about it; `working` is how `used` came
    about. `severity` is that of the finding if more is used than there is.
    """

    id: str
    what: str
    used: int
    most: int
    fact: str
    do: str
    working: tuple[Line, ...] = ()
    severity: Severity = Severity.ERROR
    refusal: str = ""
    field: str = ""

    @property
    def left(self) -> int:
        """How much is left; below 0, as much is missing."""
        return self.most - self.used

    @property
    def broken(self) -> bool:
        """Whether more is used than there is."""
        return self.left < 0


@dataclass(frozen=True)
class Demand:
    """What a model takes of one address range at its peak, in addresses.

    `kind` is "node subnet", "pod subnet" or "pod range"; `name` the subnet's. `needed` is the peak
    (scaled out and being upgraded), `steady` what is taken at first. `kept` addresses of the range
    serve nobody (Azure's own). `range` is where it lies: given by the design, or else proposed;
    None where nothing is free. `fact` says what a node takes, `refusal` what AKS answers where the
    range is too small.
    """

    kind: str
    name: str
    needed: int
    kept: int
    min_prefix: int | None
    working: tuple[Line, ...]
    range: IPNetwork | None = None
    proposed: bool = False
    steady: int = 0
    fact: str = ""
    refusal: str = ""

    @property
    def available(self) -> int:
        """Addresses of the range that can be used."""
        return 0 if self.range is None else max(0, int(self.range.size) - self.kept)
