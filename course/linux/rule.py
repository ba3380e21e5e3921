"""One rule of iptables: what it asks of a packet, and what it does with one that fits.

A rule has one normal form, the text that iptables-save prints for it. So two rules are the same
exactly if their texts are, whether a program wrote them or the kernel gave them back:

>>> print(parse_rule("-m tcp -p tcp -d 10.0.0.10 --dport 80 -j KUBE-MARK-MASQ"))
-d 10.0.0.10/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
>>> print(parse_rule("-j MARK --or-mark 0x4000"))
-j MARK --set-xmark 0x4000/0x4000
>>> parse_rule("-m time --timestart 08:00 -j DROP")
Traceback (most recent call last):
...
course.errors.InputError: 'time' is a match that the course does not know. Known: comment, tcp, \
udp, sctp, icmp, multiport, mark, connmark, state, conntrack, addrtype, statistic, recent, \
physdev, set, nfacct.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from inspect import signature

from course.errors import InputError
from course.linux.vocabulary import ALIASES, ALL_BITS, MATCHES, TARGETS, Normal, mark_and_mask

_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a match or target with its values; `negated` if a ! stands before it."""

    flag: str
    values: tuple[str, ...] = ()
    negated: bool = False

    def __str__(self) -> str:
        values = map(quoted, self.values) if self.flag == "--comment" else self.values
        return " ".join((*(("!",) if self.negated else ()), self.flag, *values))


@dataclass(frozen=True, slots=True)
class Match:
    """One `-m` of a rule with its options; the module "" is the IP header: -s -d -i -o -p."""

    module: str
    options: tuple[Option, ...]

    def __str__(self) -> str:
        return " ".join((*(("-m", self.module) if self.module else ()), *map(str, self.options)))


