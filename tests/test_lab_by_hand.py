"""What somebody does by hand, and no World tells of: it is named, and taken back if it can be."""

from __future__ import annotations

import shutil

import pytest

from course.errors import InputError
from course.lab.extras import EXTRAS, told
from course.lab.namespaces import PATH
from course.laboratory import Lab
from course.scenarios import CLUSTER_IP, SCENARIOS, small_cluster
from course.trace import Disposition, Flow
from course.views import show_comparison
from tests.labs import LIVE, as_predicted

pytestmark = LIVE


@pytest.fixture(scope="module")
def lab():
    with Lab(small_cluster("kubenet"), plugins=False) as made:
        yield made


TAKEN_BACK = {
    "sysctl -w net.ipv4.icmp_echo_ignore_all=1": "net.ipv4.icmp_echo_ignore_all is 1, was 0",
    "sysctl -w net.ipv4.conf.eth0.forwarding=0": "net.ipv4.conf.eth0.forwarding is 0, was 1",
    "sysctl -w net.ipv4.conf.eth0.arp_ignore=8": "net.ipv4.conf.eth0.arp_ignore is 8, was 0",
    "sysctl -w net.ipv4.neigh.eth0.mcast_solicit=0": (
        "net.ipv4.neigh.eth0.mcast_solicit is 0, was 3"
    ),
    "ip xfrm policy add dir out src 10.0.0.0/8 dst 10.9.0.0/16 action block": (
        "IPsec policy src 10.0.0.0/8 dst 10.9.0.0/16 dir out action block priority 0 ptype main "
        "was added"
    ),
    "tc qdisc add dev eth0 root tbf rate 1mbit burst 10kb latency 50ms": (
        "queueing discipline tbf dev eth0 was added"
    ),
    "tc qdisc add dev eth0 clsact": "queueing discipline clsact dev eth0 was added",
    "ebtables -A FORWARD -p IPv4 -j DROP": "rule of ebtables -A FORWARD -p IPv4 -j DROP was added",
    "arptables -A INPUT -j DROP": "rule of arptables -A INPUT -j DROP was added",
    "nft add table inet mine": "nftables table inet mine was added",
    "ipset create mine hash:net": "ipset mine was added",
    "iptables -t security -A INPUT -j DROP": (
        "rule of the table security -A INPUT -j DROP was added"
    ),
    "ip link set eth0 arp off": "interface without ARP eth0 was added",
    "ip nexthop add id 7 via 10.240.0.1 dev eth0": (
        "nexthop id 7 via 10.240.0.1 dev eth0 scope link was added"
    ),
    "ip link set eth0 promisc on": "promiscuous interface eth0 was added",
}  # fmt: skip


@pytest.mark.parametrize("command", TAKEN_BACK)
def test_what_no_world_tells_of_is_named_and_taken_back(lab, command):
    if not shutil.which(command.split()[0], path=PATH):
        pytest.skip(f"no {command.split()[0]} here, so nobody can do that")
    said = lab.run("node1", command)
    assert not said or said.startswith("net.")
    assert f"node1: {TAKEN_BACK[command]}" in lab.drift()
    lab.apply(lab.topology)
    assert lab.drift() == ()


OF_BRIDGES = {
    "bridge link set dev PORT isolated on": "bridge setting PORT isolated:1",
    "bridge link set dev PORT learning off": "bridge setting PORT learning:0",
    "bridge link set dev PORT flood off": "bridge setting PORT unicast_flood:0",
    "bridge link set dev PORT bcast_flood off": "bridge setting PORT broadcast_flood:0",
    "bridge link set dev PORT neigh_suppress on": "bridge setting PORT neigh_suppress:1",
    "ip link set PORT type bridge_slave proxy_arp on": "bridge setting PORT proxyarp:1",
    "bridge link set dev PORT locked on": "bridge port PORT locked on",
    "bridge link set dev PORT state disabled": "bridge port PORT state disabled",
    "ip link set cbr0 type bridge stp_state 1": "bridge setting cbr0 stp_state:1",
    "ip link set cbr0 type bridge forward_delay 300": "bridge setting cbr0 forward_delay:300",
    "ip link set cbr0 type bridge nf_call_iptables 1": "bridge setting cbr0 nf_call_iptables:1",
}


