"""The rules that kube-proxy writes even without a single Service, and how packets get there.

Source: kubernetes/kubernetes pkg/proxy/iptables/proxier.go (about v1.35), syncProxyRules and
iptablesJumpChains; the order of the jumps follows from each being put before the last.
"""

from __future__ import annotations

from collections.abc import Iterator

from course.kubeproxy.chains import (
    CANARY,
    EXTERNAL_SERVICES,
    FIREWALL,
    FORWARD,
    MARK_MASQ,
    NODEPORTS,
    POSTROUTING,
    PROXY_FIREWALL,
    SERVICES,
)
from course.kubeproxy.options import Options
from course.kubeproxy.rules import LOCALNET

DROPPED_AS_INVALID = "ct_state_invalid_dropped_pkts"
FILTER_CHAINS = (SERVICES, EXTERNAL_SERVICES, FORWARD, NODEPORTS, PROXY_FIREWALL)
NAT_CHAINS = (SERVICES, NODEPORTS, POSTROUTING, MARK_MASQ)

_NEW = "-m conntrack --ctstate NEW "
_BALANCER = '-m comment --comment "kubernetes load balancer firewall"'
_HEALTH = '-m comment --comment "kubernetes health check service ports"'
_OUTSIDE = '-m comment --comment "kubernetes externally-visible service portals"'
_PORTALS = '-m comment --comment "kubernetes service portals"'
_JUMPS = {
    "filter": (
        f"-A INPUT -j {FIREWALL}",
        f"-A INPUT {_NEW}{_BALANCER} -j {PROXY_FIREWALL}",
        f"-A INPUT {_HEALTH} -j {NODEPORTS}",
        f"-A INPUT {_NEW}{_OUTSIDE} -j {EXTERNAL_SERVICES}",
        f"-A FORWARD {_NEW}{_BALANCER} -j {PROXY_FIREWALL}",
        f'-A FORWARD -m comment --comment "kubernetes forwarding rules" -j {FORWARD}',
        f"-A FORWARD {_NEW}{_PORTALS} -j {SERVICES}",
        f"-A FORWARD {_NEW}{_OUTSIDE} -j {EXTERNAL_SERVICES}",
        f"-A OUTPUT -j {FIREWALL}",
        f"-A OUTPUT {_NEW}{_BALANCER} -j {PROXY_FIREWALL}",
        f"-A OUTPUT {_NEW}{_PORTALS} -j {SERVICES}",
    ),
    "nat": (
        f"-A PREROUTING {_PORTALS} -j {SERVICES}",
        f"-A OUTPUT {_PORTALS} -j {SERVICES}",
        f'-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j {POSTROUTING}',
    ),
    "mangle": (),
}
_JUMP_CHAINS = {
    "filter": (*FILTER_CHAINS, FIREWALL, CANARY),
    "nat": (*NAT_CHAINS, CANARY),
    "mangle": (CANARY,),
}


def jumps() -> str:
    """What hooks kube-proxy's chains into the tables of the node, for iptables-restore --noflush.

    kube-proxy makes sure of these before its first sync, one by one, each at the head of its
    chain; they are no part of what it rewrites. The empty KUBE-PROXY-CANARY is watched: if it is
    gone, somebody flushed the tables, and all is written anew.

    >>> "-j KUBE-POSTROUTING" in jumps()
    True
    """
    lines = []
    for table, rules in _JUMPS.items():
        declared = [f":{chain} - [0:0]" for chain in _JUMP_CHAINS[table]]
        lines += [f"*{table}", *declared, *rules, "COMMIT"]
    return "\n".join(lines) + "\n"


def masquerading(options: Options) -> list[str]:
    """nat KUBE-POSTROUTING and KUBE-MARK-MASQ: marked on the way in, done on the way out.

    Masquerading is possible only after routing, when the mark's reason is no longer visible. The
    mark is taken off again, so that a packet that passes twice is not masqueraded twice.
    """
    mark = options.masquerade_mark
    comment = '-m comment --comment "kubernetes service traffic requiring SNAT"'
    random = " --random-fully" * options.random_fully
    return [
        f"-A {POSTROUTING} -m mark ! --mark {mark}/{mark} -j RETURN",
        f"-A {POSTROUTING} -j MARK --xor-mark {mark}",
        f"-A {POSTROUTING} {comment} -j MASQUERADE{random}",
        f"-A {MARK_MASQ} -j MARK --or-mark {mark}",
    ]


def forwarding(options: Options) -> Iterator[str]:
    """filter KUBE-FORWARD: packets of Services pass, even where the node forwards nothing else.

    Packets that connection tracking finds INVALID are dropped first: they would pass untranslated
    and make the client reset its connection (kubernetes issue 74839), unless the node is liberal
    about TCP windows (nf_conntrack_tcp_be_liberal).
    """
    mark = options.masquerade_mark
    if not options.conntrack_tcp_be_liberal:
        count = f" -m nfacct --nfacct-name {DROPPED_AS_INVALID}" * options.nfacct_counters
        yield f"-A {FORWARD} -m conntrack --ctstate INVALID{count} -j DROP"
    comment = '-m comment --comment "kubernetes forwarding'
    yield f'-A {FORWARD} {comment} rules" -m mark --mark {mark}/{mark} -j ACCEPT'
    tracked = "-m conntrack --ctstate RELATED,ESTABLISHED"
    yield f'-A {FORWARD} {comment} conntrack rule" {tracked} -j ACCEPT'


def martians(options: Options) -> list[str]:
    """filter KUBE-FIREWALL: nobody outside may send to 127.0.0.0/8 of this node.

    Node ports at localhost need route_localnet, which opens what listens on localhost to the
    network (kubernetes issue 90259). So the rule stands only where they are served.
    """
    if not options.serves_localhost:
        return []
    comment = '-m comment --comment "block incoming localnet connections"'
    untracked = "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT"
    return [f"-A {FIREWALL} {comment} -d {LOCALNET} ! -s {LOCALNET} {untracked} -j DROP"]


def to_node_ports(options: Options) -> list[str]:
    """nat KUBE-SERVICES, at its end: packets to this node itself may mean a node port.

    It must be last: an address of a Service may be one of the node's, and goes first.
    """
    start = (
        f'-A {SERVICES} -m comment --comment "kubernetes service nodeports; NOTE: this must be the '
        'last rule in this chain"'
    )
    if options.node_ports_at is not None:
        return [f"{start} -d {address} -j {NODEPORTS}" for address in options.node_ports_at]
    match = "-m addrtype --dst-type LOCAL"
    if options.family == "IPv6":
        match += " ! -d ::1/128"
    elif not options.serves_localhost:
        match += f" ! -d {LOCALNET}"
    return [f"{start} {match} -j {NODEPORTS}"]
