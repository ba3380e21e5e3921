"""Hosts as data, built for real: what `ip`, the kernel's settings and iptables are told.

Each function gives text or settings for a host; `build` has them carried out. Nothing is cheated
with: who is where on a link, hosts find out by ARP, unless their data has a static neighbour.

>>> from course.scenarios import small_cluster
>>> from course.world import build as build_world
>>> world = build_world(small_cluster("overlay"))
>>> print(addresses(world.host("web-1")).replace("azvfbb", "azv"), end="")
link set lo up
link set eth0 up
addr add 10.244.0.2/24 brd + dev eth0 noprefixroute
>>> print(ways(world.host("web-1")), end="")
route add table main 169.254.1.1 dev eth0 scope link
route add table main default via 169.254.1.1 dev eth0
neigh add 169.254.1.1 lladdr aa:aa:aa:aa:aa:aa dev eth0 nud permanent
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from course.errors import InputError
from course.lab.namespaces import Command, Namespaces
from course.linux.host import SYSCTLS, Host
from course.linux.interfaces import Interface
from course.linux.ruleset import Ruleset

# What every host is told, so that it does what the model of Linux says, promptly and in silence
# otherwise; without it, a host takes over what the machine around it was told.
ALWAYS = {
    "net/ipv4/icmp_echo_ignore_all": 0,
    "net/ipv4/icmp_ratelimit": 0,  # or errors that follow each other are not sent
    "net/ipv4/ip_default_ttl": 64,
    "net/ipv4/tcp_synack_retries": 0,  # a server that was not heard says it once
    "net/ipv4/fib_multipath_hash_policy": 1,  # as Azure's load balancer: addresses and ports
}
ON_EACH_INTERFACE = {
    "net/ipv6/conf/CONF/disable_ipv6": 1,
    "net/ipv4/conf/CONF/send_redirects": 0,
    "net/ipv4/conf/CONF/accept_redirects": 0,
    "net/ipv4/conf/CONF/arp_ignore": 0,
    "net/ipv4/conf/CONF/arp_announce": 0,
    "net/ipv4/conf/CONF/arp_filter": 0,
    "net/ipv4/neigh/CONF/mcast_solicit": 3,  # how often it asks who has an address
}
# What a host remembers it remembers while the lab lives, in seconds.
MEMORY = {
    f"net/netfilter/nf_conntrack_{of}": 86_400
    for of in (
        "icmp_timeout", "udp_timeout", "udp_timeout_stream", "generic_timeout",
        *(f"tcp_timeout_{state}" for state in (
            "close", "close_wait", "established", "fin_wait", "last_ack", "max_retrans",
            "syn_recv", "syn_sent", "time_wait", "unacknowledged",
        )),
    )
}  # fmt: skip


def build(
    namespaces: Namespaces,
    hosts: Sequence[Host],
    restore: Sequence[str] = ("iptables-restore",),
) -> None:
    """Make hosts and the wires between them; `restore` is the command that loads rules.

    A wire leads to a host of the same call. Raises LabError with what a tool said, InputError for
    what cannot be built.
    """
    for host in hosts:
        if host.ipsets:
            raise InputError(host.name, "has sets of addresses.", "The lab makes none: leave out.")
    namespaces.make({host.name: at_birth(host) for host in hosts})
    namespaces.must(Command(("ip", "-batch", "-"), given="".join(map(links, hosts))))
    namespaces.set({host.name: of_interfaces(host) for host in hosts})
    commands = [
        Command(("ip", "-batch", "-"), host.name, addresses(host) + ways(host)) for host in hosts
    ]
    commands += (
        Command((*restore, "--noflush"), host.name, in_parts(host.netfilter.text()))
        for host in hosts
        if host.netfilter != Ruleset()
    )
    namespaces.must(*commands)
    serve(namespaces, hosts)


def serve(namespaces: Namespaces, hosts: Sequence[Host]) -> None:
    """Open the sockets of hosts."""
    namespaces.serve(
        {host.name: [(s.protocol, s.address, s.port) for s in host.sockets] for host in hosts}
    )


def at_birth(host: Host) -> dict[str, int]:
    """The settings of a host before it has interfaces; those to come start from `default`.

    ip_forward comes first: to write it resets some of the others.
    """
    found = {"net/ipv4/ip_forward": host.sysctl("net.ipv4.ip_forward")}
    for conf in ("all", "default"):
        found |= {key.replace("CONF", conf): value for key, value in ON_EACH_INTERFACE.items()}
        for key in SYSCTLS:
            if "CONF" in key:
                value = host.sysctls.get(key.replace("CONF", conf), SYSCTLS[key])
                found[key.replace("CONF", conf).replace(".", "/")] = value
    key = "net.bridge.bridge-nf-call-iptables"
    return found | ALWAYS | MEMORY | {key.replace(".", "/"): host.sysctl(key)}


def of_interfaces(host: Host, *names: str) -> dict[str, int]:
    """The settings of a host's interfaces, or of those named."""
    found, forwards = {}, host.sysctl("net.ipv4.ip_forward")
    for name in names or [link.name for link in host.interfaces]:
        # or who answers ARP for others waits up to 0.8 s
        found[f"net/ipv4/neigh/{name}/proxy_delay"] = 0
        found[f"net/ipv4/conf/{name}/forwarding"] = forwards
        found |= {key.replace("CONF", name): value for key, value in ON_EACH_INTERFACE.items()}
        for key, value in SYSCTLS.items():
            if "CONF" in key:
                own = key.replace("CONF", name)
                found[own.replace(".", "/")] = host.sysctls.get(own, value)
    return found


