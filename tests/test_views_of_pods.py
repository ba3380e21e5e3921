"""Views of lesson 01: the wires of a node, how Azure finds pods, who reaches whom."""

from __future__ import annotations

from html import unescape

import pytest

from course.errors import InputError
from course.networks import model
from course.predict import predict
from course.scenarios import SCENARIOS, small_cluster
from course.topology import Pod
from course.trace import Disposition, Flow
from course.views import four_answers, node_wiring, reach_explorer
from course.views.reach import ANSWERS
from course.world import build


def choose(explorer, **values):
    for name, value in values.items():
        explorer.fields[name].control.value = value


# ---- the wires of a node ----


def test_kubenet_plugs_its_wires_into_a_bridge_and_azure_cni_has_a_route_for_each():
    bridged, routed = (node_wiring(small_cluster(each)) for each in ("kubenet", "node-subnet"))
    assert "The port of web-2 is plugged into the bridge cbr0, 10.244.0.1." in bridged.words
    assert "A route on node1 leads to it: 10.240.0.6 dev (the veth of web-2)." in routed.words
    assert "cbr0" in bridged.drawing
    assert "cbr0" not in routed.drawing


def test_neighbours_meet_at_the_bridge_in_kubenet_and_at_the_routes_of_the_node_in_azure_cni():
    bridged, routed = (
        unescape(node_wiring(small_cluster(each)).drawing) for each in ("kubenet", "node-subnet")
    )
    for pod in ("web-1", "web-2"):
        assert f"end of {pod}->bridge" in bridged
        assert f"end of {pod}->routes" in routed
    assert "end of web-1->routes" not in bridged


@pytest.mark.parametrize("network", ANSWERS)
def test_the_picture_shows_the_pods_of_that_node_and_no_others(network):
    world = build(small_cluster(network))
    picture = node_wiring(world, "node2")
    assert picture.drawing.startswith("<svg")
    for pod in ("web-3", "web-4"):
        assert f"{pod} has a network of its own: eth0, {world.address(pod)}." in picture.words
        assert f"network of {pod}" in unescape(picture.drawing)
    assert "web-1" not in repr(picture)


def test_a_pod_in_the_network_of_its_node_has_no_wire():
    topology = small_cluster("overlay")
    agent = Pod("agent", "node1", host_network=True)
    picture = node_wiring(topology.changed(pods=(*topology.cluster.pods, agent)))
    assert "agent" not in repr(picture)
    assert "one machine, 3 networks" in picture.drawing


def test_only_nodes_have_such_a_picture():
    with pytest.raises(InputError, match=r"'vm-1' is no node. There are node1, node2"):
        node_wiring(small_cluster("overlay"), "vm-1")


# ---- how Azure finds pods ----


def test_each_model_has_its_row_and_says_what_the_prediction_says():
    title, *rows = four_answers().text.splitlines()
    assert "in four models" in title
    assert len(rows) == len(ANSWERS)
    for network, row in zip(ANSWERS, rows, strict=True):
        world = build(small_cluster(network))
        seen = predict(world, SCENARIOS["ping across nodes"].flow(world)).trace.source_seen
        assert row.startswith(f"{model(network).title}: web-3 has {world.address('web-3')};")
        assert f"web-3 sees {seen}; " in row
        assert seen == world.address("web-1"), "between pods nothing is translated"


def test_where_each_node_has_a_range_azure_looks_up_a_range_and_else_an_address():
    html = four_answers().html
    assert html.count("<code>10.244.1.0/24 via 10.240.0.5</code>") == 2  # kubenet, overlay
    assert "<code>10.240.0.21 via 10.240.0.20</code>" in html
    assert "<code>10.240.2.21 via 10.240.0.5</code>" in html


# ---- who reaches whom ----


@pytest.mark.parametrize(
    ("source", "reaches"),
    [
        ("web-3", {"kubenet", "node-subnet", "pod-subnet-dynamic", "overlay"}),
        ("vm-1", {"kubenet", "node-subnet", "pod-subnet-dynamic"}),
        ("vm-2", {"node-subnet", "pod-subnet-dynamic"}),
        ("internet", set()),
    ],
)
def test_the_explorer_tells_in_which_models_a_host_reaches_a_pod(source, reaches):
    explorer = reach_explorer(source=source)
    told = set()
    for network in ANSWERS:
        choose(explorer, model=network)
        arrived = "<strong>Delivered, and answered" in explorer.result.value
        told |= {network} if arrived else set()
        world = build(small_cluster(network))
        ping = Flow(source, world.address("web-1"), protocol="icmp")
        assert arrived == (predict(world, ping).trace.disposition == Disposition.DELIVERED)
    assert told == reaches


def test_the_explorer_tells_where_a_ping_ends_and_draws_its_way():
    explorer = reach_explorer("overlay", "vm-2", "web-1")
    assert "No route at azure" in explorer.result.value
    assert "The way there: vm-2, azure." in explorer.result.value
    assert '<img alt="Sequence of vm-2' in explorer.result.value
    assert 'role="status"' in explorer.result.value


def test_a_host_does_not_ping_itself():
    explorer = reach_explorer()
    good = explorer.result.value
    choose(explorer, to="vm-2")
    assert "Choose another host." in explorer.fields["to"].error.value
    assert explorer.result.value == good
    choose(explorer, source="web-3")
    assert explorer.fields["to"].error.value == ""
    assert "The way there: web-3, node2, azure, vm-2." in explorer.result.value
