"""How each kind of cases/packetpath.yaml is asked of the course.

Nothing is looked up: a small cluster is described, its hosts are made, and a packet is followed
through their routes and rules in every way that chance can go.
"""

from __future__ import annotations

from dataclasses import replace

from course import scenarios
from course.linux.host import Host
from course.linux.interfaces import Interface, loopback
from course.linux.packet import tcp, udp
from course.linux.path import receive
from course.linux.routing import Route
from course.linux.ruleset import Ruleset
from course.predict import outcomes
from course.topology import EDGE, Machine, Node, Pod, Proxy
from course.trace import Disposition, Flow
from course.wiring import masquerade
from course.world import build

MODELS = {
    "kubenet": ["kubenet"],
    "node_subnet": ["node-subnet"],
    "pod_subnet": ["pod-subnet-dynamic", "pod-subnet-static"],
    "overlay": ["overlay"],
}
CLIENTS = {
    "pod": "client", "node": "node1", "vm_same_vnet": "vm-2", "vm_peered_vnet": "peer",
    "on_premises": "office", "vm_in_cluster_range": "vm-1",
}  # fmt: skip
MACHINES = {
    "vm_same_vnet": "vm-2", "vm_peered_vnet": "peer", "on_premises": "office",
    "internet": "internet",
}  # fmt: skip
BALANCER = Machine("balancer", "10.240.1.80", proxy=Proxy(80, "10.240.0.4", scenarios.NODE_PORT))


def described(model, case):
    """The small cluster with the Service that a case speaks of."""
    target, policy = case["target"], case["policy"] or "Cluster"
    address = scenarios.INTERNAL if target == "internal_load_balancer" else scenarios.PUBLIC
    topology = scenarios.small_cluster(model)
    cluster = topology.cluster
    pods, nodes = cluster.pods, cluster.nodes
    if target == "own_cluster_ip":
        pods = pods[:1]
    if target.startswith("node_port") or target == "terminating_load_balancer":
        pods = tuple(pod for pod in pods if pod.node == "node1")
        nodes = (*nodes, Node("node3"))
    if target != "own_cluster_ip":
        pods = (*pods, Pod("client", "node1"))
    machines = (*topology.machines, BALANCER)
    on_premises = topology.on_premises
    if target == "external_in_pod_range":
        machines = (*machines, Machine("stranger", "10.244.200.4"))
        on_premises = (*on_premises, "10.244.200.0/24")
    exposures = (scenarios.web(policy, address),)
    return replace(
        topology.changed(pods=pods, nodes=nodes, exposures=exposures),
        machines=machines, on_premises=on_premises,
    )  # fmt: skip


def flow_of(world, case):
    """Who calls which address and port; and the node that the call enters."""
    target, client = case["target"], CLIENTS.get(case["client"])
    cluster = world.topology.cluster
    if case["client"] == "pod" and target == "own_cluster_ip":
        client = "web-1"
    if case["client"] == "external":
        client = "office" if target.startswith("node_port") else "internet"
        if target in ("internal_load_balancer", "terminating_load_balancer", "pod_address"):
            client = "peer"
    elsewhere = next((pod.address for pod in cluster.pods if pod.node != "node1"), "")
    addresses = {
        "pod_other_node": (elsewhere, 8080),
        "pod_address": (cluster.pods[0].address, 8080),
        "cluster_ip": (scenarios.CLUSTER_IP, 80),
        "own_cluster_ip": (scenarios.CLUSTER_IP, 80),
        "node_port_with_endpoint": (cluster.node("node1").address, scenarios.NODE_PORT),
        "node_port_without_endpoint": (cluster.nodes[-1].address, scenarios.NODE_PORT),
        "load_balancer": (scenarios.PUBLIC, 80),
        "internal_load_balancer": (scenarios.INTERNAL, 80),
        "terminating_load_balancer": (BALANCER.address, 80),
        "external_in_pod_range": ("10.244.200.4", 80),
    }
    if target in MACHINES:
        addresses[target] = (world.address(MACHINES[target]), 80)
    return Flow(client, *addresses[target])


def source_seen(case):
    models = [model for name in case["models"] for model in MODELS[name]]
    assert models
    for model in models:
        world = build(described(model, case))
        flow = flow_of(world, case)
        ways = [way.result for way in outcomes(world, flow)]
        assert found(world, case, flow, ways) == case["expect"] | {"model": model}


def found(world, case, flow, ways):
    """What the traces say, in the words of the case: only of what it asks."""
    expect = case["expect"]
    reachable = all(trace.disposition == Disposition.DELIVERED for trace in ways)
    said = {"model": world.topology.cluster.model, "reachable": reachable}
    seen = {source_of(world, flow, trace, expect.get("source_seen")) for trace in ways}
    places = {place_of(world, case, flow, trace) for trace in ways}
    said["source_seen"] = seen.pop() if reachable and len(seen) == 1 else None
    said["translated_at"] = places.pop() if reachable and len(places) == 1 else None
    said["encapsulated"] = any(
        link.kind not in ("veth", "bridge", "loopback")
        for host in world.hosts
        for link in host.interfaces
    )
    azure = world.host("azure")
    said["user_routes"] = any(route.table.startswith("2") for route in azure.routes)
    assert set(expect) <= set(said), expect
    return {key: said[key] for key in (*expect, "model")}


