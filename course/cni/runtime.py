"""What a container runtime does with a configuration list: which plugin calls, in which order.

Planning is pure: a call is data, with its environment, the JSON for standard input, and the result
that is expected of it. Executing is apart, and starts the plugins' programs.

- ADD goes through the list; each plugin is handed the result of the one before it (prevResult).
- CHECK goes the same way, DEL the other way round; both hand every plugin the last result of ADD.
- The plugin's `capabilities` become `runtimeConfig`: what the runtime knows of those it asked for.

>>> from course.cni.configuration import parse
>>> from course.cni.result import IPConfig
>>> dbnet = parse({"cniVersion": "0.4.0", "name": "dbnet",
...     "plugins": [{"type": "bridge", "bridge": "cni0"}, {"type": "portmap"}]})
>>> pod = Attachment("a51debf7e1eb", "/run/netns/blue")
>>> answer = Result(ips=(IPConfig("10.1.0.5/16", "10.1.0.1"),))
>>> [call.plugin for call in plan_add(dbnet, pod, answer)]
['bridge', 'portmap']
>>> [call.plugin for call in plan_del(dbnet, pod)]
['portmap', 'bridge']
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course.cni.configuration import PLUGIN_FOLDER, NetworkConfiguration, PluginConfiguration
from course.cni.contract import (
    CURRENT,
    CniError,
    allows,
    valid_container_id,
    valid_interface_name,
    valid_network_name,
)
from course.cni.expected import expected_result
from course.cni.result import Result

VALID_ATTACHMENTS = "cni.dev/valid-attachments"


@dataclass(frozen=True)
class Attachment:
    """One container's place in one network: its id and the interface it gets.

    `netns` is the path of its network namespace. `args` go to every plugin, as CNI_ARGS;
    `capability_args` only to those that ask for them by name. Raises CniError for an id or name
    that the contract does not allow.

    >>> Attachment("a51debf7e1eb", "/run/netns/blue", args={"IP": "10.1.0.9"}).environment
    {'CNI_CONTAINERID': 'a51debf7e1eb', 'CNI_NETNS': '/run/netns/blue', 'CNI_IFNAME': 'eth0', \
'CNI_ARGS': 'IP=10.1.0.9'}
    """

    container_id: str
    netns: str
    ifname: str = "eth0"
    args: Mapping[str, str] = field(default_factory=dict)
    capability_args: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        valid_container_id(self.container_id)
        valid_interface_name(self.ifname)

    @property
    def environment(self) -> dict[str, str]:
        """The attachment's part of a plugin's environment; what is empty is left out."""
        variables = {
            "CNI_CONTAINERID": self.container_id,
            "CNI_NETNS": self.netns,
            "CNI_IFNAME": self.ifname,
            "CNI_ARGS": ";".join(f"{key}={value}" for key, value in self.args.items()),
        }
        return {name: value for name, value in variables.items() if value}


@dataclass(frozen=True)
class PluginCall:
    """One start of a plugin: its environment, its standard input, the result expected of it.

    Only ADD has a result; all other operations print nothing when all is well (VERSION prints the
    versions).
    """

    plugin: str
    environment: Mapping[str, str]
    stdin: Mapping[str, Any]
    expected: Result | None = None

    @property
    def command(self) -> str:
        """The operation: ADD, CHECK, DEL, GC, STATUS or VERSION."""
        return self.environment["CNI_COMMAND"]

    def as_shell(self) -> str:
        """The call as a command to type on a node.

        >>> print(plan_version("bridge").as_shell())
        echo '{"cniVersion": "1.1.0"}' | CNI_COMMAND=VERSION /opt/cni/bin/bridge
        """
        folder = self.environment.get("CNI_PATH", PLUGIN_FOLDER).split(os.pathsep)[0]
        variables = " ".join(
            f"{name}={shlex.quote(value)}" for name, value in self.environment.items()
        )
        document = shlex.quote(json.dumps(self.stdin))
        return f"echo {document} | {variables} {folder}/{self.plugin}"


def plan_add(
    network: NetworkConfiguration,
    attachment: Attachment,
    ipam: Result,
    path: str = PLUGIN_FOLDER,
    results: Mapping[str, Result] | None = None,
) -> tuple[PluginCall, ...]:
    """The calls that add a container to a network, each with the result expected of it.

    `ipam` is what address management will answer: the pinned address, its gateway, the routes.
    `results` tells what a plugin answers that the course does not know. Raises InputError for a
    plugin that neither knows.
    """
    calls: list[PluginCall] = []
    for plugin in network.plugins:
        previous = calls[-1].expected if calls else None
        stdin = derive(network, plugin, attachment, previous)
        answer = (results or {}).get(plugin.type) or expected_result(
            stdin, attachment.ifname, attachment.netns, ipam, previous
        )
        calls.append(_call("ADD", plugin.type, stdin, path, attachment.environment, answer))
    return tuple(calls)


def plan_check(
    network: NetworkConfiguration,
    attachment: Attachment,
    result: Result,
    path: str = PLUGIN_FOLDER,
) -> tuple[PluginCall, ...]:
    """The calls that ask whether an attachment is still as ADD left it; `result` is ADD's last.

    None if the list says disableCheck. Raises CniError, code 1, if its version has no CHECK.
    """
    if network.disable_check:
        return ()
    if not allows(network.version, "CHECK"):
        raise CniError(1, f"version {network.version} of the list has no CHECK", "0.4.0 has.")
    return tuple(
        _attached("CHECK", network, plugin, attachment, result, path) for plugin in network.plugins
    )


def plan_del(
    network: NetworkConfiguration,
    attachment: Attachment,
    result: Result | None = None,
    path: str = PLUGIN_FOLDER,
) -> tuple[PluginCall, ...]:
    """The calls that take a container off a network, last plugin first.

    `result` is ADD's last, if it is known; lists older than 0.4.0 do not pass it. DEL may be
    called twice, and without the namespace: a plugin then cleans up what it can.
    """
    known = result if allows(network.version, "CHECK") else None
    return tuple(
        _attached("DEL", network, plugin, attachment, known, path)
        for plugin in reversed(network.plugins)
    )


def plan_gc(
    network: NetworkConfiguration, valid: Sequence[Attachment], path: str = PLUGIN_FOLDER
) -> tuple[PluginCall, ...]:
    """The calls that let each plugin remove whatever belongs to none of the valid attachments.

    None if the list says disableGC or is older than 1.1.0.
    """
    if network.disable_gc or not allows(network.version, "GC"):
        return ()
    attachments = [{"containerID": one.container_id, "ifname": one.ifname} for one in valid]
    return tuple(
        _call("GC", each.type, derive(network, each) | {VALID_ATTACHMENTS: attachments}, path)
        for each in network.plugins
    )


def plan_status(network: NetworkConfiguration, path: str = PLUGIN_FOLDER) -> tuple[PluginCall, ...]:
    """The calls that ask each plugin whether it could serve an ADD. None before 1.1.0."""
    if not allows(network.version, "STATUS"):
        return ()
    return tuple(
        _call("STATUS", each.type, derive(network, each), path) for each in network.plugins
    )


def plan_version(plugin: str, version: str = CURRENT, path: str = "") -> PluginCall:
    """The call that asks a plugin which versions of the contract it supports."""
    return _call("VERSION", plugin, {"cniVersion": version}, path)


def derive(
    network: NetworkConfiguration,
    plugin: PluginConfiguration,
    attachment: Attachment | None = None,
    previous: Result | None = None,
) -> dict[str, Any]:
    """What a plugin reads on standard input: its own keys, and what the runtime puts in.

    Put in: `name` and `cniVersion` of the list, `runtimeConfig`, `prevResult`. Taken out:
    `capabilities`. All else passes as it was written.
    """
    valid_network_name(network.name)
    stdin = {key: value for key, value in plugin.keys.items() if key != "capabilities"}
    stdin |= {"cniVersion": network.version, "name": network.name}
    offered = attachment.capability_args if attachment else {}
    told = {name: value for name, value in offered.items() if name in plugin.capabilities}
    if told:
        stdin["runtimeConfig"] = {**stdin.get("runtimeConfig", {}), **told}
    if previous is not None:
        stdin["prevResult"] = previous.as_json(network.version)
    return stdin


def find_plugin(name: str, path: str) -> Path:
    """The program of a plugin: the first of that name in the folders of CNI_PATH.

    Raises CniError, code 4, if there is none. On a node this is the error of a pod that stays in
    ContainerCreating.
    """
    for folder in path.split(os.pathsep):
        file = Path(folder) / name
        if folder and file.is_file() and "/" not in name:
            return file
    raise CniError(
        4, f'failed to find plugin "{name}" in path [{path}]', "Install it, or mend CNI_PATH."
    )


def execute(call: PluginCall, inside: Sequence[str] = ()) -> dict[str, Any] | None:
    """Start a plugin, and give what it printed: a result after ADD, mostly nothing otherwise.

    `inside` is a command to run it with, such as ("ip", "netns", "exec", "node1"). Raises CniError
    with the plugin's own code and words, and code 999 where it failed without any.
    """
    program = find_plugin(call.plugin, call.environment.get("CNI_PATH") or PLUGIN_FOLDER)
    own = {name: value for name, value in os.environ.items() if not name.startswith("CNI_")}
    ran = subprocess.run(
        [*inside, str(program)],
        input=json.dumps(call.stdin),
        env=own | dict(call.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise _plugin_error(call.plugin, ran.stdout, ran.stderr)
    printed: dict[str, Any] | None = json.loads(ran.stdout) if ran.stdout.strip() else None
    return printed


def add(
    network: NetworkConfiguration,
    attachment: Attachment,
    path: str = PLUGIN_FOLDER,
    inside: Sequence[str] = (),
) -> Result:
    """Add a container to a network for real, and give the last plugin's result.

    Each plugin is handed what the one before it really printed. If one fails, all are called with
    DEL, and its CniError is raised.
    """
    result: Result | None = None
    try:
        for plugin in network.plugins:
            stdin = derive(network, plugin, attachment, result)
            call = _call("ADD", plugin.type, stdin, path, attachment.environment)
            result = Result.from_json(execute(call, inside) or {})
    except CniError:
        with suppress(CniError):  # the first error tells what was wrong
            delete(network, attachment, result, path, inside)
        raise
    return result or Result()


def check(
    network: NetworkConfiguration,
    attachment: Attachment,
    result: Result,
    path: str = PLUGIN_FOLDER,
    inside: Sequence[str] = (),
) -> None:
    """Ask all plugins whether an attachment is as ADD left it. Raises the first CniError."""
    for call in plan_check(network, attachment, result, path):
        execute(call, inside)


def delete(
    network: NetworkConfiguration,
    attachment: Attachment,
    result: Result | None = None,
    path: str = PLUGIN_FOLDER,
    inside: Sequence[str] = (),
) -> None:
    """Take a container off a network for real. Raises the first CniError."""
    for call in plan_del(network, attachment, result, path):
        execute(call, inside)


def _attached(
    command: str,
    network: NetworkConfiguration,
    plugin: PluginConfiguration,
    attachment: Attachment,
    previous: Result | None,
    path: str,
) -> PluginCall:
    stdin = derive(network, plugin, attachment, previous)
    return _call(command, plugin.type, stdin, path, attachment.environment)


def _call(
    command: str,
    plugin: str,
    stdin: Mapping[str, Any],
    path: str,
    attached: Mapping[str, str] | None = None,
    expected: Result | None = None,
) -> PluginCall:
    environment = {"CNI_COMMAND": command, **(attached or {})}
    return PluginCall(plugin, environment | ({"CNI_PATH": path} if path else {}), stdin, expected)


def _plugin_error(plugin: str, stdout: str, stderr: str) -> CniError:
    try:
        said = json.loads(stdout)
        return CniError(int(said["code"]), said["msg"], said.get("details", ""))
    except (ValueError, KeyError, TypeError):
        return CniError(999, f"{plugin} failed without an error result", stderr or stdout)
