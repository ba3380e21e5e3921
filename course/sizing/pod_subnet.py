"""Azure CNI, pod subnet: pods take addresses of a subnet of their own.

With dynamic allocation a node draws addresses in batches of 16, and asks for the next batch as
soon as fewer than half a batch are free. With static blocks a node gets whole blocks of 16 when it
is made, and keeps one address of them for itself.

Sources: facts dynamic.target_formula, dynamic.batch_size, dynamic.primary_ip_per_node,
static.blocks_formula.

>>> pool_target(9), blocks_per_node(30)
(32, 2)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil

from course.errors import whole_number
from course.facts import number
from course.subnet import smallest_prefix_for, total_addresses, usable_addresses
from course.working import Line, as_text

HALF = Fraction(1, 2)


def pool_target(
    pods: int, max_addresses: int | None = None, batch: int | None = None, free: Fraction = HALF
) -> int:
    """How many addresses a node with so many pods holds: whole batches, half a batch free.

    Pods on the host's network are not counted. `max_addresses` caps it, `free` is the part of a
    batch that is to be free. Sources: facts dynamic.target_formula, dynamic.max_pods,
    dynamic.batch_size.

    >>> pool_target(0), pool_target(25), pool_target(500)
    (16, 48, 250)
    """
    whole_number(pods, "pods")
    max_addresses = number("dynamic.max_pods") if max_addresses is None else max_addresses
    batch = number("dynamic.batch_size") if batch is None else batch
    return min(max_addresses, batch * ceil(free + Fraction(pods, batch)))


@dataclass(frozen=True)
class DynamicUse:
    """What nodes hold of a pod subnet, each with so many pods.

    `primary` is the address that a node takes besides its batches: fact
    dynamic.primary_ip_per_node.
    """

    nodes: int
    pods_per_node: int
    primary: int = field(default_factory=lambda: number("dynamic.primary_ip_per_node"))

    @property
    def addresses(self) -> int:
        """Addresses that are held."""
        return self.nodes * (pool_target(self.pods_per_node) + self.primary)

    @property
    def min_prefix(self) -> int:
        """The length of the smallest pod subnet in which they fit."""
        return smallest_prefix_for(self.addresses)


def max_nodes_at_start(prefix: int, primary: int | None = None) -> int:
    """How many nodes without pods a pod subnet can start. `primary` as in DynamicUse.

    >>> max_nodes_at_start(24), max_nodes_at_start(22)
    (14, 59)
    """
    primary = number("dynamic.primary_ip_per_node") if primary is None else primary
    return usable_addresses(prefix) // (number("dynamic.batch_size") + primary)


@dataclass(frozen=True)
class FullPodSubnet:
    """A pod subnet drawn to its last batch, by nodes that run as many pods as they may.

    `host_network_pods` of a node count against max-pods and take no address.
    """

    prefix: int
    max_pods: int
    host_network_pods: int = 0
    batch: int = field(default_factory=lambda: number("dynamic.batch_size"))
    primary: int = field(default_factory=lambda: number("dynamic.primary_ip_per_node"))

    @property
    def batches_per_node(self) -> int:
        """Batches of a full node."""
        return ceil(Fraction(self.max_pods, self.batch))

    @property
    def batches(self) -> int:
        """Whole batches that can be drawn, after each node's primary address."""
        usable = usable_addresses(self.prefix)
        return max(
            count
            for count in range(usable // self.batch + 1)
            if count * self.batch + self._nodes(count) * self.primary <= usable
        )

    @property
    def left_over(self) -> int:
        """Addresses that no node can draw."""
        taken = self.batches * self.batch + self._nodes(self.batches) * self.primary
        return usable_addresses(self.prefix) - taken

    @property
    def full_nodes(self) -> int:
        """Nodes that hold all the batches they want."""
        return self.batches // self.batches_per_node

    @property
    def partial_nodes(self) -> int:
        """Nodes that hold fewer: one at most."""
        return self._nodes(self.batches) - self.full_nodes

    @property
    def pods(self) -> int:
        """Pods with an address of their own that can run."""
        rest = self.batches % self.batches_per_node
        return self.full_nodes * (self.max_pods - self.host_network_pods) + rest * self.batch

    def _nodes(self, batches: int) -> int:
        return ceil(Fraction(batches, self.batches_per_node))


def blocks_per_node(max_pods: int) -> int:
    """Blocks of 16 that a node gets with static allocation. Source: fact static.blocks_formula.

    >>> blocks_per_node(31), blocks_per_node(32)
    (2, 3)
    """
    whole_number(max_pods, "pods per node", least=1)
    return ceil(Fraction(max_pods + 1, block_size()))


def block_size() -> int:
    """Addresses of a block. Source: fact static.block_prefix.

    >>> block_size()
    16
    """
    return int(2 ** (32 - number("static.block_prefix")))


@dataclass(frozen=True)
class StaticUse:
    """What nodes hold of a pod subnet with static blocks, and how many nodes it has blocks for.

    Sources: facts static.blocks_formula, static.reserved_blocks.

    >>> use = StaticUse(24, 31)
    >>> use.nodes, use.idle, StaticUse(24, 32).idle
    (7, 0, 15)
    """

    prefix: int
    max_pods: int

    @property
    def blocks(self) -> int:
        """Blocks that nodes can have. The first and the last of a subnet serve nobody."""
        return max(0, self._all_blocks - number("static.reserved_blocks"))

    @property
    def nodes(self) -> int:
        """How many nodes get all their blocks."""
        return self.blocks // blocks_per_node(self.max_pods)

    @property
    def idle(self) -> int:
        """Addresses of a node that no pod can use."""
        return blocks_per_node(self.max_pods) * block_size() - 1 - self.max_pods

    @property
    def working(self) -> tuple[Line, ...]:
        """The calculation, line by line."""
        each, size, kept = (
            blocks_per_node(self.max_pods), block_size(), number("static.reserved_blocks"),
        )  # fmt: skip
        formula = "static.blocks_formula"
        return (
            Line("blocks of a node", f"({self.max_pods} + 1) / {size}, rounded up", each, formula),
            Line("addresses of a node", f"{each} x {size}", each * size, "static.block_prefix"),
            Line("no pod can use", f"{each * size} - 1 - {self.max_pods}", self.idle, formula),
            Line(
                "blocks for nodes", f"{self._all_blocks} - {kept}", self.blocks,
                "static.reserved_blocks",
            ),
            Line("nodes", f"{self.blocks} / {each}, rounded down", self.nodes),
        )  # fmt: skip

    def explain(self) -> str:
        """The same as text."""
        title = f"Static blocks of a /{self.prefix} with max-pods {self.max_pods}"
        return as_text(title, self.working)

    @property
    def _all_blocks(self) -> int:
        return max(1, total_addresses(self.prefix) // block_size())