def source_of(world, flow, trace, wanted):
    """Whose address the server saw; a node that the call entered is also simply a node."""
    if trace.source_seen is None:
        return None
    if trace.source_seen == world.host(flow.source).route(flow.destination).source:
        # a node that masquerades its own call is the entry node, and the client
        masquerades = wanted == "entry_node" and flow.source.startswith("node")
        return "entry_node" if masquerades and translators(trace) else "client"
    if trace.source_seen == world.topology.cluster.outbound_address:
        return "outbound_ip"
    if world.owner(trace.source_seen) == BALANCER.name:
        return "load_balancer"
    entry = next(host for host in trace.path if host.startswith("node"))
    assert world.owner(trace.source_seen) == entry
    return wanted if wanted in ("node", "entry_node") else "entry_node"


def translators(trace):
    """The hosts that rewrote the source of the first packet, in order."""
    return [
        hop.host
        for hop in trace.hops
        for step in hop.translations
        if ends(step.before) != ends(step.after) and step.before.flags == "SYN"
    ]


def ends(packet):
    """The source, with its port: a node that masquerades its own packet changes only that."""
    return packet.source, packet.source_port


def place_of(world, case, flow, trace):
    """Where the source that was seen was written."""
    hosts = translators(trace)
    if not hosts:
        return None
    if hosts[-1] == EDGE:
        return "outbound"
    if hosts[-1] == BALANCER.name:
        return "load_balancer"
    # a pod's packet enters at its own node: the two words mean the same there
    wanted = case["expect"].get("translated_at")
    own = case["client"] == "pod" and hosts[-1] == trace.path[1]
    return wanted if own and wanted == "source_node" else "entry_node"


# ---- masquerading, a destination at a time ------------------------------------------------------

POD, NODE = "10.250.0.9", "10.240.0.4"


def translated(rules, destination, packet=None, local=False, pod=POD):
    """The source with which a pod's packet leaves a node that has these rules."""
    addresses = (f"{NODE}/16", *((f"{destination}/32",) if local else ()))
    node = Host(
        "node",
        (loopback(), Interface("eth0", 2, addresses), Interface("azv1", 3)),
        (Route("default", via="10.240.0.1"), Route(f"{pod}/32", dev="azv1")),
        sysctls={"net.ipv4.ip_forward": 1},
        netfilter=Ruleset().apply(rules),
    )
    outcome = receive(node, "azv1", packet or tcp(pod, 40000, destination, 9999))
    (left,) = [step.after for step in outcome.steps if step.kind in ("sent", "delivered")] or [
        outcome.steps[-1].before
    ]
    return left.source if left.source != NODE or not local else pod


def ip_masq(case):
    config = case["config"]
    ranges = config.get("nonMasqueradeCIDRs", masquerade.PRIVATE)
    rules = masquerade.ip_masq_agent(ranges, config.get("masqLinkLocal", False))
    assert config.get("resyncInterval", masquerade.RESYNC)
    for row in case["rows"]:
        assert (translated(rules, row["destination"]) == NODE) == row["masquerade"], row


def ip_masq_rules(case):
    ruleset = Ruleset().apply(masquerade.ip_masq_agent())
    rules = ruleset.chain("nat", case["chain"]).rules
    order = [in_words(rule) for rule in rules]
    # the private ranges are never asked about together: their order means nothing
    assert sorted(order[:-1]) == sorted(case["order"][:-1])
    assert order == case["order"]
    assert "ADDRTYPE" in case["every_rule"]
    assert all("-m addrtype ! --dst-type LOCAL" in rule.text for rule in rules)
    assert (case["config_path"], case["resync"]) == (masquerade.CONFIG_PATH, masquerade.RESYNC)


def in_words(rule):
    words = rule.text.split()
    return f"{rule.target.name} {words[1] if words[0] == '-d' else 'everything else'}"


def kubenet_masq(case):
    rules = masquerade.kubelet(case["non_masquerade_cidr"])
    for row in case["rows"]:
        source = translated(rules, row["destination"], local=row["local_address"])
        assert (source == NODE) == row["masquerade"], row


def pod_subnet_snat(case):
    pod, container = "10.250.0.9", "10.250.0.4"
    for row in case["rows"]:
        make = {"tcp": tcp, "udp": udp}[row["protocol"].lower()]
        packet = make(pod, 40000, row["destination"], row["port"])
        found = {
            translated(
                masquerade.swift("10.250.0.0/24", NODE, dns_from), row["destination"], packet
            )
            for dns_from in ("", container)
        } - {pod}
        wanted = str(row["snat_to"] or "").lower()
        if not wanted:
            assert found == set(), row
        elif "host" in wanted or "node" in wanted:
            assert NODE in found, row
        else:  # the address of the network container, before the release of 2025-10-12
            assert container in found, row


CHECKS = {
    "source_seen": source_seen,
    "ip_masq": ip_masq,
    "ip_masq_rules": ip_masq_rules,
    "kubenet_masq": kubenet_masq,
    "pod_subnet_snat": pod_subnet_snat,
}
