"""What a learner describes: virtual networks, machines, and clusters with nodes, pods, Services.

A Topology is a value: whatever changes makes another one. It tells what stands where, not how
packets go; that follows from it (course.world). What is left out of a cluster, such as the address
of a pod, the network model gives out.

>>> net = VirtualNetwork("vnet", ("10.240.0.0/16",), (Subnet("nodes", "10.240.0.0/24"),))
>>> two = Cluster("overlay", "nodes", (Node("node1"),), (Pod("web", "node1", {"app": "web"}),))
>>> print(Topology((net,), clusters=(two,)).describe())
virtual network vnet 10.240.0.0/16
  subnet nodes 10.240.0.0/24
cluster aks: overlay, nodes in nodes, pods in 10.244.0.0/16, Services in 10.0.0.0/16
  node1
    web app=web listens 8080
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from course.addresses import contains, overlaps, parse_address, parse_range
from course.errors import InputError
from course.kubeproxy.objects import (
    Endpoint,
    EndpointConditions,
    EndpointPort,
    EndpointSlice,
    Service,
)
from course.virtual_network import Subnet, VirtualNetwork, one_of

AZURE = "azure"  # the host that stands for Azure's fabric
EDGE = "edge"  # the host where Azure ends and the internet begins
N = TypeVar("N", bound="Named")


class Named(Protocol):
    """Whatever has a name."""

    @property
    def name(self) -> str:
        """The name."""


@dataclass(frozen=True)
class Proxy:
    """What a load balancer that ends connections does: it opens its own ones to `to`."""

    port: int
    to: str
    to_port: int


@dataclass(frozen=True)
class Machine:
    """A machine outside of clusters. Its address tells where it stands: in a subnet, on premises,
    or else in the internet.

    `forwards`: it passes on what is not for it, as a network virtual appliance does. `proxy`: it
    is a load balancer that ends connections.
    """

    name: str
    address: str
    ports: tuple[int | str, ...] = (80,)
    forwards: bool = False
    proxy: Proxy | None = None

    def __post_init__(self) -> None:
        parse_address(self.address, 4)
        sockets(self.ports)


@dataclass(frozen=True)
class Node:
    """A node. `held` are the addresses on its network card besides its own, `pod_range` its share
    of the pod range. Empty: the network model gives them out.

    `ip_forwarding` is the setting of its network card that AKS turns on.
    """

    name: str
    address: str = ""
    held: tuple[str, ...] = ()
    pod_range: str = ""
    ip_forwarding: bool = True


@dataclass(frozen=True)
class Pod:
    """A pod on a node. Ports are numbers for TCP, or "53/udp". Without an address, the network
    model gives one; with `host_network` it has its node's."""

    name: str
    node: str
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int | str, ...] = (8080,)
    address: str = ""
    host_network: bool = False
    ready: bool = True
    terminating: bool = False
    namespace: str = "default"

    def __post_init__(self) -> None:
        sockets(self.ports)

    @property
    def conditions(self) -> EndpointConditions:
        """What an EndpointSlice says of it: a pod that is being deleted is never ready."""
        return EndpointConditions(self.ready and not self.terminating, self.ready, self.terminating)


@dataclass(frozen=True)
class Exposure:
    """A Service with its selector: the labels that a pod must have to stand behind it.

    kube-proxy never reads the selector; the EndpointSlice controller does (`slices`).
    """

    service: Service
    selector: Mapping[str, str]

    def slices(self, pods: Iterable[Pod]) -> tuple[EndpointSlice, ...]:
        """Its EndpointSlice, if any pod fits.

        Raises InputError for a target port that is a name: here, pods name no ports.
        """
        fitting = [pod for pod in pods if self.selects(pod)]
        if not fitting:
            return ()
        ports = []
        for port in self.service.ports:
            target = port.port if port.target_port is None else port.target_port
            if isinstance(target, str):
                raise InputError(target, "names a port of a pod.", "Give its number.")
            ports.append(EndpointPort(target, port.name, port.protocol))
        ends = tuple(Endpoint((pod.address,), pod.node, pod.conditions) for pod in fitting)
        service = self.service
        return (EndpointSlice(service.namespace, service.name, tuple(ports), ends),)

    def selects(self, pod: Pod) -> bool:
        """Whether a pod has its labels, in its namespace."""
        return (
            bool(self.selector)
            and pod.namespace == self.service.namespace
            and self.selector.items() <= pod.labels.items()
        )


