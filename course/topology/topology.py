"""Everything that packets may meet: virtual networks, machines, clusters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from course.addresses import contains, parse_address, parse_range
from course.errors import InputError
from course.topology.checks import check
from course.topology.cluster import Cluster, Node, sockets
from course.topology.names import named
from course.topology.text import lines
from course.virtual_network import Subnet, VirtualNetwork, azure_name


@dataclass(frozen=True)
class Proxy:
    """What a load balancer that ends connections does: it opens its own ones to the address `to`.

    Raises InputError for what is no IPv4 address or no port.
    """

    port: int
    to: str
    to_port: int

    def __post_init__(self) -> None:
        parse_address(self.to, 4)
        sockets((self.port, self.to_port))


@dataclass(frozen=True)
class Machine:
    """A machine outside of clusters. Its address tells where it stands: in a subnet, on premises,
    or else in the internet.

    `forwards`: it passes on what is not for it, as a network virtual appliance does; if it also
    `translates`, what goes to public addresses leaves with its own. `proxy`: it is a load balancer
    that ends connections.
    """

    name: str
    address: str
    ports: tuple[int | str, ...] = (80,)
    forwards: bool = False
    translates: bool = False
    proxy: Proxy | None = None

    def __post_init__(self) -> None:
        azure_name(self.name, "machine")
        parse_address(self.address, 4)
        sockets(self.ports)


@dataclass(frozen=True)
class Topology:
    """Everything that packets may meet. `on_premises` are ranges behind the gateway.

    Raises InputError for names that are taken twice, addresses that two have or nobody may have,
    subnets and peerings that are not there, and ranges that overlap where they must not.
    """

    networks: tuple[VirtualNetwork, ...]
    machines: tuple[Machine, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    on_premises: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check(self)

    def reachable_ranges(self, network: VirtualNetwork) -> tuple[str, ...]:
        """The ranges of a virtual network and of all that is joined to it: peered, on premises."""
        ranges = [text for each in self.connected(network) for text in each.ranges]
        return (*ranges, *(self.on_premises if network.gateway else ()))

    @property
    def cluster(self) -> Cluster:
        """The first cluster, of which most lessons speak. Raises InputError if there is none."""
        if not self.clusters:
            raise InputError(self.clusters, "is no cluster.", "Describe one: Cluster(...).")
        return self.clusters[0]

    def cluster_named(self, name: str) -> Cluster:
        """The cluster of that name. Raises InputError if there is none."""
        return named(self.clusters, name, "cluster")

    def changed(self, **fields: Any) -> Topology:
        """The same with other fields of the first cluster."""
        return replace(self, clusters=(replace(self.cluster, **fields), *self.clusters[1:]))

    def subnets(self) -> Iterator[tuple[VirtualNetwork, Subnet]]:
        """All subnets, each with its virtual network."""
        return ((network, each) for network in self.networks for each in network.subnets)

    def subnet(self, name: str) -> Subnet:
        """The subnet of that name. Raises InputError if there is none."""
        return named([subnet for _, subnet in self.subnets()], name, "subnet")

    def network(self, name: str) -> VirtualNetwork:
        """The virtual network of that name. Raises InputError if there is none."""
        return named(self.networks, name, "virtual network")

    def network_of(self, subnet: Subnet) -> VirtualNetwork:
        """The virtual network that a subnet belongs to."""
        return next(network for network, each in self.subnets() if each.name == subnet.name)

    def node_subnet(self, cluster: Cluster, node: Node) -> Subnet:
        """The subnet that a node of a cluster stands in."""
        return self.subnet(cluster.pool_of(node).subnet)

    def pod_subnet(self, cluster: Cluster, node: Node) -> Subnet | None:
        """The subnet that the pods of a node have their addresses from, if it is one of its own."""
        name = cluster.pool_of(node).pod_subnet
        return self.subnet(name) if name else None

    def subnet_of(self, address: str) -> Subnet | None:
        """The subnet that an address lies in, or None."""
        wanted = parse_address(address)
        found = (each for _, each in self.subnets() if contains(parse_range(each.range), wanted))
        return next(found, None)

    def in_internet(self, address: str) -> bool:
        """Whether an address is neither of a subnet nor on premises."""
        return not (self.subnet_of(address) or self.on_premises_range(address))

    def on_premises_range(self, address: str) -> str | None:
        """The on-premises range that an address lies in, or None."""
        wanted = parse_address(address)
        found = (each for each in self.on_premises if contains(parse_range(each), wanted))
        return next(found, None)

    def connected(self, network: VirtualNetwork) -> tuple[VirtualNetwork, ...]:
        """A virtual network and those that it is peered with, from both sides."""
        peers = (each for each in self.networks if each.name in network.peerings)
        return (network, *(peer for peer in peers if network.name in peer.peerings))

    def describe(self) -> str:
        """The topology as text, a line for each thing."""
        return "\n".join(lines(self))
