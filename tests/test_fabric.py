"""What Azure's side does to packets: routes, security groups, load balancers, the way out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from course.fabric.edge import MACHINES_OUTBOUND
from course.kubeproxy.objects import LoadBalancerIngress, Service, ServicePort
from course.linux.draws import first
from course.memory import remembered
from course.predict import outcomes, predict
from course.scenarios import (
    DNS,
    FRONT,
    INTERNAL,
    METADATA,
    PUBLIC,
    SCENARIOS,
    front,
    local,
    small_cluster,
    two_clusters,
    web,
)
from course.topology import Exposure, Machine, Pod
from course.trace import Disposition, Flow
from course.virtual_network import SecurityRule, Subnet, UserRoute
from course.world import build
from tests.worlds import (
    DELIVERED,
    FLAT,
    MODELS,
    WORLDS,
    beside,
    follow,
    loyal,
    reaches,
    with_pool,
    with_routes,
    with_security,
)

# what a customer's group needs for public Services on port 80
OPEN = SecurityRule("web", 120, source="Internet", protocol="Tcp", port="80")


# ---- routes and security groups -----------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_the_default_rules_of_a_security_group_let_all_pass_but_the_internet(model):
    world = build(with_security(small_cluster(model)))
    for scenario in SCENARIOS.values():
        trace = predict(world, scenario.flow(world)).trace
        before = predict(WORLDS[model], scenario.flow(WORLDS[model])).trace
        if scenario.source == "internet" and scenario.protocol == "tcp":  # no ping reaches a node
            assert (trace.disposition, trace.ended_at) == (Disposition.DROPPED, "azure")
        else:
            assert trace.disposition == before.disposition, scenario.title


def test_who_guards_the_node_subnet_opens_the_ports_of_public_services_too():
    world = build(with_security(small_cluster("overlay"), OPEN))
    assert reaches(world, "internet", PUBLIC)
    assert reaches(world, "internet", FRONT)
    for_one = replace(OPEN, destination=f"{FRONT}/32")
    world = build(with_security(small_cluster("overlay"), for_one))
    assert not reaches(world, "internet", PUBLIC)
    assert reaches(world, "internet", FRONT)


def test_the_tag_internet_is_no_address_of_the_network_or_of_what_is_joined_to_it():
    shut = SecurityRule("no-internet", 110, "Deny", source="Internet", protocol="Tcp", port="8080")
    world = build(with_security(small_cluster("node-subnet"), shut))
    for near in ("vm-2", "peer", "office"):
        assert reaches(world, near, "web-1", 8080)


def test_a_group_that_allows_only_nodes_silences_overlay_pods_of_other_nodes():
    nodes, pods = "10.240.0.0/24", "10.244.0.0/16"
    only_nodes = (
        SecurityRule("nodes", 100, source=nodes, destination=nodes),
        SecurityRule("rest", 4096, "Deny"),
    )
    world = build(with_security(small_cluster("overlay"), *only_nodes))
    assert reaches(world, "node1", "node2", 10250)
    assert reaches(world, "web-1", "web-2", 8080)
    trace = follow(world, "web-1", "web-3", 8080)
    assert (trace.disposition, trace.ended_at) == (Disposition.DROPPED, "azure")
    needed = (
        SecurityRule("to-pods", 110, source=nodes, destination=pods),
        SecurityRule("among-pods", 120, source=pods, destination=pods),
    )
    mended = build(with_security(small_cluster("overlay"), *only_nodes, *needed))
    assert reaches(mended, "web-1", "web-3", 8080)
    assert reaches(mended, "node1", "web-3", 8080)


def test_a_security_group_remembers_what_it_allowed_and_asks_from_the_lowest_priority():
    deny = SecurityRule("deny", 200, "Deny", "Outbound", "Tcp", port="80")
    allow = SecurityRule(
        "allow", 100, "Allow", "Outbound", "Tcp", destination="10.240.1.4/32", port="80"
    )
    world = build(with_security(small_cluster("overlay"), deny, allow))
    assert reaches(world, "web-1", "vm-2")
    assert follow(world, "web-1", "peer").disposition == Disposition.DROPPED


def behind(firewall, topology):
    """The same with a default route of the node subnet to an appliance."""
    topology = replace(topology, machines=(*topology.machines, firewall))
    return with_routes(topology, UserRoute("0.0.0.0/0", "VirtualAppliance", firewall.address))


def test_a_default_route_to_an_appliance_takes_what_leaves_the_network_and_nothing_else():
    firewall = Machine("firewall", "10.240.1.9", forwards=True, translates=True)
    world = build(behind(firewall, small_cluster("overlay")))
    outward = follow(world, "web-1", "internet")
    assert (outward.disposition, outward.path.count("firewall")) == (DELIVERED, 2)
    assert outward.source_seen == MACHINES_OUTBOUND  # not the cluster's: the firewall's
    assert "firewall" not in follow(world, "web-1", "vm-2").path
    assert "firewall" not in follow(world, "web-1", "peer").path
    assert "firewall" not in follow(world, "web-1", "office").path
    assert "firewall" not in follow(world, "web-1", "web-3", 8080).path
    # an overlay address that no node has is the cluster's own all the same
    free = follow(world, "web-1", "10.244.9.9")
    assert (free.disposition, free.ended_at) == (Disposition.NO_ROUTE, "azure")
    assert "firewall" not in free.path
    # the system routes of private ranges to nobody are gone: all that is not known goes there
    assert "firewall" in follow(world, "web-1", "10.9.9.9").path


def test_an_appliance_that_does_not_translate_leads_nobody_to_the_internet():
    world = build(
        behind(Machine("firewall", "10.240.1.9", forwards=True), small_cluster("overlay"))
    )
    trace = follow(world, "web-1", "internet")
    assert (trace.disposition, trace.ended_at) == (Disposition.DROPPED, "azure")
    assert "firewall" in trace.path


def test_an_appliance_that_translates_shows_private_destinations_who_calls():
    firewall = Machine("firewall", "10.240.1.9", forwards=True, translates=True)
    topology = small_cluster("overlay")
    topology = replace(topology, machines=(*topology.machines, firewall))
    inward = UserRoute("10.241.0.0/16", "VirtualAppliance", firewall.address)
    trace = follow(build(with_routes(topology, inward)), "vm-1", "peer")
    assert "firewall" in trace.path
    assert (trace.disposition, trace.source_seen) == (DELIVERED, "10.240.0.100")


def test_behind_a_default_route_to_an_appliance_answers_to_the_internet_are_lost():
    firewall = Machine("firewall", "10.240.1.9", forwards=True, translates=True)
    world = build(behind(firewall, small_cluster("overlay")))
    trace = follow(world, "internet", FRONT)
    assert (trace.disposition, trace.server) == (Disposition.DROPPED, "web-1")
    assert "firewall" in trace.path


@pytest.mark.parametrize("model", FLAT)
def test_a_packet_for_an_address_that_no_pod_has_does_not_circle_by_an_appliance(model):
    topology = small_cluster(model)
    topology = replace(
        topology, machines=(*topology.machines, Machine("firewall", "10.240.1.9", forwards=True))
    )
    inner = UserRoute("10.240.0.0/16", "VirtualAppliance", "10.240.1.9")
    world = build(with_routes(with_routes(topology, inner), inner, subnet="pods"))
    free = world.topology.cluster.node("node2").held[-1]
    trace = follow(world, "web-1", free, 8080)
    assert (trace.disposition, trace.ended_at) == (Disposition.DROPPED, "azure")
    assert (trace.path.count("firewall"), trace.path.count("node2")) == (1, 1)
    assert reaches(world, "web-1", "web-3", 8080)


def test_a_next_hop_in_a_network_that_is_not_peered_is_no_next_hop():
    firewall = Machine("firewall", "10.241.0.9", forwards=True, translates=True)
    topology = behind(firewall, small_cluster("overlay"))
    assert reaches(build(topology), "web-1", "internet")
    apart = replace(topology, networks=tuple(replace(n, peerings=()) for n in topology.networks))
    trace = follow(build(apart), "web-1", "internet")
    assert (trace.disposition, trace.ended_at) == (Disposition.NO_ROUTE, "azure")


def test_user_routes_may_lead_where_system_routes_do():
    def routed(prefix, to):
        return build(with_routes(small_cluster("overlay"), UserRoute(prefix, to)))

    assert reaches(routed("10.240.1.0/24", "VnetLocal"), "web-1", "vm-2")
    assert reaches(routed("203.0.113.0/24", "Internet"), "web-1", "internet")
    assert not reaches(routed("203.0.113.0/24", "None"), "web-1", "internet")
    assert reaches(routed("192.168.0.0/24", "VirtualNetworkGateway"), "web-1", "office")
    assert not reaches(routed("192.168.0.0/24", "Internet"), "web-1", "office")
    forced = routed("0.0.0.0/0", "VirtualNetworkGateway")
    assert follow(forced, "web-1", "internet").ended_at == "azure"
    assert reaches(forced, "web-1", "office")


@pytest.mark.parametrize("model", FLAT)
def test_without_a_gateway_nothing_passes_to_or_from_on_premises(model):
    topology = small_cluster(model)
    vnet, *others = topology.networks
    world = build(replace(topology, networks=(replace(vnet, gateway=False), *others)))
    for to, port in (("web-1", 8080), ("vm-2", 80), ("node1", 10250), (INTERNAL, 80)):
        trace = follow(world, "office", to, port)
        assert (trace.disposition, trace.delivered) == (Disposition.NO_ROUTE, None)
    assert not reaches(world, "web-1", "office")


def test_on_premises_reaches_the_network_with_the_gateway_and_no_other_by_it():
    world = WORLDS["node-subnet"]
    assert reaches(world, "office", "web-1", 8080)
    assert reaches(world, "office", INTERNAL)
    for beyond in ("peer", FRONT):
        trace = follow(world, "office", beyond)
        assert (trace.disposition, trace.delivered) == (Disposition.NO_ROUTE, None)


def test_a_more_special_user_route_wins_over_the_networks_own():
    blocked = build(with_routes(small_cluster("overlay"), UserRoute("10.240.1.0/24", "None")))
    assert follow(blocked, "web-1", "vm-2").disposition == Disposition.NO_ROUTE
    assert reaches(blocked, "web-1", "vm-1")


@pytest.mark.parametrize("prefix", ["10.240.0.0/24", "10.240.0.100/32", "10.240.0.0/16"])
@pytest.mark.parametrize("hop", [("None",), ("VirtualAppliance", "10.240.9.9")])
def test_a_user_route_to_nowhere_loses_packets_of_its_own_subnet_in_azure_too(prefix, hop):
    """In Azure every address is answered by ARP, and silence comes after that."""
    world = build(with_routes(small_cluster("overlay"), UserRoute(prefix, *hop)))
    trace = follow(world, "node1", "vm-1")
    assert (trace.disposition, trace.path) == (Disposition.DROPPED, ("node1", "azure"))
    assert reaches(world, "node1", "peer")


def test_networks_that_are_not_peered_from_both_sides_do_not_meet():
    topology = small_cluster("node-subnet")
    vnet, peered = topology.networks
    one_sided = build(replace(topology, networks=(vnet, replace(peered, peerings=()))))
    trace = follow(one_sided, "web-1", "peer")
    assert (trace.disposition, trace.server) == (Disposition.NO_ROUTE, "")


def test_an_address_of_the_network_that_no_card_holds_swallows_packets():
    for source in ("vm-2", "node1", "peer"):
        trace = follow(WORLDS["node-subnet"], source, "10.240.1.77")
        assert (trace.disposition, trace.ended_at) == (Disposition.DROPPED, "azure")


def test_a_card_without_ip_forwarding_takes_nothing_for_others_either():
    topology = small_cluster("kubenet")
    one, other = topology.cluster.nodes
    world = build(topology.changed(nodes=(one, replace(other, ip_forwarding=False))))
    trace = follow(world, "web-1", "web-3", 8080)
    assert (trace.disposition, trace.ended_at) == (Disposition.DROPPED, "azure")
    assert (trace.server, "node2" in trace.path) == ("", False)


# ---- pod subnets --------------------------------------------------------------------------------

DELEGATED = ["pod-subnet-dynamic", "pod-subnet-static"]
DENY_ALL = SecurityRule("nobody", 100, "Deny")
DENY_OUT = SecurityRule("nowhere", 100, "Deny", "Outbound")


@pytest.mark.parametrize("model", DELEGATED)
def test_pods_of_a_pod_subnet_meet_the_security_group_of_their_own_subnet(model):
    topology = small_cluster(model)
    shut = build(with_security(topology, DENY_ALL, subnet="pods"))
    assert not reaches(shut, "vm-2", "web-1", 8080)
    assert not reaches(shut, "web-3", "web-1", 8080)
    assert reaches(shut, "vm-2", "node1", 10250)
    silent = build(with_security(topology, DENY_OUT, subnet="pods"))
    assert follow(silent, "web-1", "vm-2").ended_at == "azure"
    assert reaches(silent, "node1", "vm-2")


@pytest.mark.parametrize("model", DELEGATED)
def test_the_security_group_of_the_node_subnet_has_no_say_in_its_pods(model):
    shut = build(with_security(small_cluster(model), DENY_ALL, DENY_OUT))
    assert reaches(shut, "vm-2", "web-1", 8080)
    assert reaches(shut, "web-1", "vm-2")
    assert not reaches(shut, "vm-2", "node1", 10250)
    assert not reaches(shut, "node1", "vm-2")


@pytest.mark.parametrize("model", ["node-subnet", "overlay"])
def test_in_the_other_models_pods_meet_the_group_of_the_node_subnet(model):
    shut = build(with_security(small_cluster(model), DENY_OUT))
    assert not reaches(shut, "web-1", "vm-2")
    assert not reaches(shut, "node1", "vm-2")


@pytest.mark.parametrize("model", DELEGATED)
def test_pods_of_a_pod_subnet_follow_its_route_table_and_not_that_of_their_nodes(model):
    nowhere = UserRoute("10.240.1.0/24", "None")
    of_pods = build(with_routes(small_cluster(model), nowhere, subnet="pods"))
    assert follow(of_pods, "web-1", "vm-2").disposition == Disposition.NO_ROUTE
    assert reaches(of_pods, "node1", "vm-2")
    of_nodes = build(with_routes(small_cluster(model), nowhere))
    assert follow(of_nodes, "node1", "vm-2").disposition == Disposition.NO_ROUTE
    assert reaches(of_nodes, "web-1", "vm-2")


# ---- the edge -----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_nobody_in_the_internet_reaches_a_private_address(model):
    world = WORLDS[model]
    for to, port in (("web-1", 8080), ("node1", 10250), ("vm-2", 80), ("10.240.0.200", 80)):
        trace = follow(world, "internet", to, port)
        assert (trace.disposition, trace.ended_at) == (Disposition.DROPPED, "edge")


def test_a_node_leaves_by_its_share_of_the_ports_and_others_by_theirs():
    world = WORLDS["overlay"]
    ports = {
        name: follow(world, name, "internet").delivered.source_port
        for name in ("web-1", "node1", "web-3", "node2")
    }
    assert ports == {"web-1": 1024, "node1": 1024, "web-3": 2048, "node2": 2048}


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_whatever_it_sends_a_cluster_leaves_by_its_address_and_its_ports(protocol):
    topology = small_cluster("overlay")
    resolver = Machine("resolver", "203.0.113.53", ("53/udp", 53))
    world = build(replace(topology, machines=(*topology.machines, resolver)))
    seen = follow(world, "web-3", "resolver", 53, protocol=protocol).delivered
    assert (seen.source, seen.source_port) == (topology.cluster.outbound_address, 2048)


def test_an_address_of_the_internet_where_nobody_is_swallows_packets():
    trace = follow(WORLDS["overlay"], "web-1", "8.8.8.8")
    assert (trace.disposition, trace.ended_at) == (Disposition.NO_ROUTE, "edge")
    assert trace.path[-1] == "edge", "nobody is told"


def test_a_machine_beside_the_nodes_does_not_leave_by_the_clusters_address():
    assert follow(WORLDS["overlay"], "vm-1", "internet").source_seen == MACHINES_OUTBOUND


@pytest.mark.parametrize("model", MODELS)
def test_outbound_ports_run_out_for_one_destination_and_not_for_another(model):
    other = Machine("elsewhere", "203.0.113.20")
    topology = small_cluster(model).changed(outbound_ports=8)
    world, state = build(replace(topology, machines=(*topology.machines, other))), None
    seen = []
    for port in range(40000, 40008):
        flow = Flow("web-1", "203.0.113.10", 80, source_port=port)
        trace, state = predict(world, flow, state)
        seen.append(trace.delivered.source_port)
    assert sorted(seen) == list(range(1024, 1032))
    ninth = replace(flow, source_port=40008)
    lost = predict(world, ninth, state).trace
    assert (lost.disposition, lost.ended_at) == (Disposition.DROPPED, "edge")
    assert predict(world, replace(ninth, source="web-3"), state).trace.disposition == DELIVERED
    assert predict(world, replace(ninth, destination="203.0.113.20"), state).trace.server


@pytest.mark.parametrize("prefix", ["10.240.1.0/24", "192.168.0.0/24", "10.99.0.0/16"])
def test_a_user_route_to_the_internet_loses_what_is_for_a_private_address(prefix):
    """The internet routes none (RFC 1918), and so does not bring it back to Azure either."""
    world = build(with_routes(small_cluster("overlay"), UserRoute(prefix, "Internet")))
    for source in ("web-1", "node1", "vm-1"):
        trace = follow(world, source, prefix.replace("0.0/16", "0.4").replace("0/24", "4"))
        assert (trace.disposition, trace.ended_at) == (Disposition.DROPPED, "edge")
        assert trace.delivered is None
    assert reaches(world, "web-1", "internet")


# ---- what Azure itself answers ------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("protocol", ["tcp", "udp", "icmp"])
def test_routers_of_subnets_and_the_models_own_links_answer_nothing(model, protocol):
    world = WORLDS[model]
    for source, gateway in (
        ("vm-1", "10.240.0.1"), ("web-1", "10.240.0.1"), ("node1", "10.240.1.1"),
        ("peer", "10.241.0.1"), ("office", "192.168.0.1"), ("internet", "203.0.113.1"),
        ("vm-1", "192.0.2.1"), ("vm-1", "192.0.2.2"), ("internet", "192.0.2.1"),
    ):  # fmt: skip
        trace = follow(world, source, gateway, 0 if protocol == "icmp" else 80, protocol=protocol)
        assert trace.disposition in (Disposition.DROPPED, Disposition.NO_ROUTE), gateway
        assert {hop.host for hop in trace.hops if hop.host != source}, "it went out"
        back = [seen for seen in trace.sightings if seen.host == source and seen.direction == "in"]
        assert back == [], "and nothing came back"


def test_the_platforms_addresses_answer_what_they_serve_and_nothing_else():
    for address, port, protocol in ((DNS, 0, "icmp"), (METADATA, 0, "icmp"), (DNS, 443, "tcp"),
                                    (METADATA, 53, "udp"), (METADATA, 443, "tcp")):  # fmt: skip
        for source in ("web-1", "node1", "vm-2", "office"):
            trace = follow(WORLDS["overlay"], source, address, port, protocol=protocol)
            assert (trace.disposition, trace.ended_at) == (Disposition.DROPPED, "azure")


@pytest.mark.parametrize("model", MODELS)
def test_azures_dns_and_metadata_are_asked_in_the_name_of_the_node(model):
    world = WORLDS[model]
    for to, port, protocol in ((DNS, 53, "udp"), (DNS, 53, "tcp"), (METADATA, 80, "tcp")):
        trace = follow(world, "web-3", to, port, protocol=protocol)
        assert (trace.disposition, trace.server) == (DELIVERED, "azure")
        assert trace.source_seen == world.address("node2")


def test_no_route_table_and_no_security_group_keeps_a_machine_from_azures_dns():
    topology = with_routes(small_cluster("overlay"), UserRoute("0.0.0.0/0", "None"))
    world = build(with_security(topology, DENY_OUT))
    assert reaches(world, "web-1", DNS, 53, protocol="udp")
    assert not reaches(world, "web-1", "vm-2")


def test_azures_dns_answers_nobody_on_premises_and_nobody_in_the_internet():
    for stranger in ("office", "internet"):
        assert not reaches(WORLDS["overlay"], stranger, DNS, 53, protocol="udp")
        assert not reaches(WORLDS["overlay"], stranger, METADATA, 80)


# ---- probes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [PUBLIC, FRONT])
def test_a_group_that_shuts_probes_out_takes_every_node_out_of_the_load_balancer(address):
    no_probes = SecurityRule("no-probes", 110, "Deny", source="AzureLoadBalancer")
    topology = small_cluster("overlay")
    assert reaches(build(with_security(topology, OPEN)), "internet", address)
    world = build(with_security(topology, OPEN, no_probes))
    trace = follow(world, "internet", address)
    assert (trace.disposition, trace.ended_at) == (Disposition.NO_ROUTE, "azure")
    early = build(with_security(topology.changed(probes_acted=False), OPEN, no_probes))
    assert reaches(early, "internet", address)


def test_a_group_that_shuts_out_one_probe_leaves_the_other_services_alone():
    health = SecurityRule(
        "no-health", 110, "Deny", protocol="Tcp", source="AzureLoadBalancer", port="32083"
    )
    world = build(with_security(small_cluster("overlay"), OPEN, health))
    assert not reaches(world, "internet", FRONT)
    assert reaches(world, "internet", PUBLIC)


def test_a_service_without_endpoints_refuses_probes_so_its_load_balancer_is_silent():
    topology = small_cluster("overlay")
    nobody = replace(web(), selector={"app": "nobody"})
    trace = follow(build(topology.changed(exposures=(nobody,))), "internet", PUBLIC)
    assert (trace.disposition, trace.ended_at) == (Disposition.NO_ROUTE, "azure")
    early = build(topology.changed(exposures=(nobody,), probes_acted=False))
    assert follow(early, "internet", PUBLIC).disposition == Disposition.REFUSED


def test_a_load_balancer_hands_on_udp_though_it_does_not_probe_it():
    topology = small_cluster("overlay")
    service = Service(
        "default", "dns", ("10.0.0.53",), (ServicePort(53, "dns", "UDP", node_port=30053),),
        "LoadBalancer", load_balancer_ingress=(LoadBalancerIngress("198.51.100.53"),),
    )  # fmt: skip
    dns = Pod("dns", "node1", {"app": "dns"}, ("53/udp",))
    world = build(
        topology.changed(
            pods=(*topology.cluster.pods, dns), exposures=(Exposure(service, {"app": "dns"}),)
        )
    )
    ways = outcomes(world, Flow("internet", "198.51.100.53", 53, "udp"))
    assert {(way.result.server, way.result.disposition) for way in ways} == {("dns", DELIVERED)}
    assert len(ways) == 2, "by either node"
    trace = follow(world, "internet", "198.51.100.53", 53)
    assert (trace.disposition, trace.ended_at) == (Disposition.DROPPED, "azure")


def test_with_policy_local_a_pod_that_is_not_ready_takes_its_node_out():
    topology = small_cluster("overlay")
    pods = tuple(replace(pod, ready=pod.node == "node2") for pod in topology.cluster.pods)
    world = build(topology.changed(pods=pods))
    ways = outcomes(world, Flow("internet", FRONT, 80))
    assert {way.result.server for way in ways} == {"web-3", "web-4"}
    assert all("node1" not in way.result.path for way in ways)


def test_no_probe_is_answered_where_a_service_has_no_node_port():
    """Node port 0 is none: no port of kube-proxy's own either."""
    topology = small_cluster("overlay")
    without = Service(
        "default", "bare", ("10.0.0.90",), (ServicePort(80, target_port=8080),), "LoadBalancer",
        load_balancer_ingress=(LoadBalancerIngress("198.51.100.90"),),
    )  # fmt: skip
    world = build(topology.changed(exposures=(web(), Exposure(without, {"app": "web"}))))
    trace = follow(world, "internet", "198.51.100.90")
    assert (trace.disposition, trace.ended_at) == (Disposition.NO_ROUTE, "azure")


