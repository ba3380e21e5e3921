"""A topology as text, a line for each thing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from course.topology.cluster import Exposure, Pod

if TYPE_CHECKING:
    from course.topology.topology import Topology


def lines(topology: Topology) -> Iterator[str]:
    """The lines of `Topology.describe`."""
    for network in topology.networks:
        peers = f", peered with {', '.join(network.peerings)}" if network.peerings else ""
        gateway = ", gateway to on-premises networks" if network.gateway else ""
        yield f"virtual network {network.name} {', '.join(network.ranges)}{peers}{gateway}"
        for subnet in network.subnets:
            yield f"  subnet {subnet.name} {subnet.range}"
            yield from (f"    route {route}" for route in subnet.routes)
            yield from (f"    security rule {rule}" for rule in subnet.security or ())
    for machine in topology.machines:
        yield f"machine {machine.name} {machine.address}"
    for cluster in topology.clusters:
        yield (
            f"cluster {cluster.name}: {cluster.model}, nodes in {cluster.subnet}, pods in "
            f"{cluster.pod_subnet or cluster.pod_range}, Services in {cluster.service_range}"
        )
        for pool in cluster.more_pools:
            pods = f", pods in {pool.pod_subnet}" if pool.pod_subnet else ""
            yield f"  node pool {pool.name}: nodes in {pool.subnet}{pods}"
        for node in cluster.nodes:
            words = (node.name, node.address, node.pod_range, node.pool)
            yield "  " + " ".join(filter(None, words))
            for pod in cluster.pods:
                if pod.node == node.name:
                    yield _pod_line(pod)
        for each in cluster.exposures:
            yield f"  {_service_line(each)}"


def _pod_line(pod: Pod) -> str:
    labels = " ".join(f"{key}={value}" for key, value in pod.labels.items())
    where = "in its node's network" if pod.host_network else pod.address
    words = (pod.name, where, labels, f"listens {', '.join(map(str, pod.ports))}")
    return "    " + " ".join(filter(None, words))


def _service_line(exposure: Exposure) -> str:
    service = exposure.service
    ports = ", ".join(f"{port.port}/{port.protocol}" for port in service.ports)
    at = ", ".join((*service.cluster_ips, *(each.ip for each in service.load_balancer_ingress)))
    labels = " ".join(f"{key}={value}" for key, value in exposure.selector.items())
    return f"Service {service.name} {service.type} {at} {ports} for {labels}"
