"""The live lab: what is predicted is what really happens, and nothing is left behind."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from course.compare import compare
from course.errors import InputError
from course.kubeproxy.objects import Service, ServicePort
from course.lab.construct import construct
from course.lab.drift import drift, unlike
from course.lab.namespaces import Command, LabError
from course.lab.observe import observe
from course.lab.read_back import read_back
from course.laboratory import Lab
from course.linux.interfaces import Neighbour
from course.linux.routing import Route
from course.scenarios import CLUSTER_IP, INTERNAL, PUBLIC, SCENARIOS, local, small_cluster
from course.topology import Exposure, Pod
from course.trace import Disposition, Flow
from tests.labs import LIVE, as_predicted, bends_promiscuous_bridges
from tests.worlds import MODELS, WORLDS, with_host

pytestmark = LIVE
DELIVERED = Disposition.DELIVERED


@pytest.fixture(scope="module", params=MODELS)
def lab(request):
    """The small cluster of every model, its pods made by plugins."""
    with Lab(small_cluster(request.param)) as made:
        yield made


@pytest.fixture(scope="module")
def overlay():
    with Lab(small_cluster("overlay"), plugins=False) as made:
        yield made


# ---- what is predicted is what happens -----------------------------------------------------------


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_goes_as_predicted(lab, name):
    as_predicted(lab, SCENARIOS[name].flow(lab.world))


def test_plugins_made_every_pod_as_the_world_says(lab):
    found = read_back(lab._engine.built, *lab.world.files, *lab.world.calls)
    assert list(unlike(lab._engine.built, found)) == []
    real = {name for node in lab.world.files for name in lab.run(node, "ls /sys/class/net").split()}
    named_by_chance = {link for node, link in lab.world.roles}
    assert len(lab.world.calls) == 4
    assert not real & named_by_chance, "the plugins would have drawn the names of the World"


def test_each_node_has_its_own_configuration_of_plugins(lab):
    for node, files in lab.world.files.items():
        for path, text in files.items():
            assert lab.run(node, ["cat", path]) == text
    assert lab.run("vm-1", "ls /etc/cni") == ""


def test_a_plugin_remembers_on_its_node_which_address_it_gave(lab):
    given_out = lab.run("node1", "find /var/lib/cni -name 10.2*").split()
    assert [Path(file).name for file in sorted(given_out)] == sorted(
        lab.world.address(pod) for pod in ("web-1", "web-2")
    )


def test_hosts_ask_for_each_other_by_arp(lab):
    as_predicted(lab, Flow("vm-1", lab.world.address("vm-2"), 80))
    assert "12:34:56:78:9a:bc" in lab.run("vm-1", "ip neigh")
    assert "PERMANENT" not in lab.run("node1", "ip neigh")


ENDS = {
    "a closed port": ("vm-1", "node1", 9, "tcp", Disposition.REFUSED),
    "a closed UDP port": ("vm-1", "node1", 9, "udp", Disposition.REFUSED),
    "a ping": ("web-1", "web-3", 0, "icmp", DELIVERED),
    "a ping to oneself": ("web-1", "127.0.0.1", 0, "icmp", DELIVERED),
    "a ping to a ClusterIP": ("web-1", CLUSTER_IP, 0, "icmp", None),
    "an address of nobody": ("vm-2", "10.240.0.77", 80, "tcp", Disposition.DROPPED),
    "a private range of nobody": ("vm-2", "10.9.9.9", 80, "tcp", Disposition.NO_ROUTE),
    "a front end asked for another port": ("vm-2", INTERNAL, 81, "tcp", Disposition.DROPPED),
    "a node port of nobody": ("internet", PUBLIC, 30080, "tcp", None),
}


@pytest.mark.parametrize("name", ENDS)
def test_whatever_becomes_of_a_packet_is_seen_where_it_was_predicted(lab, name):
    source, to, port, protocol, end = ENDS[name]
    address = lab.world.address(to) if to in lab.world.by_name else to
    seen = as_predicted(lab, Flow(source, address, port, protocol))
    assert end in (None, seen.disposition)


@pytest.mark.parametrize("hairpin", [True, False])
@pytest.mark.parametrize("filtered", [True, False])
def test_a_kubenet_pod_that_calls_itself_and_its_neighbour_through_a_service(hairpin, filtered):
    if not hairpin and bends_promiscuous_bridges():
        pytest.skip("this kernel sends a packet back through a promiscuous bridge")
    topology = small_cluster("kubenet").changed(hairpin=hairpin, bridge_calls_iptables=filtered)
    with Lab(topology) as lab:
        itself = as_predicted(lab, Flow("web-1", local().service.cluster_ips[0], 80))
        beside = as_predicted(lab, Flow("web-2", local().service.cluster_ips[0], 80))
    # without br_netfilter it is routed, and leaves the bridge as a packet of the host's
    assert (itself.disposition == DELIVERED) == (hairpin or not filtered)
    assert beside.disposition == (DELIVERED if filtered else Disposition.UNASKED)


def test_the_port_of_a_refused_call_is_free_at_once_for_a_pod_behind_the_same_node(overlay):
    node = overlay.world.address("node2")
    for source in ("node1", "web-1"):
        seen = as_predicted(overlay, Flow(source, node, 80, source_port=43210))
        assert seen.disposition == Disposition.REFUSED
        arrived = next(each.packet for each in seen.sightings if each.host == "node2")
        assert (arrived.source, arrived.source_port) == (overlay.world.address("node1"), 43210)


@pytest.mark.parametrize("called", ["node2", "127.0.0.1"])
def test_nobody_remembers_a_call_that_a_closed_port_refused(overlay, called):
    address = called if called == "127.0.0.1" else overlay.world.address(called)
    seen = as_predicted(overlay, Flow("node1", address, 9))
    assert seen.disposition == Disposition.REFUSED
    for node in ("node1", "node2"):
        assert "dport=9 " not in overlay.run(node, "conntrack -L -p tcp")
        ports = {each.original.destination_port for each in overlay.state[node].connections}
        assert 9 not in ports


def test_a_call_that_was_refused_leads_the_next_one_to_no_endpoint(overlay):
    ports = (ServicePort(80, "http", node_port=30090, target_port=9),)  # nothing listens there
    service = Service("default", "shut", ("10.0.0.90",), ports, "NodePort")
    pods = [Pod(f"shut-{n}", f"node{n}", {"app": "shut"}, host_network=True) for n in (1, 2)]
    small = overlay.topology
    topology = small.changed(
        pods=(*small.cluster.pods, *pods),
        exposures=(*small.cluster.exposures, Exposure(service, {"app": "shut"})),
    )
    with Lab(topology, plugins=False) as lab:
        node = lab.world.address("node2")
        for port in range(44000, 44600, 50):
            for source in ("node1", "web-1", "web-2"):  # all of them arrive as node1
                seen = as_predicted(lab, Flow(source, node, 30090, source_port=port))
                assert seen.disposition == Disposition.REFUSED


def test_a_host_that_refuses_says_which_rule_did(overlay):
    seen = as_predicted(overlay, SCENARIOS["nobody there"].flow(overlay.world))
    (why,) = (step for hop in seen.hops for step in hop.steps)
    assert "has no endpoints" in why.decided_by
    assert why.decided_by.endswith("-j REJECT --reject-with icmp-port-unreachable")


def test_a_packet_dies_of_a_missing_route_in_the_fabric():
    with Lab(small_cluster("kubenet").changed(missing_routes=("node1", "node2"))) as lab:
        seen = as_predicted(lab, SCENARIOS["across nodes"].flow(lab.world))
    assert (seen.disposition, seen.ended_at) == (Disposition.NO_ROUTE, "azure")


# ---- what hosts remember -------------------------------------------------------------------------


def test_a_source_port_is_used_once(overlay):
    flow = Flow("peer", overlay.world.address("vm-1"), 80, source_port=41000)
    assert [as_predicted(overlay, flow).flow.source_port for _ in range(3)] == [41000, 41001, 41002]


def test_two_clients_with_one_port_stay_apart_behind_one_node(overlay):
    for source in ("web-1", "web-2"):
        flow = Flow(source, overlay.world.address("vm-2"), 80, source_port=42000)
        seen = as_predicted(overlay, flow)
        assert seen.delivered.source == "10.240.0.4"


def test_a_sticky_service_keeps_its_client():
    service = replace(local().service, session_affinity="ClientIP")
    everyone = Exposure(service, {"app": "web"})
    with Lab(small_cluster("overlay").changed(exposures=(everyone,)), plugins=False) as lab:
        servers = {
            as_predicted(lab, Flow("web-1", service.cluster_ips[0], 80)).server for _ in range(8)
        }
    assert len(servers) == 1


def test_many_flows_reach_every_pod_of_a_service(overlay):
    tally = overlay.observe_many(Flow("vm-2", overlay.world.address("node1"), 30080), 40)
    assert set(tally.servers) == {"web-1", "web-2", "web-3", "web-4"}
    assert (sum(tally.servers.values()), set(tally.sources)) == (40, {"10.240.0.4"})
    assert f"ended delivered: {40}" in str(tally)


# ---- what is planted is found --------------------------------------------------------------------


def changed(host, **fields):
    return lambda world: with_host(world, replace(world.host(host), **fields))


def without(host, what, words):
    """A World in which a host lacks whatever says these words."""

    def lacking(world):
        things = getattr(world.host(host), what)
        kept = tuple(each for each in things if words not in str(each))
        assert len(kept) < len(things)
        return changed(host, **{what: kept})(world)

    return lacking


def with_rules(host, text):
    return lambda world: changed(host, netfilter=world.host(host).netfilter.apply(text))(world)


def with_sysctl(host, key, value):
    return lambda world: changed(host, sysctls={**world.host(host).sysctls, key: value})(world)


def with_link(host, name, **fields):
    def relinked(world):
        links = (
            replace(link, **fields) if link.name == name else link
            for link in world.host(host).interfaces
        )
        return changed(host, interfaces=tuple(links))(world)

    return relinked


def over_tcp(host, chain, target):
    return with_rules(host, f"*filter\n-A {chain} -p tcp -j {target}\nCOMMIT\n")


def crossed(world):
    """A World in which each of two nodes hangs on the other one's wire."""
    for node, other in (("node1", "node2"), ("node2", "node1")):
        world = with_link("azure", f"nic-{node}", peer_host=other)(world)
        world = with_link(node, "eth0", peer=f"nic-{other}")(world)
    return world


