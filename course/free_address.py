"""An address for one more pod, from whoever hands them out on its node, and not from the World.

Pods of a lab have the addresses that the World gives them: each call of a plugin pins one. Where
it is the point that addresses run out, host-local is asked for any that is free, as the plugin
that makes a pod asks it.

>>> from course.scenarios import small_cluster
>>> from course.topology import Node
>>> from course.world import build
>>> held = ("10.240.0.5", "10.240.0.6", "10.240.0.9")
>>> nodes = Node("node1", "10.240.0.4", held), Node("node2")
>>> for each in offered(build(small_cluster("node-subnet").changed(nodes=nodes)), "node1"):
...     print(each)
{'subnet': '10.240.0.0/24', 'rangeStart': '10.240.0.5', 'rangeEnd': '10.240.0.6'}
{'subnet': '10.240.0.0/24', 'rangeStart': '10.240.0.9', 'rangeEnd': '10.240.0.9'}
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace

from netaddr import IPAddress

from course.addresses import canonical, parse_address
from course.cni.result import Result
from course.errors import InputError
from course.topology import Cluster, Pod, Topology
from course.wiring.bridge import attachment
from course.world import World

PLUGIN = "host-local"
FOLDERS = "/usr/lib/cni:/opt/cni/bin"  # where it may be


def asked(world: World, pod: Pod, command: str) -> tuple[str, ...]:
    """A command for the pod's node: host-local's ADD, which takes an address for it, or DEL.

    Raises InputError for a node that is not there.
    """
    (written,) = world.files[_cluster(world, pod.node).node(pod.node).name].values()
    conf = {
        "cniVersion": "0.4.0", "name": json.loads(written)["name"], "type": PLUGIN,
        "ipam": {"type": PLUGIN, "ranges": [offered(world, pod.node)]},
    }  # fmt: skip
    given = {"CNI_COMMAND": command, **attachment(pod).environment, "CNI_PATH": FOLDERS}
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in given.items())
    text = f"echo {shlex.quote(json.dumps(conf))} | {variables} PATH={FOLDERS}:$PATH {PLUGIN}"
    return "sh", "-c", text


def offered(world: World, node: str) -> list[dict[str, str]]:
    """The addresses that a node may give its pods, as host-local reads them."""
    cluster = _cluster(world, node)
    described = cluster.node(node)
    if described.pod_range:
        return [{"subnet": described.pod_range}]
    of_pods, of_nodes = (
        find(cluster, described) for find in (world.topology.pod_subnet, world.topology.node_subnet)
    )
    subnet = (of_pods or of_nodes).range  # type: ignore[union-attr]
    return [
        {"subnet": subnet, "rangeStart": canonical(run[0]), "rangeEnd": canonical(run[-1])}
        for run in _runs(map(parse_address, described.held))
    ]


def given(pod: Pod, said: str) -> str:
    """The address that host-local has given. Raises InputError with its own words if it has not."""
    try:
        told = json.loads(said)
    except ValueError:
        told = {"msg": said.strip()}
    if "msg" not in told:
        return Result.from_json(told).ips[0].address.partition("/")[0]
    raise InputError(
        pod.name, f"gets no address on {pod.node}. {PLUGIN} says: {told['msg']}.",
        "Delete a pod there, or have the node hold more. On AKS you see other words: mostly "
        "max-pods stops such a pod before, and it stays Pending; and Azure's plugin has its own.",
    )  # fmt: skip


def with_pod(topology: Topology, pod: Pod) -> Topology:
    """The same with one more pod, in the cluster of its node."""
    return _with_pods(topology, lambda each: each.pods + (pod,) * _has(each, pod.node))


def without_pods(topology: Topology, names: Container[str]) -> Topology:
    """The same without pods of these names."""
    return _with_pods(
        topology, lambda each: tuple(pod for pod in each.pods if pod.name not in names)
    )


def _with_pods(topology: Topology, pods: Callable[[Cluster], tuple[Pod, ...]]) -> Topology:
    clusters = tuple(replace(each, pods=pods(each)) for each in topology.clusters)
    return replace(topology, clusters=clusters)


def _cluster(world: World, node: str) -> Cluster:
    clusters = world.topology.clusters
    return next((each for each in clusters if _has(each, node)), clusters[0])


def _has(cluster: Cluster, node: str) -> bool:
    return node in {each.name for each in cluster.nodes}


def _runs(addresses: Iterable[IPAddress]) -> Iterator[list[IPAddress]]:
    """Addresses that follow each other, together."""
    run: list[IPAddress] = []
    for address in sorted(addresses):
        if run and address != run[-1] + 1:
            yield run
            run = []
        run.append(address)
    if run:
        yield run
