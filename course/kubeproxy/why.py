"""Why each rule is there, in a sentence: for whoever reads the output of iptables-save.

It is told from the rule itself, so it works for rules of a real node as well, whatever the order
of the options in them; comments, which large clusters leave out, are needed for none of the many.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Why(NamedTuple):
    """A kind of rule: by its chain and the words that it holds, and what it is for."""

    chain: str
    words: tuple[str, ...]
    purpose: str


# the first that fits is meant; an earlier one is the more special
PURPOSES = (
    Why(
        "KUBE-SERVICES", ("--dst-type LOCAL", "-j KUBE-NODEPORTS"),
        "No Service address: if the packet is for this node itself, it may be for a node port.",
    ),
    Why(
        "KUBE-SERVICES", ("-j KUBE-NODEPORTS",),
        "A node port is served at this address of the node.",
    ),
    Why(
        "KUBE-SERVICES", ("-j KUBE-EXT-", "external IP"),
        "An external IP of the Service: on to the chain for traffic from outside.",
    ),
    Why(
        "KUBE-SERVICES", ("-j KUBE-EXT-",),
        "The load balancer's address: on to the chain for traffic from outside.",
    ),
    Why(
        "KUBE-SERVICES", ("-j KUBE-FW-",),
        "The load balancer's address: first it is checked who may use it.",
    ),
    Why(
        "KUBE-SERVICES", ("-j KUBE-SVL-",),
        "The cluster IP of the Service: on to its endpoints on this node.",
    ),
    Why(
        "KUBE-SERVICES", ("-j KUBE-SVC-",),
        "The cluster IP of the Service: on to its endpoints.",
    ),
    Why(
        "KUBE-SERVICES", ("-j REJECT",),
        "The Service has no endpoints: the client is told at once.",
    ),
    Why(
        "KUBE-SERVICES", ("-j DROP",),
        "Only endpoints on this node may answer, and it has none: the packet is dropped.",
    ),
    Why(
        "KUBE-EXTERNAL-SERVICES", ("-j REJECT",),
        "The Service has no endpoints: the client outside is told at once.",
    ),
    Why(
        "KUBE-EXTERNAL-SERVICES", ("-j DROP",),
        "Only endpoints on this node may answer clients outside, and it has none: dropped, so "
        "that the load balancer turns to another node.",
    ),
    Why(
        "KUBE-NODEPORTS", ("-j ACCEPT",),
        "The load balancer may ask here whether this node has endpoints.",
    ),
    Why(
        "KUBE-NODEPORTS", ("nfacct",),
        "A node port reached at localhost: counted, and on to the chain for traffic from outside.",
    ),
    Why(
        "KUBE-NODEPORTS", ("-j KUBE-EXT-",),
        "A node port of the Service: on to the chain for traffic from outside.",
    ),
    Why(
        "KUBE-PROXY-FIREWALL", ("-j DROP",),
        "The client is in none of the Service's source ranges, so KUBE-FW did not let it through: "
        "dropped.",
    ),
    Why(
        "KUBE-EXT-", ("--src-type LOCAL", "-j KUBE-MARK-MASQ"),
        "The node itself asks: masqueraded, because its source address may be the load balancer's.",
    ),
    Why(
        "KUBE-EXT-", ("--src-type LOCAL",),
        "The node itself asks: it may reach every endpoint, whatever the policy.",
    ),
    Why(
        "KUBE-EXT-", ("-j KUBE-MARK-MASQ",),
        "The endpoint may run on another node: masqueraded, so that its answer comes back here.",
    ),
    Why(
        "KUBE-EXT-", ("pod traffic",),
        "A pod of the cluster asks: it may reach every endpoint and keeps its address.",
    ),
    Why(
        "KUBE-EXT-", ("-j KUBE-SVL-",),
        "A client outside: only endpoints on this node, and they see its own address.",
    ),
    Why("KUBE-EXT-", ("-j KUBE-SVC-",), "A client outside: on to all endpoints."),
    Why(
        "KUBE-FW-", ("-j KUBE-EXT-",),
        "This client may use the load balancer's address.",
    ),
    Why(
        "KUBE-FW-", (),
        "Only a note: who got here is not let through, and is dropped in the filter table.",
    ),
    Why(
        "KUBE-SVC-", ("-j KUBE-MARK-MASQ",),
        "Who asks the cluster IP and is no pod is masqueraded (or all are, with masqueradeAll), so "
        "that the answer comes back through this node.",
    ),
    Why(
        "KUBE-SVC-", ("--rcheck",),
        "Session affinity: a client who came lately gets the same endpoint again.",
    ),
    Why(
        "KUBE-SVC-", ("--probability",),
        "Chance: this endpoint, or one of the next rules; all have the same chance in the end.",
    ),
    Why("KUBE-SVC-", ("-j KUBE-SEP-",), "The last endpoint: taken if no other was."),
    Why(
        "KUBE-SEP-", ("-j KUBE-MARK-MASQ",),
        "A pod was sent to itself: masqueraded, or it would answer itself (hairpin).",
    ),
    Why(
        "KUBE-SEP-", ("-j DNAT", "--set"),
        "The destination becomes this endpoint, and the client is remembered (session affinity).",
    ),
    Why("KUBE-SEP-", ("-j DNAT",), "The destination becomes this endpoint."),
    Why(
        "KUBE-POSTROUTING", ("-j RETURN",),
        "Not marked: the packet keeps its source address.",
    ),
    Why(
        "KUBE-POSTROUTING", ("-j MARK",),
        "The mark is taken off, so that a packet that passes again is not masqueraded again.",
    ),
    Why(
        "KUBE-POSTROUTING", ("-j MASQUERADE",),
        "Marked: the source address becomes this node's.",
    ),
    Why(
        "KUBE-MARK-MASQ", ("-j MARK",),
        "The packet is marked: it is to be masqueraded when it leaves the node.",
    ),
    Why(
        "KUBE-FORWARD", ("INVALID",),
        "Connection tracking does not know the packet: untranslated, it would reset a connection.",
    ),
    Why(
        "KUBE-FORWARD", ("--mark",),
        "The first packet of a masqueraded connection passes, even if the node forwards nothing.",
    ),
    Why(
        "KUBE-FORWARD", ("ESTABLISHED",),
        "What belongs to a connection that was let through passes both ways.",
    ),
    Why(
        "KUBE-FIREWALL", ("127.0.0.0/8",),
        "Nobody outside may send to localhost: node ports there made the kernel route it.",
    ),
    Why("PREROUTING", ("-j KUBE-SERVICES",), "Packets from elsewhere: are they for a Service?"),
    Why("POSTROUTING", ("-j KUBE-POSTROUTING",), "On the way out: is the packet marked?"),
    Why("OUTPUT", ("-j KUBE-SERVICES",), "Packets of the node itself: are they for a Service?"),
    Why(
        "FORWARD", ("-j KUBE-SERVICES",),
        "Packets that still bear a cluster IP: is there a reason to refuse them?",
    ),
    Why("FORWARD", ("-j KUBE-FORWARD",), "Packets of Services may pass."),
    Why("", ("-j KUBE-PROXY-FIREWALL",), "Packets that source ranges did not let through."),
    Why("", ("-j KUBE-EXTERNAL-SERVICES",), "Packets from outside that find no endpoint."),
    Why("INPUT", ("-j KUBE-NODEPORTS",), "Health checks of load balancers."),
    Why("", ("-j KUBE-FIREWALL",), "The node's own protection of localhost."),
)  # fmt: skip


def explain(rule: str) -> str:
    """What a rule of kube-proxy is for; an empty text for a rule that is not kube-proxy's.

    >>> explain("-A KUBE-SEP-SXIVWICOYRO3J4NJ -s 10.0.1.1/32 -j KUBE-MARK-MASQ")
    'A pod was sent to itself: masqueraded, or it would answer itself (hairpin).'
    >>> explain("-A INPUT -j ACCEPT")
    ''
    """
    found = re.match(r"-A (\S+)", rule)
    if not found:
        return ""
    chain = found[1].replace("KUBE-SVL-", "KUBE-SVC-")  # they hold the same kinds of rules
    for kind in PURPOSES:
        exact = not kind.chain.endswith("-")
        fits = chain == kind.chain if exact and kind.chain else chain.startswith(kind.chain)
        if fits and all(word in rule for word in kind.words):
            return kind.purpose
    return ""
