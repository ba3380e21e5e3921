"""What a host does to a packet: the same as the real Linux does, and why."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest

from course.linux import text
from course.linux.draws import every, replay
from course.linux.host import Host, IpSet, Socket, State
from course.linux.interfaces import Interface, Neighbour, loopback
from course.linux.outcome import Fate
from course.linux.packet import ping, tcp, udp
from course.linux.path import receive, send
from course.linux.routing import NextHop, PolicyRule, Route
from course.linux.ruleset import parse
from tests.real_hosts import observe, observe_all
from tests.real_linux import in_namespace
from tests.small_networks import client_router_server as network
from tests.small_networks import follow, nat, node_with_two_pods, table

A, B, R, VIP = "10.0.1.2", "10.0.2.2", "10.0.2.1", "10.0.0.10"
P2, P3, VM = "10.244.0.2", "10.244.0.3", "10.240.0.9"
PING = ("a", ping(A, B, 7))
TCP = ("a", tcp(A, 40000, B, 80))
UDP = ("a", udp(A, 40000, B, 80))
CLOSED = [("a", tcp(A, 40001, B, 81)), ("a", udp(A, 40001, B, 81))]
EACH = [PING, TCP, UDP]

SERVICE = nat(
    "-A PREROUTING -j SVC",
    "-A OUTPUT -j SVC",
    f"-A SVC -d {VIP} -p tcp --dport 80 -j DNAT --to-destination {B}:8080",
    f"-A SVC -d {VIP} -p udp --dport 80 -j DNAT --to-destination {B}:80",
    f"-A SVC -d {VIP} -p tcp --dport 81 -j DNAT --to-destination {B}:81",
    f"-A SVC -d {VIP} -p udp --dport 81 -j DNAT --to-destination {B}:81",
    f"-A SVC -d {VIP} -p icmp -j DNAT --to-destination {B}",
    chains=["SVC"],
)
TO_SERVICE = [
    ("a", ping(A, VIP, 7)),
    ("a", tcp(A, 40000, VIP, 80)),
    ("a", udp(A, 40000, VIP, 80)),
    ("a", udp(A, 40000, VIP, 80)),  # the second packet of a connection
    ("a", tcp(A, 40001, VIP, 81)),
    ("a", udp(A, 40001, VIP, 81)),
    ("a", replace(udp(A, 40003, VIP, 80), ttl=1)),
]
MASQUERADE = nat("-A POSTROUTING -o right -j MASQUERADE")
MARKED_DNAT = f"-p tcp -j DNAT --to-destination {B}:8080"
MARKED = nat(
    f"-A PREROUTING -d {VIP} -p tcp --dport 80 -j SVC",
    "-A SVC ! -s 10.244.0.0/16 -j MARK --or-mark 0x4000",
    f"-A SVC {MARKED_DNAT}",
    "-A POSTROUTING -j POST",
    "-A POST -m mark ! --mark 0x4000/0x4000 -j RETURN",
    "-A POST -j MARK --xor-mark 0x4000",
    "-A POST -j MASQUERADE",
    chains=["SVC", "POST"],
)
AFFINITY = nat(
    f"-A PREROUTING -d {VIP} -j SVC",
    "-A SVC -m recent --rcheck --seconds 100 --reap --name SEP -j SEP",
    "-A SVC -p udp -j SEP",
    f"-A SEP -p udp -m recent --set --name SEP -j DNAT --to-destination {B}:80",
    chains=["SVC", "SEP"],
)
OFTEN = table(
    "filter",
    "-A FORWARD -i left -m recent --update --hitcount 2 --name SEEN -j DROP",
    "-A FORWARD -i left -m recent --set --name SEEN -j ACCEPT",
)
REFUSALS = table(
    "filter",
    "-A FORWARD -s 10.0.1.0/24 -p tcp -j REJECT --reject-with tcp-reset",
    "-A FORWARD -s 10.0.1.0/24 -p udp -j REJECT",
    "-A FORWARD -s 10.0.1.0/24 -p icmp -j REJECT --reject-with icmp-admin-prohibited",
)
POD_SERVICE = nat(
    "-A PREROUTING -j SVC",
    "-A OUTPUT -j SVC",
    f"-A SVC -d {VIP} -p udp -j DNAT --to-destination {P3}:8080",
    f"-A SVC -d {VIP} -p tcp -j DNAT --to-destination {P3}:8080",
    "-A POSTROUTING -s 10.244.0.0/16 ! -d 10.0.0.0/8 -j MASQUERADE",
    chains=["SVC"],
)
POD_POLICY = table(
    "filter",
    f"-A FORWARD -s {P2} -d {P3} -j DROP",
    "-A FORWARD -m physdev --physdev-in veth3 -j ACCEPT",
)
TWO_SERVICES = nat(
    *(f"-A PREROUTING -d {ip} -p udp -j DNAT --to-destination {B}:80" for ip in (VIP, "10.0.0.11")),
    *(f"-A PREROUTING -d {ip} -p icmp -j DNAT --to-destination {B}" for ip in (VIP, "10.0.0.11")),
)
ANSWERED_ONCE = table(
    "filter",
    "-A FORWARD -i right -m recent --rcheck --name ANSWERED -j DROP",
    "-A FORWARD -i right -m recent --set --name ANSWERED -j ACCEPT",
    "-A FORWARD -i left -m recent --rcheck --name OPEN -m conntrack --ctstate NEW -j DROP",
    "-A FORWARD -i left -m recent --set --name OPEN -j ACCEPT",
)
TO_LOCALHOST = nat(
    f"-A OUTPUT -d 127.0.0.1 -p udp --dport 30080 -j DNAT --to-destination {B}:80",
    "-A POSTROUTING -o right -j MASQUERADE",
)
STRANGE_ROUTES = tuple(
    Route(f"10.9.{n}.0/24", type=kind)
    for n, kind in enumerate(("unreachable", "prohibit", "blackhole"))
)


def with_address(address, hosts):
    """The same where the client, too, has an address."""
    client, *others = hosts
    lo, eth0 = client.interfaces
    both = replace(eth0, addresses=(*eth0.addresses, f"{address}/32"))
    return (replace(client, interfaces=(lo, both)), *others)


def with_links(interface, addresses, hosts):
    """The same where an interface of the router has these addresses."""
    client, router, server = hosts
    links = (
        replace(link, addresses=addresses) if link.name == interface else link
        for link in router.interfaces
    )
    return (client, replace(router, interfaces=tuple(links)), server)


def on_link(network, hosts):
    """The same where the client takes a network for its own link."""
    client, *others = hosts
    return (replace(client, routes=(*client.routes, Route(network, dev="eth0"))), *others)


def pods(rules="", packets=(), **how):
    return (node_with_two_pods(rules, **how), list(packets))


BRIDGED = {
    f"{what}, bridge-nf-call-iptables={nf}": pods(rules, packets, bridge_rules=nf, hairpin=hairpin)
    for nf in (0, 1)
    for what, rules, hairpin, packets in [
        (
            "pods on a bridge",
            POD_SERVICE,
            False,
            [
                ("p2", ping(P2, P3, 1)),
                ("p2", ping(P2, VM, 1)),
                ("p2", ping(P2, "10.244.0.1", 2)),
                ("node", ping("0.0.0.0", P3, 3)),
                ("vm", tcp(VM, 40000, P2, 8080)),
                ("p2", udp(P2, 40000, VM, 80)),
            ],
        ),
        (
            "a Service whose endpoint is on the same bridge",
            POD_SERVICE,
            False,
            [
                ("p2", udp(P2, 40000, VIP, 80)),
                ("p2", tcp(P2, 40000, VIP, 80)),
            ],
        ),
        ("a pod and its own Service", POD_SERVICE, False, [("p3", udp(P3, 40000, VIP, 80))]),
        ("the same with hairpin", POD_SERVICE, True, [("p3", udp(P3, 40000, VIP, 80))]),
        (
            "a policy between pods of a bridge",
            POD_POLICY,
            False,
            [("p2", ping(P2, P3, 1)), ("p3", ping(P3, VM, 2))],
        ),
    ]
}

SCENARIOS = {
    "through a router": (network(), [*EACH, *CLOSED]),
    "time to live": (
        network(),
        [("a", replace(packet, ttl=n)) for n in (1, 2) for _, packet in (PING, UDP)],
    ),
    "a host that does not forward": (network(forward=0), [PING]),
    "routes that say no": (
        network(routes=STRANGE_ROUTES),
        [("a", ping(A, f"10.9.{n}.1", n + 1)) for n in range(4)],
    ),
    "to and from the router itself": (
        network(),
        [
            ("a", ping(A, R, 4)),
            ("a", tcp(A, 40000, R, 22)),
            ("a", udp(A, 40000, R, 53)),
            ("a", udp(A, 40000, R, 54)),
            ("r", ping("0.0.0.0", B, 5)),
            ("r", tcp("0.0.0.0", 4444, B, 80)),
        ],
    ),
    "a policy of DROP": (
        network("*filter\n:FORWARD DROP [0:0]\n-A FORWARD -p icmp -j ACCEPT\nCOMMIT"),
        [PING, UDP],
    ),
    "three ways to refuse": (network(REFUSALS), EACH),
    "what a host does not let in": (
        network(
            table(
                "filter",
                "-A INPUT -p tcp -j REJECT",
                "-A INPUT -p udp -j DROP",
                "-A INPUT -p icmp --icmp-type echo-request -j ACCEPT",
            )
        ),
        [("a", ping(A, R, 3)), ("a", tcp(A, 40000, R, 22)), ("a", udp(A, 40000, R, 53))],
    ),
    "what a host does not let out": (
        network(client=table("filter", "-A OUTPUT -p udp -j REJECT", "-A OUTPUT -p tcp -j DROP")),
        EACH,
    ),
    "a Service": (network(SERVICE), TO_SERVICE),
    "a Service behind a filter": (network(SERVICE + REFUSALS), TO_SERVICE),
    "a Service that the client itself translates": (network(client=SERVICE), TO_SERVICE[:6]),
    "a Service that is the client itself": (
        network(client=nat(f"-A OUTPUT -d {VIP} -j DNAT --to-destination {A}")),
        [("a", ping(A, VIP, 3)), ("a", udp(A, 40000, VIP, 99))],
    ),
    "masquerading": (
        network(MASQUERADE),
        [*EACH, *CLOSED, ("a", replace(udp(A, 5000, B, 80), ttl=2))],
    ),
    "masquerading by a mark": (network(MARKED), [("a", tcp(A, 40000, VIP, 80)), UDP]),
    "source ports that a rule allows": (
        network(nat(f"-A POSTROUTING -o right -p udp -j SNAT --to-source {R}:40000-40001")),
        [("a", udp(A, port, B, 80)) for port in (40000, 40001)],
    ),
    "redirecting to the router": (
        network(nat("-A PREROUTING -p udp --dport 80 -j REDIRECT --to-ports 53")),
        [("a", udp(A, 40000, R, 80))],
    ),
    "an error about a translated packet is refused": (
        network(MASQUERADE + table("filter", "-A FORWARD -i right -p udp -j REJECT")),
        [UDP],
    ),
    "a route for what comes in by one interface": (
        network(
            policy=(PolicyRule(100, "100", iif="left"),),
            routes=(Route("10.0.2.0/24", type="blackhole", table="100"),),
        ),
        [PING, ("r", ping("0.0.0.0", B, 4)), ("b", ping(B, A, 9))],
    ),
    "a route for what bears a mark": (
        network(
            table("mangle", "-A PREROUTING -p udp -j MARK --set-mark 1"),
            policy=(PolicyRule(100, "100", fwmark="0x1"),),
            routes=(Route("default", type="unreachable", table="100"),),
        ),
        [PING, UDP],
    ),
    "strict rp_filter": (
        network(routes=(Route("10.0.1.2/32", via=B),), net__ipv4__conf__CONF__rp_filter=1),
        [PING],
    ),
    "strict rp_filter, and another way back for what comes in where it went out": (
        network(
            routes=(
                Route("10.0.1.2/32", via=B),
                Route("10.0.1.0/24", dev="left", scope="link", table="100"),
            ),
            policy=(PolicyRule(100, "100", iif="right"),),
            net__ipv4__conf__CONF__rp_filter=1,
        ),
        [PING, TCP, ("a", ping(A, R, 5))],
    ),
    "a router with strict rp_filter is asked by ARP by whom it finds elsewhere": (
        on_link(
            "10.0.2.0/24",
            network(
                routes=(Route("10.0.1.2/32", via=B),),
                net__ipv4__conf__CONF__rp_filter=1,
                net__ipv4__conf__CONF__proxy_arp=1,
            ),
        ),
        [PING],
    ),
    "loose rp_filter": (
        network(
            routes=(Route("10.0.1.2/32", type="blackhole"),),
            net__ipv4__conf__CONF__rp_filter=2,
        ),
        [PING],
    ),
    **{
        f"a packet from the router's own address, accept_local={accept}": (
            with_address(R, network(net__ipv4__conf__CONF__accept_local=accept)),
            [("a", udp(R, 40000, B, 80)), ("a", ping(R, B, 3))],
        )
        for accept in (0, 1)
    },
    **{
        f"a port of 127.0.0.1 that leads to another host, route_localnet={local}": (
            network(TO_LOCALHOST, net__ipv4__conf__CONF__route_localnet=local),
            [("r", udp("127.0.0.1", 4444, "127.0.0.1", 30080))],
        )
        for local in (0, 1)
    },
    "a mark that a program's packet gets after it was routed": (
        network(
            table("mangle", "-A OUTPUT -p udp -j MARK --set-mark 1"),
            policy=(PolicyRule(100, "100", fwmark="0x1"),),
            routes=(Route("10.0.2.0/24", via=A, table="100"),),
        ),
        [("r", udp("0.0.0.0", 4444, B, 80)), ("r", ping("0.0.0.0", B, 5))],
    ),
    "two that ping each other with one identifier": (
        network(table("filter", "-A FORWARD -i right -m conntrack --ctstate NEW -j ACCEPT")),
        [PING, ("b", ping(B, A, 7))],
    ),
    "one connection, first in one zone and then in another": (
        network(
            table(
                "raw",
                "-A PREROUTING -p udp -m recent ! --rcheck --name KNOWN -j CT --zone 1",
                "-A PREROUTING -p udp -m recent --set --name KNOWN -j ACCEPT",
            )
            + table("filter", "-A FORWARD -i left -m conntrack --ctstate ESTABLISHED -j DROP")
        ),
        [UDP, UDP, UDP],
    ),
    "two Services of one pod, in zones of their own": (
        network(table("raw", "-A PREROUTING -d 10.0.0.11 -j CT --zone 2") + TWO_SERVICES),
        [("a", udp(A, 40000, VIP, 80)), ("a", udp(A, 40000, "10.0.0.11", 80))],
    ),
    "an error is no reply": (
        network(table("filter", "-A FORWARD -i left -m conntrack --ctstate ESTABLISHED -j DROP")),
        [("a", udp(A, 40000, B, 81))] * 2,
    ),
    "a connection that was answered once stays established": (network(ANSWERED_ONCE), [UDP] * 3),
    "masquerading by an interface with addresses of two links": (
        with_links("right", ("10.0.9.1/24", "10.0.2.1/24"), network(MASQUERADE)),
        EACH,
    ),
    **{
        f"a client that asks a router by ARP for others, ip_forward={forward}, proxy_arp={proxy}": (
            on_link(
                "10.0.2.0/24", network(forward=forward, net__ipv4__conf__CONF__proxy_arp=proxy)
            ),
            [PING],
        )
        for forward, proxy in ((1, 1), (1, 0), (0, 1))
    },
    "a client that was seen too often": (network(OFTEN), [UDP] * 4),
    "no tracking": (
        network(table("raw", "-A PREROUTING -p icmp -j CT --notrack") + MASQUERADE),
        [PING, UDP],
    ),
    "a zone of its own": (
        network(
            table("raw", *(f"-A PREROUTING -i {i} -j CT --zone 1" for i in ("left", "right")))
            + MASQUERADE
        ),
        [UDP, PING],
    ),
    "only what one side opened": (
        network(
            table(
                "filter",
                "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
                "-A FORWARD -i left -p udp -m conntrack --ctstate NEW -j ACCEPT",
                "-A FORWARD -j DROP",
            )
        ),
        [PING, UDP, ("a", udp(A, 40003, B, 81)), ("b", udp(B, 40000, A, 80))],
    ),
    "a mark that stays with the connection": (
        network(
            table(
                "mangle",
                "-A PREROUTING -i left -p udp -j MARK --set-mark 7",
                "-A POSTROUTING -p udp -m mark --mark 7 -j CONNMARK --save-mark",
                "-A PREROUTING -i right -j CONNMARK --restore-mark",
                "-A FORWARD -i right -m mark --mark 0x7 -j ACCEPT",
                "-A FORWARD -m connmark --mark 7 -j ACCEPT",
            )
        ),
        [UDP, PING],
    ),
    "a client that was seen": (
        network(AFFINITY),
        [("a", udp(A, port, VIP, 80)) for port in (40000, 40001)],
    ),
    "certain and impossible chance": (
        network(
            nat(
                f"-A PREROUTING -d {VIP} -j SVC",
                "-A SVC -m statistic --mode random --probability 0.0 -j NO",
                "-A SVC -m statistic --mode random --probability 1.0 -p udp -j SEP",
                f"-A SEP -p udp -j DNAT --to-destination {B}:80",
                chains=["SVC", "SEP", "NO"],
            )
        ),
        [("a", udp(A, 40000, VIP, 80))],
    ),
    "an address of the host": (
        network(
            nat(
                "-A PREROUTING -m addrtype --dst-type LOCAL -j NODEPORTS",
                f"-A NODEPORTS -p udp --dport 30080 -j DNAT --to-destination {B}:80",
                chains=["NODEPORTS"],
            )
        ),
        [("a", udp(A, 40001, R, 30080)), UDP, ("a", ping(A, "10.0.1.1", 3))],
    ),
    **BRIDGED,
}
BOTH = ("a Service behind a filter", "masquerading by a mark", "a client that was seen")
ASKED = [*((name, "nft") for name in SCENARIOS), *((name, "legacy") for name in BOTH)]


@functools.cache
def observations():
    """All scenarios on the real Linux."""
    return observe_all({(name, variant): (*SCENARIOS[name], variant) for name, variant in ASKED})


@pytest.mark.parametrize(("name", "variant"), ASKED)
def test_the_real_linux_does_the_same(name, variant):
    flows, counted = follow(*SCENARIOS[name])
    seen = observations()[name, variant].result()
    assert seen.flows == flows
    assert seen.counted == counted, "other rules counted the packets"


@pytest.mark.parametrize(
    "name", ["through a router", "pods on a bridge, bridge-nf-call-iptables=1"]
)
def test_ip_prints_the_same_routes(name):
    seen = observations()[name, "nft"].result()
    for host in SCENARIOS[name][0]:
        lines = seen.routes[host.name].splitlines()
        assert text.ip_route(host).splitlines() == [line.strip() for line in lines]


CLASH = nat(
    "-A PREROUTING -m addrtype --dst-type LOCAL -j NODEPORTS",
    f"-A NODEPORTS -p udp --dport 30080 -j DNAT --to-destination {B}:80",
    "-A POSTROUTING -o right -j MASQUERADE",
    chains=["NODEPORTS"],
)


def test_a_source_port_that_is_taken_is_drawn_anew():
    """Both connections look like 10.0.2.1:40000 to the server: the second gets another port."""
    sent = [("a", udp(A, 40000, R, 30080)), UDP]
    seen = observe(network(CLASH), sent)
    (line,) = (e[3] for e in seen.flows[1] if e[:3] == ("b", "eth0", "in"))
    port = int(line.split(" -> ")[0].rpartition(":")[2])
    assert port != 40000
    assert follow(network(CLASH), sent, draw=replay([port]))[0] == seen.flows


def test_one_port_that_calls_two_services_of_one_pod_is_two_ports_to_it():
    """Replies to both would look the same: no rule asks for it, yet the second gets a new port."""
    sent = [("a", udp(A, 40000, VIP, 80)), ("a", udp(A, 40000, "10.0.0.11", 80))]
    seen = observe(network(TWO_SERVICES), sent)
    (line,) = (e[3] for e in seen.flows[1] if e[:3] == ("b", "eth0", "in"))
    port = int(line.split(" -> ")[0].rpartition(":")[2])
    assert port != 40000
    assert follow(network(TWO_SERVICES), sent, draw=replay([port]))[0] == seen.flows
    first, second = follow(network(TWO_SERVICES), sent)[0]
    assert ("b", "eth0", "in", f"udp {A}:40000 -> {B}:80 ttl 63") in first
    assert ("b", "eth0", "in", f"udp {A}:40000 -> {B}:80 ttl 63") not in second


def test_pings_of_two_services_of_one_pod_have_two_identifiers_for_it():
    sent = [("a", ping(A, VIP, 7)), ("a", ping(A, "10.0.0.11", 7))]
    seen = observe(network(TWO_SERVICES), sent)
    (line,) = (e[3] for e in seen.flows[1] if e[:3] == ("b", "eth0", "in"))
    identifier = int(line.split(" id ")[1].split()[0])
    assert identifier != 7
    assert follow(network(TWO_SERVICES), sent, draw=replay([identifier]))[0] == seen.flows


def test_who_masquerades_with_random_ports_draws_one_though_its_own_is_free():
    for option, port in (("", 40000), (" --random-fully", 50000), (" --random", 50000)):
        router = network(nat(f"-A POSTROUTING -o right -j MASQUERADE{option}"))[1]
        outcome = receive(router, "left", udp(A, 40000, B, 80), draw=replay([50000]))
        assert outcome.sent[0].packet.source_port == port


def test_an_answer_that_nobody_waits_for_is_reset():
    server = network()[2]
    answer = replace(tcp(A, 40000, B, 80), flags="SYN,ACK")
    outcome = receive(server, "eth0", answer)
    assert (outcome.fate, outcome.sent[0].packet.flags) == (Fate.REFUSED, "RST")


def test_where_nothing_translates_a_packet_whose_replies_are_anothers_is_lost():
    remembered = receive(network(SERVICE)[1], "left", tcp(A, 40000, VIP, 80)).state
    router = network(table("filter", "-A FORWARD -m conntrack --ctstate NEW -j ACCEPT"))[1]
    outcome = receive(router, "left", tcp(A, 40000, B, 8080), remembered)
    assert outcome.fate == Fate.DROPPED
    assert "clashes with another" in outcome.explain()
    assert receive(router, "left", tcp(A, 40001, B, 8080), remembered).fate == Fate.SENT


def test_when_no_source_port_is_left_the_packet_is_lost():
    rules = nat(f"-A POSTROUTING -o right -p udp -j SNAT --to-source {R}:5000-5001")
    router = network(rules)[1]
    state, fates = State(), []
    for port in (1, 2, 3):
        outcome = receive(router, "left", udp(A, port, B, 80), state)
        state = outcome.state
        fates.append(outcome.fate)
    assert fates == [Fate.SENT, Fate.SENT, Fate.DROPPED]
    assert "no source port is left" in outcome.explain()
    other = receive(router, "left", udp(A, 4, B, 81), state)
    assert other.fate == Fate.SENT  # another destination: the ports are free again


@pytest.mark.parametrize("endpoints", [1, 2, 3, 7, 10])
def test_the_endpoints_of_a_service_are_equally_likely(endpoints):
    chances = [f"{1 / (endpoints - n):.11f}" for n in range(endpoints - 1)]
    rules = [
        *(f"-m statistic --mode random --probability {chance} " for chance in chances), ""
    ]  # fmt: skip
    lines = [
        f"-A SVC -p udp {rule}-j DNAT --to-destination 10.0.2.{n + 10}:80"
        for n, rule in enumerate(rules)
    ]
    router = network(nat(f"-A PREROUTING -d {VIP} -j SVC", *lines, chains=["SVC"]))[1]
    ways = list(every(lambda draw: receive(router, "left", udp(A, 1, VIP, 80), draw=draw)))
    assert sum(way.probability for way in ways) == 1
    assert len({way.result.sent[0].packet.destination for way in ways}) == endpoints
    for way in ways:
        assert abs(way.probability * endpoints - 1) < endpoints**2 / 2**31


def test_several_next_hops_share_the_load():
    hops = Route("default", nexthops=(NextHop("10.0.2.2", "right", 1), NextHop(A, "left", 3)))
    router = network(routes=(hops,))[1]
    ways = every(lambda draw: send(router, ping("0.0.0.0", "8.8.8.8"), draw=draw))
    assert {way.result.sent[0].interface: str(way.probability) for way in ways} == {
        "right": "1/4", "left": "3/4",
    }  # fmt: skip


def test_session_affinity_ends_when_its_time_is_over():
    router = network(AFFINITY.replace("-A SVC -p udp -j SEP\n", ""))[1]
    state = State(recent={"SEP": {A: (0.0,)}}, now=100.0)
    packet = udp(A, 1, VIP, 80)
    assert receive(router, "left", packet, state).sent[0].packet.destination == B
    late = receive(router, "left", packet, replace(state, now=100.5))
    assert late.fate == Fate.NO_ROUTE
    assert late.state.recent == {"SEP": {}}, "--reap forgets it"


@pytest.mark.parametrize("hits", [1, 25])
def test_a_list_remembers_as_many_times_as_a_rule_counts(hits):
    """Pings of a host to itself, and how many a rule counts that asks for so many before."""
    rule = f"-A INPUT -p icmp --icmp-type 8 -m recent --rcheck --hitcount {hits} --name X -j ACCEPT"
    rules = table("filter", "-A INPUT -p icmp --icmp-type 8 -m recent --set --name X", rule)
    host, state, counted = Host("alone", netfilter=parse(rules)), State(), 0
    for n in range(40):
        outcome = send(host, ping("127.0.0.1", "127.0.0.1", n), state)
        state, counted = outcome.state, counted + ("--hitcount" in outcome.explain())
    assert counted == 41 - hits
    pings = "ping -q -c 40 -i 0.002 127.0.0.1 > /dev/null"
    listed = "iptables -vxnL INPUT | grep hit_count"
    shown = in_namespace(f"iptables-restore <<'RULES'\n{rules}RULES\n{pings}\n{listed}")
    assert int(shown.split()[0]) == counted


def test_a_set_of_addresses_decides():
    rules = table("filter", "-A FORWARD -m set ! --match-set allowed src -j DROP")
    router = network(rules)[1]
    allowed = replace(router, ipsets=(IpSet("allowed", ("10.0.1.0/24",)),))
    assert receive(router, "left", ping(A, B)).fate == Fate.DROPPED
    assert receive(allowed, "left", ping(A, B)).fate == Fate.SENT


def test_each_step_tells_what_decided():
    outcome = receive(network(MARKED)[1], "left", tcp(A, 40000, VIP, 80))
    assert outcome.explain().splitlines() == [
        "received: by left: tcp 10.0.1.2:40000 -> 10.0.0.10:80 SYN ttl 64",
        "matched: jump to SVC [nat PREROUTING: -d 10.0.0.10/32 -p tcp -m tcp --dport 80 -j SVC]",
        "matched: mark 0x4000 [nat SVC: ! -s 10.244.0.0/16 -j MARK --set-xmark 0x4000/0x4000]",
        f"translated: destination 10.0.0.10:80 -> 10.0.2.2:8080 [nat SVC: {MARKED_DNAT}]",
        "routed: to 10.0.2.2 by right [10.0.2.0/24 dev right proto kernel scope link src 10.0.2.1]",
        "matched: jump to POST [nat POSTROUTING: -j POST]",
        "matched: mark 0x0 [nat POST: -j MARK --set-xmark 0x4000/0x0]",
        "translated: source 10.0.1.2:40000 -> 10.0.2.1:40000 [nat POST: -j MASQUERADE]",
        "sent: by right to 10.0.2.2: tcp 10.0.2.1:40000 -> 10.0.2.2:8080 SYN ttl 63",
        "= sent",
    ]


def test_a_host_reads_as_its_tools_would_print_it():
    host = Host(
        "node1",
        (loopback(), Interface("eth0", 2, ("10.240.0.4/16",), peer_host="azure", peer_index=7)),
        (Route("default", via="10.240.0.1"), Route("0.0.0.0/0", dev="eth0", table="50")),
        (PolicyRule(100, "50", iif="azv1"),),
        {"net.ipv4.ip_forward": 1},
        parse("*filter\n:FORWARD DROP [0:0]\nCOMMIT"),
        (Neighbour("10.240.0.1", "eth0", "12:34:56:78:9a:bc"),),
        sockets=(Socket("tcp", 10250),),
    )
    shown = text.describe(host)
    for line in (
        "2: eth0@if7: <UP> mtu 1500",
        "default via 10.240.0.1 dev eth0",
        "# ip route show table 50",
        "100: from all iif azv1 lookup 50",
        "10.240.0.1 dev eth0 lladdr 12:34:56:78:9a:bc PERMANENT",
        "net.ipv4.ip_forward = 1",
        ":FORWARD DROP [0:0]",
    ):
        assert line in shown.splitlines()
