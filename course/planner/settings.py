"""What a plan says by the names of Azure's API: what its exports, az and Bicep, have in common.

All of it follows from the plan: from the model's profile and from what it demands, so that a new
model is exported without a word here.

>>> from course.design import Design
>>> from course.planner.comparison import compare
>>> network_profile(compare(Design()).plan("overlay"))["networkPluginMode"]
'overlay'
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from netaddr import IPNetwork

from course.addresses import canonical
from course.design import Pool
from course.errors import InputError
from course.facts import number
from course.finding import Demand
from course.planner import terms
from course.planner.comparison import ModelPlan

WAY_OUT = "0.0.0.0/0"
ROLE = "Network Contributor"
# what a Design does not hold, to be changed by the reader
LOCATION, VM_SIZE = "westeurope", "Standard_D4s_v5"
NO_SURGE = (
    "AKS upgrades without a surge node only with a max-unavailable, which a system pool cannot "
    "have: set a max-surge of 1 or more."
)
DELEGATED_TO = "Microsoft.ContainerService/managedClusters"
_MOST_DNS_PREFIX = 54  # azure_terms.toml, properties.dnsPrefix
_MOST_NETWORK_NAME = 63  # fact overlay.name_length: it becomes a label of nodes
_PROFILE, _POOL = "properties.networkProfile.", "properties.agentPoolProfiles[]."

Value = str | int | bool


@dataclass(frozen=True)
class SubnetSetting:
    """A subnet of the virtual network. `purpose` says what it is for. `pods` is whether it is a pod
    subnet; `ours`, whether pools of this cluster use it at all. `range` is None if none is free.
    """

    name: str
    range: IPNetwork | None
    purpose: str
    pods: bool = False
    ours: bool = True


def subnets(plan: ModelPlan) -> tuple[SubnetSetting, ...]:
    """Every subnet of the virtual network: those of the pools, then those of others."""
    used: dict[str, SubnetSetting] = {}
    for demand in plan.demands:
        if demand.kind != "pod range":
            pods = demand.kind == "pod subnet"
            setting = SubnetSetting(demand.name, demand.range, _purpose(demand), pods)
            used.setdefault(demand.name, setting)
    others = (
        SubnetSetting(each.name, each.range, "not used by this cluster", ours=False)
        for each in plan.design.subnets
        if each.name not in used
    )
    return (*used.values(), *others)


def network_profile(plan: ModelPlan) -> dict[str, Value]:
    """The cluster's networkProfile, without the profiles of load balancer and NAT gateway."""
    design = plan.design
    found: dict[str, Value] = {
        name: value for name, value in _profile(plan).items() if not _of_pools(name)
    }
    found["networkDataplane"] = design.data_plane
    found["networkPolicy"] = design.policy
    pod_range = next((each.range for each in plan.demands if each.kind == "pod range"), None)
    if pod_range is not None:
        found["podCidr"] = canonical(pod_range)
    found["serviceCidr"] = canonical(design.service_range)
    found["dnsServiceIP"] = canonical(design.dns_address)
    found["outboundType"] = design.outbound.type
    found["loadBalancerSku"] = design.load_balancer
    return found


def pool_profile(
    plan: ModelPlan, pool: Pool, subnet_id: Callable[[str], Value]
) -> dict[str, Value]:
    """A pool's profile, without name and upgradeSettings. `subnet_id` gives a subnet's id."""
    found: dict[str, Value] = {"osType": "Windows" if pool.windows else "Linux"}
    if pool.windows:
        found["osSKU"] = pool.system
    found["count"] = pool.nodes
    if pool.max_nodes is not None:
        found["enableAutoScaling"] = True
        found["minCount"] = pool.nodes if pool.min_nodes is None else pool.min_nodes
        found["maxCount"] = pool.max_nodes
    if pool.max_pods is not None:
        found["maxPods"] = pool.max_pods
    if plan.design.own_network:
        found["vnetSubnetID"] = subnet_id(pool.subnet)
        if any(each.kind == "pod subnet" for each in plan.demands):
            found["podSubnetID"] = subnet_id(pool.pod_subnet)
        found |= {name: value for name, value in _profile(plan).items() if _of_pools(name)}
    return found


