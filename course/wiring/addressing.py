"""Which addresses nodes, network cards and pods are given, in the order in which they come.

Azure gives the first free address of a subnet; which one, nobody should rely on. Here it is always
the same, so that a prediction can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from course.addresses import canonical, contains, overlaps, parse_address, parse_range, subnets
from course.errors import InputError
from course.facts import number
from course.subnet import reserved_addresses
from course.topology import Cluster, Node, Pod, Topology
from course.topology.checks import beside
from course.virtual_network import Subnet


def nodes_with_cards(
    cluster: Cluster,
    topology: Topology,
    held: Callable[[Node], int] = lambda node: 0,
    pod_subnets: bool = False,
) -> Cluster:
    """Nodes with an address of their subnet each, and as many more on their network card as
    `held` says.

    Those come from the subnet of the pods if there is one, else from the node subnet, each node's
    after its own address: so stand 31 addresses side by side for a node with max-pods 30.
    `pod_subnets` is whether the model wants one for each pool. Raises InputError if a pool has none
    then, or has one otherwise; if a subnet is used up, or does not hold an address that was given.
    """
    _demand_pod_subnets(cluster, pod_subnets)
    names = {name for pool in cluster.pools for name in (pool.subnet, pool.pod_subnet) if name}
    free = {name: free_addresses(topology.subnet(name), topology) for name in names}
    nodes = []
    for node in cluster.nodes:
        pool = cluster.pool_of(node)
        of_pods = pool.pod_subnet or pool.subnet
        address = node.address or next(free[pool.subnet])
        more = node.held or tuple(next(free[of_pods]) for _ in range(held(node)))
        _demand_inside((address,), topology.subnet(pool.subnet))
        _demand_inside(more, topology.subnet(of_pods))
        nodes.append(replace(node, address=address, held=more))
    return replace(cluster, nodes=tuple(nodes))


def nodes_with_ranges(cluster: Cluster, topology: Topology) -> Cluster:
    """Nodes with an address of the node subnet and a /24 of the pod range each.

    Sources: facts kubenet.node_pod_cidr_prefix, overlay.node_pod_cidr_prefix,
    kubenet.no_overlap_with, overlay.no_overlap_with (AKS compares with subnets, not with the whole
    virtual network). Raises InputError if the pod range has too few, or overlaps what it must not.
    """
    beside(cluster.pod_range, _around(cluster, topology), "the pods' range")
    cluster = nodes_with_cards(cluster, topology)
    whole = parse_range(cluster.pod_range)
    taken = [parse_range(node.pod_range) for node in cluster.nodes if node.pod_range]
    length = number("overlay.node_pod_cidr_prefix")
    parts = subnets(whole, new_prefix=length)
    free = (canonical(part) for part in parts if not any(overlaps(part, one) for one in taken))
    nodes = []
    for node in cluster.nodes:
        share = node.pod_range or next(free, "")
        if not share:
            raise InputError(cluster.pod_range, "has no /24 left.", "Take a larger pod range.")
        nodes.append(replace(node, pod_range=share))
    return replace(cluster, nodes=tuple(nodes))


def pods_with(
    cluster: Cluster,
    offered: Callable[[Node], Iterator[str]],
    spare: Callable[[Node, str], bool] = lambda node, address: False,
) -> Cluster:
    """Pods with the first addresses that their node offers; those of the host network with its own.

    A pod may have been given another address that is `spare`. Raises InputError for one that is
    neither, or that two pods have, or if a node has too few.
    """
    _demand_possible(cluster, offered, spare)
    offers = {node.name: offered(node) for node in cluster.nodes}
    taken = {pod.address for pod in cluster.pods if pod.address}
    pods: list[Pod] = []
    for pod in cluster.pods:
        address = pod.address
        if pod.host_network:
            address = cluster.node(pod.node).address
        elif not address:
            address = next((each for each in offers[pod.node] if each not in taken), "")
        if not address:
            raise InputError(
                pod.name, f"gets no address on {pod.node}: none is left there.",
                "Move it to another node, or raise max-pods.",
            )  # fmt: skip
        pods.append(replace(pod, address=address))
    _distinct(pods)
    return replace(cluster, pods=tuple(pods))


def of_range(node: Node) -> Iterator[str]:
    """The addresses that a node's range offers pods: all after the gateway, the first one, but for
    the last.

    For kubenet that is what host-local gives out (course.cni.kubenet: the bridge is the gateway).
    For overlay it is chosen here, so that both models give a pod the same address: Azure documents
    a /24 for each node, not which of its addresses pods get.
    """
    whole = parse_range(node.pod_range)
    return (canonical(whole[index]) for index in range(2, whole.size - 1))


def of_card(node: Node) -> Iterator[str]:
    """The addresses that a node's network card offers pods."""
    return iter(node.held)