def test_two_services_may_share_an_address_and_one_has_affinity_without_the_other():
    topology = small_cluster("overlay")
    world = build(topology.changed(exposures=(web(), beside(loyal(web())))))
    routes = [route for route in world.host("azure").routes if route.network == f"{PUBLIC}/32"]
    assert [route.table for route in routes] == ["main", "401", "402"], "one, and one for each node"
    kept, state = nodes_of(world, "internet", PUBLIC, first_and_last(), port=443)
    assert len(set(kept)) == 1
    assert len(set(nodes_of(world, "internet", PUBLIC, first_and_last(), state)[0])) == 2
    no_probe = SecurityRule("no", 110, "Deny", "Inbound", "Tcp", "AzureLoadBalancer", port="30443")
    shut = build(with_security(world.topology, OPEN, no_probe))
    assert not reaches(shut, "internet", PUBLIC)


# ---- session affinity ---------------------------------------------------------------------------


def nodes_of(world, source, address, draws, state=None, port=80, protocol="tcp"):
    """The node that each of several flows of a client enters, and what is remembered then."""
    found = []
    for at, draw in enumerate(draws):
        flow = Flow(source, address, port, protocol, 41000 + at)
        trace, state = predict(world, flow, state, draw)
        found.append(next(host for host in trace.path if host.startswith("node")))
    return found, state


