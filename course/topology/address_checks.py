"""Which addresses hosts and load balancers may have: each address is of one, and of nobody who
keeps it for himself.

This model of Azure keeps some too. Chosen here, from what is set aside for documentation (RFC 5737)
and so is nobody's: the two ends of the wire between Azure and its edge, and the address that the
internet sees of machines outside of clusters. A range on premises, and the /24 of a machine in the
internet, have their router at the first address, as subnets of Azure have.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from course.addresses import canonical, contains, parse_address, parse_range
from course.errors import InputError, distinct
from course.ranges import forbidden_overlaps
from course.subnet import reserved_addresses
from course.virtual_network import is_private

if TYPE_CHECKING:
    from course.topology.cluster import Node
    from course.topology.topology import Machine, Topology

WIRE = "192.0.2.0/24"  # of it is the wire between Azure and its edge
EDGE_END, AZURE_END = "192.0.2.1", "192.0.2.2"
MACHINES_OUTBOUND = "198.51.100.3"  # what the internet sees of machines outside of clusters


def check_addresses(topology: Topology) -> None:
    """Every address of a network card, and of a load balancer, is of one, and may be.

    Source: Microsoft Learn, "Virtual networks FAQ" (fact azure.forbidden_ranges).
    """
    own = [each.address for each in with_cards(topology) if each.address]
    fronts = [ip for cluster in topology.clusters for ip in cluster.load_balancer_addresses]
    held = [ip for cluster in topology.clusters for node in cluster.nodes for ip in node.held]
    distinct([*own, *fronts, *held], "address of a host or load balancer")
    for address in (*own, *fronts):
        demand_possible(address)
        _demand_not_kept(topology, address)
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


def demand_possible(address: str) -> None:
    """Raise InputError for an address that Azure or the internet gives to nobody."""
    kept = [canonical(each) for each in forbidden_overlaps(parse_range(address, 4))]
    if kept or holds("0.0.0.0/8", address):
        raise InputError(
            address, f"is of {', '.join(kept) or '0.0.0.0/8'}, which no host may have.",
            "Take an address of a subnet, or a public one.",
        )  # fmt: skip


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
    if address == MACHINES_OUTBOUND or holds(WIRE, address):
        raise InputError(address, "is kept by this model of Azure for itself.", "Take another one.")
    for text in _routed_by_others(topology):
        whole = parse_range(text)
        if parse_address(address) in (whole[0], whole[1], whole[-1]):
            raise InputError(
                address, f"is kept by the router of {text}.",
                "The first two addresses and the last are no host's there: take another one.",
            )  # fmt: skip


def _routed_by_others(topology: Topology) -> Iterator[str]:
    """The ranges outside of Azure that have a router: on premises, and around strangers."""
    yield from topology.on_premises
    for machine in topology.machines:
        if topology.in_internet(machine.address):
            yield f"{machine.address.rpartition('.')[0]}.0/24"


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
        if cluster.outbound_address in taken:
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
