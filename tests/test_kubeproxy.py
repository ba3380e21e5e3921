"""kube-proxy's rules: what holds for any Services, and that the real iptables takes them."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from course.errors import InputError
from course.kubeproxy import (
    Endpoint,
    EndpointConditions,
    EndpointPort,
    EndpointSlice,
    LoadBalancerIngress,
    LocalDetector,
    Options,
    Service,
    ServicePort,
    State,
    explain,
    full_sync,
    jumps,
    partial_sync,
)
from course.kubeproxy.rules import probability
from course.linux.ruleset import parse
from tests import netfilter, real_linux
from tests.cases_kubeproxy import previous_state, state_of
from tests.conftest import ROOT

NODE = Options(
    "test-node",
    "192.168.0.2",
    ("192.168.0.2", "192.168.1.2"),
    local_detector=LocalDetector("ClusterCIDR", "10.0.0.0/8"),
)

# ---- any Services and endpoints ------------------------------------------------------------------

policies = st.sampled_from(["Cluster", "Local"])
truths = st.sampled_from([None, True, False])
last_octets = st.integers(1, 250)


@st.composite
def services(draw, index):
    ports = tuple(
        ServicePort(80 + n, f"p{n}", draw(st.sampled_from(["TCP", "UDP", "SCTP"])),
                    draw(st.sampled_from([0, 30000 + 10 * index + n])))
        for n in range(draw(st.integers(1, 3)))
    )  # fmt: skip
    ranges = ["203.0.113.0/25", "192.168.0.0/24", " 10.0.0.1/8", "fd00::/8"]
    return Service(
        f"ns{index % 2}",
        f"svc{index}",
        draw(st.sampled_from([(f"172.30.0.{index + 1}", f"fd00:172::{index + 1}"), ("None",)])),
        ports,
        type=draw(st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"])),
        external_ips=draw(st.sampled_from([(), (f"192.168.99.{index}", "fd00:99::1")])),
        load_balancer_ingress=draw(
            st.sampled_from([(), (LoadBalancerIngress(f"1.2.3.{index}"),),
                             (LoadBalancerIngress(f"1.2.3.{index}", "Proxy"),)])
        ),
        load_balancer_source_ranges=tuple(draw(st.lists(st.sampled_from(ranges), unique=True))),
        external_traffic_policy=draw(policies),
        internal_traffic_policy=draw(policies),
        session_affinity=draw(st.sampled_from(["None", "ClientIP"])),
        health_check_node_port=draw(st.sampled_from([0, 32000 + index])),
    )  # fmt: skip


endpoints = st.builds(
    Endpoint,
    last_octets.map(lambda last: (f"10.180.0.{last}",)),
    st.sampled_from([None, "test-node", "node-2"]),
    st.builds(EndpointConditions, truths, truths, truths),
)


def slices_of(service):
    ports = service.ports
    behind = tuple(EndpointPort(8000 + port.port, port.name, port.protocol) for port in ports)
    one = st.lists(endpoints, max_size=4, unique_by=lambda one: one.addresses)
    made = one.map(lambda some: EndpointSlice(service.namespace, service.name, behind, tuple(some)))
    return st.lists(made, max_size=2)


@st.composite
def clusters(draw):
    made = tuple(draw(services(index)) for index in range(draw(st.integers(0, 3))))
    slices = [part for service in made for part in draw(slices_of(service))]
    options = replace(
        NODE,
        local_detector=draw(
            st.sampled_from([None, NODE.local_detector, LocalDetector("BridgeInterface", "cbr0")])
        ),
        masquerade_all=draw(st.booleans()),
        localhost_node_ports=draw(st.booleans()),
        node_port_addresses=draw(st.sampled_from([(), ("192.168.0.0/24",), ("127.0.0.0/8",)])),
        nfacct_counters=draw(st.booleans()),
    )
    return State(options, made, tuple(slices))


def text_of(state):
    return jumps() + full_sync(state).text()


@given(clusters())
def test_every_jump_finds_its_chain_and_every_chain_is_reached(state):
    tables = netfilter.ruleset(full_sync(state)).tables  # refuses a jump to nowhere
    unreached = set()
    for chains in tables.values():
        rules = (rule for chain in chains.values() for rule in chain.rules)
        targets = {rule.target.name for rule in rules if rule.target}
        unreached |= chains.keys() - targets
    # the canary is only watched; there may be nothing to mark, and no address for node ports
    assert unreached <= {"KUBE-PROXY-CANARY", "KUBE-MARK-MASQ", "KUBE-NODEPORTS"} | {
        "INPUT", "FORWARD", "OUTPUT", "PREROUTING", "POSTROUTING",
    }  # fmt: skip


@given(clusters())
def test_each_chain_is_declared_once_and_iptables_takes_its_name(state):
    for table in (full_sync(state).filter, full_sync(state).nat):
        assert len(table.chains) == len(set(table.chains))
        assert all(len(chain) <= 28 for chain in table.chains)
        assert {rule.split()[1] for rule in table.rules} <= set(table.chains)


@given(clusters(), st.randoms())
def test_the_order_in_which_objects_are_read_changes_nothing(state, chance):
    def shuffled(items):
        return tuple(chance.sample(items, len(items)))

    slices = [
        replace(part, ports=shuffled(part.ports), endpoints=shuffled(part.endpoints))
        for part in shuffled(state.endpoint_slices)
    ]
    again = replace(state, services=shuffled(state.services), endpoint_slices=tuple(slices))
    assert text_of(again) == text_of(state)
    assert partial_sync(state, again) == partial_sync(state, state)


@given(clusters(), clusters())
def test_a_partial_sync_over_what_stood_leaves_what_a_full_sync_would_write(before, after):
    after = replace(after, options=before.options)
    stands = netfilter.ruleset(full_sync(before), partial_sync(before, after))
    assert stands == netfilter.ruleset(full_sync(after))


@given(clusters())
def test_every_rule_can_be_explained(state):
    rules = [line for line in text_of(state).splitlines() if line.startswith("-A")]
    assert [rule for rule in rules if not explain(rule)] == []


@given(st.integers(1, 1000))
@settings(max_examples=50)
def test_each_endpoint_has_the_same_chance(count):
    for step in (1e-10, 2**-31):  # as it is written, and as the kernel keeps it
        left, chances = 1.0, []
        for remaining in range(count, 0, -1):
            chance = round(float(probability(remaining)) / step) * step
            chances.append(left * chance)
            left -= left * chance
        assert max(abs(chance - 1 / count) for chance in chances) < 2**-31
        assert sum(chances) == pytest.approx(1, abs=2**-31)


def test_the_rules_of_a_service_hold_those_chances():
    state = behind(*(Endpoint((f"10.0.0.{n}",)) for n in range(1, 11)))
    rules = re.findall(r"^-A KUBE-SVC-.* -j KUBE-SEP-.*", text_of(state), re.MULTILINE)
    written = [re.findall(r"--probability (\S+)", rule) for rule in rules]
    assert written == [*([probability(n)] for n in range(10, 1, -1)), []]
    assert len({rule.split(" -j ")[1] for rule in rules}) == 10


# ---- single statements ---------------------------------------------------------------------------


def behind(*endpoints, options=NODE, **fields):
    """A Service ns/web on port 80, and these endpoints at port 8080."""
    fields = {"cluster_ips": ("172.30.0.1",), "ports": (ServicePort(80, "http"),)} | fields
    part = EndpointSlice("ns", "web", (EndpointPort(8080, "http"),), endpoints)
    return State(options, (Service("ns", "web", **fields),), (part,))


def reached(state, source, destination, port=80):
    return netfilter.verdict(state, source, "TCP", destination, port)


POD, OTHER = Endpoint(("10.0.0.1",), "test-node"), Endpoint(("10.0.1.1",), "node-2")


def test_a_pod_that_is_sent_to_itself_is_masqueraded_and_another_is_not():
    assert reached(behind(POD), "10.0.0.1", "172.30.0.1") == ("DNAT", ["10.0.0.1:8080"], True)
    assert reached(behind(POD), "10.0.0.9", "172.30.0.1") == ("DNAT", ["10.0.0.1:8080"], False)


def test_without_a_local_detector_nobody_is_masqueraded_at_the_cluster_ip():
    state = behind(POD, options=replace(NODE, local_detector=None))
    assert reached(state, "203.0.113.9", "172.30.0.1") == ("DNAT", ["10.0.0.1:8080"], False)


@pytest.mark.parametrize(
    ("mode", "value", "match"),
    [
        ("NodeCIDR", "10.0.0.0/24", "! -s 10.0.0.0/24"),
        ("BridgeInterface", "cbr0", "! -i cbr0"),
        ("InterfaceNamePrefix", "azv", "! -i azv+"),
    ],
)
def test_pods_are_told_by_address_or_by_interface(mode, value, match):
    state = behind(POD, options=replace(NODE, local_detector=LocalDetector(mode, value)))
    assert f"--dport 80 {match} -j KUBE-MARK-MASQ" in text_of(state)


@pytest.mark.parametrize(
    ("source", "verdict"),
    [("203.0.113.9", "DNAT"), ("203.0.113.200", "DROP"), ("1.2.3.4", "DROP")],
)
def test_source_ranges_guard_the_load_balancer(source, verdict):
    state = balancer(load_balancer_source_ranges=("203.0.113.0/25",))
    assert reached(state, source, "1.2.3.4")[0] == verdict


def test_a_range_that_holds_the_node_lets_in_the_address_of_the_load_balancer():
    state = balancer(load_balancer_source_ranges=("192.168.0.0/24",))
    assert reached(state, "1.2.3.4", "1.2.3.4")[0] == "DNAT"


def test_source_ranges_do_not_guard_node_ports():
    state = balancer(
        ports=(ServicePort(80, "http", node_port=30080),),
        load_balancer_source_ranges=("203.0.113.0/25",),
    )
    assert reached(state, "198.51.100.1", "192.168.0.2", 30080)[0] == "DNAT"


def balancer(**fields):
    ingress = (LoadBalancerIngress("1.2.3.4"),)
    return behind(POD, OTHER, type="LoadBalancer", load_balancer_ingress=ingress, **fields)


def test_node_ports_are_served_only_at_the_addresses_that_were_asked_for():
    options = replace(NODE, node_port_addresses=("192.168.0.0/24",))
    ports = (ServicePort(80, "http", node_port=30080),)
    state = behind(POD, type="NodePort", options=options, ports=ports)
    assert reached(state, "203.0.113.9", "192.168.0.2", 30080)[0] == "DNAT"
    assert reached(state, "203.0.113.9", "192.168.1.2", 30080)[0] == "NO_MATCH"
    assert reached(state, "127.0.0.1", "127.0.0.1", 30080)[0] == "NO_MATCH"


def test_an_endpoint_in_two_slices_counts_once():
    state = behind(POD)
    twice = replace(state, endpoint_slices=state.endpoint_slices * 2)
    assert text_of(twice) == text_of(state)


def test_what_is_being_deleted_serves_only_where_nothing_is_ready():
    leaving = replace(POD, conditions=EndpointConditions(False, True, True))
    assert reached(behind(leaving), "10.0.0.9", "172.30.0.1")[1] == ["10.0.0.1:8080"]
    assert reached(behind(leaving, OTHER), "10.0.0.9", "172.30.0.1")[1] == ["10.0.1.1:8080"]


def test_each_family_has_rules_of_its_own():
    pod = Endpoint(("FD00:10:0::1",))
    part = EndpointSlice("ns", "web", (EndpointPort(8080, "http"),), (pod,), "IPv6")
    state = behind(POD, cluster_ips=("172.30.0.1", "fd00:172::1"))
    both = replace(state, endpoint_slices=(*state.endpoint_slices, part))
    assert text_of(both) == text_of(state)
    six = replace(both, options=replace(NODE, family="IPv6", local_detector=None))
    assert "-d fd00:172::1 --dport 80" in text_of(six)
    assert "--to-destination [fd00:10::1]:8080" in text_of(six)


def test_a_changed_option_is_a_new_start():
    other = behind(POD, options=replace(NODE, masquerade_all=True))
    with pytest.raises(InputError, match="full_sync"):
        partial_sync(behind(POD), other)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Service("ns", 'web" -j ACCEPT\n', ("172.30.0.1",)),
        lambda: ServicePort(80, "a b"),
        lambda: ServicePort(0),
        lambda: ServicePort(80, protocol="tcp"),
        lambda: Service("ns", "web", ("172.30.0.300",)),
        lambda: Service("ns", "web", ("172.30.0.1",), (ServicePort(80), ServicePort(81))),
        lambda: Service("ns", "web", session_affinity_timeout_seconds=0),
        lambda: LoadBalancerIngress("1.2.3.4", "Direct"),
        lambda: EndpointSlice("ns", "web", (), (Endpoint(("fd00::1",)),)),
        lambda: LocalDetector("BridgeInterface", "cbr0 -j ACCEPT"),
        lambda: LocalDetector("Guess", "10.0.0.0/8"),
        lambda: full_sync(balancer(load_balancer_source_ranges=("203.0.113.0/33",))),
    ],
)
def test_what_the_api_server_would_refuse_is_refused(make):
    with pytest.raises(InputError):
        make()


# ---- the real iptables ---------------------------------------------------------------------------

CASES = {
    case["id"]: case
    for case in yaml.safe_load((ROOT / "tests/cases/kubeproxy.yaml").read_text("utf-8"))["cases"]
    if "services" in case and case["kind"] != "service_count"
}
SPELLED_BY_IP6TABLES = {
    "icmp6-port-unreachable": "icmp-port-unreachable",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff": "255.255.255.255",
}


def uncounted(state):
    """Without nfacct: who loads the rules would have to make the counters before."""
    return replace(state, options=replace(state.options, nfacct_counters=False))


def loaded(variant, *syncs, family="IPv4"):
    """What iptables-save says once the real iptables has taken syncs."""
    tool = "ip6tables" if family == "IPv6" else "iptables"
    texts = (sync.text() for sync in syncs)
    saved = real_linux.loaded(jumps(), *texts, variant=variant, tool=tool)
    for theirs, ours in SPELLED_BY_IP6TABLES.items():
        saved = saved.replace(theirs, ours)
    return saved


@pytest.mark.parametrize("variant", real_linux.VARIANTS)
@pytest.mark.parametrize("case_id", CASES)
def test_iptables_takes_the_rules_and_gives_back_the_same(case_id, variant):
    state = uncounted(state_of(CASES[case_id]))
    saved = loaded(variant, full_sync(state), family=state.options.family)
    assert parse(saved) == netfilter.ruleset(full_sync(state))
    rules = re.findall("^-A.*", saved, re.MULTILINE)
    assert [rule for rule in rules if not explain(rule)] == []


@pytest.mark.parametrize("variant", real_linux.VARIANTS)
@pytest.mark.parametrize(
    ("before", "after"), [("kp-repeat-1", "kp-repeat-2"), ("kp-repeat-2", "kp-repeat-6"),
                          ("kp-repeat-6", "kp-repeat-8"), ("kp-repeat-8", "kp-repeat-1")]
)  # fmt: skip
def test_iptables_takes_a_partial_sync_over_its_base(before, after, variant):
    before, after = (uncounted(previous_state(case_id)) for case_id in (before, after))
    syncs = (full_sync(before), partial_sync(before, after))
    saved = parse(loaded(variant, *syncs))
    assert saved == netfilter.ruleset(*syncs)
    assert saved == netfilter.ruleset(full_sync(after))


@pytest.mark.parametrize("variant", real_linux.VARIANTS)
@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_iptables_takes_every_kind_of_rule_at_once(variant, family):
    six = family == "IPv6"
    detector = LocalDetector("ClusterCIDR", "fd00:10::/64") if six else NODE.local_detector
    options = replace(NODE, family=family, local_detector=detector)
    ip = "fd00::{}".format if six else "10.9.0.{}".format
    chance = random.Random(4)
    all_services, parts = [], []
    for index in range(40):
        protocol = chance.choice(["TCP", "UDP", "SCTP"])
        service = Service(
            "ns", f"svc{index}", (ip(index + 100),),
            (ServicePort(80, "", protocol, 30000 + index),),
            type="LoadBalancer", external_ips=(ip(99),),
            load_balancer_ingress=(LoadBalancerIngress(ip(index + 50)),),
            load_balancer_source_ranges=(ip(0) + "/24",) * chance.randrange(2),
            external_traffic_policy=chance.choice(["Cluster", "Local"]),
            internal_traffic_policy=chance.choice(["Cluster", "Local"]),
            session_affinity=chance.choice(["None", "ClientIP"]),
            health_check_node_port=31000 + index,
        )  # fmt: skip
        pods = [Endpoint((ip(n + 1),), chance.choice(["test-node", "node-2"])) for n in range(3)]
        some = tuple(pods[: chance.randrange(4)])
        all_services.append(service)
        port = EndpointPort(8080, "", protocol)
        parts.append(EndpointSlice("ns", service.name, (port,), some, family))
    state = State(options, tuple(all_services), tuple(parts))
    saved = loaded(variant, full_sync(state), family=family)
    assert parse(saved) == netfilter.ruleset(full_sync(state))
    assert len(list(state.ports())) == 40
