"""One Service port as one node sees it: its addresses, and who may reach which endpoint.

kube-proxy thinks in Service ports, not in Services: each port has rules of its own. Which
endpoints a packet may reach depends on the traffic policies:

- Cluster: every ready endpoint, wherever it runs;
- Local: only the ready endpoints on this node;
- where nothing is ready, those that are being deleted but still serve: better than an error.

Topology hints (traffic distribution to the same zone or node) are not modelled.

Source: kubernetes/kubernetes pkg/proxy topology.go, serviceport.go and endpointslicecache.go
(about v1.35); KEP-1669 for terminating endpoints.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from netaddr import AddrFormatError, IPNetwork

from course.addresses import parse_address, parse_range
from course.kubeproxy import chains
from course.kubeproxy.objects import Endpoint, EndpointSlice, Service, ServicePort, spelled
from course.kubeproxy.options import Options


class Candidate(NamedTuple):
    """An endpoint of a Service port: where it listens, and whether it may be used."""

    address: str
    target: str  # address:port, as DNAT writes it
    local: bool
    ready: bool
    last_resort: bool


class Target(NamedTuple):
    """An endpoint that is used, and its chain."""

    address: str
    target: str
    chain: str


@dataclass(frozen=True)
class BoundPort:
    """A Service port with its candidates, sorted by address:port as text."""

    service: Service
    port: ServicePort
    cluster_ip: str
    family: str
    candidates: tuple[Candidate, ...]

    @cached_property
    def name(self) -> str:
        """How rules call it: namespace/name:port name; without a port name, without the colon."""
        return f"{self.service.key}:{self.port.name}" if self.port.name else self.service.key

    @cached_property
    def protocol(self) -> str:
        """In lower case, as iptables writes it."""
        return self.port.protocol.lower()

    @cached_property
    def hash(self) -> str:
        """What the names of its chains end in."""
        return chains.name_hash(self.name, self.protocol)

    @cached_property
    def external_ips(self) -> tuple[str, ...]:
        """Addresses that someone else routes to the nodes; those of this family."""
        return _of_family(self.family, self.service.external_ips)

    @cached_property
    def load_balancer_ips(self) -> tuple[str, ...]:
        """Addresses of the load balancer that reach the node as destination (ipMode VIP)."""
        seen = (entry.ip for entry in self.service.load_balancer_ingress if entry.ip_mode == "VIP")
        return _of_family(self.family, seen)

    @cached_property
    def source_ranges(self) -> tuple[IPNetwork, ...]:
        """Who may use the load balancer's address; those of this family."""
        networks = map(_source_range, self.service.load_balancer_source_ranges)
        return tuple(network for network in networks if f"IPv{network.version}" == self.family)

    @cached_property
    def externally_accessible(self) -> bool:
        """Whether clients can reach it by anything but its cluster IP."""
        return bool(self.port.node_port or self.load_balancer_ips or self.external_ips)

    @cached_property
    def internal_local(self) -> bool:
        """internalTrafficPolicy Local: what goes to the cluster IP stays on this node."""
        return self.service.internal_traffic_policy == "Local"

    @cached_property
    def external_local(self) -> bool:
        """externalTrafficPolicy Local: what comes from outside stays on this node.

        It means something only for a Service that may be reached from outside.
        """
        outside = self.service.type in ("NodePort", "LoadBalancer") or self.service.external_ips
        return bool(outside) and self.service.external_traffic_policy == "Local"

    @cached_property
    def health_check_node_port(self) -> int:
        """Where load balancers ask whether this node has endpoints; 0 means nowhere.

        Only a load balancer with externalTrafficPolicy Local needs to ask.
        """
        asked = self.service.type == "LoadBalancer" and self.external_local
        return self.service.health_check_node_port if asked else 0

    @cached_property
    def has_endpoints(self) -> bool:
        """Whether any endpoint is usable, on whichever node."""
        return any(one.ready or one.last_resort for one in self.candidates)

    @cached_property
    def cluster_targets(self) -> tuple[Target, ...]:
        """What traffic under the policy Cluster may reach.

        Also needed with externalTrafficPolicy Local: pods and the node itself pass it by.
        """
        needed = not self.internal_local or self.externally_accessible
        return self._targets(_usable(self.candidates)) if needed else ()

    @cached_property
    def local_targets(self) -> tuple[Target, ...]:
        """What traffic under the policy Local may reach."""
        needed = self.internal_local or (self.external_local and self.externally_accessible)
        mine = [one for one in self.candidates if one.local]
        return self._targets(_usable(mine)) if needed else ()

    @cached_property
    def reachable_targets(self) -> tuple[Target, ...]:
        """Both, each once: these get a chain of their own."""
        if not self.local_targets:
            return self.cluster_targets
        return tuple(sorted({*self.cluster_targets, *self.local_targets}, key=_by_target))

    @property
    def serves_inside(self) -> bool:
        """Whether what goes to the cluster IP finds an endpoint."""
        return bool(self.local_targets) if self.internal_local else self.has_endpoints

    @property
    def serves_outside(self) -> bool:
        """Whether what comes from outside finds an endpoint."""
        return bool(self.local_targets) if self.external_local else self.has_endpoints

    @property
    def filters_sources(self) -> bool:
        """Whether only some may use the load balancer's address."""
        return bool(self.has_endpoints and self.load_balancer_ips and self.source_ranges)

    def _targets(self, candidates: Iterable[Candidate]) -> tuple[Target, ...]:
        name, protocol, prefix = self.name, self.protocol, chains.ENDPOINT
        return tuple(
            Target(one.address, one.target, prefix + chains.name_hash(name, protocol, one.target))
            for one in candidates
        )


