"""Small networks of hosts as data, and following a packet from host to host, for tests."""

from __future__ import annotations

from dataclasses import replace

from course.linux.draws import first
from course.linux.host import Host, Socket, State
from course.linux.interfaces import Interface, Neighbour, loopback
from course.linux.path import receive, send
from course.linux.routing import Route
from course.linux.ruleset import parse


def wire(name, *addresses, to, **more):
    """A veth; `to` is "host/interface"."""
    host, _, peer = to.partition("/")
    return Interface(name, addresses=addresses, peer_host=host, peer=peer, **more)


def nat(*lines, chains=()):
    """The table nat with these rules."""
    return table("nat", *lines, chains=chains)


def table(name, *lines, chains=()):
    made = "".join(f":{chain} - [0:0]\n" for chain in chains)
    return f"*{name}\n{made}" + "\n".join(lines) + "\nCOMMIT\n"


def client_router_server(rules="", *, routes=(), policy=(), forward=1, client="", **sysctls):
    """a (10.0.1.2) - r - b (10.0.2.2); b listens on 80 and 8080."""
    keys = {key.replace("__", ".").replace("CONF", "all"): v for key, v in sysctls.items()}
    return (
        Host(
            "a",
            (loopback(), wire("eth0", "10.0.1.2/24", to="r/left")),
            (Route("default", via="10.0.1.1"),),
            netfilter=parse(client),
        ),
        Host(
            "r",
            (
                loopback(),
                wire("left", "10.0.1.1/24", to="a/eth0"),
                wire("right", "10.0.2.1/24", to="b/eth0"),
            ),
            routes,
            policy,
            {"net.ipv4.ip_forward": forward} | keys,
            parse(rules),
            sockets=(Socket("tcp", 22), Socket("udp", 53, "10.0.2.1")),
        ),
        Host(
            "b",
            (loopback(), wire("eth0", "10.0.2.2/24", to="r/right")),
            (Route("default", via="10.0.2.1"),),
            sockets=(Socket("tcp", 80), Socket("tcp", 8080), Socket("udp", 80)),
        ),
    )


def node_with_two_pods(rules="", *, bridge_rules=1, hairpin=False):
    """Pods 10.244.0.2 and 10.244.0.3 on cbr0 of a node (10.240.0.4), and a vm (10.240.0.9)."""
    pods = [
        Host(
            f"p{n}",
            (loopback(), wire("eth0", f"10.244.0.{n}/24", to=f"node/veth{n}")),
            (Route("default", via="10.244.0.1"),),
            sockets=(Socket("tcp", 8080), Socket("udp", 8080)),
        )
        for n in (2, 3)
    ]
    ports = [wire(f"veth{n}", to=f"p{n}/eth0", master="cbr0", hairpin=hairpin) for n in (2, 3)]
    node = Host(
        "node",
        (
            loopback(),
            wire("eth0", "10.240.0.4/16", to="vm/eth0"),
            Interface("cbr0", addresses=("10.244.0.1/24",), kind="bridge"),
            *ports,
        ),
        sysctls={
            "net.ipv4.ip_forward": 1, "net.bridge.bridge-nf-call-iptables": bridge_rules,
        },
        netfilter=parse(rules),
        neighbours=tuple(Neighbour(f"10.244.0.{n}", "cbr0", port=f"veth{n}") for n in (2, 3)),
    )  # fmt: skip
    vm = Host(
        "vm",
        (loopback(), wire("eth0", "10.240.0.9/16", to="node/eth0")),
        (Route("10.244.0.0/24", via="10.240.0.4"),),
        sockets=(Socket("tcp", 80), Socket("udp", 80)),
    )
    return (node, *pods, vm)


def follow(hosts, packets, draw=first, apart=0.0):
    """What is seen at which interface when each (host, packet) is sent in turn, and who counted.

    `apart` is the seconds between the packets.
    """
    world = {host.name: host for host in hosts}
    for name, packet in packets:  # the socket of the program that sends
        # connected: it takes answers from nobody else
        peer = (packet.destination, packet.destination_port)
        own = Socket(packet.protocol, packet.source_port, peer=peer)
        if packet.protocol != "icmp":
            world[name] = replace(world[name], sockets=(*world[name].sockets, own))
    states = {host.name: State() for host in hosts}
    flows, counted = [], set()
    for name, packet in packets:
        events = []
        todo = [(name, None, packet, "")]
        while todo:
            name, interface, packet, hop = todo.pop(0)
            host, state = world[name], states[name]
            if interface:
                outcome = receive(host, interface, packet, state, next_hop=hop, draw=draw)
            else:
                outcome = send(host, packet, state, draw=draw)
            states[name] = outcome.state
            counted |= {
                (name, step.table, step.chain, step.decided_by)
                for step in outcome.steps
                if step.table and not step.decided_by.startswith(("-P", "conntrack:"))
            }
            for sent in outcome.sent:
                link = host.interface(sent.interface)
                if not answered(world[link.peer_host], link.peer, sent):
                    continue
                events.append((name, sent.interface, "out", str(sent.packet)))
                events.append((link.peer_host, link.peer, "in", str(sent.packet)))
                todo.append((link.peer_host, link.peer, sent.packet, sent.next_hop))
            if outcome.delivered and asks(
                outcome.delivered, next(h for h in hosts if h.name == name)
            ):
                todo.append((name, None, outcome.delivered.reply(), ""))
        flows.append(tuple(sorted(events)))
        states = {name: replace(state, now=state.now + apart) for name, state in states.items()}
    return tuple(flows), frozenset(counted)


def asks(packet, host):
    """Whether whoever gets a packet answers it."""
    if packet.protocol == "udp":
        return host.listens(packet)
    return packet.icmp == "echo-request" or packet.flags == "SYN"


def answered(host, interface, sent):
    """Whether somebody on the link says that the next hop is there."""
    link = host.interface(interface)
    if link.master and host.port_of(link.master, sent.next_hop):
        return True
    return host.answers_arp(link.master or interface, sent.next_hop, sent.asker)
