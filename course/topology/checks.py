"""What no description may have: names that two have, ranges that overlap where they must not, and
things in a subnet where they may not be. Of addresses, see course.topology.address_checks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from course.addresses import canonical, overlaps, parse_range
from course.errors import InputError, distinct
from course.ranges import reserved_overlaps
from course.topology.address_checks import (
    check_addresses,
    demand_not_of_the_model,
    demand_possible,
    holds,
    with_cards,
)
from course.topology.cluster import Cluster
from course.topology.names import short
from course.virtual_network import is_private

if TYPE_CHECKING:
    from course.topology.topology import Topology

AZURE = "azure"  # the host that stands for Azure's fabric
EDGE = "edge"  # the host where Azure ends and the internet begins
KUBENET = "kubenet"


def check(topology: Topology) -> None:
    """Raise InputError for a description that no Azure could have."""
    _check_networks(topology)
    distinct([cluster.name for cluster in topology.clusters], "name of a cluster")
    _check_names(topology)
    check_addresses(topology)
    _check_load_balancers(topology)
    for cluster in topology.clusters:
        _check_cluster(topology, cluster)
    _check_subnets(topology)
    _check_proxies(topology)


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
        demand_possible(text)
        demand_not_of_the_model(text)
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
    cards = [each.name for each in with_cards(topology)]
    for name in cards:
        short(name, 11)  # its network card is nic-NAME, and Linux takes 15 characters
    pods = [pod.name for cluster in topology.clusters for pod in cluster.pods]
    distinct([AZURE, EDGE, *cards, *pods], "name of a host")


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
            inside = any(holds(subnet.range, ip) for subnet in network.subnets)
            if not inside and is_private(ip):
                raise InputError(
                    ip, f"is private, and in no subnet of {network.name}.",
                    "A load balancer has a public address or one of a subnet: change it.",
                )  # fmt: skip


def _check_cluster(topology: Topology, cluster: Cluster) -> None:
    """Its pools in one virtual network, which has no range that AKS keeps for itself; its Services
    beside all that is joined to that.

    Sources: Microsoft Learn, "Create node pools for a cluster" (one virtual network); facts
    aks.reserved_ranges, service.cidr_no_overlap.
    """
    names = [name for pool in cluster.pools for name in (pool.subnet, pool.pod_subnet) if name]
    homes = [topology.network_of(topology.subnet(name)) for name in names]
    if len({home.name for home in homes}) > 1:
        raise InputError(
            cluster.name, "has node pools in several virtual networks.", "Use subnets of one."
        )
    for text in homes[0].ranges:
        if kept := reserved_overlaps(parse_range(text)):
            raise InputError(
                text, f"overlaps {canonical(kept[0])}, which AKS keeps for itself.",
                f"{homes[0].name} has a cluster: give it another range.",
            )  # fmt: skip
    beside(cluster.service_range, topology.reachable_ranges(homes[0]), "the Services' range")


def _check_subnets(topology: Topology) -> None:
    """A pod subnet holds nothing but pods, and the nodes of one kubenet cluster have theirs alone.

    Sources: facts podsubnet.delegated, kubenet.shared_subnet.
    """
    pools = [(cluster, pool) for cluster in topology.clusters for pool in cluster.pools]
    of_pods = {pool.pod_subnet for _, pool in pools if pool.pod_subnet}
    machines = ((each.name, topology.subnet_of(each.address)) for each in topology.machines)
    inside = [(name, subnet.name) for name, subnet in machines if subnet]
    for name, subnet in (*inside, *((pool.name, pool.subnet) for _, pool in pools)):
        if subnet in of_pods:
            raise InputError(
                name, f"stands in {subnet}, which is delegated to pods.",
                "Machines and nodes need another subnet.",
            )  # fmt: skip
    users = dict.fromkeys((each.name, pool.subnet) for each, pool in pools if each.model == KUBENET)
    distinct([subnet for _, subnet in users], "subnet of a kubenet cluster")


def _check_proxies(topology: Topology) -> None:
    """A proxy leads to an address that somebody could have: of a network, on premises, a pod range,
    a machine or load balancer."""
    known = [text for network in topology.networks for text in network.ranges]
    known += [*topology.on_premises, *(cluster.pod_range for cluster in topology.clusters)]
    known += [machine.address for machine in topology.machines]
    known += [ip for cluster in topology.clusters for ip in cluster.load_balancer_addresses]
    for machine in topology.machines:
        if machine.proxy and not any(holds(text, machine.proxy.to) for text in known):
            raise InputError(
                machine.proxy.to, f"is nowhere here: {machine.name} opens connections to it.",
                "Give the address of a host or load balancer.",
            )  # fmt: skip


def _apart(ranges: Sequence[str]) -> None:
    for one, other in combinations(ranges, 2):
        if overlaps(parse_range(one), parse_range(other)):
            raise InputError(one, f"overlaps {other}.", "Both would be in one network: change one.")