def upgrade_settings(plan: ModelPlan, pool: Pool) -> dict[str, Value]:
    """A pool's upgradeSettings, as text. Without surge nodes a pool gives up a node of its own
    instead, which a system pool, the first, may not (fact surge.max_unavailable)."""
    found: dict[str, Value] = {"maxSurge": str(pool.max_surge)}
    if pool.without_surge and pool != plan.design.pools[0]:
        found["maxUnavailable"] = "1"
    return found


def own_nat_gateway(plan: ModelPlan) -> bool:
    """Whether a NAT gateway is to be made for the subnets."""
    return plan.design.own_network and plan.design.outbound.type == "userAssignedNATGateway"


def own_route_table(plan: ModelPlan) -> bool:
    """Whether a route table is to be made for the subnets."""
    return plan.design.own_network and plan.design.outbound.type == "userDefinedRouting"


def routes_by_aks(plan: ModelPlan) -> bool:
    """Whether AKS writes a route for each node into a route table of one's own network."""
    return plan.design.own_network and network_profile(plan)["networkPlugin"] == "kubenet"


def managed_load_balancer(plan: ModelPlan) -> bool:
    """Whether the load balancer is the way out, with addresses that AKS makes."""
    design = plan.design
    return design.outbound.type == "loadBalancer" and design.load_balancer == "standard"


def nat_addresses(plan: ModelPlan) -> range:
    """The numbers of the NAT gateway's addresses; no more than it can have (natgw.max_ips)."""
    return range(1, min(plan.design.outbound.addresses, number("natgw.max_ips")) + 1)


def network_name(plan: ModelPlan) -> str:
    """A name for the virtual network."""
    ending = "-vnet"
    return plan.design.name[: _MOST_NETWORK_NAME - len(ending)] + ending


def dns_prefix(name: str) -> str:
    """A DNS prefix for a cluster of this name: letters, digits and -, not too long.

    >>> dns_prefix("prod_west-1")
    'prod-west-1'
    """
    return re.sub(r"[^A-Za-z0-9-]", "-", name)[:_MOST_DNS_PREFIX].strip("-")


def remarks(plan: ModelPlan) -> list[str]:
    """What a reader should know before anything else: errors first."""
    design = plan.design
    found = []
    if not plan.works:
        found.append("This plan does not work:")
        found += [f"- {each.what} {each.do}" for each in plan.errors]
    if not design.own_network:
        found.append("AKS makes the virtual network itself.")
    for each in plan.demands:
        if each.kind == "pod range" and each.proposed and each.range is not None:
            found.append(f"The pod range, {canonical(each.range)}, is a proposal.")
    connected = ", ".join(each.name for each in (*design.peered, *design.on_premises))
    if connected:
        found.append(f"Not in here: what connects the virtual network with {connected}.")
    if design.outbound.type == "none":
        found.append(
            "AKS makes no way out for the nodes: see to one, or to images from within. "
            "https://learn.microsoft.com/azure/aks/egress-outboundtype"
        )
    if design.windows:
        found.append("AKS itself makes up the credentials of Windows nodes.")
    return found


def comment(text: str, mark: str) -> list[str]:
    """A text as lines of comment, each after a mark such as "# "."""
    indent = mark + ("  " if text.startswith("- ") else "")
    return textwrap.wrap(
        " ".join(text.split()), 100, initial_indent=mark, subsequent_indent=indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _purpose(demand: Demand) -> str:
    whose = "pods" if demand.kind == "pod subnet" else "nodes"
    if demand.range is None:
        return f"for {whose}, which take {demand.needed:,} addresses at the peak; none are free"
    proposed = "; the range is a proposal" if demand.proposed else ""
    taken = f"{demand.needed:,} of its {demand.available:,} addresses"
    return f"for {whose}, which take {taken} at the peak{proposed}"


def _profile(plan: ModelPlan) -> Mapping[str, str]:
    """What selects the model. Raises InputError for a name that the table of terms has not."""
    known = terms.resource(DELEGATED_TO).properties
    profile = plan.model.profile()
    for name in profile:
        if f"{_PROFILE}{name}" not in known and not _of_pools(name):
            raise InputError(
                name, "is no name of Azure's that the planner writes.",
                "If Azure documents it, add it to azure_terms.toml with its source.",
            )  # fmt: skip
    return profile


def _of_pools(name: str) -> bool:
    return f"{_POOL}{name}" in terms.resource(DELEGATED_TO).properties
