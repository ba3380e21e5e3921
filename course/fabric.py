"""Azure's side as hosts: what stands between network cards, and at the edge to the internet.

One host, `azure`, has the other end of every network card. It routes and does not switch: each
card is a link of its own, and whoever asks by ARP for an address that Azure can route is answered
by Azure itself, always with the same MAC. So it knows nothing but addresses, and that is the point:
a packet goes where a table says, or nowhere. Which table, is decided by the card it came from:

    51, 52, ...    the routing domain of an overlay cluster, for the cards of its nodes
    201, 202, ...  the route table of a subnet, for its cards: user-defined routes; `throw` leads on
    101, 102, ...  system routes of a virtual network: every address that a card holds, here and in
                   peered networks; on-premises ranges; private ranges to nobody; all else outside

A second host, `edge`, is where private addresses become public ones, and public ones of load
balancers lead in. Behind it are the machines of the internet.

Documented by Azure: the system routes, longest prefix first, a user-defined route before a system
route of the same prefix, next hop None for private ranges, IP forwarding of network cards, floating
IP, probes. Not documented, and chosen here so that Linux can do it: that routing takes one hop
(TTL), that the same MAC answers everywhere, how a routing domain is kept, and that Azure takes a
packet to an address of its network that no card holds, and drops it: by an interface `nowhere`,
since Linux answers ARP only for what it has a way to.

Source: Microsoft Learn, "Virtual network traffic routing"; tried on Linux.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from course.addresses import canonical, is_inside, parse_range
from course.fabric_rules import NOWHERE, Card, rules
from course.kubeproxy.objects import Service
from course.linux.host import Host
from course.linux.interfaces import Interface, loopback
from course.linux.routing import NextHop, PolicyRule, Route
from course.linux.ruleset import parse
from course.topology import AZURE, EDGE, Cluster, Machine, Topology
from course.virtual_network import Subnet, VirtualNetwork
from course.wiring.machine import machine_host
from course.wiring.made import Made, card

MAC = "12:34:56:78:9a:bc"  # of Azure's router, on every link
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
MACHINES_OUTBOUND = "198.51.100.3"  # what the internet sees of machines outside of clusters
AZURE_END, EDGE_END = "192.0.2.2", "192.0.2.1"


def build(topology: Topology, made: Sequence[Made]) -> tuple[Host, ...]:
    """Azure, its edge, and all machines outside of clusters."""
    inside = cards(topology, made)
    machines = tuple(
        machine_host(_machine(topology, each.owner), each.gateway, each.length)
        for each in inside
        if each.owner in {machine.name for machine in topology.machines}
    )
    outside = [machine for machine in topology.machines if _in_internet(topology, machine)]
    strangers = (machine_host(each, _gateway_of(each), "24", EDGE) for each in outside)
    return (azure(topology, made, inside), edge(topology, outside), *machines, *strangers)


def cards(topology: Topology, made: Sequence[Made]) -> list[Card]:
    """All network cards: those of nodes, of machines in subnets, and of machines on premises."""
    found = []
    for each in made:
        subnet = topology.subnet(each.cluster.subnet)
        network = topology.network_of(subnet).name
        found += [
            Card(
                node.name, node.address, subnet, network, tuple(each.cards.get(node.name, ())),
                subnet.gateway, subnet.length, node.ip_forwarding,
            )
            for node in each.cluster.nodes
        ]  # fmt: skip
    for machine in topology.machines:  # they pass on nothing, or are meant to: no rule is needed
        subnet_of = topology.subnet_of(machine.address)
        behind = topology.on_premises_range(machine.address)
        if subnet_of:
            name, gateway = topology.network_of(subnet_of).name, subnet_of.gateway
            length = subnet_of.length
        elif behind:
            name, gateway = "", canonical(parse_range(behind)[1])
            length = behind.partition("/")[2]
        else:
            continue
        found.append(Card(machine.name, machine.address, subnet_of, name, (), gateway, length))
    return found


# --- Azure ---------------------------------------------------------------------------------------


def azure(topology: Topology, made: Sequence[Made], inside: Sequence[Card]) -> Host:
    """The fabric: a link for each card and one to the edge, tables, and rules of security."""
    links = tuple(
        Interface(
            each.dev, addresses=(f"{each.gateway}/32",), mac=MAC, peer="eth0", peer_host=each.owner
        )
        for each in inside
    )
    outside = Interface("edge", addresses=(f"{AZURE_END}/30",), peer=AZURE, peer_host=EDGE)
    sink = (
        Interface(NOWHERE, peer=f"{NOWHERE}-end", peer_host=AZURE),
        Interface(f"{NOWHERE}-end", peer=NOWHERE, peer_host=AZURE),
    )
    system = [(network, str(101 + at)) for at, network in enumerate(topology.networks)]
    routed = [(subnet, str(201 + at)) for at, subnet in enumerate(_route_tables(topology, made))]
    domains = [(each, str(51 + at)) for at, each in enumerate(made) if each.domain]
    fronts = [front for each in made for front in frontends(each.cluster, inside)]
    routes = [*to_cards(inside), *fronts, *_to_nobody()]
    for network, table in system:
        routes += _in_table(table, _system_routes(topology, network, inside, fronts))
    routes += _in_table("100", [*to_cards(_behind_gateways(topology, inside)), *fronts])
    for subnet, table in routed:
        routes += _in_table(table, _user_routes(topology, subnet, inside))
    for each, table in domains:
        routes += _in_table(table, _domain(each, inside))
    policy = []
    for one in inside:
        policy += [
            PolicyRule(50, table, iif=one.dev)
            for each, table in domains
            if one.owner in {node.name for node in each.cluster.nodes}
        ]
        policy += [
            PolicyRule(200, table, iif=one.dev)
            for subnet, table in routed
            if one.subnet and one.subnet.name == subnet.name
        ]
        named = [table for network, table in system if network.name == one.network]
        policy.append(PolicyRule(300, named[0] if named else "100", iif=one.dev))
    return Host(
        AZURE,
        (loopback(), *links, outside, *sink),
        tuple(routes),
        tuple(policy),
        {"net.ipv4.ip_forward": 1, "net.ipv4.conf.all.proxy_arp": 1},
        rules(topology, made, inside),
    )


def to_cards(inside: Iterable[Card]) -> Iterator[Route]:
    """How Azure reaches each address of each card: its own directly, others through its own."""
    for each in inside:
        yield Route(f"{each.address}/32", dev=each.dev, scope="link")
        yield from (Route(f"{held}/32", via=each.address, dev=each.dev) for held in each.held)


def frontends(cluster: Cluster, inside: Iterable[Card]) -> Iterator[Route]:
    """A load balancer's addresses: each new connection to one of the nodes that its probe found.

    Floating IP: the packet keeps the address of the load balancer, and kube-proxy on the node
    takes it from there. Source: Microsoft Learn, "Floating IP"; cloud-provider-azure.
    """
    devs = {each.owner: each.dev for each in inside}
    for service in cluster.services:
        hops = tuple(
            NextHop(cluster.node(name).address, devs[name]) for name in probed(cluster, service)
        )
        for ingress in service.load_balancer_ingress:
            if ingress.ip_mode != "VIP":
                continue
            if len(hops) > 1:
                yield Route(f"{ingress.ip}/32", nexthops=hops)
            elif hops:
                yield Route(f"{ingress.ip}/32", via=hops[0].via, dev=hops[0].dev)
            else:
                yield Route(f"{ingress.ip}/32", type="blackhole")


def probed(cluster: Cluster, service: Service) -> tuple[str, ...]:
    """The nodes that take part in a Service's load balancing, as its probes find them.

    externalTrafficPolicy Cluster: all. Local: those with a ready endpoint, once the probes have
    asked the health check node port; before that, all.
    """
    everyone = tuple(node.name for node in cluster.nodes)
    if service.external_traffic_policy == "Cluster" or not cluster.probes_acted:
        return everyone
    with_endpoint = {
        endpoint.node_name
        for found in cluster.endpoint_slices
        if found.key == service.key
        for endpoint in found.endpoints
        if endpoint.conditions.is_ready
    }
    return tuple(name for name in everyone if name in with_endpoint)


def _system_routes(
    topology: Topology, network: VirtualNetwork, inside: Sequence[Card], fronts: Sequence[Route]
) -> Iterator[Route]:
    """What Azure knows without being told, for one virtual network."""
    known = {each.name for each in topology.connected(network)}
    yield from to_cards(
        each for each in inside if each.network in known or (not each.subnet and network.gateway)
    )
    ranges = [text for each in topology.connected(network) for text in each.ranges]
    yield from (front for front in fronts if _within_any(front.network, ranges))
    yield from (Route(text, dev=NOWHERE, scope="link") for text in ranges)
    yield from _to_nobody()
    yield Route("default", via=EDGE_END, dev=EDGE)


def _to_nobody() -> Iterator[Route]:
    """Next hop None: private ranges that no network has lead nowhere, without a word."""
    return (Route(private, type="blackhole") for private in PRIVATE)


def _behind_gateways(topology: Topology, inside: Iterable[Card]) -> Iterator[Card]:
    """The cards that on-premises networks reach: in networks with a gateway, and their own."""
    open_to = {network.name for network in topology.networks if network.gateway}
    return (each for each in inside if each.network in open_to or not each.subnet)


def _route_tables(topology: Topology, made: Sequence[Made]) -> Iterator[Subnet]:
    """The subnets that have a route table, with the routes that AKS writes for kubenet in it."""
    for _, subnet in topology.subnets():
        by_aks = [r for each in made if each.cluster.subnet == subnet.name for r in each.routes]
        routes = (*subnet.routes, *by_aks)
        if routes:
            yield replace(subnet, routes=routes)


def _user_routes(
    topology: Topology, subnet: Subnet, inside: Sequence[Card]
) -> Iterator[Route]:  # fmt: skip
    """A route table: its own routes, and for what the system knows better, on to the system's."""
    devs = {each.address: each.dev for each in inside}
    for route in subnet.routes:
        if route.next_hop in devs:
            yield Route(route.prefix, via=route.next_hop, dev=devs[route.next_hop])
        elif route.next_hop_type == "Internet":
            yield Route(route.prefix, via=EDGE_END, dev=EDGE)
        else:  # None, or an appliance that is not there
            local = route.next_hop_type == "VnetLocal"
            yield Route(route.prefix, type="throw" if local else "blackhole")
    network = topology.network_of(subnet)
    known = [text for each in topology.connected(network) for text in each.ranges]
    known += topology.on_premises if network.gateway else ()
    own = {route.prefix for route in subnet.routes}
    for prefix in dict.fromkeys((*known, *PRIVATE)):
        if prefix not in own:
            yield Route(prefix, type="throw")


