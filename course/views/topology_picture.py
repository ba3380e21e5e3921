"""A topology as a picture of boxes in boxes: networks, subnets, nodes, pods, and what is outside.

What stands in a box belongs to it. Lines join networks: the internet and on-premises networks come
in where they do in Azure, and networks that are peered are joined at their right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from course.errors import InputError
from course.topology import AZURE, EDGE, Cluster, Exposure, Machine, Node, NodePool, Pod, Topology
from course.topology.text import pods_in
from course.views.pictures import Picture
from course.views.svg import box, page, text, width_of
from course.views.traces import arrows
from course.virtual_network import Subnet, VirtualNetwork
from course.world import World

WIDTH, MARGIN, PAD, GAP, LINE = 740, 10, 9, 9, 17
LIMIT = WIDTH - 2 * MARGIN
FAR = 34  # between what is outside and Azure


@dataclass(frozen=True)
class Part:
    """A box: a title, lines of text, and what stands in it."""

    title: str
    lines: tuple[str, ...] = ()
    inside: tuple[Part, ...] = ()
    fill: str = "#fff"
    look: str = ""

    @property
    def head(self) -> float:
        """How high its text is."""
        return LINE * (1 + len(self.lines)) + PAD

    def rows(self, limit: float) -> list[list[Part]]:
        """What stands in it, in rows that are no wider than `limit` if that can be."""
        rows: list[list[Part]] = []
        left = 0.0
        for part in self.inside:
            width = part.size(limit - 2 * PAD)[0]
            if not rows or left + width > limit - 2 * PAD:
                rows.append([])
                left = 0.0
            rows[-1].append(part)
            left += width + GAP
        return rows

    def size(self, limit: float) -> tuple[float, float]:
        """Width and height."""
        width = max(width_of(self.title, bold=True), *map(width_of, self.lines), 0)
        height = self.head
        for row in self.rows(limit):
            sizes = [part.size(limit - 2 * PAD) for part in row]
            width = max(width, sum(each[0] for each in sizes) + GAP * (len(row) - 1))
            height += max(each[1] for each in sizes) + GAP
        return width + 2 * PAD, height + (0 if self.inside else 3)

    def drawn(self, x: float, y: float, limit: float) -> str:
        """The box with all that stands in it."""
        width, height = self.size(limit)
        svg = box(x, y, width, height, self.fill, self.look)
        svg += text(x + PAD, y + LINE, self.title, bold=True)
        for number, line in enumerate(self.lines, 2):
            svg += text(x + PAD, y + LINE * number, line)
        top = y + self.head
        for row in self.rows(limit):
            left = x + PAD
            for part in row:
                svg += part.drawn(left, top, limit - 2 * PAD)
                left += part.size(limit - 2 * PAD)[0] + GAP
            top += max(part.size(limit - 2 * PAD)[1] for part in row) + GAP
        return svg


def cluster_picture(what: Topology | World) -> Picture:
    """A picture of any topology: networks, subnets, machines, clusters with nodes and pods.

    A World knows every address; a Topology those that were given. Raises InputError for a topology
    without any virtual network.

    >>> from course.scenarios import small_cluster
    >>> print(cluster_picture(small_cluster("overlay")).alt)
    Virtual networks vnet and peered; cluster aks (overlay) with 2 nodes and 4 pods; machines \
