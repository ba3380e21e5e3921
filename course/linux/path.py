"""What one host does to a packet: the whole way from the interface it came in by to what became
of it.

    received -> PREROUTING -> routing -+-> FORWARD -> POSTROUTING -> sent
                                       +-> INPUT -> delivered to a socket
    made by a program -> routing -> OUTPUT -> POSTROUTING -> sent

`receive` and `send` each follow one packet and give an Outcome: every step with the rule or route
that decided, what left by which interface, and what the host remembers afterwards. A host that
refuses a packet sends a packet of its own, which is followed too.

>>> from course.linux.interfaces import Interface, loopback
>>> from course.linux.packet import ping
>>> vm = Host("vm1", (loopback(), Interface("eth0", 2, ("10.240.1.4/24",))))
>>> outcome = send(vm, ping("10.240.1.4", "10.240.1.5"))
>>> print(outcome.fate, outcome.sent[0].interface, outcome.sent[0].next_hop)
sent eth0 10.240.1.5

Source: Linux net/ipv4/{ip_input,ip_forward,ip_output,route,icmp}.c, net/bridge/br_netfilter_hooks.c.
Left out: fragments, ICMP redirects, how often errors may be sent, multicast.
"""  # noqa: E501

from __future__ import annotations

from dataclasses import replace

from course.linux.conntrack import Tracked
from course.linux.draws import Draw, first
from course.linux.host import Host, State
from course.linux.interfaces import Interface
from course.linux.netfilter import ACCEPT, Verdict, hook
from course.linux.outcome import Fate, Outcome, Sent
from course.linux.packet import Packet, icmp_error, number, reset
from course.linux.passage import Passage
from course.linux.routing import Found, select_source
from course.linux.vocabulary import REJECTIONS

# How a host refuses what no socket waits for; the kernel learns SCTP only with its first socket.
CLOSED = {"tcp": "tcp-reset", "udp": "icmp-port-unreachable", "sctp": "icmp-proto-unreachable"}


def receive(
    host: Host,
    interface: str,
    packet: Packet,
    state: State | None = None,
    *,
    next_hop: str = "",
    draw: Draw = first,
) -> Outcome:
    """What a host does to a packet that comes in by an interface.

    `next_hop` is the address that the sender handed it to on the link. It matters on a port of a
    bridge: a packet that was handed to a pod is bridged, one that was handed to the bridge's own
    address (or to nobody in particular) is routed.
    """
    passage = _passage(host, packet, state or State(), draw)
    link = host.interface(interface)
    passage.step("received", f"by {interface}: {packet}")
    if not link.up:
        return _lost(passage, Fate.LINK_DOWN, f"{interface} is down")
    if link.master:
        return _from_port(passage, link, next_hop)
    passage.in_interface = interface
    return _from_link(passage)


def send(host: Host, packet: Packet, state: State | None = None, *, draw: Draw = first) -> Outcome:
    """What a host does to a packet that a program on it makes.

    Source 0.0.0.0 means what it means to a program: the host chooses, by the route.
    """
    passage = _passage(host, packet, state or State(), draw)
    passage.step("made", str(packet))
    return _from_program(passage)


def _passage(host: Host, packet: Packet, state: State, draw: Draw) -> Passage:
    return Passage(host, packet, state.connections, state.recent, state.now, state.paths, draw)


# --- from an interface ---------------------------------------------------------------------------


def _from_link(passage: Passage) -> Outcome:
    verdict = hook(passage, "PREROUTING")
    if verdict != ACCEPT:
        return _stopped(passage, verdict)
    return _routed_in(passage)


def _routed_in(passage: Passage) -> Outcome:
    """Is it for this host, for another one, or for nobody?"""
    host, packet = passage.host, passage.packet
    if martian := _martian(passage, passage.in_interface, packet.source, packet.destination):
        return _lost(passage, Fate.MARTIAN, martian)
    found = host.route(
        packet.destination, source=packet.source, iif=passage.in_interface, mark=passage.mark,
        draw=passage.choose_path,
    )  # fmt: skip
    here = found is not None and found.route.type in ("local", "broadcast")
    forwards = bool(host.sysctl("net.ipv4.ip_forward"))
    if found is None or (found.route.type not in ("unicast", "blackhole") and not here):
        return _no_way(passage, found, forwards)
    if found.route.type == "blackhole":
        return _lost(passage, Fate.NO_ROUTE, "dropped without a word", str(found))
    ends, out = (packet.source, packet.destination), "" if here else found.dev
    if why := host.why_not_from(passage.in_interface, *ends, out):
        return _lost(passage, Fate.MARTIAN, *why)
    if here:
        passage.step("routed", "for this host", str(found))
        return _deliver(passage)
    if not forwards:
        setting = "net.ipv4.ip_forward = 0"
        return _lost(passage, Fate.NOT_FORWARDED, "for another host", setting)
    return _forward(passage, found)


