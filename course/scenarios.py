"""The small cluster that all lessons use, and the flows that they follow through it.

>>> from course.world import build
>>> world = build(small_cluster("node-subnet"))
>>> print(SCENARIOS["across nodes"].flow(world))
web-1 -> tcp 10.240.0.21:8080
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from course.kubeproxy.objects import LoadBalancerIngress, Service, ServicePort
from course.topology import Cluster, Exposure, Machine, Node, Pod, Topology
from course.trace import Flow
from course.virtual_network import SecurityRule, Subnet, VirtualNetwork
from course.world import World

CLUSTER_IP, NODE_PORT = "10.0.0.80", 30080
CLUSTER_DNS = "10.0.0.10"  # fact aks.default_dns_service_ip
PUBLIC, INTERNAL, FRONT = "198.51.100.80", "10.240.0.200", "198.51.100.83"
DNS, METADATA = "168.63.129.16", "169.254.169.254"  # of Azure, the same for every machine
PLACES = (
    Machine("vm-1", "10.240.0.100"),  # in the node subnet
    Machine("vm-2", "10.240.1.4"),  # in another subnet of the virtual network
    Machine("peer", "10.241.0.4"),
    Machine("office", "192.168.0.4"),
    Machine("internet", "203.0.113.10"),
)


@dataclass(frozen=True)
class Scenario:
    """A flow that a lesson follows: from a host to another one, or to an address."""

    title: str
    source: str
    to: str
    port: int
    lessons: tuple[int, ...]
    protocol: str = "tcp"

    def flow(self, world: World) -> Flow:
        """The flow in a World of the small cluster, of whatever model."""
        address = world.address(self.to) if self.to in world.by_name else self.to
        return Flow(self.source, address, self.port, self.protocol)


SCENARIOS = {
    "on a node": Scenario("a pod calls a pod on its node", "web-1", "web-2", 8080, (1, 3, 4, 5)),
    "from its node": Scenario("a node calls a pod of its own", "node1", "web-1", 8080, (1, 3)),
    "ping across nodes": Scenario(
        "a pod pings a pod on another node", "web-1", "web-3", 0, (1, 4, 6), "icmp"
    ),
    "across nodes": Scenario(
        "a pod calls a pod on another node", "web-1", "web-3", 8080, (1, 4, 5, 6)
    ),
    "to a VM": Scenario("a pod calls a machine in its network", "web-1", "vm-2", 80, (4, 5, 6)),
    "to a peered VM": Scenario(
        "a pod calls a machine in a peered network", "web-1", "peer", 80, (5,)
    ),
    "to on premises": Scenario("a pod calls a machine on premises", "web-1", "office", 80, (6,)),
    "to the internet": Scenario("a pod calls the internet", "web-1", "internet", 80, (4, 5, 6)),
    "ping the internet": Scenario("a pod pings the internet", "web-1", "internet", 0, (4,), "icmp"),
    "to Azure's DNS": Scenario("a pod asks Azure's DNS", "web-1", DNS, 53, (4, 5), "udp"),
    "to instance metadata": Scenario(
        "a pod asks for the metadata of its node", "web-1", METADATA, 80, (5,)
    ),
    "to a ClusterIP": Scenario("a pod calls a Service", "web-1", CLUSTER_IP, 80, (2, 5)),
    "ping a ClusterIP": Scenario("a pod pings a Service", "web-1", CLUSTER_IP, 0, (2,), "icmp"),
    "nobody there": Scenario(
        "a pod calls a Service without endpoints", "web-1", "10.0.0.82", 80, (2,)
    ),
    "to a NodePort, Cluster": Scenario(
        "a machine calls a node port that serves all", "vm-2", "node2", NODE_PORT, (2,)
    ),
    "to a NodePort, Local": Scenario(
        "a machine calls a node port where the pod is", "vm-2", "node1", 30081, (2,)
    ),
    "to the wrong NodePort, Local": Scenario(
        "a machine calls a node port where no pod is", "vm-2", "node2", 30081, (2,)
    ),
    "to a load balancer, Cluster": Scenario(
        "the internet calls a Service", "internet", PUBLIC, 80, (2, 5)
    ),
    "ping a load balancer": Scenario(
        "the internet pings a Service's load balancer", "internet", PUBLIC, 0, (2,), "icmp"
    ),
    "to a load balancer, Local": Scenario(
        "the internet calls a Service that keeps its address", "internet", FRONT, 80, (2, 5)
    ),
    "to an internal load balancer, Local": Scenario(
        "a machine calls a Service that keeps its address", "vm-2", INTERNAL, 80, (2, 5)
    ),
    "to its own public address": Scenario(
        "a pod calls the public address of a Service", "web-1", PUBLIC, 80, (2,)
    ),
    "from outside": Scenario("a machine calls a pod", "vm-2", "web-1", 8080, (1, 4, 5, 6)),
    "from the node subnet": Scenario(
        "a machine beside the nodes calls a pod", "vm-1", "web-1", 8080, (4, 6)
    ),
}


def small_cluster(model: str) -> Topology:
    """Two nodes with two pods each, and a machine in every place from which one may look at them.

    Four Services: `web`, of type LoadBalancer with a public address, policy Cluster, and `front`,
    the same with policy Local, both before the pods web-1 to web-4; `local`, with an internal
    address and policy Local, before web-1 alone; and `empty`, behind which nobody stands.
    """
    nodes = (Node("node1"), Node("node2"))
    pods = tuple(
        Pod(f"web-{n}", f"node{1 + (n > 2)}", {"app": "web", "n": str(n)}) for n in range(1, 5)
    )
    cluster = Cluster(
        model, "nodes", nodes, pods, (web(), front(), local(), empty()),
        pod_subnet="pods" if model.startswith("pod-subnet") else "", max_pods=15,
    )  # fmt: skip
    return Topology(networks(), PLACES, (cluster,), ("192.168.0.0/24",))


def networks() -> tuple[VirtualNetwork, ...]:
    """The cluster's virtual network, with a gateway to on premises, and one peered with it."""
    subnets = (
        Subnet("nodes", "10.240.0.0/24"),
        Subnet("others", "10.240.1.0/24"),
        Subnet("pods", "10.240.2.0/24"),
    )
    return (
        VirtualNetwork("vnet", ("10.240.0.0/16",), subnets, ("peered",), gateway=True),
        VirtualNetwork("peered", ("10.241.0.0/16",), (Subnet("far", "10.241.0.0/24"),), ("vnet",)),
    )