@dataclass(frozen=True)
class Cluster:
    """An AKS cluster: its network model by id, the subnet of its nodes, nodes, pods, Services.

    `missing_routes` are nodes whose route somebody deleted from the route table of kubenet.
    `probes_acted` is whether the load balancer's probes have had the time to find out which nodes
    serve. `outbound_address` is what the internet sees of it. `hairpin` and
    `bridge_calls_iptables` are settings of kubenet's bridge that differ from kernel to kernel.
    """

    model: str
    subnet: str
    nodes: tuple[Node, ...] = ()
    pods: tuple[Pod, ...] = ()
    exposures: tuple[Exposure, ...] = ()
    name: str = "aks"
    pod_range: str = "10.244.0.0/16"
    service_range: str = "10.0.0.0/16"
    pod_subnet: str = ""
    max_pods: int = 30
    outbound_address: str = "198.51.100.4"
    missing_routes: tuple[str, ...] = ()
    probes_acted: bool = True
    hairpin: bool = True
    bridge_calls_iptables: bool = True

    def __post_init__(self) -> None:
        for text in (self.pod_range, self.service_range):
            parse_range(text, 4)
        if overlaps(parse_range(self.pod_range), parse_range(self.service_range)):
            raise InputError(self.pod_range, "overlaps the Service range.", "Choose another one.")
        names = [node.name for node in self.nodes]
        for pod in self.pods:
            if pod.node not in names:
                raise InputError(pod.node, f"is no node: {pod.name} names it.", f"Nodes: {names}.")
        for name in names:
            if len(self.pods_of(name)) > self.max_pods:
                raise InputError(
                    name, f"has more pods than max-pods {self.max_pods}.", "Move some of them."
                )

    def node(self, name: str) -> Node:
        """The node of that name. Raises InputError if there is none."""
        return _named(self.nodes, name, "node")

    def pod(self, name: str) -> Pod:
        """The pod of that name. Raises InputError if there is none."""
        return _named(self.pods, name, "pod")

    def pods_of(self, node: str) -> tuple[Pod, ...]:
        """The pods on a node that have a network of their own."""
        return tuple(pod for pod in self.pods if pod.node == node and not pod.host_network)

    @property
    def services(self) -> tuple[Service, ...]:
        """The Services, as kube-proxy reads them."""
        return tuple(each.service for each in self.exposures)

    @property
    def endpoint_slices(self) -> tuple[EndpointSlice, ...]:
        """The EndpointSlices, as the controller makes them of Services and pods."""
        return tuple(found for each in self.exposures for found in each.slices(self.pods))