def last(question):
    """Always the last possible answer."""
    return [answer for answer, chance in question.outcomes if chance > 0][-1]


def first_and_last():
    return [first, last] * 3


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("source", ["internet", "vm-2"])
def test_with_client_ip_affinity_every_flow_of_a_client_takes_one_node(model, source):
    topology = small_cluster(model)
    world = build(topology.changed(exposures=(loyal(web()), front())))
    for start in (first, last):
        nodes, state = nodes_of(world, source, PUBLIC, [start, *first_and_last()])
        assert len(set(nodes)) == 1, "whatever chance would say"
        others, _ = nodes_of(world, source, FRONT, first_and_last(), state)
        assert set(others) == {"node1", "node2"}, "a Service without affinity draws each time"
    assert {nodes_of(world, source, PUBLIC, [draw])[0][0] for draw in (first, last)} == {
        "node1", "node2",
    }  # fmt: skip


def test_two_clients_need_not_take_one_node_and_an_internal_address_keeps_them_too():
    everywhere = loyal(replace(local("Cluster"), selector={"app": "web"}))
    world = build(small_cluster("overlay").changed(exposures=(everywhere,)))
    one, state = nodes_of(world, "vm-2", INTERNAL, [first, last, last])
    other, _ = nodes_of(world, "vm-1", INTERNAL, [last, first, first], state)
    assert (one, other) == (["node1"] * 3, ["node2"] * 3)