def _no_way(passage: Passage, found: Found | None, forwards: bool) -> Outcome:
    """Tell the sender that no route leads there; only a host that forwards does."""
    reasons = {"unreachable": "host-unreachable", "prohibit": "communication-prohibited"}
    reason = reasons[found.route.type] if found else "network-unreachable"
    decided_by = str(found) if found else "no route"
    passage.step("dropped", f"no way to {passage.packet.destination}", decided_by)
    return _answer(passage, Fate.NO_ROUTE, reason if forwards else None)


def _forward(passage: Passage, found: Found) -> Outcome:
    passage.out_interface, passage.next_hop = found.dev, found.next_hop
    way = f"to {found.next_hop} by {found.dev}"
    if passage.packet.ttl <= 1:
        passage.step("dropped", "its TTL ran out", f"ttl {passage.packet.ttl}")
        return _answer(passage, Fate.EXPIRED, "ttl-zero-during-transit")
    before = passage.packet
    passage.packet = replace(before, ttl=before.ttl - 1)
    passage.step("routed", way, str(found), before=before)
    verdict = hook(passage, "FORWARD")
    if verdict != ACCEPT:
        return _stopped(passage, verdict)
    return _leave(passage)


def _martian(passage: Passage, link: str, *addresses: str) -> str:
    """Why an address cannot be on a wire at all, or nothing."""
    host = passage.host
    if host.interface(link).kind == "loopback":
        return ""
    local = host.sysctl("net.ipv4.conf.CONF.route_localnet", link)
    for address in addresses:
        if number(address) >> 24 == 127 and not local:
            return f"{address} is no address on a wire (route_localnet = 0)"
    return ""


# --- through a bridge ----------------------------------------------------------------------------


def _from_port(passage: Passage, port: Interface, next_hop: str) -> Outcome:
    """A packet that comes in by a port of a bridge: for the host, or for another port."""
    host, bridge = passage.host, port.master
    passage.in_interface, passage.in_port = bridge, port.name
    for_host = not next_hop or not host.port_of(bridge, next_hop)
    filtered = bool(host.sysctl("net.bridge.bridge-nf-call-iptables"))
    if for_host and next_hop and not host.answers_arp(bridge, next_hop, passage.packet.source):
        return _lost(passage, Fate.NO_NEIGHBOUR, f"nobody on {bridge} has {next_hop}")
    if filtered:
        wanted = passage.packet.destination
        verdict = hook(passage, "PREROUTING")
        if verdict != ACCEPT:
            return _stopped(passage, verdict)
        if passage.packet.destination != wanted:
            next_hop = _on_same_bridge(passage)
            for_host = not next_hop
    if not for_host:
        return _across(passage, port, next_hop, filtered)
    passage.step("bridged", f"to {bridge} itself", f"master {bridge}")
    if filtered:
        return _routed_in(passage)
    passage.in_port = ""
    return _from_link(passage)


def _on_same_bridge(passage: Passage) -> str:
    """The neighbour that a translated packet is for, if it is on the bridge that it came from."""
    packet, bridge = passage.packet, passage.in_interface
    found = passage.host.route(
        packet.destination, source=packet.source, iif=bridge, mark=passage.mark,
        draw=passage.choose_path,
    )  # fmt: skip
    bridged = found is not None and found.route.type == "unicast" and found.dev == bridge
    return found.next_hop if found and bridged else ""


def _across(passage: Passage, port: Interface, next_hop: str, filtered: bool) -> Outcome:
    """From one port of a bridge to another: no routing, no TTL; rules if br_netfilter says so."""
    bridge, out = port.master, passage.host.port_of(port.master, next_hop)
    if not out:
        return _lost(passage, Fate.NO_NEIGHBOUR, f"nobody on {bridge} has {next_hop}")
    if out == port.name and not port.hairpin:
        return _lost(passage, Fate.NO_NEIGHBOUR, f"it came in by {out}", "hairpin off")
    passage.out_interface, passage.out_port, passage.next_hop = bridge, out, next_hop
    passage.step("bridged", f"to {out} for {next_hop}", f"master {bridge}")
    for name in ("FORWARD", "POSTROUTING") if filtered else ():
        verdict = hook(passage, name)
        if verdict != ACCEPT:
            return _stopped(passage, verdict)
    return _sent(passage, out, bridge)


# --- from a program ------------------------------------------------------------------------------


def _from_program(passage: Passage) -> Outcome:
    found = _route_out(passage)
    if found is None:
        return _lost(passage, Fate.NO_ROUTE, f"no way to {passage.packet.destination}")
    if found.route.type not in ("unicast", "local", "broadcast"):
        return _lost(passage, Fate.NO_ROUTE, f"no way to {found.destination}", str(found))
    if passage.packet.source == "0.0.0.0":
        passage.packet = replace(passage.packet, source=found.source)
    _take(passage, found)
    before = (passage.packet.destination, passage.packet.source, passage.mark)
    verdict = hook(passage, "OUTPUT")
    if verdict != ACCEPT:
        return _stopped(passage, verdict)
    if before != (passage.packet.destination, passage.packet.source, passage.mark):
        found = _route_out(passage)
        if found is None or found.route.type not in ("unicast", "local"):
            return _lost(passage, Fate.NO_ROUTE, f"no way to {passage.packet.destination}")
        _take(passage, found)
    if martian := _martian(passage, passage.out_interface, passage.packet.source):
        return _lost(passage, Fate.MARTIAN, martian)
    return _leave(passage)


