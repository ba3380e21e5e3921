"""What kube-proxy reads from the API server: Services and EndpointSlices.

Fields bear their Kubernetes names, in snake_case; only those that kube-proxy reads are here. A
Service says which address and port clients use; its EndpointSlices say which pods stand behind it.
kube-proxy never looks at pods, and it never resolves a target port: EndpointSlices already carry
its number.

Source: Kubernetes API reference, Service v1 and EndpointSlice discovery.k8s.io/v1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from course.addresses import canonical, parse_address
from course.errors import InputError

PROTOCOLS = ("TCP", "UDP", "SCTP")
TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
POLICIES = ("Cluster", "Local")
HEADLESS = "None"
DEFAULT_AFFINITY_SECONDS = 10_800
_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class ServicePort:
    """One port of a Service. `node_port` 0 means none.

    `target_port` (a number or a name; None: the same as `port`) is for the EndpointSlice
    controller; kube-proxy does not read it.

    >>> ServicePort(80, "http", node_port=30080).protocol
    'TCP'
    """

    port: int
    name: str = ""
    protocol: str = "TCP"
    node_port: int = 0
    target_port: int | str | None = None

    def __post_init__(self) -> None:
        _port_number(self.port)
        _one_of(self.protocol, PROTOCOLS, "protocol")
        if self.name:
            _label(self.name, "port name")
        if self.node_port:
            _port_number(self.node_port)


@dataclass(frozen=True)
class LoadBalancerIngress:
    """An address at which a load balancer serves a Service, as the cloud reported it.

    `ip_mode` "VIP": packets arrive with this address as destination, and kube-proxy takes them;
    "Proxy": the load balancer writes a node's address instead, so kube-proxy leaves it alone.
    Source: Kubernetes documentation, Service, "Specifying IPMode of load balancer status".
    """

    ip: str
    ip_mode: str = "VIP"

    def __post_init__(self) -> None:
        parse_address(self.ip)
        _one_of(self.ip_mode, ("VIP", "Proxy"), "ipMode")


@dataclass(frozen=True)
class Service:
    """A stable address in front of a changing set of pods.

    `session_affinity_timeout_seconds` is sessionAffinityConfig.clientIP.timeoutSeconds. Raises
    InputError for a value that the API server would refuse.

    >>> web = Service("default", "web", ("10.0.23.7",), (ServicePort(80, "http"),))
    >>> web.key, web.headless
    ('default/web', False)
    """

    namespace: str
    name: str
    cluster_ips: tuple[str, ...] = ()
    ports: tuple[ServicePort, ...] = ()
    type: str = "ClusterIP"
    external_ips: tuple[str, ...] = ()
    load_balancer_ingress: tuple[LoadBalancerIngress, ...] = ()
    load_balancer_source_ranges: tuple[str, ...] = ()
    external_traffic_policy: str = "Cluster"
    internal_traffic_policy: str = "Cluster"
    session_affinity: str = "None"
    session_affinity_timeout_seconds: int = DEFAULT_AFFINITY_SECONDS
    health_check_node_port: int = 0

    def __post_init__(self) -> None:
        _label(self.namespace, "namespace")
        _label(self.name, "name of a Service")
        _one_of(self.type, TYPES, "type of a Service")
        _one_of(self.external_traffic_policy, POLICIES, "externalTrafficPolicy")
        _one_of(self.internal_traffic_policy, POLICIES, "internalTrafficPolicy")
        _one_of(self.session_affinity, ("None", "ClientIP"), "sessionAffinity")
        _affinity_seconds(self.session_affinity_timeout_seconds)
        if self.health_check_node_port:
            _port_number(self.health_check_node_port)
        for address in (*self.cluster_ips, *self.external_ips):
            if address != HEADLESS:
                parse_address(address)
        _different(self.ports)

    @property
    def key(self) -> str:
        """How Kubernetes names it: namespace/name."""
        return f"{self.namespace}/{self.name}"

    @property
    def headless(self) -> bool:
        """Without an address of its own: DNS answers with the pods, kube-proxy does nothing."""
        return not self.cluster_ips or HEADLESS in self.cluster_ips


@dataclass(frozen=True)
class EndpointConditions:
    """What is known of an endpoint. Unknown (None) ready and serving count as true.

    A pod that is being deleted is `terminating`, never `ready`, and `serving` as long as its
    readiness probe succeeds. Source: discovery.k8s.io/v1 EndpointConditions.
    """

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it takes new connections."""
        return self.ready is not False

    @property
    def is_last_resort(self) -> bool:
        """Serving although terminating: used only where nothing is ready."""
        return self.serving is not False and self.terminating is True


