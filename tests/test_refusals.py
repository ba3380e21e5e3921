"""Descriptions that Azure or Kubernetes would not have: each is refused, with the way out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from course import networks
from course.cni.configuration import parse
from course.errors import InputError
from course.kubeproxy.objects import LoadBalancerIngress, Service, ServicePort
from course.predict import predict
from course.scenarios import front, local, small_cluster, web
from course.topology import Cluster, Exposure, Machine, Node, NodePool, Pod, Proxy, Topology
from course.trace import Disposition, Flow
from course.virtual_network import SecurityRule, Subnet, UserRoute, VirtualNetwork
from course.world import build
from tests.worlds import with_routes, with_security, with_subnet

MODELS = [model.id for model in networks.all_models()]
FLAT = [model.id for model in networks.all_models() if model.flat]
ROUTED = [model.id for model in networks.all_models() if not model.flat]


def overlay(**fields):
    return small_cluster("overlay").changed(**fields)


def holding(*held):
    """The small cluster with addresses of the pods on the card of node1."""
    return small_cluster("node-subnet").changed(nodes=(Node("node1", held=held), Node("node2")))


def more_pods(*pods, model="overlay"):
    topology = small_cluster(model)
    return topology.changed(pods=(*topology.cluster.pods, *pods))


def two_nodes(one="", other=""):
    """The two nodes with parts of the pod range."""
    return overlay(nodes=(Node("node1", pod_range=one), Node("node2", pod_range=other)))


def machine_at(address, model="overlay", **more):
    topology = small_cluster(model)
    return replace(topology, machines=(*topology.machines, Machine("vm", address, **more)))


def another(model="overlay", subnet="nodes", **fields):
    """The small cluster and another one."""
    topology, fields = small_cluster(model), {"outbound_address": "198.51.100.5"} | fields
    return replace(
        topology, clusters=(*topology.clusters, Cluster(model, subnet, name="blue", **fields))
    )


def service(name, *ports, at="", **more):
    ingress = (LoadBalancerIngress(at),) if at else ()
    return Exposure(
        Service("default", name, (), ports, load_balancer_ingress=ingress, **more), {"app": "web"}
    )


def refused(describe, told):
    with pytest.raises(InputError, match=told):
        describe()


@pytest.mark.parametrize(
    ("describe", "told"),
    [
        (lambda: UserRoute("10.0.0.0/8", "VirtualAppliance"), "belong together"),
        (lambda: UserRoute("10.0.0.0/8", "Somewhere"), "is no type of next hop"),
        (lambda: UserRoute("10.0.0.1/8", "None"), "bits set after"),
        (
            lambda: with_routes(
                overlay(), UserRoute("0.0.0.0/0", "None"), UserRoute("0.0.0.0/0", "Internet")
            ),
            "'0.0.0.0/0' is twice the prefix of a route",
        ),
        (lambda: VirtualNetwork("v", ("10.0.0.0/16",), (Subnet("s", "10.1.0.0/24"),)), "outside"),
        (lambda: VirtualNetwork("my net", ("10.0.0.0/16",)), "'my net' is no name of a virtual"),
        (lambda: Subnet("node subnet", "10.0.0.0/24"), "is no name of a subnet"),
        *(
            (lambda length=length: Subnet("s", f"10.0.0.0/{length}"), "smaller than any subnet")
            for length in (30, 31, 32)
        ),
        *(
            (lambda text=text: VirtualNetwork("v", (text,)), "no virtual network has that")
            for text in ("169.254.0.0/24", "127.0.0.0/16", "224.0.0.0/8", "168.63.0.0/16")
        ),
        (
            lambda: Topology(
                (
                    VirtualNetwork("a", ("10.0.0.0/16",), peerings=("b",)),
                    VirtualNetwork("b", ("10.0.0.0/8",), peerings=("a",)),
                )
            ),
            "overlaps",
        ),
        (lambda: replace(overlay(), on_premises=("10.240.128.0/17",)), "overlaps 10.240.128.0/17"),
        *(
            (lambda text=text: replace(overlay(), on_premises=(text,)), "kept by this model")
            for text in ("192.0.2.0/24", "192.0.2.64/30", "203.0.113.0/24", "198.51.100.0/24")
        ),
        (
            lambda: replace(
                overlay(outbound_address="198.51.100.70"), on_premises=("198.51.100.64/26",)
            ),
            "'198.51.100.70' is what the internet sees of aks",
        ),
        *(
            (
                lambda text=text: VirtualNetwork("v", (text,), (Subnet("s", text),)),
                f"'{text}' is no private range: this model of Azure leaves others out",
            )
            for text in ("192.0.2.0/24", "203.0.113.0/24", "198.51.100.0/24", "20.0.0.0/16")
        ),
        (
            lambda: replace(overlay(), on_premises=("192.168.0.0/16", "192.168.0.0/24")),
            "overlaps 192.168.0.0/24",
        ),
    ],
)
def test_virtual_networks_that_cannot_be(describe, told):
    refused(describe, told)


@pytest.mark.parametrize(
    ("describe", "told"),
    [
        (lambda: SecurityRule("x", 1), "is no priority"),
        (lambda: SecurityRule("x", 5000), "is no priority"),
        (lambda: with_security(overlay(), SecurityRule("x", 65000)), "Give 100 to 4096"),
        (lambda: SecurityRule("", 100), "'' is no name of a security rule"),
        (lambda: SecurityRule("let me in", 100), "is no name of a security rule"),
        (lambda: SecurityRule("in-", 100), "is no name of a security rule"),
        (lambda: SecurityRule("x" * 81, 100), "at most 80"),
        (lambda: SecurityRule("x\n-A FORWARD -j ACCEPT", 100), "is no name of a security rule"),
        (lambda: SecurityRule("x", 100, source="fd00::/64"), "IPv4"),
        (lambda: SecurityRule("x", 100, destination="VirtualNet"), "'VirtualNet'"),
        (lambda: SecurityRule("x", 100, protocol="Tcp", port="http"), "is no port"),
        (lambda: SecurityRule("x", 100, protocol="Tcp", port="99-80"), "is no port"),
        (lambda: SecurityRule("x", 100, protocol="Tcp", port="80 -j ACCEPT"), "is no port"),
        (
            lambda: with_security(
                overlay(), SecurityRule("a", 100), SecurityRule("b", 100, "Deny")
            ),
            "'Inbound 100' is twice",
        ),
    ],
)
def test_security_rules_that_cannot_be(describe, told):
    refused(describe, told)


def test_rules_of_two_directions_may_have_one_priority_and_a_group_may_be_anywhere():
    rules = (SecurityRule("in", 100), SecurityRule("out.1_", 100, direction="Outbound"))
    for subnet in ("nodes", "others"):
        build(with_subnet(small_cluster("overlay"), subnet, security=rules))


@pytest.mark.parametrize(
    ("describe", "told"),
    [
        (lambda: overlay(subnet="nowhere"), "is no subnet"),
        (lambda: overlay(name="", exposures=()), "'' is no name of a cluster"),
        (lambda: overlay(pod_range="10.0.0.0/15"), "overlaps the Service range"),
        (
            lambda: overlay(exposures=(), service_range="10.240.0.0/16"),
            "the Services' range, and overlaps",
        ),
        (
            lambda: overlay(exposures=(), service_range="192.168.0.0/20"),
            "the Services' range, and overlaps",
        ),
        (lambda: build(overlay(pod_range="10.240.0.0/16")), "the pods' range, and overlaps"),
        (lambda: build(overlay(pod_range="10.241.0.0/16")), "the pods' range, and overlaps"),
        (lambda: build(overlay(pod_range="10.244.0.0/24")), "has no /24 left"),
        *(
            (lambda text=text: overlay(pod_range=text), "which AKS keeps for itself")
            for text in ("172.16.0.0/12", "172.30.0.0/16", "172.31.4.0/22", "169.254.0.0/16")
        ),
        (lambda: overlay(exposures=(), service_range="172.31.0.0/24"), "AKS keeps for itself"),
        (lambda: overlay(exposures=(), service_range="192.0.2.0/24"), "AKS keeps for itself"),
        (
            lambda: Topology(
                (VirtualNetwork("v", ("172.16.0.0/12",), (Subnet("s", "172.16.0.0/24"),)),),
                clusters=(Cluster("overlay", "s"),),
            ),
            "'172.16.0.0/12' overlaps 172.30.0.0/16, which AKS keeps for itself. v has a cluster",
        ),
        (lambda: overlay(exposures=(), service_range="11.0.0.0/12"), "too large a range"),
        (lambda: overlay(exposures=(), service_range="11.0.0.0/8"), "too large a range"),
        *(
            (
                lambda length=length: overlay(exposures=(), service_range=f"11.0.0.0/{length}"),
                "too small a range for Services. Kubernetes needs at least 8 addresses",
            )
            for length in (30, 31, 32)
        ),
        (lambda: overlay(outbound_address="198.51.100"), "198.51.100"),
        (lambda: overlay(outbound_address="10.240.0.77"), "is private"),
        (lambda: overlay(outbound_address="100.64.0.1"), "is private"),
        (lambda: overlay(outbound_address="224.0.0.1"), "no host may have"),
        (lambda: overlay(outbound_address="192.0.2.9"), "kept by this model"),
        (lambda: overlay(outbound_address="198.51.100.3"), "kept by this model"),
        (lambda: overlay(outbound_address="203.0.113.10"), "is what the internet sees of aks"),
        (
            lambda: another(outbound_address="198.51.100.80"),
            "'198.51.100.80' is what the internet sees of blue. Nobody else may have it",
        ),
        (
            lambda: another(outbound_address="198.51.100.4"),
            "'198.51.100.4' is twice the address that the internet sees of a cluster",
        ),
        (lambda: another("kubenet"), "'nodes' is twice the subnet of a kubenet cluster"),
        (
            lambda: another("kubenet", "others", more_pools=(NodePool("more", "nodes"),)),
            "'nodes' is twice the subnet of a kubenet cluster",
        ),
        (
            lambda: small_cluster("pod-subnet-dynamic").changed(
                more_pools=(NodePool("more", "pods", "pods"),)
            ),
            "'more' stands in pods, which is delegated to pods",
        ),
        (
            lambda: more_pods(
                *(Pod(f"p-{n}", "node1", ports=(n,), host_network=True) for n in range(1, 15))
            ),
            "has more pods than max-pods 15",
        ),
        (lambda: overlay(missing_routes=("node9",)), "'node9' is no node here"),
        (lambda: overlay(max_pods=1), "more pods than max-pods"),
        (lambda: overlay(max_pods=1000), "1000 is no max-pods"),
        (lambda: overlay(more_pools=(NodePool("far", "far"),)), "several virtual networks"),
        (lambda: build(overlay(pod_subnet="pods")), "has a pod subnet"),
        (lambda: build(overlay(model="pod-subnet-dynamic")), "has no pod subnet"),
        (lambda: build(overlay(model="vxlan")), "is no network model"),
        (lambda: build(overlay(outbound_ports=100)), "multiple of 8"),
        (lambda: build(overlay(outbound_ports=64000)), "enough for 1 nodes"),
        (lambda: replace(overlay(), clusters=()).cluster, "is no cluster"),
        (
            lambda: replace(
                overlay(), clusters=(overlay().cluster, Cluster("overlay", "nodes", name="aks"))
            ),
            "'aks' is twice the name of a cluster",
        ),
    ],
)
def test_clusters_that_cannot_be(describe, told):
    refused(describe, told)


@pytest.mark.parametrize(
    ("describe", "told"),
    [
        (lambda: overlay(nodes=(Node("node1"), Node("node2"), Node("node2"))), "twice"),
        (lambda: overlay(nodes=(Node("azure"), Node("node1"), Node("node2"))), "twice"),
        (lambda: overlay(nodes=(Node("aks-nodepool1-1"), Node("node1"), Node("node2"))), "Shorten"),
        (lambda: Node("node 1"), "'node 1' is no name of a node"),
        (lambda: overlay(nodes=(Node("node1", "10.240.0.3"), Node("node2"))), "kept by Azure"),
        (
            lambda: build(overlay(nodes=(Node("node1", "10.240.1.9"), Node("node2")))),
            "outside of subnet nodes",
        ),
        (lambda: overlay(nodes=(Node("node1", pool="gpu"), Node("node2"))), "is no node pool"),
        (lambda: two_nodes("10.245.0.0/24"), "outside of the pod range"),
        (lambda: two_nodes("10.244.3.0/24", "10.244.3.0/24"), "two nodes have it"),
        *(
            (lambda length=length: two_nodes(f"10.244.4.0/{length}"), "Each has a /24")
            for length in (22, 23, 25, 30, 31, 32)
        ),
        (
            lambda: small_cluster("node-subnet").changed(
                nodes=(Node("node1", held=("10.240.0.9",)), Node("node2", held=("10.240.0.9",)))
            ),
            "'10.240.0.9' is twice",
        ),
        *(
            (lambda ip=ip: holding(ip), told)
            for ip, told in (
                ("10.240.0.1", "kept by Azure in subnet nodes"),
                ("10.240.0.255", "kept by Azure in subnet nodes"),
                ("10.240.0.100", "'10.240.0.100' is twice"),
                ("10.240.0.200", "'10.240.0.200' is twice"),
                ("10.240.1.9", "'10.240.1.9' lies outside of subnet nodes. The card of node1"),
                ("10.9.9.9", "'10.9.9.9' lies outside of subnet nodes"),
                ("127.0.0.1", "no host may have"),
                ("node2", "'node2'"),
            )
        ),
        (
            lambda: small_cluster("node-subnet").changed(
                nodes=(Node("node1", held=("10.240.0.9",)), Node("node2", "10.240.0.9"))
            ),
            "'10.240.0.9' is twice",
        ),
    ],
)
def test_nodes_that_cannot_be(describe, told):
    refused(describe, told)


def test_a_node_gets_a_part_of_the_pod_range_that_no_other_one_overlaps():
    nodes = build(two_nodes("", "10.244.0.0/24")).topology.cluster.nodes
    assert [node.pod_range for node in nodes] == ["10.244.1.0/24", "10.244.0.0/24"]


@pytest.mark.parametrize(
    ("describe", "told"),
    [
        (lambda: Pod("p", "n", ports=("http",)), "is no port"),
        (lambda: overlay(pods=(Pod("p", "node9"),)), "is no node"),
        (lambda: Pod("", "node1"), "'' is no name of a pod"),
        (lambda: Pod(None, "node1"), "None is no name of a pod"),
        (lambda: Pod("a b", "node1"), "'a b' is no name of a pod"),
        (lambda: Pod("../x", "node1"), "is no name of a pod"),
        (lambda: Pod("a", "node1", namespace="my team"), "is no name of a namespace"),
        (lambda: Pod("a", "node1", address="10.244.0"), "10.244.0"),
        (
            lambda: more_pods(Pod("web-1", "node1", namespace="other")),
            "'web-1' is a pod of default and of other. Rename one",
        ),
        (
            lambda: more_pods(*(Pod(name, "node1", host_network=True) for name in "ab")),
            "'node1 8080/tcp' is twice the port",
        ),
        (
            lambda: build(more_pods(*(Pod(name, "node1", address="10.244.0.9") for name in "ab"))),
            "is the address of a and of b",
        ),
    ],
)
def test_pods_that_cannot_be(describe, told):
    refused(describe, told)


def test_pods_of_the_host_network_may_have_one_port_on_two_nodes():
    agents = (Pod(f"agent-{n}", f"node{n}", host_network=True) for n in (1, 2))
    build(more_pods(*agents))


@pytest.mark.parametrize("model", ROUTED)
@pytest.mark.parametrize(
    "address",
    ["10.244.0.1", "10.244.0.255", "10.244.1.9", "10.240.0.4", "10.240.0.60", "8.8.8.8"],
    ids=["the gateway", "broadcast", "of node2's range", "of its node", "of a subnet", "public"],
)
def test_a_pod_of_a_routed_model_has_an_address_of_its_nodes_range(model, address):
    refused(lambda: build(more_pods(Pod("p", "node1", address=address), model=model)), address)


@pytest.mark.parametrize("model", FLAT)
@pytest.mark.parametrize(
    "address",
    ["10.240.1.4", "10.240.0.100", "10.240.0.4", "10.240.0.200", "10.240.0.1", "10.240.2.3",
     "10.240.2.255", "10.244.0.9", "8.8.8.8"],
    ids=["a machine's in another subnet", "a machine's", "of its node", "a load balancer's",
         "kept by Azure", "kept in the pod subnet", "broadcast", "of no subnet", "public"],
)  # fmt: skip
def test_a_pod_of_a_flat_model_has_an_address_of_its_subnet_that_nobody_has(model, address):
    refused(lambda: build(more_pods(Pod("p", "node1", address=address), model=model)), address)


@pytest.mark.parametrize("model", FLAT)
def test_a_pod_of_a_flat_model_has_no_address_of_another_nodes_card(model):
    pods = build(small_cluster(model)).topology.cluster
    card = pods.node("node2").held[-1]
    refused(lambda: build(more_pods(Pod("p", "node1", address=card), model=model)), card)


@pytest.mark.parametrize("model", FLAT)
def test_a_pod_of_a_flat_model_may_have_an_address_that_is_on_no_card(model):
    free = "10.240.0.60" if model == "node-subnet" else "10.240.2.200"
    world = build(more_pods(Pod("lost", "node1", address=free), model=model))
    assert world.address("lost") == free


@pytest.mark.parametrize("model", MODELS)
def test_what_was_given_out_may_be_given_by_hand(model):
    topology = build(small_cluster(model)).topology
    assert build(topology).topology == topology


@pytest.mark.parametrize(
    ("describe", "told"),
    [
        (lambda: overlay(service_range="10.1.0.0/16"), "outside of the Services' range"),
        (lambda: overlay(exposures=(web(), web())), "'default/web' is twice the name"),
        (lambda: overlay(exposures=(renamed(web(), ports=()),)), "has no port"),
        (
            lambda: overlay(exposures=(web(), renamed(web(), cluster_ips=("10.0.0.80",)))),
            "twice the cluster IP",
        ),
        (
            lambda: overlay(exposures=(web(), renamed(web(), load_balancer_ingress=()))),
            "'30080/TCP' is twice the node port",
        ),
        (
            lambda: overlay(
                exposures=(local(), service("other", ServicePort(80, node_port=32081)))
            ),
            "'32081/TCP' is twice the node port",
        ),
        (
            lambda: overlay(
                exposures=(web(), service("other", ServicePort(80), at="198.51.100.80"))
            ),
            "'198.51.100.80 80/TCP' is twice the address and port of a load balancer",
        ),
        (lambda: overlay(exposures=(web(address="10.240.0.100"),)), "'10.240.0.100' is twice"),
        (
            lambda: overlay(
                nodes=(Node("node1", "10.240.0.9"), Node("node2")),
                exposures=(web(address="10.240.0.9"),),
            ),
            "'10.240.0.9' is twice",
        ),
        (lambda: overlay(exposures=(web(address="10.241.0.9"),)), "is private, and in no subnet"),
        (lambda: overlay(exposures=(web(address="10.240.9.9"),)), "is private, and in no subnet"),
        (lambda: overlay(exposures=(web(address="10.240.0.2"),)), "kept by Azure"),
        (lambda: overlay(exposures=(web(address="169.254.1.1"),)), "no host may have"),
        (lambda: overlay(exposures=(web(address="192.0.2.1"),)), "kept by this model"),
        (lambda: overlay(exposures=(web(address="198.51.100.3"),)), "kept by this model"),
        (lambda: overlay(exposures=(web(address="203.0.113.1"),)), "kept by this model"),
        *(
            (
                lambda ip=ip: overlay(exposures=(renamed(web(), cluster_ips=(ip,)),)),
                "is the first or last of 10.0.0.0/16",
            )
            for ip in ("10.0.0.0", "10.0.255.255")
        ),
        *(
            (
                lambda port=port: overlay(
                    exposures=(service("s", ServicePort(80, node_port=port)),)
                ),
                f"{port} is no node port. Give 30000 to 32767",
            )
            for port in (80, 29999, 32768)
        ),
        (
            lambda: overlay(exposures=(renamed(local(), health_check_node_port=8080),)),
            "8080 is no node port",
        ),
        (
            lambda: overlay(exposures=(renamed(local(), health_check_node_port=0),)),
            "'default/other' has externalTrafficPolicy Local and no health_check_node_port",
        ),
    ],
)
def test_services_that_cannot_be(describe, told):
    refused(describe, told)


def renamed(exposure, **fields):
    """The same under another name, with another cluster IP and other fields."""
    given = {"name": "other", "cluster_ips": ("10.0.0.99",)} | fields
    return replace(exposure, service=replace(exposure.service, **given))


def test_services_of_two_namespaces_may_have_one_name_and_of_two_protocols_one_port():
    ports = (ServicePort(53, "tcp", node_port=30053), ServicePort(53, "udp", "UDP", 30053))
    dns = service("web", *ports, at="198.51.100.53")
    team = replace(dns, service=replace(dns.service, namespace="team"))
    build(overlay(exposures=(web(), front(), team)))


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "0.0.0.0", "0.0.0.5", "224.0.0.1", "255.255.255.255", "168.63.129.16",
     "169.254.169.254", "240.0.0.5"],
)  # fmt: skip
def test_no_machine_is_where_no_host_can_be(address):
    refused(lambda: machine_at(address), "no host may have")


@pytest.mark.parametrize(
    "text", ["127.0.0.0/16", "224.0.0.0/16", "240.0.0.0/16", "0.0.0.0/16", "168.63.129.0/24"]
)
def test_no_range_is_where_no_host_can_be(text):
    told = f"'{text}' overlaps .*, which no host may have"
    refused(lambda: overlay(pod_range=text), told)
    refused(lambda: overlay(service_range=text, exposures=()), told)
    refused(lambda: replace(overlay(), on_premises=(text,)), told)
    refused(lambda: VirtualNetwork("v", (text,)), "no virtual network has that|no private range")


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "1.0.0.1", "203.0.113.2"])
def test_a_machine_in_the_internet_may_have_the_first_address_of_its_range(address):
    world = build(machine_at(address))
    for source, to in (("vm-2", address), ("web-1", address), ("vm", "198.51.100.80")):
        assert predict(world, Flow(source, to, 80)).trace.disposition == Disposition.DELIVERED


@pytest.mark.parametrize(
    ("describe", "told"),
    [
        (lambda: machine_at("198.51.100.80"), "'198.51.100.80' is twice"),
        (lambda: machine_at("10.240.0.200"), "'10.240.0.200' is twice"),
        (lambda: machine_at("10.240.0.255"), "kept by Azure"),
        *(
            (lambda ip=ip: machine_at(ip), "kept by this model")
            for ip in ("192.0.2.1", "192.0.2.2", "192.0.2.77", "198.51.100.3", "203.0.113.1")
        ),
        (lambda: machine_at("198.51.100.4"), "'198.51.100.4' is what the internet sees of aks"),
        *(
            (lambda ip=ip: machine_at(ip), "kept by the router of 192.168.0.0/24")
            for ip in ("192.168.0.0", "192.168.0.1", "192.168.0.255")
        ),
        *(
            (lambda ip=ip: machine_at(ip), f"'{ip}' is the first or last of 203.0.113.0/24")
            for ip in ("203.0.113.0", "203.0.113.255")
        ),
        *(
            (lambda ip=ip: machine_at(ip), "would stand nowhere")
            for ip in ("100.64.0.9", "10.240.9.9", "172.16.0.9", "192.168.1.4")
        ),
        (
            lambda: machine_at("10.240.2.200", "pod-subnet-static"),
            "'vm' stands in pods, which is delegated to pods",
        ),
        (lambda: Proxy(80, "web-1", 8080), "'web-1'"),
        (lambda: Proxy(0, "10.240.0.4", 8080), "is no port"),
        (
            lambda: machine_at("10.240.1.9", proxy=Proxy(80, "8.8.8.8", 80)),
            "'8.8.8.8' is nowhere here: vm opens connections to it",
        ),
        (lambda: Machine("my vm", "10.240.0.9"), "is no name of a machine"),
    ],
)
def test_machines_that_cannot_be(describe, told):
    refused(describe, told)


@pytest.mark.parametrize("to", ["10.244.0.2", "192.168.0.4", "203.0.113.10", "198.51.100.80"])
def test_a_proxy_may_lead_to_whatever_has_an_address(to):
    build(machine_at("10.240.1.9", proxy=Proxy(80, to, 80)))


def test_a_range_on_premises_may_overlap_the_pods():
    topology = replace(overlay(), on_premises=("10.244.200.0/24", "192.168.0.0/24"))
    build(replace(topology, machines=(*topology.machines, Machine("vm", "10.244.200.4"))))


def test_max_pods_may_be_smaller_than_aks_allows_so_that_a_node_is_soon_full():
    three = tuple(Pod(f"p-{n}", "node1") for n in range(3))
    build(small_cluster("node-subnet").changed(pods=three, max_pods=3))
    fourth = (*three, Pod("p-3", "node1"))
    refused(
        lambda: small_cluster("node-subnet").changed(pods=fourth, max_pods=3), "max-pods 3. Move"
    )


def test_a_load_balancer_may_have_the_address_that_the_internet_sees_of_its_cluster():
    world = build(overlay(exposures=(web(address="198.51.100.4"),)))
    trace = predict(world, Flow("internet", "198.51.100.4", 80)).trace
    assert trace.server.startswith("web-")


def test_a_route_table_has_one_route_for_a_nodes_pods_the_users_or_that_of_aks():
    own = UserRoute("10.244.0.0/24", "None")
    refused(lambda: build(with_routes(small_cluster("kubenet"), own)), "AKS writes that of node1")
    build(with_routes(small_cluster("kubenet").changed(missing_routes=("node1",)), own))
    build(with_routes(small_cluster("overlay"), own))


def test_who_asks_from_a_pod_without_a_network_of_its_own_is_sent_to_its_node():
    world = build(more_pods(Pod("agent", "node2", host_network=True, ports=(9100,))))
    refused(lambda: predict(world, Flow("agent", "10.244.0.2", 8080)), "Name node2")
    refused(lambda: predict(world, Flow("nobody", "10.244.0.2", 8080)), "'nobody' is no host here")


@pytest.mark.parametrize("content", [[], None, 7, "[]", "null"])
def test_a_cni_list_that_is_no_object_is_refused_like_any_other(content):
    refused(lambda: parse(content), "no JSON object")
