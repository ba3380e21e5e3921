"""All rules of a host: tables of chains of rules, read from and written as iptables-save text.

>>> rules = parse('''
... *nat
... :KUBE-MARK-MASQ - [0:0]
... -A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
... COMMIT
... ''')
>>> print(rules)
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-MARK-MASQ - [0:0]
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
COMMIT

The normal form: tables in the order in which a packet meets them, the kernel's own chains first,
the others by name, each rule as iptables-save prints it, no counters, no remarks. A table that is
named has all of the kernel's chains. Two rulesets are equal exactly if their texts are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from course.errors import InputError
from course.linux.rule import Rule, parse_rule

# The chains that the kernel itself calls, by table.
BUILT_IN = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}
_TRACKING = ("conntrack", "state", "connmark")


@dataclass(frozen=True, slots=True)
class Chain:
    """Rules in order; a chain of the kernel has a policy for what passes all of them."""

    rules: tuple[Rule, ...] = ()
    policy: str | None = None

    @property
    def jumps(self) -> list[str]:
        """The chains that its rules jump or go to."""
        return list(dict.fromkeys(rule.calls for rule in self.rules if rule.calls))


@dataclass(frozen=True)
class Ruleset:
    """Tables by name, each with its chains by name."""

    tables: Mapping[str, Mapping[str, Chain]] = field(default_factory=dict)

    def chain(self, table: str, name: str) -> Chain | None:
        """A chain, or None where there is none."""
        return self.tables.get(table, {}).get(name)

    @cached_property
    def tracks_connections(self) -> bool:
        """Whether the kernel watches connections: as soon as a rule may ask for it."""
        return "nat" in self.tables or any(
            rule.uses(module)
            for chains in self.tables.values()
            for chain in chains.values()
            for rule in chain.rules
            for module in _TRACKING
        )

    def apply(self, text: str, flush: bool = False) -> Ruleset:
        """This ruleset after iptables-restore --noflush has read a text.

        A line `:CHAIN - [0:0]` empties a chain of one's own or makes it; for a chain of the kernel
        it only sets the policy. `-A -I -D -R`, `-N -F -X -P` do what they do in iptables. With
        `flush`, every table that is named starts empty, as without --noflush. Raises InputError
        for a line that cannot be read, and for a jump to a chain that is not there.

        >>> base = parse("*nat\\n:SVC - [0:0]\\n-A SVC -j RETURN\\nCOMMIT")
        >>> base.apply("*nat\\n:SVC - [0:0]\\n-X SVC\\nCOMMIT") == parse("*nat\\nCOMMIT")
        True
        """
        tables = dict(self.tables)
        for table, lines in _by_table(text):
            before = {} if flush else tables.get(table, {})
            editor = _Table(table, before)
            for line in lines:
                editor.apply(line)
            tables[table] = editor.chains()
            _check_jumps(table, before, tables[table])
        return Ruleset(tables)

    def text(self, *tables: str) -> str:
        """The normal form of some tables, or of all; every line is ended, for iptables-restore.

        >>> parse("*nat\\nCOMMIT").text().splitlines(keepends=True)[-1]
        'COMMIT\\n'
        >>> Ruleset().text()
        ''
        """
        return "".join(
            _table_text(table, self.tables[table])
            for table in BUILT_IN
            if table in self.tables and (not tables or table in tables)
        )

    def __str__(self) -> str:
        return self.text().rstrip("\n")


def parse(text: str) -> Ruleset:
    """Read a whole ruleset as iptables-save prints it, or as iptables-restore takes it."""
    return Ruleset().apply(text, flush=True)


def _by_table(text: str) -> Iterator[tuple[str, Iterator[str]]]:
    """The lines between `*table` and COMMIT, which must be taken before the next table."""
    lines = _lines(text)
    for line in lines:
        if line[0] != "*":
            raise InputError(line, "stands in no table.", "Write *nat or another table before it.")
        if line[1:] not in BUILT_IN:
            raise InputError(line[1:], "is no table.", f"Tables are {', '.join(BUILT_IN)}.")
        yield line[1:], _until_commit(line, lines)


def _until_commit(start: str, lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line == "COMMIT":
            return
        if line[0] == "*":
            break
        yield line
    raise InputError(start, "is not ended.", "Write COMMIT after its last line.")


def _lines(text: str) -> Iterator[str]:
    """The lines that say something, one by one: a text may have hundreds of thousands."""
    for found in re.finditer(".+", text):
        line = found[0].strip()
        if line and line[0] != "#":
            yield line


class _Table:
    """A table while lines change it."""

    def __init__(self, name: str, chains: Mapping[str, Chain]) -> None:
        self.name = name
        self._chains = {built_in: Chain(policy="ACCEPT") for built_in in BUILT_IN[name]}
        self._chains.update(chains)
        self._edited: dict[str, list[Rule]] = {}  # the rules of chains that lines changed

    def chains(self) -> dict[str, Chain]:
        """The chains as values; what did not change is the same value as before."""
        edited = {
            name: Chain(tuple(rules), self._chains[name].policy)
            for name, rules in self._edited.items()
        }
        return self._chains | edited

    def apply(self, line: str) -> None:
        """One line between `*table` and COMMIT."""
        if line[0] == "[":  # [packets:bytes], counters of iptables-save -c
            line = line.partition("]")[2].strip()
        if line[0] == ":":
            name, policy = line[1:].split()[:2]
            return self._declare(name, policy)
        command, _, rest = line.partition(" ")
        name, _, rest = rest.strip().partition(" ")
        if command == "-A":
            return self._list(name).append(parse_rule(rest))
        edit = {
            "-I": self._insert, "-D": self._delete, "-R": self._replace, "-N": self._new,
            "-F": self._flush, "-X": self._remove, "-P": self._declare,
        }.get(command)  # fmt: skip
        if edit is None:
            raise InputError(line, f"starts with {command}.", "Known: -A -I -D -R -N -F -X -P.")
        return edit(name, rest)

    def _list(self, name: str) -> list[Rule]:
        if name not in self._chains:
            raise InputError(name, f"is no chain of {self.name}.", f"Write :{name} - before it.")
        if name not in self._edited:
            self._edited[name] = list(self._chains[name].rules)
        return self._edited[name]

    def _declare(self, name: str, policy: str) -> None:
        if name in BUILT_IN[self.name]:
            if policy not in ("ACCEPT", "DROP", "-"):
                raise InputError(policy, "is no policy.", "Policies are ACCEPT and DROP.")
            if policy not in (self._chains[name].policy, "-"):
                self._chains[name] = replace(self._chains[name], policy=policy)
        else:
            if policy != "-":
                raise InputError(f":{name} {policy}", "is no chain of the kernel.", "Write -.")
            self._chains[name], self._edited[name] = Chain(), []

    def _insert(self, name: str, rest: str) -> None:
        at, rest = _position(rest)
        self._list(name).insert(at - 1 if at else 0, parse_rule(rest))

    def _replace(self, name: str, rest: str) -> None:
        at, rest = _position(rest)
        self._list(name)[self._place(name, at)] = parse_rule(rest)

    def _delete(self, name: str, rest: str) -> None:
        at, text = _position(rest)
        rules = self._list(name)
        if not at:
            rule = parse_rule(text)
            if rule not in rules:
                raise InputError(rule.text, f"does not stand in {name}.", "Look at its rules.")
            at = rules.index(rule) + 1
        del rules[self._place(name, at)]

    def _place(self, name: str, at: int) -> int:
        if not 1 <= at <= len(self._list(name)):
            raise InputError(at, f"is no place in {name}.", "Rules are counted from 1.")
        return at - 1

    def _new(self, name: str, _: str) -> None:
        if name in self._chains:
            raise InputError(name, "is there already.", "Leave out -N.")
        self._declare(name, "-")

    def _flush(self, name: str, _: str) -> None:
        self._list(name).clear()

    def _remove(self, name: str, _: str) -> None:
        if self._list(name):
            raise InputError(name, "still has rules.", "Empty it first: -F.")
        del self._chains[name], self._edited[name]


def _position(rest: str) -> tuple[int, str]:
    """The number that may stand before a rule; 0 for none."""
    first, _, others = rest.strip().partition(" ")
    return (int(first), others) if first.isdecimal() else (0, rest)


def _check_jumps(table: str, before: Mapping[str, Chain], chains: Mapping[str, Chain]) -> None:
    """Every jump leads to a chain that is there, and none leads back, as the kernel demands.

    A new loop passes a chain that changed. From there the callers are followed, not the jumps: of
    kube-proxy's chains each calls many, and few call it.
    """
    callers: dict[str, list[str]] = {}
    for name, chain in chains.items():
        for target in chain.jumps:
            callers.setdefault(target, []).append(name)
    for target, names in callers.items():
        if target not in chains or target in BUILT_IN[table]:
            raise InputError(
                target, f"is no chain of {table} that {names[0]} can jump to, and no target that "
                "the course knows.", "Make the chain, or look for a slip in the name.",
            )  # fmt: skip
    finished: set[str] = set()
    for name, chain in chains.items():
        if before.get(name) is not chain:
            _check_loop(name, callers, finished)


def _check_loop(start: str, callers: Mapping[str, list[str]], finished: set[str]) -> None:
    """Walk to all callers of a chain, without recursion: chains may be deep."""
    way: list[tuple[str, Iterator[str]]] = [(start, iter(callers.get(start, ())))]
    on_way = {start}
    while way:
        name, others = way[-1]
        for other in others:
            if other in on_way:
                raise InputError(other, "jumps back to itself.", "The kernel refuses loops.")
            if other not in finished:
                way.append((other, iter(callers.get(other, ()))))
                on_way.add(other)
                break
        else:
            way.pop()
            on_way.discard(name)
            finished.add(name)


def _table_text(table: str, chains: Mapping[str, Chain]) -> str:
    names = (*BUILT_IN[table], *sorted(set(chains) - set(BUILT_IN[table])))
    lines = [f"*{table}", *(f":{name} {chains[name].policy or '-'} [0:0]" for name in names)]
    lines += (f"-A {name} {rule}".rstrip() for name in names for rule in chains[name].rules)
    return "\n".join((*lines, "COMMIT", ""))
