"""Hosts as data, built for real by the lab, and the packets that go between them.

`observe` makes the hosts, sends packets and tells at which interface which packet was seen.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from course.lab.build import build
from course.lab.capture import read
from course.lab.namespaces import Command, Namespaces
from course.linux.rule import parse_rule
from tests import real_linux

TOKEN = b"token of packets".hex()


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
    iptables = f"xtables-{variant}-multi"
    names = [host.name for host in hosts]
    with Namespaces() as namespaces:
        build(namespaces, hosts, (iptables, "iptables-restore"))
        flows = tuple(sent(namespaces, hosts, name, packet) for name, packet in packets)
        save = (iptables, "iptables-save", "-c")
        counters = namespaces.must(*(Command(save, name) for name in names))
        routes = namespaces.must(*(Command(("ip", "-4", "route"), name) for name in names))
    counted = frozenset(
        (name, *rule) for name, text in zip(names, counters, strict=True) for rule in counting(text)
    )
    return Seen(flows, counted, dict(zip(names, routes, strict=True)))


def sent(namespaces, hosts, name, packet):
    """What was seen of one packet, and of those that it led to."""
    wires = {
        (host.name, link.name)
        for host in hosts
        for link in host.interfaces
        if link.kind not in ("bridge", "loopback")
    }
    told = namespaces.send(
        host=name, protocol=packet.protocol, source=packet.source, source_port=packet.source_port,
        destination=packet.destination, port=packet.destination_port, ttl=packet.ttl, token=TOKEN,
    )  # fmt: skip
    events = set()  # what is sent again is nothing new
    for _, host, interface, out, _, data in told["seen"]:
        found = read(bytes.fromhex(data))
        if found and (host, interface) in wires:
            events.add((host, interface, "out" if out else "in", str(found.packet)))
    return tuple(sorted(events))


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
        yield table, chain, parse_rule(rule).text
