"""A cluster as it was described for prediction, as a design to plan: one description, two uses.

Two nodes with max-pods 15 and one more for an upgrade take 48 addresses of their subnet; a machine
and the front end of an internal load balancer stand in it too:

>>> from course.planner.comparison import compare
>>> from course.scenarios import small_cluster
>>> judged = compare(design_of(small_cluster("node-subnet"))).judged
>>> judged.model.title, judged.works, judged.demands[0].needed
('Azure CNI, node subnet', True, 50)
"""

from __future__ import annotations

from collections.abc import Iterator

from course import networks
from course.addresses import parse_range
from course.design import Design, NamedRange, Outbound, Pool, Services, Subnet
from course.fabric.balancer import fronts
from course.topology import Cluster, NodePool, Topology
from course.virtual_network import VirtualNetwork


def design_of(topology: Topology, name: str = "") -> Design:
    """The design of a cluster of a topology: the first one, or that of this name.

    A pool runs as many nodes as are described, and on each as many pods as the fullest has. What a
    description does not tell, such as the max-surge, is left to AKS. Raises InputError for a name
    that no cluster has.
    """
    cluster = topology.cluster_named(name) if name else topology.cluster
    home = topology.network_of(topology.subnet(cluster.subnet))
    peers = topology.connected(home)[1:]
    inside = [ip for _, ip in fronts(cluster) if topology.subnet_of(ip)]
    ports = [len(service.ports) for service, _ in fronts(cluster)]
    flat = networks.model(cluster.model).flat
    return Design(
        cluster.name, cluster.model,
        pools=tuple(_pool(cluster, pool) for pool in cluster.pools),
        vnet=tuple(map(parse_range, home.ranges)),
        subnets=tuple(_subnets(topology, home)),
        pod_range=None if flat else parse_range(cluster.pod_range),
        service_range=parse_range(cluster.service_range),
        peered=tuple(_named(peers)),
        on_premises=tuple(_on_premises(topology, home)),
        outbound=Outbound(ports_per_node=cluster.outbound_ports),
        services=Services(len(ports) - len(inside), len(inside), max(ports, default=1)),
    )  # fmt: skip


def _pool(cluster: Cluster, pool: NodePool) -> Pool:
    nodes = [node.name for node in cluster.nodes if cluster.pool_of(node) == pool]
    fullest = max((len(cluster.pods_of(node)) for node in nodes), default=0)
    return Pool(
        pool.name, len(nodes), max_pods=pool.max_pods, pods=fullest, subnet=pool.subnet,
        pod_subnet=pool.pod_subnet or "pods",
    )  # fmt: skip


def _subnets(topology: Topology, home: VirtualNetwork) -> Iterator[Subnet]:
    """The subnets of the cluster's network, with the machines that stand in them."""
    for each in home.subnets:
        others = [one for one in topology.machines if topology.subnet_of(one.address) == each]
        yield Subnet(each.name, parse_range(each.range), len(others))


def _named(peers: tuple[VirtualNetwork, ...]) -> Iterator[NamedRange]:
    for peer in peers:
        for number, text in enumerate(peer.ranges, 1):
            name = peer.name if len(peer.ranges) == 1 else f"{peer.name}-{number}"
            yield NamedRange(name, parse_range(text))


def _on_premises(topology: Topology, home: VirtualNetwork) -> Iterator[NamedRange]:
    if home.gateway:
        for number, text in enumerate(topology.on_premises, 1):
            yield NamedRange(f"on-premises-{number}", parse_range(text))
