"""Which addresses hosts and load balancers may have: each address is of one, and of nobody who
keeps it for himself.

This model of Azure keeps some too. Chosen here, from what is set aside for documentation (RFC 5737)
and so is nobody's: the two ends of the wire between Azure and its edge, the address that the
internet sees of machines outside of clusters, and that of the internet's router, the same for all
machines there. A range on premises has its router at the first address, as subnets of Azure have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from course.addresses import canonical, contains, overlaps, parse_address, parse_range
from course.errors import InputError, distinct
from course.ranges import impossible_overlaps
from course.subnet import reserved_addresses
from course.virtual_network import is_private

if TYPE_CHECKING:
    from course.topology.cluster import Cluster, Node
    from course.topology.topology import Machine, Topology

WIRE = "192.0.2.0/24"  # of it is the wire between Azure and its edge
EDGE_END, AZURE_END = "192.0.2.1", "192.0.2.2"
MACHINES_OUTBOUND = "198.51.100.3"  # what the internet sees of machines outside of clusters
ROUTER = "203.0.113.1"  # of the internet
KEPT = (WIRE, f"{MACHINES_OUTBOUND}/32", f"{ROUTER}/32")  # by this model of Azure


def check_addresses(topology: Topology) -> None:
    """Every address of a network card, and of a load balancer, is of one, and may be.

    Source: Microsoft Learn, "Virtual networks FAQ" (fact azure.forbidden_ranges).
    """
    own = [each.address for each in with_cards(topology) if each.address]
    fronts = [ip for cluster in topology.clusters for ip in cluster.load_balancer_addresses]
    held = [ip for cluster in topology.clusters for node in cluster.nodes for ip in node.held]
    distinct([*own, *fronts, *held], "address of a host or load balancer")
    for address in (*own, *fronts, *held):
        demand_possible(address)
        _demand_not_kept(topology, address)
    for cluster in topology.clusters:
        for node in cluster.nodes:
            _check_held(topology, cluster, node)
    _check_outbound(topology)
    for machine in topology.machines:
        _demand_a_place(topology, machine)


def with_cards(topology: Topology) -> tuple[Machine | Node, ...]:
    """All that have a network card: machines and nodes."""
    nodes = (node for cluster in topology.clusters for node in cluster.nodes)
    return (*topology.machines, *nodes)


def holds(text: str, address: str) -> bool:
    """Whether a range, as text, holds an address."""
    return contains(parse_range(text), parse_address(address))


def demand_possible(text: str) -> None:
    """Raise InputError for an address, or a range of some, that nobody has in Azure or elsewhere.

    Of services and pods too, though nothing documents that of all these ranges: chosen here.
    """
    whole = parse_range(text, 4)
    if kept := impossible_overlaps(whole):
        how = "is of" if whole.size == 1 else "overlaps"
        raise InputError(
            text, f"{how} {canonical(kept[0])}, which no host may have.",
            "Take another one: private, or public.",
        )  # fmt: skip


def demand_not_of_the_model(text: str) -> None:
    """Raise InputError for an address or a range of which this model of Azure keeps one."""
    if any(overlaps(parse_range(text, 4), parse_range(each)) for each in KEPT):
        raise InputError(text, "is kept by this model of Azure for itself.", "Take another one.")


def demand_public(address: str) -> None:
    """Raise InputError for an address that the internet does not route.

    >>> demand_public("10.0.0.4")
    Traceback (most recent call last):
    ...
    course.errors.InputError: '10.0.0.4' is private: the internet does not route it. Give a public \
address.
    """
    parse_address(address, 4)
    demand_possible(address)
    if is_private(address):
        raise InputError(
            address, "is private: the internet does not route it.", "Give a public address."
        )  # fmt: skip


def _demand_not_kept(topology: Topology, address: str) -> None:
    """Raise InputError for an address that Azure, a router or this model keeps for itself."""
    if subnet := topology.subnet_of(address):
        if parse_address(address) in reserved_addresses(parse_range(subnet.range)).addresses:
            raise InputError(
                address, f"is kept by Azure in subnet {subnet.name}.",
                "Azure keeps the first four addresses of a subnet and the last: take another one.",
            )  # fmt: skip
        return
    demand_not_of_the_model(address)
    for text in topology.on_premises:
        whole = parse_range(text)
        if parse_address(address) in (whole[0], whole[1], whole[-1]):
            raise InputError(
                address, f"is kept by the router of {text}.",
                "The first two addresses and the last are no host's there: take another one.",
            )  # fmt: skip
    for machine in topology.machines:
        around = parse_range(f"{machine.address.rpartition('.')[0]}.0/24")
        if topology.in_internet(machine.address) and parse_address(address) in (
            around[0], around[-1],
        ):  # fmt: skip
            raise InputError(
                address, f"is the first or last of {canonical(around)}: no host's.",
                f"{machine.name} stands in a network of its own there: take another one.",
            )  # fmt: skip


def _check_held(topology: Topology, cluster: Cluster, node: Node) -> None:
    """What a node's card has besides the node's own address is of the node's subnet, or of that of
    its pods. Source: Microsoft Learn, "Virtual networks FAQ" (all cards are in a subnet)."""
    both = (topology.node_subnet(cluster, node), topology.pod_subnet(cluster, node))
    homes = [each for each in both if each]
    for address in node.held:
        if not any(holds(each.range, address) for each in homes):
            raise InputError(
                address, f"lies outside of subnet {' or '.join(each.name for each in homes)}.",
                f"The card of {node.name} has addresses of that: take one.",
            )  # fmt: skip


def _check_outbound(topology: Topology) -> None:
    """What the internet sees of a cluster is the cluster's alone, or that of its load balancer.

    Source: Microsoft Learn, "Use a public standard load balancer in AKS" (a public address belongs
    to one load balancer).
    """
    seen = [cluster.outbound_address for cluster in topology.clusters]
    distinct(seen, "address that the internet sees of a cluster")
    for cluster in topology.clusters:
        _demand_not_kept(topology, cluster.outbound_address)
        others = [each for each in topology.clusters if each is not cluster]
        taken = [each.address for each in with_cards(topology)]
        taken += [ip for each in others for ip in each.load_balancer_addresses]
        taken += topology.on_premises
        if any(holds(each, cluster.outbound_address) for each in taken if each):
            raise InputError(
                cluster.outbound_address, f"is what the internet sees of {cluster.name}.",
                "Nobody else may have it: change one of them.",
            )  # fmt: skip


def _demand_a_place(topology: Topology, machine: Machine) -> None:
    """Raise InputError for a machine that stands nowhere: in no subnet, not on premises, and yet
    not in the internet, which routes no private address and none of a virtual network.

    Source: Microsoft Learn, "Virtual networks FAQ" (all cards are in a subnet).
    """
    address = machine.address
    if not topology.in_internet(address):
        return
    ranges = [text for network in topology.networks for text in network.ranges]
    if is_private(address) or any(holds(text, address) for text in ranges):
        raise InputError(
            address, "is in no subnet, and the internet does not route it: "
            f"{machine.name} would stand nowhere.",
            "Give it an address of a subnet, of a range on premises, or a public one.",
        )  # fmt: skip
