"""host-local: the IPAM plugin of kubenet. It hands out a node's addresses, one file for each.

Every file bears an address as its name and the owner as its content; beside them stands the address
that was given last. The next search starts after it, so a freed address rests until the range has
been walked through. Nothing here touches a file: `Store` is the folder as data.

Source: containernetworking/plugins, plugins/ipam/host-local. Tried against Debian's.

>>> conf = {"name": "kubenet", "ipam": {"type": "host-local", "subnet": "10.244.0.0/24"}}
>>> given, store = add(conf, "pod-a", "eth0")
>>> given.ips
(IPConfig(address='10.244.0.2/24', gateway='10.244.0.1', interface=None),)
>>> store.files()["last_reserved_ip.0"]
'10.244.0.2'
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from netaddr import IPAddress, IPNetwork

from course.addresses import canonical, contains, overlaps, parse_address, parse_range
from course.cni.contract import CniError, parse_version
from course.cni.result import IPConfig, Result, Route
from course.errors import InputError

Owner = tuple[str, str]  # container id and interface


@dataclass(frozen=True)
class Range:
    """Addresses to hand out: part of a subnet, never its gateway."""

    subnet: IPNetwork
    start: IPAddress
    end: IPAddress
    gateway: IPAddress

    def __str__(self) -> str:
        return f"{canonical(self.start)}-{canonical(self.end)}"

    def __contains__(self, address: IPAddress) -> bool:
        return contains(self.subnet, address) and self.start <= address <= self.end


RangeSet = tuple[Range, ...]


@dataclass(frozen=True)
class Store:
    """What host-local remembers of one network: who has which address, and which was last."""

    owners: Mapping[IPAddress, Owner] = field(default_factory=dict)
    last: Mapping[int, IPAddress] = field(default_factory=dict)

    def files(self) -> dict[str, str]:
        """The files of the network's folder, by name."""
        owned = {canonical(address): "\r\n".join(owner) for address, owner in self.owners.items()}
        last = {f"last_reserved_ip.{place}": canonical(ip) for place, ip in self.last.items()}
        return owned | last

    def with_owner(self, address: IPAddress, owner: Owner, place: int) -> Store:
        """After an address of range set number `place` was given to a container."""
        return Store({**self.owners, address: owner}, {**self.last, place: address})


def parse_host_range(written: Mapping[str, Any]) -> Range:
    """Read one range: what is left out is the whole subnet, and its first address the gateway.

    Raises CniError, code 999, with the words of host-local.

    >>> str(parse_host_range({"subnet": "192.0.2.0/24"}))
    '192.0.2.1-192.0.2.254'
    """
    subnet = _subnet(written["subnet"])
    if subnet.size < 4:
        raise _refusal(f"Network {canonical(subnet)} too small to allocate from")
    last = subnet.last - (subnet.version == 4)  # IPv4 keeps the last one for broadcasts
    first = IPAddress(subnet.first + 1, subnet.version)
    found = Range(
        subnet,
        _address(written, "rangeStart", first),
        _address(written, "rangeEnd", IPAddress(last, subnet.version)),
        _address(written, "gateway", first),
    )
    if not contains(subnet, found.gateway):
        raise _refusal(f"gateway {found.gateway} not in network {canonical(subnet)}")
    for name, address in (("RangeStart", found.start), ("RangeEnd", found.end)):
        if address not in found:
            raise _refusal(f"{name} {canonical(address)} not in network {canonical(subnet)}")
    return found


def range_sets(ipam: Mapping[str, Any]) -> tuple[RangeSet, ...]:
    """The range sets of an `ipam` section: of each set a pod gets one address.

    A subnet written without `ranges` is a set of its own, before them. Raises CniError, code 999.
    """
    written = [[ipam]] if "subnet" in ipam else []
    written += ipam.get("ranges") or []
    if not written:
        raise _refusal("no IP ranges specified")
    return tuple(_range_set(place, each) for place, each in enumerate(written))


def add(
    conf: Mapping[str, Any],
    container_id: str,
    ifname: str,
    store: Store | None = None,
    args: Mapping[str, str] | None = None,
) -> tuple[Result, Store]:
    """One ADD: an address of each range set, and what is remembered after it.

    An address can be asked for in three ways: `args` (CNI_ARGS) with IP, `args.cni.ips` of the
    configuration, and the capability `ips` (`runtimeConfig.ips`). Raises CniError, code 999.

    >>> conf = {"name": "mynet", "ipam": {"subnet": "10.1.2.0/29"}}
    >>> add(conf, "pod-a", "eth0", args={"IP": "10.1.2.5"})[0].ips[0].address
    '10.1.2.5/29'
    """
    store = store or Store()
    wanted = _wanted(conf, args or {})
    ips = []
    for place, ranges in enumerate(range_sets(conf["ipam"])):
        asked = next((ip for ip in wanted if _range_of(ip, ranges)), None)
        address = _allocate(ranges, place, (container_id, ifname), store, asked)
        store = store.with_owner(address, (container_id, ifname), place)
        wanted = [ip for ip in wanted if ip != address]
        ips.append(_config(address, ranges))
    if wanted:
        left = " ".join(map(canonical, wanted))
        raise _refusal(f"failed to allocate all requested IPs: {left}")
    _demand_one_of_each_family(conf.get("cniVersion", ""), ips)
    routes = (Route(each["dst"], each.get("gw")) for each in conf["ipam"].get("routes") or ())
    return Result(ips=tuple(ips), routes=tuple(routes)), store


