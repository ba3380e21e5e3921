"""Your own cluster: what az and kubectl print of it becomes a design, and nothing secret stays."""

from __future__ import annotations

import json
import re
import traceback
from functools import cache
from itertools import permutations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from course.addresses import canonical
from course.design import Design
from course.errors import InputError
from course.planner import running_json
from course.planner.running import Running, read
from course.planner.texts import decoded
from tests.conftest import ROOT

SAMPLES = ROOT / "tests" / "samples"
NAMES = sorted(file.stem for file in SAMPLES.glob("*.json"))
SYSTEM_POOL = {"name": "system", "osType": "Linux", "count": 2, "maxPods": 30, "mode": "System"}


@cache
def text(name):
    return (SAMPLES / f"{name}.json").read_text("utf-8")


def sample(name):
    return json.loads(text(name))


def from_samples(*names):
    return read([text(name) for name in names])


def cluster(**changed):
    """What `az aks show` prints of a small cluster, with some of it changed."""
    network = {
        "networkPlugin": "azure",
        "serviceCidr": "10.0.0.0/16",
        "dnsServiceIp": "10.0.0.10",
        "outboundType": "loadBalancer",
        "loadBalancerProfile": {"managedOutboundIPs": {"count": 1}},
    }
    network |= changed.pop("networkProfile", {})
    return {
        "name": "aks-small",
        "type": "Microsoft.ContainerService/ManagedClusters",
        "kubernetesVersion": "1.31",
        "sku": {"tier": "Standard"},
        "agentPoolProfiles": [SYSTEM_POOL],
        "networkProfile": network,
        **changed,
    }


def pool(**changed):
    return cluster(agentPoolProfiles=[SYSTEM_POOL | changed])


def of(*values):
    return read([json.dumps(value) for value in values])


def asked(found):
    return {each.field for each in found.missing}


def noted(found):
    return "\n".join(found.notes)


def ranges(items):
    return {each.name: canonical(each.range) for each in items}


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("kubenet_show", "kubenet"),
        ("overlay_show", "overlay"),
        ("node_subnet_show", "node-subnet"),
        ("pod_subnet_dynamic_show", "pod-subnet-dynamic"),
        ("pod_subnet_static_show", "pod-subnet-static"),
        ("managed_vnet_show", "node-subnet"),
    ],
)
def test_az_aks_show_tells_which_model_a_cluster_runs(name, model):
    assert from_samples(name).design.model == model


def test_an_overlay_cluster_with_autoscaler_and_cilium():
    found = from_samples("overlay_show", "overlay_vnet_list", "overlay_nodes").design
    assert (found.name, found.kubernetes, found.tier) == ("aks-over", "1.31", "Standard")
    assert (found.policy, found.data_plane) == ("cilium", "cilium")
    assert canonical(found.pod_range) == "100.64.0.0/14"
    assert (found.outbound.addresses, found.outbound.ports_per_node) == (2, 1024)
    system, user = found.pools
    assert (system.nodes, system.max_nodes, system.max_pods, system.max_surge) == (
        3,
        None,
        250,
        "10%",
    )
    assert (user.nodes, user.min_nodes, user.max_nodes, user.max_surge) == (5, 2, 40, "33%")
    # az names no subnet where AKS made the network: the nodes' addresses tell
    assert {system.subnet, user.subnet} == {"aks-subnet"}
    assert found.subnet("aks-subnet").taken == 0


def test_a_node_subnet_cluster_in_a_peered_network_of_its_own():
    found = from_samples("node_subnet_show", "node_subnet_vnet").design
    assert [canonical(each) for each in found.vnet] == ["10.20.0.0/16"]
    assert ranges(found.subnets) == {
        "snet-aks": "10.20.0.0/22",
        "GatewaySubnet": "10.20.255.0/27",
        "snet-endpoints": "10.20.8.0/24",
    }
    assert ranges(found.peered) == {
        "vnet-hub": "10.10.0.0/16",
        "vnet-hub-2": "10.11.0.0/16",
        "vnet-data": "10.30.0.0/16",
    }
    assert found.own_network
    system, windows = found.pools
    assert (system.subnet, windows.subnet) == ("snet-aks", "snet-aks")
    assert (windows.system, windows.max_surge) == ("Windows2022", 1)
    assert (canonical(found.service_range), str(found.dns_address)) == (
        "172.20.0.0/16",
        "172.20.0.10",
    )


