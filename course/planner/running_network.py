"""The virtual network as it is: its ranges, who is in its subnets, and its peers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from netaddr import IPNetwork

from course.addresses import parse_range
from course.design import NamedRange, Subnet
from course.errors import InputError
from course.planner.document import MOST_NETWORKS, MOST_RANGES, MOST_SUBNETS
from course.planner.running_json import Fields, id_part
from course.planner.running_report import AZ_VNET_LIST, AZ_VNET_SHOW, Missing, Report

_PEERINGS = (
    "az network vnet peering list --resource-group <resource-group> --vnet-name <virtual-network> "
    "--output json"
)
_SUBNETS = Missing("subnets", "Which range has each subnet of the virtual network?", AZ_VNET_SHOW)
_LONGEST_NAME = 80  # of a network or subnet


@dataclass(frozen=True)
class Network:
    """The parts of a Design that its virtual network tells. `services` are the addresses that
    internal Services hold, by the name of the subnet that they lie in; `taken` leaves them out."""

    vnet: tuple[IPNetwork, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    peered: tuple[NamedRange, ...] = ()
    services: Mapping[str, int] = field(default_factory=dict)


def made_by_aks(pools: Sequence[Fields]) -> bool:
    """Whether AKS made the network: then no pool names a subnet."""
    return all(pool.at("vnetsubnetid") in (None, "") for pool in pools)


def cluster_network(
    networks: Sequence[Fields], pools: Sequence[Fields], groups: Collection[str], report: Report
) -> Fields | None:
    """The network that the pools are in; asks for it where it is not among these.

    `groups` are the resource groups, in lower case, that AKS made for the cluster: a pool without
    a subnet is in the network that AKS made there.
    """
    wanted = {_place(pool.text("vnetsubnetid")) for pool in pools} - {("", "")}
    managed = bool(pools) and made_by_aks(pools)
    if wanted:
        own = [network for network in networks if _place_of(network) in wanted]
    elif managed and groups:
        own = [network for network in networks if _place_of(network)[0] in groups]
    else:
        own = list(networks)
    if len(own) == 1:
        return own[0]
    report.ask(
        "vnet",
        "Which ranges has the cluster's virtual network, and which networks is it peered with?",
        AZ_VNET_LIST if managed else AZ_VNET_SHOW,
    )
    if networks:
        report.note("Which of the virtual networks is the cluster's does not show.")
    return None


def read_network(
    own: Fields, networks: Sequence[Fields], groups: Collection[str], report: Report
) -> Network:
    """The parts that could be read; asks for the rest.

    An address of a subnet is taken by others unless a node or an internal Service of the cluster
    holds it: these the plan counts itself. What the cluster's own private endpoints hold is taken.
    """
    vnet = _ipv4(own.texts("addressspace", "addressprefixes"))
    if not vnet:
        report.ask("vnet", "Which ranges has the virtual network?", AZ_VNET_SHOW)
    holders = [Counter(_holders(each, groups)) for each in own.each("subnets")]
    if not groups and any(each["node"] for each in holders):
        report.note(
            "Without az aks show and kubectl get nodes, every scale set named aks... in the "
            "network counts as the cluster's own."
        )
    subnets, services = _subnets(own, holders, report)
    return Network(
        vnet=report.first(vnet, MOST_RANGES, "vnet", "ranges of the virtual network"),
        subnets=subnets,
        peered=_peered(own, networks, report),
        services=services,
    )


def _place(resource_id: str) -> tuple[str, str]:
    """Resource group and name of the network in an id. Not the subscription: it may be blacked."""
    return (
        id_part(resource_id, "resourcegroups").lower(),
        id_part(resource_id, "virtualnetworks").lower(),
    )


def _place_of(network: Fields) -> tuple[str, str]:
    group, name = _place(network.text("id"))
    return group or network.text("resourcegroup").lower(), name or network.text("name").lower()


def _ipv4(texts: Iterable[str]) -> list[IPNetwork]:
    """The IPv4 ranges among these; the plan knows nothing of IPv6."""
    found = []
    for text in texts:
        try:
            found.append(parse_range(text, version=4))
        except InputError:
            continue
    return found


def _subnets(
    own: Fields, holders: Sequence[Counter[str]], report: Report
) -> tuple[tuple[Subnet, ...], dict[str, int]]:
    """The subnets, and how many addresses in each internal Services hold, by its name."""
    few = report.first(_ranges(own, holders, report), MOST_SUBNETS, "subnets", "subnets")
    found, services = [], {}
    for name, (_, each, held) in zip(_own_names([name for name, *_ in few]), few, strict=True):
        try:
            found.append(Subnet(name, each, held["other"]))
        except InputError:
            report.add(_SUBNETS)
        else:
            services[name] = held["service"]
    return tuple(found), services


def _ranges(
    own: Fields, holders: Sequence[Counter[str]], report: Report
) -> list[tuple[str, IPNetwork, Counter[str]]]:
    """Each range of each subnet, with the subnet's name and who holds its addresses.

    Whoever holds them is counted in its first range.
    """
    found: list[tuple[str, IPNetwork, Counter[str]]] = []
    for fields, held in zip(own.each("subnets"), holders, strict=True):
        texts = dict.fromkeys([fields.text("addressprefix"), *fields.texts("addressprefixes")])
        ranges = _ipv4(texts)
        if not ranges:
            report.add(_SUBNETS)
        for index, each in enumerate(ranges):
            found.append((fields.text("name"), each, Counter() if index else held))
    return found


def _holders(subnet: Fields, groups: Collection[str]) -> list[str]:
    """For each address in use, who has it: "node", "service" or "other"."""
    ids = {each.text("id").lower() for each in subnet.each("ipconfigurations")} - {""}
    return [_holder(each, groups) for each in sorted(ids)]


def _holder(resource_id: str, groups: Collection[str]) -> str:
    machine = id_part(resource_id, "virtualmachinescalesets") or id_part(
        resource_id, "networkinterfaces"
    )
    balancer = id_part(resource_id, "loadbalancers")
    if groups and id_part(resource_id, "resourcegroups") not in groups:
        return "other"
    if machine.startswith("aks"):
        return "node"
    return "service" if balancer == "kubernetes-internal" else "other"


def _peered(own: Fields, networks: Sequence[Fields], report: Report) -> tuple[NamedRange, ...]:
    given = {_place_of(network): network for network in networks if network is not own}
    named: list[tuple[str, IPNetwork]] = []
    for peering in own.each("virtualnetworkpeerings"):
        remote = peering.text("remotevirtualnetwork", "id")
        ranges = _remote_ranges(peering, given.pop(_place(remote), None))
        if not ranges:
            report.ask("peered", "Which ranges have the peered networks?", _PEERINGS)
        name = id_part(remote, "virtualnetworks") or peering.text("name")
        named += [(name, each) for each in ranges]
    if given:
        report.note(
            f"Virtual networks that the cluster's is not peered with were left out: {len(given)}."
        )
    return _with_own_names(named, report)


def _remote_ranges(peering: Fields, network: Fields | None) -> list[IPNetwork]:
    # as the peer is now; as it was when the peering was last synchronised; as it says itself
    spaces = (
        peering.texts("remotevirtualnetworkaddressspace", "addressprefixes"),
        peering.texts("remoteaddressspace", "addressprefixes"),
        network.texts("addressspace", "addressprefixes") if network else [],
    )
    return next((ranges for ranges in map(_ipv4, spaces) if ranges), [])


def _with_own_names(
    named: Sequence[tuple[str, IPNetwork]], report: Report
) -> tuple[NamedRange, ...]:
    found = []
    few = report.first(named, MOST_NETWORKS, "peered", "peered ranges")
    for name, (_, each) in zip(_own_names([name for name, _ in few]), few, strict=True):
        try:
            found.append(NamedRange(name, each))
        except InputError:
            report.ask("peered", "Which ranges have the peered networks?", _PEERINGS)
    return tuple(found)


def _own_names(names: Sequence[str]) -> list[str]:
    """The names, each different from all others in whatever case: a network may have several
    ranges, and two networks one name. They are numbered from the second.

    >>> _own_names(["hub", "hub", "hub-2", "HUB"])
    ['hub', 'hub-3', 'hub-2', 'HUB-4']
    """
    given = {name.lower() for name in names}
    used: set[str] = set()
    numbers: dict[str, Iterator[int]] = {}
    found = []
    for name in names:
        own = name
        while own.lower() in used or (own != name and own.lower() in given):
            number = next(numbers.setdefault(name.lower(), count(2)))
            own = f"{name[: _LONGEST_NAME - len(f'-{number}')]}-{number}"
        used.add(own.lower())
        found.append(own)
    return found