def test_affinity_is_of_both_addresses_and_so_of_all_ports_and_protocols():
    ports = (
        ServicePort(80, "http", node_port=30080, target_port=8080),
        ServicePort(53, "dns", "UDP", 30053, 53),
    )
    service = replace(loyal(web()).service, ports=ports)
    pods = tuple(
        replace(pod, ports=(8080, "53/udp")) for pod in small_cluster("overlay").cluster.pods
    )
    exposure = Exposure(service, {"app": "web"})
    world = build(small_cluster("overlay").changed(pods=pods, exposures=(exposure,)))
    for draw in (first, last):
        (node,), state = nodes_of(world, "internet", PUBLIC, [draw])
        nodes, _ = nodes_of(world, "internet", PUBLIC, [first, last], state, 53, "udp")
        assert nodes == [node] * 2


def test_a_client_whose_node_is_gone_gets_another_one():
    topology = small_cluster("overlay").changed(exposures=(loyal(web()),))
    nodes, state = nodes_of(build(topology), "internet", PUBLIC, [first])
    assert nodes == ["node1"]
    fewer = topology.changed(
        nodes=topology.cluster.nodes[1:], pods=topology.cluster.pods[2:], missing_routes=()
    )
    world = build(fewer)
    kept = remembered(state, world, frozenset())
    assert nodes_of(world, "internet", PUBLIC, [first], kept)[0] == ["node2"]