def test_nodes_and_internal_services_of_the_cluster_take_no_address_from_themselves():
    found = from_samples("node_subnet_show", "node_subnet_vnet").design
    # a private endpoint for the API server, a virtual machine, a node of another cluster
    assert found.subnet("snet-aks").taken == 3
    assert found.subnet("snet-endpoints").taken == 1
    assert found.services.internal == 1


def test_without_the_cluster_nobody_knows_whose_the_scale_sets_are():
    found = from_samples("node_subnet_vnet")
    # which subnet the first pool is in does not show either: its internal Service is taken
    assert found.design.subnet("snet-aks").taken == 3
    assert found.design.services.internal == 0
    assert "every scale set named aks" in noted(found)
    # the nodes tell their resource group too
    found = from_samples("node_subnet_vnet", "node_subnet_nodes").design
    assert (found.subnet("snet-aks").taken, found.services.internal) == (3, 1)


def internal_service(number):
    place = "/resourceGroups/mc/providers/Microsoft.Network/loadBalancers/kubernetes-internal"
    return {"id": f"{place}/frontendIPConfigurations/{number}"}


def test_an_internal_service_in_another_subnet_than_the_first_pools_is_taken_there():
    spoke = network(subnets=[("a", ["10.1.0.0/24"]), ("b", ["10.1.1.0/24"])])
    spoke["id"] = "/resourceGroups/rg/virtualNetworks/spoke"
    spoke["subnets"][0]["ipConfigurations"] = [internal_service(1), internal_service(2)]
    spoke["subnets"][1]["ipConfigurations"] = [internal_service(3)]
    found = of(pool(vnetSubnetID=f"{spoke['id']}/subnets/B"), spoke)
    assert found.design.services.internal == 1
    assert [(each.name, each.taken) for each in found.design.subnets] == [("a", 2), ("b", 0)]
    assert "in other subnets, where they count as taken: 2." in noted(found)


def test_pods_of_a_pod_subnet_and_the_way_out_of_a_nat_gateway():
    found = from_samples("pod_subnet_static_show", "pod_subnet_vnet").design
    assert (found.pools[0].subnet, found.pools[0].pod_subnet) == ("snet-nodes", "snet-pods-static")
    assert found.outbound.type == "userAssignedNATGateway"
    assert found.pod_range is None
    found = from_samples("managed_vnet_show").design
    assert (found.outbound.type, found.outbound.addresses) == ("managedNATGateway", 4)


def test_a_kubenet_cluster_behind_an_appliance_asks_for_its_address():
    found = from_samples("kubenet_show")
    assert found.design.policy == "calico"
    assert canonical(found.design.pod_range) == "10.244.0.0/16"
    assert "outbound.next_hop" in asked(found)
    assert found.design.pools[0].max_surge is None
    assert "choices.surge" in asked(found)


def test_a_network_that_aks_made_is_asked_for_where_aks_put_it():
    found = from_samples("managed_vnet_show")
    by_field = {each.field: each for each in found.missing}
    assert "<node-resource-group>" in by_field["vnet"].command
    assert found.design.vnet == Design().vnet
    assert not found.design.own_network
    assert found.design.needs == {"virtual nodes"}


def test_a_network_of_ones_own_is_asked_for_with_its_subnets():
    found = from_samples("pod_subnet_dynamic_show")
    assert {"vnet", "subnets.snet-nodes", "subnets.snet-pods-dynamic"} <= asked(found)
    assert found.design.subnets == ()


def test_of_a_cluster_of_which_all_is_known_only_what_no_answer_tells_is_asked():
    found = from_samples("node_subnet_show", "node_subnet_vnet")
    assert asked(found) == {"services", "on_premises", "needs"}


def test_az_aks_nodepool_list_alone_gives_the_pools_and_the_name():
    found = from_samples("node_subnet_nodepool_list")
    assert found.design.name == "aks-flat"
    whole = from_samples("node_subnet_show").design
    assert found.design.pools == whole.pools
    assert {"model", "policy", "vnet", "service_range"} <= asked(found)