@dataclass(frozen=True)
class Topology:
    """Everything that packets may meet. `on_premises` are ranges behind the gateway.

    Raises InputError for names that are taken twice, addresses that two have, subnets and peerings
    that are not there.
    """

    networks: tuple[VirtualNetwork, ...]
    machines: tuple[Machine, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    on_premises: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _distinct([subnet.name for _, subnet in self.subnets()], "name of a subnet")
        for _, subnet in self.subnets():
            _short(subnet.name, 24)  # it names chains of rules
        _distinct([network.name for network in self.networks], "name of a network")
        names = [machine.name for machine in self.machines]
        addresses = [machine.address for machine in self.machines]
        for cluster in self.clusters:
            names += [node.name for node in cluster.nodes]
            addresses += [node.address for node in cluster.nodes if node.address]
            self.subnet(cluster.subnet)
        for name in names:
            _short(name, 11)  # its network card is nic-NAME, and Linux takes 15 characters
        pods = [pod.name for cluster in self.clusters for pod in cluster.pods]
        _distinct([AZURE, EDGE, *names, *pods], "name of a host")
        _distinct(addresses, "address of a host")
        for network in self.networks:
            for peer in network.peerings:
                self.network(peer)

    @property
    def cluster(self) -> Cluster:
        """The first cluster, of which most lessons speak."""
        return self.clusters[0]

    def changed(self, **fields: Any) -> Topology:
        """The same with other fields of the first cluster."""
        return replace(self, clusters=(replace(self.cluster, **fields), *self.clusters[1:]))

    def subnets(self) -> Iterator[tuple[VirtualNetwork, Subnet]]:
        """All subnets, each with its virtual network."""
        return ((network, each) for network in self.networks for each in network.subnets)

    def subnet(self, name: str) -> Subnet:
        """The subnet of that name. Raises InputError if there is none."""
        return _named([subnet for _, subnet in self.subnets()], name, "subnet")

    def network(self, name: str) -> VirtualNetwork:
        """The virtual network of that name. Raises InputError if there is none."""
        return _named(self.networks, name, "virtual network")

    def network_of(self, subnet: Subnet) -> VirtualNetwork:
        """The virtual network that a subnet belongs to."""
        return next(network for network, each in self.subnets() if each.name == subnet.name)

    def subnet_of(self, address: str) -> Subnet | None:
        """The subnet that an address lies in, or None."""
        wanted = parse_address(address)
        found = (each for _, each in self.subnets() if contains(parse_range(each.range), wanted))
        return next(found, None)

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
        return "\n".join(_lines(self))


def sockets(ports: Iterable[int | str]) -> tuple[tuple[str, int], ...]:
    """Protocol and number of each port.

    >>> sockets((8080, "53/udp"))
    (('tcp', 8080), ('udp', 53))
    """
    found = []
    for port in ports:
        number, _, protocol = str(port).partition("/")
        if not number.isdecimal() or not 0 < int(number) < 65_536:
            raise InputError(port, "is no port.", "Write 8080, or 53/udp.")
        one_of(protocol or "tcp", ("tcp", "udp"), "protocol")
        found.append((protocol or "tcp", int(number)))
    return tuple(found)


def _lines(topology: Topology) -> Iterator[str]:
    for network in topology.networks:
        peers = f", peered with {', '.join(network.peerings)}" if network.peerings else ""
        gateway = ", gateway to on-premises networks" if network.gateway else ""
        yield f"virtual network {network.name} {', '.join(network.ranges)}{peers}{gateway}"
        for subnet in network.subnets:
            yield f"  subnet {subnet.name} {subnet.range}"
            yield from (f"    route {route}" for route in subnet.routes)
    for machine in topology.machines:
        yield f"machine {machine.name} {machine.address}"
    for cluster in topology.clusters:
        yield (
            f"cluster {cluster.name}: {cluster.model}, nodes in {cluster.subnet}, pods in "
            f"{cluster.pod_subnet or cluster.pod_range}, Services in {cluster.service_range}"
        )
        for node in cluster.nodes:
            yield f"  {node.name} {node.address} {node.pod_range}".rstrip()
            for pod in cluster.pods:
                if pod.node == node.name:
                    yield _pod_line(pod)
        for each in cluster.exposures:
            yield f"  {_service_line(each)}"


def _pod_line(pod: Pod) -> str:
    labels = " ".join(f"{key}={value}" for key, value in pod.labels.items())
    where = "in its node's network" if pod.host_network else pod.address
    words = (pod.name, where, labels, f"listens {', '.join(map(str, pod.ports))}")
    return "    " + " ".join(filter(None, words))


def _service_line(exposure: Exposure) -> str:
    service = exposure.service
    ports = ", ".join(f"{port.port}/{port.protocol}" for port in service.ports)
    at = ", ".join((*service.cluster_ips, *(each.ip for each in service.load_balancer_ingress)))
    labels = " ".join(f"{key}={value}" for key, value in exposure.selector.items())
    return f"Service {service.name} {service.type} {at} {ports} for {labels}"


def _named(things: Iterable[N], name: str, what: str) -> N:
    known = {thing.name: thing for thing in things}
    if name not in known:
        raise InputError(name, f"is no {what} here.", f"There are {', '.join(known) or 'none'}.")
    return known[name]


def _short(name: str, most: int) -> None:
    if not 0 < len(name) <= most:
        raise InputError(name, f"has more than {most} characters, or none.", "Shorten it.")


def _distinct(values: list[str], what: str) -> None:
    for value in values:
        if values.count(value) > 1:
            raise InputError(value, f"is twice the {what}.", "Change one of them.")
