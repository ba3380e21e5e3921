"""The configuration lists that stand on AKS nodes, and what each field of them means.

The lists are verbatim copies in the folder `data`, each with its source. On a node, one of them is
/etc/cni/net.d/10-azure.conflist; Cilium's, 05-cilium.conflist, goes before it. With overlay and pod
subnet nobody ships the file: the CNS, Azure's daemon on each node, writes it when it is ready to
hand out addresses. containerd reads it then, not the kubelet (since Kubernetes 1.24); until there
is one, the node is NotReady.

>>> read(LISTS["azure-linux"].conflist)
Reading(model='node subnet', plugins=('azure-vnet', 'portmap'), ipam='azure-vnet-ipam')
>>> print(explain(LISTS["azilium"].conflist).splitlines()[2])
plugins.type = "cilium-cni": the plugin's program, looked up in /opt/cni/bin
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.cni.configuration import FOLDER, PLUGIN_FOLDER, parse
from course.cni.expected import VIRTUAL_GATEWAY

DATA = Path(__file__).parent / "data"
NODE_LOCAL_DNS = "169.254.20.10"

# Where the files lie on a node. Source: Azure/azure-container-networking, docs/cni.md and
# cns/cniconflist.
PATHS = {
    "config_dir_linux": FOLDER,
    "config_file": f"{FOLDER}/10-azure.conflist",
    "cilium_file": f"{FOLDER}/05-cilium.conflist",
    "plugin_dir": PLUGIN_FOLDER,
    "log": "/var/log/azure-vnet.log",
    "ipam_log": "/var/log/azure-vnet-ipam.log",
    "cilium_log": "/var/log/cilium-cni.log",
    "windows_dir": "c:\\k\\azurecni\\",
    "kubenet_template": "/etc/containerd/kubenet_template.conf",
    "kubenet_plugins": f"{PLUGIN_FOLDER} (bridge, host-local, loopback)",
}

# the versions of the contract that azure-vnet says it supports
AZURE_VNET_VERSIONS = ("0.3.0", "0.3.1")

# what the CNS can be told to write: its setting CNIConflistScenario
SCENARIOS = (
    "v4overlay", "dualStackOverlay", "overlay", "cilium", "swift", "azurecni-chained-cilium",
)  # fmt: skip

# What azure-vnet makes in the pod and on the node in transparent mode. Source:
# Azure/azure-container-networking, network/transparent_endpointclient_linux.go.
TRANSPARENT_ROUTES = (
    f"{VIRTUAL_GATEWAY}/32 dev eth0",
    f"default via {VIRTUAL_GATEWAY} dev eth0",
    f"static ARP: {VIRTUAL_GATEWAY} -> MAC of the host side veth",
    "on the host: <pod ip>/32 dev <host veth>",
)

_POLICY = "Windows: rules for the pod's endpoint, such as where not to translate addresses"

# The meaning of every field of the lists, by its path. Sources: Azure/azure-container-networking,
# docs/network.md and cni/netconfig.go; the README of each plugin.
FIELDS = {
    "cniVersion": "the version of the contract that all plugins of the list are called with",
    "name": "the network's name; what plugins remember, they remember under it",
    "adapterName": "Windows: the network adapter to use; empty means the first that fits",
    "plugins.type": f"the plugin's program, looked up in {PLUGIN_FOLDER}",
    "plugins.name": "the name of this plugin's own configuration; the runtime replaces it",
    "plugins.mode": "how the pod is wired. transparent: a veth pair and routes on the host; "
    "bridge: a veth pair into a Linux bridge (older); transparent-vlan, l2bridge, l2tunnel: others",
    "plugins.bridge": "the name of the bridge that pods hang on, where there is one",
    "plugins.ipsToRouteViaHost": "addresses that the pod reaches by the host itself: "
    f"{NODE_LOCAL_DNS} is NodeLocal DNS, a resolver on the node",
    "plugins.executionMode": "default, baremetal, or v4swift: addresses come from the CNS",
    "plugins.cnsSocketPath": "the socket at which the CNS answers",
    "plugins.ipam.type": "who hands out addresses. host-local: a program that keeps files; "
    "azure-vnet-ipam: a program of Azure's; azure-cns: not a program but the CNS daemon, asked "
    "directly; azure-ipam: a program that asks the CNS, for Cilium's plugin",
    "plugins.ipam.mode": "overlay, v4overlay or dualStackOverlay: addresses from the node's share "
    "of a pod range beside the virtual network; the three become one. Absent: from a subnet",
    "plugins.capabilities.portMappings": "the runtime passes each pod's hostPort entries",
    "plugins.capabilities.dns": "Windows: the runtime passes the pod's DNS settings",
    "plugins.snat": "portmap masquerades hostPort traffic where its answer would not come back",
    "plugins.dns": "DNS of the network. Linux pods take theirs from the kubelet instead",
    "plugins.dns.Nameservers": "Windows: the cluster's DNS Service, then Azure's own DNS",
    "plugins.dns.Search": "Windows: the domains that a short name is tried in",
    "plugins.AdditionalArgs": _POLICY,
    "plugins.runtimeConfig.dns": "normally the runtime's to fill; the CNS writes it empty",
    "plugins.windowsSettings": "Windows only; the CNS writes it empty on Linux",
    "plugins.enable-debug": "Cilium: write debug messages to the log",
    "plugins.log-file": "Cilium: where the plugin logs to",
    # kubenet's
    "plugins.mtu": "the longest packet that the pod's interface sends, in bytes",
    "plugins.addIf": "the interface the pod gets; the bridge plugin of today does not read it",
    "plugins.isGateway": "the bridge bears the gateway's address, the first of the pod range",
    "plugins.ipMasq": "false: ip-masq-agent translates addresses, not the plugin",
    "plugins.promiscMode": "true: the bridge takes every frame; so a pod reaches its own Service",
    "plugins.hairpinMode": "true: a port sends a frame back where it came from; the newer way",
    "plugins.ipam.ranges": "the node's pod ranges: one address of each for a pod",
    "plugins.ipam.routes": "the pod's routes: the default route, by the gateway of its range",
    "plugins.externalSetMarkChain": "portmap marks for masquerading by this chain of kube-proxy",
}


@dataclass(frozen=True)
class ListFile:
    """A configuration list as it was read, with its source."""

    name: str
    what: str
    source: Mapping[str, Any]
    conflist: Mapping[str, Any]


def _load(file: Path) -> ListFile:
    return ListFile(file.stem, **json.loads(file.read_text("utf-8")))


# The lists by name. kubenet's templates stand in the same folder, for course.cni.kubenet.
LISTS = {
    file.stem: _load(file)
    for file in sorted(DATA.glob("*.json"))
    if not file.stem.startswith("kubenet")
}


@dataclass(frozen=True)
class Reading:
    """What a list tells about its cluster."""

    model: str
    plugins: tuple[str, ...]
    ipam: str | None


def read(conflist: Mapping[str, Any]) -> Reading:
    """Which model of pod addresses a list belongs to, which plugins it has, who gives addresses.

    Raises CniError if it is no list.
    """
    network = parse(conflist)
    types = tuple(plugin.type for plugin in network.plugins)
    return Reading(_model(conflist, types), types, network.plugins[0].ipam)


def scenario(conflist: Mapping[str, Any]) -> str | None:
    """The setting of the CNS that writes such a list; None if the CNS does not write it.

    >>> scenario(LISTS["cns-azure-linux-swift"].conflist)
    'swift'
    """
    types = [plugin["type"] for plugin in conflist["plugins"]]
    if "cilium-cni" in types:
        return "cilium" if types[0] == "cilium-cni" else "azurecni-chained-cilium"
    ipam = conflist["plugins"][0].get("ipam", {})
    return ipam.get("mode", "swift") if ipam.get("type") == "azure-cns" else None


def outbound_nat_exceptions(conflist: Mapping[str, Any]) -> list[str]:
    """Windows: destinations to which a pod keeps its own address.

    >>> outbound_nat_exceptions(LISTS["azure-windows"].conflist)
    ['10.240.0.0/16', '10.0.0.0/8']
    """
    return [
        destination
        for plugin in conflist["plugins"]
        for policy in plugin.get("AdditionalArgs", ())
        if policy["Value"].get("Type") == "OutBoundNAT"
        for destination in policy["Value"].get("ExceptionList", ())
    ]


def explain(conflist: Mapping[str, Any]) -> str:
    """Every field of a list with its value and meaning, a line each."""
    return "\n".join(
        f"{path} = {json.dumps(value)}: {FIELDS.get(path, 'the course does not know this field')}"
        for path, value in fields(conflist)
    )


def fields(conflist: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The path and value of each field, from the top; parts that have no fields are values."""
    yield from _fields("", conflist)


def _fields(path: str, part: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in part.items():
        here = f"{path}.{key}" if path else key
        if key == "plugins":
            for plugin in value:
                yield from _fields(here, plugin)
        elif isinstance(value, dict) and value:
            yield from _fields(here, value)
        else:
            yield here, value


def _model(conflist: Mapping[str, Any], types: tuple[str, ...]) -> str:
    if "cilium-cni" in types:
        return "Azure CNI powered by Cilium"
    ipam = conflist["plugins"][0].get("ipam", {})
    if ipam.get("type") == "azure-vnet-ipam":
        return "node subnet"
    if "overlay" in str(ipam.get("mode", "")).lower():
        return "overlay"
    return "pod subnet" if ipam.get("type") == "azure-cns" else "other"
