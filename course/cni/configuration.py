"""Configuration lists: what an administrator writes and a runtime reads.

A list has a name, a version, and plugins in order. It stands as a file in /etc/cni/net.d; the
plugins stand as programs in /opt/cni/bin. On a Kubernetes node containerd reads the folder, not the
kubelet: since Kubernetes 1.24 the kubelet has neither the code nor the options for it. containerd
takes the files in lexical order and uses the first list only (its max_conf_num is 1), so
05-cilium.conflist wins over 10-azure.conflist.

>>> loading_order(["10-azure.conflist", "README", "05-cilium.conflist"])
('05-cilium.conflist', '10-azure.conflist')
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from course.cni.contract import CURRENT, CniError, parse_version

FOLDER = "/etc/cni/net.d"
PLUGIN_FOLDER = "/opt/cni/bin"
SUFFIXES = (".conflist", ".conf", ".json")


@dataclass(frozen=True)
class PluginConfiguration:
    """One plugin of a list. `keys` are all that was written, `type` is the program's name."""

    keys: Mapping[str, Any]

    @property
    def type(self) -> str:
        """The name of the program, looked up in CNI_PATH."""
        return str(self.keys["type"])

    @property
    def ipam(self) -> str | None:
        """The plugin that this one asks for addresses, if any."""
        return (self.keys.get("ipam") or {}).get("type")

    @property
    def capabilities(self) -> frozenset[str]:
        """What this plugin wants to be told by the runtime for each pod, such as portMappings."""
        asked = self.keys.get("capabilities") or {}
        return frozenset(name for name, wanted in asked.items() if wanted)


@dataclass(frozen=True)
class NetworkConfiguration:
    """A configuration list. `version` is the one that every plugin of it is called with."""

    name: str
    version: str
    plugins: tuple[PluginConfiguration, ...]
    disable_check: bool = False
    disable_gc: bool = False
    load_only_inlined_plugins: bool = False


def parse(content: str | Mapping[str, Any]) -> NetworkConfiguration:
    """Read a configuration list, from JSON text or what it holds.

    Raises CniError, code 6 or 7, in the words that containerd's log has.

    >>> parse({"cniVersion": "1.0.0", "name": "dbnet", "plugins": [{"type": "ptp"}]}).version
    '1.0.0'
    >>> parse({"name": "dbnet", "plugins": [{"subnet": "10.1.0.0/16"}]})
    Traceback (most recent call last):
    ...
    course.cni.contract.CniError: failed to parse plugin config 0: error parsing configuration: \
missing 'type' (code 7, Invalid network config). The type is the file name of the plugin's program.
    """
    written = _decode(content) if isinstance(content, str) else _object(content)
    only_inlined = _flag(written, "loadOnlyInlinedPlugins")
    return NetworkConfiguration(
        name=_name(written),
        version=select_version(written),
        plugins=_plugins(written, only_inlined),
        disable_check=_flag(written, "disableCheck"),
        disable_gc=_flag(written, "disableGC"),
        load_only_inlined_plugins=only_inlined,
    )


def select_version(written: Mapping[str, Any]) -> str:
    """The version of a list: the highest of cniVersions and cniVersion that this course knows.

    Without cniVersions, cniVersion is taken unread, even one from the future: then it is for each
    plugin to refuse it. Raises CniError, code 7, for a version that is none.

    >>> select_version({"cniVersion": "0.4.0", "cniVersions": ["1.0.0", "99.0.0"]})
    '1.0.0'
    """
    single = written.get("cniVersion", "")
    if not isinstance(single, str):
        raise _refusal(f"invalid cniVersion type {_go_type(single)}")
    if "cniVersions" not in written:
        return single
    several = written["cniVersions"]
    if not isinstance(several, list):
        raise _refusal(f"invalid type for cniVersions: {_go_type(several)}")
    known = [
        version
        for version in (*several, *([single] if single else []))
        if _listed_version(version) <= parse_version(CURRENT)
    ]
    return max(known, key=parse_version, default=single)


def loading_order(names: Iterable[str]) -> tuple[str, ...]:
    """The files of a configuration folder that containerd looks at, in the order it does."""
    return tuple(sorted(name for name in names if Path(name).suffix in SUFFIXES))


