"""The text of a description: whatever may decide where a packet goes is told in it."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from course.kubeproxy.objects import LoadBalancerIngress, Service, ServicePort
from course.scenarios import local, small_cluster
from course.topology import (
    Cluster,
    Exposure,
    IpMasqAgent,
    Machine,
    Node,
    NodePool,
    Pod,
    Proxy,
    Topology,
)
from course.virtual_network import SecurityRule, Subnet, UserRoute, VirtualNetwork
from course.world import build
from tests.worlds import with_subnet

TOPOLOGY = small_cluster("overlay")
# for each kind of thing, the values that its fields may have instead of those in the small cluster
OTHERS = {
    VirtualNetwork: {
        "name": "other", "ranges": ("10.240.0.0/16", "10.250.0.0/16"), "peerings": (),
        "gateway": False,
    },
    Subnet: {
        "name": "more", "range": "10.240.1.0/25",
        "routes": (UserRoute("0.0.0.0/0", "None"),), "security": (),
    },
    SecurityRule: {
        "name": "b", "priority": 200, "access": "Deny", "direction": "Outbound",
        "protocol": "Udp", "source": "10.0.0.0/8", "destination": "Internet", "port": "443",
    },
    Machine: {
        "name": "vm-9", "address": "10.240.0.101", "ports": (443,), "forwards": True,
        "translates": True, "proxy": Proxy(80, "10.240.0.4", 30080),
    },
    Cluster: {
        "model": "kubenet", "subnet": "others", "name": "blue", "pod_range": "10.245.0.0/16",
        "service_range": "10.0.0.0/17", "pod_subnet": "pods", "max_pods": 16,
        "more_pools": (NodePool("second", "nodes"),), "outbound_address": "198.51.100.5",
        "outbound_ports": 8, "ip_masq_agent": IpMasqAgent(), "missing_routes": ("node1",),
        "probes_acted": False, "hairpin": False, "bridge_calls_iptables": False,
    },
    IpMasqAgent: {"non_masquerade": (), "masq_link_local": True},
    NodePool: {"name": "third", "subnet": "others", "pod_subnet": "pods", "max_pods": 31},
    Node: {
        "name": "node9", "address": "10.240.0.9", "held": ("10.240.0.8",),
        "pod_range": "10.244.9.0/24", "ip_forwarding": False, "pool": "nodepool1",
    },
    Pod: {
        "name": "other", "node": "node2", "labels": {"app": "other"}, "ports": ("8080/udp",),
        "address": "10.244.0.9", "host_network": True, "ready": False, "terminating": True,
        "namespace": "team",
    },
    Service: {
        "namespace": "team", "name": "other", "cluster_ips": ("10.0.0.99",),
        "ports": (ServicePort(80),), "type": "NodePort", "external_ips": ("198.51.100.9",),
        "load_balancer_ingress": (LoadBalancerIngress("10.240.0.200", "Proxy"),),
        "load_balancer_source_ranges": ("203.0.113.0/24",), "external_traffic_policy": "Cluster",
        "internal_traffic_policy": "Local", "session_affinity": "ClientIP",
        "health_check_node_port": 32099,
    },
    ServicePort: {"port": 81, "protocol": "UDP", "node_port": 30099, "target_port": 9090},
}  # fmt: skip
# they hold the things above, or decide nothing: the name of a port names a chain
LEFT_OUT = {
    VirtualNetwork: {"subnets"},
    Cluster: {"nodes", "pods", "exposures"},
    Service: {"session_affinity_timeout_seconds"},  # tested below: it counts with affinity only
    ServicePort: {"name"},
}


def holding(thing):
    """A topology with a thing in it."""
    cluster = TOPOLOGY.cluster
    match thing:
        case VirtualNetwork():
            alone = replace(TOPOLOGY.networks[1], peerings=())
            return replace(TOPOLOGY, networks=(thing, alone))
        case Subnet():
            nodes, _, pods = TOPOLOGY.networks[0].subnets
            return holding(replace(TOPOLOGY.networks[0], subnets=(nodes, thing, pods)))
        case SecurityRule():
            return with_subnet(TOPOLOGY, "others", security=(thing,))
        case Machine():
            return replace(TOPOLOGY, machines=(thing, *TOPOLOGY.machines[1:]))
        case Cluster():
            return replace(TOPOLOGY, clusters=(thing,))
        case IpMasqAgent():
            return TOPOLOGY.changed(ip_masq_agent=thing)
        case NodePool():
            return TOPOLOGY.changed(more_pools=(thing,))
        case Node():
            return TOPOLOGY.changed(nodes=(*cluster.nodes, thing))
        case Pod():
            return TOPOLOGY.changed(pods=(*cluster.pods, thing))
        case ServicePort():
            return holding(replace(local().service, ports=(thing,)))
        case Service():
            return TOPOLOGY.changed(exposures=(Exposure(thing, local().selector),))


# what each thing is before one of its fields becomes another
USUAL = {
    VirtualNetwork: TOPOLOGY.networks[0],
    Subnet: TOPOLOGY.subnet("others"),
    SecurityRule: SecurityRule("a", 100, protocol="Tcp"),
    Machine: TOPOLOGY.machines[0],
    Cluster: replace(TOPOLOGY.cluster, exposures=()),
    IpMasqAgent: IpMasqAgent(),
    NodePool: NodePool("second", "nodes"),
    Node: Node("node3"),
    Pod: Pod("one", "node1"),
    Service: local().service,
    ServicePort: local().service.ports[0],
}


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind, others in OTHERS.items() for field in others]
)
def test_two_descriptions_that_differ_in_one_field_have_different_texts(kind, field):
    usual = USUAL[kind]
    other = replace(usual, **{field: OTHERS[kind][field]})
    assert other != usual
    assert holding(other).describe() != holding(usual).describe()


@pytest.mark.parametrize("kind", OTHERS)
def test_no_field_of_a_description_is_forgotten(kind):
    assert OTHERS[kind].keys() | LEFT_OUT.get(kind, set()) == {each.name for each in fields(kind)}


def test_a_network_security_group_without_rules_is_not_the_same_as_none():
    empty = with_subnet(TOPOLOGY, "nodes", security=())
    assert "security group without rules of its own" in empty.describe()
    assert "security" not in TOPOLOGY.describe()


def test_what_on_premises_selectors_and_affinity_are_is_told():
    def text(service=None, selector=None, **changes):
        exposure = Exposure(service or local().service, selector or {})
        return replace(TOPOLOGY.changed(exposures=(exposure,)), **changes).describe()

    nowhere = tuple(each for each in TOPOLOGY.machines if each.name != "office")

    loyal = replace(local().service, session_affinity="ClientIP")
    texts = [
        text(), text(on_premises=(), machines=nowhere), text(selector={"app": "web"}), text(loyal),
        text(replace(loyal, session_affinity_timeout_seconds=60)),
    ]  # fmt: skip
    assert len(set(texts)) == len(texts)
    assert "sessionAffinity ClientIP for 60 s" in texts[-1]
    assert "on premises 192.168.0.0/24" in texts[0]


def test_what_is_as_usual_is_not_told():
    net = VirtualNetwork("vnet", ("10.240.0.0/16",), (Subnet("nodes", "10.240.0.0/24"),))
    cluster = Cluster("node-subnet", "nodes", (Node("node1"),), (Pod("web", "node1"),))
    topology = Topology((net,), (Machine("vm", "10.240.0.9"),), (cluster,))
    assert build(topology).topology.describe().splitlines() == [
        "virtual network vnet 10.240.0.0/16",
        "  subnet nodes 10.240.0.0/24",
        "machine vm 10.240.0.9",
        "cluster aks: node-subnet, nodes in nodes, pods in nodes, Services in 10.0.0.0/16",
        "  node1 10.240.0.4, holds 10.240.0.5-10.240.0.8 10.240.0.10-10.240.0.35",
        "    web 10.240.0.5 listens 8080",
    ]
