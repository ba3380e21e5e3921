"""Exports of a plan: az commands and a Bicep module say what the plan says, in documented words."""

from __future__ import annotations

import re
import subprocess
import tomllib
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

from course.addresses import canonical
from course.design import (
    OUTBOUND_TYPES,
    TIERS,
    Choices,
    Design,
    NamedRange,
    Outbound,
    Pool,
    Subnet,
)
from course.errors import InputError
from course.networks import all_models
from course.networks.demands import node_subnets, one_address, pod_range
from course.networks.model import NetworkModel
from course.planner import az, bicep, terms
from course.planner.comparison import compare, plan
from tests import az_reader, bicep_reader
from tests.conftest import ROOT

TABLE = tomllib.loads((ROOT / "course/planner/azure_terms.toml").read_text("utf-8"))
COMMANDS = {each["name"]: each for each in TABLE["command"]}
RESOURCES = {each["type"]: each for each in TABLE["resource"]}
MODELS = {model.id: model for model in all_models()}
CLUSTER = "Microsoft.ContainerService/managedClusters"
GUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"

# ---- designs ----

surges = st.none() | st.integers(0, 5) | st.sampled_from(["0%", "10%", "33%", "100%"])
SUBNETS = tuple(
    Subnet(name, IPNetwork(where))
    for name, where in {
        "nodes": "10.224.0.0/18",
        "nodes.2": "10.224.64.0/18",
        "pods": "10.225.0.0/16",
        "db": "10.226.0.0/24",
        "jump-hosts": "10.226.1.0/24",
    }.items()
)


@st.composite
def pools(draw, name, systems=("Linux",)):
    nodes = draw(st.integers(1, 12))
    scaled = draw(st.booleans())
    return Pool(
        name,
        nodes,
        min_nodes=draw(st.none() | st.integers(1, nodes)) if scaled else None,
        max_nodes=draw(st.integers(nodes, 40)) if scaled else None,
        max_pods=draw(st.none() | st.integers(30, 250)),
        max_surge=draw(surges),
        system=draw(st.sampled_from(systems)),
        subnet=draw(st.sampled_from(["nodes", "nodes.2"])),
        pod_subnet=draw(st.sampled_from(["pods", "pods_2"])),
    )