UNKNOWN = EndpointConditions()


@dataclass(frozen=True)
class Endpoint:
    """A pod behind a Service. Only the first of its addresses is used, as the API demands."""

    addresses: tuple[str, ...]
    node_name: str | None = None
    conditions: EndpointConditions = UNKNOWN


@dataclass(frozen=True)
class EndpointPort:
    """The port on which the endpoints of a slice listen; `name` ties it to the Service's port."""

    port: int
    name: str = ""
    protocol: str = "TCP"

    def __post_init__(self) -> None:
        _port_number(self.port)
        _one_of(self.protocol, PROTOCOLS, "protocol")


@dataclass(frozen=True)
class EndpointSlice:
    """Some of the endpoints of a Service, all of one family, all with the same ports.

    `service_name` is the label kubernetes.io/service-name. Raises InputError for an address that
    is not of `address_type`.

    >>> pods = (Endpoint(("10.244.0.5",), "node-1"), Endpoint(("10.244.1.7",), "node-2"))
    >>> EndpointSlice("default", "web", (EndpointPort(8080, "http"),), pods).key
    'default/web'
    """

    namespace: str
    service_name: str
    ports: tuple[EndpointPort, ...]
    endpoints: tuple[Endpoint, ...]
    address_type: str = "IPv4"

    def __post_init__(self) -> None:
        _one_of(self.address_type, ("IPv4", "IPv6", "FQDN"), "addressType")
        if self.address_type != "FQDN":  # names are for other readers; kube-proxy skips them
            version = int(self.address_type[-1])
            for endpoint in self.endpoints:
                for address in endpoint.addresses:
                    parse_address(address, version)

    @property
    def key(self) -> str:
        """Which Service it belongs to: namespace/name."""
        return f"{self.namespace}/{self.service_name}"


def spelled(address: str) -> str:
    """The one usual spelling of an address that was checked before; IPv4 has no other.

    >>> spelled("FD00:0::1"), spelled("10.0.0.4")
    ('fd00::1', '10.0.0.4')
    """
    return canonical(parse_address(address)) if ":" in address else address


def _label(value: str, what: str) -> None:
    if not _LABEL.fullmatch(value):
        raise InputError(
            value, f"is no {what} in Kubernetes.", "Use a-z, 0-9 and -, at most 63 characters."
        )


def _one_of(value: str, allowed: Iterable[str], what: str) -> None:
    if value not in allowed:
        raise InputError(value, f"is no {what}.", f"Choose {', '.join(allowed)}.")


def _port_number(value: int) -> None:
    if not isinstance(value, int) or not 0 < value < 65_536:
        raise InputError(value, "is no port number.", "Give 1 to 65535.")


def _affinity_seconds(value: int) -> None:
    if not isinstance(value, int) or not 0 < value <= 86_400:
        raise InputError(value, "seconds are no affinity timeout.", "Give 1 to 86400.")


def _different(ports: tuple[ServicePort, ...]) -> None:
    names = [port.name for port in ports]
    if len(set(names)) < len(names):
        raise InputError(
            names, "names two ports of a Service alike.", "Give every port a name of its own."
        )
