"""Netfilter at work: which tables a packet meets at each hook, and what their rules do to it.

The five hooks are places on a packet's way through a host. At each, tables are asked in the order
below; `conntrack` and `confirm` are connection tracking, which looks up a packet's connection and
notes a new one at the end. Only the first packet of a connection meets the table nat: all others
are translated as the first one was.

Source: Linux include/uapi/linux/netfilter_ipv4.h (the order), nf_nat_core.c, xt_nat.c,
nf_nat_masquerade.c.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from course.errors import InputError
from course.linux.conditions import fits
from course.linux.conntrack import (
    DESTINATION,
    SOURCE,
    UNTRACKED,
    Connection,
    is_free,
    note,
    track,
    translate,
)
from course.linux.passage import Passage
from course.linux.ports import free_port
from course.linux.routing import select_source
from course.linux.rule import Rule, Target
from course.linux.ruleset import Chain
from course.linux.vocabulary import mark_and_mask

HOOKS = {
    "PREROUTING": ("raw", "conntrack", "mangle", "nat"),
    "INPUT": ("mangle", "filter", "nat", "confirm"),
    "FORWARD": ("mangle", "filter"),
    "OUTPUT": ("raw", "conntrack", "mangle", "nat", "filter"),
    "POSTROUTING": ("mangle", "nat", "confirm"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a chain ended: ACCEPT, DROP, or REJECT with the kind of refusal."""

    name: str
    reject_with: str = ""


ACCEPT, DROP = Verdict("ACCEPT"), Verdict("DROP")


def hook(passage: Passage, name: str) -> Verdict:
    """Lead a packet through one hook; it goes on only if the verdict is ACCEPT."""
    for table in HOOKS[name]:
        verdict = _ask(passage, table, name)
        if verdict != ACCEPT:
            return verdict
    return ACCEPT


def _ask(passage: Passage, table: str, chain: str) -> Verdict:
    if table == "conntrack":
        return _look_up(passage)
    if table == "confirm":
        return _confirm(passage)
    if table == "nat":
        return _nat(passage, chain)
    return _walk_built_in(passage, table, chain)


def _look_up(passage: Passage) -> Verdict:
    """Find the packet's connection, unless it has one already or the table raw exempts it."""
    if passage.tracked is None and passage.host.netfilter.tracks_connections:
        seen = passage.tracked = track(passage.packet, passage.connections, passage.zone)
        if seen.refused:
            others = (each for each in passage.connections if each != seen.connection)
            passage.connections = tuple(others)
    return ACCEPT


def _confirm(passage: Passage) -> Verdict:
    """Note a new connection, or that a reply was seen.

    A packet whose replies could be taken for those of another connection is lost.
    """
    seen = passage.seen
    if seen.connection is None or seen.state == "RELATED" or seen.refused:
        return ACCEPT
    if not seen.known and not is_free(seen.connection, passage.connections):
        passage.step("dropped", "the connection clashes with another one", str(seen.connection))
        return DROP
    passage.connections = note(seen.connection, passage.connections, seen.reply)
    passage.tracked = replace(seen, known=True)
    return ACCEPT


def _nat(passage: Passage, chain: str) -> Verdict:
    """Translate: the first packet by the rules, all others as their connection says."""
    if "nat" not in passage.host.netfilter.tables or passage.seen.connection is None:
        return ACCEPT
    which = DESTINATION if chain in ("PREROUTING", "OUTPUT") else SOURCE
    decided_by, by_chain = "", chain
    if passage.seen.state == "NEW" and not passage.seen.known:
        verdict = _walk_built_in(passage, "nat", chain)
        if verdict != ACCEPT:
            return verdict
        if passage.translator:
            by_chain, decided_by = passage.translator
            passage.translator = None
        if which == SOURCE and not _settle_port(passage):
            return DROP
    before = passage.packet
    passage.packet = translate(before, passage.seen, which)
    if passage.packet != before:
        decided_by = decided_by or f"conntrack: {passage.seen.connection}"
        effect = f"{_ends(before, passage, which)}"
        passage.step("translated", effect, decided_by, "nat", by_chain, before)
    return ACCEPT


def _settle_port(passage: Passage) -> bool:
    """Give a connection another source port if its replies could be taken for another one's."""
    connection = passage.seen.connection
    if connection is None or is_free(connection, passage.connections):
        return True
    address = connection.reply.destination
    return _set_source(passage, connection, address, "", False, "ports are taken")


def _walk_built_in(passage: Passage, table: str, chain: str) -> Verdict:
    """Ask a chain of the kernel; what no rule decides, its policy does."""
    found = passage.host.netfilter.chain(table, chain)
    if found is None:
        return ACCEPT
    verdict = _walk(passage, table, chain, found)
    if verdict is None and found.policy == "DROP":
        passage.step("filtered", "DROP", f"-P {chain} DROP", table, chain)
        return DROP
    return verdict or ACCEPT


def _walk(passage: Passage, table: str, name: str, chain: Chain) -> Verdict | None:
    """Ask the rules of a chain in order; None if the chain ends, or returns, undecided."""
    for rule in chain.rules:
        if not fits(rule, passage) or rule.target is None:
            continue
        target = rule.target
        if target.is_chain:
            passage.step("matched", f"{_how(target)} {target.name}", rule.text, table, name)
            called = passage.host.netfilter.chain(table, target.name)
            verdict = _walk(passage, table, target.name, called or Chain())
            if verdict or target.goto:
                return verdict
        elif target.name == "RETURN":
            passage.step("matched", "return", rule.text, table, name)
            return None
        elif verdict := _carry_out(passage, rule, target, table, name):
            return verdict
    return None