def test_kubectl_alone_gives_pools_as_they_run():
    found = from_samples("overlay_nodes")
    assert [(each.name, each.nodes, each.max_pods) for each in found.design.pools] == [
        ("system", 3, 250),
        ("user", 6, 250),
    ]
    assert found.design.kubernetes == "1.31"
    assert {"pools", "model", "vnet"} <= asked(found)
    assert from_samples("node_subnet_nodes").design.pools[1].system == "Windows2022"


def test_where_az_and_kubectl_disagree_az_counts_and_a_note_says_so():
    found = from_samples("overlay_show", "overlay_nodes")
    assert found.design.pools[1].nodes == 5
    assert "kubectl shows 6 nodes in pool user, az says 5." in found.notes
    assert "Nodes that take no new pods (cordoned): 1." in found.notes


@pytest.mark.parametrize(
    "names",
    [
        ("node_subnet_show", "node_subnet_nodepool_list", "node_subnet_vnet", "node_subnet_nodes"),
        ("overlay_show", "overlay_vnet_list", "overlay_nodes"),
    ],
)
def test_the_order_of_the_answers_does_not_matter(names):
    whole = from_samples(*names)
    for order in permutations(names):
        assert from_samples(*order) == whole


def test_answers_may_follow_each_other_in_one_text_after_warnings_and_twice():
    names = ("node_subnet_show", "node_subnet_vnet")
    pasted = "WARNING: The behavior will change.\n" + "".join(map(text, names))
    assert read([pasted]) == read([pasted, pasted]) == from_samples(*names)


def test_a_file_may_be_given_as_it_is_also_as_powershell_writes_it():
    whole = from_samples("kubenet_show")
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        assert read([text("kubenet_show").encode(encoding)]) == whole


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_text_comes_out_of_a_file_in_every_encoding_of_windows(encoding):
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    assert decoded(f"{mark}größe".encode(encoding), "the file") == "größe"


def test_the_spelling_of_the_service_itself_reads_as_that_of_az():
    shown = sample("pod_subnet_static_show")
    names = ("agentPoolProfiles", "networkProfile", "kubernetesVersion", "nodeResourceGroup")
    raw = {key: shown[key] for key in ("id", "name", "type", "sku")}
    raw["properties"] = {key: shown[key] for key in names}
    assert of({"value": [raw]}) == from_samples("pod_subnet_static_show")


def secrets():
    """What a plan never needs, by the names of the fields in which the samples have it."""
    words = "subscription tenant principal client object group(?!s) key fqdn user trust pass issuer"
    wanted = re.compile("|".join(words.split()), re.IGNORECASE)

    def walk(value, name):
        if isinstance(value, dict):
            for key, each in value.items():
                yield from walk(each, key)
        elif isinstance(value, list):
            for each in value:
                yield from walk(each, name)
        elif isinstance(value, str) and wanted.search(name) and len(value) > 6:
            yield value

    for name in NAMES:
        yield from walk(sample(name), "")
    yield from ("5ec0de00", "7e4a4700", "beef", "AAAAB3NzaC1yc2E", "azmk8s.io", "sample-")


def test_nothing_secret_of_any_sample_is_kept():
    kept = "".join(repr(from_samples(name)) for name in NAMES)
    kept += repr(from_samples("node_subnet_show", "node_subnet_vnet", "node_subnet_nodes"))
    found = set(secrets())
    assert len(found) > 15
    assert [secret for secret in found if secret in kept] == []


def test_an_error_shows_nothing_of_what_was_pasted():
    with pytest.raises(InputError) as caught:
        read([text("kubenet_show")[:-100]])
    assert "is no complete JSON: see line" in str(caught.value)
    assert [secret for secret in secrets() if secret in repr(vars(caught.value))] == []


def kept_by(error):
    """All that an error holds: itself, what is behind it, and the variables of our own frames."""
    while error is not None:
        yield repr(vars(error))
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if "/course/" in frame.f_code.co_filename:
                yield repr(frame.f_locals)
        yield from (repr(vars(each)) for each in (error.__cause__, error.__context__) if each)
        error = error.__context__