@pytest.mark.parametrize("command", OF_BRIDGES)
def test_what_bridges_are_told_is_named_and_taken_back(lab, command):
    (end,) = (e for e in lab.world.roles if lab.world.roles[e] == "port of web-1")
    port = lab._engine.built.real_name(*end)
    assert lab.run("node1", command.replace("PORT", port)) == ""
    assert f"node1: {OF_BRIDGES[command].replace('PORT', port)} was added" in lab.drift()
    lab.apply(lab.topology)
    assert lab.drift() == ()
    as_predicted(lab, SCENARIOS["on a node"].flow(lab.world))


def test_routes_by_nexthops_are_named_and_taken_back(lab):
    add = "ip nexthop add id 5 blackhole && ip nexthop add id 6 via 10.240.0.1 dev eth0"
    use = "ip route replace 10.244.0.2/32 nhid 5 && ip route add 10.9.5.0/24 nhid 6"
    assert lab.run("node1", ["sh", "-c", f"{add} && {use}"]) == ""
    told = lab.drift()
    assert "node1: route blackhole 10.244.0.2 was added" in told
    assert "node1: nexthop id 5 blackhole was added" in told
    lab.apply(lab.topology)
    assert lab.drift() == ()


def test_a_set_that_a_rule_names_is_taken_back_with_it(lab):
    if not shutil.which("ipset", path=PATH):
        pytest.skip("no ipset here, so nobody can do that")
    create = "ipset create used hash:ip && ipset add used 10.9.9.9"
    use = "iptables -I FORWARD -m set --match-set used dst -j DROP"
    assert lab.run("node1", ["sh", "-c", f"{create} && {use}"]) == ""
    assert "node1: ipset used was added" in lab.drift()
    lab.apply(lab.topology)
    assert lab.drift() == ()


def test_a_program_that_waits_for_packets_is_named_until_somebody_ends_it(lab):
    code = "import socket, time; s = socket.create_server(('', 7777)); time.sleep(60)"
    lab.run("vm-1", ["sh", "-c", f'exec 2>&- >&-; python3 -c "{code}" & sleep 0.5'])
    assert lab.drift() == ("vm-1: a socket that waits, tcp 0.0.0.0:7777 was added",)
    lab.apply(lab.topology)
    assert lab.drift() == ("vm-1: a socket that waits, tcp 0.0.0.0:7777 was added",)
    lab.run("vm-1", "pkill -f 7777")
    assert lab.drift() == ()


@pytest.mark.parametrize(
    ("what", "line", "sentence"),
    [
        ("nftables", "table ip filter", None),
        ("nftables", "table bridge filter", None),  # ebtables names its rules
        ("nftables", "table ip mine", "table ip mine"),
        ("queueing discipline", "qdisc noqueue 0: dev eth0 root refcnt 2", None),
        ("promiscuous interface", "3: eth0@if2: <UP,PROMISC,LOWER_UP> mtu 1500", "eth0"),
        ("promiscuous interface", "3: cbr0: <PROMISC> mtu 1500 bridge forward_delay 1500", None),
    ],
)  # fmt: skip
def test_what_is_there_anyway_is_no_change(what, line, sentence):
    (extra,) = (each for each in EXTRAS if each.what == what)
    assert [*told(extra, line)] == [sentence] * bool(sentence)


# ---- what was seen, and what may be behind it ----------------------------------------------------


def test_another_cause_of_the_same_loss_is_told_beside_the_verdict(lab):
    lab.apply(small_cluster("kubenet"))
    flow = Flow("vm-2", "10.240.0.77", 80)  # an address of nobody: the fabric drops it
    assert lab.compare(as_predicted(lab, flow)).drift == ()
    lab.run("azure", "iptables -t raw -I PREROUTING -p tcp --dport 80 -j DROP")
    lab.run("node1", "ip route add 10.9.0.0/16 via 10.240.0.1")  # which has nothing to do with it
    found = lab.compare(lab.observe(flow))
    assert found.equal
    assert found.drift == (
        "azure: rule -p tcp -m tcp --dport 80 -j DROP was added to raw PREROUTING",
    )
    verdict = show_comparison(found).text.splitlines()[1]
    assert verdict.startswith("Seen as predicted: dropped by a rule at azure. But that may have ")
    assert "-j DROP was added to raw PREROUTING" in verdict


