"""What the live lab needs of a machine, beside the namespaces it lives in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# Programs, with the Debian package that has them.
TOOLS = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "ip": "iproute2",
    "bridge": "iproute2",
    "iptables": "iptables",
    "iptables-save": "iptables",
    "iptables-restore": "iptables",
}
# Programs for the learner to look around with. The lab runs without them.
EXTRAS = {
    "conntrack": "conntrack",
    "ping": "iputils-ping",
    "traceroute": "traceroute",
    "tcpdump": "tcpdump",
}

PLUGINS = ("bridge", "host-local", "portmap")
PLUGIN_PACKAGE = "containernetworking-plugins"

# A rule of each kind that kube-proxy, ip-masq-agent and the fabric write: its table, the rule.
RULES = {
    "MASQUERADE": ("nat", "-A POSTROUTING -s 10.244.0.2 -j MASQUERADE --random-fully"),
    "DNAT": ("nat", "-A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 10.244.0.2:8080"),
    "SNAT": ("nat", "-A POSTROUTING -s 10.240.0.0/24 -j SNAT --to-source 198.51.100.4"),
    "statistic": ("nat", "-A PREROUTING -m statistic --mode random --probability 0.5 -j RETURN"),
    "recent": ("nat", "-A PREROUTING -m recent --name WEB --rcheck --seconds 10800 -j RETURN"),
    "addrtype": ("nat", "-A PREROUTING -m addrtype --dst-type LOCAL -j RETURN"),
    "mark": ("nat", "-A POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN"),
    "MARK": ("nat", "-A POSTROUTING -j MARK --xor-mark 0x4000"),
    "comment": ("nat", '-A POSTROUTING -m comment --comment "kubernetes" -j RETURN'),
    "conntrack": ("filter", "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"),
    "icmp": ("nat", "-A PREROUTING -p icmp --icmp-type echo-request -j RETURN"),
    "CT": ("raw", "-A PREROUTING -s 10.244.0.0/16 -j CT --zone 1"),
    "REJECT": ("filter", "-A FORWARD -p tcp -j REJECT --reject-with icmp-port-unreachable"),
}


@dataclass(frozen=True)
class Needs:
    """What is tried inside fresh namespaces: kinds of links, kinds of rules, plugins, a setting."""

    links: tuple[str, ...] = ("veth", "bridge")
    rules: Mapping[str, tuple[str, str]] = field(default_factory=lambda: RULES)
    plugin_folders: tuple[str, ...] = ("/usr/lib/cni", "/opt/cni/bin")
    bridge_setting: str = "/proc/sys/net/bridge/bridge-nf-call-iptables"

    @property
    def plugin_folder(self) -> str:
        """The first folder that holds all the plugins; empty if none does."""
        for folder in self.plugin_folders:
            if all((Path(folder) / plugin).is_file() for plugin in PLUGINS):
                return folder
        return ""


def ruleset(rules: Mapping[str, tuple[str, str]]) -> str:
    """Rules as iptables-restore reads them.

    >>> print(ruleset({"MARK": ("nat", "-A OUTPUT -j MARK --xor-mark 0x4000")}), end="")
    *nat
    -A OUTPUT -j MARK --xor-mark 0x4000
    COMMIT
    """
    tables: dict[str, list[str]] = {}
    for table, rule in rules.values():
        tables.setdefault(table, []).append(rule)
    return "".join("\n".join([f"*{name}", *tables[name], "COMMIT\n"]) for name in tables)
