"""A topology as text, a line for each thing. What is as usual is left out; whatever else may decide
where a packet goes is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from netaddr import IPSet

from course.kubeproxy.objects import LoadBalancerIngress, Service, ServicePort
from course.topology.cluster import Cluster, Exposure, Node, NodePool, Pod
from course.virtual_network import Subnet, VirtualNetwork

if TYPE_CHECKING:
    from course.topology.topology import Machine, Topology


def lines(topology: Topology) -> Iterator[str]:
    """The lines of `Topology.describe`."""
    for network in topology.networks:
        yield _listed(f"virtual network {network.name} {', '.join(network.ranges)}", _of(network))
        for subnet in network.subnets:
            yield f"  subnet {subnet.name} {subnet.range}"
            yield from (f"    {words}" for words in _of_subnet(subnet))
    if topology.on_premises:
        yield f"on premises {', '.join(topology.on_premises)}"
    for machine in topology.machines:
        yield _listed(f"machine {machine.name} {machine.address}", _of_machine(machine))
    for cluster in topology.clusters:
        yield from _of_cluster(cluster)


def _listed(start: str, more: Iterable[str]) -> str:
    return ", ".join((start, *more))


def _of(network: VirtualNetwork) -> Iterator[str]:
    if network.peerings:
        yield f"peered with {', '.join(network.peerings)}"
    if network.gateway:
        yield "gateway to on-premises networks"


def _of_subnet(subnet: Subnet) -> Iterator[str]:
    yield from (f"route {route}" for route in subnet.routes)
    if subnet.security == ():
        yield "security group without rules of its own"
    yield from (f"security rule {rule}" for rule in subnet.security or ())


def _of_machine(machine: Machine) -> Iterator[str]:
    if machine.ports != type(machine).ports:
        yield f"listens {_ports(machine.ports)}"
    if machine.forwards:
        yield "passes packets on"
    if machine.translates:
        yield "translates to its own address"
    if machine.proxy:
        proxy = machine.proxy
        yield f"ends connections to {proxy.port} and opens its own to {proxy.to}:{proxy.to_port}"


def pods_in(cluster: Cluster, pool: NodePool) -> str:
    """The subnet, by its name, or the range that the pods of a pool have their addresses from.

    Pods take addresses of the node subnet where nodes hold some; nodes that have not been given
    any yet do not tell.
    """
    held = any(node.held for node in cluster.nodes if cluster.pool_of(node) == pool)
    return pool.pod_subnet or (pool.subnet if held else cluster.pod_range)


def _of_cluster(cluster: Cluster) -> Iterator[str]:
    start = (
        f"cluster {cluster.name}: {cluster.model}, nodes in {cluster.subnet}, pods in "
        f"{pods_in(cluster, cluster.pools[0])}, Services in {cluster.service_range}"
    )
    yield _listed(start, _most_pods(cluster))
    yield from (f"  {words}" for words in _settings(cluster))
    for pool in cluster.more_pools:
        pods = [f"pods in {pool.pod_subnet}"] if pool.pod_subnet else []
        start = f"  node pool {pool.name}: nodes in {pool.subnet}"
        yield _listed(start, (*pods, *_most_pods(pool)))
    for node in cluster.nodes:
        words = (node.name, node.address, node.pod_range, node.pool)
        yield _listed("  " + " ".join(filter(None, words)), _of_node(node))
        yield from (_pod_line(pod) for pod in cluster.pods if pod.node == node.name)
    yield from (f"  {_service_line(each)}" for each in cluster.exposures)


def _most_pods(pool: Cluster | NodePool) -> Iterator[str]:
    if pool.max_pods != type(pool).max_pods:
        yield f"max-pods {pool.max_pods}"


def _settings(cluster: Cluster) -> Iterator[str]:
    if cluster.outbound_address != Cluster.outbound_address:
        yield f"the internet sees {cluster.outbound_address}"
    if cluster.outbound_ports:
        yield f"{cluster.outbound_ports} outbound ports a node"
    if cluster.ip_masq_agent:
        ranges = ", ".join(cluster.ip_masq_agent.non_masquerade) or "nothing"
        link_local = "not " * (not cluster.ip_masq_agent.masq_link_local)
        yield f"ip-masq-agent leaves alone {ranges}; link-local is {link_local}masqueraded"
    if cluster.missing_routes:
        yield f"routes are missing: {', '.join(cluster.missing_routes)}"
    if not cluster.probes_acted:
        yield "the load balancer's probes have not acted yet"
    if not cluster.hairpin:
        yield "hairpin is off"
    if not cluster.bridge_calls_iptables:
        yield "bridges do not call iptables"


def _of_node(node: Node) -> Iterator[str]:
    """The addresses on its card in spans: there may be hundreds, side by side."""
    if node.held:
        spans = (str(span).split("-") for span in IPSet(node.held).iter_ipranges())
        yield "holds " + " ".join("-".join(dict.fromkeys(span)) for span in spans)
    if not node.ip_forwarding:
        yield "IP forwarding off"


def _pod_line(pod: Pod) -> str:
    where = "in its node's network" if pod.host_network else pod.address
    words = (pod.name, where, _labels(pod.labels.items()), f"listens {_ports(pod.ports)}")
    return _listed("    " + " ".join(filter(None, words)), _of_pod(pod))


def _of_pod(pod: Pod) -> Iterator[str]:
    if pod.namespace != Pod.namespace:
        yield f"namespace {pod.namespace}"
    if not pod.ready:
        yield "not ready"
    if pod.terminating:
        yield "terminating"


def _service_line(exposure: Exposure) -> str:
    service = exposure.service
    name = service.name if service.namespace == Pod.namespace else service.key
    at = ", ".join((*service.cluster_ips, *map(_ingress, service.load_balancer_ingress)))
    ports = ", ".join(map(_service_port, service.ports))
    labels = _labels(exposure.selector.items()) or "nobody: it has no selector"
    start = " ".join(filter(None, ("Service", name, service.type, at, ports, "for", labels)))
    return _listed(start, _of_service(service))


def _ingress(at: LoadBalancerIngress) -> str:
    return at.ip if at.ip_mode == "VIP" else f"{at.ip} (ipMode {at.ip_mode})"


def _service_port(port: ServicePort) -> str:
    target = f" -> {port.target_port}" if port.target_port not in (None, port.port) else ""
    on_nodes = f" (node port {port.node_port})" if port.node_port else ""
    return f"{port.port}/{port.protocol}{target}{on_nodes}"


def _of_service(service: Service) -> Iterator[str]:
    if service.external_ips:
        yield f"external IPs {' '.join(service.external_ips)}"
    for policy, chosen in (
        ("externalTrafficPolicy", service.external_traffic_policy),
        ("internalTrafficPolicy", service.internal_traffic_policy),
    ):
        if chosen != "Cluster":
            yield f"{policy} {chosen}"
    if service.health_check_node_port:
        yield f"health check node port {service.health_check_node_port}"
    if service.session_affinity != "None":
        seconds = service.session_affinity_timeout_seconds
        yield f"sessionAffinity {service.session_affinity} for {seconds} s"
    if service.load_balancer_source_ranges:
        yield f"only from {' '.join(service.load_balancer_source_ranges)}"


def _labels(labels: Iterable[tuple[str, str]]) -> str:
    return " ".join(f"{key}={value}" for key, value in labels)


def _ports(ports: Iterable[int | str]) -> str:
    return ", ".join(map(str, ports))