def links(host: Host) -> str:
    """Bridges, and the veths whose other end comes later in the alphabet; for `ip -batch`."""
    return _lines(_links(host))


def _links(host: Host) -> Iterator[str]:
    for link in host.interfaces:
        here = f"link add {_named(link)} mtu {link.mtu} netns {host.name}"
        if link.kind == "bridge":
            yield f"{here} type bridge mcast_snooping 0"
        elif link.peer and (host.name, link.name) < (link.peer_host, link.peer):
            yield f"{here} type veth peer name {link.peer} netns {link.peer_host}"
        # the other end gets its MAC when it gets its addresses


def addresses(host: Host) -> str:
    """Masters, MACs and addresses of a host's interfaces, each up or down; for `ip -batch`."""
    return _lines(line for link in host.interfaces for line in _addresses(link))


def _addresses(link: Interface) -> Iterator[str]:
    if link.kind != "loopback" and link.mac:
        yield f"link set {link.name} address {link.mac}"
    if link.master:
        yield f"link set {link.name} master {link.master}"
        yield f"link set {link.name} type bridge_slave hairpin {'on' if link.hairpin else 'off'}"
    yield f"link set {link.name} {'up' if link.up else 'down'}"
    for address in link.addresses:
        if address != "127.0.0.1/8":  # lo has it when it comes up
            flag = "" if link.prefix_route else " noprefixroute"
            yield f"addr add {address} brd + dev {link.name}{flag}"


def ways(host: Host) -> str:
    """Routes, policy rules and static neighbours of a host; for `ip -batch`."""
    return _lines(_ways(host))


def _ways(host: Host) -> Iterator[str]:
    down = {link.name for link in host.interfaces if not link.up}
    for route in host.routes:
        if route.dev in down:
            continue  # the kernel has no route by an interface that is down
        # the table first: nothing may follow the last of several next hops
        yield f"route add table {route.table} {replace(route, proto='')}"
    for rule in host.rules:
        priority, _, words = str(rule).partition(": ")
        yield f"rule add pref {priority} {words}"
    for each in host.neighbours:
        if each.mac:
            yield f"neigh add {each.address} lladdr {each.mac} dev {each.dev} nud permanent"


def in_parts(rules: str, most: int = 100) -> str:
    """Rules for iptables-restore --noflush, no more than `most` in one go.

    An ordinary user's iptables sends the kernel no more than 208 KiB at once (net.core.wmem_max).

    >>> rules = "*raw\\n-A OUTPUT -j ACCEPT\\n-A OUTPUT -j DROP\\nCOMMIT"
    >>> print(in_parts(rules, most=1), end="")
    *raw
    -A OUTPUT -j ACCEPT
    COMMIT
    *raw
    -A OUTPUT -j DROP
    COMMIT
    """
    lines, table, count = list[str](), "", 0
    for line in rules.splitlines():
        if line.startswith("*"):
            table, count = line, 0
        elif line.startswith("-A") and (count := count + 1) > most:
            lines += ("COMMIT", table)
            count = 1
        lines.append(line)
    return "\n".join((*lines, ""))


def _named(link: Interface) -> str:
    return f"{link.name} address {link.mac}" if link.mac else link.name


def _lines(lines: Iterator[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