def test_what_a_load_balancer_knew_of_clients_goes_with_the_affinity_of_its_service():
    with_it, without = (
        build(small_cluster("overlay").changed(exposures=(each,))) for each in (loyal(web()), web())
    )
    nodes, state = nodes_of(with_it, "internet", PUBLIC, [first, last])
    assert nodes == ["node1"] * 2
    for changed in (without, with_it):
        state = remembered(state, changed, frozenset())
    trace, _ = predict(with_it, Flow("internet", PUBLIC, 80, source_port=42000), state, last)
    assert "node2" in trace.path, "another connection may go elsewhere"


NODES = "10.240.0.0/24"
FIREWALL = Machine("firewall", "10.240.9.9", forwards=True)


def keeping(model):
    """A world with affinity at an internal address, and a firewall in a subnet of its own."""
    topology = small_cluster(model)
    vnet, *others = topology.networks
    vnet = replace(vnet, subnets=(*vnet.subnets, Subnet("dmz", "10.240.9.0/24")))
    everywhere = loyal(replace(local("Cluster"), selector={"app": "web"}))
    return replace(
        topology, networks=(vnet, *others), machines=(*topology.machines, FIREWALL)
    ).changed(exposures=(everywhere,))


@pytest.mark.parametrize("model", MODELS)
def test_affinity_leads_nobody_round_an_appliance(model):
    through = UserRoute(NODES, "VirtualAppliance", FIREWALL.address)
    world, state = build(with_routes(keeping(model), through, subnet="others")), None
    entered = set()
    for at, draw in enumerate([last, first, first]):
        flow = Flow("vm-2", INTERNAL, 80, source_port=41000 + at)
        trace, state = predict(world, flow, state, draw)
        assert trace.path[:4] == ("vm-2", "azure", "firewall", "azure"), "each time"
        entered.add(trace.path[4])
    assert entered == {"node2"}, "and behind the appliance it is kept"


