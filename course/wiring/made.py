"""What a network model makes of a cluster: hosts, and what Azure's fabric learns of its pods.

There are three ways in which the fabric may learn which node holds a pod's address, and a model
uses one of them: routes of a route table (kubenet), addresses of network cards (node subnet, pod
subnet), or a routing domain of its own (overlay). A pod whose address is in none of them can be
reached from its own node only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from course.cni.runtime import PluginCall
from course.linux.host import Host
from course.topology import Cluster
from course.virtual_network import UserRoute

Role = tuple[str, str]  # a host, and one of its interfaces


@dataclass(frozen=True)
class Made:
    """The hosts of a cluster, and all that the world around must know of them.

    `roles` name interfaces by what they are for, where their own name tells nothing (the end of a
    veth has a name by chance). `files` are configuration files by node and path; `calls`, for each
    pod, the calls of CNI plugins that make it. `routes`, `cards` (node to the other addresses of
    its network card) and `domain` (range to node) are what the fabric learns.
    """

    cluster: Cluster
    hosts: tuple[Host, ...]
    roles: Mapping[Role, str] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    calls: Mapping[str, tuple[PluginCall, ...]] = field(default_factory=dict)
    routes: tuple[UserRoute, ...] = ()
    cards: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    domain: Mapping[str, str] = field(default_factory=dict)


def card(name: str) -> str:
    """The fabric's end of the network card of a machine or node.

    >>> card("node1")
    'nic-node1'
    """
    return f"nic-{name}"