@st.composite
def designs(draw):
    systems = draw(st.sampled_from([("Linux",), ("Linux", "Windows2022", "Windows2025")]))
    names = draw(st.lists(st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True), max_size=3))
    more = tuple(draw(pools(name, systems)) for name in dict.fromkeys(names) if name != "system")
    kind = draw(st.sampled_from(OUTBOUND_TYPES))
    own = draw(st.booleans()) if kind in ("loadBalancer", "none") else kind != "managedNATGateway"
    data_plane, policy = draw(
        st.sampled_from([("azure", "none"), ("azure", "calico"), ("cilium", "cilium")])
    )
    return Design(
        name=draw(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?", fullmatch=True)),
        today=date(2026, 11, 21),
        kubernetes=draw(st.sampled_from(["", "1.33", "1.34"])),
        tier=draw(st.sampled_from(TIERS)),
        pools=(draw(pools("system")), *more),
        own_network=own,
        vnet=(IPNetwork("10.224.0.0/12"), IPNetwork("172.20.0.0/16"))[: draw(st.integers(1, 2))],
        subnets=tuple(draw(st.lists(st.sampled_from(SUBNETS), unique=True))),
        pod_range=draw(st.none() | st.just(IPNetwork("172.24.0.0/14"))),
        service_range=IPNetwork("10.96.0.0/16"),
        dns_address=IPAddress(f"10.96.0.{draw(st.integers(2, 200))}"),
        outbound=Outbound(
            kind,
            draw(st.integers(1, 16)),
            draw(st.sampled_from([0, 8, 1024])) if kind == "loadBalancer" else 0,
            IPAddress("10.1.0.4") if kind == "userDefinedRouting" else None,
        ),
        policy=policy,
        data_plane=data_plane,
    )


plans = st.builds(plan, designs(), st.sampled_from(all_models()))
quick = settings(max_examples=60, deadline=None)

# ---- what a plan says, in the API's words, told three times: by plan, script and module ----


def told_by_plan(found):
    """Straight from the plan and its demands."""
    design = found.design
    network = {
        name: word for name, word in found.model.profile().items() if name != "podIPAllocationMode"
    }
    network |= {
        "networkDataplane": design.data_plane,
        "networkPolicy": design.policy,
        "serviceCidr": canonical(design.service_range),
        "dnsServiceIP": canonical(design.dns_address),
        "outboundType": design.outbound.type,
        "loadBalancerSku": design.load_balancer,
    }
    ranges = {(each.kind, each.name): canonical(each.range) for each in found.demands}
    if where := ranges.pop(("pod range", "pods"), None):
        network["podCidr"] = where
    if design.outbound.type == "loadBalancer":
        network["balancer addresses"] = design.outbound.addresses
        network["ports"] = design.outbound.ports_per_node
    if design.outbound.type == "managedNATGateway":
        network["NAT addresses"] = design.outbound.addresses
    told = {
        "tier": design.tier,
        "version": design.kubernetes,
        "network": network,
        "pools": {each.name: pool_of_plan(found, each, ranges) for each in design.pools},
    }
    if design.own_network:
        told["vnet"] = [canonical(each) for each in design.vnet]
        told["subnets"] = {each.name: (canonical(each.range), "") for each in design.subnets}
        way = design.outbound.type if design.outbound.type.startswith("user") else ""
        told["subnets"] |= {name: (where, way) for (_, name), where in ranges.items()}
        told["next hop"] = design.outbound.next_hop and canonical(design.outbound.next_hop)
        is_nat = design.outbound.type == "userAssignedNATGateway"
        told["gateway addresses"] = design.outbound.addresses if is_nat else 0
    return told


def pool_of_plan(found, pool, ranges):
    first = pool == found.design.pools[0]
    none_added = str(pool.max_surge) in ("0", "0%")
    told = {
        "osType": "Windows" if pool.windows else "Linux",
        "osSKU": pool.system if pool.windows else None,
        "count": pool.nodes,
        "enableAutoScaling": pool.max_nodes is not None,
        "minCount": pool.min_nodes if pool.min_nodes is not None or pool.max_nodes is None
        else pool.nodes,
        "maxCount": pool.max_nodes,
        "maxPods": pool.max_pods,
        "maxSurge": str(pool.max_surge),
        "maxUnavailable": "1" if none_added and not first else None,
        "vnetSubnetID": None, "podSubnetID": None, "podIPAllocationMode": None,
    }  # fmt: skip
    if found.design.own_network:
        told["vnetSubnetID"] = pool.subnet
        if ("pod subnet", pool.pod_subnet) in ranges:
            told["podSubnetID"] = pool.pod_subnet
        told["podIPAllocationMode"] = found.model.profile().get("podIPAllocationMode")
    return told


NETWORK_FLAGS = {
    "networkPlugin": "--network-plugin",
    "networkPluginMode": "--network-plugin-mode",
    "networkDataplane": "--network-dataplane",
    "networkPolicy": "--network-policy",
    "podCidr": "--pod-cidr",
    "serviceCidr": "--service-cidr",
    "dnsServiceIP": "--dns-service-ip",
    "outboundType": "--outbound-type",
    "loadBalancerSku": "--load-balancer-sku",
}
POOL_FLAGS = {
    "osType": "--os-type",
    "osSKU": "--os-sku",
    "count": "--node-count",
    "minCount": "--min-count",
    "maxCount": "--max-count",
    "maxPods": "--max-pods",
    "maxSurge": "--max-surge",
    "maxUnavailable": "--max-unavailable",
    "vnetSubnetID": "--vnet-subnet-id",
    "podSubnetID": "--pod-subnet-id",
    "podIPAllocationMode": "--pod-ip-allocation-mode",
}
NUMBERS = {"count", "minCount", "maxCount", "maxPods"}


def told_by_script(script):
    """What az would do, read back from the script."""
    calls = az_reader.read(script)
    (cluster,) = [call for call in calls if call.name == "az aks create"]
    network = {
        name: cluster.one(flag) for name, flag in NETWORK_FLAGS.items() if flag in cluster.flags
    }
    if count := cluster.one("--load-balancer-managed-outbound-ip-count"):
        network["balancer addresses"] = int(count)
        network["ports"] = int(cluster.one("--load-balancer-outbound-ports") or 0)
    if count := cluster.one("--nat-gateway-managed-outbound-ip-count"):
        network["NAT addresses"] = int(count)
    first = cluster.one("--nodepool-name")
    flags = {first: {**cluster.flags, "--os-type": ["Linux"]}}
    for call in calls:
        if call.name in ("az aks nodepool update", "az aks nodepool add"):
            assert call.one("--cluster-name") == cluster.one("--name")
            flags.setdefault(call.one("--name"), {}).update(call.flags)
    told = {
        "tier": cluster.one("--tier").capitalize(),
        "version": cluster.one("--kubernetes-version") or "",
        "network": network,
        "pools": {name: pool_of_script(each) for name, each in flags.items()},
    }
    networks = [call for call in calls if call.name == "az network vnet create"]
    if networks:
        told |= network_of_script(networks[0], calls)
    return told


def pool_of_script(flags):
    told = {name: flags.get(flag, [None])[0] for name, flag in POOL_FLAGS.items()}
    told |= {name: told[name] and int(told[name]) for name in NUMBERS}
    told["enableAutoScaling"] = "--enable-cluster-autoscaler" in flags
    for name in ("vnetSubnetID", "podSubnetID"):
        told[name] = told[name] and told[name].removeprefix("$VNET_ID/subnets/")
    return told


def network_of_script(network, calls):
    routes = [call for call in calls if call.name == "az network route-table route create"]
    gateways = [call for call in calls if call.name == "az network nat gateway create"]
    subnets = [call for call in calls if call.name == "az network vnet subnet create"]
    ways = {"--nat-gateway": "userAssignedNATGateway", "--route-table": "userDefinedRouting"}
    return {
        "vnet": network.flags["--address-prefixes"],
        "subnets": {
            call.one("--name"): (
                call.one("--address-prefixes"),
                "".join(way for flag, way in ways.items() if flag in call.flags),
            )
            for call in subnets
        },
        "next hop": routes[0].one("--next-hop-ip-address") if routes else None,
        "gateway addresses": len(gateways[0].flags["--public-ip-addresses"]) if gateways else 0,
    }


def told_by_module(text):
    """What Bicep would deploy, read back from the module."""
    module = bicep_reader.read(text)
    (cluster,) = module.of_type(CLUSTER)
    properties = cluster.body["properties"]
    network = dict(properties["networkProfile"])
    if profile := network.pop("loadBalancerProfile", None):
        network["balancer addresses"] = profile["managedOutboundIPs"]["count"]
        network["ports"] = profile.get("allocatedOutboundPorts", 0)
    if profile := network.pop("natGatewayProfile", None):
        network["NAT addresses"] = profile["managedOutboundIPProfile"]["count"]
    (first,) = properties["agentPoolProfiles"]
    pools = {first["name"]: pool_of_module(first)}
    for each in module.of_type(f"{CLUSTER}/agentPools"):
        assert each.body["parent"] == cluster.symbol
        pools[each.body["name"]] = pool_of_module(each.body["properties"])
    told = {
        "tier": cluster.body["sku"]["tier"],
        "version": properties.get("kubernetesVersion", ""),
        "network": network,
        "pools": pools,
    }
    if module.of_type("Microsoft.Network/virtualNetworks"):
        told |= network_of_module(module)
    return told


def pool_of_module(profile):
    told = {name: {**profile, **profile["upgradeSettings"]}.get(name) for name in POOL_FLAGS}
    told["enableAutoScaling"] = profile.get("enableAutoScaling", False)
    for name in ("vnetSubnetID", "podSubnetID"):
        told[name] = told[name] and told[name].removeprefix("${vnet.id}/subnets/")
    return told


def network_of_module(module):
    (network,) = module.of_type("Microsoft.Network/virtualNetworks")
    tables = module.of_type("Microsoft.Network/routeTables")
    gateways = module.of_type("Microsoft.Network/natGateways")
    ways = {"natGateway": "userAssignedNATGateway", "routeTable": "userDefinedRouting"}
    properties = network.body["properties"]
    hop = tables and tables[0].body["properties"]["routes"][0]["properties"]["nextHopIpAddress"]
    addresses = gateways[0].body["properties"]["publicIpAddresses"] if gateways else []
    assert [each["id"].split(".")[0] for each in addresses] == [
        each.symbol for each in module.of_type("Microsoft.Network/publicIPAddresses")
    ]
    return {
        "vnet": properties["addressSpace"]["addressPrefixes"],
        "subnets": {
            each["name"]: (
                each["properties"]["addressPrefix"],
                "".join(way for name, way in ways.items() if name in each["properties"]),
            )
            for each in properties["subnets"]
        },
        "next hop": hop or None,
        "gateway addresses": len(addresses),
    }


def all_placed(found):
    return all(each.range is not None for each in found.demands)


@quick
@given(plans)
def test_script_and_module_both_say_what_the_plan_says(found):
    assume(all_placed(found))
    # a pod subnet where AKS makes the network cannot be, nor can what only belongs to one
    told = told_by_plan(found)
    assert told_by_script(az.commands(found)) == told
    assert told_by_module(bicep.module(found)) == told


# ---- only documented words ----


def agree(entries, given, works):
    """What the table says of these flags or properties holds for them."""
    for name, values in given:
        assert name in entries, name
        entry = entries[name]
        if allowed := entry.get("values"):
            assert set(values) <= set(allowed), name
        assert all(each in dict(given) for each in entry.get("needs", [])), name
        if not works:  # AKS refuses such a plan, and the export begins by saying so
            continue
        if "range" in entry:
            assert entry["range"][0] <= int(values[0]) <= entry["range"][1], name
        for other in entry.get("never_with", []):
            flag, _, value = other.partition(" ")
            assert not [v for n, v in given if n == flag and (not value or value in v)], name


@quick
@given(plans)
def test_every_command_and_flag_is_documented_and_complete(found):
    for call in az_reader.read(az.commands(found)):
        entries = COMMANDS[call.name]["flags"]
        agree(entries, list(call.flags.items()), found.works)
        for name, entry in entries.items():
            assert name in call.flags or not entry.get("required"), name
            switch = entry.get("type") == "switch"
            assert name not in call.flags or bool(call.flags[name]) != switch, name


def paths(entries, value, path=""):
    if path in entries or not isinstance(value, dict | list):
        yield path, value if isinstance(value, list) else [value]
    elif isinstance(value, list):
        for item in value:
            yield from paths(entries, item, f"{path}[]")
    else:
        for name, item in value.items():
            yield from paths(entries, item, f"{path}.{name}" if path else name)


@quick
@given(plans)
def test_every_resource_and_property_is_documented_and_complete(found):
    module = bicep_reader.read(bicep.module(found))
    assert module.described == set(module.parameters)
    for each in module.resources:
        entry = RESOURCES[each.type]
        assert each.api_version == entry["api_version"]
        given = list(paths(entry["properties"], each.body))
        agree(entry["properties"], given, found.works)
        for name, term in entry["properties"].items():
            assert "[]" in name or not term.get("required") or name in dict(given), name


def test_every_term_has_a_source_a_date_and_a_check():
    for entry in (*TABLE["command"], *TABLE["resource"], *TABLE["roles"].values()):
        for term in (
            entry,
            *entry.get("flags", {}).values(),
            *entry.get("properties", {}).values(),
        ):
            origin = {**entry, **term}
            assert origin["source"].startswith("https://")
            assert re.fullmatch(r"unknown|20\d\d(-\d\d){0,2}", origin["as_of"])
            assert origin["checked"] in (
                "Bicep keyword", *(f"{name} {TABLE['checked'][name]}" for name in TABLE["checked"]),
            )  # fmt: skip


def test_what_is_not_in_the_table_cannot_be_written():
    with pytest.raises(InputError, match="--max-surge"):
        terms.command("az aks create").check({"--max-surge": "1"})
    with pytest.raises(InputError, match="Azure"):
        terms.command("az vm create")
    with pytest.raises(InputError, match="turbo"):
        terms.command("az aks nodepool add").check(
            {"--resource-group": "g", "--cluster-name": "c", "--name": "p", "--mode": "turbo"}
        )
    with pytest.raises(InputError, match="needs --vnet-subnet-id"):
        terms.command("az aks nodepool add").check({"--pod-subnet-id": "x"})
    with pytest.raises(InputError, match="needs --location"):
        terms.command("az group create").check({"--name": "g"})
    with pytest.raises(InputError, match="dockerBridgeCidr"):
        terms.resource(CLUSTER).check({"properties": {"networkProfile": {"dockerBridgeCidr": "x"}}})


# ---- a script that runs ----

FAKE_AZ = """#!/bin/sh
printf '%s\\0' az "$@" >> "$CALLS"; printf '\\n' >> "$CALLS"
case "$*" in *"--output tsv"*) echo "/an-id";; esac
"""


def run(script, folder):
    """The commands that bash gives to az, in their order."""
    folder.mkdir(exist_ok=True)
    fake = folder / "az"
    fake.write_text(FAKE_AZ)
    fake.chmod(0o755)
    calls = folder / "calls"
    calls.write_text("")
    subprocess.run(
        ["bash"], input=script, text=True, check=True, capture_output=True,
        env={"PATH": f"{folder}:/usr/bin:/bin", "CALLS": str(calls)},
    )  # fmt: skip
    lines = calls.read_text().splitlines()
    return [az_reader.of_words(line.removesuffix("\0").split("\0")) for line in lines]


# one folder serves all examples: each begins with an empty list of calls
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(found=plans)
def test_the_script_runs_and_makes_each_thing_before_what_needs_it(tmp_path, found):
    script = az.commands(found)
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    called = run(script, tmp_path)
    read = az_reader.read(script)
    assert [call.name for call in called] == [call.name for call in read]
    for real, seen in zip(called, read, strict=True):
        filled = {
            flag: [re.sub(r"\$\w+", "/an-id", value) for value in values]
            for flag, values in seen.flags.items()
        }
        assert real.flags == filled
    order = [
        "az group create", "az network public-ip create", "az network nat gateway create",
        "az network route-table create", "az network route-table route create",
        "az network vnet create", "az network vnet subnet create", "az network vnet show",
        "az identity create", "az identity show", "az role assignment create", "az aks create",
        "az aks nodepool update", "az aks nodepool add",
    ]  # fmt: skip
    names = [call.name for call in called if call.name != "az network route-table show"]
    assert names == sorted(names, key=order.index)


@quick
@given(plans)
def test_in_the_module_the_cluster_waits_for_its_roles_and_these_for_the_network(found):
    module = bicep_reader.read(bicep.module(found))
    (cluster,) = module.of_type(CLUSTER)
    roles = module.of_type("Microsoft.Authorization/roleAssignments")
    assert cluster.body.get("dependsOn", []) == [role.symbol for role in roles]
    assert bool(roles) == found.design.own_network
    symbols = {each.symbol for each in module.resources}
    assert len(symbols) == len(module.resources)
    for role in roles:
        assert role.body["scope"] in symbols
        assert role.body["properties"]["principalId"] == "identity.properties.principalId"


# ---- nothing secret ----


@quick
@given(plans)
def test_nothing_secret_and_no_subscription_is_written(found):
    role = terms.role_id("Network Contributor")
    for text in (az.commands(found), bicep.module(found)):
        assert not re.search(r"password|secret|token|private.?key|account.?key", text, re.I)
        assert set(re.findall(GUID, text)) <= {role}
        assert "/subscriptions/" not in text


# ---- single cases ----


def planned(design, model="overlay"):
    return compare(design).plan(model)


def both(found):
    return az.commands(found), bicep.module(found)


@pytest.mark.parametrize("name", MODELS)
def test_the_same_plan_is_exported_to_the_same_text(name):
    assert both(planned(Design(), name)) == both(planned(Design(), name))


def test_a_plan_that_does_not_work_says_so_first_and_is_written_all_the_same():
    windows = Pool("win", system="Windows2022")
    found = planned(Design(pools=(windows,)))
    assert not found.works
    for text in both(found):
        head = text[: text.index("\n\n")]
        assert "This plan does not work:" in head
        assert "The first pool, win, runs Windows. Put a Linux pool first." in head
        assert "azureuser" not in text
        assert "'win'" in text or "--nodepool-name win" in text


def test_a_plan_that_works_has_no_such_warning():
    for text in both(planned(Design())):
        assert "does not work" not in text


def test_a_subnet_for_which_nothing_is_free_has_no_range():
    found = planned(Design(vnet=(IPNetwork("10.240.0.0/28"),), pools=(Pool(nodes=500),)))
    script, module = both(found)
    (subnet,) = [c for c in az_reader.read(script) if c.name == "az network vnet subnet create"]
    assert subnet.flags.keys() == {"--resource-group", "--vnet-name", "--name"}
    assert "addressPrefix:" not in module
    for text in (script, module):
        assert "none are free" in text


def test_subnets_of_others_stay_in_the_network_but_get_none_of_the_ways_out():
    design = Design(
        subnets=(Subnet("db", IPNetwork("10.240.9.0/24")),),
        outbound=Outbound("userAssignedNATGateway"),
    )
    told = told_by_script(az.commands(planned(design)))
    assert told["subnets"]["db"] == ("10.240.9.0/24", "")
    assert told["subnets"]["nodes"][1] == "userAssignedNATGateway"


def test_pod_subnets_are_delegated_in_bicep_and_node_subnets_never():
    module = bicep_reader.read(bicep.module(planned(Design(), "pod-subnet-dynamic")))
    (network,) = module.of_type("Microsoft.Network/virtualNetworks")
    delegated = {
        each["name"]: "delegations" in each["properties"]
        for each in network.body["properties"]["subnets"]
    }
    assert delegated == {"nodes": False, "pods": True}


def test_where_aks_makes_the_network_no_subnet_is_named():
    script, module = both(planned(Design(own_network=False)))
    assert "subnet" not in script
    assert "Microsoft.Network" not in module
    assert "SystemAssigned" in module
    for text in (script, module):
        assert "AKS makes the virtual network itself." in text


def test_a_module_with_kubenet_warns_of_deploying_it_again():
    own_table = Design(outbound=Outbound("userDefinedRouting", next_hop=IPAddress("10.1.0.4")))
    assert "undoes that" in bicep.module(planned(Design(), "kubenet"))
    assert "takes them away" in bicep.module(planned(own_table, "kubenet"))
    assert "Deployed again" not in bicep.module(planned(own_table))


def test_networks_that_are_connected_are_named_as_missing():
    design = Design(peered=(NamedRange("hub", IPNetwork("10.1.0.0/16")),))
    for text in both(planned(design)):
        assert "what connects the virtual network with hub." in text


@quick
@given(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?", fullmatch=True))
@example("a" * 53 + "_b")
def test_the_dns_prefix_of_any_cluster_name_is_one(name):
    module = bicep_reader.read(bicep.module(planned(Design(name=name))))
    prefix = module.parameters["dnsPrefix"]
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]{0,52}[A-Za-z0-9])?", prefix)
    assert len(module.parameters["vnetName"]) <= 63


