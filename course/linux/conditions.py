"""Whether a packet fits a rule: one small function for each thing a rule may ask.

The questions of a rule are asked in order, and the first "no" ends it; that matters for those that
remember (recent) or draw (statistic).

Source: `man iptables-extensions`; Linux net/netfilter/xt_*.c.
"""

from __future__ import annotations

from collections.abc import Callable

from course.linux.draws import Question
from course.linux.packet import ICMP, PROTOCOLS, Packet, within
from course.linux.passage import Passage
from course.linux.recent import recent
from course.linux.rule import Match, Option, Rule
from course.linux.vocabulary import chance, mark_and_mask


def fits(rule: Rule, passage: Passage) -> bool:
    """Whether a packet, as it is now, fits a rule."""
    return all(_match_fits(match, rule, passage) for match in rule.matches)


def _match_fits(match: Match, rule: Rule, passage: Passage) -> bool:
    if match.module == "statistic":
        return _statistic(match, rule, passage)
    if match.module == "recent":
        return recent(match, passage)
    if match.module == "addrtype":
        return _addrtype(match, passage)
    return all(
        QUESTIONS[match.module, option.flag](passage, *option.values) != option.negated
        for option in match.options
    )


def _interface(name: str, wanted: str) -> bool:
    """eth+ is every interface whose name begins with eth."""
    return name.startswith(wanted[:-1]) if wanted.endswith("+") else name == wanted


def in_ports(port: int, wanted: str) -> bool:
    """Whether a port is one of a list of ports and ranges.

    >>> in_ports(8080, "80,8000:8999")
    True
    """
    for part in wanted.split(","):
        low, _, high = part.partition(":")
        if int(low) <= port <= int(high or low):
            return True
    return False


def _flags(passage: Passage, looked_at: str, wanted: str) -> bool:
    mask, given = set(looked_at.split(",")), set(passage.packet.flags.split(","))
    return mask & given == set(wanted.split(",")) - {"NONE"}


def _icmp_type(passage: Passage, wanted: str) -> bool:
    kind, _, code = wanted.partition("/")
    is_kind, is_code = ICMP[passage.packet.icmp]
    return is_kind == int(kind) and (not code or is_code == int(code))


def _multiport(passage: Passage, wanted: str) -> bool:
    packet = passage.packet
    return in_ports(packet.source_port, wanted) or in_ports(packet.destination_port, wanted)


def _has_mark(number: int, wanted: str) -> bool:
    value, mask = mark_and_mask(wanted)
    return number & mask == value


def _connection_mark(passage: Passage, wanted: str) -> bool:
    connection = passage.seen.connection
    return connection is not None and _has_mark(connection.mark, wanted)


def _state(passage: Passage, wanted: str) -> bool:
    seen = passage.seen
    nat = seen.connection.nat if seen.connection else ()
    return not {seen.state, *nat}.isdisjoint(wanted.split(","))


def _tuple_end(which: str, end: str) -> Callable[[Passage, str], bool]:
    """A question about one address of a connection's original or reply tuple."""

    def ask(passage: Passage, network: str) -> bool:
        connection = passage.seen.connection
        return connection is not None and within(getattr(getattr(connection, which), end), network)

    return ask


def _original_port(passage: Passage, wanted: str) -> bool:
    connection = passage.seen.connection
    return connection is not None and in_ports(connection.original.destination_port, wanted)


def _protocol_number(passage: Passage, wanted: str) -> bool:
    return PROTOCOLS[passage.packet.protocol] == int(wanted)


def _direction(passage: Passage, wanted: str) -> bool:
    seen = passage.seen
    return seen.connection is not None and seen.reply == (wanted == "REPLY")


def _in_set(passage: Passage, name: str, ends: str) -> bool:
    """`src` or `dst` say which address is looked up; a second word, which port goes with it."""
    packet: Packet = passage.packet
    address = packet.source if ends.startswith("src") else packet.destination
    port = packet.source_port if ends.endswith("src") else packet.destination_port
    found = (ipset for ipset in passage.host.ipsets if ipset.name == name)
    return any(ipset.holds(address, packet.protocol, port) for ipset in found)


def _addrtype(match: Match, passage: Passage) -> bool:
    options = {option.flag: option for option in match.options}
    dev = ""
    if "--limit-iface-in" in options:
        dev = passage.in_interface
    elif "--limit-iface-out" in options:
        dev = passage.out_interface

    def agrees(option: Option | None, address: str) -> bool:
        if option is None:
            return True
        found = passage.host.address_type(address, dev)
        return (found in option.values[0].split(",")) != option.negated

    packet = passage.packet
    return agrees(options.get("--src-type"), packet.source) and agrees(
        options.get("--dst-type"), packet.destination
    )


def _statistic(match: Match, rule: Rule, passage: Passage) -> bool:
    """Draw. The answer is whether the match fits, its `!` already taken into account."""
    option = next(option for option in match.options if option.flag == "--probability")
    yes = chance(option.values[0])
    yes = 1 - yes if option.negated else yes
    outcomes = ((True, yes), (False, 1 - yes))
    return bool(passage.ask(Question("statistic", passage.host.name, rule.text, outcomes)))


QUESTIONS: dict[tuple[str, str], Callable[..., bool]] = {
    ("", "-s"): lambda passage, network: within(passage.packet.source, network),
    ("", "-d"): lambda passage, network: within(passage.packet.destination, network),
    ("", "-i"): lambda passage, name: _interface(passage.in_interface, name),
    ("", "-o"): lambda passage, name: _interface(passage.out_interface, name),
    ("", "-p"): lambda passage, name: passage.packet.protocol == name,
    ("comment", "--comment"): lambda passage, text: True,
    ("nfacct", "--nfacct-name"): lambda passage, name: True,  # it only counts
    ("tcp", "--sport"): lambda passage, ports: in_ports(passage.packet.source_port, ports),
    ("tcp", "--dport"): lambda passage, ports: in_ports(passage.packet.destination_port, ports),
    ("tcp", "--tcp-flags"): _flags,
    ("icmp", "--icmp-type"): _icmp_type,
    ("multiport", "--ports"): _multiport,
    ("mark", "--mark"): lambda passage, wanted: _has_mark(passage.mark, wanted),
    ("connmark", "--mark"): _connection_mark,
    ("state", "--state"): _state,
    ("conntrack", "--ctstate"): _state,
    ("conntrack", "--ctproto"): _protocol_number,
    ("conntrack", "--ctorigsrc"): _tuple_end("original", "source"),
    ("conntrack", "--ctorigdst"): _tuple_end("original", "destination"),
    ("conntrack", "--ctreplsrc"): _tuple_end("reply", "source"),
    ("conntrack", "--ctrepldst"): _tuple_end("reply", "destination"),
    ("conntrack", "--ctorigdstport"): _original_port,
    ("conntrack", "--ctdir"): _direction,
    ("physdev", "--physdev-in"): lambda passage, name: _interface(passage.in_port, name),
    ("physdev", "--physdev-is-in"): lambda passage: bool(passage.in_port),
    ("physdev", "--physdev-out"): lambda passage, name: _interface(passage.out_port, name),
    ("physdev", "--physdev-is-out"): lambda passage: bool(passage.out_port),
    ("physdev", "--physdev-is-bridged"): lambda passage: bool(passage.out_port),
    ("set", "--match-set"): _in_set,
}
for _ports in ("--sport", "--dport"):  # those of others are asked as TCP's
    for _key in (("udp", _ports), ("sctp", _ports), ("multiport", f"{_ports}s")):
        QUESTIONS[_key] = QUESTIONS["tcp", _ports]
