"""What became of a packet on one host.

>>> Fate.NO_ROUTE == "no route"
True
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from course.linux.host import State
from course.linux.packet import Packet
from course.linux.passage import Step


class Fate(StrEnum):
    """What became of a packet on a host."""

    SENT = "sent"
    DELIVERED = "delivered"
    DROPPED = "dropped"  # by a rule, without a word
    REFUSED = "refused"  # by a rule or a closed port, with a word to the sender
    NO_ROUTE = "no route"  # none, or one that says so: unreachable, blackhole, prohibit
    NOT_FORWARDED = "not forwarded"  # net.ipv4.ip_forward is 0
    MARTIAN = "martian"  # an address that cannot be where it came from: rp_filter, 127.0.0.1
    EXPIRED = "expired"  # its TTL ran out
    NO_NEIGHBOUR = "no neighbour"  # on a bridge, nobody has the address
    LINK_DOWN = "link down"


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet that left: by which interface, for whom on that link, through which bridge.

    `asker` is the address in whose name the host asks (by ARP) where the next hop is: the packet
    only leaves if somebody on the link answers it.
    """

    packet: Packet
    interface: str
    next_hop: str
    bridge: str = ""
    asker: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a host did to a packet.

    `sent` are the packets that left: the packet itself, or what the host answered by itself (an
    ICMP error, a reset). `delivered` is the packet as the socket sees it.
    """

    fate: Fate
    steps: tuple[Step, ...]
    state: State
    sent: tuple[Sent, ...] = ()
    delivered: Packet | None = None

    def explain(self) -> str:
        """The steps, a line each, and the end."""
        return "\n".join((*map(str, self.steps), f"= {self.fate}"))
