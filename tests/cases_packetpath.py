"""How each kind of cases/packetpath.yaml is asked of the course.

Nothing is looked up: a small cluster is described, its hosts are made, and a packet is followed
through their routes and rules in every way that chance can go.
"""

from __future__ import annotations

from dataclasses import replace

from course import scenarios
from course.predict import outcomes, predict
from course.topology import EDGE, IpMasqAgent, Machine, Node, Pod, Proxy
from course.trace import Disposition, Flow
from course.wiring import bridge, masquerade
from course.world import build
from tests.worlds import WORLDS, with_host

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


def leaving(world, destination, port=9999, protocol="tcp"):
    """The source that a packet of the first pod has after its node: sent, or taken there."""
    pod = world.topology.cluster.pods[0]
    trace = predict(world, Flow(pod.name, destination, port, protocol)).trace
    hop = next(hop for hop in trace.hops if hop.host == pod.node)
    there = [step.after for step in hop.steps if step.after.destination == destination]
    return there[-1].source


def names(world):
    """Whose an address is: the first pod, or its node."""
    pod = world.topology.cluster.pods[0]
    return {world.address(pod.name): "pod", world.address(pod.node): "node"}


def ip_masq(case):
    config = case["config"]
    default = IpMasqAgent()
    agent = IpMasqAgent(
        tuple(config.get("nonMasqueradeCIDRs", default.non_masquerade)),
        config.get("masqLinkLocal", default.masq_link_local),
    )
    assert config.get("resyncInterval", masquerade.RESYNC)
    for model in ("kubenet", "node-subnet", "overlay"):
        world = build(scenarios.small_cluster(model).changed(ip_masq_agent=agent))
        for row in case["rows"]:
            source = names(world)[leaving(world, row["destination"])]
            assert (source == "node") == row["masquerade"], row


def ip_masq_rules(case):
    world = build(scenarios.small_cluster("overlay").changed(ip_masq_agent=IpMasqAgent()))
    rules = world.host("node1").netfilter.chain("nat", case["chain"]).rules
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
    """The rule of the kubelet on a node of today's kubenet, instead of ip-masq-agent's."""
    world = WORLDS["kubenet"]
    rule = masquerade.kubelet(case["non_masquerade_cidr"])
    for host in bridge.made(world.topology.cluster, world.topology, rule).hosts:
        world = with_host(world, host)
    for row in case["rows"]:
        asked = world
        if row["local_address"]:
            asked = with_host(world, with_address(world.host("node1"), f"{row['destination']}/32"))
        source = names(world)[leaving(asked, row["destination"])]
        assert (source == "node") == row["masquerade"], row


def with_address(host, address):
    """A host with one more address on its eth0."""
    links = (
        replace(link, addresses=(*link.addresses, address)) if link.name == "eth0" else link
        for link in host.interfaces
    )
    return replace(host, interfaces=tuple(links))


def pod_subnet_snat(case):
    """Today's World, and the rules as they were before the release of 2025-10-12."""
    for model in MODELS["pod_subnet"]:
        today = WORLDS[model]
        before = with_container(today)
        container = today.topology.cluster.nodes[0].held[0]
        for row in case["rows"]:
            asked = (row["destination"], row["port"], row["protocol"].lower())
            known = {**names(today), container: "container"}
            found = {known[leaving(world, *asked)] for world in (today, before)} - {"pod"}
            wanted = str(row["snat_to"] or "").lower()
            if not wanted:
                assert found == set(), row
            elif "host" in wanted or "node" in wanted:
                assert "node" in found, row
            else:
                assert "container" in found, row


def with_container(world):
    """The same with DNS asked in the name of the first node's network container."""
    node = world.topology.cluster.nodes[0]
    pods = world.topology.subnet(world.topology.cluster.pod_subnet)
    rules = masquerade.swift(pods.range, node.address, dns_from=node.held[0])
    host = world.host(node.name)
    return with_host(world, replace(host, netfilter=host.netfilter.apply(rules)))


CHECKS = {
    "source_seen": source_seen,
    "ip_masq": ip_masq,
    "ip_masq_rules": ip_masq_rules,
    "kubenet_masq": kubenet_masq,
    "pod_subnet_snat": pod_subnet_snat,
}
