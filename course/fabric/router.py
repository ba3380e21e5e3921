"""The host `azure`: what stands between network cards. It routes and does not switch: each card is
a link of its own, and whoever asks by ARP for an address that Azure can route is answered by Azure
itself, always with the same MAC. So it knows nothing but addresses, and that is the point: a packet
goes where a table says, or nowhere. Which table, is decided by the card it came from:

    51, 52, ...    the routing domain of an overlay cluster, for the cards of its nodes
    201, 202, ...  the route table of a subnet, for its cards: user-defined routes; `throw` leads on
    401, 402, ...  a load balancer's node, for its clients (course.fabric.affinity), where the next
                   table would choose one
    101, 102, ...  system routes of a virtual network: every address that a card holds, here and in
                   peered networks; on-premises ranges; private ranges to nobody; all else outside

Where the pods of a node have a subnet of their own, what they send is asked of the tables of that
subnet, whatever card it comes from.

The host itself has the addresses under which Azure answers every machine (course.fabric.platform),
and in every subnet that of its router, which answers nothing.

Documented by Azure: the system routes, longest prefix first, a user-defined route before a system
route of the same prefix, next hop None for private ranges, IP forwarding of network cards, floating
IP, probes, 168.63.129.16. Not documented, and chosen here so that Linux can do it: that routing
takes one hop (TTL), that the same MAC answers everywhere, how a routing domain is kept, and that
Azure takes a packet to an address of its network that no card holds, and drops it: by an interface
`nowhere`, since Linux answers ARP only for what it has a way to. So it goes with user-defined
routes that lead nowhere within a subnet of their own, too. Left out: what on premises could
reach beyond networks with a gateway and itself (peered networks by gateway transit, the internet).

Sources: Microsoft Learn, "Virtual network traffic routing", "Configure Azure CNI networking for
dynamic allocation of IPs" (separate policies for pods); tried on Linux.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from course.addresses import is_inside, overlaps, parse_range
from course.fabric import affinity, balancer, security
from course.fabric.cards import Card
from course.fabric.platform import METADATA, PLATFORM, SERVES
from course.fabric.security import NOWHERE
from course.linux.host import Host
from course.linux.interfaces import Interface, loopback
from course.linux.routing import DEFAULT_RULES, PolicyRule, Route
from course.topology import AZURE, EDGE, Topology
from course.topology.address_checks import AZURE_END, EDGE_END
from course.virtual_network import PRIVATE, Subnet, UserRoute, VirtualNetwork
from course.wiring.made import Made

MAC = "12:34:56:78:9a:bc"  # of Azure's router, on every link


def azure(topology: Topology, made: Sequence[Made], inside: Sequence[Card]) -> Host:
    """The fabric: a link for each card and one to the edge, tables, and rules of security."""
    rules = security.rules(topology, made, inside)
    reached = balancer.asked_through(rules, inside, made)
    fronts = [r for each in made for r in balancer.routes(each.cluster, inside, reached)]
    kept = affinity.stays(made, fronts)
    system = {each.name: str(101 + at) for at, each in enumerate(topology.networks)}
    tables = {each.name: str(201 + at) for at, each in enumerate(_route_tables(topology, made))}
    domains = {each.cluster.name: str(51 + at) for at, each in enumerate(made) if each.domain}
    out = Route("default", via=EDGE_END, dev=EDGE)
    routes = [*to_cards(inside), *fronts, *_to_nobody(), out]
    for network in topology.networks:
        routes += _in_table(system[network.name], _system_routes(topology, network, inside, fronts))
    routes += _in_table("100", _from_on_premises(topology, inside, fronts))
    for subnet in _route_tables(topology, made):
        routes += _in_table(tables[subnet.name], _user_routes(topology, subnet, inside))
    for each in filter(lambda each: each.domain, made):
        routes += _in_table(domains[each.cluster.name], _domain(each, inside))
    policy = [rule for one in inside for rule in _policy(one, domains, tables, system)]
    balancing = [route for route in routes if replace(route, table="main") in fronts]
    return Host(
        AZURE,
        _interfaces(inside),
        (*routes, *affinity.routes(kept)),
        (*policy, *affinity.policy((*policy, *DEFAULT_RULES), balancing, kept)),
        _settings(inside),
        affinity.noting(balancer.answering_pings(rules, fronts), kept),
        sockets=SERVES,
    )


def _interfaces(inside: Sequence[Card]) -> tuple[Interface, ...]:
    own = loopback()
    platform = (*own.addresses, f"{PLATFORM}/32", f"{METADATA}/32")
    links = (
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
    return (replace(own, addresses=platform), *links, outside, *sink)


def _settings(inside: Sequence[Card]) -> dict[str, int]:
    """It routes, and answers ARP for all that it can route, back to where the question came from
    too (pvlan): a load balancer may choose the very node that asks."""
    back = {f"net.ipv4.conf.{each.dev}.proxy_arp_pvlan": 1 for each in inside}
    return {"net.ipv4.ip_forward": 1, "net.ipv4.conf.all.proxy_arp": 1, **back}


def _policy(
    one: Card, domains: dict[str, str], tables: dict[str, str], system: dict[str, str]
) -> Iterator[PolicyRule]:
    """Which tables are asked for what comes from a card, in this order."""
    network = system.get(one.network, "100")
    if one.cluster in domains:
        yield PolicyRule(50, domains[one.cluster], iif=one.dev)
    if one.pod_subnet:
        pods = one.pod_subnet
        if pods.name in tables:
            yield PolicyRule(150, tables[pods.name], source=pods.range, iif=one.dev)
        yield PolicyRule(160, network, source=pods.range, iif=one.dev)
    if one.subnet and one.subnet.name in tables:
        yield PolicyRule(200, tables[one.subnet.name], iif=one.dev)
    yield PolicyRule(300, network, iif=one.dev)


def to_cards(inside: Iterable[Card]) -> Iterator[Route]:
    """How Azure reaches each address of each card: its own directly, others through its own."""
    for each in inside:
        yield Route(f"{each.address}/32", dev=each.dev, scope="link")
        yield from (Route(f"{held}/32", via=each.address, dev=each.dev) for held in each.held)


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


def _from_on_premises(
    topology: Topology, inside: Iterable[Card], fronts: Iterable[Route]
) -> Iterator[Route]:
    """What on-premises networks reach: each other, and networks with a gateway; nothing else."""
    entered = [network for network in topology.networks if network.gateway]
    names = {network.name for network in entered}
    yield from to_cards(each for each in inside if each.network in names or not each.subnet)
    ranges = [text for network in entered for text in network.ranges]
    yield from (front for front in fronts if _within_any(front.network, ranges))
    yield Route("default", type="blackhole")


def _route_tables(topology: Topology, made: Sequence[Made]) -> Iterator[Subnet]:
    """The subnets that have a route table, with the routes that AKS writes for kubenet in it."""
    for _, subnet in topology.subnets():
        by_aks = [
            route
            for each in made
            if subnet.name in {pool.subnet for pool in each.cluster.pools}
            for route in each.routes
        ]
        routes = (*subnet.routes, *by_aks)
        if routes:
            yield replace(subnet, routes=routes)


def _user_routes(
    topology: Topology, subnet: Subnet, inside: Sequence[Card]
) -> Iterator[Route]:  # fmt: skip
    """A route table: its own routes, and for what the system knows better, on to the system's.

    The next hop is an appliance in the same network or one peered with it; anywhere else the route
    is invalid. With a route of its own for 0.0.0.0/0, Azure takes the system routes of private
    ranges to nobody away.
    """
    network = topology.network_of(subnet)
    near = {each.name for each in topology.connected(network)}
    devs = {each.address: each.dev for each in inside if each.network in near}
    known = topology.reachable_ranges(network)
    for route in subnet.routes:
        if route.next_hop in devs:
            yield Route(route.prefix, via=route.next_hop, dev=devs[route.next_hop])
        elif route.next_hop_type == "Internet":
            yield Route(route.prefix, via=EDGE_END, dev=EDGE)
        elif _is_known(route, known):
            yield Route(route.prefix, type="throw")
        else:
            yield _lost(route.prefix, subnet, network)
    own = {route.prefix for route in subnet.routes}
    for prefix in dict.fromkeys((*known, *(PRIVATE if "0.0.0.0/0" not in own else ()))):
        if prefix not in own:
            yield Route(prefix, type="throw")


def _lost(prefix: str, subnet: Subnet, network: VirtualNetwork) -> Route:
    """Where packets are dropped. Whoever is in the same subnet asks for such an address by ARP, and
    is answered first."""
    beside = overlaps(parse_range(prefix), parse_range(subnet.range))
    if beside and _within_any(prefix, network.ranges):
        return Route(prefix, dev=NOWHERE, scope="link")
    return Route(prefix, type="blackhole")


def _is_known(route: UserRoute, known: Iterable[str]) -> bool:
    """Whether a route leads where the system's do: into the virtual network, or to the gateway."""
    if route.next_hop_type == "VirtualNetworkGateway":
        return _within_any(route.prefix, known)
    return route.next_hop_type == "VnetLocal"


def _domain(each: Made, inside: Iterable[Card]) -> Iterator[Route]:
    """The routing domain of an overlay cluster: which node holds which part of the pod range."""
    devs = {one.owner: one.dev for one in inside}
    for part, node in each.domain.items():
        yield Route(part, via=each.cluster.node(node).address, dev=devs[node])
    yield Route(each.cluster.pod_range, type="blackhole", metric=1)


def _in_table(table: str, routes: Iterable[Route]) -> list[Route]:
    return [replace(route, table=table) for route in routes]


def _within_any(network: str, ranges: Iterable[str]) -> bool:
    return any(is_inside(parse_range(network), parse_range(each)) for each in ranges)
