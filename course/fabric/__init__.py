"""Azure's side as hosts: what stands between network cards, and at the edge to the internet.

- `cards`: the network cards, with the addresses that stand on them;
- `router`: the host `azure`, which routes between them;
- `security`: what it lets pass: IP forwarding of cards, security groups;
- `balancer`: load balancers and their probes;
- `edge`: the host `edge`, where private addresses become public ones.

Behind the edge are the machines of the internet.
"""

from __future__ import annotations

from collections.abc import Sequence

from course.fabric.cards import cards
from course.fabric.edge import edge
from course.fabric.router import azure
from course.linux.host import Host
from course.topology import EDGE, Topology
from course.topology.address_checks import ROUTER
from course.wiring.machine import machine_host
from course.wiring.made import Made


def build(topology: Topology, made: Sequence[Made]) -> tuple[Host, ...]:
    """Azure, its edge, and all machines outside of clusters."""
    inside = cards(topology, made)
    machines = {machine.name: machine for machine in topology.machines}
    hosts = tuple(
        machine_host(machines[each.owner], each.gateway, each.length)
        for each in inside
        if not each.cluster
    )
    outside = [each for each in topology.machines if topology.in_internet(each.address)]
    strangers = (machine_host(each, ROUTER, "24", EDGE) for each in outside)
    return (azure(topology, made, inside), edge(made, outside), *hosts, *strangers)
