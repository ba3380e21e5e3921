"""Rules as text: what they do to a first packet, their normal form, and the real iptables.

The walk is deliberately small: it knows only what kube-proxy writes, and follows every branch of
chance, so that it tells all endpoints that a packet may reach.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

import pytest

from tests import real_linux

FLAGS = {"--reap", "--rcheck", "--set", "--rsource", "--random-fully"}
LOOPBACK = ("127.0.0.0/8", "::1/128")


def options_of(rule):
    """The (negated, option, value) of one -A line, in its order."""
    words, found, negated = iter(shlex.split(rule)), [], False
    for word in words:
        if word == "!":
            negated = True
            continue
        found.append((negated, word, "" if word in FLAGS else next(words)))
        negated = False
    return found


def chains_of(text):
    """{(table, chain): [options of each rule]} of iptables-save text; -X and COMMIT are skipped."""
    table, found = "", defaultdict(list)
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            found[table, line[1:].split()[0]] = []
        elif line.startswith("-A"):
            (_, _, chain), *rest = options_of(line)
            found[table, chain].append(rest)
    return found


# ---- a first packet ------------------------------------------------------------------------------


@dataclass
class Walk:
    """One packet on its way through one node; `node_ips` are the node's addresses."""

    chains: dict
    node_ips: tuple
    source: str
    protocol: str
    destination: str
    port: int
    masquerade: bool = False
    endpoints: list = field(default_factory=list)

    def local(self, address):
        inside = any(ip_address(address) in ip_network(net) for net in LOOPBACK)
        return inside or address in self.node_ips

    def matches(self, negated, option, value):
        if option in ("-s", "-d"):
            address = self.source if option == "-s" else self.destination
            found = ip_address(address) in ip_network(value)
        elif option in ("--src-type", "--dst-type"):
            assert value == "LOCAL"
            found = self.local(self.source if option == "--src-type" else self.destination)
        elif option == "-p":
            found = value == self.protocol.lower()
        elif option == "--dport":
            found = int(value) == self.port
        elif option == "--ctstate":
            found = "NEW" in value.split(",")
        elif option in ("--mark", "--rcheck"):
            found = False  # nothing is marked or remembered before
        else:
            return option in NO_CONDITION or pytest.fail(f"unknown match {option}")
        return found != negated

    def run(self, table, chain):
        """How the chain ends: a verdict, or None when the packet comes back from it."""
        for options in self.chains[table, chain]:
            target = [(option, value) for _, option, value in options if option in TARGET]
            tests = [one for one in options if one[1] not in TARGET]
            if not all(self.matches(*one) for one in tests):
                continue
            verdict = self.hit(table, dict(target))
            by_chance = any(option == "--probability" for _, option, _ in options)
            if verdict and not by_chance:
                return verdict
        return None

    def hit(self, table, target):
        jump = target.get("-j")
        if (table, jump) in self.chains:
            ended = self.run(table, jump)
            return None if ended == "RETURN" else ended
        self.masquerade |= "--or-mark" in target
        if jump == "DNAT" and target["--to-destination"] not in self.endpoints:
            self.endpoints.append(target["--to-destination"])
        return None if jump in (None, "MARK") else jump

    def verdict(self):
        """DNAT, REJECT, DROP, ACCEPT, or NO_MATCH if no rule decided."""
        own = self.local(self.source)
        if self.run("nat", "OUTPUT" if own else "PREROUTING") == "DNAT":
            return "DNAT"
        arrives = self.local(self.destination)
        hooks = ["OUTPUT"] * own + ["INPUT"] * arrives
        for hook in hooks or ["FORWARD"]:
            verdict = self.run("filter", hook)
            if verdict:
                return verdict
        return "NO_MATCH"


NO_CONDITION = {
    "-m", "--comment", "--mode", "--probability", "--name", "--set", "--seconds", "--reap",
    "--nfacct-name",
}  # fmt: skip
TARGET = {"-j", "--to-destination", "--or-mark", "--xor-mark", "--random-fully"}


def verdict(rules, node_ips, source, protocol, destination, port):
    """(verdict, endpoints it may reach in rule order, whether it is masqueraded) of a packet."""
    walk = Walk(chains_of(rules), tuple(node_ips), source, protocol, destination, port)
    return walk.verdict(), walk.endpoints, walk.masquerade


# ---- the normal form -----------------------------------------------------------------------------


def normal_rule(options):
    """A rule as a set, spelled one way, since iptables-save writes it in its own words.

    Order and -m mean nothing here; /32 and /128 are left out; marks are value/mask; chance is in
    steps of 2^-31; states are a set; what iptables adds because it is the default is left out.
    """
    found = set()
    for negated, option, value in options:
        if option in ("-m", "--mask", "--rsource", "--reject-with"):
            continue
        if option in ("-s", "-d"):
            value = str(ip_network(value))
        elif option == "--ctstate":
            value = ",".join(sorted(value.split(",")))
        elif option == "--probability":
            value = str(round(float(value) * 2**31))
        elif option == "--or-mark":
            option, value = "--set-xmark", f"{value}/{value}"
        elif option == "--xor-mark":
            option, value = "--set-xmark", f"{value}/0x0"
        found.add((negated, option, value))
    return frozenset(found)


def normal_form(text):
    """{(table, chain): rules in order}, of kube-proxy's chains and of those that hold rules."""
    return {
        key: [normal_rule(rule) for rule in rules]
        for key, rules in chains_of(text).items()
        if rules or key[1].startswith("KUBE-")
    }


# ---- the real iptables ---------------------------------------------------------------------------


def load(variant, family, *texts):
    """Restore texts one after the other in a fresh namespace; what iptables-save says then.

    `variant` is nft or legacy. What iptables refuses fails the test.
    """
    tool = "ip6tables" if family == "IPv6" else "iptables"
    restored = (f"{tool}-restore --noflush <<'RULES'\n{text}RULES\n" for text in texts)
    return real_linux.in_namespace("".join(restored) + f"{tool}-save\n", variant=variant)


def without_nfacct(text):
    """The text without nfacct matches: the counters they name are made by another program."""
    words = text.replace(" -m nfacct --nfacct-name localhost_nps_accepted_pkts", "")
    return words.replace(" -m nfacct --nfacct-name ct_state_invalid_dropped_pkts", "")
