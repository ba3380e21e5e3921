"""Hosts as data, built for real: a namespace each, and the packets that go between them.

`observe` makes the hosts, sends packets and tells at which interface which packet was seen; what
runs inside the namespaces is tests/real_agent.py.
"""

from __future__ import annotations

import json
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from course.linux.host import SYSCTLS
from course.linux.rule import parse_rule
from course.linux.ruleset import Ruleset
from tests import real_linux

AGENT = Path(__file__).with_name("real_agent.py")


@dataclass(frozen=True)
class Seen:
    """What was seen: for each packet sent the events (sorted), and the rules that counted one."""

    flows: tuple[tuple[tuple[str, str, str, str], ...], ...]
    counted: frozenset[tuple[str, str, str, str]]  # host, table, chain, rule
    routes: dict[str, str]  # what `ip route` prints, by host


def observe_all(asked):
    """{name: arguments of observe} as {name: a finished future}; several at a time: most wait."""
    with ThreadPoolExecutor(6) as pool:
        return {name: pool.submit(observe, *arguments) for name, arguments in asked.items()}


def observe(hosts, packets, variant="nft"):
    """Build hosts, let each (host name, packet) be sent in turn, and tell what was seen.

    Skips the test, with the reason, where the hosts cannot be built.
    """
    if reason := real_linux.why_not() or why_not_bridged(hosts):
        pytest.skip(reason)
    plan = {
        "hosts": [host.name for host in hosts],
        "ports": {
            host.name: [i.name for i in host.interfaces if i.kind not in ("bridge", "loopback")]
            for host in hosts
        },
        "sysctls": {host.name: sysctls(host) for host in hosts},
        "sockets": {
            host.name: [[s.protocol, s.address, s.port] for s in host.sockets] for host in hosts
        },
        "packets": [
            [name, p.protocol, p.source, p.source_port, p.destination, p.destination_port, p.ttl]
            for name, p in packets
        ],
    }
    script = "\n".join(command for host in hosts for command in links(hosts, host))
    script += "\n" + "\n".join(command for host in hosts for command in settings(host))
    agent = f"{shlex.quote(sys.executable)} -I {shlex.quote(str(AGENT))}"
    script += f"\n{agent} <<'PLAN'\n{json.dumps(plan)}\nPLAN\n"
    said = json.loads(real_linux.in_namespace(script, variant=variant).splitlines()[-1])
    flows = tuple(tuple(sorted(tuple(event) for event in flow)) for flow in said["flows"])
    counted = frozenset(
        (host, *rule) for host, text in said["counters"].items() for rule in counting(text)
    )
    return Seen(flows, counted, said["routes"])


def why_not_bridged(hosts):
    """Why bridges here cannot do what those of the hosts do, or nothing."""
    key = "net.bridge.bridge-nf-call-iptables"
    filtered = any(
        link.kind == "bridge" and host.sysctl(key) for host in hosts for link in host.interfaces
    )
    return "br_netfilter is not loaded" * (filtered and not real_linux.bridges_are_filtered())


def counting(text):
    """The rules of `iptables-save -c` that counted a packet, in normal form."""
    table, lines = "", []
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        if line.startswith("[") and not line.startswith("[0:"):
            lines.append((table, line.split("] -A ", 1)[1]))
    for table, line in lines:
        chain, _, rule = line.partition(" ")
        yield table, chain, normal(rule)


def normal(rule):
    """The normal form of one rule."""
    return parse_rule(rule).text


def links(hosts, host):
    """Namespace, bridges, and the veths whose first end is here."""
    yield f"ip netns add {host.name}; ip -n {host.name} link set lo up" if host is hosts[0] else ":"
    if host is hosts[0]:
        for other in hosts[1:]:
            yield f"ip netns add {other.name}; ip -n {other.name} link set lo up"
    for link in host.interfaces:
        if link.kind == "bridge":
            yield f"ip -n {host.name} link add {link.name} type bridge mcast_snooping 0"
        elif link.kind == "veth" and (host.name, link.name) < (link.peer_host, link.peer):
            yield (
                f"ip link add {link.name} netns {host.name} type veth "
                f"peer name {link.peer} netns {link.peer_host}"
            )


def settings(host):
    """Addresses, routes, rules: everything once all links are there."""
    ip = f"ip -n {host.name}"
    for link in host.interfaces:
        if link.kind == "loopback":
            continue
        if link.master:
            yield f"{ip} link set {link.name} master {link.master}"
            hairpin = "on" if link.hairpin else "off"
            yield f"bridge -n {host.name} link set dev {link.name} hairpin {hairpin}"
        if link.mac:
            yield f"{ip} link set {link.name} address {link.mac}"
    for link in host.interfaces:
        for address in link.addresses:
            if address != "127.0.0.1/8":
                flag = "" if link.prefix_route else " noprefixroute"
                yield f"{ip} addr add {address} brd + dev {link.name}{flag}"
        yield f"{ip} link set {link.name} {'up' if link.up else 'down'}"
    for route in host.routes:
        # the table first: nothing may follow the last of several next hops
        yield f"{ip} route add table {route.table} {route}"
    for rule in host.rules:
        priority, _, words = str(rule).partition(": ")
        yield f"{ip} rule add pref {priority} {words}"
    if host.netfilter != Ruleset():
        text = host.netfilter.text()
        yield f"ip netns exec {host.name} iptables-restore <<'RULES'\n{text}RULES"


def sysctls(host):
    """Every setting that the model knows, for every interface, and those that make hosts prompt."""
    found = {"net.ipv4.icmp_ratelimit": 0}  # or errors that follow each other are not sent
    for link in host.interfaces:
        # or whoever answers ARP for others waits up to 0.8 s
        found[f"net.ipv4.neigh.{link.name}.proxy_delay"] = 0
    for key in SYSCTLS:
        if "CONF" in key:
            found[key.replace("CONF", "all")] = 0
            for link in host.interfaces:
                found[key.replace("CONF", link.name)] = host.sysctl(key, link.name)
        else:
            found[key] = host.sysctl(key)
    return found
