"""Azure's load balancer: which node gets a new connection, and which nodes take part.

Floating IP: a packet keeps the address of the load balancer, and kube-proxy on the node takes it
from there. A flow keeps its node, since the node is chosen by a hash of addresses and ports. What a
load balancer's rules do not name is dropped, pings too.

A node takes part if its probes are answered. They come from 168.63.129.16, and so a security group
may shut them out. Sources: Microsoft Learn, "Floating IP", "Azure Load Balancer health probes",
"What is IP address 168.63.129.16"; cloud-provider-azure, "Azure LoadBalancer".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from course.fabric.cards import Card
from course.kubeproxy.objects import Service
from course.linux.host import Host
from course.linux.netfilter import ACCEPT, hook
from course.linux.packet import tcp
from course.linux.passage import Passage
from course.linux.routing import NextHop, Route
from course.linux.ruleset import Ruleset
from course.topology import AZURE, EDGE, Cluster
from course.wiring.made import Made

PLATFORM = "168.63.129.16"  # where probes come from; Azure's DNS has the same address
BALANCER = "load-balancer"
Asked = Callable[[str, int], bool]  # whether a probe reaches a port of a node


def fronts(cluster: Cluster) -> Iterator[tuple[Service, str]]:
    """The addresses of load balancers that lead to a cluster's nodes, each with its Service."""
    for service in cluster.services:
        for ingress in service.load_balancer_ingress:
            if ingress.ip_mode == "VIP":
                yield service, ingress.ip


def routes(cluster: Cluster, inside: Iterable[Card], reached: Asked) -> Iterator[Route]:
    """To a load balancer's address: by each of the nodes that its probes found."""
    devs = {each.owner: each.dev for each in inside}
    for service, ip in fronts(cluster):
        hops = tuple(
            NextHop(cluster.node(name).address, devs[name])
            for name in probed(cluster, service, reached)
        )
        if len(hops) > 1:
            yield Route(f"{ip}/32", nexthops=hops)
        elif hops:
            yield Route(f"{ip}/32", via=hops[0].via, dev=hops[0].dev)
        else:
            yield Route(f"{ip}/32", type="blackhole")


def probed(cluster: Cluster, service: Service, reached: Asked) -> tuple[str, ...]:
    """The nodes that take part in a Service's load balancing, as its probes find them.

    externalTrafficPolicy Cluster: all that a probe reaches at the node port. Local: of those, at
    the health check node port, the nodes with a ready endpoint. Before the probes acted: all.
    """
    everyone = tuple(node.name for node in cluster.nodes)
    if not cluster.probes_acted:
        return everyone
    if service.external_traffic_policy == "Cluster":
        ports = [port.node_port for port in service.ports]
        return tuple(name for name in everyone if all(reached(name, port) for port in ports))
    with_endpoint = {
        endpoint.node_name
        for found in cluster.endpoint_slices
        if found.key == service.key
        for endpoint in found.endpoints
        if endpoint.conditions.is_ready
    }
    health = service.health_check_node_port
    return tuple(name for name in everyone if name in with_endpoint and reached(name, health))


def asked_through(rules: Ruleset, inside: Iterable[Card]) -> Asked:
    """Whether a probe passes Azure's own rules (security groups) on its way to a node's card."""
    fabric, cards = Host(AZURE, netfilter=rules), {each.owner: each for each in inside}

    def reached(node: str, port: int) -> bool:
        packet = tcp(PLATFORM, 50000, cards[node].address, port)
        probe = Passage(fabric, packet, in_interface=EDGE, out_interface=cards[node].dev)
        return hook(probe, "FORWARD") == ACCEPT

    return reached


def rules(made: Sequence[Made]) -> Iterator[str]:
    """A load balancer hands on what its rules name, a port each; all else is dropped."""
    for each in made:
        for service, ip in fronts(each.cluster):
            yield f"-A FORWARD -d {ip} -j {BALANCER}"
            for port in service.ports:
                protocol = port.protocol.lower()
                match = f"-d {ip} -p {protocol} -m {protocol} --dport {port.port}"
                yield f"-A {BALANCER} {match} -j RETURN"
    if any(True for each in made for _ in fronts(each.cluster)):
        yield f"-A {BALANCER} -j DROP"