@dataclass(frozen=True, slots=True)
class Target:
    """What is done with a packet that fits: a target of the kernel, or a chain to go on in."""

    name: str
    options: tuple[Option, ...] = ()
    goto: bool = False  # -g: do not come back

    @property
    def is_chain(self) -> bool:
        """Whether it is the name of a chain."""
        return self.name not in TARGETS

    def option(self, flag: str) -> Option | None:
        """The option of that name, if it is given."""
        return next((option for option in self.options if option.flag == flag), None)

    def __str__(self) -> str:
        return " ".join(("-g" if self.goto else "-j", self.name, *map(str, self.options)))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, kept as its normal form. Without a target it only counts.

    It has two halves, because the many rules of a large ruleset share one with others; what a half
    means is read when it is asked for.
    """

    asks: str = ""
    does: str = ""

    @property
    def matches(self) -> tuple[Match, ...]:
        """What it asks of a packet."""
        return _read(self.asks)[0]

    @property
    def target(self) -> Target | None:
        """What it does with a packet that fits."""
        return _read(self.does)[1]

    @property
    def calls(self) -> str:
        """The chain that it jumps or goes to; an empty text for none."""
        name = self.does.split(" ", 2)[1] if self.does else ""
        return "" if name in TARGETS else name

    @property
    def text(self) -> str:
        """Its normal form, without the chain it stands in."""
        return f"{self.asks} {self.does}".strip()

    def __str__(self) -> str:
        return self.text

    def uses(self, module: str) -> bool:
        """Whether it asks a certain match, such as "nfacct"."""
        return any(match.module == module for match in self.matches)


def parse_rule(text: str) -> Rule:
    """Read one rule, without the `-A CHAIN` before it.

    Raises InputError for a match, target or option that the course does not know.
    """
    asks, jump, does = text.partition("-j ")
    if jump and asks[-1:] in ("", " ") and _is_only_a_target(does):
        return Rule(_normal(asks).asks, _normal(jump + does).does)
    return _normal(text)


def _is_only_a_target(text: str) -> bool:
    """Whether nothing stands in the text but a target and options of its own."""
    own = TARGETS.get(text.partition(" ")[0], {})
    return '"' not in text and all(word in own for word in text.split() if word[0] == "-")


@lru_cache(maxsize=1 << 14)
def _normal(text: str) -> Rule:
    """The normal form of a rule, or of half a rule."""
    matches, target = _parse(text)
    return Rule(" ".join(map(str, matches)), str(target) if target else "")


@lru_cache(maxsize=1 << 14)
def _read(text: str) -> tuple[tuple[Match, ...], Target | None]:
    """What a normal form means; packets ask for the same few again and again."""
    return _parse(text)


def _parse(text: str) -> tuple[tuple[Match, ...], Target | None]:
    """What a rule, or half a rule, asks and does."""
    words = _Words(split(text))
    found: dict[str, dict[str, Option]] = {"": {}}
    target: Target | None = None
    options: dict[str, Option] = {}
    while words:
        negated = words.take("!")
        name = words.next()
        name = ALIASES.get(name, name)
        if name == "-m":
            found.setdefault(_known_module(words.next()), {})
        elif name in ("-j", "-g"):
            target = Target(words.next(), goto=name == "-g")
        elif target and not target.is_chain and _is_option_of(target.name, name):
            normal = _target_form(target.name, name)
            _add(options, _option(name, normal, words.values(normal), negated))
        else:
            module, name = _owner(name, found, target)
            normal = MATCHES[module].get(name, _syn)
            option = _option(name, normal, words.values(normal), negated)
            _add(found.setdefault(module, {}), option)
    matches = (Match(module, _finish(module, given)) for module, given in found.items())
    if target and not target.is_chain:
        target = Target(target.name, _finish_target(target.name, options))
    return tuple(match for match in matches if match.module or match.options), target


def split(text: str) -> list[str]:
    """The words of a line; what stands in double quotes is one.

    >>> split('-m comment --comment "default/web cluster IP"')
    ['-m', 'comment', '--comment', 'default/web cluster IP']
    """
    if '"' not in text:
        return text.split()
    words = [plain or inside for inside, plain in _WORD.findall(text)]
    return [re.sub(r"\\(.)", r"\1", word) for word in words] if "\\" in text else words


def quoted(text: str) -> str:
    """A comment as iptables-save writes it: in quotes, unless it is one plain word."""
    return text if _PLAIN.fullmatch(text) else '"' + re.sub(r'(["\\\'])', r"\\\1", text) + '"'


class _Words:
    """The words of a rule that are still to be read."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._words)

    def take(self, word: str) -> bool:
        taken = self._words[self._at] == word
        self._at += taken
        return taken

    def next(self) -> str:
        try:
            word = self._words[self._at]
        except IndexError:
            text = " ".join(self._words)
            raise InputError(text, "ends too early.", "Complete its last option.") from None
        self._at += 1
        return word

    def values(self, normal: Normal) -> tuple[str, ...]:
        return tuple([self.next() for _ in range(_arity(normal))])


@lru_cache(maxsize=256)
def _arity(normal: Normal) -> int:
    return len(signature(normal).parameters)


def _known_module(module: str) -> str:
    if module not in MATCHES or not module:
        known = ", ".join(filter(None, MATCHES))
        raise InputError(module, "is a match that the course does not know.", f"Known: {known}.")
    return module


def _owner(
    name: str, found: dict[str, dict[str, Option]], target: Target | None
) -> tuple[str, str]:
    """The match an option belongs to: one that was named, or the one of the protocol (-p tcp)."""
    if name in MATCHES[""]:
        return "", name
    for module in reversed(found):
        if module and name in MATCHES[module]:
            return module, name
    protocol = _protocol(found)
    if name in MATCHES.get(protocol, ()) or (name == "--syn" and protocol == "tcp"):
        return protocol, name
    if target:
        raise InputError(
            f"{target} {name}", "is a target or an option that the course does not know.",
            f"Known targets: {', '.join(TARGETS)}, and chains.",
        )  # fmt: skip
    raise InputError(name, "belongs to no match of this rule.", "Name its match with -m before it.")


def _protocol(found: dict[str, dict[str, Option]]) -> str:
    option = found[""].get("-p")
    return option.values[0] if option and not option.negated else ""


