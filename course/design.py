"""What the planner is told of a cluster: its pools, ranges, way out, policy, and what it needs.

A Design says what one wants, whatever the model that gives pods their addresses: so that the same
design can be planned in every model. What is left out (None) is filled with the default of AKS,
which may differ from model to model; where the vendor's pages disagree about a default, `Choices`
holds the claim that is to count.

>>> Design(pools=(Pool("system", nodes=50, max_pods=30, max_surge=1),)).pools[0].peak_nodes
51
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from netaddr import IPAddress, IPNetwork

from course.addresses import parse_address, parse_range
from course.cluster import MaxSurge, surge_nodes
from course.errors import InputError, whole_number
from course.facts import fact

SYSTEMS = ("Linux", "Windows2019", "Windows2022", "Windows2025")
POLICIES = ("none", "calico", "azure", "cilium")
DATA_PLANES = ("azure", "cilium")
TIERS = ("Free", "Standard", "Premium")
LOAD_BALANCERS = ("standard", "basic")
OUTBOUND_TYPES = (
    "loadBalancer",
    "managedNATGateway",
    "userAssignedNATGateway",
    "userDefinedRouting",
    "none",
)
NEEDS = {
    "direct pod access": "clients outside the cluster reach pods by the pods' own addresses",
    "virtual nodes": "virtual nodes on Azure Container Instances",
    "application gateway for containers": "Application Gateway for Containers as ingress",
    "private link service": "Private Link Service in front of a LoadBalancer Service",
}
# far beyond any limit of AKS, and small enough that every sum of them is an ordinary number
MOST = 10**9

_CLUSTER_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_NETWORK_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?"
_POOL_NAME = r"[a-z][a-z0-9]{0,11}"
_WINDOWS_POOL_NAME = r"[a-z][a-z0-9]{0,5}"


@dataclass(frozen=True)
class NamedRange:
    """A range and what one calls it: a peered network, a network on premises."""

    name: str
    range: IPNetwork

    def __post_init__(self) -> None:
        _name(self.name, _NETWORK_NAME, "network")


@dataclass(frozen=True)
class Subnet(NamedRange):
    """A subnet of the virtual network. `taken` are addresses that others in it use, such as
    virtual machines and private endpoints."""

    taken: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _count(self.taken, "addresses taken by others")


@dataclass(frozen=True)
class Pool:
    """Nodes of one kind. `nodes` run at first; with `max_nodes` the autoscaler may go so far, and
    with `min_nodes` down to that.

    `max_pods` None is the model's default, `max_surge` None the one in Choices. `pods` are the
    pods with an address of their own that you expect on each node; None: as many as may run.
    `subnet` and `pod_subnet` name the subnets that it uses.

    Raises InputError for a number, name (fact aks.pool_names) or system that cannot be.

    >>> Pool("user", nodes=3, max_nodes=20).planned_nodes
    20
    """

    name: str = "system"
    nodes: int = 3
    min_nodes: int | None = None
    max_nodes: int | None = None
    max_pods: int | None = None
    max_surge: MaxSurge | None = None
    pods: int | None = None
    system: str = "Linux"
    subnet: str = "nodes"
    pod_subnet: str = "pods"

    def __post_init__(self) -> None:
        _one_of(self.system, SYSTEMS, "system")
        if self.windows:
            _name(self.name, _WINDOWS_POOL_NAME, "Windows node pool (lower case, at most 6)")
        _name(self.name, _POOL_NAME, "node pool (lower case letters and digits, at most 12)")
        for subnet in (self.subnet, self.pod_subnet):
            _name(subnet, _NETWORK_NAME, "subnet")
        _count(self.nodes, "nodes")
        if self.max_pods is not None:
            _count(self.max_pods, "pods per node", least=1)
        if self.pods is not None:
            _count(self.pods, "pods expected per node")
        if self.max_surge is not None:
            _surge(self.max_surge)
        self._check_autoscaler()

    def _check_autoscaler(self) -> None:
        least = self.nodes if self.min_nodes is None else _count(self.min_nodes, "nodes, at least")
        if self.max_nodes is None:
            if self.min_nodes is not None:
                raise InputError(
                    self.min_nodes, "is a least number of nodes without a most.",
                    "The autoscaler wants both: give the most nodes too.",
                )  # fmt: skip
            return
        _count(self.max_nodes, "nodes, at most")
        if not least <= self.nodes <= self.max_nodes:
            raise InputError(
                self.nodes,
                f"nodes are not between the autoscaler's {least} and {self.max_nodes}.",
                "Give least, present and most nodes in ascending order.",
            )

    @property
    def windows(self) -> bool:
        """Whether its nodes run Windows."""
        return self.system.startswith("Windows")

    @property
    def planned_nodes(self) -> int:
        """The most nodes outside of upgrades: what the autoscaler may make of the pool."""
        return self.nodes if self.max_nodes is None else self.max_nodes

    @cached_property  # asked for very often
    def surge_nodes(self) -> int:
        """Nodes that an upgrade adds, if its max-surge is known: a model settles it."""
        return surge_nodes(self.planned_nodes, 0 if self.max_surge is None else self.max_surge)

    @property
    def without_surge(self) -> bool:
        """Whether an upgrade adds no node, however many there are."""
        return self.max_surge is not None and surge_nodes(1, self.max_surge) == 0

    @property
    def peak_nodes(self) -> int:
        """The most nodes at any time: scaled out and being upgraded."""
        return self.planned_nodes + self.surge_nodes


@dataclass(frozen=True)
class Outbound:
    """The way to the internet. `addresses` are public addresses of the load balancer or the NAT
    gateway; `ports_per_node` is the load balancer's, 0 means automatic. `next_hop` is the
    appliance's address for userDefinedRouting.
    """

    type: str = "loadBalancer"
    addresses: int = 1
    ports_per_node: int = 0
    next_hop: IPAddress | None = None

    def __post_init__(self) -> None:
        _one_of(self.type, OUTBOUND_TYPES, "outbound type")
        _count(self.addresses, "public addresses", least=1)
        _count(self.ports_per_node, "ports a node")


@dataclass(frozen=True)
class Services:
    """Services of type LoadBalancer: `public` and `internal` ones, with `ports` each. Each internal
    one takes an address of the node subnet. `frontends` are the addresses that the public ones
    share; None: each has its own, as AKS gives it."""

    public: int = 1
    internal: int = 0
    ports: int = 2
    frontends: int | None = None

    def __post_init__(self) -> None:
        _count(self.public, "public Services")
        _count(self.internal, "internal Services")
        _count(self.ports, "ports a Service", least=1)
        if self.frontends is not None:
            _count(self.frontends, "frontend addresses", least=1)


def newest_claim(fact_id: str) -> int | str:
    """What the newest of the vendor's pages says where they disagree.

    >>> newest_claim("surge.default"), newest_claim("aks.overlay_max_pods_total")
    ('10%', 200000)
    """
    newest = max(fact(fact_id).claims, key=lambda claim: claim.read_no_later_than)
    value: int | str = newest.value
    return value


@dataclass(frozen=True)
class Choices:
    """Which claim counts where the vendor's pages disagree; at first that of the newest page.

    Facts surge.default, dynamic.default_max_pods, aks.overlay_max_pods_total.
    """

    surge: MaxSurge = field(default_factory=lambda: newest_claim("surge.default"))
    pod_subnet_max_pods: int = field(
        default_factory=lambda: int(newest_claim("dynamic.default_max_pods"))
    )
    overlay_pods: int = field(
        default_factory=lambda: int(newest_claim("aks.overlay_max_pods_total"))
    )

    def __post_init__(self) -> None:
        _surge(self.surge)
        _count(self.pod_subnet_max_pods, "pods per node", least=1)
        _count(self.overlay_pods, "pods in all", least=1)


@dataclass(frozen=True)
class Design:
    """A cluster as one wants it. `model` is the id of the model chosen, "" while none is.

    `today` is the day on which retirement dates are looked at. `kubernetes` is a minor version
    like "1.34", "" if unknown. `own_network` is false where AKS makes the virtual network itself.
    Raises InputError for what cannot be; whether AKS would accept the
    design is another question, answered by findings.
    """

    name: str = "aks"
    model: str = ""
    today: date = field(default_factory=date.today)
    kubernetes: str = ""
    tier: str = "Standard"
    pools: tuple[Pool, ...] = field(default_factory=lambda: (Pool(),))
    own_network: bool = True
    vnet: tuple[IPNetwork, ...] = field(default_factory=lambda: (IPNetwork("10.240.0.0/16"),))
    subnets: tuple[Subnet, ...] = ()
    pod_range: IPNetwork | None = None
    service_range: IPNetwork = field(
        default_factory=lambda: _default_range("aks.default_service_cidr")
    )
    dns_address: IPAddress = field(default_factory=lambda: _default_dns())
    peered: tuple[NamedRange, ...] = ()
    on_premises: tuple[NamedRange, ...] = ()
    outbound: Outbound = field(default_factory=Outbound)
    services: Services = field(default_factory=Services)
    load_balancer: str = "standard"
    policy: str = "none"
    data_plane: str = "azure"
    needs: frozenset[str] = frozenset()
    choices: Choices = field(default_factory=Choices)

    def __post_init__(self) -> None:
        _name(self.name, _CLUSTER_NAME, "cluster (letters, digits, - and _, at most 63)")
        _one_of(self.tier, TIERS, "tier")
        _one_of(self.policy, POLICIES, "network policy engine")
        _one_of(self.data_plane, DATA_PLANES, "data plane")
        _one_of(self.load_balancer, LOAD_BALANCERS, "load balancer SKU")
        for need in sorted(self.needs):
            _one_of(need, tuple(NEEDS), "need")
        if self.kubernetes and not re.fullmatch(r"[0-9]{1,2}\.[0-9]{1,3}", self.kubernetes):
            raise InputError(
                self.kubernetes, "is no Kubernetes version.", "Write its first two parts, as 1.34."
            )
        for each in (*self.vnet, self.pod_range, self.service_range, *self._ranges()):
            if each is not None and each.version != 4:
                raise InputError(str(each), "is IPv6; the planner plans IPv4.", "Give IPv4 ranges.")
        if not self.pools:
            raise InputError("no node pool", "is too few.", "A cluster has at least one.")
        if not self.vnet:
            raise InputError("no range", "is too little for a virtual network.", "Give one.")
        _unique((pool.name for pool in self.pools), "node pool")
        _unique((subnet.name for subnet in self.subnets), "subnet")
        _unique((each.name for each in (*self.peered, *self.on_premises)), "network")

    def _ranges(self) -> Iterable[IPNetwork]:
        return (each.range for each in (*self.subnets, *self.peered, *self.on_premises))

    def subnet(self, name: str) -> Subnet | None:
        """The subnet of this name, if the design has it. Azure takes names in any case."""
        wanted = name.lower()
        return next((each for each in self.subnets if each.name.lower() == wanted), None)

    @property
    def windows(self) -> bool:
        """Whether a pool runs Windows."""
        return any(pool.windows for pool in self.pools)

    @cached_property
    def planned_nodes(self) -> int:
        """The most nodes outside of upgrades."""
        return sum(pool.planned_nodes for pool in self.pools)

    @cached_property
    def peak_nodes(self) -> int:
        """The most nodes at any time, if all pools are upgraded at once."""
        return sum(pool.peak_nodes for pool in self.pools)


def _name(name: object, pattern: str, what: str) -> None:
    if not (isinstance(name, str) and re.fullmatch(pattern, name, flags=re.ASCII)):
        raise InputError(
            name, f"is no name of a {what}.", "Use letters and digits, and begin with a letter."
        )


def _one_of(value: object, allowed: tuple[str, ...], what: str) -> None:
    if value not in allowed:
        raise InputError(value, f"is no {what} that the planner knows.", f"Say {_list(allowed)}.")


def _count(value: object, name: str, least: int = 0) -> int:
    count = whole_number(value, name, least)
    if count > MOST:
        raise InputError(count, f"is too large a number of {name}.", "Check the number.")
    return count


def _surge(max_surge: object) -> None:
    if not isinstance(max_surge, (int, str)):
        raise InputError(max_surge, "is no max-surge.", "Give a whole number, or like '10%'.")
    surge_nodes(0, max_surge)


def _unique(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:  # Azure takes names in any case
            raise InputError(name, f"names more than one {what}.", "Give each its own name.")
        seen.add(name.lower())


def _list(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _default_range(fact_id: str) -> IPNetwork:
    return parse_range(fact(fact_id).value)


def _default_dns() -> IPAddress:
    return parse_address(fact("aks.default_dns_service_ip").value)
