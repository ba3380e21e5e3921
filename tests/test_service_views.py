"""What lesson 02 shows of Services: the rules of a node, those that packets met, the explorer."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import nbformat
import pytest

from course.errors import InputError
from course.kubeproxy.hits import hits
from course.predict import outcomes, predict
from course.scenarios import (
    CLUSTER_IP,
    FRONT,
    INTERNAL,
    empty,
    front,
    local,
    small_cluster,
    web,
)
from course.topology import Node, Pod
from course.trace import Disposition, Flow
from course.views import rules_hit, service_explorer, service_rules
from course.views.service_explorer import CLIENTS, ENTRANCES, PODS, POLICIES, Call
from course.world import build
from tests.conftest import ROOT

WORLD = build(small_cluster("overlay"))
every_client = pytest.mark.parametrize("client", [client for _, client in CLIENTS])


def calls_of(client):
    """Every choice that the explorer offers for a client."""
    return [
        Call(policy, client, pod, entrance)
        for policy in POLICIES
        for _, pod in PODS
        for _, entrance in ENTRANCES
    ]


def saved(packets, rule):
    return f"[{packets}:{60 * packets}] {rule}"


class TestRulesThatPacketsMet:
    text = "\n".join(
        (
            "*nat",
            ":KUBE-SERVICES - [0:0]",
            saved(1, "-A POSTROUTING -j KUBE-POSTROUTING"),
            saved(2, '-A PREROUTING -m comment --comment "portals" -j KUBE-SERVICES'),
            saved(1, "-A KUBE-SEP-X -p tcp -m tcp -j DNAT --to-destination 10.244.0.2:8080"),
            saved(0, "-A KUBE-SERVICES -d 10.0.0.80/32 -p tcp -j KUBE-SVC-Y"),
            saved(1, "-A KUBE-SERVICES -d 10.0.0.81/32 -p tcp -j KUBE-SVC-X"),
            saved(1, "-A KUBE-SVC-X -j KUBE-SEP-X"),
            saved(7, "-A IP-MASQ-AGENT -j MASQUERADE"),
        )
    )

    def test_they_stand_in_the_order_in_which_a_packet_meets_them(self):
        assert [hit.chain for hit in hits(self.text)] == [
            "PREROUTING", "KUBE-SERVICES", "KUBE-SVC-X", "KUBE-SEP-X", "POSTROUTING",
        ]  # fmt: skip

    def test_rules_without_packets_and_rules_of_others_are_left_out(self):
        shown = rules_hit(self.text).text
        assert "10.0.0.80" not in shown
        assert "IP-MASQ-AGENT" not in shown

    def test_each_is_shown_without_its_remark_and_with_its_purpose(self):
        first, *_ = hits(self.text)
        assert (first.rule, first.packets) == ("-j KUBE-SERVICES", 2)
        assert first.purpose == "Packets from elsewhere: are they for a Service?"
        assert first.purpose in rules_hit(self.text).html

    def test_a_text_without_counters_is_refused(self):
        with pytest.raises(InputError, match="iptables-save -c"):
            rules_hit("-A PREROUTING -j KUBE-SERVICES")

    def test_they_are_those_by_which_the_prediction_goes(self):
        """A packet counts at the rules that the predictor walks it through."""
        trace = predict(WORLD, Flow("web-3", "10.0.0.81", 80)).trace
        steps = [s for s in trace.hops[1].steps if s.table == "nat" and s.decided_by]
        walked = "\n".join(saved(1, f"-A {step.chain} {step.decided_by}") for step in steps)
        assert [hit.chain[:8] for hit in hits(walked)] == [
            "PREROUTI", "KUBE-SER", "KUBE-SVC", "KUBE-SEP", "POSTROUT", "KUBE-POS",
        ]  # fmt: skip


class TestThePictureOfRules:
    def test_it_shows_every_endpoint_and_its_share(self):
        words = service_rules(WORLD, "web", "node2").words
        shares = [word.rpartition(": ")[2] for word in words if "leads to KUBE-SEP-" in word]
        assert shares == ["1 of 4", "1 of 3", "1 of 2", "the rest"]
        pods = [word for word in words if word.endswith(": DNAT")]
        assert [re.search(r"web-\d on node\d", pod)[0] for pod in pods] == [
            "web-1 on node1", "web-2 on node1", "web-3 on node2", "web-4 on node2",
        ]  # fmt: skip

    def test_it_is_the_same_on_every_node_for_the_cluster_ip(self):
        assert service_rules(WORLD, "web", "node1").words == service_rules(
            WORLD, "web", "node2"
        ).words  # fmt: skip

    def test_with_policy_cluster_all_who_come_in_are_marked(self):
        words = service_rules(WORLD, "web", "node1", entrances=True).words
        (marked,) = [word for word in words if word.startswith("KUBE-EXT")]
        assert marked.endswith("everybody, marked")
        assert words[1].startswith("198.51.100.80:80 leads to KUBE-EXT-")
        assert words[2].startswith("node port 30080 leads to KUBE-EXT-")

    def test_with_policy_local_others_go_to_the_endpoint_here_or_are_dropped(self):
        here, there = (
            service_rules(WORLD, "local", node, entrances=True).words for node in ("node1", "node2")
        )
        (others_here,) = [word for word in here if word.endswith("all others")]
        (others_there,) = [word for word in there if word.endswith("all others")]
        assert "leads to KUBE-SVL-" in others_here
        assert "leads to dropped" in others_there

    def test_a_service_without_endpoints_has_no_chains(self):
        with pytest.raises(InputError, match="has no rules on node1"):
            service_rules(WORLD, "empty", "node1")


class TestTheExplorer:
    @every_client
    def test_its_chances_sum_to_one_and_it_tells_who_answers_or_why_nobody_does(self, client):
        for call in calls_of(client):
            assert sum(result.likely for result in call.results) == 1
            for result in call.results:
                assert bool(result.source) == (result.what == f"{call.pod} answers"), call
                assert bool(result.source) != bool(result.why), call

    @every_client
    def test_it_says_what_is_predicted_for_just_that_cluster(self, client):
        address = FRONT if client == "internet" else INTERNAL
        asked = {
            "cluster IP": ("10.0.0.81", 80), "load balancer": (address, 80),
            "node1": ("10.240.0.4", 30081), "node2": ("10.240.0.5", 30081),
        }  # fmt: skip
        for call in calls_of(client):
            world = with_one_service(call.policy, address, call.pod)
            drawn = outcomes(world, Flow(client, *asked[call.entrance]))
            answered = [d.result for d in drawn if d.result.disposition == Disposition.DELIVERED]
            told = {result.source.partition(",")[0] for result in call.results} - {""}
            assert told == {trace.source_seen for trace in answered}, call

    def test_choosing_anew_predicts_anew(self):
        view = service_explorer()
        assert "web-2 answers and sees 10.244.0.2, the address of web-1" in view.result.value
        view.client.value, view.entrance.value, view.policy.value = "vm-2", "node2", "Local"
        assert "no answer: dropped by a rule at node2" in view.result.value
        view.policy.value = "Cluster"
        assert "sees 10.240.0.5, the address of node2 (always)" in view.result.value

    def test_every_list_has_a_name(self):
        assert [each.description for each in service_explorer().choices] == [
            "externalTrafficPolicy", "who calls", "pod behind the Service", "called at",
        ]  # fmt: skip


class TestWhatTheLessonSays:
    """Its questions and its exercise agree with the predictor."""

    @pytest.mark.parametrize("policy", POLICIES)
    @pytest.mark.parametrize("endpoint", ["web-1", "web-4", "web-5"])
    def test_the_exercise_agrees_with_the_predictor_on_who_is_seen(self, policy, endpoint):
        exposed = replace(local(policy), selector={"app": "web", "n": endpoint[-1]})
        world = build(of_three_nodes(exposed))
        cluster, seen = world.topology.cluster, client_seen()
        pods = {pod.address: pod.node for pod in cluster.pods}
        nodes = {node.name: node.address for node in cluster.nodes}
        asked = {"cluster IP": ("10.0.0.81", 80), "load balancer": (INTERNAL, 80)}
        asked |= {name: (address, 30081) for name, address in nodes.items()}
        calls = [(pod.name, way) for pod in cluster.pods for way in ("cluster IP", "load balancer")]
        calls += [(name, way) for name in ("vm-2", "peer") for way in ("cluster IP", *nodes)]
        for client, way in calls:
            trace = predict(world, Flow(client, *asked[way])).trace
            answered = trace.disposition == Disposition.DELIVERED
            due = trace.source_seen if answered else "no answer"
            addresses = world.address(client), way, world.address(endpoint)
            assert seen(policy, *addresses, pods, nodes) == due, (client, way)

    def test_web_3_sees_its_node_when_it_gets_itself(self):
        drawn = outcomes(WORLD, Flow("web-3", CLUSTER_IP, 80))
        seen = {each.result.server: each.result.source_seen for each in drawn}
        assert seen == {
            "web-1": "10.244.1.2", "web-2": "10.244.1.2", "web-3": "10.240.0.5",
            "web-4": "10.244.1.2",
        }  # fmt: skip

    def test_a_pod_that_calls_a_public_address_never_leaves_azure(self):
        drawn = outcomes(WORLD, Flow("web-1", "198.51.100.80", 80))
        assert len(drawn) == 4
        assert all("edge" not in each.result.path for each in drawn)

    @pytest.mark.parametrize(
        ("policy", "acted", "lost"),
        [("Local", False, "1/2"), ("Local", True, "0"), ("Cluster", False, "0")],
    )
    def test_half_the_calls_are_lost_until_the_probes_act_or_with_policy_local(
        self, policy, acted, lost
    ):
        exposures = (web(), front(), local(policy), empty())
        changed = small_cluster("overlay").changed(exposures=exposures, probes_acted=acted)
        drawn = outcomes(build(changed), Flow("vm-2", "10.240.0.200", 80))
        dropped = [d for d in drawn if d.result.disposition == Disposition.DROPPED]
        assert str(sum(d.probability for d in dropped)) == lost
        assert {d.result.ended_at for d in dropped} <= {"node2"}


@cache
def with_one_service(policy, address, pod):
    """The small cluster with one Service, before one pod."""
    exposed = replace(local(policy, address), selector={"app": "web", "n": pod[-1]})
    return build(small_cluster("overlay").changed(exposures=(exposed,)))


def of_three_nodes(exposed):
    """The small cluster with a third node, a fifth pod on it, and one Service."""
    small = small_cluster("overlay")
    fifth = Pod("web-5", "node3", {"app": "web", "n": "5"})
    return small.changed(
        nodes=(*small.cluster.nodes, Node("node3")), pods=(*small.cluster.pods, fifth),
        exposures=(exposed,),
    )  # fmt: skip


def test_a_pod_that_is_going_still_answers_where_no_other_is():
    """So a pause before it stops bridges the time until the probes have acted."""
    going = tuple(
        replace(pod, terminating=pod.name == "web-1")
        for pod in small_cluster("overlay").cluster.pods
    )
    world = build(small_cluster("overlay").changed(pods=going, probes_acted=False))
    trace = predict(world, Flow("vm-2", "10.240.0.4", 30081)).trace
    assert (trace.server, trace.source_seen) == ("web-1", "10.240.1.4")


def client_seen():
    """The function that solves the exercise."""
    notebook = nbformat.read(ROOT / "solutions" / "02-services" / "02-services.ipynb", 4)
    (cell,) = [cell for cell in notebook.cells if cell.id == "seen"]
    names: dict[str, object] = {}
    exec(cell.source, names)
    return names["client_seen"]
