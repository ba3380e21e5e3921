"""The small cluster as a World of every model, and following flows through it."""

from __future__ import annotations

from dataclasses import replace

from course import networks
from course.kubeproxy.objects import ServicePort
from course.predict import predict
from course.scenarios import small_cluster
from course.topology import Node, NodePool, Pod
from course.trace import Disposition, Flow
from course.virtual_network import Subnet
from course.world import build

MODELS = [model.id for model in networks.all_models()]
AZURE_CNI = [model for model in MODELS if model != "kubenet"]
FLAT = ["node-subnet", "pod-subnet-dynamic", "pod-subnet-static"]
ROUTED = ["kubenet", "overlay"]
WORLDS = {model: build(small_cluster(model)) for model in MODELS}
DELIVERED = Disposition.DELIVERED
# addresses of every range that no pod, machine or node has
NOBODYS = [
    "10.244.0.250", "10.244.1.250", "10.244.9.9", "10.240.0.18", "10.240.0.33", "10.240.0.250",
    "10.240.2.18", "10.240.2.35", "10.240.2.250", "10.241.0.99", "192.168.0.99", "203.0.113.99",
]  # fmt: skip


def follow(world, source, to, port=80, **more):
    """The trace of a flow to a host or an address, chance always taking its first answer."""
    address = world.address(to) if to in world.by_name else to
    return predict(world, Flow(source, address, port, **more)).trace


def reaches(world, source, to, port=80, **more):
    return follow(world, source, to, port, **more).disposition == DELIVERED


def with_subnet(topology, name, **fields):
    """The same with other fields of one subnet of the first network: a route table, a group."""
    vnet, *others = topology.networks
    subnets = tuple(replace(each, **fields) if each.name == name else each for each in vnet.subnets)
    return replace(topology, networks=(replace(vnet, subnets=subnets), *others))


def with_security(topology, *rules, subnet="nodes"):
    return with_subnet(topology, subnet, security=rules)


def with_routes(topology, *routes, subnet="nodes"):
    return with_subnet(topology, subnet, routes=routes)


def with_host(world, host):
    """A World in which a host is another one than what was described."""
    return replace(
        world, hosts=tuple(host if each.name == host.name else each for each in world.hosts)
    )


def loyal(exposure):
    """The same with sessionAffinity ClientIP."""
    return replace(exposure, service=replace(exposure.service, session_affinity="ClientIP"))


def beside(exposure, **fields):
    """A Service of its own at the same address of the load balancer, at port 443."""
    ports = (ServicePort(443, "https", node_port=30443, target_port=8080),)
    given = {"name": "other", "cluster_ips": ("10.0.0.99",), "ports": ports} | fields
    return replace(exposure, service=replace(exposure.service, **given))


def with_pool(topology):
    """The same with a node pool in another subnet, of one node with a pod behind `web`."""
    vnet, *others = topology.networks
    subnets = (*vnet.subnets, Subnet("nodes2", "10.240.4.0/24"), Subnet("pods2", "10.240.5.0/24"))
    cluster = topology.cluster
    pool = NodePool("second", "nodes2", cluster.pod_subnet and "pods2", max_pods=20)
    return replace(topology, networks=(replace(vnet, subnets=subnets), *others)).changed(
        nodes=(*cluster.nodes, Node("node3", pool="second")),
        pods=(*cluster.pods, Pod("far-1", "node3", {"app": "web"})),
        more_pools=(pool,),
    )


def assert_never_twice(trace):
    """No host gets the same packet a second time by the same interface."""
    came = [
        replace(seen, packet=replace(seen.packet, ttl=64))
        for seen in trace.sightings
        if seen.direction == "in"
    ]
    assert len(set(came)) == len(came), trace
