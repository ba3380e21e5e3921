"""Why a packet went no further: the host where it was seen last is asked, and nobody else.

Asked are, in this order: the ports of its bridge, the counters of its rules, the addresses that it
takes from a wire, its routes (`ip route get`), its sockets, its neighbours. So a disposition is
what the kernel says; the World's data is not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from course.lab.built import Built
from course.lab.namespaces import Command
from course.lab.report import ANSWER, QUESTION, Report, Seen
from course.linux.packet import Packet
from course.linux.passage import Step
from course.linux.rule import Rule, parse_rule
from course.linux.ruleset import Ruleset
from course.trace import Disposition

Counters = Mapping[tuple[str, str, str], int]  # packets, by table, chain and rule


@dataclass(frozen=True)
class Lost:
    """Where a packet was lost, how, and the words of what decided."""

    disposition: Disposition
    where: str
    effect: str
    decided_by: str = ""
    table: str = ""
    chain: str = ""
    packet: Packet | None = None

    @property
    def step(self) -> Step | None:
        """It as a step of a Trace."""
        if self.packet is None:
            return None
        return Step(
            "dropped", self.effect, self.packet, self.packet, self.decided_by, self.table,
            self.chain,
        )  # fmt: skip


def counters(built: Built, *hosts: str) -> dict[str, Counters]:
    """What the rules of hosts have counted so far; of all hosts that have rules, if none is named.

    Raises LabError if iptables-save fails.
    """
    ruled = [host.name for host in built.world.hosts if host.netfilter != Ruleset()]
    asked = [*(hosts or ruled)]
    texts = built.namespaces.must(*(Command(("iptables-save", "-c"), name) for name in asked))
    return {name: dict(_counted(text)) for name, text in zip(asked, texts, strict=True)}


def _counted(text: str) -> Iterable[tuple[tuple[str, str, str], int]]:
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith("["):
            count, _, rule = line.partition("] -A ")
            chain, _, words = rule.partition(" ")
            yield (table, chain, words), int(count[1:].partition(":")[0])
        elif line.startswith(":") and " - " not in line:
            chain, policy, count = line[1:].split()
            yield (table, chain, f"-j {policy}"), int(count[1:].partition(":")[0])


def why(built: Built, report: Report, before: Mapping[str, Counters]) -> Lost:
    """Where the first packet of a flow that was lost was lost, and why."""
    where = report.way[-1].host if report.way else report.flow.source
    now = counters(built, where)[where]
    counted = [
        (table, chain, parse_rule(words))
        for (table, chain, words), count in now.items()
        if count > before.get(where, {}).get((table, chain, words), 0)
    ]
    found = _Inquiry(built, report, where, counted).lost()
    return replace(found, packet=found.packet or _last_packet(report))


def _last_packet(report: Report) -> Packet:
    flow = report.flow
    return report.way[-1].packet if report.way else flow.packet("0.0.0.0")


class _Inquiry:
    """The questions to one host about the last packet that it got, or made."""

    def __init__(
        self, built: Built, report: Report, where: str, counted: list[tuple[str, str, Rule]]
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
            self.at_a_port() or self.by_a_rule() or self.martian() or self.by_routing()
            or self.end(Disposition.DROPPED, "nothing on the host tells why")
        )  # fmt: skip

    def end(self, disposition: Disposition, effect: str, decided_by: str = "") -> Lost:
        """The packet was lost here."""
        return Lost(disposition, self.where, effect, decided_by, packet=self.packet)

    def translated(self, packet: Packet) -> Packet:
        """The packet as routing sees it: with its destination translated by what has counted it,
        or, on the way back, as the question was before it was translated here."""
        here = [each for each in self.report.way if each.host == self.where]
        asked = [each.packet for each in here if each.kind == QUESTION]
        if self.last and self.last.kind == ANSWER and len(asked) > 1:
            return replace(packet, destination=asked[0].source)
        for _, _, rule in self.counted:
            given = rule.target.option("--to-destination") if rule.target else None
            if given and (self.last is None or self.last.kind == QUESTION):
                address, _, port = given.values[0].partition(":")
                port_now = int(port or packet.destination_port)
                return replace(packet, destination=address, destination_port=port_now)
        return packet

    def by_a_rule(self) -> Lost | None:
        """A rule that drops or refuses has counted one more packet."""
        ends = {"DROP": Disposition.DROPPED, "REJECT": Disposition.REFUSED}
        for table, chain, rule in self.counted:
            if rule.target and rule.target.name in ends:
                found = self.end(ends[rule.target.name], "by a rule that counted it", rule.text)
                return replace(found, table=table, chain=chain)
        return None

    def martian(self) -> Lost | None:
        """Its source cannot be where it came from: so says the way back, or the host's own."""
        if not self.came_by:
            return None
        source, strictness = self.packet.source, self.sysctl("net.ipv4.conf.CONF.rp_filter")
        back, said = self.route(source, "0.0.0.0", "")
        if back and back.get("type") == "local":
            if self.sysctl("net.ipv4.conf.CONF.accept_local"):
                return None
            return self.end(Disposition.MARTIAN, f"{source} is this host", "accept_local = 0")
        if strictness and back is None:
            return self.end(Disposition.MARTIAN, f"no way back to {source}: {said}", "rp_filter")
        if strictness == 1 and back and back.get("dev") != self.came_by:
            way = f"the way back to {source} is {back.get('dev')}"
            return self.end(Disposition.MARTIAN, way, "rp_filter = 1")
        return None

    def by_routing(self) -> Lost | None:
        """No route, or one that leads nowhere; or else, whatever is at its end."""
        packet = self.packet
        source = packet.source if self.last else "0.0.0.0"
        found, said = self.route(packet.destination, source, self.came_by)
        if found is None:
            stays = self.came_by and not self.sysctl("net.ipv4.ip_forward")
            if stays and self.route(packet.destination, "0.0.0.0", "")[0]:
                why_not = "net.ipv4.ip_forward = 0"
                return self.end(Disposition.NOT_FORWARDED, "for another host", why_not)
            return self.end(Disposition.NO_ROUTE, f"no way to {packet.destination}", said)
        if found.get("type") in ("local", "broadcast"):
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
        """Nobody on the link has the address, or only who sent the packet himself."""
        near = self.read("ip", "-j", "neigh", "show", address, "dev", dev)
        if not near or {"FAILED", "INCOMPLETE"} & set(near[0]["state"]):
            return self.end(Disposition.NO_NEIGHBOUR, f"nobody on {dev} has {address}")
        return None

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
