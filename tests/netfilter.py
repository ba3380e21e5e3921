"""What the rules of a node do to the first packet of a connection, in every way of chance."""

from __future__ import annotations

from course.kubeproxy import full_sync, jumps
from course.linux.draws import every
from course.linux.host import Host
from course.linux.interfaces import Interface, loopback
from course.linux.packet import Packet
from course.linux.path import receive, send
from course.linux.routing import Route
from course.linux.ruleset import parse


def ruleset(*syncs):
    """What stands once kube-proxy has hooked its chains in, and has made some syncs."""
    stands = parse(jumps())
    for sync in syncs:
        stands = stands.apply(sync.text())
    return stands


def node(state):
    """The node with its addresses and kube-proxy's rules; everything else is beyond eth0."""
    everywhere, length = ("::/0", 128) if state.options.family == "IPv6" else ("default", 32)
    addresses = state.options.node_ips
    return Host(
        state.options.node_name,
        (loopback(), Interface("eth0", 2, tuple(f"{ip}/{length}" for ip in addresses))),
        (
            Route(everywhere, dev="eth0"),
            # a host of the course makes these itself only for IPv4
            *(Route(ip, dev="eth0", type="local", table="local") for ip in addresses if ":" in ip),
        ),
        sysctls={
            "net.ipv4.ip_forward": 1,
            "net.ipv4.conf.all.route_localnet": int(state.options.serves_localhost),
        },
        netfilter=ruleset(full_sync(state)),
    )


def verdict(state, source, protocol, destination, port):
    """(verdict, endpoints it may reach in rule order, whether it is masqueraded) of a packet.

    The verdict is DNAT, or else what the table filter says, or NO_MATCH if no rule decides.
    """
    host, flags = node(state), "SYN" if protocol == "TCP" else ""
    packet = Packet(protocol.lower(), source, destination, 40000, port, flags)
    if host.address_type(source) == "LOCAL":
        ways = every(lambda draw: send(host, packet, draw=draw))
    else:
        ways = every(lambda draw: receive(host, "eth0", packet, draw=draw))
    ends, endpoints, masqueraded = {}, {}, set()
    for way in ways:
        end, endpoint, is_masqueraded = _followed(way.result.steps)
        ends[end] = endpoints[endpoint] = True
        masqueraded.add(is_masqueraded)
    (end,), (is_masqueraded,) = ends, masqueraded  # chance decides neither
    return end, [endpoint for endpoint in endpoints if endpoint], is_masqueraded


def _followed(steps):
    """What the steps of one way say: the verdict, the endpoint, and whether it is masqueraded."""
    masqueraded = any(
        (step.chain, step.effect) == ("KUBE-POSTROUTING", "mark 0x0") for step in steps
    )
    for step in steps:
        if step.kind == "translated" and "-j DNAT" in step.decided_by:
            address, to = step.after.destination, step.after.destination_port
            return "DNAT", f"[{address}]:{to}" if ":" in address else f"{address}:{to}", masqueraded
        if step.kind == "filtered":
            return step.effect, "", masqueraded
    return "NO_MATCH", "", masqueraded
