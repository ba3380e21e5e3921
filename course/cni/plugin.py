"""A small CNI plugin, in the way of Azure's transparent mode: a veth pair, and routes; no bridge.

    on the node   <pod's address>/32 dev azv...          so the node can reach the pod
    in the pod    169.254.1.1 dev eth0                   so the pod can reach its gateway,
                  default via 169.254.1.1 dev eth0       and by it everything else
                  169.254.1.1 is at <MAC of azv...>      so nobody needs to answer ARP for it

It chooses no addresses: another plugin does, the one named in its `ipam` section, which it starts
with the same environment and input. Azure's plugin asks azure-vnet-ipam, or the CNS, likewise.

The name of the node's end is made from the container's id, and its alias says whose it is. So DEL,
CHECK and GC find it again without a file: what a plugin remembers can stand in the kernel.

Source of the wiring: Azure/azure-container-networking, network/transparent_endpointclient_linux.go.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from course.cni.contract import (
    CURRENT,
    SINCE,
    CniError,
    allows,
    demand_environment,
    demand_version,
    valid_container_id,
    valid_interface_name,
    valid_network_name,
)
from course.cni.expected import VIRTUAL_GATEWAY, transparent
from course.cni.result import Interface, Result

SUPPORTED = ("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
# this plugin's own codes
COMMAND_FAILED, NOT_AS_ADDED = 100, 101


class Call:
    """One start of the plugin: what the runtime asks for, and with which configuration."""

    def __init__(self, environment: Mapping[str, str], stdin: str) -> None:
        self.command = demand_environment(environment)
        self.path = environment.get("CNI_PATH", "")
        self.container = environment.get("CNI_CONTAINERID", "")
        self.netns = environment.get("CNI_NETNS", "")
        self.ifname = environment.get("CNI_IFNAME", "")
        self.conf = parse(stdin)
        self.version: str = self.conf.get("cniVersion", "")

    @property
    def owner(self) -> str:
        """Whose an interface of the node is, as its alias says it."""
        return f"{self.conf['name']} {self.container} {self.ifname}"

    @property
    def host_interface(self) -> str:
        """The node's end of the pair: at most 15 characters, the same for the same attachment."""
        return "azv" + hashlib.sha256(self.owner.encode()).hexdigest()[:11]

    def validate(self) -> None:
        """Refuse what the contract does not allow, before anything is touched."""
        demand_version(self.version, SUPPORTED)
        if not allows(self.version, self.command):
            since = f"It came with {SINCE[self.command]}."
            raise CniError(1, f"config version does not allow {self.command}", since)
        valid_network_name(self.conf.get("name", ""))
        if self.command in ("ADD", "CHECK", "DEL"):
            valid_container_id(self.container)
            valid_interface_name(self.ifname)
        if not self.conf.get("ipam", {}).get("type"):
            raise CniError(7, "no ipam.type", "Name the plugin that hands out addresses.")


def parse(text: str) -> dict[str, Any]:
    """The configuration on standard input; none is as good as an empty one."""
    try:
        written = json.loads(text or "{}")
    except ValueError as error:
        raise CniError(6, "standard input is no JSON", str(error)) from error
    if not isinstance(written, dict):
        raise CniError(6, "standard input is no JSON object")
    return written


def add(call: Call) -> dict[str, Any]:
    """Wire the pod; whatever fails on the way, nothing is left behind."""
    if "prevResult" in call.conf:
        raise CniError(7, "must be the first plugin of its list", "It makes the interface itself.")
    if not Path(call.netns).exists():
        raise CniError(4, "CNI_NETNS is no network namespace", call.netns)
    if exists(call.host_interface) or shown(f"link show {call.ifname}", call.netns):
        # what stands may be in use: refuse before anything is made that would have to be undone
        raise CniError(COMMAND_FAILED, f"{call.ifname} exists already", "Call DEL before ADD.")
    try:
        given = Result.from_json(ask_ipam(call) or {})
        if not given.ips or given.ips[0].version != "4":
            raise CniError(7, "ipam gave no IPv4 address", "This plugin has no IPv6.")
        made = wire(call, transparent(given))
    except (CniError, OSError):
        with suppress(CniError):  # the first error tells what was wrong
            delete(call)
        raise
    return made.as_json(call.version)


def wire(call: Call, wanted: Result) -> Result:
    """The veth pair, the address, and the routes of both ends."""
    host, ifname, address = call.host_interface, call.ifname, wanted.ips[0].address
    ip(f"link add {host} type veth peer name {ifname} netns {call.netns}")
    ip("link set", host, "alias", call.owner)
    ip(f"link set {host} up")
    Path(f"/proc/sys/net/ipv4/conf/{host}/proxy_arp").write_text("1")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    ip(f"route add {bare(address)}/32 dev {host}")

    mac, own_mac = mac_of(host), mac_of(ifname, call.netns)
    # no prefix route: other addresses of the subnet are not on this link either
    ip(f"address add {address} dev {ifname} noprefixroute", netns=call.netns)
    ip(f"link set {ifname} up", netns=call.netns)
    ip(f"route add {VIRTUAL_GATEWAY}/32 dev {ifname} scope link", netns=call.netns)
    ip(f"route add default via {VIRTUAL_GATEWAY} dev {ifname}", netns=call.netns)
    ip(f"neigh replace {VIRTUAL_GATEWAY} lladdr {mac} dev {ifname}", netns=call.netns)
    ends = (Interface(host, mac), Interface(ifname, own_mac, sandbox=call.netns))
    return replace(wanted, interfaces=ends, ips=(replace(wanted.ips[0], interface=1),))


