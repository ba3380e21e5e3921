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
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_interface
from typing import Any, NamedTuple

from course.cni.contract import CniError
from course.cni.expected import COURSE_PTP
from course.cni.install import program
from course.cni.result import Result, agrees
from course.cni.runtime import PluginCall, find_plugin
from course.lab.build import of_interfaces
from course.lab.built import Built
from course.lab.namespaces import Command, LabError, Output
from course.lab.probe.needs import Needs
from course.linux.host import Host
from course.linux.interfaces import loopback
from course.world import End, World

OWN = "/run/plugins"  # in the lab's namespaces
PATH = os.pathsep.join((OWN, *Needs().plugin_folders))
AZURE = "azure-vnet"


def without_pods(
    world: World, host: Host, pods: Container[str] | None = None, bridge: bool = False
) -> Host:
    """A host as it is before plugins make its pods, or a pod before it is made.

    `pods` are those that are still to be made: at first, all. `bridge` tells whether the bridge of
    the node is there already.
    """
    coming = world.calls if pods is None else pods
    if host.name in coming:
        return replace(host, interfaces=(loopback(),), routes=(), neighbours=())
    ports = [link for link in host.interfaces if link.peer_host in coming]
    masters = {link.master for link in ports if link.master and not bridge}
    gone = masters.union(link.name for link in ports)
    return replace(
        host,
        interfaces=tuple(link for link in host.interfaces if link.name not in gone),
        routes=tuple(route for route in host.routes if route.dev not in gone),
        neighbours=tuple(each for each in host.neighbours if each.dev not in gone),
    )


class Added(NamedTuple):
    """What came of adding pods: what stands, and the words of plugins that refused, by pod."""

    built: Built
    refused: Mapping[str, str]


def add_pods(built: Built, pods: Iterable[str]) -> Added:
    """Have plugins make pods of a World whose other hosts stand.

    Raises LabError for a result that was not expected.
    """
    world, namespaces = built.world, built.namespaces
    for node, files in world.files.items():
        namespaces.place(files, node)
    if any(call.plugin == AZURE for calls in world.calls.values() for call in calls):
        namespaces.place({f"{OWN}/{COURSE_PTP}": program()})
    results, refused = called(built, pods)
    names = {
        (_node(world, pod), _made_on_node(Result.from_json(result))): _end(world, pod).interface
        for pod, result in results.items()
    }
    built = replace(
        built, names={**built.names, **names}, results={**built.results, **results}
    )  # fmt: skip
    settle(built)
    return Added(built, refused)


def called(built: Built, pods: Iterable[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Call the plugins of pods, side by side: the last result of each pod, and the words of the
    plugin that has not made it.

    A plugin is handed what the one before it really printed. A pod that one has not made is taken
    back, as by a container runtime.
    """
    world = built.world
    results: dict[str, Any] = dict.fromkeys(pods)
    refused: dict[str, str] = {}
    for step in range(max((len(world.calls[pod]) for pod in results), default=0)):
        calls = {pod: world.calls[pod][step] for pod in results if len(world.calls[pod]) > step}
        commands = [_command(call, _node(world, pod), results[pod]) for pod, call in calls.items()]
        outputs = built.namespaces.run(*commands)
        for (pod, call), output in zip(calls.items(), outputs, strict=True):
            if output.code or output.late:
                refused[pod] = _refusal(pod, call, output)
                delete_pods(built, {pod: results.pop(pod)})
            else:
                results[pod] = _result(pod, call, output)
    return results, refused


def delete_pods(built: Built, results: Mapping[str, Any]) -> None:
    """Have plugins take back pods, the last plugin first; `results` are what ADD printed in the
    end. Whatever is gone already is none of their business."""
    world = built.world
    for pod, result in results.items():
        for call in reversed(world.calls[pod]):
            environment = {**call.environment, "CNI_COMMAND": "DEL"}
            undo = replace(call, environment=environment)
            built.namespaces.run(_command(undo, _node(world, pod), result))


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


def _refusal(pod: str, call: PluginCall, output: Output) -> str:
    """What a plugin said, in its own words."""
    try:
        said = json.loads(output.out)["msg"]
    except (ValueError, KeyError, TypeError):
        said = str(output).strip()
    return f"{call.plugin} could not make {pod}: {said}"


def _result(pod: str, call: PluginCall, output: Output) -> Any:
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
                built.spelled(host.name, path): value for path, value in wanted.items()
            }
    built.namespaces.set(hosts)


def _made(world: World, host: Host) -> list[str]:
    """The interfaces of a host that plugins have made."""
    before = {link.name for link in without_pods(world, host).interfaces}
    return [link.name for link in host.interfaces if link.name not in before]
