"""What Azure lets pass: IP forwarding of network cards, load balancers, network security groups.

All are rules of FORWARD on the host `azure`; for what it answers itself, see
course.fabric.platform. A security group stands at the subnet: its outbound
rules meet what comes from a card of the subnet, its inbound rules what goes to one. Pods in a
subnet of their own meet the group of that subnet, not that of their node's. It remembers
connections: what belongs to one that was allowed passes. Rules are asked from the lowest priority
on; after them come the default rules of Azure, which let everything within virtual networks pass,
everything out, and nothing else in. AKS never changes the group of a subnet: who puts one there
opens the ports of public Services too. (What AKS opens is the group that it puts at the nodes' own
network cards; it lets pass what a cluster needs, and so is left out here.)

Sources: Microsoft Learn, "Network security groups", "Configure Azure CNI networking"
(prerequisites), "Virtual network service tags" (VirtualNetwork
holds peered and on-premises ranges, and the prefixes of user-defined routes; a default route is
left out here). For pod addresses of overlay, fact overlay.nsg_required; that VirtualNetwork holds
them is derived: the default rules let them pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from course.addresses import canonical, exclude, merge, parse_range
from course.errors import InputError
from course.fabric import balancer, platform
from course.fabric.cards import Card
from course.fabric.platform import PLATFORM
from course.linux.ruleset import Ruleset, parse
from course.topology import EDGE, Topology
from course.virtual_network import TAGS, SecurityRule, Subnet
from course.wiring.made import Made, card

NOWHERE = "nowhere"  # the interface of azure to addresses of a network that no card holds
DEFAULTS = (
    SecurityRule("AllowVnetInBound", 65000, source="VirtualNetwork", destination="VirtualNetwork"),
    SecurityRule("AllowAzureLoadBalancerInBound", 65001, source="AzureLoadBalancer"),
    SecurityRule("DenyAllInBound", 65500, "Deny"),
    SecurityRule(
        "AllowVnetOutBound", 65000, direction="Outbound", source="VirtualNetwork",
        destination="VirtualNetwork",
    ),
    SecurityRule("AllowInternetOutBound", 65001, direction="Outbound", destination="Internet"),
    SecurityRule("DenyAllOutBound", 65500, "Deny", "Outbound"),
)  # fmt: skip


def rules(topology: Topology, made: Sequence[Made], inside: Sequence[Card]) -> Ruleset:
    """All rules of the fabric."""
    first = [f"-A FORWARD -o {NOWHERE} -j DROP"]
    for each in inside:
        first += (*not_back(each), *of_its_own(each, made), *forwarding_off(each, made))
    first += balancer.rules(made)
    first += platform.rules(inside)
    guarded = [subnet for _, subnet in topology.subnets() if subnet.security is not None]
    groups = [line for subnet in guarded for line in group(subnet, topology, made)]
    chains = [f":{name} - [0:0]" for name in _chains(first + groups)]
    known = ["-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"] * bool(groups)
    jumps = [line for subnet in guarded for line in _jumps(subnet, inside)]
    text = ["*filter", *chains, *first, *known, *jumps, *groups, "COMMIT"]
    return parse("\n".join([*zones(made), *text, ""]))


def not_back(each: Card) -> Iterator[str]:
    """What a node sends for an address of its own card never comes back to it, nor by way of an
    appliance, if a route table leads there.

    No pod has that address (any more), or the node would have known it; without these rules, node
    and Azure would send the packet to and fro until its TTL ends. The first also stands for what
    Azure documents of load balancers: a node cannot reach itself by the front end of one. For pods,
    what Azure does is not documented.
    """
    if each.cluster:
        yield f"-A FORWARD -i {each.dev} -o {each.dev} -j DROP"
    if any(subnet and subnet.routes for subnet in (each.subnet, each.pod_subnet)):
        for held in merge(parse_range(f"{ip}/32") for ip in each.held):
            yield f"-A FORWARD -i {each.dev} -d {canonical(held)} -j DROP"


def of_its_own(each: Card, made: Sequence[Made]) -> Iterator[str]:
    """What goes to the internet bears an address of the card it comes from, or of a load balancer
    before it: nobody translates another one.

    So an appliance must translate what it passes on. Source: Microsoft Learn, "Virtual network
    traffic routing" (0.0.0.0/0).
    """
    own = [f"{ip}/32" for ip in (each.address, *each.held)]
    for one in made:
        if each.cluster == one.cluster.name:
            own += [f"{ip}/32" for _, ip in balancer.fronts(one.cluster)]
    chain = f"{each.owner}-own"
    yield f"-A FORWARD -i {each.dev} -o {EDGE} -j {chain}"
    for source in merge(map(parse_range, own)):
        yield f"-A {chain} -s {canonical(source)} -j RETURN"
    yield f"-A {chain} -j DROP"


def forwarding_off(each: Card, made: Sequence[Made]) -> Iterator[str]:
    """A node's card without IP forwarding sends only from, and takes only for, its own addresses.

    What a load balancer hands it, and the answers to that, pass all the same.
    """
    if each.forwards:
        return
    own = [each.address, *each.held]
    for one in made:
        own += [part for part, node in one.domain.items() if node == each.owner]
        if each.cluster == one.cluster.name:
            services = one.cluster.services
            own += [front.ip for service in services for front in service.load_balancer_ingress]
    for way, end in (("-i", "-s"), ("-o", "-d")):
        chain = f"{each.owner}-{'from' if way == '-i' else 'to'}"
        yield f"-A FORWARD {way} {each.dev} -j {chain}"
        yield from (f"-A {chain} {end} {address} -j RETURN" for address in own)
        yield f"-A {chain} -j DROP"


def group(subnet: Subnet, topology: Topology, made: Sequence[Made]) -> Iterator[str]:
    """The rules of a subnet's security group: Allow returns to ask the other end's, Deny drops."""
    given = subnet.security or ()
    for direction in ("Inbound", "Outbound"):
        own = [rule for rule in given if rule.direction == direction]
        asked = sorted(own, key=lambda rule: rule.priority)
        for rule in (*asked, *(each for each in DEFAULTS if each.direction == direction)):
            target = "RETURN" if rule.access == "Allow" else "DROP"
            for match in _matches(rule, subnet, topology, made):
                yield f"-A {_chain(subnet, direction)} {match} -j {target}"


def zones(made: Sequence[Made]) -> list[str]:
    """Connections of each overlay cluster are remembered apart: pod addresses may be the same."""
    lines = [
        f"-A PREROUTING -i {card(node.name)} {end} {each.cluster.pod_range} -j CT --zone {zone}"
        for zone, each in enumerate(made, 1)
        if each.domain
        for node in each.cluster.nodes
        for end in ("-s", "-d")
    ]
    return ["*raw", *lines, "COMMIT"] if lines else []


def _jumps(subnet: Subnet, inside: Iterable[Card]) -> Iterator[str]:
    """Which packets meet a subnet's group: all of a card in it, but what belongs to the pods of a
    node that have a subnet of their own meets the group of that one."""
    for each in inside:
        pods = each.pod_subnet
        if pods and pods.name == subnet.name:
            which = ["{end} " + pods.range]
        elif each.subnet and each.subnet.name == subnet.name:
            which = ["! {end} " + pods.range] if pods else [""]
        else:
            continue
        for match in which:
            for way, end, direction in (("-i", "-s", "Outbound"), ("-o", "-d", "Inbound")):
                yield " ".join(
                    f"-A FORWARD {way} {each.dev} {match.format(end=end)} "
                    f"-j {_chain(subnet, direction)}".split()
                )


def _matches(
    rule: SecurityRule, subnet: Subnet, topology: Topology, made: Sequence[Made]
) -> Iterator[str]:
    """What a rule asks of a packet: one match for each pair of ranges that its ends stand for."""
    protocol = "" if rule.protocol == "*" else f"-p {rule.protocol.lower()}"
    port = ""
    if rule.port != "*":
        if rule.protocol not in ("Tcp", "Udp"):
            raise InputError(rule.port, "is a port without a protocol.", "Say Tcp or Udp.")
        port = f"-m {rule.protocol.lower()} --dport {rule.port.replace('-', ':')}"
    sources = _ranges(rule.source, subnet, topology, made)
    destinations = _ranges(rule.destination, subnet, topology, made)
    for source, destination in product(sources, destinations):
        ends = (source and f"-s {source}", destination and f"-d {destination}")
        note = f"-m comment --comment {rule.name}"
        yield " ".join(filter(None, (*ends, protocol, port, note)))


def _ranges(
    end: str, subnet: Subnet, topology: Topology, made: Sequence[Made]
) -> list[str]:  # fmt: skip
    """The ranges that one end of a rule stands for; "" is every address."""
    if end == "*":
        return [""]
    if end == "AzureLoadBalancer":
        return [f"{PLATFORM}/32"]
    if end not in TAGS:
        return [canonical(parse_range(end))]
    texts = [*topology.reachable_ranges(topology.network_of(subnet))]
    texts += [each.cluster.pod_range for each in made if each.domain]
    routed = (*subnet.routes, *(route for each in made for route in each.routes))
    texts += [route.prefix for route in routed if route.prefix != "0.0.0.0/0"]
    inner = merge(map(parse_range, texts))
    if end == "VirtualNetwork":
        return [canonical(each) for each in inner]
    left = [parse_range("0.0.0.0/0")]
    for each in inner:
        left = [part for whole in left for part in exclude(whole, each)]
    return [canonical(part) for part in left]


def _chain(subnet: Subnet, direction: str) -> str:
    return f"{subnet.name}-{'in' if direction == 'Inbound' else 'out'}"


def _chains(lines: Iterable[str]) -> list[str]:
    named = (line.split()[1] for line in lines)
    return [name for name in dict.fromkeys(named) if name not in ("FORWARD", "INPUT")]
