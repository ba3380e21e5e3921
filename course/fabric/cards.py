"""Network cards as Azure sees them: whose, where, and which addresses stand on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from course.addresses import canonical, parse_range
from course.topology import Cluster, Machine, Node, Topology
from course.virtual_network import Subnet
from course.wiring.made import Made, card


@dataclass(frozen=True)
class Card:
    """A network card. `held` are addresses on it besides its own; they are of `pod_subnet` where
    the pods of a node have one. `cluster` names the cluster that it is a node of.

    `subnet` is None on premises. `forwards` is its IP forwarding.
    """

    owner: str
    address: str
    subnet: Subnet | None
    network: str
    held: tuple[str, ...] = ()
    gateway: str = ""
    length: str = ""
    forwards: bool = True
    pod_subnet: Subnet | None = None
    cluster: str = ""

    @property
    def dev(self) -> str:
        """The interface of Azure that leads to it."""
        return card(self.owner)


def cards(topology: Topology, made: Sequence[Made]) -> tuple[Card, ...]:
    """All network cards: those of nodes, of machines in subnets, and of machines on premises."""
    nodes = (
        _of_node(topology, each.cluster, node, tuple(each.cards.get(node.name, ())))
        for each in made
        for node in each.cluster.nodes
    )
    machines = (_of_machine(topology, machine) for machine in topology.machines)
    return (*nodes, *(each for each in machines if each))


def _of_node(topology: Topology, cluster: Cluster, node: Node, held: tuple[str, ...]) -> Card:
    subnet = topology.node_subnet(cluster, node)
    return Card(
        node.name, node.address, subnet, topology.network_of(subnet).name, held,
        subnet.gateway, subnet.length, node.ip_forwarding,
        topology.pod_subnet(cluster, node), cluster.name,
    )  # fmt: skip


def _of_machine(topology: Topology, machine: Machine) -> Card | None:
    """Its card; None for a machine in the internet. It passes on nothing, or is meant to: so no
    rule is needed for its IP forwarding."""
    subnet, behind = (
        topology.subnet_of(machine.address),
        topology.on_premises_range(machine.address),
    )
    if subnet:
        network = topology.network_of(subnet).name
        return Card(
            machine.name, machine.address, subnet, network, (), subnet.gateway, subnet.length
        )
    if behind:
        gateway, length = canonical(parse_range(behind)[1]), behind.partition("/")[2]
        return Card(machine.name, machine.address, None, "", (), gateway, length)
    return None
