"""Pods as ports of a bridge, as kubenet wires them.

Each pod has a veth; its other end is a port of cbr0. The bridge bears the first address of the
node's pod range, and that is the pods' gateway. Pods of one node reach each other through the
bridge alone; br_netfilter makes such packets pass iptables all the same, so that Services work.

Sources: the template of course.cni.kubenet; containernetworking/plugins, plugins/main/bridge.
"""

from __future__ import annotations

import hashlib
import json

from course.cni.configuration import FOLDER, parse
from course.cni.kubenet import BRIDGE, bridge_address, containerd_list
from course.cni.result import IPConfig, Result
from course.cni.result import Route as PodRoute
from course.cni.runtime import Attachment, PluginCall, plan_add
from course.linux.host import Host
from course.linux.interfaces import Interface, Neighbour
from course.linux.routing import Route
from course.topology import Cluster, Node, Pod, Topology
from course.wiring.made import Made
from course.wiring.node import Ports, node_host, pod_host

CONFIGURATION = f"{FOLDER}/10-containerd-net.conflist"


def made(cluster: Cluster, topology: Topology, masquerading: str) -> Made:
    """The nodes and pods of a cluster; what Azure learns of them is for the model to say."""
    by_pod = [(pod, node) for node in cluster.nodes for pod in cluster.pods_of(node.name)]
    nodes = (
        node_host(
            cluster, node, topology.node_subnet(cluster, node), ports(cluster, node),
            cluster.pod_range, masquerading,
        )
        for node in cluster.nodes
    )  # fmt: skip
    return Made(
        cluster,
        (*nodes, *(host(pod, node) for pod, node in by_pod)),
        {(node.name, veth(pod)): f"port of {pod.name}" for pod, node in by_pod},
        {node.name: files(cluster, node) for node in cluster.nodes},
        {pod.name: calls(cluster, pod, node) for pod, node in by_pod},
    )


def ports(cluster: Cluster, node: Node) -> Ports:
    """cbr0, and a port of it for each pod of a node."""
    gateway, length = bridge_address(node.pod_range), node.pod_range.partition("/")[2]
    pods = cluster.pods_of(node.name)
    bridge = Interface(BRIDGE, addresses=(f"{gateway}/{length}",), kind="bridge")
    veths = tuple(
        Interface(
            veth(pod), master=BRIDGE, hairpin=cluster.hairpin, peer="eth0", peer_host=pod.name
        )
        for pod in pods
    )
    known = tuple(Neighbour(pod.address, BRIDGE, port=veth(pod)) for pod in pods)
    return Ports((bridge, *veths), neighbours=known)


def host(pod: Pod, node: Node) -> Host:
    """A pod on the bridge: on one link with the other pods of its node, all else by cbr0."""
    length = node.pod_range.partition("/")[2]
    eth0 = Interface(
        "eth0", addresses=(f"{pod.address}/{length}",), peer=veth(pod), peer_host=node.name
    )
    return pod_host(pod, eth0, (Route("default", via=bridge_address(node.pod_range), dev="eth0"),))


def files(cluster: Cluster, node: Node) -> dict[str, str]:
    """The configuration list that containerd renders when the node learns its pod range."""
    conflist = containerd_list([node.pod_range], cluster.hairpin)
    return {CONFIGURATION: json.dumps(conflist, indent=2) + "\n"}


def calls(cluster: Cluster, pod: Pod, node: Node) -> tuple[PluginCall, ...]:
    """The calls that add the pod, its address pinned by CNI_ARGS."""
    network = parse(containerd_list([node.pod_range], cluster.hairpin))
    gateway, length = bridge_address(node.pod_range), node.pod_range.partition("/")[2]
    answer = Result(
        ips=(IPConfig(f"{pod.address}/{length}", gateway),), routes=(PodRoute("0.0.0.0/0"),)
    )
    return plan_add(network, attachment(pod, pinned=pod.address), answer)


def attachment(pod: Pod, pinned: str = "") -> Attachment:
    """The container of a pod, as a runtime presents it to plugins."""
    args = {
        "IgnoreUnknown": "1", "K8S_POD_NAMESPACE": pod.namespace, "K8S_POD_NAME": pod.name,
    } | ({"IP": pinned} if pinned else {})  # fmt: skip
    digest = hashlib.sha256(f"{pod.namespace}/{pod.name}".encode()).hexdigest()
    return Attachment(digest, f"/run/netns/{pod.name}", args=args)


def veth(pod: Pod) -> str:
    """The name of the node's end. The plugin draws one by chance; here it follows from the pod.

    >>> len(veth(Pod("web", "node1")))
    12
    """
    return "veth" + hashlib.sha256(f"{pod.namespace}.{pod.name}".encode()).hexdigest()[:8]