def spare_addresses(cluster: Cluster, topology: Topology) -> Callable[[Node, str], bool]:
    """Whether an address of the pods' subnet is nobody's, for clusters whose pods live in one.

    A pod that has it is reached from its own node only: Azure knows the addresses on cards.
    """
    others = [each for each in topology.clusters if each.name != cluster.name]
    taken = _taken(topology) | {pod.address for each in others for pod in each.pods}
    taken |= {address for node in cluster.nodes for address in (node.address, *node.held)}

    def spare(node: Node, address: str) -> bool:
        subnet = topology.pod_subnet(cluster, node) or topology.node_subnet(cluster, node)
        kept = reserved_addresses(parse_range(subnet.range))
        return address not in taken and kept.first_usable <= parse_address(address) <= (
            kept.last_usable
        )  # fmt: skip

    return spare


def free_addresses(subnet: Subnet, topology: Topology) -> Iterator[str]:
    """The addresses of a subnet that nobody has, after those that Azure keeps."""
    taken = _taken(topology)
    whole = parse_range(subnet.range)
    kept = reserved_addresses(whole)
    first, last = int(kept.first_usable) - whole.first, int(kept.last_usable) - whole.first
    for index in range(first, last + 1):
        address = canonical(whole[index])
        if address not in taken:
            yield address
    raise InputError(subnet.range, f"has no address left: subnet {subnet.name}.", "Enlarge it.")


def _taken(topology: Topology) -> set[str]:
    """The addresses of machines, load balancers, nodes and their network cards."""
    taken = {machine.address for machine in topology.machines}
    for cluster in topology.clusters:
        taken |= {*cluster.load_balancer_addresses}
        for node in cluster.nodes:
            taken |= {node.address, *node.held}
    return taken


def _around(cluster: Cluster, topology: Topology) -> Iterator[str]:
    """The ranges that a cluster's pods must be able to tell from their own."""
    network = topology.network_of(topology.subnet(cluster.subnet))
    for each in topology.connected(network):
        yield from (subnet.range for subnet in each.subnets)


def _demand_pod_subnets(cluster: Cluster, wanted: bool) -> None:
    for pool in cluster.pools:
        if bool(pool.pod_subnet) != wanted:
            has = "a pod subnet" if pool.pod_subnet else "no pod subnet"
            raise InputError(
                pool.name, f"has {has}, and the cluster is {cluster.model}.",
                "A pod subnet belongs to every pool of the pod-subnet models, and to no other.",
            )  # fmt: skip


def _demand_inside(addresses: Iterable[str], subnet: Subnet) -> None:
    for address in addresses:
        if not contains(parse_range(subnet.range), parse_address(address)):
            raise InputError(
                address, f"lies outside of subnet {subnet.name}.", f"It has {subnet.range}."
            )  # fmt: skip


def _demand_possible(
    cluster: Cluster,
    offered: Callable[[Node], Iterator[str]],
    spare: Callable[[Node, str], bool],
) -> None:
    """Raise InputError for a pod whose address, given by hand, its node could not give it."""
    given = [pod for pod in cluster.pods if pod.address and not pod.host_network]
    for name in dict.fromkeys(pod.node for pod in given):
        node = cluster.node(name)
        own = frozenset(offered(node))
        for pod in given:
            if pod.node == name and pod.address not in own and not spare(node, pod.address):
                raise InputError(
                    pod.address, f"is no address that {pod.name} can have on {name}: it is "
                    "another's, or none of the node's for pods.", "Change it, or leave it out.",
                )  # fmt: skip


def _distinct(pods: list[Pod]) -> None:
    owners: dict[str, str] = {}
    for pod in pods:
        if not pod.host_network and owners.setdefault(pod.address, pod.name) != pod.name:
            raise InputError(
                pod.address, f"is the address of {owners[pod.address]} and of {pod.name}.",
                "Change one of them.",
            )  # fmt: skip
