"""What well-known plugins answer to ADD, as far as it can be known before they run.

Names and MACs that chance decides (a host's veth, say) are left open, as None. With what address
management answers, that is enough to write down a whole chain beforehand: in bridge, the pod's
interface is the third of the list, in ptp the second.

Sources: containernetworking/plugins, plugins/main/{bridge,ptp} and plugins/meta, release 1.1.1, run
as Debian has them; course.cni.plugin for the course's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from course.cni.result import DNS, Interface, IPConfig, Result, Route
from course.errors import InputError

COURSE_PTP = "course-ptp"
# The address that a pod in transparent mode has as its gateway. No interface bears it: a static
# neighbour entry in the pod says that it is at the host's end of the veth pair.
VIRTUAL_GATEWAY = "169.254.1.1"
# they change nothing that a result shows: netfilter rules, mostly
PASSING = ("portmap", "firewall", "sbr")


def expected_result(
    stdin: Mapping[str, Any],
    ifname: str,
    netns: str,
    ipam: Result,
    previous: Result | None = None,
) -> Result:
    """The result of ADD of the plugin that reads this on standard input.

    Raises InputError for a plugin that the course does not know.

    >>> pod = Result(ips=(IPConfig("10.1.0.5/16", "10.1.0.1"),))
    >>> stdin = {"type": "bridge", "bridge": "cni0", "cniVersion": "1.0.0"}
    >>> made = expected_result(stdin, "eth0", "/run/netns/blue", pod)
    >>> [each.name for each in made.interfaces], made.ips[0].interface
    (['cni0', None, 'eth0'], 2)
    """
    plugin = stdin["type"]
    inside = Interface(ifname, sandbox=netns)
    if plugin == "bridge":
        made = (Interface(stdin.get("bridge", "cni0")), Interface(), inside)
        return _carrying(made, ipam, stdin)
    if plugin == "ptp":
        return _carrying((Interface(), inside), ipam, stdin)
    if plugin == COURSE_PTP:
        return _carrying((Interface(), inside), transparent(ipam), stdin)
    if plugin == "tuning" and previous:
        return _with_mac(previous, ifname, stdin)
    if plugin in PASSING and previous:
        return previous
    raise InputError(
        plugin, "is a plugin whose answer the course does not know.", "Give its result yourself."
    )


def transparent(ipam: Result) -> Result:
    """What transparent mode makes of an address: whatever its subnet, the way out is the host.

    >>> made = transparent(Result(ips=(IPConfig("10.240.0.7/16", "10.240.0.1"),)))
    >>> made.ips[0].gateway, [route.dst for route in made.routes]
    ('169.254.1.1', ['169.254.1.1/32', '0.0.0.0/0'])
    """
    return replace(
        ipam,
        ips=tuple(replace(ip, gateway=VIRTUAL_GATEWAY) for ip in ipam.ips[:1]),
        routes=(Route(f"{VIRTUAL_GATEWAY}/32"), Route("0.0.0.0/0", VIRTUAL_GATEWAY)),
    )


def _carrying(made: tuple[Interface, ...], ipam: Result, stdin: Mapping[str, Any]) -> Result:
    """IPAM's addresses on the last of the interfaces, the pod's; DNS of the list, if it has any."""
    last = len(made) - 1
    written = stdin.get("dns") or {}
    dns = Result.from_json({"dns": written}).dns if written else ipam.dns
    routes = ipam.routes
    if stdin.get("isDefaultGateway"):
        routes += tuple(Route(_everything(ip), ip.gateway) for ip in ipam.ips)
    ips = tuple(replace(ip, interface=last) for ip in ipam.ips)
    return Result(made, ips, routes, dns if dns != DNS() else ipam.dns)


def _everything(ip: IPConfig) -> str:
    return "0.0.0.0/0" if ip.version == "4" else "::/0"


def _with_mac(previous: Result, ifname: str, stdin: Mapping[str, Any]) -> Result:
    """Tuning changes the pod's interface only where it is told to, and says so."""
    mac = (stdin.get("runtimeConfig") or {}).get("mac") or stdin.get("mac")
    if not mac:
        return previous
    return replace(
        previous,
        interfaces=tuple(
            replace(each, mac=mac) if each.name == ifname and each.sandbox else each
            for each in previous.interfaces
        ),
    )
