"""Azure's load balancer: which node gets a new connection, and which nodes take part.

Floating IP: a packet keeps the address of the load balancer, and kube-proxy on the node takes it
from there. A flow keeps its node, since the node is chosen by a hash of addresses and ports; with
sessionAffinity ClientIP a client does (course.fabric.affinity). What a load balancer's rules do not
name is dropped; pings too, but for public addresses, which answer them themselves: from the
internet and from machines in Azure, documented for those with a public address. Chosen here: that
they answer the cluster's own nodes and pods too, though no ping of theirs gets out to the internet;
and that they are silent where no node takes part, as documented for nodes that are switched off
(where all are probed down, Azure tells "host unreachable"). Then not even ARP is answered for an
internal one: Linux does so only for what it has a way to, while Azure does so for every address.

A node takes part if its probes are answered. They come from 168.63.129.16, and so a security group
may shut them out. AKS makes a probe for each port, and a rule of Azure asks its own only; chosen
here, so that a load balancer's address is one route: a node takes part if all ports that the
address leads to answer, of all Services that share it.

Sources: Microsoft Learn, "Floating IP", "Azure Load Balancer health probes", "What is IP address
168.63.129.16", "Test reachability of Azure Public Load Balancer frontends with ping and
traceroute"; cloud-provider-azure, "Azure LoadBalancer".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from course.fabric.cards import Card
from course.fabric.platform import PLATFORM
from course.kubeproxy.objects import Service, ServicePort
from course.linux.host import Host
from course.linux.netfilter import ACCEPT, hook
from course.linux.outcome import Fate
from course.linux.packet import tcp
from course.linux.passage import Passage
from course.linux.path import receive
from course.linux.routing import NextHop, Route
from course.linux.ruleset import Ruleset
from course.topology import AZURE, EDGE, Cluster
from course.virtual_network import is_private
from course.wiring.made import Made

BALANCER = "load-balancer"
TAKEN = (Fate.SENT, Fate.DELIVERED)
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
    for ip in dict.fromkeys(ip for _, ip in fronts(cluster)):
        found = [probed(cluster, service, reached) for service, at in fronts(cluster) if at == ip]
        hops = tuple(
            NextHop(node.address, devs[node.name])
            for node in cluster.nodes
            if all(node.name in each for each in found)
        )
        if len(hops) > 1:
            yield Route(f"{ip}/32", nexthops=hops)
        elif hops:
            yield Route(f"{ip}/32", via=hops[0].via, dev=hops[0].dev)
        else:
            yield Route(f"{ip}/32", type="blackhole")


def probed(cluster: Cluster, service: Service, reached: Asked) -> tuple[str, ...]:
    """The nodes that take part in a Service's load balancing, as its probes find them.

    externalTrafficPolicy Cluster: those that answer at the node port of each of its TCP ports (UDP
    is not probed); a Service without endpoints refuses there, so no node takes part. Local: those
    with a ready endpoint, which is what kube-proxy answers at the health check node port. Before
    the probes acted: all.
    """
    everyone = tuple(node.name for node in cluster.nodes)
    if not cluster.probes_acted:
        return everyone
    if service.external_traffic_policy == "Cluster":
        ports = [port.node_port for port in service.ports if port.protocol == "TCP"]
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


def asked_through(rules: Ruleset, inside: Iterable[Card], made: Sequence[Made]) -> Asked:
    """Whether a probe passes Azure's own rules (security groups) on its way to a node, and the
    node does not refuse it.

    The health check node port is kube-proxy's own: of it only the way there is asked.
    """
    fabric, cards = Host(AZURE, netfilter=rules), {each.owner: each for each in inside}
    nodes = {host.name: host for each in made for host in each.hosts}
    services = (service for each in made for service in each.cluster.services)
    own = {port for port in (each.health_check_node_port for each in services) if port}

    def reached(node: str, port: int) -> bool:
        packet = tcp(PLATFORM, 50000, cards[node].address, port)
        probe = Passage(fabric, packet, in_interface=EDGE, out_interface=cards[node].dev)
        if hook(probe, "FORWARD") != ACCEPT:
            return False
        return port in own or receive(nodes[node], "eth0", packet).fate in TAKEN

    return reached


def answering_pings(rules: Ruleset, fronts: Iterable[Route]) -> Ruleset:
    """The same rules, with those by which public addresses answer pings: the load balancer does it
    itself, while any node takes part. In their place answers the address that probes come from.
    """
    pinged = "-p icmp -m icmp --icmp-type echo-request"
    lines = [
        f"-A PREROUTING -d {front.network} {pinged} -j DNAT --to-destination {PLATFORM}"
        for front in fronts
        if front.type == "unicast" and not is_private(front.network)
    ]
    return rules.apply("\n".join(["*nat", *lines, "COMMIT", ""])) if lines else rules


def rules(made: Sequence[Made]) -> Iterator[str]:
    """A load balancer hands on what its rules name, a port each; all else is dropped."""
    for each in made:
        for ip in dict.fromkeys(ip for _, ip in fronts(each.cluster)):
            yield f"-A FORWARD -d {ip} -j {BALANCER}"
        for service, ip in fronts(each.cluster):
            for port in service.ports:
                yield f"-A {BALANCER} {of_port(ip, port)} -j RETURN"
    if any(True for each in made for _ in fronts(each.cluster)):
        yield f"-A {BALANCER} -j DROP"


def of_port(ip: str, port: ServicePort) -> str:
    """What a rule of a load balancer asks of a packet.

    >>> of_port("198.51.100.80", ServicePort(80))
    '-d 198.51.100.80 -p tcp -m tcp --dport 80'
    """
    protocol = port.protocol.lower()
    return f"-d {ip} -p {protocol} -m {protocol} --dport {port.port}"