def test_a_reject_before_a_closed_port_is_told_too(lab):
    lab.apply(small_cluster("kubenet"))
    lab.run("node1", "iptables -I INPUT -p tcp --dport 9 -j REJECT --reject-with tcp-reset")
    found = lab.compare(lab.observe(Flow("vm-1", lab.world.address("node1"), 9)))
    assert (found.equal, found.observation.disposition) == (True, Disposition.REFUSED)
    assert "--reject-with tcp-reset was added to filter INPUT" in found.drift[0]


def test_what_a_command_has_sent_is_told_where_a_prediction_differs(lab):
    lab.apply(small_cluster("kubenet").changed(outbound_ports=8))
    flow = Flow("web-1", lab.world.address("internet"), 80)
    code = (
        "import socket, time; "
        f"held = [socket.create_connection(('{flow.destination}', 80)) for _ in range(8)]; "
        "time.sleep(60)"
    )
    holds = f'exec 2>&- >&-; python3 -c "{code}" & sleep 1'
    lab.run("web-1", ["sh", "-c", holds])
    lab.run("web-1", "ip route")  # which sends nothing
    found = lab.compare(lab.observe(flow))
    assert (found.equal, found.observation.ended_at) == (False, "edge")  # no port is left
    assert found.drift == ()
    (sentence,) = found.remembered
    assert sentence.startswith("what web-1$ exec ")
    assert "edge" in sentence.rpartition("(")[2]
    assert "Hosts may still remember: what web-1$ exec " in show_comparison(found).text
    lab.run("web-1", "pkill python3")


def test_hosts_that_are_made_anew_remember_nothing(lab):
    lab.apply(small_cluster("kubenet"))
    engine, flow = lab._engine, Flow("web-2", lab.world.address("web-3"), 8080)
    engine.interrupted(flow, "web-2", "node1")
    assert engine.remembered("web-2") == (f"{flow}, interrupted (web-2)",)
    pods = lab.topology.cluster.pods
    lab.apply(lab.topology.changed(pods=tuple(pod for pod in pods if pod.name != "web-2")))
    lab.apply(lab.topology.changed(pods=pods))
    assert engine.remembered("web-2") == ()
    assert f"{flow}, interrupted (node1)" in engine.remembered("web-2", "node1")


# ---- why a packet was lost -----------------------------------------------------------------------

WITHOUT_A_RULE = {
    "sysctl -w net.ipv4.icmp_echo_ignore_all=1": "node1",
    "ip xfrm policy add dir out src 0.0.0.0/0 dst 10.240.0.4/32 action block": "vm-1",
}


@pytest.mark.parametrize("command", WITHOUT_A_RULE)
def test_a_loss_that_nothing_explains_says_so_and_drift_tells_what_was_changed(lab, command):
    lab.apply(small_cluster("kubenet"))
    host = WITHOUT_A_RULE[command]
    lab.run(host, command)
    seen = lab.observe(Flow("vm-1", lab.world.address("node1"), protocol="icmp"))
    assert (seen.disposition, seen.ended_at) == (Disposition.UNEXPLAINED, host)
    assert "nothing on the host tells why" in seen.explain()
    assert "lab.drift() looks at more" in seen.explain()
    assert lab.compare(seen).drift[0].startswith(f"{host}: ")


def test_what_goes_to_many_hosts_is_refused_before_it_is_sent(lab):
    lab.apply(small_cluster("kubenet"))
    before = lab._engine.built.namespaces.connections()
    with pytest.raises(InputError, match="is a broadcast address here"):
        lab.observe(Flow("web-1", "10.244.0.255", 80))
    assert lab._engine.built.namespaces.connections() == before


@pytest.mark.parametrize("protocol", ["tcp", "udp", "icmp"])
def test_what_goes_to_a_broadcast_made_by_hand_is_said_not_to_be_followed(lab, protocol):
    lab.apply(small_cluster("kubenet"))
    lab.run("vm-1", "ip addr add 10.9.9.1/24 broadcast 10.9.9.9 dev eth0")
    port = 0 if protocol == "icmp" else 80
    seen = lab.observe(Flow("vm-1", "10.9.9.9", port, protocol))
    assert "10.9.9.9 is no address of one host" in seen.explain()
    assert seen.disposition == Disposition.UNEXPLAINED


def test_scenarios_go_as_predicted_after_all_that(lab):
    lab.apply(small_cluster("overlay"))
    for scenario in SCENARIOS.values():
        as_predicted(lab, scenario.flow(lab.world))
    as_predicted(lab, Flow("web-1", CLUSTER_IP, 80))