def bound_ports(
    services: Iterable[Service], slices: Iterable[EndpointSlice], options: Options
) -> Iterator[BoundPort]:
    """Every Service port that kube-proxy serves in this family, sorted by name.

    Headless Services and those of type ExternalName are left out: nothing is to be translated.
    They come one by one, so that a large cluster need not be held twice.

    >>> from course.kubeproxy.objects import EndpointPort
    >>> web = Service("default", "web", ("10.0.23.7",), (ServicePort(80, "http"),))
    >>> pods = (Endpoint(("10.244.1.7",), "node-2"), Endpoint(("10.244.0.5",), "node-1"))
    >>> behind = EndpointSlice("default", "web", (EndpointPort(8080, "http"),), pods)
    >>> (port,) = bound_ports([web], [behind], Options("node-1", "10.240.0.4"))
    >>> port.name, [each.target for each in port.cluster_targets]
    ('default/web:http', ['10.244.0.5:8080', '10.244.1.7:8080'])
    """
    slices_of: dict[str, list[EndpointSlice]] = defaultdict(list)
    for part in slices:
        if part.address_type == options.family:
            slices_of[part.key].append(part)
    for service in sorted(services, key=lambda service: (service.namespace, service.name)):
        addresses = () if service.headless else _of_family(options.family, service.cluster_ips)
        if not addresses or service.type == "ExternalName":
            continue
        for port in sorted(service.ports, key=lambda port: port.name):
            behind = _candidates(port, slices_of[service.key], options.node_name)
            yield BoundPort(service, port, addresses[0], options.family, behind)


def _candidates(
    port: ServicePort, slices: Iterable[EndpointSlice], node_name: str
) -> tuple[Candidate, ...]:
    """The endpoints of a port, tied by its name and protocol, each once, in order."""
    found: dict[str, Candidate] = {}
    for part in slices:
        for listening in part.ports:
            if (listening.name, listening.protocol) != (port.name, port.protocol):
                continue
            for endpoint in part.endpoints:
                if endpoint.addresses:
                    one = _candidate(endpoint, listening.port, node_name)
                    # the same endpoint in two slices, while it moves: the more useful view
                    found[one.target] = max(one, found.get(one.target, one))
    return tuple(sorted(found.values(), key=_by_target))


def _candidate(endpoint: Endpoint, port: int, node_name: str) -> Candidate:
    address = spelled(endpoint.addresses[0])
    conditions = endpoint.conditions
    return Candidate(
        address,
        f"[{address}]:{port}" if ":" in address else f"{address}:{port}",
        endpoint.node_name == node_name,
        conditions.is_ready,
        conditions.is_last_resort,
    )


def _usable(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The ready ones; if there are none, those that still serve while they are being deleted."""
    ready = [one for one in candidates if one.ready]
    return ready or [one for one in candidates if one.last_resort]


def _of_family(family: str, addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(spelled(ip) for ip in addresses if (":" in ip) == (family == "IPv6"))


def _source_range(text: str) -> IPNetwork:
    """A source range; bits after its length are dropped, as kube-proxy does."""
    start = text.strip().partition("/")[0]
    parse_address(start)
    try:
        return IPNetwork(text.strip()).cidr
    except AddrFormatError:
        return parse_range(text.strip())  # says what is wrong


def _by_target(one: Candidate | Target) -> str:
    return one.target
