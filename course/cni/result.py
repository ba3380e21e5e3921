"""What a plugin prints after ADD: interfaces, addresses, routes, DNS; in each version's shape.

One result serves all versions: `as_json` writes the shape that a version wants, `from_json` reads
any. In an expectation, a name or MAC that chance decides is None; `agrees` lets it be anything.

>>> pod = Result(ips=(IPConfig("10.244.0.5/24", gateway="10.244.0.1"),))
>>> pod.as_json("0.4.0")["ips"]
[{'version': '4', 'address': '10.244.0.5/24', 'gateway': '10.244.0.1'}]
>>> pod.as_json("0.2.0")["ip4"]
{'ip': '10.244.0.5/24', 'gateway': '10.244.0.1'}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from course.cni.contract import CniError, parse_version

# The keys of each part, in the newest version, and the version that brought a key.
SHAPE = {
    "result": ("cniVersion", "interfaces", "ips", "routes", "dns"),
    "interfaces": ("name", "mac", "mtu", "sandbox", "socketPath", "pciID"),
    "ips": ("address", "gateway", "interface"),
    "routes": ("dst", "gw", "mtu", "advmss", "priority", "table", "scope"),
    "dns": ("nameservers", "domain", "search", "options"),
    "error": ("cniVersion", "code", "msg", "details"),
    "version": ("cniVersion", "supportedVersions"),
}
SINCE_1_1 = {
    "interfaces": {"mtu", "socketPath", "pciID"},
    "routes": {"mtu", "advmss", "priority", "table", "scope"},
}


@dataclass(frozen=True)
class Interface:
    """An interface that the plugin made or used; `sandbox` is the pod's namespace, or empty."""

    name: str | None = None
    mac: str | None = None
    sandbox: str = ""
    mtu: int | None = None
    socketPath: str | None = None  # noqa: N815 - the contract's own key
    pciID: str | None = None  # noqa: N815


@dataclass(frozen=True)
class IPConfig:
    """An address with its length; `interface` counts into the interfaces of the result."""

    address: str
    gateway: str | None = None
    interface: int | None = None

    @property
    def version(self) -> str:
        """4 or 6, as a text: so the contract had it from 0.3.0 to 0.4.0."""
        return "6" if ":" in self.address else "4"


@dataclass(frozen=True)
class Route:
    """A route made inside the pod. Without `gw`, the gateway of the address serves."""

    dst: str
    gw: str | None = None
    mtu: int | None = None
    advmss: int | None = None
    priority: int | None = None
    table: int | None = None
    scope: int | None = None


@dataclass(frozen=True)
class DNS:
    """What the pod's resolver should be told. Kubernetes ignores it: the kubelet writes that."""

    nameservers: tuple[str, ...] = ()
    domain: str = ""
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """What one ADD made. An IPAM plugin knows no interfaces and leaves them out."""

    interfaces: tuple[Interface, ...] = ()
    ips: tuple[IPConfig, ...] = ()
    routes: tuple[Route, ...] = ()
    dns: DNS = DNS()

    def as_json(self, version: str) -> dict[str, Any]:
        """The result as a plugin of this version prints it.

        Raises CniError, code 1, if the version's shape cannot hold it.
        """
        if parse_version(version) < (0, 3, 0):
            return _one_of_each_family(self, version)
        printed: dict[str, Any] = {"cniVersion": version}
        if self.interfaces:
            printed["interfaces"] = [_part("interfaces", each, version) for each in self.interfaces]
        if self.ips:
            printed["ips"] = [_ip(each, version) for each in self.ips]
        if self.routes:
            printed["routes"] = [_part("routes", each, version) for each in self.routes]
        return printed | {"dns": _filled(asdict(self.dns))}

    @classmethod
    def from_json(cls, printed: Mapping[str, Any]) -> Result:
        """Read a result of any version. Raises CniError, code 6, if it is none."""
        try:
            dns = _read(DNS, printed.get("dns") or {})
            if "ip4" in printed or "ip6" in printed:
                return _from_one_of_each_family(printed, dns)
            return cls(
                tuple(_read(Interface, each) for each in printed.get("interfaces") or ()),
                tuple(_read(IPConfig, each) for each in printed.get("ips") or ()),
                tuple(_read(Route, each) for each in printed.get("routes") or ()),
                dns,
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise CniError(6, "this is no result of ADD", str(error)) from error


def agrees(expected: Result, observed: Result) -> bool:
    """Whether an observed result is what was expected, up to what the expectation leaves open.

    >>> expected = Result((Interface("cbr0"), Interface(), Interface("eth0", sandbox="/run/a")))
    >>> agrees(expected, Result((Interface("cbr0", "0a:58:0a:f4:00:01"),
    ...     Interface("veth94f774a0"), Interface("eth0", sandbox="/run/a"))))
    True
    """
    if len(expected.interfaces) != len(observed.interfaces):
        return False
    same = (expected.ips, expected.routes, expected.dns) == (
        observed.ips, observed.routes, observed.dns,
    )  # fmt: skip
    return same and all(
        wanted in (None, getattr(found, name))
        for one, found in zip(expected.interfaces, observed.interfaces, strict=True)
        for name, wanted in asdict(one).items()
    )


def _filled(part: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty: so JSON leaves it out. 0 is a value."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in part.items()
        if value not in (None, "", ())
    }


def _part(kind: str, item: Interface | Route, version: str) -> dict[str, Any]:
    too_new = SINCE_1_1[kind] if parse_version(version) < (1, 1, 0) else set()
    return {key: value for key, value in _filled(asdict(item)).items() if key not in too_new}


def _ip(item: IPConfig, version: str) -> dict[str, Any]:
    family = {} if parse_version(version) >= (1, 0, 0) else {"version": item.version}
    return family | _filled(asdict(item))


def _read(kind: type[Any], printed: Mapping[str, Any]) -> Any:
    """One part from JSON; keys that the contract does not have are left out."""
    known = {field.name for field in fields(kind)}
    return kind(
        **{
            key: tuple(value) if isinstance(value, list) else value
            for key, value in printed.items()
            if key in known
        }
    )


def _one_of_each_family(result: Result, version: str) -> dict[str, Any]:
    printed: dict[str, Any] = {"cniVersion": version}
    for ip in result.ips:
        if f"ip{ip.version}" in printed:
            raise CniError(
                1, f"CNI version {version} does not support more than 1 address per family"
            )
        routes = [
            _filled({"dst": r.dst, "gw": r.gw}) for r in result.routes if _family(r) == ip.version
        ]
        config = {"ip": ip.address, "gateway": ip.gateway, "routes": tuple(routes)}
        printed[f"ip{ip.version}"] = _filled(config)
    return printed | {"dns": _filled(asdict(result.dns))}


def _family(route: Route) -> str:
    return "6" if ":" in route.dst else "4"


def _from_one_of_each_family(printed: Mapping[str, Any], dns: DNS) -> Result:
    configs = [printed[key] for key in ("ip4", "ip6") if printed.get(key)]
    return Result(
        ips=tuple(IPConfig(each["ip"], each.get("gateway")) for each in configs),
        routes=tuple(_read(Route, route) for each in configs for route in each.get("routes") or ()),
        dns=dns,
    )
