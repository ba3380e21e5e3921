"""A host as the tools of Linux would print it: `ip addr`, `ip route`, `ip rule`, `ip neigh`,
`iptables-save`.

>>> from course.linux.interfaces import Interface
>>> vm = Host("vm1", (Interface("eth0", 2, ("10.240.1.4/24",)),), (Route("default", "10.240.1.1"),))
>>> print(ip_route(vm))
default via 10.240.1.1 dev eth0
10.240.1.0/24 dev eth0 proto kernel scope link src 10.240.1.4
"""

from __future__ import annotations

from course.linux.host import Host
from course.linux.packet import span
from course.linux.routing import DEFAULT_RULES, Route, all_routes


def ip_addr(host: Host) -> str:
    """Its interfaces with their addresses."""
    return "\n".join(map(str, host.interfaces))


def ip_route(host: Host, table: str = "main") -> str:
    """The routes of a table, in the order in which `ip route` prints them: by address."""
    routes = sorted(all_routes(host.interfaces, host.routes, table), key=_place)
    return "\n".join(map(str, routes))


def _place(route: Route) -> tuple[int, int, int]:
    return (span(route.network)[1], route.length, route.metric)


def ip_rule(host: Host) -> str:
    """Its policy rules, the kernel's own three included.

    >>> print(ip_rule(Host("vm1")))
    0: from all lookup local
    32766: from all lookup main
    32767: from all lookup default
    """
    rules = sorted((*DEFAULT_RULES, *host.rules), key=lambda rule: rule.priority)
    return "\n".join(map(str, rules))


def ip_neigh(host: Host) -> str:
    """The neighbours that it knows for certain."""
    return "\n".join(map(str, host.neighbours))


def iptables_save(host: Host) -> str:
    """Its rules."""
    return str(host.netfilter)


def sysctl(host: Host) -> str:
    """The settings that were made, as sysctl prints them."""
    return "\n".join(f"{key} = {value}" for key, value in sorted(host.sysctls.items()))


def describe(host: Host) -> str:
    """All of it, each part under the command that would print it."""
    parts = {
        "ip addr": ip_addr(host),
        "ip route": ip_route(host),
        **{
            f"ip route show table {table}": ip_route(host, table)
            for table in dict.fromkeys(rule.table for rule in host.rules)
            if table not in ("main", "local", "default")
        },
        "ip rule": ip_rule(host) if host.rules else "",
        "ip neigh": ip_neigh(host),
        "sysctl": sysctl(host),
        "iptables-save": iptables_save(host),
    }
    return "\n".join(f"# {command}\n{text}" for command, text in parts.items() if text)
