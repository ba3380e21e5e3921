"""What becomes of packets in small clusters of every model: statements about AKS networking."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.compare import compare
from course.errors import InputError
from course.kubeproxy.objects import Service, ServicePort
from course.linux.draws import replay
from course.linux.host import Socket
from course.linux.interfaces import Neighbour
from course.linux.routing import Route
from course.predict import outcomes, predict
from course.scenarios import (
    CLUSTER_IP,
    FRONT,
    INTERNAL,
    NODE_PORT,
    PUBLIC,
    SCENARIOS,
    empty,
    local,
    small_cluster,
    web,
)
from course.topology import Cluster, Exposure, Node, Pod
from course.trace import Disposition, Flow, Hop, differences
from course.virtual_network import SecurityRule
from course.world import build
from tests.small_networks import nat, table
from tests.worlds import (
    AZURE_CNI,
    DELIVERED,
    FLAT,
    MODELS,
    NOBODYS,
    ROUTED,
    WORLDS,
    assert_never_twice,
    follow,
    reaches,
    with_host,
    with_security,
)


@pytest.fixture(params=MODELS)
def world(request):
    return WORLDS[request.param]


# ---- pods --------------------------------------------------------------------------------------


@given(
    st.sampled_from(MODELS), st.integers(1, 4), st.lists(st.integers(0, 3), min_size=2, max_size=8),
    st.data(),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_every_pod_reaches_every_pod_and_is_seen_by_its_own_address(model, nodes, places, data):
    cluster = Cluster(
        model, "nodes", tuple(Node(f"n{n}") for n in range(nodes)),
        tuple(Pod(f"p{at}", f"n{n % nodes}") for at, n in enumerate(places)),
        pod_subnet=small_cluster(model).cluster.pod_subnet,
    )  # fmt: skip
    world = build(replace(small_cluster(model), clusters=(cluster,)))
    one, other = data.draw(st.permutations([pod.name for pod in cluster.pods]))[:2]
    trace = follow(world, one, other, 8080)
    assert trace.disposition == DELIVERED
    assert trace.source_seen == world.address(one)
    assert trace.server == other


def test_pods_of_a_kubenet_node_are_on_one_link_and_those_of_azure_cni_are_routed(world):
    ttl = follow(world, "web-1", "web-2", 8080).delivered.ttl
    assert ttl == (64 if world.topology.cluster.model == "kubenet" else 63)


def test_a_packet_between_nodes_meets_azure_once_each_way(world):
    trace = follow(world, "web-1", "web-3", 8080)
    there = ("web-1", "node1", "azure", "node2", "web-3")
    assert trace.path == there + there[::-1]


def test_without_its_routes_kubenet_loses_packets_in_the_fabric():
    world = build(small_cluster("kubenet").changed(missing_routes=("node1", "node2")))
    trace = follow(world, "web-1", "web-3", 8080)
    assert (trace.disposition, trace.ended_at) == (Disposition.NO_ROUTE, "azure")
    assert trace.server == ""
    assert reaches(world, "web-1", "web-2", 8080)
    assert reaches(world, "web-1", "vm-2")


def test_without_one_route_neither_direction_works_and_each_dies_elsewhere():
    world = build(small_cluster("kubenet").changed(missing_routes=("node2",)))
    there, back = follow(world, "web-1", "web-3", 8080), follow(world, "web-3", "web-1", 8080)
    assert (there.ended_at, there.server) == ("azure", "")
    assert (back.ended_at, back.server) == ("azure", "web-1")  # the answer is lost


def test_without_ip_forwarding_of_the_card_kubenet_loses_pods_but_not_what_is_masqueraded():
    topology = small_cluster("kubenet")
    off = tuple(replace(node, ip_forwarding=False) for node in topology.cluster.nodes)
    world = build(topology.changed(nodes=off))
    trace = follow(world, "web-1", "web-3", 8080)
    assert (trace.disposition, trace.ended_at) == (Disposition.DROPPED, "azure")
    assert reaches(world, "web-1", "vm-2")
    assert reaches(world, "internet", PUBLIC)


def test_a_pod_whose_address_is_on_no_card_is_reached_by_its_own_node_only():
    topology = small_cluster("node-subnet")
    lost = Pod("lost", "node1", address="10.240.0.60")
    world = build(topology.changed(pods=(*topology.cluster.pods, lost)))
    assert reaches(world, "web-1", "lost", 8080)
    assert reaches(world, "node1", "lost", 8080)
    for other in ("web-3", "node2", "vm-1", "vm-2"):
        assert follow(world, other, "lost", 8080).disposition != DELIVERED


# ---- who sees whom -----------------------------------------------------------------------------


@pytest.mark.parametrize("model", ROUTED)
@pytest.mark.parametrize("machine", ["vm-1", "vm-2", "peer", "office"])
def test_whoever_a_routed_pod_calls_sees_its_node(model, machine):
    trace = follow(WORLDS[model], "web-3", machine)
    assert (trace.disposition, trace.source_seen) == (DELIVERED, WORLDS[model].address("node2"))


@pytest.mark.parametrize("model", FLAT)
@pytest.mark.parametrize("machine", ["vm-1", "vm-2"])
def test_a_machine_in_the_network_sees_a_flat_pod_itself_and_reaches_it(model, machine):
    assert follow(WORLDS[model], "web-3", machine).source_seen == WORLDS[model].address("web-3")
    assert reaches(WORLDS[model], machine, "web-3", 8080)


@pytest.mark.parametrize("machine", ["peer", "office"])
def test_beyond_the_network_only_node_subnet_shows_the_node(machine):
    sources = {model: follow(WORLDS[model], "web-1", machine).source_seen for model in FLAT}
    assert sources.pop("node-subnet") == "10.240.0.4"
    assert list(sources.values()) == [WORLDS[model].address("web-1") for model in sources]


def test_the_internet_sees_one_public_address_of_the_cluster(world):
    cluster = world.topology.cluster
    for source in ("web-1", "web-3", "node1"):
        assert follow(world, source, "internet").source_seen == cluster.outbound_address


def test_nobody_from_outside_reaches_an_overlay_pod():
    for machine in ("vm-1", "vm-2", "peer", "office"):
        trace = follow(WORLDS["overlay"], machine, "10.244.0.2", 8080)
        assert (trace.disposition, trace.delivered) == (Disposition.NO_ROUTE, None)


def test_a_kubenet_pod_is_reached_from_where_the_route_table_is():
    assert reaches(WORLDS["kubenet"], "vm-1", "web-1", 8080)
    assert not reaches(WORLDS["kubenet"], "vm-2", "web-1", 8080)


def test_two_overlay_clusters_with_one_pod_range_never_meet():
    topology = small_cluster("overlay")
    blue = Cluster(
        "overlay", "nodes", (Node("blue1"), Node("blue2")),
        (Pod("b-1", "blue1"), Pod("b-3", "blue2")), name="blue",
        outbound_address="198.51.100.5",
    )  # fmt: skip
    guarded = with_security(replace(topology, clusters=(*topology.clusters, blue)))
    for each in (replace(topology, clusters=(*topology.clusters, blue)), guarded):
        world = build(each)
        assert world.address("b-3") == world.address("web-3")
        trace, state = predict(world, Flow("web-1", "10.244.1.2", 8080))
        assert trace.server == "web-3"
        # the same addresses and ports, while Azure still remembers the other one's
        trace, _ = predict(world, Flow("b-1", "10.244.1.2", 8080), state)
        assert (trace.server, trace.disposition) == ("b-3", DELIVERED)
        assert follow(world, "b-1", "10.244.0.3", 8080).disposition != DELIVERED


def test_what_azure_remembers_of_one_overlay_cluster_opens_nothing_for_another():
    topology = small_cluster("overlay")
    blue = Cluster(
        "overlay", "others", (Node("blue1"), Node("blue2")),
        (Pod("b-1", "blue1"), Pod("b-3", "blue2")), name="blue",
        outbound_address="198.51.100.5",
    )  # fmt: skip
    no_pods = SecurityRule("no-pods", 100, "Deny", source="10.244.0.0/16")
    both = replace(topology, clusters=(*topology.clusters, blue))
    world = build(with_security(with_security(both), no_pods, subnet="others"))
    trace, state = predict(world, Flow("web-1", "10.244.1.2", 8080))
    assert trace.disposition == DELIVERED
    # the same addresses and ports
    trace, _ = predict(world, Flow("b-1", "10.244.1.2", 8080), state)
    assert (trace.disposition, trace.ended_at) == (Disposition.DROPPED, "azure")


# ---- neighbours ---------------------------------------------------------------------------------


def test_a_kubenet_pod_finds_nobody_at_a_free_address_of_its_link():
    trace = follow(WORLDS["kubenet"], "web-1", "10.244.0.250", 8080)
    assert (trace.disposition, trace.ended_at) == (Disposition.NO_NEIGHBOUR, "web-1")
    assert trace.sightings == ()


def asking(world, told=(), proxy_arp=1):
    """The same where web-1 knows other neighbours, and its node answers ARP for others or not."""
    pod = replace(world.host("web-1"), neighbours=told)
    node, veth = world.host("node1"), world.far_end("web-1", "eth0").interface
    sysctls = {**node.sysctls, f"net.ipv4.conf.{veth}.proxy_arp": proxy_arp}
    return with_host(with_host(world, pod), replace(node, sysctls=sysctls))


@pytest.mark.parametrize("model", AZURE_CNI)
def test_a_pod_of_azure_cni_needs_its_static_neighbour_or_proxy_arp(model):
    told = WORLDS[model].host("web-1").neighbours
    assert reaches(asking(WORLDS[model], told, proxy_arp=0), "web-1", "web-3", 8080)
    assert reaches(asking(WORLDS[model], proxy_arp=1), "web-1", "web-3", 8080)
    trace = follow(asking(WORLDS[model], proxy_arp=0), "web-1", "web-3", 8080)
    assert (trace.disposition, trace.ended_at) == (Disposition.NO_NEIGHBOUR, "web-1")
    assert trace.sightings == ()


def test_a_pod_that_is_told_a_wrong_mac_asks_nobody(world):
    wrong = Neighbour(world.host("web-1").route("8.8.8.8").next_hop, "eth0", "aa:aa:aa:aa:aa:ab")
    trace = follow(asking(world, (wrong,)), "web-1", "vm-2")
    assert (trace.disposition, trace.ended_at) == (Disposition.NO_NEIGHBOUR, "web-1")


def test_azure_answers_for_no_next_hop_that_it_cannot_reach(world):
    node = world.host("node1")
    lost = Route("203.0.113.0/24", via="192.168.77.1", dev="eth0", onlink=True)
    other = with_host(world, replace(node, routes=(*node.routes, lost)))
    trace = follow(other, "node1", "internet")
    assert (trace.disposition, trace.ended_at) == (Disposition.NO_NEIGHBOUR, "node1")
    assert reaches(other, "node1", "vm-2")


# ---- Services ----------------------------------------------------------------------------------


def test_a_cluster_ip_answers_no_ping(world):
    assert follow(world, "web-1", CLUSTER_IP).disposition == DELIVERED
    assert follow(world, "web-1", CLUSTER_IP, 0, protocol="icmp").disposition != DELIVERED


def test_a_service_without_endpoints_refuses_at_once(world):
    trace = follow(world, "web-1", empty().service.cluster_ips[0])
    assert (trace.disposition, trace.ended_at) == (Disposition.REFUSED, "node1")
    assert trace.sightings[-1].packet.icmp == "port-unreachable"


def test_each_pod_of_a_service_is_as_likely_as_any_other(world):
    ways = outcomes(world, Flow("vm-2", "10.240.0.4", NODE_PORT))
    assert sorted(way.result.server for way in ways) == ["web-1", "web-2", "web-3", "web-4"]
    assert sum(way.probability for way in ways) == 1
    assert all(abs(way.probability * 4 - 1) < 4 / 2**31 for way in ways)


@pytest.mark.parametrize("policy", ["Cluster", "Local"])
def test_a_pod_that_calls_its_own_public_address_never_leaves_for_azures_edge(world, policy):
    other = build(world.topology.changed(exposures=(web(policy),)))
    for way in outcomes(other, Flow("web-1", PUBLIC, 80)):
        assert way.result.disposition == DELIVERED
        assert "edge" not in way.result.path


def test_with_policy_cluster_the_pod_sees_the_node_that_the_packet_entered(world):
    for way in outcomes(world, Flow("internet", PUBLIC, 80)):
        entered = next(hop for hop in way.result.path if hop.startswith("node"))
        assert world.owner(way.result.source_seen) == entered
        assert way.result.disposition == DELIVERED


def test_with_policy_local_the_client_is_kept_and_the_wrong_node_is_silent(world):
    kept = follow(world, "vm-2", "node1", 30081)
    assert (kept.source_seen, kept.server) == ("10.240.1.4", "web-1")
    silent = follow(world, "vm-2", "node2", 30081)
    assert (silent.disposition, silent.ended_at) == (Disposition.DROPPED, "node2")


def test_before_the_probes_acted_half_of_a_local_services_connections_time_out(world):
    early = build(world.topology.changed(probes_acted=False))
    ways = outcomes(early, Flow("vm-2", INTERNAL, 80))
    lost = [way for way in ways if way.result.disposition == Disposition.DROPPED]
    assert sum(way.probability for way in lost) == 1 / 2
    assert {way.result.ended_at for way in lost} == {"node2"}
    (settled,) = outcomes(world, Flow("vm-2", INTERNAL, 80))
    assert settled.result.disposition == DELIVERED


def test_a_pod_reaches_itself_through_its_service_and_sees_another_address(world):
    trace = follow(world, "web-1", local().service.cluster_ips[0])
    assert (trace.server, trace.disposition) == ("web-1", DELIVERED)
    gateway = {"kubenet": "10.244.0.1"}.get(world.topology.cluster.model, "10.240.0.4")
    assert trace.source_seen == gateway


def test_a_node_that_calls_a_service_of_its_own_is_seen_by_its_own_address(world):
    agent = Pod("agent", "node2", {"app": "agent"}, (9100,), host_network=True)
    service = Service("default", "agent", ("10.0.0.9",), (ServicePort(80, target_port=9100),))
    topology = world.topology.changed(
        pods=(*world.topology.cluster.pods, agent),
        exposures=(Exposure(service, {"app": "agent"}),),
    )
    other = build(topology)
    for source in ("node2", "web-3", "node1"):
        trace = follow(other, source, "10.0.0.9")
        assert (trace.disposition, trace.server) == (DELIVERED, "node2")
        assert trace.source_seen == other.address(source)


def test_a_pod_of_the_host_network_listens_on_its_own_node_and_no_other(world):
    agent = Pod("agent", "node2", ports=(9100,), host_network=True)
    other = build(world.topology.changed(pods=(*world.topology.cluster.pods, agent)))
    assert reaches(other, "web-1", "node2", 9100)
    assert follow(other, "web-1", "node1", 9100).disposition == Disposition.REFUSED


def test_a_service_asks_for_pods_of_its_own_namespace():
    topology = small_cluster("overlay")
    pods = tuple(replace(pod, namespace="other") for pod in topology.cluster.pods)
    world = build(topology.changed(pods=pods))
    assert follow(world, "web-1", CLUSTER_IP).disposition == Disposition.REFUSED


def test_a_pod_that_is_being_deleted_is_called_only_if_no_other_is_ready(world):
    def servers(*deleted):
        pods = (
            replace(pod, terminating=pod.name in deleted) for pod in world.topology.cluster.pods
        )
        changed = build(world.topology.changed(pods=tuple(pods)))
        return {way.result.server for way in outcomes(changed, Flow("web-2", CLUSTER_IP, 80))}

    assert servers("web-1", "web-3") == {"web-2", "web-4"}
    assert servers("web-1", "web-2", "web-3", "web-4") == {"web-1", "web-2", "web-3", "web-4"}


def test_a_node_reaches_its_node_ports_at_localhost_and_the_pod_sees_the_node(world):
    ways = outcomes(world, Flow("node1", "127.0.0.1", NODE_PORT))
    assert {way.result.server for way in ways} == {"web-1", "web-2", "web-3", "web-4"}
    for way in ways:
        assert way.result.disposition == DELIVERED
        assert world.owner(way.result.source_seen) == "node1"


def test_without_hairpin_a_kubenet_pod_does_not_reach_itself_through_its_service():
    world = build(small_cluster("kubenet").changed(hairpin=False))
    trace = follow(world, "web-1", local().service.cluster_ips[0])
    assert (trace.disposition, trace.ended_at) == (Disposition.NO_NEIGHBOUR, "node1")


def test_without_br_netfilter_a_kubenet_pod_hears_from_a_neighbour_whom_it_never_asked():
    world = build(small_cluster("kubenet").changed(bridge_calls_iptables=False))
    trace = follow(world, "web-2", local().service.cluster_ips[0])
    assert trace.disposition == Disposition.UNASKED
    assert (trace.server, trace.ended_at) == ("web-1", "web-2")


def ruled(world, name, text, **fields):
    """The same where a host has more rules, and other fields."""
    host = world.host(name)
    return with_host(world, replace(host, netfilter=host.netfilter.apply(text), **fields))


def test_a_ping_too_is_not_answered_by_whom_nobody_asked():
    rule = nat("-A PREROUTING -d 10.0.0.99 -p icmp -j DNAT --to-destination 10.244.0.2")
    for bridged, disposition in ((True, DELIVERED), (False, Disposition.UNASKED)):
        topology = small_cluster("kubenet").changed(bridge_calls_iptables=bridged)
        world = ruled(build(topology), "node1", rule)
        assert follow(world, "web-2", "10.0.0.99", 0, protocol="icmp").disposition == disposition


def test_an_answer_that_somebody_else_with_the_same_address_takes_is_none():
    world = WORLDS["kubenet"]
    lo, *links = world.host("node1").interfaces
    twin = replace(lo, addresses=(*lo.addresses, f"{world.address('web-1')}/32"))
    sockets = (*world.host("node1").sockets, Socket("udp", 40000))
    sysctls = {**world.host("node1").sysctls, "net.ipv4.conf.all.accept_local": 1}
    world = ruled(world, "node1", "", interfaces=(twin, *links), sockets=sockets, sysctls=sysctls)
    world = with_host(world, replace(world.host("web-3"), sockets=(Socket("udp", 53),)))
    trace = follow(world, "web-1", "web-3", 53, protocol="udp")
    assert (trace.server, trace.path[-1]) == ("web-3", "node1")
    assert trace.disposition != DELIVERED


def test_a_machine_in_the_node_subnet_is_taken_for_a_pod_and_loses_answers():
    world = build(small_cluster("node-subnet").changed(exposures=(web("Local", INTERNAL),)))
    ends = {way.result.disposition for way in outcomes(world, Flow("vm-1", INTERNAL, 80))}
    assert ends == {DELIVERED, Disposition.UNASKED}
    assert reaches(world, "vm-2", INTERNAL)


# ---- what is remembered -------------------------------------------------------------------------


def test_a_running_connection_keeps_the_node_that_the_load_balancer_chose(world):
    flow = Flow("internet", PUBLIC, 80)
    for way in outcomes(world, flow):
        first = predict(world, flow, draw=replay(way.answers))
        again = predict(world, flow, first.state, draw=replay([]))
        assert again.trace.path == first.trace.path == way.result.path
    later = outcomes(world, replace(flow, source_port=40001), first.state)
    assert len({way.result.path for way in later}) > 1  # another connection is drawn anew


def test_a_running_connection_keeps_its_endpoint_and_another_one_does_not(world):
    flow = Flow("web-1", CLUSTER_IP, 80)
    *_, last = outcomes(world, flow)
    _, state = predict(world, flow, draw=replay(last.answers))
    assert [way.result.server for way in outcomes(world, flow, state)] == [last.result.server]
    assert len(outcomes(world, replace(flow, source_port=40001), state)) == 4


# ---- what holds for every prediction -------------------------------------------------------------

flows = st.builds(
    lambda model, source, to, port, protocol: (
        model, source, to, 0 if protocol == "icmp" else port, protocol,
    ),
    st.sampled_from(MODELS),
    st.sampled_from(["web-1", "web-4", "node1", "vm-1", "vm-2", "peer", "office", "internet"]),
    st.sampled_from([
        "web-1", "web-2", "web-3", "node1", "node2", "vm-1", "vm-2", "peer", "office", "internet",
        CLUSTER_IP, "10.0.0.81", "10.0.0.82", PUBLIC, FRONT, INTERNAL, "10.9.9.9", "8.8.8.8",
        *NOBODYS,
    ]),
    st.sampled_from([80, 8080, NODE_PORT, 30081, 9999, 10250]),
    st.sampled_from(["tcp", "udp", "icmp"]),
)  # fmt: skip


@given(flows, st.booleans())
@settings(deadline=None, max_examples=300)
def test_a_prediction_ends_and_a_reply_retraces_its_nat(flow, routes):
    model, source, to, port, protocol = flow
    world = WORLDS[model]
    if not routes and model == "kubenet":
        world = build(world.topology.changed(missing_routes=("node1", "node2")))
    trace = follow(world, source, to, port, protocol=protocol)
    assert_never_twice(trace)
    if trace.disposition == DELIVERED:
        asked, got = trace.hops[0].steps[0].after, trace.hops[-1].steps[-1]
        assert (trace.hops[-1].host, got.kind) == (source, "delivered")
        assert replace(got.after, ttl=64) == asked.reply()
        rewritten = [(hop.host, len(hop.translations)) for hop in trace.hops if hop.translations]
        assert [host for host, _ in rewritten] == [host for host, _ in rewritten][::-1]


@given(flows)
@settings(deadline=None, max_examples=50)
def test_the_same_draws_give_the_same_trace(flow):
    model, source, to, port, protocol = flow
    world = WORLDS[model]
    address = world.address(to) if to in world.by_name else to
    asked = Flow(source, address, port, protocol)
    ways = outcomes(world, asked)
    assert sum(way.probability for way in ways) == 1
    for way in ways:
        again = predict(world, asked, draw=replay(way.answers)).trace
        assert list(differences(way.result, again)) == []
        assert again == way.result


def test_a_running_connection_keeps_its_endpoint_and_session_affinity_keeps_the_client():
    service = replace(web().service, session_affinity="ClientIP")
    sticky = replace(web(), service=service)
    world = build(small_cluster("overlay").changed(exposures=(sticky,)))
    for answers, server in (([False, False, False], "web-4"), ([True], "web-1")):
        trace, state = predict(world, Flow("web-2", CLUSTER_IP, 80), draw=replay(answers))
        assert trace.server == server
        again = predict(world, Flow("web-2", CLUSTER_IP, 80, source_port=40001), state).trace
        assert again.server == server


def test_a_host_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="is no host here"):
        follow(WORLDS["overlay"], "web-9", "web-1", 8080)


# ---- reading ------------------------------------------------------------------------------------


def test_every_scenario_reads_as_a_table_and_as_a_paragraph(world):
    for scenario in SCENARIOS.values():
        trace = predict(world, scenario.flow(world)).trace
        assert trace.rows()
        text = trace.explain()
        assert text.splitlines()[0] == str(trace.flow)
        assert text.splitlines()[-1].startswith(f"= {trace.disposition}")


def test_differences_name_the_first_sighting_that_differs():
    trace = follow(WORLDS["overlay"], "web-1", "web-3", 8080)
    short = replace(trace, hops=trace.hops[:2], disposition=Disposition.NO_ROUTE, ended_at="azure")
    first, last = differences(trace, short)
    assert first.startswith("predicted, not seen: azure nic-node1 in")
    assert last == "predicted delivered at web-1, observed no route at azure"


def test_traces_are_equal_whatever_the_steps_that_led_to_them():
    trace = follow(WORLDS["overlay"], "web-1", "web-3", 8080)
    assert observed(trace) == trace


flows_that_ask_chance = st.builds(
    lambda model, source, to: (model, source, *to, "tcp"),
    st.sampled_from(MODELS),
    st.sampled_from(["web-1", "web-4", "node1", "vm-1", "vm-2", "peer", "office", "internet"]),
    st.sampled_from([(CLUSTER_IP, 80), (PUBLIC, 80), (FRONT, 80), ("node2", NODE_PORT)]),
)  # fmt: skip


@given(st.one_of(flows_that_ask_chance, flows), st.integers(0, 2**32))
@settings(deadline=None, max_examples=100)
def test_what_chance_decided_is_read_off_an_observation(flow, seed):
    model, source, to, port, protocol = flow
    world, random = WORLDS[model], Random(seed)
    asked = Flow(source, world.address(to) if to in world.by_name else to, port, protocol)

    def draw(question):
        if question.kind == "source port":
            return random.choice([p for p in range(1024, 60000, 77) if question.allows(p)])
        return random.choice([answer for answer, chance in question.outcomes if chance])

    trace = predict(world, asked, draw=draw).trace
    found = compare(world, observed(trace))
    assert found.equal
    assert found.prediction.trace.server == trace.server


def observed(trace):
    """What a capture shows of a trace."""
    return replace(trace, hops=tuple(Hop(hop.host, hop.sightings) for hop in trace.hops))


def test_an_observation_is_held_against_what_hosts_remember():
    sticky = replace(web(), service=replace(web().service, session_affinity="ClientIP"))
    world = build(small_cluster("overlay").changed(exposures=(sticky,)))
    _, state = predict(world, Flow("web-2", CLUSTER_IP, 80), draw=replay([True]))  # web-1
    other = predict(
        world, Flow("web-2", CLUSTER_IP, 80, source_port=40001), draw=replay([False] * 3)
    )
    assert compare(world, observed(other.trace)).equal
    assert not compare(world, observed(other.trace), state).equal


def test_of_ways_that_look_the_same_as_far_as_anything_was_seen_that_with_the_same_end_is_taken():
    rules = table(
        "filter", "-I FORWARD 1 -p udp -m statistic --mode random --probability 0.5 -j ACCEPT",
        "-I FORWARD 2 -p udp -j DROP",
    )  # fmt: skip
    world = ruled(WORLDS["overlay"], "node1", rules)
    for way in outcomes(world, Flow("web-1", "10.240.1.4", 80, "udp")):
        found = compare(world, observed(way.result))
        assert found.equal
        assert found.prediction.trace.disposition == way.result.disposition


def test_an_observation_that_no_chance_explains_differs():
    world = WORLDS["overlay"]
    trace = follow(world, "vm-2", "node1", NODE_PORT)
    *others, last = trace.hops
    seen = last.sightings[0]
    forged = replace(seen, packet=replace(seen.packet, ttl=9))
    seen_so = replace(trace, hops=(*others, replace(last, sightings=(forged,))))
    (told,) = compare(world, seen_so).differences
    assert "ttl 9" in told


# ---- destinations that are no host's ------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_no_flow_leaves_from_port_0_but_a_ping_may_have_it_as_its_identifier(protocol):
    with pytest.raises(InputError, match=f"0 is no source port of {protocol}. Use 1 to 65535"):
        Flow("web-1", "10.240.1.4", 80, protocol, source_port=0)
    assert Flow("web-1", "10.240.1.4", 0, "icmp", source_port=0)


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "0.1.2.3", "255.255.255.255", "224.0.0.1", "239.255.255.250"]
)
def test_a_flow_goes_to_no_address_of_nobody_or_of_many(address):
    with pytest.raises(InputError, match=r"is the address of no host, or of many\. A flow goes to"):
        Flow("web-1", address, 80)


@pytest.mark.parametrize(
    "address", ["10.240.0.255", "10.240.1.255", "203.0.113.255", "127.255.255.255", "192.0.2.3"]
)
def test_no_flow_is_predicted_to_a_broadcast_address(world, address):
    with pytest.raises(InputError, match="is a broadcast address here"):
        predict(world, Flow("web-1", address, 80))


def test_the_last_address_of_a_nodes_pods_is_broadcast_and_another_one_that_ends_so_is_not():
    for address in ("10.244.0.255", "10.244.1.255"):
        with pytest.raises(InputError, match="is a broadcast address here"):
            predict(WORLDS["kubenet"], Flow("vm-1", address, 80))
    for address in ("10.240.0.254", "10.240.9.255", "127.0.0.1"):
        predict(WORLDS["kubenet"], Flow("node1", address, 80))
