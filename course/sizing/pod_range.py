"""A pod range of which each node takes a fixed /24: so it is with kubenet and with overlay.

However few pods a node may run, it takes 256 addresses of the pod range. So the length of the
range alone says how many nodes it can serve. Azure keeps no addresses of it for itself: it is no
subnet.

Sources: facts overlay.node_pod_cidr_prefix, kubenet.node_pod_cidr_prefix, overlay.pod_cidr_table.

>>> nodes_served(16), prefix_for(5000)
(256, 11)
"""

from __future__ import annotations

from course.errors import InputError, whole_number
from course.facts import number
from course.subnet import total_addresses


def nodes_served(pod_range_prefix: int) -> int:
    """How many nodes a pod range of this length can serve; none if it is smaller than a /24.

    >>> nodes_served(24), nodes_served(25)
    (1, 0)
    """
    return total_addresses(pod_range_prefix) // addresses_per_node()


def prefix_for(nodes: int) -> int:
    """The length of the smallest pod range that serves so many nodes, surge nodes included.

    Raises InputError if no IPv4 range serves them.

    >>> prefix_for(256), prefix_for(257)
    (16, 15)
    """
    whole_number(nodes, "nodes", least=1)
    prefix = number("overlay.node_pod_cidr_prefix") - (nodes - 1).bit_length()
    if prefix < 0:
        raise InputError(nodes, "nodes are served by no IPv4 range.", "Check the number.")
    return prefix


def addresses_per_node() -> int:
    """Addresses of a node's share of the pod range.

    >>> addresses_per_node()
    256
    """
    return total_addresses(number("overlay.node_pod_cidr_prefix"))