def delete(container_id: str, ifname: str, store: Store) -> Store:
    """One DEL: the addresses of the container are free. What was last given stays remembered."""
    owner = (container_id, ifname)
    return Store({ip: each for ip, each in store.owners.items() if each != owner}, store.last)


def _allocate(
    ranges: RangeSet, place: int, owner: Owner, store: Store, asked: IPAddress | None
) -> IPAddress:
    if asked is not None:
        return _asked_for(asked, ranges, place, store)
    for ip, other in store.owners.items():
        if other == owner and _range_of(ip, ranges):
            raise _failed(
                place,
                f"{canonical(ip)} has been allocated to {owner[0]}, duplicate allocation is not "
                "allowed",
            )
    for address in _after(ranges, store.last.get(place)):
        if address not in store.owners:
            return address
    raise _failed(place, f"no IP addresses available in range set: {_text(ranges)}")


def _asked_for(asked: IPAddress, ranges: RangeSet, place: int, store: Store) -> IPAddress:
    found = _range_of(asked, ranges)
    if found and asked == found.gateway:
        raise _failed(place, f"requested ip {canonical(asked)} is subnet's gateway")
    if asked in store.owners:
        wanted = f"requested IP address {canonical(asked)}"
        raise _failed(place, f"{wanted} is not available in range set {_text(ranges)}")
    return asked


def _after(ranges: RangeSet, last: IPAddress | None) -> Iterator[IPAddress]:
    """All addresses of a set but gateways, once around, starting after the last one given."""
    turn = next((n for n, each in enumerate(ranges) if last is not None and last in each), None)
    if turn is None or last is None:
        yield from (ip for each in ranges for ip in _between(each, each.start, each.end))
        return
    here = ranges[turn]
    yield from _between(here, last + 1, here.end)
    for each in (*ranges[turn + 1 :], *ranges[:turn]):
        yield from _between(each, each.start, each.end)
    yield from _between(here, here.start, last)


def _between(within: Range, first: IPAddress, last: IPAddress) -> Iterator[IPAddress]:
    version = within.subnet.version
    addresses = (IPAddress(number, version) for number in range(int(first), int(last) + 1))
    return (address for address in addresses if address != within.gateway)


def _range_set(place: int, written: list[Mapping[str, Any]]) -> RangeSet:
    try:
        ranges = tuple(map(parse_host_range, written))
        if len({each.subnet.version for each in ranges}) > 1:
            raise _refusal("mixed address families")
        for index, one in enumerate(ranges):
            for other in ranges[index + 1 :]:
                if overlaps(one.subnet, other.subnet) and (
                    one.start in other or other.start in one
                ):
                    raise _refusal(f"subnets {one} and {other} overlap")
    except CniError as error:
        raise _refusal(f"invalid range set {place}: {error.msg}") from None
    return ranges


def _subnet(text: str) -> IPNetwork:
    try:
        return parse_range(text)
    except InputError as error:
        address, _, length = str(text).partition("/")
        try:
            network = IPNetwork((int(parse_address(address)), int(length))).cidr
        except (InputError, ValueError):
            raise _refusal(f"invalid CIDR address: {text}", error.way_out) from None
        raise _refusal(
            f"Network has host bits set. For a subnet mask of length {length} the network address "
            f"is {canonical(network.network)}"
        ) from None


def _address(written: Mapping[str, Any], key: str, default: IPAddress) -> IPAddress:
    return parse_address(written[key]) if written.get(key) else default


def _wanted(conf: Mapping[str, Any], args: Mapping[str, str]) -> list[IPAddress]:
    asked = [
        *([args["IP"]] if args.get("IP") else []),
        *(conf.get("args", {}).get("cni", {}).get("ips") or []),
        *(conf.get("runtimeConfig", {}).get("ips") or []),
    ]
    # the length may be written too; host-local does not use it
    return [parse_address(str(text).partition("/")[0]) for text in asked]


def _range_of(address: IPAddress, ranges: RangeSet) -> Range | None:
    return next((each for each in ranges if address in each), None)


def _config(address: IPAddress, ranges: RangeSet) -> IPConfig:
    found = _range_of(address, ranges)
    if found is None:
        raise _refusal(f"{canonical(address)} not in range set {_text(ranges)}")
    return IPConfig(
        f"{canonical(address)}/{found.subnet.prefixlen}", gateway=canonical(found.gateway)
    )


def _demand_one_of_each_family(version: str, ips: list[IPConfig]) -> None:
    # a configuration without a version is left alone, as a fragment of an example
    families = {ip.version for ip in ips}
    if version and parse_version(version) < (0, 3, 0) and len(families) < len(ips):
        raise _refusal(f"CNI version {version} does not support more than 1 address per family")


def _text(ranges: RangeSet) -> str:
    return ",".join(map(str, ranges))


def _failed(place: int, reason: str) -> CniError:
    return _refusal(f"failed to allocate for range {place}: {reason}")


def _refusal(msg: str, details: str = "") -> CniError:
    """As host-local prints all its errors: the library's code for what has no code."""
    return CniError(999, msg, details)
