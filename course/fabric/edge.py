"""Where Azure ends and the internet begins: private addresses become public ones, and public ones
of load balancers lead in.

Outbound by a load balancer, as AKS sets it up: every node has a share of the ports of the cluster's
public address, and keeps to it; a connection takes one port for as long as it lasts, and where no
port is left for a destination, nothing goes there. Ports may be used again for another destination:
here, for another address or port, while Azure keeps a port of UDP for an address and all its ports.
Pings do not leave: a Standard load balancer translates none.

Machines outside of clusters have default outbound access: an address that Azure gives to many, so
there is no share of ports. Azure still gives it in virtual networks from before 31 March 2026, and
in later ones to a subnet that asks for it; chosen here, since what calls from beside a cluster
is to be seen in the internet too.

Nobody in the internet routes private addresses (RFC 1918): what is for one is dropped before
anything else is asked, also what a user-defined route with next hop Internet sends there. Routers
of the internet, of which the edge is the only one here, answer nobody; chosen here.

Sources: Microsoft Learn, "Outbound rules", "Use SNAT for outbound connections", "Default outbound
access in Azure", "Virtual network traffic routing" (next hop Internet), "Test reachability of Azure
Public Load Balancer frontends with ping"; facts snat.default_table, snat.ports_per_frontend_ip,
default_outbound_access.end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from course import outbound
from course.addresses import canonical, merge, parse_range
from course.errors import InputError
from course.fabric.balancer import fronts
from course.linux.host import Host
from course.linux.interfaces import Interface, loopback
from course.linux.routing import Route
from course.linux.ruleset import parse
from course.topology import AZURE, EDGE, Machine
from course.topology.address_checks import AZURE_END, EDGE_END, MACHINES_OUTBOUND, ROUTER
from course.virtual_network import PRIVATE, is_private
from course.wiring.made import Made, card

FIRST_PORT = 1024


def edge(made: Sequence[Made], outside: Sequence[Machine]) -> Host:
    """The edge, with a link to each machine in the internet."""
    links = tuple(
        Interface(
            card(each.name), addresses=(f"{ROUTER}/32",), peer="eth0",
            peer_host=each.name,
        )
        for each in outside
    )  # fmt: skip
    inner = Interface(AZURE, addresses=(f"{EDGE_END}/30",), peer=EDGE, peer_host=AZURE)
    public = dict.fromkeys(
        ip for each in made for _, ip in fronts(each.cluster) if not is_private(f"{ip}/32")
    )
    return Host(
        EDGE,
        (loopback(), inner, *links),
        (
            *(Route(f"{each.address}/32", dev=card(each.name), scope="link") for each in outside),
            *(Route(f"{ip}/32", via=AZURE_END, dev=AZURE) for ip in public),
            *(Route(private, via=AZURE_END, dev=AZURE) for private in PRIVATE),
            Route("default", type="blackhole"),
        ),
        sysctls={"net.ipv4.ip_forward": 1, "net.ipv4.conf.all.proxy_arp": 1},
        netfilter=parse("\n".join(_rules(made))),
    )


def _rules(made: Sequence[Made]) -> Iterator[str]:
    yield "*raw"
    yield from (f"-A PREROUTING -d {private} -j DROP" for private in PRIVATE)
    yield "COMMIT"
    yield "*filter"
    yield "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    yield "-A INPUT -j DROP"
    for each in made:
        for _, sources in _of_nodes(each):
            ping = "-p icmp -m icmp --icmp-type echo-request"
            yield from (f"-A FORWARD -s {source} {ping} -j DROP" for source in sources)
    yield "COMMIT"
    yield "*nat"
    for each in made:
        yield from _outbound(each)
    for private in PRIVATE:
        yield f"-A POSTROUTING -s {private} -j SNAT --to-source {MACHINES_OUTBOUND}"
    yield "COMMIT\n"


def _outbound(made: Made) -> Iterator[str]:
    """What a node sends, its pods' own addresses included, leaves by the node's share of ports.

    An address of a pod reaches the edge only from a pod subnet: elsewhere the node masquerades it.
    """
    cluster = made.cluster
    for number, sources in _of_nodes(made):
        span = _share(number, ports_per_node(len(cluster.nodes), cluster.outbound_ports))
        target = f"SNAT --to-source {cluster.outbound_address}:{span}"
        for source in sources:
            for protocol in ("tcp", "udp"):
                yield f"-A POSTROUTING -s {source} -p {protocol} -j {target}"


def _of_nodes(made: Made) -> Iterator[tuple[int, list[str]]]:
    """The number of each node, with the ranges of the addresses on its card."""
    for number, node in enumerate(made.cluster.nodes):
        own = (node.address, *made.cards.get(node.name, ()))
        yield number, [canonical(each) for each in merge(parse_range(f"{ip}/32") for ip in own)]


def ports_per_node(nodes: int, chosen: int = 0) -> int:
    """How many ports each of so many nodes has; 0 is what AKS chooses.

    Raises InputError for a number that AKS refuses, or one that is too large for so many nodes.

    >>> ports_per_node(3), ports_per_node(60), ports_per_node(3, 8)
    (1024, 512, 8)
    """
    if problem := outbound.ports_problem(chosen):
        raise problem
    most = outbound.max_nodes(1, chosen) if chosen else nodes
    if nodes > most:
        raise InputError(
            chosen, f"ports a node are too many for {nodes} nodes.",
            f"One public address is enough for {most} nodes with so many.",
        )  # fmt: skip
    return chosen or outbound.default_ports(max(nodes, 1))


def _share(number: int, ports: int) -> str:
    first = FIRST_PORT + number * ports
    return f"{first}-{first + ports - 1}"