def web(policy: str = "Cluster", address: str = PUBLIC) -> Exposure:
    """The Service `web`, before all pods."""
    return _exposed("web", CLUSTER_IP, NODE_PORT, address, policy, {"app": "web"})


def front() -> Exposure:
    """The Service `front`, before all pods; a client keeps its address."""
    return _exposed("front", "10.0.0.83", 30083, FRONT, "Local", {"app": "web"})


def local(policy: str = "Local", address: str = INTERNAL) -> Exposure:
    """The Service `local`, before web-1 alone."""
    return _exposed("local", "10.0.0.81", 30081, address, policy, {"app": "web", "n": "1"})


def empty() -> Exposure:
    """The Service `empty`: no pod has its labels."""
    service = Service("default", "empty", ("10.0.0.82",), (ServicePort(80, "http"),))
    return Exposure(service, {"app": "nothing"})


def with_cluster_dns(topology: Topology) -> Topology:
    """The same cluster with its DNS: one CoreDNS pod on node1 behind the Service kube-dns.

    AKS runs at least two; one shows better on which side of a broken way a pod stands.
    """
    labels = {"k8s-app": "kube-dns"}
    port = ServicePort(53, "dns", "UDP", target_port=53)
    service = Service("kube-system", "kube-dns", (CLUSTER_DNS,), (port,))
    coredns = Pod("coredns", "node1", labels, ("53/udp",), namespace="kube-system")
    cluster = topology.cluster
    return topology.changed(
        pods=(*cluster.pods, coredns), exposures=(*cluster.exposures, Exposure(service, labels))
    )


def tidied_up(topology: Topology) -> Topology:
    """The same cluster after somebody has tidied up around it. What is gone, lesson 04 finds."""
    return topology.changed(missing_routes=("node2",))


def _exposed(
    name: str, cluster_ip: str, node_port: int, address: str, policy: str, labels: dict[str, str]
) -> Exposure:
    service = Service(
        "default", name, (cluster_ip,),
        (ServicePort(80, "http", node_port=node_port, target_port=8080),), "LoadBalancer",
        load_balancer_ingress=(LoadBalancerIngress(address),), external_traffic_policy=policy,
        health_check_node_port=node_port + 2000 if policy == "Local" else 0,
    )  # fmt: skip
    return Exposure(service, labels)


def two_clusters() -> Topology:
    """The small cluster in overlay, and beside it another one, `blue`, with the same pod range.

    >>> [cluster.pod_range for cluster in two_clusters().clusters]
    ['10.244.0.0/16', '10.244.0.0/16']
    """
    ours = small_cluster("overlay")
    nodes = (Node("blue-node1"), Node("blue-node2"))
    pods = (Pod("blue-1", "blue-node1"), Pod("blue-2", "blue-node2"))
    blue = Cluster(
        "overlay", "others", nodes, pods, name="blue", outbound_address="198.51.100.5"
    )  # fmt: skip
    return replace(ours, clusters=(*ours.clusters, blue))


def guarded(topology: Topology, *rules: SecurityRule) -> Topology:
    """The same with a network security group at the subnet of the nodes."""
    subnet = topology.cluster.subnet

    def with_group(each: Subnet) -> Subnet:
        return replace(each, security=rules) if each.name == subnet else each

    networks = tuple(
        replace(network, subnets=tuple(map(with_group, network.subnets)))
        for network in topology.networks
    )
    return replace(topology, networks=networks)