def test_a_system_pool_without_surge_is_told_that_it_cannot_be_upgraded():
    none = Design(pools=(Pool("system", max_surge=0), Pool("user", max_surge=0)))
    for text in both(planned(none)):
        assert "a system pool cannot have" in text.replace("\n# ", " ").replace("\n// ", " ")
    pools = told_by_script(az.commands(planned(none)))["pools"]
    assert pools["system"]["maxUnavailable"] is None
    assert pools["user"]["maxUnavailable"] == "1"


# ---- a model of tomorrow ----


class Toy(NetworkModel):
    """A model that the exporters have never heard of."""

    id, title, idea, rank = "toy", "Bring your own", "as you like", 9
    selected = {"networkPlugin": "none"}  # noqa: RUF012

    def default_max_pods(self, choices: Choices) -> int:
        return 50

    def demands(self, design):
        return (*node_subnets(design, one_address), pod_range(design, "overlay.max_nodes"))

    def profile(self):
        return self.selected


def test_a_new_model_is_exported_by_its_profile_and_demands_alone():
    found = plan(Design(pod_range=IPNetwork("172.24.0.0/16")), Toy())
    told = told_by_plan(found)
    assert told["network"]["networkPlugin"] == "none"
    assert told["network"]["podCidr"] == "172.24.0.0/16"
    assert told_by_script(az.commands(found)) == told
    assert told_by_module(bicep.module(found)) == told


@pytest.mark.parametrize(
    "selected", [{"networkPlugin": "azure", "turbo": "on"}, {"networkPlugin": "turbo"}]
)
@pytest.mark.parametrize("export", [az.commands, bicep.module])
def test_a_model_cannot_make_up_words_of_azure(selected, export):
    toy = Toy()
    toy.selected = selected
    with pytest.raises(InputError, match="turbo"):
        export(replace(plan(Design(), Toy()), model=toy))


def test_the_cluster_may_use_its_network_before_it_is_made():
    calls = az_reader.read(az.commands(planned(Design())))
    names = [call.name for call in calls]
    role = calls[names.index("az role assignment create")]
    assert role.one("--role") == "Network Contributor"
    assert role.one("--scope") == "$VNET_ID"
    assert role.one("--assignee-object-id") == "$PRINCIPAL_ID"
    assert names.index("az role assignment create") < names.index("az aks create")