def load_file(file: Path) -> NetworkConfiguration:
    """Read a list, or a file of one plugin as a list of one.

    Unless loadOnlyInlinedPlugins is true, the plugins in the folder beside the file that bears the
    network's name (`<name>/*.conf`) follow those of the list. Raises CniError, and OSError where
    the file cannot be read.
    """
    written = _decode(file.read_text("utf-8"))
    if file.suffix != ".conflist" and "plugins" not in written:
        return parse({**written, "plugins": [written]})
    found = parse(written)
    if not found.load_only_inlined_plugins:
        beside = sorted((file.parent / found.name).glob("*.conf"))
        more = (_plugin(_decode(each.read_text("utf-8"))) for each in beside)
        found = replace(found, plugins=(*found.plugins, *more))
    if not found.plugins:
        raise CniError(7, "no plugin configs found", f"Neither in {file.name} nor beside it.")
    return found


def load_default(folder: Path) -> NetworkConfiguration:
    """The list that containerd uses: the first of the folder.

    Raises CniError, code 7, if there is none: the node then stays NotReady.
    """
    for name in loading_order(each.name for each in folder.iterdir() if each.is_file()):
        return load_file(folder / name)
    raise CniError(
        7,
        f"no network config found in {folder}",
        "The node stays NotReady until a network plugin puts its list there.",
    )


def _decode(text: str) -> Mapping[str, Any]:
    try:
        return _object(json.loads(text))
    except json.JSONDecodeError as error:
        raise CniError(6, "error parsing configuration list", str(error)) from error


def _object(written: object) -> Mapping[str, Any]:
    if isinstance(written, Mapping):
        return written
    raise CniError(6, "error parsing configuration list", "It is no JSON object.")


def _name(written: Mapping[str, Any]) -> str:
    if "name" not in written:
        raise _refusal("no name", "The name tells networks of a node apart.")
    if not isinstance(name := written["name"], str):
        raise _refusal(f"invalid name type {_go_type(name)}")
    return name


def _flag(written: Mapping[str, Any], key: str) -> bool:
    value = written.get(key, False)
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise _refusal(f"invalid type {_go_type(value)} for {key}")
    if value.lower() not in ("true", "false"):
        raise _refusal(f'invalid value "{value.lower()}" for {key}', "Write true or false.")
    return value.lower() == "true"


def _plugins(written: Mapping[str, Any], only_inlined: bool) -> tuple[PluginConfiguration, ...]:
    if "plugins" not in written:
        if only_inlined:
            raise _refusal("`loadOnlyInlinedPlugins` is true, and no 'plugins' key")
        return ()
    plugins = written["plugins"]
    if not isinstance(plugins, list):
        raise _refusal(f"invalid 'plugins' type {_go_type(plugins)}")
    if not plugins:
        raise _refusal("no plugins in list")
    found = []
    for index, keys in enumerate(plugins):
        try:
            found.append(_plugin(keys))
        except CniError as error:
            msg = f"failed to parse plugin config {index}: {error.msg}"
            raise CniError(error.code, msg, error.details) from None
    return tuple(found)


def _plugin(keys: Mapping[str, Any]) -> PluginConfiguration:
    if isinstance(keys, dict) and isinstance(keys.get("type"), str) and keys["type"]:
        return PluginConfiguration(keys)
    raise CniError(
        7,
        "error parsing configuration: missing 'type'",
        "The type is the file name of the plugin's program.",
    )


def _listed_version(version: str) -> tuple[int, int, int]:
    try:
        return parse_version(version)
    except CniError as error:
        raise _refusal(f"invalid cniVersions entry {version}", error.msg) from None


def _refusal(rule: str, details: str = "") -> CniError:
    return CniError(7, f"error parsing configuration list: {rule}", details)


def _go_type(value: object) -> str:
    """How the Go library, and so containerd's log, names the type of a JSON value."""
    names = {
        bool: "bool", int: "float64", float: "float64", str: "string",
        list: "[]interface {}", dict: "map[string]interface {}",
    }  # fmt: skip
    return names.get(type(value), "<nil>")