def _option(name: str, normal: Normal, values: tuple[str, ...], negated: bool) -> Option:
    """One option in normal form."""
    printed = normal(*values)
    if printed is None:  # it says nothing
        if negated:
            raise InputError(name, "matches nothing when negated.", "Leave the rule out.")
        return Option("")
    return Option("--tcp-flags" if name == "--syn" else name, printed, negated)


def _syn() -> tuple[str, ...]:
    """--syn is short for: of these four flags, only SYN is set."""
    return ("FIN,SYN,RST,ACK", "SYN")


def _add(options: dict[str, Option], option: Option) -> None:
    if option.flag in options:
        raise InputError(option.flag, "is given twice.", "Give it once.")
    if option.flag:
        options[option.flag] = option


def _finish(module: str, given: dict[str, Option]) -> tuple[Option, ...]:
    """The options in printing order, with the defaults that iptables-save spells out."""
    if module == "recent":
        if given.keys().isdisjoint(("--set", "--rcheck", "--update", "--remove")):
            raise InputError("-m recent", "lacks what to do.", "Add --set, --rcheck or --update.")
        given.setdefault("--name", Option("--name", ("DEFAULT",)))
        given.setdefault("--mask", Option("--mask", ("255.255.255.255",)))
        if "--rdest" not in given:
            given.setdefault("--rsource", Option("--rsource"))
    needed = _NEEDED.get(module)
    if needed and needed not in given:
        raise InputError(f"-m {module}", f"lacks {needed}.", "Complete it.")
    if len(given) == 1:
        return tuple(given.values())
    return tuple(given[flag] for flag in MATCHES[module] if flag in given)


# the option without which a match or target means nothing
_NEEDED = {
    "statistic": "--probability", "mark": "--mark", "set": "--match-set",
    "DNAT": "--to-destination", "SNAT": "--to-source", "MARK": "--set-xmark",
}  # fmt: skip
_MARKS = ("--set-xmark", "--set-mark", "--or-mark", "--and-mark", "--xor-mark")


def _is_option_of(target: str, name: str) -> bool:
    return _target_name(target, name) in TARGETS[target] or (
        name in _MARKS and "--set-xmark" in TARGETS[target]
    )


def _target_name(target: str, name: str) -> str:
    """The full name of the short form `--to`, which SNAT and DNAT share."""
    return "--to-destination" if target == "DNAT" and name == "--to-source" else name


def _target_form(target: str, name: str) -> Normal:
    return _mark_value if name in _MARKS else TARGETS[target][_target_name(target, name)]


def _mark_value(value: str) -> tuple[str, ...]:
    mark_and_mask(value)
    return (value,)


def _finish_target(name: str, given: dict[str, Option]) -> tuple[Option, ...]:
    options = {_target_name(name, flag): option for flag, option in given.items()}
    if any(option.negated for option in options.values()):
        raise InputError(name, "has no options that can be negated.", "Leave out the !.")
    for option in [options[flag] for flag in _MARKS if flag in options]:
        options["--set-xmark"] = _xmark(option)
    if name == "REJECT":
        options.setdefault("--reject-with", Option("--reject-with", ("icmp-port-unreachable",)))
    if name == "CONNMARK" and "--set-xmark" not in options:
        for flag in ("--nfmask", "--ctmask"):
            options.setdefault(flag, Option(flag, (f"{ALL_BITS:#x}",)))
    needed = _NEEDED.get(name)
    if needed and needed not in options:
        raise InputError(name, f"lacks {needed}.", "Complete it.")
    return tuple(Option(flag, options[flag].values) for flag in TARGETS[name] if flag in options)


def _xmark(option: Option) -> Option:
    """Every way to set a mark as one: clear the bits of the mask, then flip those of the value."""
    value, mask = mark_and_mask(option.values[0])
    if option.flag == "--set-mark":
        mask |= value
    elif option.flag == "--or-mark":
        mask = value
    elif option.flag == "--and-mark":
        value, mask = 0, ALL_BITS & ~value
    elif option.flag == "--xor-mark":
        mask = 0
    return Option("--set-xmark", (f"{value:#x}/{mask:#x}",))