PLANTED = {
    "a rule is missing": ("to a VM", with_rules("node1", "*nat\n:IP-MASQ-AGENT - [0:0]\nCOMMIT\n")),
    "a rule too many": (
        "across nodes", with_rules("node2", "*filter\n-I FORWARD 1 -p tcp -j DROP\nCOMMIT\n")
    ),
    "a rule refuses in other words": (
        "nobody there",
        with_rules(
            "node1",
            "*filter\n-I FORWARD 1 -d 10.0.0.82 -p tcp -j REJECT --reject-with tcp-reset\nCOMMIT\n",
        ),
    ),
    "a route is missing": ("on a node", without("node1", "routes", "10.244.0.3 ")),
    "a route leads nowhere": (
        "to a VM", changed("node1", routes=(Route("default", type="blackhole"),))
    ),
    "a policy rule is missing": ("across nodes", without("azure", "rules", "lookup 51")),
    "another address": ("across nodes", with_link("web-1", "eth0", addresses=("10.244.0.9/24",))),
    "it forwards nothing": ("across nodes", with_sysctl("node2", "net.ipv4.ip_forward", 0)),
    "nobody answers ARP for others": (
        "beside each other", with_sysctl("azure", "net.ipv4.conf.all.proxy_arp", 0)
    ),
    "a neighbour is elsewhere": (
        "on a node",
        changed("web-1", neighbours=(Neighbour("169.254.1.1", "eth0", "aa:aa:aa:aa:aa:ab"),)),
    ),
    "wires are crossed": ("across nodes", crossed),
    "an interface is down": ("across nodes", with_link("node2", "eth0", up=False)),
    "nobody listens": ("across nodes", changed("web-3", sockets=())),
}  # fmt: skip


