"""What lesson 06 shows: who may send to pods, how far a pod range reaches, ways to Overlay."""

from __future__ import annotations

import re

import pytest

from course.design import Design, Pool
from course.errors import InputError
from course.predict import predict
from course.scenarios import SCENARIOS, guarded, small_cluster, two_clusters
from course.trace import Disposition, Flow
from course.views import pod_range_calculator, pod_range_use, pod_routes, ways_to
from course.virtual_network import SecurityRule
from course.world import build

PICTURES = {
    "who may send": lambda: pod_routes(small_cluster("kubenet"), small_cluster("overlay")),
    "a range that fits": lambda: pod_range_use("10.244.0.0/16", Pool(nodes=200, max_surge=1)),
    "a range that is too small": lambda: pod_range_use("10.244.0.0/22", Pool(nodes=5)),
}


@pytest.mark.parametrize("make", PICTURES.values(), ids=PICTURES)
def test_a_picture_is_drawn_and_says_what_it_shows(make):
    picture = make()
    assert picture.drawing.startswith("<svg")
    assert len(picture.alt) > 40
    assert len(picture.words) >= 2
    assert picture.alt in repr(picture)


class TestWhoMaySendToPods:
    @pytest.mark.parametrize(
        ("model", "senders"),
        [
            ("kubenet", "node1, node2 and vm-1"),
            ("overlay", "node1 and node2"),
            ("node-subnet", "node1, node2, vm-1, vm-2, peer and office"),
        ],
    )
    def test_depends_on_how_azure_learns_of_them(self, model, senders):
        assert f"{model} {senders}." in pod_routes(small_cluster(model)).alt

    @pytest.mark.parametrize("sender", ["node2", "vm-1", "vm-2", "peer", "office"])
    @pytest.mark.parametrize("model", ["kubenet", "overlay", "node-subnet"])
    def test_is_what_becomes_of_their_packets(self, model, sender):
        world = build(small_cluster(model))
        trace = predict(world, Flow(sender, world.address("web-1"), 8080)).trace
        known = pod_routes(small_cluster(model)).words[0]
        assert (trace.disposition == Disposition.DELIVERED) == (sender in known)


class TestAPodRange:
    def test_is_refused_for_what_could_run_in_the_words_of_aks(self):
        said = pod_range_use("10.244.0.0/22", Pool(nodes=1, max_nodes=4, max_surge=1)).caption
        assert "AKS refuses it: 1,280 addresses are needed, 1,024 are there." in said
        assert "InsufficientSubnetSize: Pre-allocated IPs 1280 exceeds" in said

    def test_says_how_many_more_nodes_it_serves(self):
        said = pod_range_use("10.244.0.0/21", Pool(nodes=1, max_nodes=4, max_surge=1)).caption
        assert said.endswith("3 more nodes would fit.")

    def test_counts_no_pods(self):
        few, many = (
            pod_range_use("10.244.0.0/21", Pool(nodes=3, max_pods=each)) for each in (10, 250)
        )
        assert few.words == many.words

    def test_that_is_none_is_refused_with_a_reason(self):
        with pytest.raises(InputError, match=r"10\.244\.0\.0/16"):
            pod_range_use("10.244.0.1/16", Pool())


class TestTheCalculator:
    def shown(self, **fields):
        calculator = pod_range_calculator()
        for name, text in fields.items():
            calculator.fields[name].control.value = text
        said = re.sub(r"<[^>]*>", " ", calculator.result.value)
        return " ".join(said.split()), calculator

    def test_tells_what_fits(self):
        assert "252 more nodes would fit" in self.shown()[0]

    def test_rounds_surge_up_and_ends_with_the_smallest_range(self):
        said, _ = self.shown(nodes="250", max_surge="10%", pod_range="10.244.0.0/16")
        assert "AKS refuses it: 70,400 addresses are needed, 65,536 are there." in said
        assert said.endswith("/15")

    @pytest.mark.parametrize(
        ("pod_range", "says"),
        [
            ("10.240.0.0/16", "NetworkProfileCIDROverlapVNET"),
            ("10.0.128.0/17", "overlaps the service range"),
            ("192.168.0.0/16", "overlaps the on-premises network"),
            ("172.30.0.0/16", "which AKS keeps for itself"),
        ],
    )
    def test_tells_what_a_range_overlaps(self, pod_range, says):
        said, _ = self.shown(pod_range=pod_range)
        assert "It cannot be like this, though the pod range is large enough" in said
        assert says in said

    def test_tells_of_a_node_subnet_that_is_too_small(self):
        assert "node subnet" not in self.shown()[0]
        assert "node subnet" in self.shown(subnet="10.240.0.0/29", nodes="9")[0]

    def test_does_not_look_at_max_pods(self):
        assert self.shown(max_pods="10")[0] == self.shown(max_pods="250")[0]

    def test_says_beside_the_field_what_is_no_value_and_keeps_the_last_result(self):
        said, calculator = self.shown(pod_range="10.244.0.1/16", max_pods="251")
        assert "252 more nodes would fit" in said
        assert "bits set after its length" in calculator.fields["pod_range"].error.value
        assert "10 to 250" in calculator.fields["max_pods"].error.value
        assert "last values without an error" in calculator.stale.value


class TestWaysToOverlay:
    @pytest.mark.parametrize(
        ("design", "says"),
        [
            (Design(model="kubenet", kubernetes="1.34"), "in place: yes"),
            (Design(model="kubenet", kubernetes="1.26"), "Kubernetes 1.27 or later"),
            (Design(model="node-subnet", kubernetes="1.34"), "--pod-cidr POD_RANGE"),
            (
                Design(model="node-subnet", kubernetes="1.34", policy="calico"),
                "in place: not yet",
            ),
            (
                Design(model="kubenet", kubernetes="1.34", policy="calico"),
                "this one has calico",
            ),
            (Design(model="pod-subnet-dynamic"), "in place: no"),
        ],
    )
    def test_are_told_with_what_stands_in_them(self, design, says):
        assert says in repr(ways_to("overlay", design))


def test_two_clusters_share_a_range_and_keep_apart():
    world = build(two_clusters())
    address = world.address("blue-2")
    assert predict(world, Flow("web-1", address, 8080)).trace.server == "web-3"
    assert predict(world, Flow("blue-1", address, 8080)).trace.server == "blue-2"


def test_a_group_at_the_node_subnet_silences_pods_and_not_nodes():
    nodes = "10.240.0.0/24"
    rules = (
        SecurityRule("NodeToNode", 100, source=nodes, destination=nodes),
        SecurityRule("DenyTheRest", 4000, "Deny"),
    )
    world = build(guarded(small_cluster("overlay"), *rules))
    ping = SCENARIOS["ping across nodes"].flow(world)
    assert predict(world, ping).trace.disposition == Disposition.DROPPED
    pinged = Flow("node1", "10.240.0.5", protocol="icmp")
    assert predict(world, pinged).trace.disposition == Disposition.DELIVERED
