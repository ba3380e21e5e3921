"""What every network model tells of itself. A new model is a subclass in a file of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from course.cluster import MaxSurge
from course.design import Choices, Design, Pool
from course.errors import InputError
from course.finding import Demand, Finding, Limit

if TYPE_CHECKING:  # a planner needs no hosts, and what makes them takes time to load
    from course.topology import Cluster, Topology
    from course.wiring.made import Made


@dataclass(frozen=True)
class Reason:
    """Why one would choose a model, or not, and the fact that it rests on."""

    text: str
    fact: str


@dataclass(frozen=True)
class Move:
    """A way out of a model. `to` is another model's id, or "cilium" for that data plane; `how` is
    the command or the words for it.

    `in_place` is whether the cluster stays the same one. `needs_kubernetes` is the least version,
    `without_policy` whether the cluster must have no network policy engine, `without_windows`
    whether it must have no Windows nodes.
    """

    to: str
    how: str
    facts: tuple[str, ...]
    in_place: bool = True
    needs_kubernetes: str = ""
    without_policy: bool = False
    without_windows: bool = False


# the data plane changes apart from the model, in a step of its own
TO_CILIUM = Move(
    "cilium",
    "az aks update --network-dataplane cilium",
    ("migrate.dataplane_paths",),
    without_windows=True,
)


class NetworkModel(ABC):
    """One way of giving pods addresses.

    `rank` orders the models that would do, the best first. `flat` is whether pods take addresses of
    the virtual network. `policies` are the network policy engines by data plane; a data plane that
    is missing is not supported. `unmet` are the needs of a design (course.design.NEEDS) that it
    does not serve, each with the fact that says so. `names_are_labels` is whether names of subnets
    become labels of nodes, which are short.

    These name a fact, or nothing: `ends`, when it retires; `min_kubernetes`, the first version that
    has it; `pod_range_rule`, what its pod range may not overlap; `pod_range_refusal`, what AKS
    answers then.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    idea: ClassVar[str]
    rank: ClassVar[int]
    flat: ClassVar[bool] = True
    policies: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "azure": ("none", "calico", "azure"),
        "cilium": ("cilium",),
    }
    data_plane_fact: ClassVar[str] = "cilium.ipam_options"
    policy_fact: ClassVar[str] = "policy.engines"
    systems: ClassVar[tuple[str, ...]] = ("Linux", "Windows2019", "Windows2022", "Windows2025")
    system_fact: ClassVar[str] = ""
    min_kubernetes: ClassVar[str] = ""
    pod_range_rule: ClassVar[str] = ""
    pod_range_refusal: ClassVar[str] = ""
    ends: ClassVar[str] = ""
    names_are_labels: ClassVar[bool] = False
    unmet: ClassVar[Mapping[str, str]] = {}
    reasons_for: ClassVar[tuple[Reason, ...]] = ()
    reasons_against: ClassVar[tuple[Reason, ...]] = ()
    moves: ClassVar[tuple[Move, ...]] = ()

    @abstractmethod
    def default_max_pods(self, choices: Choices) -> int:
        """Pods a node may run if nobody says."""

    @abstractmethod
    def demands(self, design: Design) -> tuple[Demand, ...]:
        """What it takes of each address range at the peak. The design is settled."""

    @abstractmethod
    def profile(self) -> Mapping[str, str]:
        """What selects it in a cluster's networkProfile and pools, by the API's names."""

    def counted_addresses(self, demands: Sequence[Demand]) -> int:
        """Addresses of the virtual network that count towards its limit."""
        return sum(demand.needed for demand in demands if demand.kind != "pod range")

    def limits(self, design: Design) -> tuple[Limit, ...]:
        """Limits that are its own, beyond those of its demands and of every cluster."""
        return ()

    def checks(self, design: Design, demands: Sequence[Demand]) -> tuple[Finding, ...]:
        """Findings that are its own."""
        return ()

    def settle(self, design: Design) -> Design:
        """The design with this model's defaults in place of what was left out."""
        max_pods, surge = self.default_max_pods(design.choices), design.choices.surge
        pools = tuple(_settled(pool, max_pods, surge) for pool in design.pools)
        return replace(design, pools=pools)

    def addressed(self, cluster: Cluster, topology: Topology) -> Cluster:
        """The cluster with an address for every node and pod that has none yet.

        Raises InputError if addresses run out, or for a model that makes no hosts.
        """
        raise InputError(self.id, "makes no hosts.", "Plan with it, or choose another model.")

    def hosts(self, cluster: Cluster, topology: Topology) -> Made:
        """Nodes and pods as hosts, and what Azure learns of them. The cluster is addressed."""
        raise InputError(self.id, "makes no hosts.", "Plan with it, or choose another model.")


@lru_cache(maxsize=1024)  # the models ask for the same pools, and a planner asks again and again
def _settled(pool: Pool, default_max_pods: int, default_surge: MaxSurge) -> Pool:
    max_pods = default_max_pods if pool.max_pods is None else pool.max_pods
    surge = default_surge if pool.max_surge is None else pool.max_surge
    pods = max_pods if pool.pods is None else min(pool.pods, max_pods)
    return replace(pool, max_pods=max_pods, max_surge=surge, pods=pods)
