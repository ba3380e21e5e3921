"""What really stands on hosts, read back into the same data that Worlds are made of.

`read_back` asks `ip`, the kernel's settings and iptables-save; `unlike` lays what was found beside
what was expected. Not compared is what chance decides: names of veths (`names` has them), indexes,
MACs. A MAC in a static neighbour entry has to be that of the other end of the wire, though.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from course.lab.built import Built
from course.lab.namespaces import Command
from course.linux.host import SYSCTLS, Host
from course.linux.interfaces import Interface, Neighbour
from course.linux.routing import DEFAULT_RULES, NextHop, PolicyRule, Route
from course.linux.ruleset import parse

ASKED = "ip -j -d addr; ip -j -4 -d route show table all; ip -j rule; ip -j -4 neigh; iptables-save"
BOOT = ("", "boot", "unspec")  # protocols of routes that somebody has added


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
        tuple(_route(built, name, each) for each in _list(routes) if _is_added(each)),
        tuple(rule for rule in map(_rule, _list(rules)) if rule not in DEFAULT_RULES),
        _settings(built, name, links),
        parse("\n".join(saved)),
        tuple(_neighbour(built, name, e) for e in _list(neighbours) if "PERMANENT" in e["state"]),
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
        kind, "" if kind == "loopback" else found["address"], found["mtu"], "UP" in flags, master,
        bool(info.get("info_slave_data", {}).get("hairpin")),
        prefix_route=not any(each.get("noprefixroute") for each in given),
    )  # fmt: skip


def _is_added(found: Mapping[str, Any]) -> bool:
    """Whether somebody has added a route, and not the kernel itself."""
    return found.get("protocol", "") in BOOT


def _route(built: Built, host: str, found: Mapping[str, Any]) -> Route:
    table = str(found.get("table", "main"))
    hops = tuple(
        NextHop(hop.get("gateway", ""), built.name(host, hop["dev"]), hop["weight"])
        for hop in found.get("nexthops", ())
    )
    dev = "" if hops else built.name(host, found.get("dev", ""))
    return Route(
        found["dst"], found.get("gateway", ""), dev, str(found.get("type", "unicast")),
        table, metric=int(found.get("metric", 0)), nexthops=hops,
    )  # fmt: skip


def _rule(found: Mapping[str, Any]) -> PolicyRule:
    source = "" if found["src"] == "all" else f"{found['src']}/{found.get('srclen', 32)}"
    table = str(found["table"])
    return PolicyRule(
        found["priority"], table, source, iif=found.get("iif", ""),
        fwmark=found.get("fwmark", ""),
    )  # fmt: skip


def _neighbour(built: Built, host: str, found: Mapping[str, Any]) -> Neighbour:
    return Neighbour(found["dst"], built.name(host, found["dev"]), found["lladdr"])


def _settings(built: Built, host: str, links: tuple[Interface, ...]) -> dict[str, int]:
    keys = [key for key in SYSCTLS if "CONF" not in key]
    for key in SYSCTLS:
        if "CONF" in key:
            keys += [key.replace("CONF", conf) for conf in ("all", *(link.name for link in links))]
    paths = {_path(built, host, key): key for key in keys}
    return {paths[path]: value for path, value in built.namespaces.get(host, [*paths]).items()}


def _path(built: Built, host: str, key: str) -> str:
    """Where a setting is below /proc/sys; of an interface, under its real name."""
    words = key.split(".")
    return "/".join(built.real_name(host, word) for word in words)


def unlike(built: Built, found: Mapping[str, Host]) -> Iterator[str]:
    """What differs between hosts that were read back and the World's, a line each."""
    for name, host in found.items():
        wanted = built.world.host(name)
        expected = set(_lines(wanted, built.world.by_name, built))
        real = set(_lines(host, found, built))
        yield from (f"{name} lacks: {line}" for line in sorted(expected - real))
        yield from (f"{name} has besides: {line}" for line in sorted(real - expected))


def _lines(host: Host, others: Mapping[str, Host], built: Built) -> Iterator[str]:
    """All that is compared of a host, a line for each thing."""
    for link in host.interfaces:
        shown = replace(link, index=0, mac="", peer="", peer_index=0)
        marks = " hairpin" * link.hairpin + " noprefixroute" * (not link.prefix_route)
        yield f"{link.kind} {shown}{marks}"
        for key in SYSCTLS:
            if "CONF" in key and link.kind != "loopback":
                yield f"{key.replace('CONF', link.name)} = {host.sysctl(key, link.name)}"
    yield from (f"{key} = {host.sysctl(key)}" for key in SYSCTLS if "CONF" not in key)
    for route in host.routes:
        settled = replace(route, destination=route.network, scope="", proto="", onlink=False)
        yield f"route in {route.table}: {settled}"
    yield from (f"rule {rule}" for rule in host.rules)
    for each in host.neighbours:
        if each.mac:
            mac = _mac_of_far_end(host.name, each.dev, others, built)
            yield f"neighbour {each.address} dev {each.dev} " + (
                "at the other end of the wire" if each.mac == mac else each.mac
            )
    yield from host.netfilter.text().splitlines()


def _mac_of_far_end(host: str, dev: str, others: Mapping[str, Host], built: Built) -> str:
    far = built.world.far_end(host, dev)
    if far is None or far.host not in others:
        return ""
    return others[far.host].interface(far.interface).mac
