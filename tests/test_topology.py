"""What can be described, and what the network models give out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course import networks
from course.scenarios import networks as small_networks
from course.scenarios import small_cluster, web
from course.topology import Cluster, Machine, Node, Pod, Topology
from course.world import build

MODELS = [model.id for model in networks.all_models()]


def addressed(topology):
    return build(topology).topology.cluster


@pytest.mark.parametrize("model", MODELS)
def test_every_model_makes_hosts(model):
    assert build(small_cluster(model)).topology.cluster.model == model


def test_a_node_of_a_node_subnet_holds_its_address_and_max_pods_more_side_by_side():
    one, two = addressed(small_cluster("node-subnet")).nodes
    assert one.address == "10.240.0.4"
    assert one.held == tuple(f"10.240.0.{n}" for n in range(5, 20))
    assert two.address == "10.240.0.20"


@pytest.mark.parametrize("model", ["kubenet", "overlay"])
def test_a_node_with_a_pod_range_gives_its_pods_all_after_the_gateway(model):
    cluster = addressed(small_cluster(model))
    assert [node.pod_range for node in cluster.nodes] == ["10.244.0.0/24", "10.244.1.0/24"]
    assert [node.held for node in cluster.nodes] == [(), ()]
    assert [pod.address for pod in cluster.pods] == [
        "10.244.0.2", "10.244.0.3", "10.244.1.2", "10.244.1.3",
    ]  # fmt: skip


def test_a_dynamic_pod_subnet_gives_no_more_than_a_node_may_run():
    few = addressed(small_cluster("pod-subnet-dynamic"))  # two pods: a batch, of which 15 may run
    assert [len(node.held) for node in few.nodes] == [1 + 15, 1 + 15]
    assert few.pods[0].address == few.nodes[0].held[1]  # the first is the node's own
    roomy = addressed(small_cluster("pod-subnet-dynamic").changed(max_pods=100))
    assert [len(node.held) for node in roomy.nodes] == [1 + 16, 1 + 16]


def test_a_node_of_a_dynamic_pod_subnet_draws_for_its_own_pods_only():
    topology = small_cluster("pod-subnet-dynamic")
    pods = tuple(Pod(f"p{n}", "node1") for n in range(20))
    one, two = addressed(topology.changed(pods=pods, max_pods=50)).nodes
    assert (len(one.held), len(two.held)) == (1 + 32, 1 + 16)


def test_static_blocks_keep_their_first_address_for_the_node():
    cluster = addressed(small_cluster("pod-subnet-static"))
    assert [len(node.held) for node in cluster.nodes] == [16, 16]
    assert cluster.pods[0].address == cluster.nodes[0].held[1]


@given(
    st.sampled_from(MODELS), st.integers(1, 5), st.lists(st.integers(0, 4), max_size=25),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_no_two_pods_of_a_cluster_share_an_address(model, nodes, places):
    cluster = Cluster(
        model, "nodes", tuple(Node(f"node{n}") for n in range(nodes)),
        tuple(Pod(f"pod-{at}", f"node{n % nodes}") for at, n in enumerate(places)),
        pod_subnet=small_cluster(model).cluster.pod_subnet, max_pods=25,
    )  # fmt: skip
    topology = Topology(small_networks(), (Machine("vm-1", "10.240.0.100"),), (cluster,))
    found = addressed(topology)
    given_out = [each.address for each in (*found.nodes, *found.pods)] + ["10.240.0.100"]
    assert len(set(given_out)) == len(given_out)
    held = [address for node in found.nodes for address in (node.address, *node.held)]
    assert len(set(held)) == len(held)


def test_two_clusters_of_a_subnet_share_no_node_address_but_may_share_a_pod_range():
    topology = small_cluster("overlay")
    blue = Cluster(
        "overlay", "nodes", (Node("blue1"),), (Pod("b-1", "blue1"),), name="blue",
        outbound_address="198.51.100.5",
    )  # fmt: skip
    both = build(replace(topology, clusters=(*topology.clusters, blue))).topology
    assert both.clusters[1].nodes[0].address not in [n.address for n in both.cluster.nodes]
    assert both.clusters[1].pods[0].address == both.cluster.pods[0].address


def test_a_pod_in_the_host_network_has_the_address_of_its_node():
    topology = small_cluster("overlay")
    pods = (*topology.cluster.pods, Pod("agent", "node2", host_network=True, ports=(9100,)))
    world = build(topology.changed(pods=pods))
    assert world.topology.cluster.pod("agent").address == world.address("node2")
    assert "agent" not in world.by_name


def test_behind_a_service_stand_the_pods_that_have_its_labels():
    topology = small_cluster("overlay")
    stranger = Pod("stranger", "node1", {"app": "other"})
    cluster = addressed(topology.changed(pods=(*topology.cluster.pods, stranger)))
    (found,) = web().slices(cluster.pods)
    assert [end.addresses[0] for end in found.endpoints] == [p.address for p in cluster.pods[:4]]
    assert found.ports[0].port == 8080


def test_a_topology_reads_as_text():
    text = build(small_cluster("kubenet")).topology.describe()
    assert "  node1 10.240.0.4 10.244.0.0/24\n    web-1 10.244.0.2 app=web n=1 listens 8080" in text
    web = "Service web LoadBalancer 10.0.0.80, 198.51.100.80 80/TCP -> 8080 (node port 30080)"
    assert f"{web} for app=web\n" in text
