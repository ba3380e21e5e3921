"""The way out of a cluster: how many ports its nodes have for connections to the internet.

A load balancer gives each node a fixed share of the ports of its public addresses; a NAT gateway
lets all nodes draw from one pot.

Sources: facts snat.ports_per_frontend_ip, snat.default_table, snat.ports_multiple_of,
natgw.ports_per_ip.

>>> max_nodes(outbound_ips=2, ports_per_node=1000)
128
"""

from __future__ import annotations

from dataclasses import dataclass

from course.errors import InputError, whole_number
from course.facts import fact, number


def default_ports(nodes: int) -> int:
    """Ports that each node gets if nobody chooses: fewer, the more nodes there are.

    Raises InputError for more nodes than the table knows.

    >>> default_ports(50), default_ports(51)
    (1024, 512)
    """
    whole_number(nodes, "nodes", least=1)
    for sizes, ports in fact("snat.default_table").value.items():
        first, last = map(int, sizes.split("-"))
        if first <= nodes <= last:
            return int(ports)
    raise InputError(nodes, "nodes are beyond the documented table.", "Set the ports yourself.")


def ports_problem(ports_per_node: int) -> InputError | None:
    """Why AKS refuses so many ports a node, or None: a multiple of 8, at most 64,000; 0 means
    automatic.

    >>> print(ports_problem(1004))
    1004 is no number of ports a node that AKS accepts. Choose a multiple of 8, 0 to 64000.
    """
    most, step = number("snat.ports_per_frontend_ip"), number("snat.ports_multiple_of")
    if 0 <= ports_per_node <= most and ports_per_node % step == 0:
        return None
    return InputError(
        ports_per_node,
        "is no number of ports a node that AKS accepts.",
        f"Choose a multiple of {step}, 0 to {most}.",
    )


def max_nodes(outbound_ips: int, ports_per_node: int) -> int:
    """How many nodes the ports of a load balancer are enough for, surge nodes included.

    >>> max_nodes(outbound_ips=1, ports_per_node=1024)
    62
    """
    whole_number(ports_per_node, "ports a node", least=1)
    ports = number("snat.ports_per_frontend_ip") * whole_number(outbound_ips, "addresses")
    return ports // ports_per_node


@dataclass(frozen=True)
class PortRoom:
    """Ports of a load balancer against what its nodes take, surge nodes included."""

    nodes: int
    surge_nodes: int
    ports_per_node: int
    outbound_ips: int

    @property
    def for_nodes(self) -> int:
        """Ports of the nodes at rest."""
        return self.nodes * self.ports_per_node

    @property
    def for_surge(self) -> int:
        """Ports of the surge nodes."""
        return self.surge_nodes * self.ports_per_node

    @property
    def available(self) -> int:
        """Ports of all outbound addresses."""
        return number("snat.ports_per_frontend_ip") * self.outbound_ips

    @property
    def spare(self) -> int:
        """Ports that are free at rest; below 0, as many are missing."""
        return self.available - self.for_nodes

    @property
    def sufficient(self) -> bool:
        """Whether they are enough during an upgrade too."""
        return self.for_surge <= self.spare

    @property
    def min_outbound_ips(self) -> int:
        """The fewest outbound addresses that are enough."""
        return -(-(self.for_nodes + self.for_surge) // number("snat.ports_per_frontend_ip"))


def nat_gateway_ports(public_ips: int) -> int:
    """Ports of a NAT gateway, for all nodes together. Raises InputError for too many addresses.

    >>> nat_gateway_ports(4)
    258048
    """
    most = number("natgw.max_ips")
    if whole_number(public_ips, "public addresses", least=1) > most:
        raise InputError(
            public_ips, "addresses are too many.", f"A NAT gateway has at most {most}."
        )
    return number("natgw.ports_per_ip") * public_ips
