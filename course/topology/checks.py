"""What no description may have: names or addresses that two have, ranges that overlap where they
must not, addresses that Azure keeps for itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from course.addresses import canonical, contains, overlaps, parse_address, parse_range
from course.errors import InputError, distinct
from course.ranges import forbidden_overlaps
from course.subnet import reserved_addresses
from course.topology.cluster import Cluster, Node
from course.topology.names import short
from course.virtual_network import PRIVATE

if TYPE_CHECKING:
    from course.topology.topology import Machine, Topology

AZURE = "azure"  # the host that stands for Azure's fabric
EDGE = "edge"  # the host where Azure ends and the internet begins


def check(topology: Topology) -> None:
    """Raise InputError for a description that no Azure could have."""
    _check_networks(topology)
    distinct([cluster.name for cluster in topology.clusters], "name of a cluster")
    _check_names(topology)
    _check_addresses(topology)
    _check_load_balancers(topology)
    for cluster in topology.clusters:
        _check_cluster(topology, cluster)


def beside(text: str, ranges: Iterable[str], what: str) -> None:
    """Raise InputError if a range overlaps one of others; `what` is what it is.

    >>> beside("10.0.0.0/16", ["10.0.4.0/24"], "the Services' range")
    Traceback (most recent call last):
    ...
    course.errors.InputError: '10.0.0.0/16' is the Services' range, and overlaps 10.0.4.0/24, \
which the cluster must reach. Choose a range that nothing else has.
    """
    for each in ranges:
        if overlaps(parse_range(text), parse_range(each)):
            raise InputError(
                text, f"is {what}, and overlaps {each}, which the cluster must reach.",
                "Choose a range that nothing else has.",
            )  # fmt: skip


def _check_networks(topology: Topology) -> None:
    """Networks that are peered, the subnets of one, and what is behind a gateway have ranges apart.

    Sources: Microsoft Learn, "Create, change, or delete a virtual network peering", "Create a
    site-to-site VPN connection" (on-premises ranges).
    """
    distinct([subnet.name for _, subnet in topology.subnets()], "name of a subnet")
    for _, subnet in topology.subnets():
        short(subnet.name, 24)  # it names chains of rules
    distinct([network.name for network in topology.networks], "name of a network")
    for text in topology.on_premises:
        if parse_range(text, 4).size < 4:
            raise InputError(
                text, "has no room for a router and a machine.", "Give at least a /30 on premises."
            )  # fmt: skip
    _apart(topology.on_premises)
    for network in topology.networks:
        for peer in network.peerings:
            topology.network(peer)
        _apart([text for each in topology.connected(network) for text in each.ranges])
        _apart([subnet.range for subnet in network.subnets])
        if network.gateway:
            _apart([*network.ranges, *topology.on_premises])


def _check_names(topology: Topology) -> None:
    """Every host has a name of its own, and those with a network card one that Linux can show."""
    cards = [each.name for each in _with_cards(topology)]
    for name in cards:
        short(name, 11)  # its network card is nic-NAME, and Linux takes 15 characters
    pods = [pod.name for cluster in topology.clusters for pod in cluster.pods]
    distinct([AZURE, EDGE, *cards, *pods], "name of a host")


def _check_addresses(topology: Topology) -> None:
    """Every address of a network card, and of a load balancer, is of one, and may be.

    Source: Microsoft Learn, "Virtual networks FAQ" (fact azure.forbidden_ranges).
    """
    own = [each.address for each in _with_cards(topology) if each.address]
    own += [ip for cluster in topology.clusters for ip in cluster.load_balancer_addresses]
    held = [ip for cluster in topology.clusters for node in cluster.nodes for ip in node.held]
    distinct([*own, *held], "address of a host or load balancer")
    for address in own:
        _demand_possible(address)
        _demand_not_kept(topology, address)


def _check_load_balancers(topology: Topology) -> None:
    """A load balancer's address is public, or one of a subnet of its cluster's network, and each of
    its ports leads to one Service. Source: Microsoft Learn, "Azure Load Balancer components".
    """
    used = (
        f"{ingress.ip} {port.port}/{port.protocol}"
        for cluster in topology.clusters
        for service in cluster.services
        for ingress in service.load_balancer_ingress
        for port in service.ports
    )
    distinct(used, "address and port of a load balancer")
    for cluster in topology.clusters:
        network = topology.network_of(topology.subnet(cluster.subnet))
        for ip in cluster.load_balancer_addresses:
            inside = any(_holds(subnet.range, ip) for subnet in network.subnets)
            if not inside and any(_holds(private, ip) for private in PRIVATE):
                raise InputError(
                    ip, f"is private, and in no subnet of {network.name}.",
                    "A load balancer has a public address or one of a subnet: change it.",
                )  # fmt: skip


def _check_cluster(topology: Topology, cluster: Cluster) -> None:
    """Its pools in one virtual network; its Services beside all that is joined to that.

    Sources: Microsoft Learn, "Create node pools for a cluster" (one virtual network); fact
    service.cidr_no_overlap.
    """
    names = [name for pool in cluster.pools for name in (pool.subnet, pool.pod_subnet) if name]
    homes = [topology.network_of(topology.subnet(name)) for name in names]
    if len({home.name for home in homes}) > 1:
        raise InputError(
            cluster.name, "has node pools in several virtual networks.", "Use subnets of one."
        )
    beside(cluster.service_range, topology.reachable_ranges(homes[0]), "the Services' range")


def _demand_possible(address: str) -> None:
    """Raise InputError for an address that Azure or the internet gives to nobody."""
    one = parse_range(address, 4)
    kept = [canonical(each) for each in forbidden_overlaps(one)]
    if kept or _holds("0.0.0.0/8", address):
        raise InputError(
            address, f"is of {', '.join(kept) or '0.0.0.0/8'}, which no host may have.",
            "Take an address of a subnet, or a public one.",
        )  # fmt: skip


def _demand_not_kept(topology: Topology, address: str) -> None:
    """Raise InputError for an address that Azure keeps for itself in a subnet."""
    subnet = topology.subnet_of(address)
    kept = reserved_addresses(parse_range(subnet.range)).addresses if subnet else ()
    if subnet and parse_address(address) in kept:
        raise InputError(
            address, f"is kept by Azure in subnet {subnet.name}.",
            "Azure keeps the first four addresses of a subnet and the last: take another one.",
        )  # fmt: skip


def _apart(ranges: Sequence[str]) -> None:
    for one, other in combinations(ranges, 2):
        if overlaps(parse_range(one), parse_range(other)):
            raise InputError(one, f"overlaps {other}.", "Both would be in one network: change one.")


def _with_cards(topology: Topology) -> tuple[Machine | Node, ...]:
    """All that have a network card: machines and nodes."""
    nodes = (node for cluster in topology.clusters for node in cluster.nodes)
    return (*topology.machines, *nodes)


def _holds(text: str, address: str) -> bool:
    return contains(parse_range(text), parse_address(address))