@pytest.mark.parametrize(
    "hostile",
    [
        '{"password": "hunter2", ',
        "hunter2",
        '{"password": "hunter2"}',
        "[" * 100_000 + '"hunter2"',
        b"hunter2 \xff",
        '[{"type": "x/managedClusters", "name": "hunter2"}, {"type": "x/managedClusters"}]',
    ],
)
def test_an_error_holds_no_secret_not_even_behind_it_or_in_its_traceback(hostile):
    given = [hostile]
    with pytest.raises(InputError) as caught:
        read(given)
    assert caught.value.__context__ is None
    assert "hunter2" not in "".join(kept_by(caught.value))


def test_answers_about_two_clusters_are_refused():
    for names in (
        ("kubenet_show", "overlay_show"),
        ("kubenet_show", "node_subnet_nodepool_list"),
        ("kubenet_show", "overlay_nodes"),
    ):
        with pytest.raises(InputError, match="more than one cluster"):
            from_samples(*names)


def test_two_clusters_of_one_name_in_two_resource_groups_are_refused():
    shown = sample("node_subnet_show")
    pools = text("node_subnet_nodepool_list").replace("rg-flat", "rg-other")
    assert pools != text("node_subnet_nodepool_list")
    with pytest.raises(InputError, match="more than one cluster"):
        read([json.dumps(shown), pools])


def test_a_network_that_is_neither_the_clusters_nor_a_peer_is_left_out():
    hub = sample("pod_subnet_vnet")
    found = of(sample("node_subnet_show"), sample("node_subnet_vnet"), hub)
    assert "were left out: 1." in noted(found)
    alone = of(sample("node_subnet_show"), hub)
    assert "vnet" in asked(alone)


def test_the_ranges_of_a_peer_may_come_from_the_peer():
    spoke = sample("node_subnet_vnet")
    to_data = spoke["virtualNetworkPeerings"][1]
    to_data["remoteAddressSpace"] = to_data["remoteVirtualNetworkAddressSpace"] = None
    peer = {
        "id": to_data["remoteVirtualNetwork"]["id"],
        "addressSpace": {"addressPrefixes": ["10.31.0.0/16"]},
    }
    show = sample("node_subnet_show")
    assert "peered" in asked(of(show, spoke))
    assert ranges(of(show, [spoke, peer]).design.peered)["vnet-data"] == "10.31.0.0/16"


def network(peers=(), subnets=(), prefixes=("10.0.0.0/8",)):
    """What `az network vnet show` prints: peers and subnets as (name, ranges), in this order."""
    return {
        "type": "Microsoft.Network/virtualNetworks",
        "name": "spoke",
        "addressSpace": {"addressPrefixes": list(prefixes)},
        "subnets": [{"name": name, "addressPrefixes": found} for name, found in subnets],
        "virtualNetworkPeerings": [
            {
                "remoteVirtualNetwork": {
                    "id": f"/resourceGroups/rg-{number}/virtualNetworks/{name}"
                },
                "remoteAddressSpace": {"addressPrefixes": found},
            }
            for number, (name, found) in enumerate(peers)
        ],
    }


def test_no_range_of_a_peer_is_lost_to_a_name_made_up_for_another():
    peers = [("hub", ["10.5.0.0/16", "10.6.0.0/16"]), ("hub-2", ["10.7.0.0/16"])]
    for order in permutations(peers):
        found = ranges(of(network(order)).design.peered)
        assert set(found.values()) == {"10.5.0.0/16", "10.6.0.0/16", "10.7.0.0/16"}
        assert (found["hub"], found["hub-2"]) == ("10.5.0.0/16", "10.7.0.0/16")


def test_networks_and_subnets_whose_names_differ_in_case_alone_are_told_apart():
    peers = [("hub", ["10.5.0.0/16"]), ("HUB", ["10.6.0.0/16"])]
    subnets = [("snet", ["10.1.0.0/24"]), ("SNET", ["10.1.1.0/24"])]
    found = of(network(peers, subnets)).design
    assert ranges(found.peered) == {"hub": "10.5.0.0/16", "HUB-2": "10.6.0.0/16"}
    assert ranges(found.subnets) == {"snet": "10.1.0.0/24", "SNET-2": "10.1.1.0/24"}


def test_a_further_range_of_a_subnet_stands_on_its_own():
    found = of(network(subnets=[("snet", ["10.1.0.0/24", "fd00::/64", "10.1.1.0/24"])])).design
    assert ranges(found.subnets) == {"snet": "10.1.0.0/24", "snet-2": "10.1.1.0/24"}


