"""The terms of the contract: operations, environment, versions, names and errors.

>>> ENVIRONMENT["ADD"].required
('CNI_COMMAND', 'CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME')
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from course.errors import InputError

CURRENT = "1.1.0"
SUPPORTED = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")

# what each version of the specification added or took away
CHANGES = {
    "0.2.0": ("VERSION",),
    "0.3.0": ("rich result", "plugin chaining"),
    "0.4.0": ("CHECK", "prevResult on DEL"),
    "1.0.0": ("non-list configs removed", "version field of ips removed"),
    "1.1.0": ("STATUS", "GC", "cniVersions"),
}

# the first version of a configuration with which a runtime may ask for an operation
SINCE = {"VERSION": "0.2.0", "CHECK": "0.4.0", "STATUS": "1.1.0", "GC": "1.1.0"}

ERROR_CODES = {
    1: "Incompatible CNI version",
    2: "Unsupported field in network configuration",
    3: "Container unknown or does not exist",
    4: "Invalid necessary environment variables",
    5: "I/O failure",
    6: "Failed to decode content",
    7: "Invalid network config",
    11: "Try again later",
    50: "The plugin is not available (cannot service ADD requests)",
    51: (
        "The plugin is not available, and existing containers in the network may have limited "
        "connectivity"
    ),
}
# codes that the Go library uses beside the specification's; plugins print 999 most of all
LIBRARY_CODES = {0: "unknown", 8: "invalid network namespace", 999: "internal"}
FIRST_PLUGIN_CODE = 100


@dataclass(frozen=True)
class Variables:
    """The environment variables of one operation."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


_ATTACHMENT = ("CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME")

# What the specification says of each operation. STATUS lists nothing as required, yet without
# CNI_COMMAND a plugin could not tell that it is asked for its status.
ENVIRONMENT = {
    "ADD": Variables(_ATTACHMENT, ("CNI_ARGS", "CNI_PATH")),
    "DEL": Variables(
        ("CNI_COMMAND", "CNI_CONTAINERID", "CNI_IFNAME"), ("CNI_NETNS", "CNI_ARGS", "CNI_PATH")
    ),
    "CHECK": Variables(_ATTACHMENT, ("CNI_ARGS", "CNI_PATH")),
    "STATUS": Variables((), ("CNI_PATH",)),
    "VERSION": Variables(("CNI_COMMAND",)),
    "GC": Variables(("CNI_COMMAND", "CNI_PATH")),
}


def _in_library(variables: Variables, operation: str) -> Variables:
    path = () if operation == "VERSION" else ("CNI_PATH",)
    required = dict.fromkeys(("CNI_COMMAND", *variables.required, *path))
    optional = (name for name in variables.optional if name not in required)
    return Variables(tuple(required), tuple(optional))


# What the Go library demands, and with it nearly every plugin: CNI_PATH too, except for VERSION.
LIBRARY_ENVIRONMENT = {name: _in_library(row, name) for name, row in ENVIRONMENT.items()}


class CniError(InputError):
    """What a plugin prints when it fails: a code, a short message, and details.

    Codes below 100 are the contract's, higher ones are each plugin's own.

    >>> raise CniError(7, "Invalid Configuration", "Network 192.168.0.0/31 too small.")
    Traceback (most recent call last):
    ...
    course.cni.contract.CniError: Invalid Configuration (code 7, Invalid network config). \
Network 192.168.0.0/31 too small.
    """

    def __init__(self, code: int, msg: str, details: str = "") -> None:
        super().__init__(code, msg, details)
        self.code, self.msg, self.details = code, msg, details

    def __str__(self) -> str:
        return f"{self.msg} (code {self.code}, {meaning(self.code)}). {self.details}".strip()

    def as_json(self, version: str) -> dict[str, object]:
        """The error as a plugin prints it, with the version of its configuration.

        >>> CniError(11, "no addresses yet").as_json("1.1.0")
        {'cniVersion': '1.1.0', 'code': 11, 'msg': 'no addresses yet'}
        """
        printed = {"cniVersion": version, "code": self.code, "msg": self.msg}
        return printed | ({"details": self.details} if self.details else {})


def meaning(code: int) -> str:
    """What an error code means.

    >>> meaning(11), meaning(101)
    ('Try again later', "the plugin's own")
    """
    own = "the plugin's own" if code >= FIRST_PLUGIN_CODE else "reserved"
    return (ERROR_CODES | LIBRARY_CODES).get(code, own)


