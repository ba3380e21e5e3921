"""Virtual networks of Azure as they are described: subnets, route tables, security groups, peering.

>>> subnet = Subnet("nodes", "10.240.0.0/24", (UserRoute("0.0.0.0/0", "None"),))
>>> subnet.gateway, str(subnet.routes[0])
('10.240.0.1', '0.0.0.0/0 -> None')
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from course.addresses import canonical, is_inside, parse_address, parse_range
from course.errors import InputError, distinct
from course.ranges import forbidden_overlaps
from course.subnet import usable_addresses

NEXT_HOP_TYPES = (
    "VirtualAppliance", "VirtualNetworkGateway", "VnetLocal", "Internet", "None",
)  # fmt: skip
TAGS = ("*", "VirtualNetwork", "Internet", "AzureLoadBalancer")  # ends of rules that are no range
# what the internet does not route: RFC 1918, RFC 6598
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
OWN_PRIORITIES, DEFAULT_PRIORITIES = range(100, 4097), range(65_000, 65_501)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?")


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
    """A rule of a network security group. Ends are a range of IPv4, "*", or a service tag (TAGS);
    `port` is "*", "443" or "8000-8999". The lowest `priority` is asked first: 100 to 4096, or that
    of a default rule of Azure.

    Raises InputError for what Azure refuses. Sources: Microsoft Learn, "Network security groups",
    "Naming rules and restrictions for Azure resources".
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
        azure_name(self.name, "security rule")
        one_of(self.access, ("Allow", "Deny"), "access of a security rule")
        one_of(self.direction, ("Inbound", "Outbound"), "direction")
        one_of(self.protocol, ("*", "Tcp", "Udp", "Icmp"), "protocol of a security rule")
        if self.priority not in OWN_PRIORITIES and self.priority not in DEFAULT_PRIORITIES:
            raise InputError(self.priority, "is no priority of a rule.", "Give 100 to 4096.")
        for end in (self.source, self.destination):
            if end not in TAGS:
                parse_range(end, 4)
        _demand_ports(self.port)

    def __str__(self) -> str:
        ends = f"{self.source} -> {self.destination}"
        what = f"{self.protocol} {self.port}"
        return f"{self.priority} {self.direction} {self.access} {ends} {what} ({self.name})"


@dataclass(frozen=True)
class Subnet:
    """A subnet. `routes` is its route table; `security` the rules of its network security group,
    None if it has none.

    Raises InputError for a range smaller than Azure allows, for two routes of one prefix, and for
    two rules of one direction and priority. Sources: Microsoft Learn, "Virtual network traffic
    routing", "Network security groups"; fact azure.subnet_smallest_prefix.
    """

    name: str
    range: str
    routes: tuple[UserRoute, ...] = ()
    security: tuple[SecurityRule, ...] | None = None

    def __post_init__(self) -> None:
        azure_name(self.name, "subnet")
        usable_addresses(parse_range(self.range, 4).prefixlen)
        distinct([route.prefix for route in self.routes], "prefix of a route of its table")
        for rule in self.security or ():
            if rule.priority not in OWN_PRIORITIES:
                raise InputError(rule.priority, "is for rules of Azure.", "Give 100 to 4096.")
        places = [f"{rule.direction} {rule.priority}" for rule in self.security or ()]
        distinct(places, "direction and priority of a security rule")

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

    Peering works only if both sides name each other, as in Azure. Raises InputError for a range
    that no virtual network may have, and for a subnet outside of its ranges. Left out: ranges of
    public addresses, which Azure does not refuse; they are refused here. Source: fact
    azure.forbidden_ranges.
    """

    name: str
    ranges: tuple[str, ...]
    subnets: tuple[Subnet, ...] = ()
    peerings: tuple[str, ...] = ()
    gateway: bool = False

    def __post_init__(self) -> None:
        azure_name(self.name, "virtual network")
        own = [parse_range(text, 4) for text in self.ranges]
        for each in own:
            if kept := forbidden_overlaps(each):
                raise InputError(
                    canonical(each), f"overlaps {canonical(kept[0])}: no virtual network has that.",
                    "Choose a private range.",
                )  # fmt: skip
            if not is_private(canonical(each)):
                raise InputError(
                    canonical(each), "is no private range: this model of Azure leaves others out.",
                    f"Take one of {', '.join(PRIVATE)}.",
                )  # fmt: skip
        for subnet in self.subnets:
            if not any(is_inside(parse_range(subnet.range), each) for each in own):
                have = ", ".join(self.ranges)
                raise InputError(subnet.range, f"lies outside of {self.name}.", f"It has {have}.")


def is_private(network: str) -> bool:
    """Whether an address or range is one that the internet does not route.

    >>> is_private("10.244.0.0/16"), is_private("203.0.113.10")
    (True, False)
    """
    return any(is_inside(parse_range(network), parse_range(each)) for each in PRIVATE)


def one_of(value: str, allowed: tuple[str, ...], what: str) -> None:
    """Raise InputError if a value is none of those that are allowed."""
    if value not in allowed:
        raise InputError(value, f"is no {what}.", f"Choose {', '.join(allowed)}.")


def azure_name(name: str, what: str) -> None:
    """Raise InputError for a name that Azure gives to no resource of a network; `what` is what it
    names. Source: Microsoft Learn, "Naming rules and restrictions for Azure resources".

    >>> azure_name("let me in", "security rule")
    Traceback (most recent call last):
    ...
    course.errors.InputError: 'let me in' is no name of a security rule. Use letters, digits, _ . \
and -, at most 80; begin with a letter or digit, and end with one or with _.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            name, f"is no name of a {what}.", "Use letters, digits, _ . and -, at most 80; begin "
            "with a letter or digit, and end with one or with _.",
        )  # fmt: skip


def _demand_ports(text: str) -> None:
    """Raise InputError if this is neither "*" nor a port nor a span of ports."""
    if text == "*":
        return
    found = re.fullmatch("([0-9]{1,5})(?:-([0-9]{1,5}))?", text)
    if not found or not int(found[1]) <= int(found[2] or found[1]) < 65_536:
        raise InputError(text, "is no port of a security rule.", "Write *, 443 or 8000-8999.")
