"""What no cluster may have: names, ports or ranges that two of its things have, and pods, routes
and addresses that belong to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

from course.addresses import canonical, contains, is_inside, overlaps, parse_address, parse_range
from course.errors import InputError, distinct
from course.facts import fact, number
from course.kubeproxy.objects import HEADLESS, Service
from course.ranges import reserved_overlaps
from course.topology.address_checks import demand_possible, demand_public
from course.virtual_network import azure_name

if TYPE_CHECKING:
    from course.topology.cluster import Cluster, Pod

NODE_PORTS = range(30_000, 32_768)  # --service-node-port-range, which AKS leaves as it is
SERVICE_ADDRESSES = 8  # at least


def check(cluster: Cluster) -> None:
    """Raise InputError for a cluster that neither AKS nor Kubernetes would have."""
    azure_name(cluster.name, "cluster")
    demand_public(cluster.outbound_address)
    _check_ranges(cluster)
    distinct([pool.name for pool in cluster.pools], "name of a node pool")
    _check_nodes(cluster)
    _check_pods(cluster)
    for name in cluster.missing_routes:
        cluster.node(name)
    _check_services(cluster)


def _check_ranges(cluster: Cluster) -> None:
    """Pods and Services apart, in no range that AKS keeps; not too many addresses for Services.

    Sources: facts aks.reserved_ranges, service.cidr_max, service.cidr_no_overlap; kubernetes
    pkg/controlplane, ServiceIPRange (no fewer than eight addresses for Services).
    """
    pods, services = parse_range(cluster.pod_range, 4), parse_range(cluster.service_range, 4)
    if overlaps(pods, services):
        raise InputError(cluster.pod_range, "overlaps the Service range.", "Choose another one.")
    for each in (pods, services):
        if kept := reserved_overlaps(each):
            raise InputError(
                canonical(each), f"overlaps {canonical(kept[0])}, which AKS keeps for itself.",
                "Choose another range.",
            )  # fmt: skip
        demand_possible(canonical(each))
    if services.size < SERVICE_ADDRESSES:
        raise InputError(
            cluster.service_range, "is too small a range for Services.",
            f"Kubernetes needs at least {SERVICE_ADDRESSES} addresses, a /29.",
        )  # fmt: skip
    most = fact("service.cidr_max").value
    if services.prefixlen <= int(most.removeprefix("/")):
        raise InputError(
            cluster.service_range, "is too large a range for Services.",
            f"Make it smaller than a {most}, such as a /16.",
        )  # fmt: skip


def _check_nodes(cluster: Cluster) -> None:
    """Each within max-pods, with a /24 of the pod range that no other node has.

    Pods in the node's network count too. Sources: facts kubenet.node_pod_cidr_prefix,
    overlay.node_pod_cidr_prefix; kubernetes, scheduler plugin NodeResourcesFit (all pods count).
    """
    for node in cluster.nodes:
        most = cluster.pool_of(node).max_pods
        if sum(pod.node == node.name for pod in cluster.pods) > most:
            raise InputError(node.name, f"has more pods than max-pods {most}.", "Move some.")
    whole = parse_range(cluster.pod_range)
    parts = [parse_range(node.pod_range, 4) for node in cluster.nodes if node.pod_range]
    length = number("overlay.node_pod_cidr_prefix")
    for part in parts:
        if part.prefixlen != length:
            raise InputError(
                canonical(part), "is no node's part of the pod range.", f"Each has a /{length}."
            )
        if not is_inside(part, whole):
            raise InputError(
                canonical(part), f"lies outside of the pod range {whole}.", "Take a part of it."
            )
    for one, other in combinations(parts, 2):
        if overlaps(one, other):
            raise InputError(
                canonical(one), f"overlaps {other}: two nodes have it.", "Change one of them."
            )


def _check_pods(cluster: Cluster) -> None:
    """Each on a node of the cluster, under a name of its own; ports of the host network once.

    Kubernetes lets two namespaces have a pod of one name. Here a pod is a host, known by its name.
    Source: Kubernetes documentation, "Configuration Best Practices" (hostPort).
    """
    names = [node.name for node in cluster.nodes]
    for pod in cluster.pods:
        if pod.node not in names:
            raise InputError(
                pod.node, f"is no node: {pod.name} names it.", f"There are {', '.join(names)}."
            )
    namespaces: dict[str, str] = {}
    for pod in cluster.pods:
        if pod.name in namespaces:
            raise InputError(
                pod.name, f"is a pod of {namespaces[pod.name]} and of {pod.namespace}.",
                "Rename one: this course knows a pod by its name alone.",
            )  # fmt: skip
        namespaces[pod.name] = pod.namespace
    own = (port for pod in cluster.pods if pod.host_network for port in _host_ports(pod))
    distinct(own, "port of a pod in a node's network")


def _host_ports(pod: Pod) -> Iterator[str]:
    from course.topology.cluster import sockets

    return (f"{pod.node} {port}/{protocol}" for protocol, port in sockets(pod.ports))


def _check_services(cluster: Cluster) -> None:
    """What the API server demands: a name for each, cluster IPs of the Services' range, and node
    ports of theirs that no other Service has; a port, unless it is headless.

    Sources: Kubernetes documentation, "Service" ("Choosing your own port", "Headless Services",
    type NodePort); kubernetes pkg/apis/core/validation, ValidateService.
    """
    distinct([service.key for service in cluster.services], "name of a Service")
    for service in cluster.services:
        if not service.ports and not service.headless:
            raise InputError(service.key, "has no port.", "Give the Service a ServicePort.")
        _demand_health_check(service)
    given = [ip for each in cluster.services for ip in each.cluster_ips if ip != HEADLESS]
    distinct(given, "cluster IP of a Service")
    for ip in given:
        if ":" not in ip:
            _demand_cluster_ip(cluster, ip)
    ports = [port for service in cluster.services for port in _node_ports(service)]
    for port, _ in ports:
        if port not in NODE_PORTS:
            raise InputError(port, "is no node port.", f"Give {NODE_PORTS[0]} to {NODE_PORTS[-1]}.")
    distinct([f"{port}/{protocol}" for port, protocol in ports], "node port of a Service")


def _demand_cluster_ip(cluster: Cluster, ip: str) -> None:
    """Raise InputError for an address outside of the Services' range, and for its first or last.

    Source: kubernetes pkg/registry/core/service/ipallocator (an IPv4 range gives out neither its
    network address nor its broadcast address).
    """
    whole, address = parse_range(cluster.service_range), parse_address(ip)
    if not contains(whole, address):
        raise InputError(
            ip, f"lies outside of the Services' range {cluster.service_range}.",
            "Take one of that range.",
        )  # fmt: skip
    if address in (whole[0], whole[-1]):
        raise InputError(
            ip, f"is the first or last of {cluster.service_range}: no Service gets it.",
            "Take one between.",
        )  # fmt: skip


def _demand_health_check(service: Service) -> None:
    """Raise InputError for a load balancer with policy Local that has nowhere to ask.

    Source: Kubernetes API reference, Service v1 (healthCheckNodePort: the API server gives one).
    """
    local = (service.type, service.external_traffic_policy) == ("LoadBalancer", "Local")
    if local and not service.health_check_node_port:
        raise InputError(
            service.key, "has externalTrafficPolicy Local and no health_check_node_port.",
            "Give one: with that policy, Kubernetes has one for every load balancer.",
        )  # fmt: skip


def _node_ports(service: Service) -> Iterator[tuple[int, str]]:
    """The ports that a Service takes on every node, with their protocol."""
    yield from ((port.node_port, port.protocol) for port in service.ports if port.node_port)
    if service.health_check_node_port:
        yield service.health_check_node_port, "TCP"
