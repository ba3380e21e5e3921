"""Pods without a bridge: a veth each and a route to it, as Azure CNI's transparent mode wires them.

The pod believes that everything is behind 169.254.1.1, an address that nobody has: a static
neighbour entry says that it is at the MAC of the node's end of the veth. The node has one route
for each pod, and answers ARP on its veths (proxy_arp). So every packet of a pod is routed by the
node, even to a pod beside it.

Source: Azure/azure-container-networking, network/transparent_endpointclient_linux.go, and the
lists of course.cni.aks. The length of the pod's own address is that of the range it comes from;
the route that comes with it is removed, so it decides nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from course.addresses import canonical, parse_range
from course.cni.aks import LISTS, PATHS
from course.cni.configuration import parse
from course.cni.expected import VIRTUAL_GATEWAY, transparent
from course.cni.result import Interface as MadeInterface
from course.cni.result import IPConfig, Result
from course.cni.runtime import PluginCall, plan_add
from course.linux.host import Host
from course.linux.interfaces import Interface, Neighbour
from course.linux.routing import Route
from course.topology import Cluster, Node, Pod, Topology
from course.wiring.bridge import attachment
from course.wiring.made import Made
from course.wiring.node import Ports, node_host, pod_host

# the MAC that the plugin gives every end on the node
NODE_END_MAC = "aa:aa:aa:aa:aa:aa"


def made(
    cluster: Cluster,
    topology: Topology,
    conflist: str,
    range_of: Callable[[Node], str],
    pods_are_in: str,
    masquerading: Callable[[Node], str],
) -> Made:
    """The nodes and pods of a cluster; what Azure learns of them is for the model to say.

    `range_of` is the range from which the pods of a node have their addresses, `pods_are_in` what
    kube-proxy is told as its cluster CIDR, `masquerading` rules of a node beside kube-proxy's.
    """
    by_pod = [(pod, node) for node in cluster.nodes for pod in cluster.pods_of(node.name)]
    nodes = (
        node_host(
            cluster, node, topology.node_subnet(cluster, node), ports(cluster, node), pods_are_in,
            masquerading(node),
        )
        for node in cluster.nodes
    )  # fmt: skip
    return Made(
        cluster,
        (*nodes, *(host(pod, node, range_of(node)) for pod, node in by_pod)),
        {(node.name, veth(pod)): f"veth of {pod.name}" for pod, node in by_pod},
        {node.name: files(conflist) for node in cluster.nodes},
        {pod.name: calls(conflist, pod, range_of(node)) for pod, node in by_pod},
    )


def ports(cluster: Cluster, node: Node) -> Ports:
    """A veth, a route and proxy_arp for each pod of a node."""
    pods = cluster.pods_of(node.name)
    return Ports(
        tuple(
            Interface(veth(pod), mac=NODE_END_MAC, peer="eth0", peer_host=pod.name) for pod in pods
        ),
        tuple(Route(f"{pod.address}/32", dev=veth(pod), scope="link") for pod in pods),
        sysctls={f"net.ipv4.conf.{veth(pod)}.proxy_arp": 1 for pod in pods},
    )


def host(pod: Pod, node: Node, of_range: str) -> Host:
    """A pod whose only neighbour is its node; its address is one `of_range`."""
    length = of_range.partition("/")[2]
    eth0 = Interface(
        "eth0", addresses=(f"{pod.address}/{length}",), peer=veth(pod), peer_host=node.name,
        prefix_route=False,
    )  # fmt: skip
    routes = (
        Route(f"{VIRTUAL_GATEWAY}/32", dev="eth0", scope="link"),
        Route("default", via=VIRTUAL_GATEWAY, dev="eth0"),
    )
    return pod_host(pod, eth0, routes, (Neighbour(VIRTUAL_GATEWAY, "eth0", NODE_END_MAC),))


def files(conflist: str) -> dict[str, str]:
    """The configuration list of that name (course.cni.aks) as it stands on a node."""
    return {PATHS["config_file"]: json.dumps(LISTS[conflist].conflist, indent=2) + "\n"}


def calls(conflist: str, pod: Pod, of_range: str) -> tuple[PluginCall, ...]:
    """The calls that add the pod, its address one `of_range`.

    What azure-vnet really prints is not documented: the result expected here holds what the pod
    can be seen to have.
    """
    length, gateway = of_range.partition("/")[2], canonical(parse_range(of_range)[1])
    answer = Result(ips=(IPConfig(f"{pod.address}/{length}", gateway),))
    given = transparent(answer)
    made = (MadeInterface(), MadeInterface("eth0", sandbox=f"/run/netns/{pod.name}"))
    result = Result(made, (IPConfig(given.ips[0].address, VIRTUAL_GATEWAY, 1),), given.routes)
    network = parse(LISTS[conflist].conflist)
    return plan_add(network, attachment(pod), answer, results={"azure-vnet": result})


def veth(pod: Pod) -> str:
    """The name of the node's end: azv and 11 digits that follow from the pod.

    >>> len(veth(Pod("web", "node1")))
    14
    """
    return "azv" + hashlib.sha256(f"{pod.namespace}.{pod.name}".encode()).hexdigest()[:11]
