"""The example of every lesson, in every model: a table, a picture and a paragraph."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from course import networks
from course.errors import InputError
from course.linux.packet import TTL
from course.predict import outcomes, predict
from course.scenarios import FRONT, INTERNAL, SCENARIOS, local, small_cluster, web
from course.topology import Cluster, Machine, Node, Pod, Proxy, Topology
from course.trace import Disposition, Flow, Hop, Sighting, Trace
from course.views import cluster_picture, sequence, show_trace
from course.views.traces import arrows, lost_at, paragraph, rows_of, way_back
from course.virtual_network import SecurityRule, Subnet, UserRoute, VirtualNetwork
from course.world import build

MODELS = [model.id for model in networks.all_models()]
WORLDS = {model: build(small_cluster(model)) for model in MODELS}


def prediction(model, name):
    return predict(WORLDS[model], SCENARIOS[name].flow(WORLDS[model]))


@pytest.fixture(
    params=[(model, name) for model in MODELS for name in SCENARIOS],
    ids=lambda param: f"{param[0]}, {param[1]}",
)
def predicted(request):
    return prediction(*request.param)


def in_order(names, words):
    """Whether words name hosts in this order."""
    pattern = ".*?".join(rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in names)
    return re.search(pattern, words, re.DOTALL)


def drawn(picture):
    """The texts of a picture, by eye from top to bottom as they were written."""
    root = ElementTree.fromstring(picture.drawing)  # raises if it is no XML
    return [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]


def translations(trace):
    return [(hop.host, arrows(step.effect)) for hop in trace.hops for step in hop.translations]


# ---- every scenario in every model -------------------------------------------------------------


def test_the_paragraph_names_the_path_each_translation_and_the_end(predicted):
    trace, told = predicted.trace, paragraph(predicted)
    assert in_order(trace.path, told)
    assert all(effect in told for _, effect in translations(trace))
    assert f"The end: {trace.disposition}" in told
    assert trace.source_seen is None or f"the source {trace.source_seen}." in told


def test_the_table_names_the_path_each_translation_and_the_end(predicted):
    trace, rows = predicted.trace, list(rows_of(predicted.trace))
    hosts = [row[0].split("\u00a0")[-1] for row in rows[:-1]]
    assert [host for at, host in enumerate(hosts) if at == 0 or rows[at][0] != rows[at - 1][0]] == [
        *trace.path
    ]
    assert translations(trace) == [
        (host, row[1].removeprefix("translated "))
        for host, row in zip(hosts, rows, strict=False)
        if row[1].startswith("translated ")
    ]
    assert all(row[3] for row in rows if row[1].startswith(("translated", "routed", "dropped")))
    assert trace.disposition in rows[-1][1]
    assert trace.source_seen is None or trace.source_seen in rows[-1][1]


def test_the_table_is_shown_with_the_paragraph_and_as_text_with_the_whole_explanation(predicted):
    view = show_trace(predicted)
    html, text = view._repr_mimebundle_().values()
    assert html.count("<tr") == len(list(rows_of(predicted.trace))) + 1
    assert all(part in text for part in (predicted.trace.explain(), paragraph(predicted)))
    assert show_trace(predicted.trace).html == html


def test_the_picture_tells_the_same_and_nothing_is_said_by_the_picture_alone(predicted):
    trace, picture = predicted.trace, sequence(predicted)
    assert in_order(trace.path, picture.alt)
    assert trace.disposition in picture.alt
    words, texts = "\n".join(picture.words), drawn(picture)
    assert in_order(trace.path, words)
    for host, effect in translations(trace):
        assert f"{host}: translates {effect}" in texts
        assert f"{host}: translates {effect}, by " in words
    columns = list(dict.fromkeys(trace.path))
    assert texts[: 2 * len(columns)] == [name for name in columns for _ in "ab"]
    assert trace.source_seen is None or f"source seen: {trace.source_seen}" in texts
    assert any(trace.disposition in each for each in texts)
    assert re.search(r'<img alt="[^"]{40,}"', picture.html)


def test_every_wire_that_a_packet_passes_is_one_arrow(predicted):
    trace, picture = predicted.trace, sequence(predicted)
    sent = [seen for seen in trace.sightings if seen.direction == "out"]
    assert picture.drawing.count("marker-end") == len(sent)
    assert "somewhere" not in "\n".join(picture.words)
    assert picture.drawing.count('fill="url(#hatched)"') == len(translations(trace))


def test_nothing_stands_outside_of_the_picture(predicted):
    root = ElementTree.fromstring(sequence(predicted).drawing)
    width, height = float(root.get("width")), float(root.get("height"))
    assert width <= 720  # readable in a narrow notebook
    for each in root.iter("{http://www.w3.org/2000/svg}rect"):
        if each.get("x"):
            assert float(each.get("x")) >= 0
            assert float(each.get("x")) + float(each.get("width")) <= width
            assert float(each.get("y")) + float(each.get("height")) <= height


# ---- what is special ---------------------------------------------------------------------------


def test_the_way_back_begins_where_the_server_answers_or_somebody_complains():
    there = prediction("overlay", "across nodes").trace
    assert there.path[: way_back(there)] == ("web-1", "node1", "azure", "node2", "web-3")
    nobody = prediction("overlay", "nobody there").trace
    assert nobody.path[way_back(nobody) :] == ("web-1",)
    dropped = prediction("overlay", "to the wrong NodePort, Local").trace
    assert way_back(dropped) == len(dropped.hops)


def test_the_host_that_loses_a_packet_says_so_and_by_which_rule():
    nobody = prediction("overlay", "nobody there")
    assert lost_at(nobody.trace) == 1
    assert "refused at node1, by filter KUBE-SERVICES: -d 10.0.0.82/32" in paragraph(nobody)
    words = sequence(nobody).words
    assert words.index("node1: × refused at node1") < words.index("The way back")
    assert "blackhole 10.0.0.0/8" in paragraph(prediction("overlay", "from outside"))


def test_an_answer_that_gets_lost_is_lost_on_the_way_back():
    world = build(small_cluster("kubenet").changed(missing_routes=("node1",)))
    trace = predict(world, Flow("web-1", world.address("web-3"), 8080)).trace
    assert trace.delivered
    assert trace.disposition != Disposition.DELIVERED
    assert lost_at(trace) >= way_back(trace)
    assert f"web-3 had seen the source {trace.source_seen}" in paragraph(trace)
    words = sequence(trace).words
    assert words.index("The way back") < len(words) - 1
    assert words[-1].startswith(f"{trace.ended_at}: ×")


@pytest.mark.parametrize("protocol", ["udp", "icmp"])
def test_protocols_without_flags_are_told_as_well(protocol):
    world = WORLDS["overlay"]
    flow = Flow("web-1", world.address("web-2"), 0 if protocol == "icmp" else 53, protocol)
    trace = predict(world, flow).trace
    assert way_back(trace) < len(trace.hops)
    assert in_order(trace.path, "\n".join(sequence(trace).words))
    assert f"web-1 calls {protocol} " in paragraph(trace)


def test_every_way_that_chance_can_go_can_be_shown():
    world = WORLDS["overlay"]
    for way in outcomes(world, SCENARIOS["to a ClusterIP"].flow(world)):
        assert in_order(way.result.path, "\n".join(sequence(way.result).words))
        assert in_order(way.result.path, paragraph(way.result))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "name", ["across nodes", "to a ClusterIP", "to a load balancer, Cluster", "nobody there"]
)
def test_a_trace_tells_how_likely_it_was_and_nothing_where_chance_had_no_say(model, name):
    ways = outcomes(WORLDS[model], SCENARIOS[name].flow(WORLDS[model]))
    for way in ways:
        trace = way.result
        assert trace.chance == way.probability
        told = [line for line in trace.explain().splitlines() if "by chance" in line]
        assert bool(told) == ("Chance decided" in paragraph(trace)) == (len(ways) > 1)


def test_where_chance_decided_is_told_with_what_drew():
    trace = prediction("overlay", "to a load balancer, Cluster").trace
    at_azure, at_node = (
        line for line in trace.explain().splitlines() if line.startswith("  by chance")
    )
    assert at_azure.endswith(": 1 in 2, drawn by a hash of addresses and ports")
    assert at_node.endswith(": 1 in 4, drawn by the statistic match of rules")
    assert "this way is as likely as 1 in 8." in paragraph(trace)


def test_the_end_of_a_veth_is_told_by_its_role_and_never_by_a_name_of_chance(predicted):
    trace = predicted.trace
    view, picture = show_trace(predicted), sequence(predicted)
    told = "\n".join((trace.explain(), str(trace), paragraph(trace), view.html, *picture.words))
    assert not re.search(r"azv[0-9a-f]+|veth[0-9a-f]{8}", told)


def test_the_role_stands_where_the_tool_would_print_the_name():
    trace = prediction("overlay", "on a node").trace
    assert "routed: to 10.244.0.3 by veth of web-2 [10.244.0.3 dev veth of web-2" in trace.explain()
    names = {link.name for link in WORLDS["overlay"].host("node1").interfaces}
    (routed,) = (step for step in trace.hops[1].steps if step.kind == "routed")
    assert routed.decided_by.split()[2] in names  # the step itself keeps the tool's own words


@pytest.mark.parametrize("address", [FRONT, INTERNAL])
def test_a_load_balancer_without_a_node_says_that_no_probe_is_answered(address):
    topology = small_cluster("overlay")
    pods = tuple(replace(pod, ready=False) for pod in topology.cluster.pods)
    nobody, all_well = build(topology.changed(pods=pods)), build(topology)
    for world, silent in ((nobody, True), (all_well, False)):
        trace = predict(world, Flow("vm-2", address, 80)).trace
        for text in (trace.explain(), paragraph(trace)):
            assert ("no node answers the load balancer's probes" in text) == silent


def test_an_observation_has_no_reasons_and_is_shown_all_the_same():
    trace = prediction("overlay", "to a VM").trace
    hops = tuple(Hop(hop.host, hop.sightings) for hop in trace.hops)
    seen = Trace(trace.flow, hops, trace.disposition, trace.ended_at)
    rows = list(rows_of(seen))
    assert rows[0][:2] == ("1\u00a0web-1", "seen out at eth0")
    assert {row[3] for row in rows} == {""}
    assert in_order(trace.path, "\n".join(sequence(seen).words))
    assert in_order(trace.path, paragraph(seen))


def test_a_capture_with_gaps_shows_where_nobody_looked():
    flow = Flow("a", "10.0.0.2", 80)
    packet = flow.packet("10.0.0.1")
    hops = (
        Hop("a", (Sighting("a", "eth0", "out", packet),)),
        Hop("b", (Sighting("b", "eth0", "in", replace(packet, ttl=TTL - 1)),)),
    )
    picture = sequence(Trace(flow, hops, Disposition.DROPPED, "b"))
    assert picture.words[:2] == [
        "a to somewhere: 10.0.0.1:40000 → 10.0.0.2:80 SYN",
        "somewhere to b: 10.0.0.1:40000 → 10.0.0.2:80 SYN",
    ]
    assert picture.drawing.count("marker-end") == 2


def test_names_are_text_and_never_markup():
    wild = "<b>&\"'"
    flow = Flow(wild, "10.0.0.2", 80)
    hop = Hop(wild, (Sighting(wild, wild, "out", flow.packet("10.0.0.1")),))
    trace = Trace(flow, (hop,), Disposition.NO_NEIGHBOUR, wild)
    for html in (show_trace(trace).html, sequence(trace).html):
        assert "<b>" not in html
    assert wild in drawn(sequence(trace))
    picture = cluster_picture(small_cluster("overlay").changed(model=wild))
    assert any(wild in each for each in drawn(picture))
    assert "<b>" not in picture.html


# ---- the picture of a cluster ------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_the_picture_of_a_cluster_shows_every_host_with_its_address(model):
    world = WORLDS[model]
    picture = cluster_picture(world)
    for words in ("\n".join(drawn(picture)), "\n".join(picture.words)):
        for host in world.hosts:
            assert in_order([host.name], words)
        for pod in world.topology.cluster.pods:
            assert in_order([pod.name, pod.address], words)
        for subnet in ("nodes 10.240.0.0/24", "others 10.240.1.0/24", "far 10.241.0.0/24"):
            assert f"subnet {subnet}" in words
    assert re.search(r'<img alt="[^"]{40,}"', picture.html)
    assert model in picture.alt


def test_what_stands_in_a_subnet_is_drawn_inside_of_it():
    picture = cluster_picture(WORLDS["node-subnet"])
    texts = drawn(picture)
    order = ["subnet nodes 10.240.0.0/24", "node1 10.240.0.4", "web-1", "vm-1"]
    assert sorted(order, key=texts.index) == order
    assert texts.index("vm-1") < texts.index("subnet others 10.240.1.0/24") < texts.index("vm-2")


def test_services_name_the_pods_behind_them():
    texts = drawn(cluster_picture(small_cluster("overlay")))
    assert "Service local 10.0.0.81, 10.240.0.200 → web-1" in texts
    assert "Service empty 10.0.0.82 → nobody" in texts


def test_routes_security_groups_appliances_and_proxies_are_told():
    rules = (SecurityRule("no", 100, "Deny"),)
    nodes = Subnet("nodes", "10.1.0.0/24", (UserRoute("0.0.0.0/0", "None"),), rules)
    topology = Topology(
        (VirtualNetwork("hub", ("10.1.0.0/16",), (nodes,)),),
        (
            Machine("nva", "10.1.0.9", forwards=True),
            Machine("gate", "10.1.0.10", proxy=Proxy(80, "10.1.0.9", 8080)),
        ),
    )
    texts = drawn(cluster_picture(topology))
    for line in ("route 0.0.0.0/0 → None", "security group, 1 rule", "passes packets on"):
        assert line in texts
    assert "port 80 → 10.1.0.9:8080" in texts
    assert "on premises" not in texts


def test_without_a_network_there_is_nothing_to_draw():
    with pytest.raises(InputError, match="nothing to draw"):
        cluster_picture(Topology(()))


def test_a_full_cluster_is_drawn_no_wider_than_a_page():
    nodes = tuple(Node(f"node{n}") for n in range(1, 6))
    pods = tuple(Pod(f"pod-{n}", f"node{1 + n % 5}") for n in range(100))
    topology = replace(
        small_cluster("overlay"), clusters=(Cluster("overlay", "nodes", nodes, pods),)
    )
    for what in (topology, build(topology), small_cluster("kubenet")):
        root = ElementTree.fromstring(cluster_picture(what).drawing)
        assert float(root.get("width")) <= 900
        for each in root.iter("{http://www.w3.org/2000/svg}rect"):
            if each.get("x"):
                assert float(each.get("x")) + float(each.get("width")) <= float(root.get("width"))
                assert float(each.get("y")) + float(each.get("height")) <= float(root.get("height"))


def test_both_traffic_policies_can_be_told_apart_by_the_source_seen():
    for policy, keeps in (("Cluster", False), ("Local", True)):
        topology = small_cluster("overlay").changed(exposures=(web(policy), local()))
        world = build(topology)
        trace = predict(world, SCENARIOS["to a load balancer, Cluster"].flow(world)).trace
        assert (f"saw the source {world.address('internet')}" in paragraph(trace)) == keeps
