"""Worlds in which something is broken, guarded or bent: packets fall where it was predicted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from course.laboratory import Lab
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
    web,
)
from course.topology import Cluster, Machine, Node, Pod
from course.trace import Disposition, Flow
from course.virtual_network import SecurityRule, UserRoute
from tests.labs import LIVE, as_predicted
from tests.worlds import MODELS, beside, loyal, with_routes, with_security

pytestmark = LIVE
NODES = "10.240.0.0/24"


def changed_worlds():
    """Worlds in which something is broken, guarded or bent, so that packets fall."""
    kubenet, overlay, flat = map(small_cluster, ("kubenet", "overlay", "node-subnet"))
    off = tuple(replace(node, ip_forwarding=False) for node in kubenet.cluster.nodes)
    firewall = Machine("firewall", "10.240.1.9", forwards=True, translates=True)
    bent = with_routes(flat, UserRoute("0.0.0.0/0", "VirtualAppliance", "10.240.1.9"))
    blue = Cluster(
        "overlay", "nodes", (Node("blue1"), Node("blue2")),
        (Pod("b-1", "blue1"), Pod("b-3", "blue2")), name="blue",
        outbound_address="198.51.100.5",
    )  # fmt: skip
    nodes = SecurityRule("nodes", 100, source=NODES, destination=NODES)
    return {
        "a route is missing": kubenet.changed(missing_routes=("node2",)),
        "cards forward nothing": kubenet.changed(nodes=off),
        "only nodes are let in": with_security(overlay, nodes, SecurityRule("no", 200, "Deny")),
        "pods are guarded apart from nodes": with_routes(
            with_security(
                small_cluster("pod-subnet-dynamic"), SecurityRule("no", 200, "Deny"), subnet="pods"
            ),
            UserRoute("10.240.1.0/24", "None"),
        ),
        "probes are shut out": with_security(
            overlay, SecurityRule("no", 200, "Deny", source="AzureLoadBalancer")
        ),
        "a subnet's own range leads nowhere": with_routes(overlay, UserRoute(NODES, "None")),
        "an appliance": replace(bent, machines=(*bent.machines, firewall)),
        "two clusters": with_security(replace(overlay, clusters=(*overlay.clusters, blue))),
        "no address left on a card": flat.changed(
            pods=(Pod("web-1", "node1", {"app": "web", "n": "1"}, address="10.240.0.60"),
                  *flat.cluster.pods[1:])
        ),
    }  # fmt: skip


CHANGED = changed_worlds()


@pytest.mark.parametrize("name", CHANGED)
def test_every_scenario_of_a_changed_world_goes_as_predicted(name):
    with Lab(CHANGED[name], plugins=False) as lab:
        for scenario in SCENARIOS.values():
            as_predicted(lab, scenario.flow(lab.world))


@pytest.mark.parametrize("model", ["overlay", "kubenet"])
def test_a_load_balancer_keeps_a_client_to_one_node_where_its_service_has_affinity(model):
    topology = small_cluster(model)
    everywhere = replace(local("Cluster"), selector={"app": "web"})
    exposures = (web(), beside(loyal(web())), loyal(everywhere), front())
    with Lab(topology.changed(exposures=exposures), plugins=False) as lab:
        for source, address, port, most in (
            ("internet", PUBLIC, 443, 1), ("vm-2", PUBLIC, 443, 1), ("vm-1", INTERNAL, 80, 1),
            ("vm-2", INTERNAL, 80, 1), ("internet", FRONT, 80, 2), ("internet", PUBLIC, 80, 2),
        ):  # fmt: skip
            times = 6 if most == 1 else 20
            nodes = {entered(as_predicted(lab, Flow(source, address, port))) for _ in range(times)}
            assert len(nodes) == most, (source, address)
            as_predicted(lab, Flow(source, address, 0, "icmp"))
        # one that is gone is replaced, and the clients of others stay
        before = entered(as_predicted(lab, Flow("vm-1", INTERNAL, 80)))
        pods = tuple(each for each in topology.cluster.pods if each.node == before)
        node = topology.cluster.node(before)
        lab.apply(lab.topology.changed(nodes=(node,), pods=pods))
        for source, address, port in (
            ("internet", PUBLIC, 443), ("vm-1", INTERNAL, 80), ("vm-2", INTERNAL, 80),
        ):  # fmt: skip
            assert entered(as_predicted(lab, Flow(source, address, port))) == before


def test_affinity_leads_round_no_appliance_and_where_no_route_does_as_predicted():
    appliance = Machine("firewall", "10.240.2.9", forwards=True)
    topology = small_cluster("overlay")
    topology = replace(topology, machines=(*topology.machines, appliance)).changed(
        exposures=(loyal(replace(local("Cluster"), selector={"app": "web"})),)
    )
    through = UserRoute(NODES, "VirtualAppliance", appliance.address)
    vnet, peered = topology.networks
    alone = replace(topology, networks=(replace(vnet, peerings=()), peered))
    with Lab(topology, plugins=False) as lab:
        before = {each: entered(called(lab, each)) for each in ("vm-2", "peer")}
        lab.apply(with_routes(topology, through, subnet="others"))
        for _ in range(3):
            trace = called(lab, "vm-2")
            assert "firewall" in trace.path
            assert entered(trace) == before["vm-2"]
        lab.apply(with_routes(topology, UserRoute(NODES, "None"), subnet="others"))
        assert called(lab, "vm-2").disposition != Disposition.DELIVERED
        lab.apply(alone)
        assert called(lab, "peer").disposition != Disposition.DELIVERED
        assert entered(called(lab, "vm-2")) == before["vm-2"]
        assert not lab.drift()


def test_machines_at_first_addresses_in_the_internet_are_reached_as_predicted():
    topology = small_cluster("overlay")
    machines = (*topology.machines, Machine("dns", "1.1.1.1"), Machine("two", "203.0.113.2"))
    with Lab(replace(topology, machines=machines), plugins=False) as lab:
        for source, address in (
            ("web-1", "1.1.1.1"), ("internet", "1.1.1.1"), ("dns", "203.0.113.10"),
            ("dns", PUBLIC), ("vm-2", "203.0.113.2"), ("two", "203.0.113.10"),
        ):  # fmt: skip
            seen = as_predicted(lab, Flow(source, address, 80))
            assert seen.disposition == Disposition.DELIVERED, (source, address)
        assert not lab.drift()


def called(lab, source):
    return as_predicted(lab, Flow(source, INTERNAL, 80))


def entered(trace):
    """The first node on the way."""
    return next(host for host in trace.path if host.startswith("node"))


def test_routers_and_the_platform_are_silent_and_private_addresses_are_lost_as_predicted():
    topology = with_routes(small_cluster("overlay"), UserRoute("10.240.1.0/24", "Internet"))
    with Lab(topology, plugins=False) as lab:
        for source, address in (
            ("vm-1", "10.240.0.1"), ("web-1", "10.240.1.1"), ("office", "192.168.0.1"),
            ("internet", "203.0.113.1"), ("vm-1", "192.0.2.1"), ("vm-1", "192.0.2.2"),
            ("node1", DNS), ("vm-2", METADATA), ("office", METADATA), ("web-1", "10.240.1.4"),
        ):  # fmt: skip
            for port, protocol in ((0, "icmp"), (443, "tcp"), (443, "udp")):
                seen = as_predicted(lab, Flow(source, address, port, protocol))
                assert seen.disposition == Disposition.DROPPED, (source, address, protocol)


@pytest.mark.parametrize("model", MODELS)
def test_localhost_addresses_of_nobody_and_circles_of_routes_go_as_predicted(model):
    circle = UserRoute("203.0.113.0/24", "VirtualAppliance", "10.240.1.9")
    topology = with_routes(small_cluster(model), circle, subnet="others")
    appliance = Machine("firewall", "10.240.1.9", forwards=True)
    with Lab(replace(topology, machines=(*topology.machines, appliance)), plugins=False) as lab:
        as_predicted(lab, Flow("node1", "127.0.0.1", 30081))
        as_predicted(lab, Flow("vm-2", "203.0.113.10", 80))
        for address in ("10.244.0.250", "10.240.0.18", "10.240.2.18", "10.240.0.250", "10.9.9.9"):
            as_predicted(lab, Flow("web-1", address, 8080))
            as_predicted(lab, Flow("vm-1", address, 8080, "udp"))
