"""A World: every host that packets may meet, as data, and the wires between them.

`build` turns a description into it: the network model of each cluster makes nodes and pods, the
fabric makes the rest. A World is all that prediction reads, and all that the lab builds for real.

>>> from course.scenarios import small_cluster
>>> world = build(small_cluster("kubenet"))
>>> world.far_end("web-1", "eth0")
End(host='node1', interface='vethfb9d3de4')
>>> world.role("node1", "vethfb9d3de4")
'port of web-1'
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from course import fabric, networks
from course.cni.runtime import PluginCall
from course.errors import InputError
from course.linux.host import Host
from course.linux.interfaces import Interface
from course.linux.routing import own_routes
from course.topology import AZURE, Cluster, Topology
from course.wiring.made import Role


class End(NamedTuple):
    """One end of a wire."""

    host: str
    interface: str


@dataclass(frozen=True)
class World:
    """Hosts as data. `topology` is the description they were made from, every address filled in.

    `roles` tell what an interface is for, where its name does not; `files` what stands on a node,
    by path; `calls` which CNI plugins make a pod.
    """

    topology: Topology
    hosts: tuple[Host, ...]
    roles: Mapping[Role, str] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    calls: Mapping[str, tuple[PluginCall, ...]] = field(default_factory=dict)

    @cached_property
    def by_name(self) -> Mapping[str, Host]:
        """The hosts by name."""
        return {host.name: host for host in self.hosts}

    def host(self, name: str) -> Host:
        """The host of that name. Raises InputError if there is none, as for a pod without a
        network of its own: its host is its node."""
        if name not in self.by_name:
            raise self._no_host(name)
        return self.by_name[name]

    def _no_host(self, name: str) -> InputError:
        pods = (pod for cluster in self.topology.clusters for pod in cluster.pods)
        node = next((pod.node for pod in pods if pod.name == name), "")
        if node:
            return InputError(
                name, "has no network of its own: it uses that of its node.", f"Name {node}."
            )
        return InputError(name, "is no host here.", f"There are {', '.join(self.by_name)}.")

    def role(self, host: str, interface: str) -> str:
        """What an interface is for: its own name, unless that is one of chance."""
        return self.roles.get((host, interface), interface)

    def words(self, host: str) -> Mapping[str, str]:
        """What is told in place of a text of a host that says too little: the role of an interface
        for its name, and why Azure leads to nobody what is for a load balancer."""
        return self._words.get(host, {})

    @cached_property
    def _words(self) -> Mapping[str, Mapping[str, str]]:
        words: dict[str, dict[str, str]] = {}
        for (host, interface), role in self.roles.items():
            words.setdefault(host, {})[interface] = role
        azure = self.by_name.get(AZURE, Host(AZURE))
        words[AZURE] = {
            str(route): f"{route}: no node answers the load balancer's probes"
            for route in azure.routes
            if (route.type, route.length, route.table) == ("blackhole", 32, "main")
        }
        return words

    def demand_one_host(self, destination: str) -> None:
        """Raise InputError for a broadcast address of some link: the last of its range.

        It stands for all hosts of the link; Linux treats it apart, and Azure carries none (fact
        azure.vnet_blocked_protocols).
        """
        if destination in self._broadcast:
            raise InputError(
                destination, "is a broadcast address here: that of all hosts of a link.",
                "A flow goes to one host: give its address.",
            )  # fmt: skip

    @cached_property
    def _broadcast(self) -> frozenset[str]:
        links = (link for host in self.hosts for link in host.interfaces)
        return frozenset(
            route.destination
            for link in links
            for route in own_routes(link)
            if route.type == "broadcast"
        )

    def far_end(self, host: str, interface: str) -> End | None:
        """Where the wire of an interface ends, or None if it has none."""
        link = self.host(host).interface(interface)
        return End(link.peer_host, link.peer) if link.peer else None

    def wires(self) -> Iterator[tuple[End, End]]:
        """Each wire once, from the end whose host comes first."""
        order = {host.name: at for at, host in enumerate(self.hosts)}
        for host in self.hosts:
            for link in host.interfaces:
                if link.peer and order[host.name] < order[link.peer_host]:
                    yield End(host.name, link.name), End(link.peer_host, link.peer)

    def address(self, host: str) -> str:
        """The address by which others know a host: that of its eth0."""
        return self.host(host).interface("eth0").ips[0]

    def owner(self, address: str) -> str | None:
        """The host whose interface has an address, or None."""
        for host in self.hosts:
            if any(address in link.ips for link in host.interfaces if link.kind != "loopback"):
                return host.name
        return None


def build(topology: Topology) -> World:
    """The World of a description.

    Raises InputError if addresses run out or clash, for a network model that is not known, or one
    that makes no hosts.
    """
    for at, cluster in enumerate(topology.clusters):
        addressed = networks.model(cluster.model).addressed(cluster, topology)
        topology = _with_cluster(topology, at, addressed)
    made = [networks.model(each.model).hosts(each, topology) for each in topology.clusters]
    hosts = [host for each in made for host in each.hosts]
    return World(
        topology,
        _plugged(_numbered((*hosts, *fabric.build(topology, made)))),
        {role: name for each in made for role, name in each.roles.items()},
        {node: files for each in made for node, files in each.files.items()},
        {pod: calls for each in made for pod, calls in each.calls.items()},
    )


def _with_cluster(topology: Topology, at: int, cluster: Cluster) -> Topology:
    clusters = list(topology.clusters)
    clusters[at] = cluster
    return replace(topology, clusters=tuple(clusters))


def _numbered(hosts: tuple[Host, ...]) -> tuple[Host, ...]:
    """Every interface with the index that it gets when interfaces are made in this order."""
    return tuple(
        replace(
            host,
            interfaces=tuple(
                replace(link, index=index) for index, link in enumerate(host.interfaces, 1)
            ),
        )
        for host in hosts
    )


def _plugged(hosts: tuple[Host, ...]) -> tuple[Host, ...]:
    """Every veth with the index of its other end, so that it shows as eth0@if5."""
    index = {(host.name, link.name): link.index for host in hosts for link in host.interfaces}

    def plugged(link: Interface) -> Interface:
        return replace(link, peer_index=index[link.peer_host, link.peer]) if link.peer else link

    return tuple(
        replace(host, interfaces=tuple(map(plugged, host.interfaces))) for host in hosts
    )  # fmt: skip