BACK_BY_ETH0 = Route("10.244.0.2/32", dev="eth0")
BROKEN = {
    "a host takes nothing back": ("across nodes", over_tcp("web-1", "INPUT", "DROP")),
    "a host lets nothing out": ("across nodes", over_tcp("web-1", "OUTPUT", "DROP")),
    "a host refuses itself": ("across nodes", over_tcp("web-1", "OUTPUT", "REJECT")),
    "a server lets nothing out": ("across nodes", over_tcp("web-3", "OUTPUT", "DROP")),
    "before all routing": (
        "across nodes", with_rules("node1", "*raw\n-A PREROUTING -p tcp -j DROP\nCOMMIT\n")
    ),
    "unreachable": ("to a VM", changed("node1", routes=(Route("default", type="unreachable"),))),
    "prohibited": ("to a VM", changed("node1", routes=(Route("default", type="prohibit"),))),
    "a server without a way back": ("across nodes", changed("web-3", routes=())),
    "no way back at all": (
        "to a VM",
        lambda world: with_sysctl("vm-2", "net.ipv4.conf.all.rp_filter", 2)(
            changed("vm-2", routes=())(world)
        ),
    ),
    "the way back is another one": (
        "to a VM",
        lambda world: with_sysctl("node1", "net.ipv4.conf.all.rp_filter", 1)(
            changed("node1", routes=(world.host("node1").routes[0], BACK_BY_ETH0))(world)
        ),
    ),
    "strict where tables differ by card": (
        "across nodes", with_sysctl("azure", "net.ipv4.conf.all.rp_filter", 1)
    ),
    "one source port for two": (
        "to a VM",
        with_rules(
            "node1", "*nat\n-I POSTROUTING 1 -p tcp -j MASQUERADE --to-ports 5000-5000\nCOMMIT\n"
        ),
    ),
}  # fmt: skip


