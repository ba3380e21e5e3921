"""Pods made by real CNI plugins, called as the World says.

kubenet's pods are made by the very plugins of a node: bridge, host-local, portmap. For Azure's
there is no plugin to be had outside of Azure: the course's own (course.cni.plugin) stands in for
azure-vnet, and host-local for the one that hands out addresses. It wires a pod in the same way, and
the address is pinned, so what comes of it is the same. A plugin runs in its node's namespace, with
the node's own /etc/cni and /var/lib/cni.

>>> from course.scenarios import small_cluster
>>> from course.world import build
>>> world = build(small_cluster("kubenet"))
>>> [link.name for link in without_pods(world, world.host("node1")).interfaces]
['lo', 'eth0']
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_interface
from typing import Any

from course.cni.contract import CniError
from course.cni.expected import COURSE_PTP
from course.cni.install import program
from course.cni.result import Result, agrees
from course.cni.runtime import PluginCall, find_plugin
from course.lab.build import of_interfaces
from course.lab.built import Built
from course.lab.namespaces import Command, LabError, Namespaces, Output
from course.lab.probe.needs import Needs
from course.linux.host import Host
from course.linux.interfaces import loopback
from course.world import End, World

OWN = "/run/plugins"  # in the lab's namespaces
PATH = os.pathsep.join((OWN, *Needs().plugin_folders))
AZURE = "azure-vnet"


def without_pods(world: World, host: Host) -> Host:
    """A host as it is before plugins make its pods, or a pod before it is made."""
    if host.name in world.calls:
        return replace(host, interfaces=(loopback(),), routes=(), neighbours=())
    ports = [link for link in host.interfaces if link.peer_host in world.calls]
    gone = {link.name for link in ports} | {link.master for link in ports if link.master}
    return replace(
        host,
        interfaces=tuple(link for link in host.interfaces if link.name not in gone),
        routes=tuple(route for route in host.routes if route.dev not in gone),
        neighbours=tuple(each for each in host.neighbours if each.dev not in gone),
    )


def add_pods(namespaces: Namespaces, world: World) -> Built:
    """Have plugins make all pods of a World whose other hosts stand.

    Raises LabError with a plugin's own words if one fails, or for a result that was not expected.
    """
    for node, files in world.files.items():
        namespaces.place(files, node)
    if any(call.plugin == AZURE for calls in world.calls.values() for call in calls):
        namespaces.place({f"{OWN}/{COURSE_PTP}": program()})
    names = {}
    for pod, result in called(namespaces, world).items():
        names[_node(world, pod), _made_on_node(result)] = _end(world, pod).interface
    built = Built(namespaces, world, names)
    settle(built)
    return built


def called(namespaces: Namespaces, world: World) -> dict[str, Result]:
    """Call the plugins of all pods, side by side; the last result of each pod.

    A plugin is handed what the one before it really printed.
    """
    results: dict[str, Any] = dict.fromkeys(world.calls)
    for step in range(max(map(len, world.calls.values()), default=0)):
        calls = {pod: calls[step] for pod, calls in world.calls.items() if len(calls) > step}
        commands = [_command(call, _node(world, pod), results[pod]) for pod, call in calls.items()]
        for (pod, call), output in zip(calls.items(), namespaces.run(*commands), strict=True):
            results[pod] = _result(pod, call, output)
    return {pod: Result.from_json(result) for pod, result in results.items()}


def _end(world: World, pod: str) -> End:
    """The node's end of a pod's wire."""
    link = world.host(pod).interface("eth0")
    return End(link.peer_host, link.peer)


def _node(world: World, pod: str) -> str:
    return _end(world, pod).host


def _made_on_node(result: Result) -> str:
    """The real name of the node's end: of what a plugin made outside of the pod, the last."""
    return [str(each.name) for each in result.interfaces if not each.sandbox][-1]


def _command(call: PluginCall, node: str, previous: Mapping[str, Any] | None) -> Command:
    stdin, environment = dict(call.stdin), dict(call.environment)
    if previous:
        stdin["prevResult"] = previous
    plugin = call.plugin
    if plugin == AZURE:
        plugin, (stdin, environment) = COURSE_PTP, stand_in(call)
    try:
        file = f"{OWN}/{plugin}" if plugin == COURSE_PTP else str(find_plugin(plugin, PATH))
    except CniError as error:
        raise LabError(str(error)) from error
    return Command((file,), node, json.dumps(stdin), {**environment, "CNI_PATH": PATH})


def stand_in(call: PluginCall) -> tuple[dict[str, Any], dict[str, str]]:
    """What the course's plugin reads in place of azure-vnet, and its environment.

    The address is that of the result expected of azure-vnet, pinned by CNI_ARGS.
    """
    assert call.expected
    address = ip_interface(call.expected.ips[0].address)
    stdin = {
        "cniVersion": call.stdin["cniVersion"], "name": call.stdin["name"], "type": COURSE_PTP,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": str(address.network)}]]},
    }  # fmt: skip
    args = f"{call.environment['CNI_ARGS']};IP={address.ip}"
    return stdin, {**call.environment, "CNI_ARGS": args}


def _result(pod: str, call: PluginCall, output: Output) -> Any:
    if output.code or output.late:
        raise LabError(f"{call.plugin} could not make {pod}: {str(output).strip()}")
    printed = json.loads(output.out)
    found, wanted = Result.from_json(printed), call.expected
    if wanted and not agrees(wanted, found):
        raise LabError(f"{call.plugin} made something else of {pod}: {found}, not {wanted}")
    return printed


def settle(built: Built) -> None:
    """The settings of what plugins have made, as far as plugins leave them to the node."""
    hosts: dict[str, dict[str, int]] = {}
    for host in built.world.hosts:
        made = _made(built.world, host)
        if made:
            wanted = of_interfaces(host, *made)
            hosts[host.name] = {
                "/".join(built.real_name(host.name, word) for word in path.split("/")): value
                for path, value in wanted.items()
            }
    built.namespaces.set(hosts)


def _made(world: World, host: Host) -> Sequence[str]:
    """The interfaces of a host that plugins have made."""
    before = {link.name for link in without_pods(world, host).interfaces}
    return [link.name for link in host.interfaces if link.name not in before]
