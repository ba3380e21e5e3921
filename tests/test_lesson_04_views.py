"""kubenet in pictures, in the explorer, and in what exercise 04 teaches: all as it is predicted."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from html import unescape
from itertools import product

import pytest

from course.predict import predict
from course.scenarios import CLUSTER_DNS, small_cluster, tidied_up, with_cluster_dns
from course.topology import IpMasqAgent
from course.trace import Disposition, Flow
from course.views import kubenet_explorer, kubenet_picture, sources_seen
from course.views.kubenet import node_routes
from course.views.kubenet_explorer import PLACES, Parts, built, told, tried
from course.world import build
from tests.conftest import ROOT

AS_AKS_DOES = Parts()
PODS = ("web-1", "web-2", "web-3")


@pytest.fixture(scope="module")
def world():
    return build(small_cluster("kubenet"))


# ---- pictures ----


def test_the_picture_shows_every_bridge_every_pod_and_every_route(world):
    picture = kubenet_picture(world)
    for name in ("cbr0", "10.244.0.1", "10.244.1.1", "web-1", "web-4", "node2", "10.240.0.5"):
        assert name in unescape(picture.drawing), name
    assert "2 of the 2 ranges" in picture.alt
    assert node_routes(world) == {"node1": "10.240.0.4", "node2": "10.240.0.5"}


def test_a_missing_route_is_told_and_not_only_drawn():
    picture = kubenet_picture(build(small_cluster("kubenet").changed(missing_routes=("node1",))))
    assert "1 of the 2 ranges" in picture.alt
    assert "Route table: 10.244.0.0/24 → nobody." in picture.words
    assert "no route leads here" in picture.drawing


def test_the_sources_are_those_that_are_predicted(world):
    words = sources_seen(world).words
    assert len(words) == 7
    assert "web-3 (on another node) sees 10.244.0.2, the pod." in words
    assert "peer (in a peered network) sees 10.240.0.4, its node." in words
    assert "internet (a public server) sees 198.51.100.4." in words


def test_the_sources_follow_the_rules_of_the_nodes():
    nothing_masqueraded = IpMasqAgent(("0.0.0.0/0",))
    other = build(small_cluster("kubenet").changed(ip_masq_agent=nothing_masqueraded))
    assert "vm-1 (in the node subnet) sees 10.244.0.2, the pod." in sources_seen(other).words


# ---- the explorer ----


def missing(*parts):
    return replace(AS_AKS_DOES, **dict.fromkeys(parts, False))


@pytest.mark.parametrize(
    ("parts", "source", "destination", "says"),
    [
        (AS_AKS_DOES, "web-1", "web-3", "It works"),
        (AS_AKS_DOES, "vm-1", "web-1", "It works"),
        (AS_AKS_DOES, "vm-2", "web-1", "The request is lost: no route at azure"),
        (missing("route_to_node2"), "web-1", "web-3", "The request is lost: no route"),
        (missing("route_to_node2"), "web-3", "web-1", "The answer is lost: no route"),
        (missing("route_to_node1", "route_to_node2"), "web-1", "web-2", "It works"),
        (missing("forwarding_at_node1"), "web-1", "web-3", "The request is lost: dropped"),
        (missing("forwarding_at_node1"), "web-1", "vm-2", "It works"),
        (missing("forwarding_at_node1"), "vm-1", "web-1", "The request is lost: dropped"),
        (missing("masquerade"), "web-1", "vm-1", "vm-1 saw the source 10.244.0.2"),
        (missing("masquerade"), "web-1", "vm-2", "The answer is lost: no route"),
        (missing("masquerade"), "web-1", "internet", "The request is lost: dropped"),
    ],
)
def test_what_the_lesson_says_of_a_missing_part_is_what_the_explorer_says(
    parts, source, destination, says
):
    assert says in told(tried(built(parts), source, destination))


def test_the_explorer_answers_every_change_of_its_controls():
    explorer = kubenet_explorer()
    assert "It works" in explorer.said.value
    explorer.parts["route_to_node2"].value = False
    assert "The request is lost" in explorer.said.value
    assert "10.0.0.0/8" in explorer.said.value  # what decided: Azure's own last word
    explorer.source.value, explorer.destination.value = "web-3", "web-1"
    assert "The answer is lost" in explorer.said.value
    assert 'role="status"' in explorer.said.value
    assert "<img alt=" in explorer.picture.value


def test_who_calls_itself_is_told_to_choose_again():
    explorer = kubenet_explorer()
    explorer.destination.value = "web-1"
    assert "Choose two different ends." in explorer.said.value
    assert explorer.picture.value == ""


def test_all_controls_have_names():
    explorer = kubenet_explorer()
    controls = [explorer.source, explorer.destination, *explorer.parts.values()]
    assert all(control.description for control in controls)
    assert [*explorer.parts] == [field.name for field in fields(Parts)]


# ---- the episode ----


def asks_dns(topology, pod):
    return predict(build(topology), Flow(pod, CLUSTER_DNS, 53, "udp")).trace


def test_the_episode_takes_dns_from_node2_only_and_coredns_sees_every_question():
    friday = with_cluster_dns(small_cluster("kubenet"))
    monday = tidied_up(friday)
    for pod in ("web-1", "web-3"):
        assert asks_dns(friday, pod).disposition == Disposition.DELIVERED
    assert asks_dns(monday, "web-1").disposition == Disposition.DELIVERED
    lost = asks_dns(monday, "web-3")
    assert (lost.disposition, lost.ended_at) == (Disposition.NO_ROUTE, "azure")
    assert (lost.server, lost.source_seen) == ("coredns", "10.244.1.2")


# ---- the exercise agrees with the predictor ----


@pytest.fixture(scope="module")
def answers():
    """The functions of the exercise's solution."""
    file = ROOT / "solutions" / "04-kubenet" / "04-kubenet.ipynb"
    names = {}
    for cell in json.loads(file.read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code" and not cell["metadata"]["nbgrader"]["grade"]:
            exec("".join(cell["source"]), names)
    return names


def test_the_cluster_of_the_exercise_is_that_of_the_lesson(answers, world):
    cluster = world.topology.cluster
    nodes = {node.name: {"address": node.address, "pods": node.pod_range} for node in cluster.nodes}
    assert answers["CLUSTER"]["nodes"] == nodes
    assert answers["CLUSTER"]["pod_range"] == cluster.pod_range
    assert answers["CLUSTER"]["public"] == cluster.outbound_address


@pytest.mark.parametrize("destination", ["web-2", "web-3", "vm-1", "vm-2", "office", "internet"])
def test_the_source_seen_is_the_one_that_is_predicted(answers, world, destination):
    due = tried(world, "web-1", destination).source_seen
    addresses = world.address("web-1"), world.address(destination)
    assert answers["source_seen"](*addresses, answers["CLUSTER"]) == due


@pytest.mark.parametrize("gone", [(), ("node1",), ("node2",), ("node1", "node2")])
def test_answered_or_lost_is_what_is_predicted(answers, gone):
    parts = missing(*(f"route_to_{name}" for name in gone))
    routed = [name for name in ("node1", "node2") if name not in gone]
    for source, destination in product(PLACES, PLACES):
        if source == destination or not {source, destination} & set(PODS):
            continue
        if source in ("office", "internet"):
            continue  # how those would reach a pod is no matter of routes
        trace = tried(built(parts), source, destination)
        lost = "answer lost" if trace.delivered else "request lost"
        due = "answered" if trace.disposition == Disposition.DELIVERED else lost
        ends = [built(parts).address(name) for name in (source, destination)]
        found = answers["outcome"](*ends, answers["CLUSTER"], routed)
        assert found == due, (source, destination)


@pytest.mark.parametrize(
    ("part", "diagnosis"),
    [
        ("route_to_node1", "route"),
        ("route_to_node2", "route"),
        ("forwarding_at_node1", "forwarding"),
        ("forwarding_at_node2", "forwarding"),
        ("masquerade", "masquerade"),
    ],
)
def test_every_trace_that_dies_of_one_missing_part_is_diagnosed(answers, part, diagnosis):
    ends = {Disposition.NO_ROUTE: "no route", Disposition.DROPPED: "dropped"}
    diagnosed = 0
    for source, destination in product(("web-1", "web-2", "web-3", "vm-1"), PLACES):
        if source == destination or (source == "vm-1" and destination not in PODS):
            continue
        trace = tried(built(missing(part)), source, destination)
        if trace.disposition == Disposition.DELIVERED:
            continue
        seen = [
            {
                "host": each.host, "way": each.direction,
                "source": each.packet.source, "destination": each.packet.destination,
            }
            for each in trace.sightings
        ]  # fmt: skip
        seen.append({"host": trace.ended_at, "end": ends[trace.disposition]})
        assert answers["diagnose"](seen, answers["CLUSTER"]) == diagnosis, (source, destination)
        diagnosed += 1
    assert diagnosed >= 3
