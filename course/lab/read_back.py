"""What really stands on hosts, read back into the same data that Worlds are made of.

`read_back` asks `ip` and iptables-save; settings it leaves out. What a learner has made by hand may
be more than the model knows: a rule that it cannot read is kept in the words of iptables-save.
Routes that the kernel made for addresses are told too, but for those of the table `local`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from course.errors import InputError
from course.lab.built import Built
from course.lab.namespaces import Command
from course.linux.host import Host
from course.linux.interfaces import KINDS, Interface, Neighbour
from course.linux.routing import TYPES, NextHop, PolicyRule, Route
from course.linux.rule import Rule, parse_rule
from course.linux.ruleset import Chain, Ruleset

ASKED = "ip -j -d addr; ip -j -4 -d route show table all; ip -j rule; ip -j -4 neigh; iptables-save"


def read_back(built: Built, *hosts: str) -> dict[str, Host]:
    """Hosts as they really are, by name. Raises LabError with what a tool said."""
    commands = [Command(("sh", "-c", ASKED), name) for name in hosts]
    texts = built.namespaces.must(*commands)
    return {name: _host(built, name, text) for name, text in zip(hosts, texts, strict=True)}


def _host(built: Built, name: str, text: str) -> Host:
    addresses, routes, rules, neighbours, *saved = text.splitlines()
    links = tuple(_interface(built, name, each) for each in _list(addresses) if each)
    return Host(
        name,
        links,
        tuple(_route(built, name, each) for each in _list(routes) if _is_told(each)),
        tuple(map(_rule, _list(rules))),
        netfilter=_ruleset(saved),
        neighbours=tuple(
            _neighbour(built, name, e) for e in _list(neighbours) if "PERMANENT" in e["state"]
        ),
    )


def _list(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text or "[]")
    return found


def _interface(built: Built, host: str, found: Mapping[str, Any]) -> Interface:
    given = [each for each in found["addr_info"] if each["family"] == "inet"]
    info, flags = found.get("linkinfo", {}), found["flags"]
    kind = "loopback" if "LOOPBACK" in flags else info.get("info_kind", "device")
    name, master = (built.name(host, str(found.get(key, ""))) for key in ("ifname", "master"))
    return Interface(
        name, found["ifindex"], tuple(f"{each['local']}/{each['prefixlen']}" for each in given),
        kind if kind in KINDS else "device",
        "" if kind == "loopback" else found.get("address", ""), found["mtu"], "UP" in flags, master,
        bool(info.get("info_slave_data", {}).get("hairpin")),
        prefix_route=not any(each.get("noprefixroute") for each in given),
    )  # fmt: skip


def _is_told(found: Mapping[str, Any]) -> bool:
    own = (found.get("protocol"), str(found.get("table", "main"))) == ("kernel", "local")
    return not own and found.get("type", "unicast") in TYPES


def _route(built: Built, host: str, found: Mapping[str, Any]) -> Route:
    table = str(found.get("table", "main"))
    hops = tuple(
        NextHop(hop.get("gateway", ""), built.name(host, hop["dev"]), hop["weight"])
        for hop in found.get("nexthops", ())
    )
    nowhere = hops or found.get("type") == "blackhole"  # told with `lo` where it is a nexthop's
    dev = "" if nowhere else built.name(host, found.get("dev", ""))
    return Route(
        found["dst"], found.get("gateway", ""), dev, str(found.get("type", "unicast")),
        table, src=found.get("prefsrc", ""), metric=int(found.get("metric", 0)), nexthops=hops,
    )  # fmt: skip


def _rule(found: Mapping[str, Any]) -> PolicyRule:
    return PolicyRule(
        found["priority"], str(found.get("table", found.get("action", ""))),
        _end(found, "src", "srclen"), _end(found, "dst", "dstlen"), found.get("iif", ""),
        found.get("fwmark", ""),
    )  # fmt: skip


def _end(found: Mapping[str, Any], address: str, length: str) -> str:
    """A range that a policy rule asks for; nothing for all addresses."""
    if found.get(address, "all") == "all":
        return ""
    return f"{found[address]}/{found.get(length, 32)}"


def _neighbour(built: Built, host: str, found: Mapping[str, Any]) -> Neighbour:
    return Neighbour(found["dst"], built.name(host, found["dev"]), found.get("lladdr", ""))


def _ruleset(saved: list[str]) -> Ruleset:
    """What iptables-save has printed; tables in which nothing stands are left out."""
    tables: dict[str, dict[str, Chain]] = {}
    rules: dict[tuple[str, str], list[Rule]] = {}
    table = ""
    for line in saved:
        name, _, rest = line[1:].removeprefix("A ").partition(" ")
        if line.startswith("*"):
            table = name
        elif line.startswith(":"):
            policy = rest.split()[0]
            tables.setdefault(table, {})[name] = Chain((), None if policy == "-" else policy)
        elif line.startswith("-A"):
            rules.setdefault((table, name), []).append(_read(rest))
    for (table, name), listed in rules.items():
        tables[table][name] = Chain(tuple(listed), tables[table][name].policy)
    saying = (name for name, chains in tables.items() if any(map(_says, chains.values())))
    return Ruleset({name: tables[name] for name in saying})


def _read(text: str) -> Rule:
    try:
        return parse_rule(text)
    except InputError:
        return Rule(text)


def _says(chain: Chain) -> bool:
    return bool(chain.rules) or chain.policy != "ACCEPT"
