"""What a host may have of which no World tells anything: looked for, named, and taken away.

EXTRAS is the one list of it. A tool that is not on the machine finds nothing, as nobody can have
used it. What a learner started in the background is named by the sockets where it waits, and goes
on: it is theirs to end.

>>> list(told(EXTRAS[-1], "tcp   LISTEN 0      5    0.0.0.0:7777 0.0.0.0:*"))
['tcp 0.0.0.0:7777']
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from course.lab.built import Built
from course.lab.namespaces import Command
from course.linux.host import Host


class Extra(NamedTuple):
    """Something more on a host: `what` it is; the shell's words that list it, and what is told of
    each line that they print; the words that take all of it away, or none where the lab cannot."""

    what: str
    listed: str
    told: re.Pattern[str]
    removed: str = ""


SOCKET = "a socket that waits,"
RULE = re.compile("(-A .*)")
ON_EACH = "for dev in $(ls /sys/class/net); do {}; done"
UNUSUAL = (  # what else bridges and their ports have is as the kernel makes it
    "forward_delay:(?!1500$).+|stp_state:[^0]|nf_call_iptables:1|"
    "isolated:1|learning:0|unicast_flood:0|broadcast_flood:0|neigh_suppress:1|proxyarp:1"
)
USUAL = (
    "ip link set $dev type bridge forward_delay 1500 stp_state 0 nf_call_iptables 0; "
    "bridge link set dev $dev isolated off learning on flood on bcast_flood on neigh_suppress off; "
    "ip link set $dev type bridge_slave proxy_arp off"
)
EXTRAS = (
    Extra("IPsec policy", "ip -o xfrm policy", re.compile("(src .*)"), "ip xfrm policy flush"),
    Extra(  # 0 is the handle of what the kernel itself gives an interface
        "queueing discipline", "tc qdisc show", re.compile(r"qdisc (\S+) (?!0:)\S+ (dev \S+)"),
        ON_EACH.format("for at in root clsact ingress; do tc qdisc del dev $dev $at; done"),
    ),
    Extra(
        "nftables", "nft list tables",
        re.compile(r"(?!table (?:ip6?|arp|bridge) (?:raw|mangle|nat|filter|security)$)(.*)"),
        "nft list tables | grep -vE '^table (ip6?|arp|bridge) (raw|mangle|nat|filter|security)$' |"
        "while read table; do nft delete $table; done",
    ),
    Extra("rule of ebtables", "ebtables-save", RULE, "ebtables -F; ebtables -t nat -F"),
    Extra("rule of arptables", "arptables-save", RULE, "arptables -F"),
    Extra(
        "a ruleset of", "read _ < /proc/net/ip_tables_names && iptables-save -t raw 2>&1",
        re.compile("# Warning: (iptables-legacy) tables present"),
    ),
    Extra(
        "rule of the table security", "iptables-save -t security", RULE, "iptables -t security -F",
    ),
    Extra(  # one that a rule names cannot be destroyed, and no World has such a rule
        "ipset", "ipset list -n", re.compile("(.+)"),
        "iptables-save | grep -v -e --match-set | iptables-restore; ipset destroy",
    ),
    Extra(  # plugins make bridges so
        "promiscuous interface", "ip -o -d link",
        re.compile(r"\d+: ([^:@]+)\S* <[^>]*PROMISC(?!.* bridge forward_delay)"),
        ON_EACH.format("ip link set $dev promisc off"),
    ),
    Extra(
        "interface without ARP", "ip -o link", re.compile(r"\d+: ([^:@]+)\S* <BROADCAST[^>]*NOARP"),
        ON_EACH.format("ip link set $dev arp on"),
    ),
    Extra(
        "bridge setting", "grep -s . /sys/class/net/*/bridge/* /sys/class/net/*/brport/*",
        re.compile(rf"/sys/class/net/([^/]+)/\w+/({UNUSUAL})$"), ON_EACH.format(USUAL),
    ),
    Extra(  # the kernel itself stops a port whose wire is down
        "bridge port", "ip -o -d link",
        re.compile(r"\d+: ([^:@]+).* state UP .* bridge_slave (state (?!forwarding)\S+)"),
        ON_EACH.format("bridge link set dev $dev state forwarding"),
    ),
    Extra(
        "bridge port", "ip -o -d link", re.compile(r"\d+: ([^:@]+).* bridge_slave .*(locked on)"),
        ON_EACH.format("bridge link set dev $dev locked off"),
    ),
    Extra("nexthop", "ip nexthop", re.compile("(.+)"), "ip nexthop flush"),  # and their routes
    Extra(SOCKET, "ss -Hln4tu", re.compile(r"(\S+) \S+ \S+ \S+ (\S+)")),
)  # fmt: skip
MARK = "----"
LISTED = "; ".join(f"{{ {extra.listed}; }} 2>/dev/null; echo {MARK}" for extra in EXTRAS)


def extras(built: Built, *hosts: str) -> Iterator[str]:
    """What hosts have more than their Worlds tell, a sentence each."""
    for name, found in _found(built, *hosts).items():
        for extra, lines in found.items():
            yield from (f"{name}: {extra.what} {line} was added" for line in lines)


def take_away(built: Built) -> None:
    """Take away whatever the lab can of what hosts have more than the World tells."""
    commands = [
        Command(("sh", "-c", extra.removed), name)
        for name, found in _found(built, *built.world.by_name).items()
        for extra, lines in found.items()
        if lines and extra.removed
    ]
    built.namespaces.run(*commands)


def _found(built: Built, *hosts: str) -> dict[str, dict[Extra, list[str]]]:
    """What each host has more, by what it is."""
    outputs = built.namespaces.run(*(Command(("sh", "-c", LISTED), name) for name in hosts))
    return {
        name: dict(_read(built.world.host(name), output.out))
        for name, output in zip(hosts, outputs, strict=True)
    }


def _read(host: Host, text: str) -> Iterator[tuple[Extra, list[str]]]:
    own = {f"{one.protocol} {one.address}:{one.port}" for one in host.sockets}
    for extra, part in zip(EXTRAS, text.split(f"{MARK}\n"), strict=False):
        lines = list(told(extra, part))
        yield extra, [line for line in lines if extra.what != SOCKET or line not in own]


def told(extra: Extra, text: str) -> Iterator[str]:
    """What is told of each line that was listed."""
    for line in text.replace("\\", " ").splitlines():
        if found := extra.told.match(" ".join(line.split())):
            yield " ".join(found.groups())
