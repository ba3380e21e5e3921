"""Virtual networks of Azure as they are described: subnets, route tables, security groups, peering.

>>> subnet = Subnet("nodes", "10.240.0.0/24", (UserRoute("0.0.0.0/0", "None"),))
>>> subnet.gateway, str(subnet.routes[0])
('10.240.0.1', '0.0.0.0/0 -> None')
"""

from __future__ import annotations

from dataclasses import dataclass

from course.addresses import canonical, is_inside, parse_address, parse_range
from course.errors import InputError, whole_number

NEXT_HOP_TYPES = (
    "VirtualAppliance", "VirtualNetworkGateway", "VnetLocal", "Internet", "None",
)  # fmt: skip


@dataclass(frozen=True)
class UserRoute:
    """A user-defined route of a route table. `next_hop` is an address, for VirtualAppliance only.

    >>> print(UserRoute("10.244.0.0/24", "VirtualAppliance", "10.240.0.4"))
    10.244.0.0/24 -> VirtualAppliance 10.240.0.4
    """

    prefix: str
    next_hop_type: str
    next_hop: str = ""

    def __post_init__(self) -> None:
        parse_range(self.prefix, 4)
        one_of(self.next_hop_type, NEXT_HOP_TYPES, "type of next hop")
        if bool(self.next_hop) != (self.next_hop_type == "VirtualAppliance"):
            raise InputError(
                self.next_hop_type, "and the address of a next hop belong together.",
                "Give an address to VirtualAppliance, and to no other type.",
            )  # fmt: skip
        if self.next_hop:
            parse_address(self.next_hop, 4)

    def __str__(self) -> str:
        return f"{self.prefix} -> {self.next_hop_type} {self.next_hop}".rstrip()


@dataclass(frozen=True)
class SecurityRule:
    """A rule of a network security group. Ends are a range, "*", or a service tag (TAGS of
    course.fabric.security); `port` is "*", "443" or "8000-8999". The lowest `priority` is asked
    first.
    """

    name: str
    priority: int
    access: str = "Allow"
    direction: str = "Inbound"
    protocol: str = "*"
    source: str = "*"
    destination: str = "*"
    port: str = "*"

    def __post_init__(self) -> None:
        one_of(self.access, ("Allow", "Deny"), "access of a security rule")
        one_of(self.direction, ("Inbound", "Outbound"), "direction")
        one_of(self.protocol, ("*", "Tcp", "Udp", "Icmp"), "protocol of a security rule")
        whole_number(self.priority, "priority", least=100)

    def __str__(self) -> str:
        ends = f"{self.source} -> {self.destination}"
        what = f"{self.protocol} {self.port}"
        return f"{self.priority} {self.direction} {self.access} {ends} {what} ({self.name})"


@dataclass(frozen=True)
class Subnet:
    """A subnet. `routes` is its route table; `security` the rules of its network security group,
    None if it has none."""

    name: str
    range: str
    routes: tuple[UserRoute, ...] = ()
    security: tuple[SecurityRule, ...] | None = None

    def __post_init__(self) -> None:
        parse_range(self.range, 4)

    @property
    def gateway(self) -> str:
        """The address that Azure's router has in it: the first."""
        return canonical(parse_range(self.range)[1])

    @property
    def length(self) -> str:
        """The length of its range."""
        return self.range.partition("/")[2]


@dataclass(frozen=True)
class VirtualNetwork:
    """A virtual network. `peerings` are names of others; `gateway` leads to on-premises networks.

    Peering works only if both sides name each other, as in Azure.
    """

    name: str
    ranges: tuple[str, ...]
    subnets: tuple[Subnet, ...] = ()
    peerings: tuple[str, ...] = ()
    gateway: bool = False

    def __post_init__(self) -> None:
        own = [parse_range(text, 4) for text in self.ranges]
        for subnet in self.subnets:
            if not any(is_inside(parse_range(subnet.range), each) for each in own):
                have = ", ".join(self.ranges)
                raise InputError(subnet.range, f"lies outside of {self.name}.", f"It has {have}.")


def one_of(value: str, allowed: tuple[str, ...], what: str) -> None:
    """Raise InputError if a value is none of those that are allowed."""
    if value not in allowed:
        raise InputError(value, f"is no {what}.", f"Choose {', '.join(allowed)}.")