def planted_flow(world, name):
    if name == "beside each other":
        return Flow("vm-1", world.address("node1"), 10250)
    return SCENARIOS[name].flow(world)


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_wrong_in_the_model_makes_a_difference(overlay, name):
    scenario, plant = PLANTED[name]
    seen = overlay.observe(planted_flow(overlay.world, scenario))
    assert overlay.compare(seen).equal
    assert not compare(plant(overlay.world), seen).equal


@pytest.mark.parametrize("name", PLANTED | BROKEN)
def test_what_is_wrong_for_real_goes_wrong_as_predicted(name):
    scenario, plant = (PLANTED | BROKEN)[name]
    flow, world, state = planted_flow(WORLDS["overlay"], scenario), plant(WORLDS["overlay"]), {}
    built = construct(world, plugins=False)
    with built.namespaces:
        for _ in range(2):
            seen = observe(built, flow)
            found = compare(world, seen, state)
            assert found.equal, "\n".join((*found.differences, seen.explain()))
            state = found.prediction.state


def test_what_a_learner_changes_by_hand_is_read_back():
    with Lab(small_cluster("kubenet")) as lab:
        lab.run("node1", "ip route add 10.9.0.0/16 via 10.240.0.1")
        lab.run("node1", "iptables -A FORWARD -p udp -j DROP")
        lab.run("node1", "sysctl -w net.ipv4.conf.cbr0.rp_filter=1")
        lab.run("web-1", "ip addr del 10.244.0.2/24 dev eth0")
        told = drift(lab._engine.built, "node1", "web-1")
    assert told == (
        "node1: route 10.9.0.0/16 via 10.240.0.1 dev eth0 was added",
        "node1: net.ipv4.conf.cbr0.rp_filter is 1, was 0",
        "node1: rule -p udp -j DROP was added to filter FORWARD",
        "web-1: address 10.244.0.2/24 of eth0 is gone",
        "web-1: route 10.244.0.0/24 dev eth0 src 10.244.0.2 is gone",
        "web-1: route default via 10.244.0.1 dev eth0 is gone",
    )