def delete(call: Call) -> None:
    """Undo ADD as far as there is anything to undo; both ends and their routes go together."""
    if exists(call.host_interface):
        ip("link delete", call.host_interface)
    ask_ipam(call, "DEL")


def check(call: Call) -> None:
    """Compare what stands in the kernel with what ADD printed."""
    if "prevResult" not in call.conf:
        raise CniError(7, "CHECK needs prevResult", "The runtime must hand over ADD's result.")
    address = Result.from_json(call.conf["prevResult"]).ips[0].address
    if not exists(call.host_interface):
        raise CniError(NOT_AS_ADDED, f"the node has no {call.host_interface}")
    (link,) = shown(f"address show dev {call.ifname}", call.netns) or [{}]
    has = {f"{each['local']}/{each['prefixlen']}" for each in link.get("addr_info", [])}
    found = {
        f"{address} on {call.ifname}": address in has,
        f"{call.ifname} up": "UP" in link.get("flags", []),
        "the default route": any(
            route.get("gateway") == VIRTUAL_GATEWAY
            for route in shown("route show default", call.netns)
        ),
        f"the node's route to {bare(address)}": any(
            route.get("dev") == call.host_interface
            for route in shown(f"route show {bare(address)}")
        ),
        f"the neighbour entry of {VIRTUAL_GATEWAY}": any(
            entry.get("lladdr") == mac_of(call.host_interface)
            for entry in shown(f"neigh show {VIRTUAL_GATEWAY} dev {call.ifname}", call.netns)
        ),
    }
    if missing := [name for name, there in found.items() if not there]:
        raise CniError(NOT_AS_ADDED, "the pod is not as ADD left it", f"Gone: {missing[0]}.")
    ask_ipam(call)


def collect_garbage(call: Call) -> None:
    """Remove this network's interfaces whose attachment the runtime no longer knows."""
    valid = {
        (each["containerID"], each["ifname"])
        for each in call.conf.get("cni.dev/valid-attachments") or ()
    }
    for link in shown("link show type veth"):
        network, _, attachment = link.get("ifalias", "").partition(" ")
        if network == call.conf["name"] and tuple(attachment.split()) not in valid:
            ip("link delete", link["ifname"])
    ask_ipam(call)


def status(call: Call) -> None:
    """Could an ADD be served now? Not without `ip`, and not without somebody who has addresses."""
    try:
        ip("link show")
        ask_ipam(call)
    except CniError as error:
        raise CniError(50, "cannot serve ADD", error.msg) from error


def version(call: Call) -> dict[str, Any]:
    """The versions of the contract that this plugin supports."""
    return {"cniVersion": call.version or CURRENT, "supportedVersions": list(SUPPORTED)}


OPERATIONS = {
    "ADD": add,
    "DEL": delete,
    "CHECK": check,
    "GC": collect_garbage,
    "STATUS": status,
    "VERSION": version,
}


def ask_ipam(call: Call, command: str | None = None) -> dict[str, Any] | None:
    """Start the IPAM plugin with our own environment and input, and take its answer for ours."""
    name = call.conf["ipam"]["type"]
    folders = [Path(folder) for folder in call.path.split(os.pathsep) if folder]
    program = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if program is None:
        raise CniError(4, f'failed to find plugin "{name}" in path [{call.path}]')
    environment = {**os.environ, "CNI_COMMAND": command or call.command}
    text = json.dumps(call.conf)
    ran = subprocess.run(
        program, input=text, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    answer: dict[str, Any] | None = json.loads(ran.stdout) if ran.stdout.strip() else None
    if ran.returncode:
        said = answer or {"code": 999, "msg": f"{name} failed"}
        raise CniError(said["code"], said["msg"], said.get("details", ""))
    return answer


def ip(command: str, *more: str, netns: str = "") -> str:
    """Run one `ip` command, in the pod's namespace if one is named."""
    enter = ["nsenter", f"--net={netns}"] if netns else []
    line = [*enter, "ip", *command.split(), *more]
    ran = subprocess.run(line, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise CniError(COMMAND_FAILED, f"{' '.join(line)} failed", ran.stderr.strip())
    return ran.stdout


def shown(command: str, netns: str = "") -> list[dict[str, Any]]:
    """What `ip -json` shows; nothing where it fails, for then there is nothing to show."""
    try:
        return json.loads(ip(f"-json {command}", netns=netns) or "[]")  # type: ignore[no-any-return]
    except CniError:
        return []


def exists(interface: str) -> bool:
    """Whether the node has an interface of this name."""
    return Path(f"/proc/sys/net/ipv4/conf/{interface}").exists()


def mac_of(interface: str, netns: str = "") -> str:
    """The hardware address of an interface."""
    return str(shown(f"link show {interface}", netns)[0]["address"])


def bare(address: str) -> str:
    """An address without its length."""
    return address.partition("/")[0]


def main() -> int:
    """Do what the environment asks; print a result or an error; 0 if all went well."""
    asked = ""
    try:
        call = Call(os.environ, sys.stdin.read())
        asked = call.version
        if call.command != "VERSION":
            call.validate()
        printed = OPERATIONS[call.command](call)
    except (CniError, OSError) as error:
        said = error if isinstance(error, CniError) else CniError(5, str(error))
        print(json.dumps(said.as_json(asked or CURRENT), indent=4))
        return 1
    if printed is not None:
        print(json.dumps(printed, indent=4))
    return 0


if __name__ == "__main__":
    sys.exit(main())
