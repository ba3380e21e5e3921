"""Azure NetApp Files beside a cluster: its volumes may limit the addresses of a virtual network.

>>> limit(nodes=50, surge=1, pod_addresses_per_node=30).within
False
"""

from __future__ import annotations

from dataclasses import dataclass

from course.errors import InputError, whole_number
from course.facts import number


@dataclass(frozen=True)
class NetAppLimit:
    """Addresses in a virtual network against what Azure NetApp Files volumes allow there.

    `limit` is None where the ordinary limits of the virtual network apply.
    """

    addresses: int
    limit: int | None

    @property
    def within(self) -> bool:
        """Whether the limit is kept."""
        return self.limit is None or self.addresses <= self.limit


def limit(
    nodes: int, surge: int, pod_addresses_per_node: int, network_features: str = "Basic"
) -> NetAppLimit:
    """Addresses of a cluster against the limit of Azure NetApp Files volumes beside it.

    Volumes with Basic network features allow 1,000 addresses in the virtual network and its direct
    peers; Standard features have no limit of their own. Sources: facts anf.basic_ip_limit,
    anf.standard_ip_limit. `pod_addresses_per_node` is max-pods in a node subnet, 0 with overlay.
    Raises InputError for other network features.

    >>> limit(50, 1, 0).within
    True
    """
    if network_features not in ("Basic", "Standard"):
        raise InputError(network_features, "are no network features.", "Say Basic or Standard.")
    count = whole_number(nodes, "nodes") + whole_number(surge, "surge nodes")
    addresses = count * (1 + whole_number(pod_addresses_per_node, "pod addresses per node"))
    most = number("anf.basic_ip_limit") if network_features == "Basic" else None
    return NetAppLimit(addresses, most)