vm-1, vm-2, peer, office and internet.
    """
    topology = what.topology if isinstance(what, World) else what
    if not topology.networks:
        raise InputError("no virtual network", "leaves nothing to draw.", "Describe one.")
    words = [line.strip() for line in topology.describe().splitlines()]
    words.append(f"{EDGE} is where Azure ends and the internet begins; {AZURE} is its fabric")
    return Picture(_drawn(topology), f"{'; '.join(_summary(topology))}.", words)


def _summary(topology: Topology) -> Iterator[str]:
    yield f"Virtual networks {_and(network.name for network in topology.networks)}"
    for each in topology.clusters:
        yield (
            f"cluster {each.name} ({each.model}) with {_many(len(each.nodes), 'node')} "
            f"and {_many(len(each.pods), 'pod')}"
        )
    if topology.machines:
        yield f"machines {_and(machine.name for machine in topology.machines)}"


def _and(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"


def _drawn(topology: Topology) -> str:
    """What is outside above, Azure with its networks below, lines between."""
    networks = [_network(topology, each) for each in topology.networks]
    sizes = [part.size(LIMIT) for part in networks]
    outside, doors = _outside(topology)
    azure = MARGIN + max(part.size(LIMIT)[1] for part in outside) + FAR
    coming_in, doors_width, below = _entrances(outside, doors, azure)
    tops = [below + sum(size[1] + GAP for size in sizes[:at]) for at in range(len(sizes))]
    peerings = 14 * len(_peerings(topology))
    width = max(doors_width, max(size[0] for size in sizes) + peerings) + 2 * PAD
    bottom = tops[-1] + sizes[-1][1] + PAD
    svg = box(MARGIN, azure, width, bottom - azure, "#f4f4f4", 'stroke-width="2"')
    name = f"Azure (its fabric: {AZURE})"
    svg += text(MARGIN + width - PAD, azure + LINE, name, "end", bold=True) + coming_in
    for part, top in zip(networks, tops, strict=True):
        svg += part.drawn(MARGIN + PAD, top, LIMIT)
    svg += _brackets(topology, networks, tops)
    return page(width + 2 * MARGIN, bottom + MARGIN, svg)


def _entrances(outside: list[Part], doors: list[Part], azure: float) -> tuple[str, float, float]:
    """What is outside, each with a line to its door in Azure; how wide all are, where they end."""
    svg, left, top = "", float(MARGIN), azure + LINE + PAD
    for part, door in zip(outside, doors, strict=True):
        width, height = part.size(LIMIT)
        svg += _line(f"M{left + PAD + 30:.1f} {MARGIN + height:.1f} V{top:.1f}")
        svg += part.drawn(left, MARGIN, LIMIT) + door.drawn(left + PAD, top, LIMIT)
        left += max(width, door.size(LIMIT)[0] + 2 * PAD) + GAP
    return svg, left - MARGIN, top + max(door.size(LIMIT)[1] for door in doors) + GAP


def _brackets(topology: Topology, networks: list[Part], tops: list[float]) -> str:
    """A line at the right for each two networks that are peered."""
    order = [network.name for network in topology.networks]
    right = MARGIN + PAD + max(part.size(LIMIT)[0] for part in networks)
    svg = ""
    for number, (one, other) in enumerate(_peerings(topology), 1):
        starts = []
        for name in (one, other):
            at = order.index(name)
            starts.append((MARGIN + PAD + networks[at].size(LIMIT)[0], tops[at] + 10 + 6 * number))
        (x, y), (end_x, end_y) = starts
        svg += _line(f"M{x:.1f} {y:.1f} H{right + 14 * number - 4:.1f} V{end_y:.1f} H{end_x:.1f}")
    return svg


def _line(path: str) -> str:
    return f'<path d="{path}" fill="none" stroke="#000" stroke-width="2"/>'


def _peerings(topology: Topology) -> list[tuple[str, str]]:
    """Each two networks that are peered from both sides, once."""
    names = [network.name for network in topology.networks]
    return [
        (network.name, peer.name)
        for network in topology.networks
        for peer in topology.connected(network)[1:]
        if names.index(network.name) < names.index(peer.name)
    ]


def _outside(topology: Topology) -> tuple[list[Part], list[Part]]:
    """What is outside of Azure, and the door in Azure that each comes in by."""
    strangers = [each for each in topology.machines if topology.subnet_of(each.address) is None]
    at_home = [each for each in strangers if topology.on_premises_range(each.address)]
    public = tuple(_machine(each) for each in strangers if each not in at_home)
    outside = [Part("the internet", (), public, look='rx="14"')]
    doors = [Part(EDGE, ("where Azure ends",))]
    if topology.on_premises:
        machines = tuple(map(_machine, at_home))
        outside.append(Part("on premises", topology.on_premises, machines, look='rx="14"'))
        owners = [network.name for network in topology.networks if network.gateway]
        doors.append(Part("gateway", (f"of {_and(owners)}" if owners else "of no network",)))
    return outside, doors


def _network(topology: Topology, network: VirtualNetwork) -> Part:
    peers = f", peered with {', '.join(network.peerings)}" if network.peerings else ""
    title = f"virtual network {network.name} {', '.join(network.ranges)}{peers}"
    subnets = tuple(_subnet(topology, each) for each in network.subnets)
    return Part(title, (), subnets, "#e8eef5")


def _subnet(topology: Topology, subnet: Subnet) -> Part:
    lines = [arrows(f"route {route}") for route in subnet.routes]
    if subnet.security is not None:
        lines.append(f"security group, {_many(len(subnet.security), 'rule')}")
    lines += [
        f"pods of {each.name} have their addresses from here"
        for each in topology.clusters
        if subnet.name in {pool.pod_subnet for pool in each.pools}
    ]
    machines = [each for each in topology.machines if topology.subnet_of(each.address) == subnet]
    pools = (
        _pool(cluster, pool)
        for cluster in topology.clusters
        for pool in cluster.pools
        if pool.subnet == subnet.name
    )
    inside = (*pools, *map(_machine, machines))
    title = f"subnet {subnet.name} {subnet.range}"
    return Part(title, tuple(lines), inside, look='stroke-dasharray="6 3"')


def _pool(cluster: Cluster, pool: NodePool) -> Part:
    """The nodes of a pool; the first pool stands for its cluster and tells of the Services."""
    where = pods_in(cluster, pool)
    pods = where if where == cluster.pod_range else f"subnet {where}"
    nodes = tuple(_node(cluster, each) for each in cluster.nodes if cluster.pool_of(each) == pool)
    title = f"cluster {cluster.name}: {cluster.model}"
    if pool != cluster.pools[0]:
        title = f"cluster {cluster.name}, node pool {pool.name}"
        return Part(title, (f"pods in {pods}",), nodes, "#f8f3e3")
    lines = [f"pods in {pods}, Services in {cluster.service_range}"]
    lines += [_service(cluster, each) for each in cluster.exposures]
    return Part(title, tuple(lines), nodes, "#f8f3e3")


def _service(cluster: Cluster, exposure: Exposure) -> str:
    service = exposure.service
    at = (*service.cluster_ips, *(each.ip for each in service.load_balancer_ingress))
    pods = ", ".join(pod.name for pod in cluster.pods if exposure.selects(pod)) or "nobody"
    return f"Service {service.name} {', '.join(at)} → {pods}"


def _node(cluster: Cluster, node: Node) -> Part:
    pods = tuple(_pod(each) for each in cluster.pods if each.node == node.name)
    share = (f"pods in {node.pod_range}",) if node.pod_range else ()
    return Part(f"{node.name} {node.address}".rstrip(), share, pods, look='stroke-width="2"')


def _pod(pod: Pod) -> Part:
    return Part(pod.name, (_own(pod),), fill="#fff", look='rx="8"')


def _own(pod: Pod) -> str:
    return "the node's network" if pod.host_network else pod.address or "no address yet"


def _machine(machine: Machine) -> Part:
    does: tuple[str, ...] = ("passes packets on",) if machine.forwards else ()
    if machine.proxy:
        does += (f"port {machine.proxy.port} → {machine.proxy.to}:{machine.proxy.to_port}",)
    return Part(machine.name, (machine.address, *does))