@pytest.mark.parametrize("model", MODELS)
def test_affinity_leads_nobody_where_no_route_does_any_more(model):
    topology = keeping(model)
    vnet, peered = topology.networks
    alone = replace(topology, networks=(replace(vnet, peerings=()), peered))
    shut = with_routes(topology, UserRoute(NODES, "None"), subnet="others")
    for source, changed in (("vm-2", shut), ("peer", alone)):
        _, state = nodes_of(build(topology), source, INTERNAL, [last])
        world = build(changed)
        kept = remembered(state, world, frozenset())
        trace, _ = predict(world, Flow(source, INTERNAL, 80, source_port=42000), kept)
        assert trace.disposition != DELIVERED
        assert trace.path == follow(world, source, INTERNAL).path, "as for one who was never there"


def test_affinity_heeds_the_route_table_of_a_pod_subnet():
    """Here of another cluster: its own addresses a cluster's nodes take before they get there."""
    blue = replace(
        two_clusters().clusters[1], model="pod-subnet-dynamic", subnet="others", pod_subnet="pods"
    )
    topology = keeping("overlay")
    topology = replace(topology, clusters=(topology.cluster, blue))
    nodes, state = nodes_of(build(topology), "blue-1", INTERNAL, [last, first])
    assert nodes == ["node2"] * 2
    world = build(with_routes(topology, UserRoute(NODES, "None"), subnet="pods"))
    kept = remembered(state, world, frozenset())
    trace, _ = predict(world, Flow("blue-1", INTERNAL, 80, source_port=42000), kept)
    assert (trace.disposition, trace.ended_at) == (Disposition.NO_ROUTE, "azure")


