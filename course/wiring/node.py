"""A node: what every network model has in common, and kube-proxy's rules.

>>> from course.topology import Cluster, Node
>>> from course.virtual_network import Subnet
>>> subnet = Subnet("nodes", "10.240.0.0/24")
>>> cluster = Cluster("overlay", "nodes", (Node("node1", "10.240.0.4"),))
>>> host = node_host(cluster, cluster.nodes[0], subnet, Ports(), "10.244.0.0/16")
>>> print(host.interface("eth0"))
0: eth0: <UP> mtu 1500
    link/ether 00:0d:3a:f0:00:04
    inet 10.240.0.4/24 scope global eth0
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from course.addresses import parse_address
from course.kubeproxy import LocalDetector, Options, State, full_sync, jumps
from course.linux.host import Host, Socket
from course.linux.interfaces import Interface, Neighbour, loopback
from course.linux.routing import Route
from course.linux.ruleset import Ruleset
from course.topology import AZURE, Cluster, Node, Pod, sockets
from course.virtual_network import Subnet
from course.wiring.made import card

KUBELET_PORT = 10250  # Kubernetes documentation, "Ports and Protocols"
VENDOR = ("00", "0d", "3a")  # Microsoft, in IEEE's list (MA-L); cards of Azure show it


@dataclass(frozen=True)
class Ports:
    """A node's side of its pods: interfaces, routes and neighbours that lead to them."""

    interfaces: tuple[Interface, ...] = ()
    routes: tuple[Route, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    sysctls: Mapping[str, int] = field(default_factory=dict)


def node_host(
    cluster: Cluster,
    node: Node,
    subnet: Subnet,
    to_pods: Ports,
    pods_are_in: str,
    masquerading: str = "",
) -> Host:
    """A node as a host: its network card, the way to its pods, kube-proxy, masquerading.

    `pods_are_in` is what kube-proxy is told as its cluster CIDR (detectLocalMode ClusterCIDR).
    route_localnet is set by kube-proxy, so that node ports answer at 127.0.0.1 too; ip_forward and
    bridge-nf-call-iptables by the node's image; the rest is what Linux does by itself. Sources:
    kubernetes pkg/proxy/iptables/proxier.go (NewProxier); Azure/AgentBaker,
    /etc/sysctl.d/99-force-bridge-forward.conf.
    """
    eth0 = Interface(
        "eth0", addresses=(f"{node.address}/{subnet.length}",), mac=mac_of(node.address),
        peer=card(node.name), peer_host=AZURE,
    )  # fmt: skip
    interfaces = (loopback(), eth0, *to_pods.interfaces)
    addresses = tuple(ip for each in interfaces[1:] for ip in each.ips)
    return Host(
        node.name,
        interfaces,
        (Route("default", via=subnet.gateway, dev="eth0"), *to_pods.routes),
        sysctls={
            "net.ipv4.ip_forward": 1,
            "net.ipv4.conf.all.route_localnet": 1,
            "net.bridge.bridge-nf-call-iptables": int(cluster.bridge_calls_iptables),
            **to_pods.sysctls,
        },
        netfilter=rules(cluster, node, addresses, pods_are_in, masquerading),
        neighbours=to_pods.neighbours,
        sockets=(Socket("tcp", KUBELET_PORT), *_sockets_of_host_network(cluster, node)),
    )


def rules(
    cluster: Cluster, node: Node, addresses: tuple[str, ...], pods_are_in: str, masquerading: str
) -> Ruleset:
    """kube-proxy's rules of this node, and then those that masquerade."""
    detector = LocalDetector("ClusterCIDR", pods_are_in)
    options = Options(node.name, node.address, addresses, local_detector=detector)
    state = State(options, cluster.services, cluster.endpoint_slices)
    empty = Ruleset().apply("*mangle\nCOMMIT\n*nat\nCOMMIT\n*filter\nCOMMIT\n")
    ruleset = empty.apply(jumps()).apply(full_sync(state).text())
    return ruleset.apply(masquerading) if masquerading else ruleset


def pod_host(
    pod: Pod, eth0: Interface, routes: tuple[Route, ...], neighbours: tuple[Neighbour, ...] = ()
) -> Host:
    """A pod as a host: one interface, and the sockets of its containers."""
    waiting = tuple(Socket(protocol, port) for protocol, port in sockets(pod.ports))
    return Host(
        pod.name, (loopback(), eth0), routes, neighbours=neighbours, sockets=waiting,
    )  # fmt: skip


def mac_of(address: str) -> str:
    """A MAC for a network card: that of a vendor, then three bytes. Chosen here: those follow the
    address, while Azure's tell nothing.

    >>> mac_of("10.240.0.4")
    '00:0d:3a:f0:00:04'
    """
    last = int(parse_address(address)).to_bytes(4, "big")[1:]
    return ":".join((*VENDOR, *(f"{byte:02x}" for byte in last)))


def _sockets_of_host_network(cluster: Cluster, node: Node) -> tuple[Socket, ...]:
    pods = (pod for pod in cluster.pods if pod.node == node.name and pod.host_network)
    return tuple(Socket(protocol, port) for pod in pods for protocol, port in sockets(pod.ports))
