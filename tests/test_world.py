"""The hosts that a description turns into: what somebody who logs in there would see."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from course import networks
from course.cni.aks import read
from course.cni.result import Result, agrees
from course.errors import InputError
from course.linux.ruleset import parse
from course.networks.model import NetworkModel
from course.scenarios import small_cluster
from course.topology import Node
from course.world import build
from tests import real_linux
from tests.worlds import AZURE_CNI, MODELS


@pytest.fixture(params=MODELS)
def world(request):
    return build(small_cluster(request.param))


def test_every_wire_has_two_ends_that_name_each_other(world):
    for host in world.hosts:
        for link in host.interfaces:
            if link.peer:
                far = world.far_end(host.name, link.name)
                assert world.far_end(*far) == (host.name, link.name)
                assert link.peer_index == world.host(far.host).interface(far.interface).index


def test_eth0_of_a_pod_shows_the_index_of_its_other_end_on_the_node(world):
    ends = {}
    for pod in world.topology.cluster.pods:
        eth0 = world.host(pod.name).interface("eth0")
        far = world.far_end(pod.name, "eth0")
        assert (far.host, eth0.label) == (pod.node, f"eth0@if{eth0.peer_index}")
        ends[pod.name] = world.role(*far)
    assert all(pod in role for pod, role in ends.items())


def test_indexes_repeat_from_host_to_host(world):
    assert len({world.host(f"web-{n}").interface("eth0").index for n in range(1, 5)}) == 1


def test_no_address_of_an_interface_is_on_two_hosts_but_those_of_azures_routers(world):
    seen = [
        address
        for host in world.hosts
        for link in host.interfaces
        for address in link.ips
        if link.kind != "loopback" and host.name not in ("azure", "edge")
    ]
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("model", MODELS)
def test_no_address_is_on_the_network_cards_of_two_nodes(model):
    topology = small_cluster(model)
    mine = topology.cluster
    blue = replace(
        mine, name="blue", nodes=(Node("blue1"), Node("blue2")), pods=(), exposures=(),
        pod_range="10.245.0.0/16", outbound_address="198.51.100.5",
        subnet="others" if model == "kubenet" else mine.subnet,
    )  # fmt: skip
    world = build(replace(topology, clusters=(mine, blue)))
    cards = [
        address
        for cluster in world.topology.clusters
        for node in cluster.nodes
        for address in (node.address, *node.held)
    ]
    assert len(set(cards)) == len(cards) >= 4


def test_kubenet_has_a_bridge_and_a_port_of_it_for_each_pod():
    node = build(small_cluster("kubenet")).host("node2")
    assert node.interface("cbr0").addresses == ("10.244.1.1/24",)
    assert [link.master for link in node.interfaces if link.name.startswith("veth")] == ["cbr0"] * 2


@pytest.mark.parametrize("model", AZURE_CNI)
def test_azure_cni_has_no_bridge_but_a_route_for_each_pod(model):
    world = build(small_cluster(model))
    node, cluster = world.host("node1"), world.topology.cluster
    assert not any(link.kind == "bridge" for link in node.interfaces)
    for pod in cluster.pods_of("node1"):
        veth = world.far_end(pod.name, "eth0").interface
        assert node.route(pod.address).dev == veth
        assert node.sysctl("net.ipv4.conf.CONF.proxy_arp", veth) == 1
    pod = world.host("web-1")
    assert str(pod.route("8.8.8.8")) == "default via 169.254.1.1 dev eth0"
    assert pod.route("10.240.0.99").next_hop == "169.254.1.1"  # no neighbour but the node


def test_the_list_on_a_node_is_that_of_its_model(world):
    cluster = world.topology.cluster
    for node in cluster.nodes:
        ((path, text),) = world.files[node.name].items()
        assert path.startswith("/etc/cni/net.d/10-")
        expected = {"node-subnet": "node subnet", "overlay": "overlay", "kubenet": "other"}
        assert read(json.loads(text)).model == expected.get(cluster.model, "pod subnet")


def test_the_plugin_calls_of_a_pod_expect_the_address_that_it_has(world):
    for pod in world.topology.cluster.pods:
        calls = world.calls[pod.name]
        assert [call.command for call in calls] == ["ADD", "ADD"]
        (ip,) = calls[-1].expected.ips
        assert ip.address == world.host(pod.name).interface("eth0").addresses[0]
        assert calls[0].environment["CNI_NETNS"] == f"/run/netns/{pod.name}"


def test_kubenets_calls_pin_the_address_and_name_the_gateway():
    bridge, portmap = build(small_cluster("kubenet")).calls["web-3"]
    assert (bridge.plugin, portmap.plugin) == ("bridge", "portmap")
    assert "IP=10.244.1.2" in bridge.environment["CNI_ARGS"]
    assert bridge.expected.ips[0].gateway == "10.244.1.1"


def test_the_fabric_learns_of_pods_in_one_way_only():
    def learned(model):
        world = build(small_cluster(model))
        pods = (f"{world.topology.cluster.pods[0].address}/32", "10.244.0.0/24")
        return {
            route.table[0]
            for route in world.host("azure").routes
            if route.type == "unicast" and route.network in pods
        }

    assert learned("kubenet") == {"2"}  # a route table
    assert learned("overlay") == {"5"}  # a routing domain
    system = {"1", "m"}  # system routes: addresses of network cards
    assert learned("node-subnet") == learned("pod-subnet-dynamic") == system


def test_kubenets_route_table_has_a_route_for_each_node():
    azure = build(small_cluster("kubenet")).host("azure")
    assert [str(route) for route in azure.routes if route.table == "201"][:2] == [
        "10.244.0.0/24 via 10.240.0.4 dev nic-node1", "10.244.1.0/24 via 10.240.0.5 dev nic-node2",
    ]  # fmt: skip


def test_the_real_bridge_plugin_answers_kubenets_calls_as_expected():
    if not Path("/usr/lib/cni/bridge").exists():
        pytest.skip("the package containernetworking-plugins is not installed")
    world = build(small_cluster("kubenet"))
    pods = world.topology.cluster.pods_of("node1")
    calls = [world.calls[pod.name][0] for pod in pods]
    script = "mkdir -p /var/lib/cni && mount -t tmpfs tmpfs /var/lib/cni\n"
    for pod, call in zip(pods, calls, strict=True):
        shell = call.as_shell().replace("/opt/cni/bin", "/usr/lib/cni")
        script += f"ip netns add {pod.name}\n{shell} | tr -d '\\n'; echo\n"
    script += f"ip netns exec {pods[0].name} ip -4 route get 8.8.8.8"
    *answers, route = real_linux.in_namespace(script).splitlines()[:3]
    for call, answer in zip(calls, answers, strict=True):
        assert agrees(call.expected, Result.from_json(json.loads(answer)))
    pod = world.host(pods[0].name)
    assert route.startswith(f"8.8.8.8 via {pod.route('8.8.8.8').next_hop} dev eth0")


def test_a_model_that_only_plans_says_that_it_makes_no_hosts():
    topology = small_cluster("overlay")
    planned_only = networks.model("overlay")
    for make in (NetworkModel.addressed, NetworkModel.hosts):
        with pytest.raises(InputError, match="makes no hosts"):
            make(planned_only, topology.cluster, topology)


def guarded(topology):
    """With a security group, and without IP forwarding of the network cards: all kinds of rules."""
    vnet, *others = topology.networks
    subnets = (replace(vnet.subnets[0], security=()), *vnet.subnets[1:])
    nodes = tuple(replace(node, ip_forwarding=False) for node in topology.cluster.nodes)
    networks = (replace(vnet, subnets=subnets), *others)
    return replace(topology.changed(nodes=nodes), networks=networks)


@pytest.mark.parametrize("variant", real_linux.VARIANTS)
@pytest.mark.parametrize("model", MODELS)
def test_all_rules_really_load_and_read_back_the_same(model, variant):
    world = build(guarded(small_cluster(model)))
    for host in world.hosts:
        text = host.netfilter.text()
        if text:
            saved = real_linux.loaded(text, variant=variant)
            assert parse(saved) == host.netfilter, host.name
