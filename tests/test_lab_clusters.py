"""Any flow through any cluster goes as predicted."""

from __future__ import annotations

import os
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course.kubeproxy.objects import LoadBalancerIngress, Service, ServicePort
from course.laboratory import Lab
from course.scenarios import PLACES, small_cluster
from course.topology import Cluster, Exposure, Machine, Node, Pod
from course.trace import Flow
from course.virtual_network import SecurityRule, UserRoute
from tests.labs import LIVE, as_predicted, bends_promiscuous_bridges
from tests.worlds import MODELS, with_pool, with_routes, with_security

pytestmark = LIVE
EXAMPLES = int(os.environ.get("COURSE_LAB_EXAMPLES", "60"))
mostly = st.integers(0, 4).map(bool)


@st.composite
def exposures(draw):
    """Up to two Services of any type and policy, before all pods or some."""
    return tuple(draw(exposure(at)) for at in range(draw(st.integers(0, 2))))


@st.composite
def exposure(draw, at):
    kind = draw(st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer"]))
    node_port = 0 if kind == "ClusterIP" else 30080 + at
    policy = "Cluster" if kind == "ClusterIP" else draw(st.sampled_from(["Cluster", "Local"]))
    front = draw(st.sampled_from([f"198.51.100.8{at}", f"10.240.0.20{at}"]))
    made = Service(
        "default", f"s{at}", (f"10.0.0.8{at}",),
        (ServicePort(80, "http", node_port=node_port, target_port=8080),), kind,
        load_balancer_ingress=(LoadBalancerIngress(front),) if kind == "LoadBalancer" else (),
        external_traffic_policy=policy,
        internal_traffic_policy=draw(st.sampled_from(["Cluster", "Local"])),
        session_affinity=draw(st.sampled_from(["None", "ClientIP"])),
        health_check_node_port=32080 + at if (kind, policy) == ("LoadBalancer", "Local") else 0,
    )  # fmt: skip
    return Exposure(made, draw(st.sampled_from([{"app": "web"}, {"app": "web", "n": "1"}])))


@st.composite
def pods(draw, nodes):
    return tuple(
        Pod(
            f"web-{at + 1}", draw(st.sampled_from(nodes)),
            {"app": "web", "n": draw(st.sampled_from("12"))}, (8080, "53/udp"),
            ready=draw(mostly), terminating=not draw(mostly),
        )
        for at in range(draw(st.integers(1, 4)))
    )  # fmt: skip


SECURITY = (
    SecurityRule("no-web", 200, "Deny", "Outbound", "Tcp", port="80"),
    SecurityRule("no-others", 210, "Deny", source="10.240.1.0/24"),
    SecurityRule("nodes", 220, source="10.240.0.0/24", destination="10.240.0.0/24"),
    SecurityRule("no", 4000, "Deny"),
)
ROUTES = (
    UserRoute("0.0.0.0/0", "VirtualAppliance", "10.240.1.9"),
    UserRoute("10.241.0.0/16", "VirtualAppliance", "10.240.1.9"),
    UserRoute("10.240.1.0/24", "None"),
)


@st.composite
def topologies(draw):
    """A small cluster of any model, in a network with or without routes and security groups."""
    model, count = draw(st.sampled_from(MODELS)), draw(st.integers(1, 3))
    names = [f"node{n + 1}" for n in range(count)]
    cluster = Cluster(
        model, "nodes", tuple(Node(name, ip_forwarding=draw(mostly)) for name in names),
        draw(pods(names)), draw(exposures()),
        pod_subnet="pods" if model.startswith("pod-subnet") else "", max_pods=15,
        missing_routes=tuple(name for name in names if not draw(mostly)),
        probes_acted=draw(mostly), hairpin=draw(mostly) or bends_promiscuous_bridges(),
        bridge_calls_iptables=draw(mostly),
    )  # fmt: skip
    topology = replace(small_cluster(model), clusters=(cluster,))
    if count < 3 and draw(st.booleans()):
        topology = with_pool(topology)
    if draw(st.booleans()):
        topology = with_security(topology, *draw(st.lists(st.sampled_from(SECURITY), unique=True)))
    if draw(st.booleans()):
        firewall = Machine("firewall", "10.240.1.9", forwards=draw(mostly))
        topology = replace(topology, machines=(*PLACES, firewall))
        routes = draw(st.lists(st.sampled_from(ROUTES), unique=True))
        topology = with_routes(topology, *routes)
    return topology


@st.composite
def flows(draw, lab):
    """Any host that calls another one, a Service, or an address of nobody."""
    world = lab.world
    hosts = [name for name in world.by_name if name not in ("azure", "edge")]
    fronts = [
        ip
        for each in world.topology.cluster.services
        for ip in (*each.cluster_ips, *(front.ip for front in each.load_balancer_ingress))
    ]
    source = draw(st.sampled_from(hosts))
    to = draw(st.sampled_from([*hosts, *fronts * 3, "10.244.9.9", "10.9.9.9", "8.8.8.8"]))
    protocol = draw(st.sampled_from(["tcp", "tcp", "udp", "icmp"]))
    port = 0 if protocol == "icmp" else draw(st.sampled_from([80, 8080, 53, 30080, 30081, 10250]))
    own = draw(st.integers(42000, 42002))  # few, so that they meet behind one address
    return Flow(source, world.address(to) if to in world.by_name else to, port, protocol, own)


@given(topologies(), st.booleans(), st.data())
@settings(
    deadline=None, max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)  # fmt: skip
def test_any_flow_through_any_cluster_goes_as_predicted(topology, plugins, data):
    with Lab(topology, plugins) as lab:
        for _ in range(5):
            as_predicted(lab, data.draw(flows(lab)))