def _domain(each: Made, inside: Iterable[Card]) -> Iterator[Route]:
    """The routing domain of an overlay cluster: which node holds which part of the pod range."""
    devs = {one.owner: one.dev for one in inside}
    for part, node in each.domain.items():
        yield Route(part, via=each.cluster.node(node).address, dev=devs[node])
    yield Route(each.cluster.pod_range, type="blackhole", metric=1)


def _in_table(table: str, routes: Iterable[Route]) -> list[Route]:
    return [replace(route, table=table) for route in routes]


# --- the edge ------------------------------------------------------------------------------------


def edge(topology: Topology, outside: Sequence[Machine]) -> Host:
    """Where private addresses become public: outbound of a load balancer or NAT gateway.

    Each cluster has one public address for what comes from its subnets. Packets to the public
    address of a load balancer pass untranslated; to all other addresses nothing leads in.
    """
    links = tuple(
        Interface(
            card(each.name),
            addresses=(f"{_gateway_of(each)}/32",),
            peer="eth0",
            peer_host=each.name,
        )
        for each in outside
    )
    inner = Interface(AZURE, addresses=(f"{EDGE_END}/30",), peer=EDGE, peer_host=AZURE)
    public = [
        ingress.ip
        for cluster in topology.clusters
        for service in cluster.services
        for ingress in service.load_balancer_ingress
        if not _within_any(f"{ingress.ip}/32", PRIVATE)
    ]
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
        netfilter=parse("\n".join(["*nat", *_outbound(topology), "COMMIT", ""])),
    )


def _outbound(topology: Topology) -> Iterator[str]:
    for cluster in topology.clusters:
        for name in filter(None, (cluster.subnet, cluster.pod_subnet)):
            source, address = topology.subnet(name).range, cluster.outbound_address
            yield f"-A POSTROUTING -s {source} -j SNAT --to-source {address}"
    for private in PRIVATE:
        yield f"-A POSTROUTING -s {private} -j SNAT --to-source {MACHINES_OUTBOUND}"


def _in_internet(topology: Topology, machine: Machine) -> bool:
    return not (
        topology.subnet_of(machine.address) or topology.on_premises_range(machine.address)
    )  # fmt: skip


def _gateway_of(stranger: Machine) -> str:
    """The first address of the /24 that a machine of the internet stands in."""
    return canonical(parse_range(f"{stranger.address.rpartition('.')[0]}.0/24")[1])


def _machine(topology: Topology, name: str) -> Machine:
    return next(each for each in topology.machines if each.name == name)


def _within_any(network: str, ranges: Iterable[str]) -> bool:
    return any(is_inside(parse_range(network), parse_range(each)) for each in ranges)
