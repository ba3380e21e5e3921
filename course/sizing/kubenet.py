"""kubenet: nodes take addresses of the subnet, pods take theirs from a pod range of their own.

Each node takes a /24 of the pod range, and AKS writes one route for it into a route table. So
three things limit a cluster: the subnet, the pod range, and the routes of one table.

Sources: facts kubenet.node_pod_cidr_prefix, azure.route_table_routes, kubenet.max_nodes.

>>> capacity(subnet_prefix=24, pod_range_prefix=16, max_pods=110).max_nodes
251
"""

from __future__ import annotations

from dataclasses import dataclass

from course.errors import whole_number
from course.facts import number
from course.sizing.pod_range import nodes_served
from course.subnet import usable_addresses
from course.working import Line, as_text


@dataclass(frozen=True)
class Capacity:
    """How many nodes kubenet can run, and what limits them. Surge is not counted: see `working`."""

    subnet_prefix: int
    pod_range_prefix: int
    max_pods: int

    def __post_init__(self) -> None:
        usable_addresses(self.subnet_prefix)
        nodes_served(self.pod_range_prefix)
        whole_number(self.max_pods, "pods per node", least=1)

    @property
    def by_subnet(self) -> int:
        """Nodes for which the subnet has addresses."""
        return usable_addresses(self.subnet_prefix)

    @property
    def by_pod_range(self) -> int:
        """Nodes for which the pod range has a share."""
        return nodes_served(self.pod_range_prefix)

    @property
    def by_routes(self) -> int:
        """Nodes for which a route table has routes."""
        return number("azure.route_table_routes")

    @property
    def max_nodes(self) -> int:
        """The least of the three, surge nodes included."""
        return min(self.by_subnet, self.by_pod_range, self.by_routes)

    @property
    def max_pods_total(self) -> int:
        """Pods that run on so many nodes."""
        return self.max_nodes * self.max_pods

    @property
    def working(self) -> tuple[Line, ...]:
        """The calculation, line by line."""
        return (
            Line("by the subnet", f"usable addresses of a /{self.subnet_prefix}",
                 self.by_subnet, "azure.reserved_per_subnet"),
            Line("by the pod range", f"/24s in a /{self.pod_range_prefix}",
                 self.by_pod_range, "kubenet.node_pod_cidr_prefix"),
            Line("by the routes", "one a node", self.by_routes, "azure.route_table_routes"),
            Line("most nodes", "the least of them, surge nodes included", self.max_nodes),
            Line("most pods", f"{self.max_nodes:,} x {self.max_pods}", self.max_pods_total),
        )  # fmt: skip

    def explain(self) -> str:
        """The calculation in plain text.

        >>> print(capacity(27, 16, 110).explain().splitlines()[-2])
          most nodes        =  the least of them, surge nodes included  =     27
        """
        return as_text(f"Nodes of kubenet in a /{self.subnet_prefix}", self.working)


def capacity(subnet_prefix: int, pod_range_prefix: int, max_pods: int) -> Capacity:
    """How many nodes kubenet can run, surge nodes included, and how many pods on them.

    Raises InputError for a length or number that cannot be.

    >>> capacity(22, 14, 110).max_nodes
    400
    """
    return Capacity(subnet_prefix, pod_range_prefix, max_pods)
