"""Why a packet went no further: the host where it was seen last is asked, and nobody else.

Asked are, in this order: the ports of its bridge, the counters of its rules, its routes (`ip route
get`) and the way back, its sockets, its wires and neighbours. So a disposition is what the kernel
says; of the World's data only the wires are looked at. Where none of them tells why, that is said.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from course.lab.built import Built
from course.lab.namespaces import Command
from course.lab.report import ANSWER, QUESTION, Report, Seen
from course.linux.packet import Packet
from course.linux.passage import Step
from course.linux.rule import split
from course.linux.ruleset import Ruleset
from course.trace import Disposition
from course.world import World

FOR_MANY = "what goes to many hosts is not followed"
FURTHER = "no rule, route, socket or neighbour: lab.drift() looks at more"


@dataclass(frozen=True)
class Lost:
    """Where a packet was lost, how, and the words of what decided."""

    disposition: Disposition
    where: str
    packet: Packet
    effect: str
    decided_by: str = ""
    table: str = ""
    chain: str = ""

    @property
    def step(self) -> Step:
        """It as a step of a Trace."""
        return Step(
            "dropped", self.effect, self.packet, self.packet, self.decided_by, self.table,
            self.chain,
        )  # fmt: skip


class Counted(NamedTuple):
    """A rule, or the policy of a chain, that counts packets: in the words of iptables-save."""

    table: str
    chain: str
    words: str

    @property
    def target(self) -> str:
        """What it does with a packet: DROP, DNAT, the name of a chain, or nothing."""
        return self.option("-j")

    def option(self, name: str) -> str:
        """The word after an option, or nothing."""
        words = split(self.words)
        return words[words.index(name) + 1] if name in words[:-1] else ""


Counters = Mapping[Counted, int]  # packets, by rule


def ruled(world: World) -> set[str]:
    """The hosts that have rules."""
    return {host.name for host in world.hosts if host.netfilter != Ruleset()}


def counters(built: Built, hosts: Iterable[str]) -> dict[str, dict[Counted, int]]:
    """How many packets the rules of hosts have counted. Raises LabError if iptables-save fails."""
    asked = [*hosts]
    texts = built.namespaces.must(*(Command(("iptables-save", "-c"), name) for name in asked))
    return {name: dict(_counted(text)) for name, text in zip(asked, texts, strict=True)}


def _counted(text: str) -> Iterator[tuple[Counted, int]]:
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith("["):
            count, _, rule = line.partition("] -A ")
            chain, _, words = rule.partition(" ")
            yield Counted(table, chain, words), int(count[1:].partition(":")[0])
        elif line.startswith(":") and " - " not in line:
            chain, policy, count = line[1:].split()
            yield Counted(table, chain, f"-j {policy}"), int(count[1:].partition(":")[0])


def why(built: Built, report: Report, before: Mapping[str, Counters]) -> Lost:
    """Where the first packet of a flow that was lost was lost, and why."""
    where = report.way[-1].host if report.way else report.flow.source
    now, known = counters(built, [where])[where], before.get(where, {})
    counted = [rule for rule, count in now.items() if count > known.get(rule, 0)]
    return _Inquiry(built, report, where, counted).lost()


def _last_packet(report: Report) -> Packet:
    flow = report.flow
    return report.way[-1].packet if report.way else flow.packet("0.0.0.0")


class _Inquiry:
    """The questions to one host about the last packet that it got, or made."""

    def __init__(
        self, built: Built, report: Report, where: str, counted: Sequence[Counted]
    ) -> None:
        self.built, self.report, self.where, self.counted = built, report, where, counted
        self.last: Seen | None = report.way[-1] if report.way else None
        self.packet = self.translated(_last_packet(report))
        self.port = self.last.interface if self.last and self.last.came_in else ""
        self.came_by = self.master(self.port) or self.port

    # --- questions ---

    def asked(self, *words: str) -> str:
        """What a command prints on the host."""
        (output,) = self.built.namespaces.run(Command(words, self.where))
        return output.out.strip() or output.err.strip()

    def read(self, *words: str) -> list[dict[str, Any]]:
        """What a command prints on the host, as JSON; nothing if it prints none."""
        try:
            found: list[dict[str, Any]] = json.loads(self.asked(*words) or "[]")
        except ValueError:
            return []
        return found

    def sysctl(self, key: str) -> int:
        """A setting of the host; for one that every interface has (CONF), the larger of both."""
        paths = [key.replace(".", "/").replace("CONF", conf) for conf in ("all", self.came_by)]
        return max(self.built.namespaces.get(self.where, paths).values())

    def master(self, interface: str) -> str:
        """The bridge that an interface is a port of."""
        found = self.read("ip", "-j", "link", "show", "dev", interface) if interface else []
        return str(found[0].get("master", "")) if found else ""

    def route(self, destination: str, source: str, iif: str) -> tuple[dict[str, Any] | None, str]:
        """What `ip route get` finds, or what it says instead."""
        ends = ["from", source] * (source != "0.0.0.0") + ["iif", iif] * bool(iif)
        said = self.asked("ip", "-j", "route", "get", destination, *ends)
        return (json.loads(said)[0], said) if said.startswith("[") else (None, said)

    # --- answers ---

    def lost(self) -> Lost:
        """Whatever explains it first."""
        return (
            self.at_a_port() or self.by_a_rule() or self.by_routing() or self.by_translation()
            or self.unexplained("nothing on the host tells why", FURTHER)
        )  # fmt: skip

    def unexplained(self, effect: str, advice: str) -> Lost:
        """The packet was lost here, and whoever wants to know why has to look elsewhere."""
        return self.end(Disposition.UNEXPLAINED, effect, advice)

    def end(self, disposition: Disposition, effect: str, decided_by: str = "") -> Lost:
        """The packet was lost here."""
        return Lost(disposition, self.where, self.packet, effect, decided_by)

    def by(self, rule: Counted, disposition: Disposition, effect: str) -> Lost:
        """The packet was lost here, by a rule."""
        lost = self.end(disposition, effect, rule.words)
        return replace(lost, table=rule.table, chain=rule.chain)

    def translated(self, packet: Packet) -> Packet:
        """The packet as routing sees it: with its destination translated by what has counted it,
        or, on the way back, as the question was before it was translated here."""
        here = [each for each in self.report.way if each.host == self.where]
        asked = [each.packet for each in here if each.kind == QUESTION]
        if self.last and self.last.kind == ANSWER and len(asked) > 1:
            return replace(packet, destination=asked[0].source)
        for rule in self.counted:
            given = rule.option("--to-destination")
            if given and (self.last is None or self.last.kind == QUESTION):
                address, _, port = given.partition(":")
                port_now = int(port or packet.destination_port)
                return replace(packet, destination=address, destination_port=port_now)
        return packet

    def by_a_rule(self) -> Lost | None:
        """A rule that drops or refuses has counted one more packet."""
        ends = {"DROP": Disposition.DROPPED, "REJECT": Disposition.REFUSED}
        for rule in self.counted:
            if rule.target in ends:
                return self.by(rule, ends[rule.target], "by a rule that counted it")
        return None

    def martian(self, said: str) -> Lost | None:
        """Its source cannot be where it came from: so says the way back, or the host's own.

        `said` is what `ip route get` said of it.
        """
        source, strictness = self.packet.source, self.sysctl("net.ipv4.conf.CONF.rp_filter")
        if not self.came_by or not said.endswith(("Invalid argument", "cross-device link")):
            return None
        back, no_way = self.route(source, "0.0.0.0", "")
        if back and back.get("type") == "local":
            if self.sysctl("net.ipv4.conf.CONF.accept_local"):
                return None
            return self.end(Disposition.MARTIAN, f"{source} is this host", "accept_local = 0")
        if strictness and back is None:
            return self.end(Disposition.MARTIAN, f"no way back to {source}: {no_way}", "rp_filter")
        if strictness == 1 and back and back.get("dev") != self.came_by:
            way = f"the way back to {source} is {back.get('dev')}"
            return self.end(Disposition.MARTIAN, way, "rp_filter = 1")
        return None

    def by_translation(self) -> Lost | None:
        """It was to get another source, of which none is free."""
        for rule in self.counted:
            if rule.target in ("MASQUERADE", "SNAT"):
                return self.by(rule, Disposition.DROPPED, "no source port is left")
        return None

    def by_routing(self) -> Lost | None:
        """No route, or one that leads nowhere; or else, whatever is at its end."""
        packet = self.packet
        source = packet.source if self.last else "0.0.0.0"
        found, said = self.route(packet.destination, source, self.came_by)
        if found is None:
            if martian := self.martian(said):
                return martian
            stays = self.came_by and not self.sysctl("net.ipv4.ip_forward")
            if stays and self.route(packet.destination, "0.0.0.0", "")[0]:
                why_not = "net.ipv4.ip_forward = 0"
                return self.end(Disposition.NOT_FORWARDED, "for another host", why_not)
            return self.end(Disposition.NO_ROUTE, f"no way to {packet.destination}", said)
        if found.get("type") in ("broadcast", "multicast"):
            return self.unexplained(f"{packet.destination} is no address of one host", FOR_MANY)
        if found.get("type") == "local":
            return self.here()
        if self.came_by and packet.ttl <= 1:
            return self.end(Disposition.EXPIRED, "its TTL ran out", f"ttl {packet.ttl}")
        return self.next_hop(found["dev"], found.get("gateway", packet.destination))

    def here(self) -> Lost | None:
        """It was for this host: nobody waited for it, or the answer did not get away."""
        packet, client = self.packet, self.where == self.report.flow.source
        if self.last and self.last.kind == ANSWER:
            if client or packet.icmp:
                return self.end(Disposition.UNASKED, f"nobody here asked {packet.source}")
            return self.end(Disposition.REFUSED, "no socket waits for this answer")
        if not packet.icmp and not self.listens(packet):
            return self.end(
                Disposition.REFUSED, f"no socket waits at {packet.protocol} "
                f"{packet.destination_port}",
            )  # fmt: skip
        self.packet, self.came_by, self.port = packet.reply(), "", ""
        self.last = None
        found, said = self.route(self.packet.destination, "0.0.0.0", "")
        if found is None:
            return self.end(Disposition.NO_ROUTE, f"no way back to {packet.source}", said)
        return self.next_hop(found["dev"], found.get("gateway", self.packet.destination))

    def listens(self, packet: Packet) -> bool:
        """Whether a socket waits for a packet, at its address or at every one."""
        kind = {"tcp": "-t", "udp": "-u"}[packet.protocol]
        found = self.asked("ss", "-Hln", kind, f"sport = :{packet.destination_port}")
        at = {line.split()[3].rpartition(":")[0] for line in found.splitlines()}
        return bool(at & {"0.0.0.0", packet.destination})

    def next_hop(self, dev: str, address: str) -> Lost | None:
        """The link is down, or nobody on it has the next hop's address, or its MAC."""
        (link,) = self.read("ip", "-j", "link", "show", "dev", dev)
        if "NO-CARRIER" in link["flags"] or "UP" not in link["flags"]:
            return self.end(Disposition.LINK_DOWN, f"the wire of {dev} is down")
        near = self.read("ip", "-j", "neigh", "show", address, "dev", dev)
        if not near:
            return None  # nobody has asked for it: the packet did not come so far
        if {"FAILED", "INCOMPLETE"} & set(near[0]["state"]):
            return self.end(Disposition.NO_NEIGHBOUR, f"nobody on {dev} has {address}")
        mac = near[0]["lladdr"]
        if "PERMANENT" in near[0]["state"] and mac != self.mac_beyond(dev):
            return self.end(Disposition.NO_NEIGHBOUR, f"nobody on {dev} has {mac}", str(near[0]))
        return None

    def mac_beyond(self, dev: str) -> str:
        """The MAC at the other end of a wire."""
        built = self.built
        far = built.world.far_end(self.where, built.name(self.where, dev))
        if far is None:
            return ""
        show = ("ip", "-j", "link", "show", "dev", built.real_name(far.host, far.interface))
        (said,) = built.namespaces.must(Command(show, far.host))
        return str(json.loads(said)[0]["address"])

    def at_a_port(self) -> Lost | None:
        """It was to leave a bridge by the port that it came in by, and may not.

        The bridge decides before any rule: a promiscuous one hands a copy to the host all the same,
        which may be dropped later by a rule.
        """
        if self.came_by == self.port:
            return None
        near = self.read("ip", "-j", "neigh", "show", self.packet.destination, "dev", self.came_by)
        macs = {each.get("lladdr") for each in near}
        learned = self.read("bridge", "-j", "fdb", "show", "br", self.came_by)
        behind = {each["ifname"] for each in learned if each["mac"] in macs}
        (port,) = self.read("bridge", "-j", "-d", "link", "show", "dev", self.port)
        if self.port in behind and not port["hairpin"]:
            return self.end(Disposition.NO_NEIGHBOUR, f"it came in by {self.port}", "hairpin off")
        return None