names = st.text("aA-2", min_size=1, max_size=3).map(lambda end: f"n{end}n") | st.just("x" * 80)


@given(st.lists(st.tuples(names, st.integers(1, 3)), max_size=6))
def test_every_range_of_every_peer_and_subnet_is_read_whatever_they_are_called(told):
    numbers = iter(range(100))
    items = [(name, [f"10.{next(numbers)}.0.0/16" for _ in range(n)]) for name, n in told]
    every = {each for _, found in items for each in found}
    design = of(network(items, items)).design
    assert {canonical(each.range) for each in design.peered} == every
    assert {canonical(each.range) for each in design.subnets} == every


def test_of_more_peers_than_a_plan_may_have_the_rest_is_asked_for():
    peers = [(f"hub{i}", [f"10.{i // 256}.{i % 256}.0/24"]) for i in range(501)]
    found = of(network(peers))
    assert len(found.design.peered) == 500
    assert "There are 501 peered ranges; the plan takes the first 500." in found.notes
    assert "peered" in {each.field for each in found.needed}


def test_names_of_subnets_are_the_same_in_any_case():
    show = json.loads(text("node_subnet_show").replace("subnets/snet-aks", "subnets/SNET-AKS"))
    found = of(show, sample("node_subnet_vnet"))
    assert found.design.pools[0].subnet == "snet-aks"
    assert not {each for each in asked(found) if each.startswith("subnets")}


def test_a_plugin_of_ones_own_has_no_model():
    found = of(cluster(networkProfile={"networkPlugin": "none"}))
    assert found.design.model == ""
    assert "model" in {each.field for each in found.needed}
    assert "its own network plugin" in noted(found)


def test_of_a_cluster_with_both_families_the_ipv4_ranges_are_planned():
    families = {"serviceCidr": "fd00::/108", "serviceCidrs": ["fd00::/108", "10.9.0.0/16"]}
    found = of(cluster(networkProfile=families))
    assert canonical(found.design.service_range) == "10.9.0.0/16"
    assert "IPv6" in noted(found)


def test_one_node_is_a_node():
    node = {"kind": "Node", "metadata": {"labels": {"agentpool": "system"}}}
    assert "kubectl shows 1 node in pool system, az says 2." in of(cluster(), node).notes


def test_what_was_not_told_is_needed_if_a_verdict_hangs_on_it():
    whole = from_samples("node_subnet_show", "node_subnet_vnet")
    assert whole.needed == ()
    kubectl_alone = {each.field for each in from_samples("overlay_nodes").needed}
    assert {"model", "pools", "vnet", "service_range"} <= kubectl_alone
    assert not {"tier", "policy", "services"} & kubectl_alone


def test_pools_outside_of_the_autoscalers_bounds_are_as_they_are():
    found = of(pool(count=1, enableAutoScaling=True, minCount=3, maxCount=5))
    (only,) = found.design.pools
    assert (only.nodes, only.min_nodes, only.max_nodes) == (1, 1, 5)
    assert "outside of the autoscaler's 3 to 5" in noted(found)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"count": None}, "nodes"),
        ({"count": -1}, "nodes"),
        ({"count": True}, "nodes"),
        ({"count": 10**18}, "nodes"),
        ({"maxPods": "١٠"}, "max_pods"),
        ({"maxPods": 0}, "max_pods"),
        ({"upgradeSettings": {"maxSurge": "many"}}, "max_surge"),
        ({"upgradeSettings": {"maxSurge": ["10%"]}}, "max_surge"),
        ({"osType": "Plan9"}, "system"),
        ({"osType": "Windows", "osSKU": "Windows3000"}, "system"),
        ({"osType": "Windows", "osSKU": "Windows2022", "name": "toolong"}, "system"),
        ({"enableAutoScaling": True, "minCount": 1}, "max_nodes"),
        ({"vnetSubnetID": "nonsense"}, "subnet"),
        ({"podSubnetID": ["x"]}, "pod_subnet"),
    ],
)
def test_what_a_pool_does_not_tell_is_asked_for_and_the_rest_is_kept(changed, field):
    found = of(pool(**changed))
    (only,) = found.design.pools
    assert f"pools.{only.name}.{field}" in asked(found)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"networkProfile": {"serviceCidr": "10.0.0.1/16"}}, "service_range"),
        ({"networkProfile": {"dnsServiceIp": None}}, "dns_address"),
        ({"networkProfile": {"networkPlugin": "own"}}, "model"),
        ({"networkProfile": {"networkPlugin": "kubenet"}}, "pod_range"),
        ({"networkProfile": {"networkPolicy": 1}}, "policy"),
        ({"networkProfile": {"outboundType": "block"}}, "outbound.type"),
        ({"networkProfile": {"outboundType": "userAssignedNATGateway"}}, "outbound.addresses"),
        ({"networkProfile": {"loadBalancerProfile": None}}, "outbound.addresses"),
        (
            {"networkProfile": {"loadBalancerProfile": {"allocatedOutboundPorts": "x"}}},
            "outbound.ports_per_node",
        ),
        ({"kubernetesVersion": "latest"}, "kubernetes"),
        ({"sku": None}, "tier"),
        ({"name": "<script>"}, "name"),
        ({"agentPoolProfiles": None}, "pools"),
        ({"agentPoolProfiles": [{"name": "No Name", "count": 1}]}, "pools"),
    ],
)
def test_what_a_cluster_does_not_tell_is_asked_for(changed, field):
    assert field in asked(of(cluster(**changed)))