def parse_version(text: str) -> tuple[int, int, int]:
    """A version as numbers that compare; parts left out are 0.

    Raises CniError, code 6, for anything else.

    >>> parse_version("0.4.0") < parse_version("1.0")
    True
    """
    if isinstance(text, str) and re.fullmatch(r"[0-9]+(\.[0-9]+){0,2}", text):
        major, minor, micro = (*map(int, text.split(".")), 0, 0)[:3]
        return major, minor, micro
    raise CniError(6, f"invalid version {text!r}", "Write three numbers, like 1.0.0.")


def allows(version: str, operation: str) -> bool:
    """Whether a configuration of this version knows an operation.

    >>> allows("0.3.1", "CHECK"), allows("0.4.0", "CHECK")
    (False, True)
    """
    return parse_version(version or "0.1.0") >= parse_version(SINCE.get(operation, "0.1.0"))


def demand_version(version: str, supported: Sequence[str]) -> None:
    """Refuse a configuration whose version a plugin does not support, as plugins do.

    Nothing is negotiated: the runtime writes one version, and the plugin takes or refuses it.
    A configuration without a version is one of 0.1.0. Raises CniError, code 1.

    >>> demand_version("1.1.0", ["0.4.0", "1.0.0"])
    Traceback (most recent call last):
    ...
    course.cni.contract.CniError: incompatible CNI versions (code 1, Incompatible CNI version). \
config is "1.1.0", plugin supports ["0.4.0" "1.0.0"]
    """
    version = version or "0.1.0"
    if version not in supported:
        known = " ".join(f'"{each}"' for each in supported)
        raise CniError(
            1, "incompatible CNI versions", f'config is "{version}", plugin supports [{known}]'
        )


_NAME = r"[a-zA-Z0-9][a-zA-Z0-9_.\-]*"


def valid_container_id(text: str) -> str:
    """A container id: a letter or digit, then letters, digits, `_`, `.` and `-`.

    Raises CniError: code 3 if it is empty, 4 if it has other characters.
    """
    if not text:
        raise CniError(3, "missing containerID")
    if not re.fullmatch(_NAME, text):
        raise CniError(4, "invalid characters in containerID", text)
    return text


def valid_network_name(text: str) -> str:
    """The name of a network, of the same characters as a container id.

    Raises CniError, code 7.
    """
    if not text:
        raise CniError(7, "missing network name:")
    if not re.fullmatch(_NAME, text):
        raise CniError(7, "invalid characters found in network name", text)
    return text


def valid_interface_name(text: str) -> str:
    """The name of an interface as the Linux kernel takes it: at most 15 bytes.

    Raises CniError, code 4.

    >>> valid_interface_name("eth0")
    'eth0'
    >>> valid_interface_name("eth0:1")
    Traceback (most recent call last):
    ...
    course.cni.contract.CniError: interface name contains / or : or whitespace characters \
(code 4, Invalid necessary environment variables).
    """
    if not text:
        raise CniError(4, "interface name is empty")
    if len(text.encode()) > 15:
        raise CniError(
            4, "interface name is too long", "interface name should be less than 16 characters"
        )
    if text in (".", ".."):
        raise CniError(4, "interface name is . or ..")
    if re.search(r"[/:\s]", text):
        raise CniError(4, "interface name contains / or : or whitespace characters")
    return text


def demand_environment(environment: Mapping[str, str]) -> str:
    """The operation that an environment asks for, if it has all that the operation needs.

    Raises CniError, code 4, naming what is missing or unknown.

    >>> demand_environment({"CNI_COMMAND": "DEL", "CNI_PATH": "/opt/cni/bin"})
    Traceback (most recent call last):
    ...
    course.cni.contract.CniError: required env variables [CNI_CONTAINERID,CNI_IFNAME] missing \
(code 4, Invalid necessary environment variables).
    """
    operation = environment.get("CNI_COMMAND", "")
    if operation and operation not in LIBRARY_ENVIRONMENT:
        raise CniError(4, f"unknown CNI_COMMAND: {operation}")
    needed = LIBRARY_ENVIRONMENT[operation].required if operation else ("CNI_COMMAND",)
    if missing := [name for name in needed if not environment.get(name)]:
        raise CniError(4, f"required env variables [{','.join(missing)}] missing")
    return operation
