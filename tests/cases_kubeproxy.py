"""How each kind of cases/kubeproxy.yaml is asked of the course: Services in, rules out.

Most kinds describe a state of the cluster and what must be so then: they differ only in which
expectations stand in the case, so each expectation is checked wherever it stands.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from course.addresses import canonical, parse_address
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
    full_sync,
    partial_sync,
)
from course.kubeproxy.chains import name_hash
from course.kubeproxy.rules import probability
from course.kubeproxy.sync import changed_services, write
from tests import netfilter

# v1.25, where these were quoted, did not yet take 127.0.0.0/8 out where localhost is not served
OLD_WRITER = "k8s-blog-quote"
NEWER_MATCH = " ! -d 127.0.0.0/8"

SHARED_CHAINS = ("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-NODEPORTS", "KUBE-PROXY-FIREWALL")


def options_of(case):
    given = case.get("options") or {}
    detector = given.get("local_detector")
    return Options(
        node_name=given.get("node_name", "test-node"),
        node_ip=given.get("node_ip", "192.168.0.2"),
        node_ips=tuple(given.get("node_ips") or ()),
        family=given.get("family") or "IPv4",
        local_detector=detector and LocalDetector(detector["mode"], detector["cidr"]),
        masquerade_all=given.get("masquerade_all", False),
        masquerade_bit=int(str(given.get("masquerade_mark", "0x4000")), 0).bit_length() - 1,
        localhost_node_ports=given.get("localhost_nodeports", True),
        node_port_addresses=tuple(given.get("nodeport_addresses") or ()),
        nfacct_counters=given.get("nfacct_counters", False),
        conntrack_tcp_be_liberal=given.get("conntrack_tcp_liberal", False),
        random_fully=given.get("random_fully", False),
    )


def service_of(row):
    mode = row.get("loadBalancerIpMode") or "VIP"
    address = row.get("clusterIP")
    return Service(
        row["namespace"],
        row["name"],
        (address,) if address else (),
        tuple(
            ServicePort(
                port["port"],
                port.get("name") or "",
                port.get("protocol", "TCP"),
                port.get("nodePort") or 0,
                port.get("targetPort"),
            )
            for port in row.get("ports") or ()
        ),
        type=row.get("type", "ClusterIP"),
        external_ips=tuple(row.get("externalIPs") or ()),
        load_balancer_ingress=tuple(
            LoadBalancerIngress(ip, mode) for ip in row.get("loadBalancerIngress") or ()
        ),
        load_balancer_source_ranges=tuple(row.get("loadBalancerSourceRanges") or ()),
        external_traffic_policy=row.get("externalTrafficPolicy") or "Cluster",
        internal_traffic_policy=row.get("internalTrafficPolicy") or "Cluster",
        session_affinity=row.get("sessionAffinity") or "None",
        session_affinity_timeout_seconds=row.get("sessionAffinityTimeoutSeconds") or 10_800,
        health_check_node_port=row.get("healthCheckNodePort") or 0,
    )


def slice_of(row):
    return EndpointSlice(
        row["namespace"],
        row["service"],
        tuple(
            EndpointPort(port["port"], port.get("name") or "", port.get("protocol", "TCP"))
            for port in row.get("ports") or ()
        ),
        tuple(
            Endpoint(
                (one["address"],),
                one.get("nodeName"),
                EndpointConditions(**(one.get("conditions") or {})),
            )
            for one in row.get("endpoints") or ()
        ),
        row.get("addressType") or "IPv4",
    )


def state_of(case):
    return State(
        options_of(case),
        tuple(map(service_of, case.get("services") or ())),
        tuple(map(slice_of, case.get("endpoint_slices") or ())),
    )


def by_chain(rules):
    """{chain: its rules}. In chains that Services share, each Service's in their order, those of
    different Services by name; the jump to node ports stays last."""
    found = defaultdict(list)
    for rule in rules:
        found[rule.split()[1]].append(rule)
    for chain in SHARED_CHAINS:
        found[chain].sort(key=service_named_in)
    return {chain: rules for chain, rules in found.items() if rules}


def service_named_in(rule):
    comment = rule.partition("--comment ")[2].lstrip('"').split()[0]
    return (comment == "kubernetes", comment)


def rules_stand(case, sync):
    """expect: the tables' chains, their rules in order, and which chains are deleted."""
    for name in case.get("compare") or ("filter", "nat"):
        table, expected = getattr(sync, name), case["expect"][name]
        assert {*table.chains, *table.deleted_chains} == set(expected["chains"])
        assert table.deleted_chains == sorted(expected.get("deleted_chains") or [])
        rules = table.rules
        if case["source"] == OLD_WRITER:
            rules = [rule.replace(NEWER_MATCH, "") for rule in rules]
        assert by_chain(rules) == by_chain(expected["rules"])


