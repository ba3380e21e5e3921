"""What no description may have: names or addresses that two have, ranges that overlap where they
must not, addresses that Azure keeps for itself."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import TYPE_CHECKING

from course.addresses import overlaps, parse_address, parse_range
from course.errors import InputError
from course.subnet import reserved_addresses
from course.topology.cluster import Cluster, Node
from course.topology.names import distinct, short

if TYPE_CHECKING:
    from course.topology.topology import Machine, Topology

AZURE = "azure"  # the host that stands for Azure's fabric
EDGE = "edge"  # the host where Azure ends and the internet begins


def check(topology: Topology) -> None:
    """Raise InputError for a description that no Azure could have."""
    _check_networks(topology)
    nodes = [node for cluster in topology.clusters for node in cluster.nodes]
    hosts: tuple[Machine | Node, ...] = (*topology.machines, *nodes)
    names = [each.name for each in hosts]
    for name in names:
        short(name, 11)  # its network card is nic-NAME, and Linux takes 15 characters
    pods = [pod.name for cluster in topology.clusters for pod in cluster.pods]
    distinct([AZURE, EDGE, *names, *pods], "name of a host")
    addresses = [each.address for each in hosts if each.address]
    distinct(addresses, "address of a host")
    for address in addresses:
        _check_address(topology, address)
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
    """Networks that are peered, and the subnets of one, have ranges apart."""
    distinct([subnet.name for _, subnet in topology.subnets()], "name of a subnet")
    for _, subnet in topology.subnets():
        short(subnet.name, 24)  # it names chains of rules
    distinct([network.name for network in topology.networks], "name of a network")
    for text in topology.on_premises:
        parse_range(text, 4)
    for network in topology.networks:
        for peer in network.peerings:
            topology.network(peer)
        _apart([text for each in topology.connected(network) for text in each.ranges])
        _apart([subnet.range for subnet in network.subnets])


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


def _check_address(topology: Topology, address: str) -> None:
    subnet = topology.subnet_of(address)
    kept = reserved_addresses(parse_range(subnet.range)).addresses if subnet else ()
    if subnet and parse_address(address) in kept:
        raise InputError(
            address, f"is kept by Azure in subnet {subnet.name}.",
            "Azure keeps the first four addresses of a subnet and the last: take another one.",
        )  # fmt: skip


def _apart(ranges: list[str]) -> None:
    for one, other in combinations(ranges, 2):
        if overlaps(parse_range(one), parse_range(other)):
            raise InputError(one, f"overlaps {other}.", "Both would be in one network: change one.")
