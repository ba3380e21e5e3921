"""Changing a live lab: what stands is what the new description says, and hosts still remember."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.errors import InputError
from course.kubeproxy.objects import Service, ServicePort
from course.lab.namespaces import LabError
from course.laboratory import Lab
from course.scenarios import CLUSTER_IP, NODE_PORT, SCENARIOS, small_cluster
from course.topology import Exposure, IpMasqAgent, Node, Pod
from course.trace import Disposition, Flow
from course.views.comparison import show_comparison
from course.virtual_network import SecurityRule
from tests.labs import LIVE, as_predicted
from tests.worlds import MODELS, WORLDS, with_pool, with_security

pytestmark = LIVE
DNS_IP = "10.0.0.10"
DELIVERED, REFUSED, DROPPED, NO_ROUTE = (
    Disposition.DELIVERED, Disposition.REFUSED, Disposition.DROPPED, Disposition.NO_ROUTE,
)  # fmt: skip


@pytest.fixture(scope="module")
def lab():
    """A lab that each test changes as it likes: the next one changes it again."""
    with Lab(small_cluster("overlay")) as made:
        yield made


def web(number, node, **fields):
    return Pod(f"web-{number}", node, {"app": "web", "n": str(number)}, **fields)


def pods_of(topology, **changed):
    """The same with other fields of some pods, by name with _ for -; None takes a pod away."""
    fields = {name.replace("_", "-"): each for name, each in changed.items()}
    pods = tuple(
        replace(pod, **fields.get(pod.name, {}))
        for pod in topology.cluster.pods
        if fields.get(pod.name, {}) is not None
    )
    return topology.changed(pods=pods)


# ---- what stands is what was described -----------------------------------------------------------


@st.composite
def topologies(draw):
    """The small cluster of some model, with more or less of everything."""
    topology = small_cluster(draw(st.sampled_from(MODELS)))
    nodes = tuple(
        Node(f"node{n}", ip_forwarding=draw(st.booleans()))
        for n in range(1, draw(st.integers(2, 4)))
    )
    pods = tuple(
        web(
            n, draw(st.sampled_from(nodes)).name, ready=draw(st.booleans()),
            ports=draw(st.sampled_from([(8080,), (), (8080, "53/udp")])),
        )
        for n in draw(st.sets(st.integers(1, 6)))
    )  # fmt: skip
    topology = topology.changed(
        nodes=nodes, pods=pods,
        exposures=tuple(each for each in topology.cluster.exposures if draw(st.booleans())),
        missing_routes=draw(st.sampled_from([(), ("node1",)])),
        outbound_ports=draw(st.sampled_from([0, 8])),
        hairpin=draw(st.booleans()), bridge_calls_iptables=draw(st.booleans()),
        ip_masq_agent=draw(st.sampled_from([None, IpMasqAgent(("10.0.0.0/8",))])),
    )  # fmt: skip
    machines = tuple(each for each in topology.machines if draw(st.integers(0, 3)))
    topology = replace(topology, machines=machines)
    if draw(st.booleans()):
        topology = with_security(topology, SecurityRule("DenyAll", 100, "Deny", protocol="Tcp"))
    return with_pool(topology) if len(nodes) == 2 and draw(st.booleans()) else topology


@given(st.data())
@settings(max_examples=12, deadline=None)
def test_whatever_is_described_stands_afterwards_and_does_what_is_predicted(lab, data):
    topology = data.draw(topologies())
    lab.apply(topology)
    assert lab.drift() == ()
    hosts = [host.name for host in lab.world.hosts if host.name not in ("azure", "edge")]
    for _ in range(2):
        source, to = (data.draw(st.sampled_from(hosts)) for _ in range(2))
        address = data.draw(st.sampled_from([lab.world.address(to), CLUSTER_IP]))
        if address != lab.world.address(source):
            port = data.draw(st.sampled_from([80, 8080]))
            as_predicted(lab, Flow(source, address, port))


def test_only_what_differs_is_touched(lab):
    lab.apply(small_cluster("overlay"))
    before = lab._engine.built
    index = lab.run("node1", "cat /sys/class/net/eth0/ifindex")
    lab.apply(pods_of(lab.topology, web_4=None))
    now = lab._engine.built
    assert {pod for pod in before.results if before.results[pod] is now.results.get(pod)} == {
        "web-1", "web-2", "web-3",
    }  # fmt: skip
    assert lab.run("node1", "cat /sys/class/net/eth0/ifindex") == index
    assert "azv" not in lab.run("node2", f"ip route show {before.world.address('web-4')}")


def test_a_pod_is_deleted_by_its_plugin_which_gives_its_address_back(lab):
    lab.apply(small_cluster("kubenet"))
    address = lab.world.address("web-2")
    given_out = "find /var/lib/cni/networks/kubenet -name 10.*"
    assert address in lab.run("node1", given_out)
    lab.apply(pods_of(lab.topology, web_2=None))
    assert address not in lab.run("node1", given_out)
    with pytest.raises(InputError, match="'web-2' is no host here"):
        lab.run("web-2", "ip route")


def test_a_pod_that_gets_the_address_of_another_one_is_reached_there(lab):
    lab.apply(small_cluster("node-subnet"))
    address = lab.world.address("web-2")
    as_predicted(lab, Flow("web-2", CLUSTER_IP, 80))
    pods = (*pods_of(lab.topology, web_2=None).cluster.pods, web(7, "node1"))
    lab.apply(lab.topology.changed(pods=pods))
    assert lab.world.address("web-7") == address
    assert as_predicted(lab, Flow("vm-2", address, 8080)).server == "web-7"
    as_predicted(lab, Flow("web-7", CLUSTER_IP, 80))


@pytest.mark.parametrize("plugins", [True, False])
def test_a_node_comes_and_goes_with_its_pods(plugins):
    small = small_cluster("kubenet")
    cluster = small.cluster
    more = small.changed(
        nodes=(*cluster.nodes, Node("node3")), pods=(*cluster.pods, web(5, "node3"))
    )  # fmt: skip
    with Lab(small, plugins=plugins) as lab:
        lab.apply(more)
        flow = Flow("web-1", lab.world.address("web-5"), 8080)
        assert as_predicted(lab, flow).disposition == DELIVERED
        lab.apply(small)
        assert as_predicted(lab, flow).disposition == NO_ROUTE


def test_what_is_broken_is_mended(lab):
    lab.apply(small_cluster("kubenet").changed(missing_routes=("node2",)))
    flow = SCENARIOS["across nodes"].flow(lab.world)
    assert as_predicted(lab, flow).disposition == NO_ROUTE
    lab.apply(lab.topology.changed(missing_routes=()))
    assert as_predicted(lab, flow).disposition == DELIVERED
    off = tuple(replace(node, ip_forwarding=False) for node in lab.topology.cluster.nodes)
    lab.apply(lab.topology.changed(nodes=off))
    assert as_predicted(lab, flow).disposition == DROPPED


def test_a_description_that_cannot_be_changes_nothing(lab):
    world = lab.world
    with pytest.raises(InputError, match="is no node"):
        lab.apply(lab.topology.changed(pods=(web(1, "node9"),)))
    assert lab.world is world
    assert lab.drift() == ()


# ---- Services ------------------------------------------------------------------------------------


def test_a_backend_that_stops_refuses_and_one_that_is_not_ready_is_not_asked(lab):
    lab.apply(pods_of(small_cluster("overlay"), web_2=None, web_3=None, web_4={"ports": ()}))
    ends = {as_predicted(lab, Flow("web-1", CLUSTER_IP, 80)).disposition for _ in range(16)}
    assert ends == {DELIVERED, REFUSED}
    lab.apply(pods_of(lab.topology, web_4={"ready": False}))
    ends = {as_predicted(lab, Flow("web-1", CLUSTER_IP, 80)).disposition for _ in range(16)}
    assert ends == {DELIVERED}
    lab.apply(pods_of(lab.topology, web_4={"ready": True, "ports": (8080,)}))
    servers = {as_predicted(lab, Flow("web-1", CLUSTER_IP, 80)).server for _ in range(16)}
    assert servers == {"web-1", "web-4"}


def dns(topology):
    """The same with a Service over UDP before its pods web-2 and web-3, and over TCP as well."""
    ports = (ServicePort(53, "dns", "UDP"), ServicePort(53, "dns-tcp"))
    exposure = Exposure(Service("default", "dns", (DNS_IP,), ports), {"app": "web"})
    both = {"ports": ("53/udp", 53)}
    return pods_of(
        topology.changed(exposures=(exposure,)), web_1=None, web_2=both, web_3=both, web_4=None
    )  # fmt: skip


def test_a_node_forgets_udp_to_an_endpoint_that_is_gone_and_remembers_tcp(lab):
    lab.apply(dns(small_cluster("overlay")))
    for protocol in ("udp", "tcp"):  # as often as chance wants it
        flow, servers = Flow("node1", DNS_IP, 53, protocol), set()
        for _ in range(40):
            servers |= {as_predicted(lab, flow).server}
            if servers == {"web-2", "web-3"}:
                break
        assert servers == {"web-2", "web-3"}
    gone, stays = lab.world.address("web-3"), lab.world.address("web-2")
    lab.apply(pods_of(lab.topology, web_3=None))
    listed = {p: lab.run("node1", f"conntrack -L -p {p}") for p in ("udp", "tcp")}
    assert f"src={gone}" not in listed["udp"]
    assert f"src={gone}" in listed["tcp"]
    assert f"src={stays}" in listed["udp"]
    known = {(c.original.protocol, c.reply.source) for c in lab.state["node1"].connections}
    assert known >= {("tcp", gone), ("tcp", stays), ("udp", stays)}
    assert ("udp", gone) not in known


def test_a_client_stays_with_its_server_while_the_service_is_sticky(lab):
    small = small_cluster("overlay")
    exposure = small.cluster.exposures[0]
    sticky = replace(exposure, service=replace(exposure.service, session_affinity="ClientIP"))
    lab.apply(small.changed(exposures=(sticky,)))
    flow = Flow("node2", CLUSTER_IP, 80)
    server = as_predicted(lab, flow).server
    lab.apply(pods_of(lab.topology, web_1={"labels": {"app": "other"}}))
    after = {as_predicted(lab, flow).server for _ in range(4)}
    assert after == {server} or server == "web-1"
    lab.apply(small)
    assert lab.state["node2"].recent == {}


# ---- what runs out -------------------------------------------------------------------------------


def test_the_ninth_connection_finds_no_outbound_port_of_eight(lab):
    lab.apply(small_cluster("overlay").changed(outbound_ports=8))
    flow = Flow("web-1", lab.world.address("internet"), 80)
    ends = [as_predicted(lab, flow).disposition for _ in range(9)]
    assert ends == [DELIVERED] * 8 + [DROPPED]
    assert as_predicted(lab, flow).ended_at == "edge"
    assert as_predicted(lab, replace(flow, source="web-3")).disposition == DELIVERED


THREE = ("10.240.0.5", "10.240.0.6", "10.240.0.7")


def test_the_fourth_pod_fails_where_three_addresses_were_preallocated(lab):
    nodes = (Node("node1", "10.240.0.4", held=THREE), Node("node2"))
    lab.apply(small_cluster("node-subnet").changed(nodes=nodes))
    assert lab.add_pod(web(5, "node1")) == "10.240.0.7"
    as_predicted(lab, Flow("vm-2", "10.240.0.7", 8080))
    with pytest.raises(InputError) as error:
        lab.add_pod(web(6, "node1"))
    assert (
        "host-local says: failed to allocate for range 0: no IP addresses available in range set: "
        "10.240.0.5-10.240.0.7"
    ) in str(error.value)
    assert "max-pods stops such a pod before" in str(error.value)
    assert "web-6" not in lab.world.by_name
    assert lab.drift() == ()


@pytest.mark.parametrize("model", MODELS)
def test_a_pod_gets_the_next_address_that_its_node_has(lab, model):
    lab.apply(small_cluster(model))
    address = lab.add_pod(web(5, "node2"))
    assert lab.world.address("web-5") == address
    assert as_predicted(lab, Flow("web-1", address, 8080)).server == "web-5"
    with pytest.raises(InputError, match="'node7' is no node"):
        lab.add_pod(web(6, "node7"))


def test_a_pod_whose_plugin_fails_is_left_out_and_the_rest_is_changed(lab):
    lab.apply(small_cluster("kubenet"))
    lab.run("node1", "touch /var/lib/cni/networks/kubenet/10.244.0.4")
    pods = (*lab.topology.cluster.pods, web(5, "node1"), web(6, "node2"))
    with pytest.raises(InputError, match=r"requested IP address 10\.244\.0\.4 is not available"):
        lab.apply(lab.topology.changed(pods=pods))
    assert {"web-5", "web-6"} & set(lab.world.by_name) == {"web-6"}
    assert lab.drift() == ()
    servers = {as_predicted(lab, Flow("vm-2", "10.240.0.4", NODE_PORT)).server for _ in range(60)}
    assert "web-6" in servers  # by chance not once in 600,000


def test_a_lab_that_is_half_changed_is_closed():
    with Lab(small_cluster("overlay"), plugins=False) as lab:
        lab.run("node1", "touch /run/netns/web-5")
        with pytest.raises(LabError, match="File exists"):
            lab.apply(lab.topology.changed(pods=(*lab.topology.cluster.pods, web(5, "node1"))))
        assert lab.closed


def test_without_plugins_nobody_hands_out_addresses():
    with (
        Lab(small_cluster("overlay"), plugins=False) as lab,
        pytest.raises(InputError, match="Leave plugins=False out"),
    ):
        lab.add_pod(web(5, "node1"))


# ---- by hand -------------------------------------------------------------------------------------

BY_HAND = {
    "ip route del default": ("node1", "route default via 10.240.0.1 dev eth0 is gone"),
    "ip route add 10.9.0.0/16 via 10.240.0.1": (
        "node1", "route 10.9.0.0/16 via 10.240.0.1 dev eth0 was added"
    ),
    "ip route replace default via 10.240.0.2": (
        "node1", "route default via 10.240.0.2 dev eth0 was added"
    ),
    "ip route del 10.240.1.0/24": (
        "vm-2", "route 10.240.1.0/24 dev eth0 src 10.240.1.4 is gone"
    ),
    "ip route flush table 51": (
        "azure", "route 10.244.1.0/24 via 10.240.0.5 dev nic-node2 in table 51 is gone"
    ),
    "ip addr add 10.240.0.9/24 dev eth0": ("node1", "address 10.240.0.9/24 of eth0 was added"),
    "ip addr flush dev eth0": ("web-1", "address 10.244.0.2/24 of eth0 is gone"),
    "ip addr flush dev lo": ("vm-1", "address 127.0.0.1/8 of lo is gone"),
    "ip link set eth0 down": ("node2", "eth0 is down, was up"),
    "ip link set eth0 mtu 1400": ("vm-2", "mtu of eth0 is 1400, was 1500"),
    "ip link set eth0 address 02:00:00:00:00:01": (
        "vm-1", "MAC of eth0 is 02:00:00:00:00:01, was 00:0d:3a:f0:00:64"
    ),
    "ip link del eth0": ("web-2", "interface eth0 is gone"),
    "ip link add by-hand type bridge": ("node1", "interface by-hand was added"),
    "sysctl -w net.ipv4.ip_forward=0": ("node1", "net.ipv4.ip_forward is 0, was 1"),
    "sysctl -w net.ipv4.conf.eth0.rp_filter=1": (
        "node2", "net.ipv4.conf.eth0.rp_filter is 1, was 0"
    ),
    "sysctl -w net.ipv4.conf.all.proxy_arp=0": (
        "azure", "net.ipv4.conf.all.proxy_arp is 0, was 1"
    ),
    "sysctl -w net.ipv4.ip_default_ttl=32": ("web-1", "net.ipv4.ip_default_ttl is 32, was 64"),
    "iptables -t nat -A POSTROUTING -p udp -j MASQUERADE": (
        "node2", "rule -p udp -j MASQUERADE was added to nat POSTROUTING"
    ),
    "iptables -A OUTPUT -m length --length 40:100 -j DROP": (
        "web-1", "rule -m length --length 40:100 -j DROP was added to filter OUTPUT"
    ),
    "iptables -t nat -D POSTROUTING 1": ("node1", "is gone from nat POSTROUTING"),
    "iptables -t nat -F IP-MASQ-AGENT": ("node1", "-j MASQUERADE is gone from nat IP-MASQ-AGENT"),
    "iptables -P FORWARD DROP": ("node2", "policy of filter FORWARD is DROP, was ACCEPT"),
    "iptables -t raw -N MINE": ("node2", "chain raw MINE was added"),
    "sh -c 'iptables -D FORWARD -o nowhere -j DROP; iptables -A FORWARD -o nowhere -j DROP'": (
        "azure", "the rules of filter FORWARD are in another order"
    ),
    "ip rule del iif nic-node1 lookup 51": (
        "azure", "policy rule 50: from all iif nic-node1 lookup 51 is gone"
    ),
    "ip rule add pref 9 to 10.8.0.0/16 lookup 77": (
        "azure", "policy rule 9: from all to 10.8.0.0/16 lookup 77 was added"
    ),
    "ip rule add pref 9 from 10.8.0.0/16 blackhole": (
        "azure", "policy rule 9: from 10.8.0.0/16 lookup blackhole was added"
    ),
    "ip rule del pref 32766": ("vm-1", "policy rule 32766: from all lookup main is gone"),
    "ip neigh del 169.254.1.1 dev eth0": ("web-1", "neighbour 169.254.1.1 of eth0 is gone"),
    "ip neigh replace 169.254.1.1 lladdr 02:00:00:00:00:02 dev eth0 nud permanent": (
        "web-1", "neighbour 169.254.1.1 of eth0 is 02:00:00:00:00:02, was that of the other end"
    ),
}  # fmt: skip


@pytest.mark.parametrize("command", BY_HAND)
def test_what_is_changed_by_hand_is_named_and_taken_back(lab, command):
    if lab.topology != WORLDS["overlay"].topology:
        lab.apply(small_cluster("overlay"))
    host, sentence = BY_HAND[command]
    said = lab.run(host, command)
    assert not said or said.startswith("net.")
    told = lab.drift()
    assert any(each.startswith(f"{host}: ") and sentence in each for each in told), told
    lab.apply(lab.topology)
    assert lab.drift() == ()


def test_a_port_of_a_bridge_and_a_bridge_are_looked_at_too(lab):
    lab.apply(small_cluster("kubenet"))
    (end,) = (e for e in lab.world.roles if lab.world.roles[e] == "port of web-1")
    real = lab._engine.built.real_name(*end)
    for command, sentence in {
        f"bridge link set dev {real} hairpin off": f"node1: hairpin of {real} is off, was on",
        f"ip link set {real} nomaster": f"node1: master of {real} is nobody, was cbr0",
        "ip link del cbr0": "node1: interface cbr0 is gone",
    }.items():
        assert lab.run("node1", command) == ""
        assert sentence in lab.drift()
        lab.apply(lab.topology)
        assert lab.drift() == ()
    for scenario in ("on a node", "across nodes", "to a ClusterIP"):
        assert as_predicted(lab, SCENARIOS[scenario].flow(lab.world)).disposition == DELIVERED


def test_what_the_kernel_and_packets_do_is_no_change_by_hand(lab):
    lab.apply(small_cluster("node-subnet"))
    for scenario in SCENARIOS.values():
        lab.observe(scenario.flow(lab.world))
    for host in ("node1", "web-1", "vm-1"):
        lab.run(host, "iptables -t raw -L")
        lab.run(host, "ping -c 1 -W 0.2 10.240.0.1")
    assert lab.drift() == ()


def test_a_comparison_names_what_was_changed_by_hand(lab):
    lab.apply(small_cluster("overlay"))
    flow = SCENARIOS["across nodes"].flow(lab.world)
    assert lab.compare(as_predicted(lab, flow)).drift == ()
    lab.run("node2", "sysctl -w net.ipv4.ip_forward=0")
    found = lab.compare(lab.observe(flow))
    assert found.drift == ("node2: net.ipv4.ip_forward is 0, was 1",)
    assert "Somebody changed by hand: node2: net.ipv4.ip_forward is 0, was 1." in str(
        show_comparison(found).text
    )
    lab.apply(lab.topology)
    as_predicted(lab, flow)


def test_a_lab_that_is_closed_changes_no_more():
    lab = Lab(small_cluster("overlay"), plugins=False)
    lab.close()
    with pytest.raises(InputError, match="is closed"):
        lab.apply(lab.topology)
    with pytest.raises(InputError, match="is closed"):
        lab.drift()