def chain_stands(case, sync):
    """expect_chain: one chain, rule by rule."""
    expected = case["expect_chain"]
    rules = getattr(sync, expected["table"]).rules
    start = f"-A {expected['chain']} "
    assert [rule for rule in rules if rule.startswith(start)] == expected["rules"]


def rule_is_present(case, sync):
    """expect_presence: whether a chain has a rule for a destination."""
    expected = case["expect_presence"]
    start, to = f"-A {expected['chain']} ", f" -d {expected['destination']} "
    rules = getattr(sync, expected["table"]).rules
    found = any(rule.startswith(start) and to in rule for rule in rules)
    assert found == expected["present"]


def packets_fare(flows, state):
    """flows: what the generated rules themselves do to a first packet."""
    for flow in flows:
        packet = (str(flow["source"]), flow["protocol"], str(flow["destination"]), flow["port"])
        found, endpoints, masquerade = netfilter.verdict(state, *packet)
        assert found == flow["verdict"], flow
        if found == "DNAT":
            assert (endpoints, masquerade) == (flow["endpoints"], flow["masquerade"]), flow


def state_holds(case):
    state, checked = state_of(case), 0
    sync = full_sync(state)
    for key, check in {
        "expect": rules_stand,
        "expect_chain": chain_stands,
        "expect_presence": rule_is_present,
    }.items():
        if key in case:
            check(case, sync)
            checked += 1
    if "expect_service_ports" in case:
        assert len(list(state.ports())) == case["expect_service_ports"]
        checked += 1
    for key, then in {
        "flows": state,
        "after_endpoints_deleted": replace(state, endpoint_slices=()),
    }.items():
        if key in case:
            packets_fare(case[key], then)
            checked += 1
    assert checked, f"no expectation that can be checked in {sorted(case)}"


def partial_sync_case(case):
    """`previous` names the case that stood before. Where it is not given, what stood before is
    told by the case itself: its own chains, and those that must go."""
    after = state_of(case)
    before = previous_state(case.get("previous"))
    if before:
        assert sorted(changed_services(before, after)) == sorted(case["changed"])
        sync = partial_sync(before, after)
    else:
        expected = case["expect"]["nat"]
        stood = [*full_sync(after).nat.chains, *expected.get("deleted_chains", [])]
        sync = write(after, case["changed"], stood)
    rules_stand(case, sync)


def previous_state(case_id):
    from tests.test_cases import FILES, cases_of  # it imports this module

    for file in FILES:
        for _, case in cases_of(file):
            if case["id"] == case_id:
                return state_of(case)
    return None


def chain_names(case):
    assert case["rows"]
    for row in case["rows"]:
        endpoint = row["endpoint"] or ""
        if endpoint:
            address, _, port = endpoint.rpartition(":")
            bare = canonical(parse_address(address.strip("[]")))
            endpoint = f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"
        name = name_hash(row["service_port"], row["protocol"].lower(), endpoint)
        prefix = row["chain"].rpartition("-")[0]
        assert row["chain"] == f"{prefix}-{name}", row


def chain_rule(case):
    """One endpoint of interest among so many that comments may be left out."""
    key, _, port_name = case["service"].partition(":")
    namespace, name = key.split("/")
    address, _, number = case["endpoint"].rpartition(":")
    port = EndpointPort(int(number), port_name)
    others = [f"10.1.{index // 250}.{index % 250}" for index in range(case["total_endpoints"] - 1)]
    state = State(
        options_of(case),
        tuple(
            Service(namespace, each, (ip,), (ServicePort(80, port_name),))
            for each, ip in ((name, "172.30.0.41"), ("others", "172.30.0.42"))
        ),
        tuple(
            EndpointSlice(namespace, each, (port,), tuple(Endpoint((ip,)) for ip in behind))
            for each, behind in ((name, [address]), ("others", others))
        ),
    )
    assert case["expect_rule"] in full_sync(state).nat.rules


def probability_text(case):
    assert {n: probability(int(n)) for n in case["expect"]} == case["expect"]


CHECKS = {
    "rules": state_holds,
    "chain": state_holds,
    "expect_chain": state_holds,
    "flows": state_holds,
    "rule_presence": state_holds,
    "service_count": state_holds,
    "affinity_semantics": state_holds,
    "partial_sync": partial_sync_case,
    "chain_names": chain_names,
    "chain_rule": chain_rule,
    "probability": probability_text,
}
