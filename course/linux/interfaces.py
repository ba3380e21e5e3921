"""What a host is plugged into: interfaces with their addresses, and neighbours on a link.

>>> print(Interface("eth0", 4, ("10.244.0.2/24",), peer="veth1", peer_host="node1", peer_index=5))
4: eth0@if5: <UP> mtu 1500
    inet 10.244.0.2/24 scope global eth0
"""

from __future__ import annotations

from dataclasses import dataclass

from course.errors import InputError
from course.linux.packet import number, span

KINDS = ("veth", "bridge", "loopback", "device")


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface. Addresses are written with the length of their link: "10.240.0.4/16".

    A veth has its other end: the interface `peer` of `peer_host` (of its own host if that is
    empty), shown by its index as eth0@if5. A bridge is the `master` of its ports; `hairpin` lets a
    packet leave by the port that it came in by. Without `prefix_route` (ip's noprefixroute) an
    address brings no route to its link.
    """

    name: str
    index: int = 0
    addresses: tuple[str, ...] = ()
    kind: str = "veth"
    mac: str = ""
    mtu: int = 1500
    up: bool = True
    master: str = ""
    hairpin: bool = False
    peer: str = ""
    peer_host: str = ""
    peer_index: int = 0
    prefix_route: bool = True

    def __post_init__(self) -> None:
        if not 0 < len(self.name) < 16:
            raise InputError(self.name, "is no name of an interface.", "Use 1 to 15 characters.")
        if self.kind not in KINDS:
            raise InputError(self.kind, "is no kind of interface.", f"Kinds: {', '.join(KINDS)}.")
        for address in self.addresses:
            if "/" not in address:
                raise InputError(address, "lacks the length of its link.", f"Write {address}/24.")
            span(address)

    @property
    def ips(self) -> tuple[str, ...]:
        """Its addresses without lengths."""
        return tuple(address.partition("/")[0] for address in self.addresses)

    @property
    def label(self) -> str:
        """Its name as ip shows it: a veth with its other end."""
        if self.peer and not self.peer_host:
            return f"{self.name}@{self.peer}"
        return f"{self.name}@if{self.peer_index}" if self.peer_index else self.name

    def __str__(self) -> str:
        flags = ",".join((("LOOPBACK",) if self.kind == "loopback" else ()) + ("UP",) * self.up)
        master = f" master {self.master}" if self.master else ""
        lines = [f"{self.index}: {self.label}: <{flags}> mtu {self.mtu}{master}"]
        if self.mac:
            lines.append(f"    link/ether {self.mac}")
        scope = "host" if self.kind == "loopback" else "global"
        lines += (
            f"    {'inet6' if ':' in address else 'inet'} {address} scope {scope} {self.name}"
            for address in self.addresses
        )
        return "\n".join(lines)


def loopback() -> Interface:
    """lo, which every host has."""
    return Interface("lo", 1, ("127.0.0.1/8",), kind="loopback", mtu=65536)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Where an address is on a link: its MAC, and on a bridge the port that leads to it.

    A real host learns this by ARP and by looking at what passes; here it is given.

    >>> print(Neighbour("169.254.1.1", "eth0", "aa:aa:aa:aa:aa:aa"))
    169.254.1.1 dev eth0 lladdr aa:aa:aa:aa:aa:aa PERMANENT
    """

    address: str
    dev: str
    mac: str = ""
    port: str = ""

    def __post_init__(self) -> None:
        number(self.address)

    def __str__(self) -> str:
        mac = f" lladdr {self.mac} PERMANENT" if self.mac else ""
        return f"{self.address} dev {self.dev}{mac}"