def test_a_rule_that_a_learner_writes_is_named_and_so_is_the_difference():
    with Lab(small_cluster("overlay"), plugins=False) as lab:
        lab.run("web-1", "iptables -A OUTPUT -p tcp -m length --length 40:100 -j DROP")
        lab.run("node1", "ip link add by-hand type bridge")
        flow = SCENARIOS["to a VM"].flow(lab.world)
        for _ in range(2):
            seen = lab.observe(flow)
            assert (seen.disposition, seen.ended_at) == (Disposition.DROPPED, "web-1")
            assert "-m length --length 40:100 -j DROP" in seen.explain()
            assert not lab.compare(seen).equal
        lab.run("web-1", "iptables -F")
        lab.run("web-1", "ip route del default")
        assert lab.observe(flow).disposition == Disposition.NO_ROUTE


# ---- what a learner asks a host ------------------------------------------------------------------


def test_a_command_says_what_it_says_on_a_real_host(overlay):
    assert overlay.run("web-1", "ip route").splitlines() == [
        "default via 169.254.1.1 dev eth0 ",
        "169.254.1.1 dev eth0 scope link ",
    ]
    assert "KUBE-SERVICES" in overlay.run("node1", "iptables-save -t nat")
    said = overlay.run("web-1", f"curl -s {overlay.world.address('web-3')}:8080")
    assert said.startswith("web-3 saw 10.244.0.2:")


def test_a_command_that_fails_or_is_not_there_says_so(overlay):
    assert "does not exist" in overlay.run("web-1", "ip link show dev eth7")
    assert overlay.run("web-1", "azure-vnet") == "azure-vnet: command not found"


def test_a_command_that_hangs_is_stopped_with_all_that_it_started(overlay):
    began = time.monotonic()
    said = overlay.run("node1", ["sh", "-c", "sleep 77 & echo started; sleep 77"], timeout=0.3)
    assert said == "started\n(stopped after 0.3 s)\n"
    assert time.monotonic() - began < 3
    assert "sleep" not in overlay.run("node1", "ps -A")


def test_what_cannot_be_asked_is_refused_with_the_way_out(overlay):
    with pytest.raises(InputError, match="is no host here"):
        overlay.run("web-9", "ip route")
    with pytest.raises(InputError, match="is no host here"):
        overlay.observe(Flow("web-9", "10.0.0.1", 80))
    with pytest.raises(InputError, match="is no command"):
        overlay.run("web-1", "")
    seen = overlay.observe(Flow("vm-1", "10.240.1.4", 80))
    with pytest.raises(InputError, match="was not observed here"):
        overlay.compare(replace(seen, ended_at="azure"))


@pytest.mark.parametrize("ttl", range(1, 8))
@pytest.mark.parametrize("protocol", ["tcp", "udp", "icmp"])
def test_a_packet_expires_where_it_was_predicted(lab, ttl, protocol):
    flow = Flow("web-1", lab.world.address("vm-2"), 80 * (protocol != "icmp"), protocol, ttl=ttl)
    ends = {"tcp": DELIVERED, "icmp": DELIVERED, "udp": Disposition.REFUSED}
    seen = as_predicted(lab, flow)
    routers = {"node1": 1, "azure": 2}  # each takes one off
    expired = [name for name, at in routers.items() if at == ttl]
    if expired:
        assert (seen.disposition, seen.ended_at) == (Disposition.EXPIRED, *expired)
        assert seen.sightings[-1].host == "web-1"  # which is told
        assert seen.sightings[-1].packet.icmp == "ttl-zero-during-transit"
    else:
        assert seen.disposition == ends[protocol]


def test_a_tool_that_fails_is_quoted(overlay):
    with pytest.raises(LabError, match=r"ip link add on node1 failed: .*Not enough information"):
        overlay._engine.built.namespaces.must(Command(("ip", "link", "add"), "node1"))


def test_a_closed_lab_says_so_and_may_be_closed_again():
    lab = Lab(small_cluster("overlay"), plugins=False)
    lab.close()
    lab.close()
    with pytest.raises(InputError, match="is closed"):
        lab.run("web-1", "ip route")
