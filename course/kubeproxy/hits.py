"""Which rules of kube-proxy a packet has met: read from the counters of iptables-save -c.

The kernel counts, at each rule, the packets that fitted it. In the table nat only the first packet
of a connection is counted: the others follow what connection tracking remembers.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from course.kubeproxy.why import explain

_COUNTED = re.compile(r"\[(\d+):\d+\] (-A (\S+) .*)")
_COMMENT = re.compile(r' -m comment --comment ("(?:[^"\\]|\\.)*"|\S+)')
STARTS = ("PREROUTING", "OUTPUT", "POSTROUTING")  # the order in which a packet meets them


@dataclass(frozen=True)
class Hit:
    """A rule that packets fitted: its chain, the rule without its remark, how many, what for."""

    chain: str
    rule: str
    packets: int
    purpose: str


def hits(saved: str) -> tuple[Hit, ...]:
    """The rules of kube-proxy that counted a packet, in the order in which a packet meets them.

    `saved` is what `iptables-save -c -t nat` prints.

    >>> for hit in hits('''
    ... [2:120] -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
    ... [1:60] -A KUBE-SERVICES -d 10.0.0.81/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-X
    ... [0:0] -A KUBE-SERVICES -d 10.0.0.80/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-Y
    ... '''):
    ...     print(hit.packets, hit.rule)
    2 -j KUBE-SERVICES
    1 -d 10.0.0.81/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-X
    """
    found: defaultdict[str, list[Hit]] = defaultdict(list)
    for packets, rule, chain in _COUNTED.findall(saved):
        if int(packets) and (purpose := explain(rule)):
            bare = _COMMENT.sub("", rule).removeprefix(f"-A {chain} ")
            found[chain].append(Hit(chain, bare, int(packets), purpose))
    walked = (hit for start in STARTS for hit in _walked(found, start))
    return tuple(dict.fromkeys(walked))  # a chain may be jumped to from several places


def _walked(found: dict[str, list[Hit]], chain: str) -> Iterator[Hit]:
    for hit in found.get(chain, ()):
        yield hit
        _, _, to = hit.rule.rpartition("-j ")
        yield from _walked(found, to)