@pytest.mark.parametrize(
    ("hostile", "rule"),
    [
        ([], "holds nothing"),
        ([""], "holds no JSON"),
        (["null"], "holds no JSON"),
        (["{}"], "holds nothing"),
        (["x" * 10_000_000], "holds no JSON"),
        (["[" * 1_000_000], "nested deeper"),
        (['{"a":' * 1_000_000], "nested deeper"),
        (["[NaN, Infinity, 1e999, " + "9" * 10_000 + "]"], "holds nothing"),
        (['{"name": '], "no complete JSON: see line 1"),
        ([b"\xff\xfe\x00"], "is no text"),
        ([b"\xc3\x28"], "is no text"),
        ([None], "is no text"),
        ([{}], "is no text"),
    ],
)
def test_hostile_text_is_refused_with_its_reason(hostile, rule):
    with pytest.raises(InputError, match=rule):
        read(hostile)


def test_a_text_can_be_too_long(monkeypatch):
    monkeypatch.setattr(running_json, "MOST_CHARACTERS", 10)
    with pytest.raises(InputError, match="is longer than 10 characters"):
        read(["x" * 11])


# names, addresses and numbers such as az prints, and much that it does not
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(10**18, 10**30),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["", "0", "10%", "٣", "10.0.0.0/8", "::/0", "0.0.0.0/0", "1.31", "9.9999"]),
    st.sampled_from(["azure", "Windows", "aks", "a" * 70, "/subnets/x", "/", "<b>", "\ud800"]),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value, found=()):
    """The path of every value inside a value."""
    yield found
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(min(len(value), 3)):
            yield from places(value[key], (*found, key))


def put(value, path, new):
    """The value with another one at a path."""
    if not path:
        return new
    key, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = put(copy[key], rest, new)
    return copy


@cache
def paths(name):
    return sorted(places(sample(name)), key=repr)


@st.composite
def broken(draw, name):
    """A sample in which some values are any other values."""
    found = sample(name)
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(paths(name)))
        try:
            found = put(found, path, draw(values))
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    return found


def reads_or_refuses(texts):
    try:
        found = read(texts)
    except InputError:
        return
    assert isinstance(found, Running)
    assert len(asked(found)) == len(found.missing)


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_value_in_any_place_gives_a_design_or_a_reason(data):
    names = data.draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True))
    reads_or_refuses([json.dumps(data.draw(broken(name))) for name in names])


@pytest.mark.parametrize("new", [None, [], {}, "", "x", 0, -1, 1.5, True, [None], 10**40])
def test_every_field_of_a_cluster_may_be_anything(new):
    for name in ("overlay_show", "pod_subnet_vnet"):
        whole = sample(name)
        for path in paths(name):
            reads_or_refuses([json.dumps(put(whole, path, new))])


@given(st.lists(st.text() | st.binary(), max_size=3))
@example(["{}{}[[]]"])
def test_any_text_gives_a_design_or_a_reason(texts):
    reads_or_refuses(texts)
