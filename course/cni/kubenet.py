"""kubenet's configuration: a template that the node fills in when it learns its pod range.

Today: containerd renders a template into its configuration folder, a list of bridge and portmap.
Addresses of packets that leave the cluster are translated by ip-masq-agent.

Up to Kubernetes 1.23: the kubelet itself had kubenet in it. It rendered one plugin's configuration
in memory (no file in /etc/cni/net.d), called bridge, host-local and loopback, and added its own
masquerade rule. That is history: the code went with dockershim in 1.24.

Sources: Azure/AgentBaker, kubenetCniTemplate and pull requests 537 and 8426;
kubernetes/kubernetes, pkg/kubelet/dockershim/network/kubenet/kubenet_linux.go, before 1.24.

>>> [plugin["type"] for plugin in containerd_list(["10.244.0.0/24"])["plugins"]]
['bridge', 'portmap']
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

from netaddr import IPNetwork

from course.addresses import canonical, parse_address
from course.cni.aks import DATA

TODAY = json.loads((DATA / "kubenet-containerd.json").read_text("utf-8"))
HAIRPIN = json.loads((DATA / "kubenet-containerd-hairpin.json").read_text("utf-8"))
KUBELET = json.loads((DATA / "kubenet-kubelet.json").read_text("utf-8"))

REQUIRED_PLUGINS = ("bridge", "host-local", "loopback")
FALLBACK_MTU = 1460
BRIDGE = "cbr0"
# without it, packets between two pods of the bridge would pass kube-proxy's rules by
SYSCTL = {"net/bridge/bridge-nf-call-iptables": 1}
NON_MASQUERADE_DEFAULT = "10.0.0.0/8"


def routes(pod_ranges: Sequence[str]) -> list[dict[str, str]]:
    """The pod's routes: a default route for each family that the node has a pod range of.

    Bits after the length of a range do not matter: a range may be written with its gateway.

    >>> routes(["2001:4860:4860::8888/32", "10.0.0.1/24"])
    [{'dst': '0.0.0.0/0'}, {'dst': '::/0'}]
    """
    families = {network.version for network in map(_network, pod_ranges)}
    return [{"dst": dst} for version, dst in ((4, "0.0.0.0/0"), (6, "::/0")) if version in families]


def ranges(pod_ranges: Sequence[str]) -> list[list[dict[str, str]]]:
    """host-local's range sets: one for each pod range of the node.

    >>> ranges(["10.0.0.0/24"])
    [[{'subnet': '10.0.0.0/24'}]]
    """
    return [[{"subnet": canonical(_network(text))}] for text in pod_ranges]


def containerd_list(pod_ranges: Sequence[str], hairpin: bool = False) -> dict[str, Any]:
    """The list that containerd writes on a kubenet node with these pod ranges.

    `hairpin` is the variant for newer kernels, where a promiscuous bridge no longer lets a pod
    reach itself through its Service (Azure/AKS issue 5669). Raises InputError for no range.
    """
    conflist: dict[str, Any] = copy.deepcopy((HAIRPIN if hairpin else TODAY)["conflist"])
    conflist["plugins"][0]["ipam"] |= _ipam(pod_ranges)
    return conflist


def kubelet_configuration(
    pod_ranges: Sequence[str], mtu: int = FALLBACK_MTU, hairpin_mode: str = "promiscuous-bridge"
) -> dict[str, Any]:
    """What the kubelet rendered, up to Kubernetes 1.23: one plugin, of version 0.1.0.

    `mtu` is that of the node's interfaces, in bytes. Raises InputError for no range.

    >>> kubelet_configuration(["10.244.1.0/24"], hairpin_mode="hairpin-veth")["hairpinMode"]
    True
    """
    configuration: dict[str, Any] = copy.deepcopy(KUBELET["template"])
    configuration["ipam"] |= _ipam(pod_ranges)
    return configuration | {"mtu": mtu, "hairpinMode": hairpin_mode == "hairpin-veth"}


def bridge_address(pod_range: str) -> str:
    """The address of cbr0, and so every pod's gateway: the first of the node's pod range.

    >>> bridge_address("10.244.1.0/24")
    '10.244.1.1'
    """
    return canonical(_network(pod_range)[1])


def masquerade_rule(non_masquerade: str = NON_MASQUERADE_DEFAULT) -> str | None:
    """The kubelet's rule for packets that leave the cluster; None if nothing would leave it.

    >>> masquerade_rule("0.0.0.0/0") is None
    True
    """
    if non_masquerade in ("0.0.0.0/0", "::/0"):
        return None
    return (
        '-t nat -A POSTROUTING -m comment --comment "kubenet: SNAT for outbound traffic from '
        f'cluster" -m addrtype ! --dst-type LOCAL ! -d {non_masquerade} -j MASQUERADE'
    )


def promiscuous_rules(mac: str, gateway: str, pod_range: str) -> list[str]:
    """ebtables rules against the copies that a promiscuous bridge makes of each hairpin packet.

    `mac` and `gateway` are those of the bridge. Frames from it may bear its own address as their
    source, never a pod's.
    """
    sent = f"-p IPv4 -s {mac} -o veth+ --ip-src"
    return [f"{sent} {gateway} -j ACCEPT", f"{sent} {pod_range} -j DROP"]


def _ipam(pod_ranges: Sequence[str]) -> dict[str, Any]:
    return {"ranges": ranges(pod_ranges), "routes": routes(pod_ranges)}


def _network(text: str) -> IPNetwork:
    address, _, length = text.partition("/")
    return IPNetwork(
        (int(parse_address(address)), int(length)), version=6 if ":" in text else 4
    ).cidr
