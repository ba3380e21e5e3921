"""An AKS cluster as it is described: node pools, nodes, pods, Services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from course.addresses import parse_address, parse_range
from course.errors import InputError, whole_number
from course.facts import number
from course.kubeproxy.objects import (
    Endpoint,
    EndpointConditions,
    EndpointPort,
    EndpointSlice,
    Service,
)
from course.topology.cluster_checks import check
from course.topology.names import named, subdomain
from course.virtual_network import one_of


@dataclass(frozen=True)
class NodePool:
    """A node pool, as far as packets may tell: the subnet of its nodes, that of their pods if they
    have one of their own, and how many pods a node may run.

    Raises InputError for more pods than AKS lets a node run. For fewer than it asks for (fact
    aks.min_max_pods) it does not: so a node can be full with a handful of pods, to see what happens
    then; the planner does refuse them. Sources: facts nodesubnet.max_pods, kubenet.max_pods,
    dynamic.max_pods.
    """

    name: str
    subnet: str
    pod_subnet: str = ""
    max_pods: int = 30

    def __post_init__(self) -> None:
        most = number("nodesubnet.max_pods")
        if whole_number(self.max_pods, "pods per node", least=1) > most:
            raise InputError(self.max_pods, "is no max-pods.", f"Give {most} or fewer.")


@dataclass(frozen=True)
class IpMasqAgent:
    """What ip-masq-agent is told (a ConfigMap): the ranges to which nothing is masqueraded, and
    whether link-local addresses are masqueraded too. At first, what it does if told nothing.

    Source: Kubernetes documentation, "IP Masquerade Agent User Guide".
    """

    non_masquerade: tuple[str, ...] = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    masq_link_local: bool = False

    def __post_init__(self) -> None:
        for text in self.non_masquerade:
            parse_range(text, 4)


@dataclass(frozen=True)
class Node:
    """A node. `held` are the addresses on its network card besides its own, `pod_range` its share
    of the pod range. Empty: the network model gives them out.

    `ip_forwarding` is the setting of its network card that AKS turns on. `pool` names its node
    pool; empty, it is in the cluster's first one.
    """

    name: str
    address: str = ""
    held: tuple[str, ...] = ()
    pod_range: str = ""
    ip_forwarding: bool = True
    pool: str = ""

    def __post_init__(self) -> None:
        subdomain(self.name, "node")


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
        subdomain(self.name, "pod")
        subdomain(self.namespace, "namespace")
        if self.address:
            parse_address(self.address, 4)
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

    `subnet`, `pod_subnet` and `max_pods` are those of its first node pool; `more_pools` are others.
    `missing_routes` are nodes whose route somebody deleted from the route table of kubenet.
    `probes_acted` is whether the load balancer's probes have had the time to find out which nodes
    serve. `outbound_address` is what the internet sees of it, and `outbound_ports` how many ports
    of that each node has (0: as AKS shares them out). `ip_masq_agent` is its configuration where
    somebody changed it; None: as AKS writes it for the network model.

    `bridge_calls_iptables` and `hairpin` are settings of kubenet's bridge. With `hairpin`, its
    template is that for newer kernels (see course.cni.kubenet), and a pod reaches itself by its
    Service; without, that depends on the kernel: up to 6.6 it does, from 6.8 on it does not.
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
    more_pools: tuple[NodePool, ...] = ()
    outbound_address: str = "198.51.100.4"
    outbound_ports: int = 0
    ip_masq_agent: IpMasqAgent | None = None
    missing_routes: tuple[str, ...] = ()
    probes_acted: bool = True
    hairpin: bool = True
    bridge_calls_iptables: bool = True

    def __post_init__(self) -> None:
        check(self)

    def node(self, name: str) -> Node:
        """The node of that name. Raises InputError if there is none."""
        return named(self.nodes, name, "node")

    def pod(self, name: str) -> Pod:
        """The pod of that name. Raises InputError if there is none."""
        return named(self.pods, name, "pod")

    @property
    def pools(self) -> tuple[NodePool, ...]:
        """Its node pools; the first is nodepool1, as az names it."""
        first = NodePool("nodepool1", self.subnet, self.pod_subnet, self.max_pods)
        return (first, *self.more_pools)

    def pool_of(self, node: Node) -> NodePool:
        """The node pool of a node. Raises InputError if it names one that is not there."""
        return named(self.pools, node.pool, "node pool") if node.pool else self.pools[0]

    def pods_of(self, node: str) -> tuple[Pod, ...]:
        """The pods on a node that have a network of their own."""
        return tuple(pod for pod in self.pods if pod.node == node and not pod.host_network)

    @property
    def services(self) -> tuple[Service, ...]:
        """The Services, as kube-proxy reads them."""
        return tuple(each.service for each in self.exposures)

    @property
    def load_balancer_addresses(self) -> tuple[str, ...]:
        """The addresses at which load balancers serve its Services, each once."""
        given = (at.ip for service in self.services for at in service.load_balancer_ingress)
        return tuple(dict.fromkeys(given))

    @property
    def endpoint_slices(self) -> tuple[EndpointSlice, ...]:
        """The EndpointSlices, as the controller makes them of Services and pods."""
        return tuple(found for each in self.exposures for found in each.slices(self.pods))


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