# ---- pings --------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_a_public_load_balancer_answers_pings_itself_and_an_internal_one_does_not(model):
    trace = follow(WORLDS[model], "internet", PUBLIC, 0, protocol="icmp")
    assert (trace.disposition, trace.server) == (DELIVERED, "azure")
    assert trace.sightings[-1].packet.source == PUBLIC
    inside = follow(WORLDS[model], "vm-2", INTERNAL, 0, protocol="icmp")
    assert (inside.disposition, inside.ended_at) == (Disposition.DROPPED, "azure")


def test_a_load_balancer_without_a_healthy_node_answers_no_ping():
    nobody = replace(web(), selector={"app": "nobody"})
    world = build(small_cluster("overlay").changed(exposures=(nobody,)))
    assert not reaches(world, "internet", PUBLIC, 0, protocol="icmp")


@pytest.mark.parametrize("model", MODELS)
def test_a_public_load_balancer_answers_the_pings_of_its_own_cluster(model):
    """Chosen here (course.fabric.balancer): Azure documents it for machines with an address."""
    for source in ("web-1", "node1", "vm-2"):
        trace = follow(WORLDS[model], source, PUBLIC, 0, protocol="icmp")
        assert (trace.disposition, trace.server) == (DELIVERED, "azure")


@pytest.mark.parametrize("model", MODELS)
def test_pings_from_a_cluster_to_the_internet_are_lost_at_the_edge(model):
    for source in ("web-1", "node1"):
        trace = follow(WORLDS[model], source, "internet", 0, protocol="icmp")
        assert (trace.disposition, trace.ended_at) == (Disposition.DROPPED, "edge")


# ---- node pools ---------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_nodes_of_a_second_pool_stand_in_their_own_subnet_and_reach_all(model):
    topology = with_pool(small_cluster(model))
    world = build(topology)
    assert world.address("node3").startswith("10.240.4.")
    assert reaches(world, "web-1", "far-1", 8080)
    assert reaches(world, "far-1", "web-3", 8080)
    assert {way.result.server for way in outcomes(world, Flow("vm-2", PUBLIC, 80))} >= {"far-1"}
    if model.startswith("pod-subnet"):
        assert world.address("far-1").startswith("10.240.5.")


def test_the_route_table_of_kubenet_stands_at_the_subnet_of_every_pool():
    topology = with_pool(small_cluster("kubenet"))
    cut = build(topology.changed(missing_routes=("node3",)))
    assert not reaches(cut, "web-1", "far-1", 8080)