def _route_out(passage: Passage) -> Found | None:
    packet = passage.packet
    return passage.host.route(
        packet.destination, source=packet.source, mark=passage.mark, draw=passage.choose_path
    )


def _take(passage: Passage, found: Found) -> None:
    """Note which way a packet made here leaves; what is for the host itself leaves by lo."""
    passage.out_interface = "lo" if found.route.type == "local" else found.dev
    passage.next_hop = found.next_hop
    passage.step("routed", f"to {found.next_hop} by {passage.out_interface}", str(found))


# --- the ends ------------------------------------------------------------------------------------


def _leave(passage: Passage) -> Outcome:
    """POSTROUTING, and out by the interface that routing chose."""
    verdict = hook(passage, "POSTROUTING")
    if verdict != ACCEPT:
        return _stopped(passage, verdict)
    link = passage.host.interface(passage.out_interface)
    if link.kind == "loopback":
        passage.in_interface, passage.out_interface = link.name, ""
        return _from_link(passage)
    if link.kind != "bridge":
        return _sent(passage, link.name)
    port = passage.host.port_of(link.name, passage.next_hop)
    if not port:
        return _lost(passage, Fate.NO_NEIGHBOUR, f"nobody on {link.name} has {passage.next_hop}")
    return _sent(passage, port, link.name)


def _sent(passage: Passage, interface: str, bridge: str = "") -> Outcome:
    packet, host = passage.packet, passage.host
    asker = packet.source
    if host.address_type(asker) != "LOCAL":
        asker = select_source(host.interfaces, bridge or interface, passage.next_hop)
    passage.step("sent", f"by {interface} to {passage.next_hop}: {packet}")
    sent = Sent(packet, interface, passage.next_hop, bridge, asker)
    return Outcome(Fate.SENT, tuple(passage.steps), passage.state, (sent,))


def _deliver(passage: Passage) -> Outcome:
    """INPUT, and to a socket; where none waits, the sender is told."""
    passage.out_interface = ""
    verdict = hook(passage, "INPUT")
    if verdict != ACCEPT:
        return _stopped(passage, verdict)
    packet = passage.packet
    if packet.protocol == "icmp" or passage.host.listens(packet):
        passage.step("delivered", str(packet))
        steps = tuple(passage.steps)
        return Outcome(Fate.DELIVERED, steps, passage.state, delivered=packet)
    passage.step("dropped", f"no socket waits at {packet.protocol} {packet.destination_port}")
    return _refuse(passage, CLOSED[packet.protocol], attached=False)


def _stopped(passage: Passage, verdict: Verdict) -> Outcome:
    """A rule ended the packet's way."""
    if verdict.name == "REJECT":
        return _refuse(passage, verdict.reject_with)
    return Outcome(Fate.DROPPED, tuple(passage.steps), passage.state)


def _refuse(passage: Passage, reject_with: str, attached: bool = True) -> Outcome:
    """Tell the sender that its packet is refused, in the name of the one it was for.

    The reset that a rule sends is `attached`: it belongs to the packet's connection. That of a port
    where no socket waits is looked up like any packet, and so ends the connection here as well.
    """
    if reject_with != "tcp-reset":
        return _answer(passage, Fate.REFUSED, REJECTIONS[reject_with])
    if passage.packet.protocol != "tcp" or passage.packet.is_answer:
        return _answer(passage, Fate.REFUSED, None)
    return _emit(passage, Fate.REFUSED, reset(passage.packet), attached)


def _answer(passage: Passage, fate: Fate, icmp: str | None) -> Outcome:
    """Send an ICMP error about the packet, unless it is one that nobody answers."""
    packet, host = passage.packet, passage.host
    if icmp is None or packet.is_answer:
        return Outcome(fate, tuple(passage.steps), passage.state)
    source = packet.destination
    if host.address_type(source) != "LOCAL":
        back = host.route(packet.source)
        source = back.source if back else "0.0.0.0"
    return _emit(passage, fate, icmp_error(source, icmp, packet))


def _emit(passage: Passage, fate: Fate, packet: Packet, attached: bool = True) -> Outcome:
    """Send a packet of the host's own about the one that it holds; it may belong to its connection
    without being looked up."""
    own = _passage(passage.host, packet, passage.state, passage.draw)
    seen = passage.seen
    if seen.connection and attached:
        own.tracked = Tracked("RELATED", seen.connection, not seen.reply, known=True)
    own.step("made", str(packet))
    outcome = _from_program(own)
    steps = (*passage.steps, *outcome.steps)
    return Outcome(fate, steps, outcome.state, outcome.sent, outcome.delivered)


def _lost(passage: Passage, fate: Fate, effect: str, decided_by: str = "") -> Outcome:
    """The packet ends here, and nobody is told."""
    passage.step("dropped", effect, decided_by)
    return Outcome(fate, tuple(passage.steps), passage.state)
