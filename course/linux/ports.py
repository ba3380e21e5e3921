"""Which source port a translated connection gets: its own if it is free, else one that is drawn.

A port is taken only for one destination: two connections to different servers may share it.

Source: Linux net/netfilter/nf_nat_core.c, get_unique_tuple and nf_nat_l4proto_unique_tuple.
"""

from __future__ import annotations

from fractions import Fraction

from course.linux.conntrack import Connection, is_free
from course.linux.draws import Answer, Question
from course.linux.passage import Passage


def free_port(
    passage: Passage, connection: Connection, address: str, span: str, always_draw: bool, about: str
) -> int | None:
    """The port for a connection whose source becomes `address`; None where none is left.

    `span` is the ports that the rule allows, as "1024-1027"; without it, see `usual_ports`.
    """
    own = connection.original.source_port
    allowed = _range(span) if span else usual_ports(own, connection.original.protocol)

    def free(port: Answer) -> bool:
        return is_free(connection.with_source(address, int(port)), passage.connections)

    if (not span or own in allowed) and not always_draw and free(own):
        return own
    one = next((port for port in allowed if free(port)), None)
    if one is None:
        return None
    question = Question(
        "source port", passage.host.name, about, ((one, Fraction(1)),),
        also=lambda port: port in allowed and free(port),
    )  # fmt: skip
    return int(passage.draw(question))


def usual_ports(port: int, protocol: str) -> range:
    """The ports that Linux takes in place of one that is taken: of the same kind as that.

    >>> usual_ports(40000, "tcp"), usual_ports(80, "tcp")
    (range(1024, 65536), range(1, 512))
    """
    if protocol == "icmp":
        return range(0, 65536)
    if port >= 1024:
        return range(1024, 65536)
    return range(1, 512) if port < 512 else range(600, 1024)


def _range(span: str) -> range:
    first, _, last = span.partition("-")
    return range(int(first), int(last or first) + 1)