def _how(target: Target) -> str:
    return "go to" if target.goto else "jump to"


def _carry_out(
    passage: Passage, rule: Rule, target: Target, table: str, chain: str
) -> Verdict | None:
    """What a target of the kernel does; None if the packet goes on to the next rule."""
    where = (rule.text, table, chain)
    if target.name in ("ACCEPT", "DROP", "REJECT"):
        option = target.option("--reject-with")
        verdict = Verdict(target.name, option.values[0] if option else "")
        kind = "filtered" if table == "filter" or verdict != ACCEPT else "matched"
        passage.step(kind, target.name, *where)
        return verdict
    if target.name in ("MARK", "CONNMARK"):
        passage.step("matched", _set_mark(passage, target), *where)
        return None
    if target.name == "CT":
        passage.step("matched", _exempt_or_zone(passage, target), *where)
        return None
    if table != "nat" or passage.seen.connection is None:
        raise InputError(rule.text, f"stands in {table} {chain}.", "Translate in the table nat.")
    passage.translator = (chain, rule.text)
    return _set_up_nat(passage, target, passage.seen.connection, where)


def _set_mark(passage: Passage, target: Target) -> str:
    """MARK, and CONNMARK, which keeps a mark with the connection."""
    option = target.option("--set-xmark")
    connection = passage.seen.connection
    if option:
        value, mask = mark_and_mask(option.values[0])
        if target.name == "MARK":
            passage.mark = passage.mark & ~mask ^ value
            return f"mark {passage.mark:#x}"
        if connection:
            _remember(passage, replace(connection, mark=connection.mark & ~mask ^ value))
        return "connection mark"
    masks = [target.option(flag) for flag in ("--nfmask", "--ctmask")]
    packet_mask, connection_mask = (int(each.values[0], 0) if each else 0 for each in masks)
    if connection and target.option("--save-mark"):
        kept = connection.mark & ~connection_mask ^ passage.mark & packet_mask
        _remember(passage, replace(connection, mark=kept))
    elif connection:
        passage.mark = passage.mark & ~packet_mask ^ connection.mark & connection_mask
    return f"mark {passage.mark:#x}"


def _exempt_or_zone(passage: Passage, target: Target) -> str:
    """CT: no tracking for this packet, or tracking in a zone of its own."""
    zone = target.option("--zone")
    if zone:
        passage.zone = int(zone.values[0])
        return f"zone {passage.zone}"
    passage.tracked = UNTRACKED
    return "not tracked"


def _set_up_nat(
    passage: Passage, target: Target, connection: Connection, where: tuple[str, str, str]
) -> Verdict:
    """DNAT, REDIRECT, SNAT and MASQUERADE change the connection; translation follows from it."""
    port = connection.original.destination_port
    if target.name == "DNAT":
        address, wanted = _address_and_port(_value(target, "--to-destination"))
        address = address or passage.packet.destination
        _remember(passage, connection.with_destination(address, int(wanted or port)))
        return ACCEPT
    if target.name == "REDIRECT":
        wanted = _value(target, "--to-ports")
        own = select_source(passage.host.interfaces, passage.in_interface)
        address = own if passage.in_interface else "127.0.0.1"
        _remember(passage, connection.with_destination(address, int(wanted or port)))
        return ACCEPT
    if target.name == "SNAT":
        address, span = _address_and_port(_value(target, "--to-source"))
    else:
        span, out = _value(target, "--to-ports"), passage.out_interface
        address = select_source(passage.host.interfaces, out, passage.next_hop)
    always = target.option("--random-fully") is not None or target.option("--random") is not None
    if _set_source(passage, connection, address, span, always, where[0]):
        return ACCEPT
    return DROP


def _set_source(
    passage: Passage, connection: Connection, address: str, span: str, always: bool, about: str
) -> bool:
    """Change a connection's source; False, and a step that tells it, if no port is left."""
    port = free_port(passage, connection, address, span, always, about)
    if port is None:
        passage.step("dropped", "no source port is left", about, "nat", "POSTROUTING")
        return False
    _remember(passage, connection.with_source(address, port))
    return True


def _remember(passage: Passage, connection: Connection) -> None:
    """Put a changed connection in the place of what it was."""
    passage.tracked = replace(passage.seen, connection=connection)
    if passage.seen.known:
        passage.connections = note(connection, passage.connections, False)


def _value(target: Target, flag: str) -> str:
    option = target.option(flag)
    return option.values[0] if option else ""


def _address_and_port(text: str) -> tuple[str, str]:
    """The parts of 10.244.1.3:8080, of an address alone, and of [fd00::3]:8080."""
    if text.count(":") > 1:
        address, _, port = text.removeprefix("[").partition("]")
        return address, port.removeprefix(":")
    address, _, port = text.partition(":")
    return address, port


def _ends(before: object, passage: Passage, which: str) -> str:
    """What was translated, from what to what."""
    old, new = before, passage.packet
    end = "source" if which == SOURCE else "destination"
    texts = [f"{getattr(p, end)}:{getattr(p, f'{end}_port')}" for p in (old, new)]
    return f"{end} {texts[0]} -> {texts[1]}"
