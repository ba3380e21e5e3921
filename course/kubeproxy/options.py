"""How kube-proxy was started on a node: what decides, besides the Services, which rules it writes.

Names follow KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1) where it has one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from netaddr import IPNetwork

from course.addresses import canonical, contains, parse_address, parse_range
from course.errors import InputError
from course.kubeproxy.objects import spelled

LOOPBACK = {"IPv4": "127.0.0.1", "IPv6": "::1"}
_MATCH = {
    "ClusterCIDR": "-s {}",
    "NodeCIDR": "-s {}",
    "BridgeInterface": "-i {}",
    "InterfaceNamePrefix": "-i {}+",
}


@dataclass(frozen=True)
class LocalDetector:
    """How kube-proxy tells that a packet comes from a pod: detectLocalMode and its value.

    By its source address (ClusterCIDR: from the pods of the cluster; NodeCIDR: from those of this
    node) or by the interface through which it came (BridgeInterface, InterfaceNamePrefix).

    >>> LocalDetector("ClusterCIDR", "10.244.0.0/16").if_not_local
    '! -s 10.244.0.0/16'
    """

    mode: str
    value: str

    def __post_init__(self) -> None:
        if self.mode not in _MATCH:
            raise InputError(self.mode, "is no detectLocalMode.", f"Choose {', '.join(_MATCH)}.")
        if "CIDR" in self.mode:
            parse_range(self.value)
        elif not re.fullmatch(r"[\w.@-]{1,15}", self.value, re.ASCII):
            raise InputError(self.value, "is no interface.", "Give a name like cbr0 or azv.")

    @cached_property
    def if_local(self) -> str:
        """The match of a packet that comes from a pod."""
        value = canonical(parse_range(self.value)) if "CIDR" in self.mode else self.value
        return _MATCH[self.mode].format(value)

    @cached_property
    def if_not_local(self) -> str:
        """The match of every other packet."""
        return f"! {self.if_local}"


@dataclass(frozen=True)
class Options:
    """The flags of one kube-proxy, and what it found on its node.

    `node_ip` is the node's own address, `node_ips` all addresses of its interfaces. kube-proxy
    writes one set of rules for each `family` (IPv4, IPv6). `nfacct_counters`, `random_fully` and
    `conntrack_tcp_be_liberal` tell what the kernel and iptables of the node can do.
    `node_port_addresses`: ranges in which node ports are served; empty means all. `local_detector`
    None: kube-proxy cannot tell pods from others.

    >>> Options("node-1", "10.240.0.4").masquerade_mark
    '0x4000'
    """

    node_name: str
    node_ip: str
    node_ips: tuple[str, ...] = ()
    family: str = "IPv4"
    local_detector: LocalDetector | None = None
    masquerade_all: bool = False
    masquerade_bit: int = 14
    localhost_node_ports: bool = True
    node_port_addresses: tuple[str, ...] = ()
    nfacct_counters: bool = False
    conntrack_tcp_be_liberal: bool = False
    random_fully: bool = True

    def __post_init__(self) -> None:
        if self.family not in LOOPBACK:
            raise InputError(self.family, "is no IP family.", "Choose IPv4 or IPv6.")
        if not 0 <= self.masquerade_bit < 32:
            raise InputError(self.masquerade_bit, "is no bit of a mark.", "Give 0 to 31.")
        for address in (self.node_ip, *self.node_ips):
            parse_address(address)
        for text in self.node_port_addresses:
            parse_range(text)

    @property
    def masquerade_mark(self) -> str:
        """The bit by which one rule tells a later one to masquerade a packet."""
        return f"{1 << self.masquerade_bit:#x}"

    @cached_property
    def node_ports_at(self) -> tuple[str, ...] | None:
        """The node's addresses that serve node ports; None if all do.

        Without ranges of this family, or with one of length /0, all do. The loopback address is
        one of the node's, and serves only where `serves_localhost`.
        """
        ranges = self._ranges
        if any(network.prefixlen == 0 for network in ranges) or not ranges:
            return None
        mine = [spelled(ip) for ip in (*self.node_ips, self.node_ip)]
        if self.serves_localhost:
            mine.append(LOOPBACK[self.family])
        return tuple(ip for ip in dict.fromkeys(mine) if _in_any(ip, ranges))

    @cached_property
    def serves_localhost(self) -> bool:
        """Whether node ports are open at 127.0.0.1: never for IPv6, whose ::1 cannot be routed."""
        ranges = self._ranges
        covered = not ranges or _in_any(LOOPBACK["IPv4"], ranges)
        return self.family == "IPv4" and self.localhost_node_ports and covered

    @cached_property
    def _ranges(self) -> list[IPNetwork]:
        networks = [parse_range(text) for text in self.node_port_addresses]
        return [network for network in networks if f"IPv{network.version}" == self.family]


def _in_any(address: str, ranges: list[IPNetwork]) -> bool:
    return any(contains(network, parse_address(address)) for network in ranges)
