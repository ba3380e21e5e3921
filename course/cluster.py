"""What a learner describes: for now, node pools."""

from __future__ import annotations

import re
from dataclasses import dataclass

from course.errors import InputError, whole_number
from course.facts import number

MaxSurge = int | str


@dataclass(frozen=True)
class NodePool:
    """Nodes of one kind that AKS makes, scales and upgrades together.

    `max_pods` is the most pods that one node may run. `max_surge` is how many extra nodes an
    upgrade adds: a number, or a percentage of the pool like "10%". `extra_nodes` is room for the
    nodes by which you mean to scale out.

    Raises InputError for numbers that are negative or not whole. Whether AKS accepts the pool is
    another question: see `max_pods_problem` and `scale_set_problem`.

    >>> NodePool(nodes=50, max_pods=30, max_surge="10%").peak_nodes
    55
    """

    nodes: int
    max_pods: int
    max_surge: MaxSurge = 1
    extra_nodes: int = 0

    def __post_init__(self) -> None:
        whole_number(self.nodes, "nodes")
        whole_number(self.max_pods, "pods per node", least=1)
        whole_number(self.extra_nodes, "extra nodes")
        surge_nodes(0, self.max_surge)

    @property
    def planned_nodes(self) -> int:
        """Nodes after scaling out, before an upgrade."""
        return self.nodes + self.extra_nodes

    @property
    def surge_nodes(self) -> int:
        """Nodes that an upgrade adds for its duration."""
        return surge_nodes(self.planned_nodes, self.max_surge)

    @property
    def peak_nodes(self) -> int:
        """The most nodes at any time: during an upgrade, after scaling out."""
        return self.planned_nodes + self.surge_nodes

    @property
    def pod_capacity(self) -> int:
        """Pods that the pool can run, without nodes that are still to come."""
        return self.nodes * self.max_pods


def surge_nodes(pool_nodes: int, max_surge: MaxSurge) -> int:
    """How many nodes an upgrade of a pool adds: a percentage is rounded up, and never more nodes
    are added than the pool has.

    Source: fact surge.rounding. Raises InputError for a max-surge that is neither a whole number
    nor a percentage from 0% to 100%.

    >>> surge_nodes(50, "33%"), surge_nodes(2, 5)
    (17, 2)
    """
    whole_number(pool_nodes, "nodes")
    amount, percent = _read_surge(max_surge)
    # whole-number arithmetic: 0.1 * 50 is not exactly 5 for a computer
    wanted = -(-pool_nodes * amount // 100) if percent else amount
    return min(wanted, pool_nodes)


def largest_pool(peak_nodes: int, max_surge: MaxSurge) -> int:
    """The most nodes a pool can have so that at most `peak_nodes` run while it is upgraded.

    >>> largest_pool(55, "10%"), largest_pool(51, 1)
    (50, 50)
    """
    amount, percent = _read_surge(max_surge)
    if percent:
        return peak_nodes * 100 // (100 + amount)
    # a pool smaller than its max-surge doubles: half of the room is the least it may have
    return max(peak_nodes - amount, peak_nodes // 2)


def pool_beside_surge(peak_nodes: int, max_surge: MaxSurge) -> int:
    """The same, with a max-surge that is a number set aside in full, whatever the pool's size.

    So the documentation reckons. It differs from `largest_pool` only for pools smaller than their
    max-surge.

    >>> pool_beside_surge(8, 5), largest_pool(8, 5)
    (3, 4)
    """
    amount, percent = _read_surge(max_surge)
    return largest_pool(peak_nodes, max_surge) if percent else max(0, peak_nodes - amount)


def max_pods_problem(pool: NodePool) -> InputError | None:
    """Why AKS refuses this max-pods, or None: 10 to 250 pods a node, room for 30 in the pool.

    Sources: facts aks.min_max_pods, nodesubnet.max_pods, aks.pool_min_pod_capacity.

    >>> print(max_pods_problem(NodePool(nodes=1, max_pods=29)))
    29 leaves the pool room for only 29 pods; AKS wants room for at least 30. Raise max-pods, or \
start with more nodes.
    """
    least, most = number("aks.min_max_pods"), number("nodesubnet.max_pods")
    room = number("aks.pool_min_pod_capacity")
    if not least <= pool.max_pods <= most:
        return InputError(
            pool.max_pods, "is no max-pods that AKS accepts.", f"Choose {least} to {most}."
        )
    if pool.pod_capacity < room:
        return InputError(
            pool.max_pods,
            f"leaves the pool room for only {pool.pod_capacity} pods; "
            f"AKS wants room for at least {room}.",
            "Raise max-pods, or start with more nodes.",
        )
    return None


def scale_set_problem(pool: NodePool) -> InputError | None:
    """Why AKS refuses to upgrade this pool, or None: a scale set holds at most 1,000 instances.

    Source: fact azure.vmss_max_instances.

    >>> scale_set_problem(NodePool(nodes=900, max_pods=30, max_surge="10%")) is None
    True
    """
    most = number("azure.vmss_max_instances")
    if pool.peak_nodes <= most:
        return None
    return InputError(
        pool.peak_nodes,
        f"nodes would run during an upgrade; a pool's scale set holds at most {most}.",
        "Use more pools, or a smaller max-surge.",
    )


def _read_surge(max_surge: MaxSurge) -> tuple[int, bool]:
    """The number, and whether it is a percentage."""
    text = str(max_surge).strip()
    if not isinstance(max_surge, bool) and re.fullmatch(r"[0-9]{1,18}%?", text):
        amount, percent = int(text.rstrip("%")), text.endswith("%")
        if amount <= 100 or not percent:
            return amount, percent
    raise InputError(
        max_surge, "is no max-surge.", "Give a whole number like 1, or 0% to 100%, like '10%'."
    )
