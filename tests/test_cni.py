"""The contract, planned and for real: the course's runtime and plugin beside Debian's plugins."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

from course.cni import aks, contract, host_local, kubenet, plugin, runtime
from course.cni.configuration import load_default, load_file, parse
from course.cni.contract import CniError
from course.cni.expected import VIRTUAL_GATEWAY
from course.cni.install import install
from course.cni.result import DNS, Interface, IPConfig, Result, Route, agrees
from course.cni.runtime import Attachment
from course.errors import InputError
from course.lab.probe.needs import Needs

DEBIAN = next((each for each in Needs().plugin_folders if Path(each, "bridge").exists()), "")
UNSHARE = ["unshare", "--user", "--map-root-user", "--net", "--mount"]
POD_RANGE = "10.244.0.0/24"

# --- the contract ---------------------------------------------------------------------------------


def network_of(*plugins, version="1.0.0", **keys):
    return parse({"cniVersion": version, "name": "dbnet", "plugins": list(plugins), **keys})


POD = Attachment("a51debf7e1eb", "/run/netns/blue")
GIVEN = Result(ips=(IPConfig("10.1.0.5/16", "10.1.0.1"),), routes=(Route("0.0.0.0/0"),))

results = st.builds(
    Result,
    st.lists(st.builds(Interface, st.just("eth0"), st.just("0a:58:0a:f4:00:02")), max_size=3).map(
        tuple
    ),
    st.lists(
        st.sampled_from([IPConfig("10.1.0.5/16", "10.1.0.1"), IPConfig("fd00::5/64", interface=0)]),
        max_size=2,
        unique=True,
    ).map(tuple),
    st.lists(st.sampled_from([Route("0.0.0.0/0"), Route("fd01::/64", "fd00::1")]), max_size=2).map(
        tuple
    ),
    st.builds(DNS, st.sampled_from([(), ("10.0.0.10",)])),
)


@given(results, st.sampled_from([each for each in contract.SUPPORTED if each >= "0.3.0"]))
def test_a_result_survives_every_version_that_has_lists(result, version):
    assert Result.from_json(json.loads(json.dumps(result.as_json(version)))) == result


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_the_oldest_shape_has_one_address_of_each_family_and_no_interfaces(version):
    two = Result((Interface("eth0"),), (IPConfig("10.1.0.5/16"), IPConfig("fd00::5/64")))
    printed = two.as_json(version)
    assert set(printed) == {"cniVersion", "ip4", "ip6", "dns"}
    assert Result.from_json(printed).ips == two.ips
    with pytest.raises(CniError, match="more than 1 address per family"):
        replace(two, ips=two.ips[:1] * 2).as_json(version)


def test_what_1_1_0_brought_is_left_out_for_older_plugins():
    made = Result((Interface("eth0", mtu=1500),), routes=(Route("0.0.0.0/0", table=100),))
    assert made.as_json("1.1.0")["interfaces"] == [{"name": "eth0", "mtu": 1500}]
    assert made.as_json("1.0.0")["routes"] == [{"dst": "0.0.0.0/0"}]


def test_addresses_bear_their_family_only_from_0_3_0_to_0_4_0():
    shapes = {
        version: "version" in GIVEN.as_json(version)["ips"][0] for version in contract.SUPPORTED[2:]
    }
    assert shapes == {"0.3.0": True, "0.3.1": True, "0.4.0": True, "1.0.0": False, "1.1.0": False}


@given(st.lists(st.sampled_from(["portmap", "firewall", "sbr"]), max_size=5))
def test_del_goes_through_a_list_backwards_with_the_last_result_of_add(more):
    network = network_of({"type": "bridge"}, *({"type": each} for each in more))
    added = runtime.plan_add(network, POD, GIVEN)
    deleted = runtime.plan_del(network, POD, added[-1].expected)
    assert [call.plugin for call in deleted] == [call.plugin for call in added][::-1]
    assert {json.dumps(call.stdin["prevResult"]) for call in deleted} == {
        json.dumps(added[-1].expected.as_json("1.0.0"))
    }


def test_a_list_older_than_0_4_0_hands_no_result_to_del_and_has_no_check():
    network = network_of({"type": "bridge"}, version="0.3.1")
    assert "prevResult" not in runtime.plan_del(network, POD, GIVEN)[0].stdin
    with pytest.raises(CniError, match="has no CHECK") as caught:
        runtime.plan_check(network, POD, GIVEN)
    assert caught.value.code == 1


def test_status_and_gc_are_not_asked_before_1_1_0_and_gc_not_when_disabled():
    assert runtime.plan_status(network_of({"type": "bridge"})) == ()
    assert runtime.plan_gc(network_of({"type": "bridge"}), [POD]) == ()
    new = network_of({"type": "bridge"}, version="1.1.0")
    (call,) = runtime.plan_gc(new, [POD])
    assert call.stdin["cni.dev/valid-attachments"] == [
        {"containerID": "a51debf7e1eb", "ifname": "eth0"}
    ]
    assert call.environment == {"CNI_COMMAND": "GC", "CNI_PATH": "/opt/cni/bin"}
    assert runtime.plan_gc(replace(new, disable_gc=True), [POD]) == ()
    assert len(runtime.plan_status(new)) == 1


def test_check_is_not_asked_when_the_list_disables_it():
    network = network_of({"type": "bridge"}, disableCheck=True)
    assert runtime.plan_check(network, POD, GIVEN) == ()


def test_a_plugin_is_told_only_the_capabilities_that_it_asked_for():
    network = network_of(
        {"type": "bridge"},
        {"type": "portmap", "capabilities": {"portMappings": True, "dns": False}},
    )
    pod = replace(POD, capability_args={"portMappings": [], "dns": {}, "mac": "x"})
    bridge, portmap = runtime.plan_add(network, pod, GIVEN)
    assert "runtimeConfig" not in bridge.stdin
    assert portmap.stdin["runtimeConfig"] == {"portMappings": []}
    assert "capabilities" not in portmap.stdin


def test_every_planned_call_has_the_environment_that_its_operation_needs():
    network = network_of({"type": "bridge"}, {"type": "portmap"}, version="1.1.0")
    calls = (
        *runtime.plan_add(network, POD, GIVEN),
        *runtime.plan_check(network, POD, GIVEN),
        *runtime.plan_del(network, POD, GIVEN),
        *runtime.plan_gc(network, [POD]),
        *runtime.plan_status(network),
        runtime.plan_version("bridge"),
    )
    assert {contract.demand_environment(call.environment) for call in calls} == set(
        contract.ENVIRONMENT
    )


def test_a_plugin_that_nobody_knows_needs_a_result_from_who_asks():
    network = network_of({"type": "azure-vnet"})
    with pytest.raises(InputError, match="whose answer the course does not know"):
        runtime.plan_add(network, POD, GIVEN)
    (call,) = runtime.plan_add(network, POD, GIVEN, results={"azure-vnet": GIVEN})
    assert call.expected == GIVEN


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "a:b", "a" * 16, "é" * 8])
def test_an_interface_name_that_linux_refuses_is_refused(name):
    with pytest.raises(CniError) as caught:
        contract.valid_interface_name(name)
    assert caught.value.code == 4


def test_containerd_takes_the_first_file_and_the_plugins_beside_it(tmp_path):
    with pytest.raises(CniError, match="no network config found"):
        load_default(tmp_path)
    for name in ("azure-linux", "azilium"):
        text = json.dumps(aks.LISTS[name].conflist)
        place = {"azure-linux": "10-azure.conflist", "azilium": "05-cilium.conflist"}[name]
        tmp_path.joinpath(place).write_text(text)
    assert load_default(tmp_path).name == "cilium"
    beside = tmp_path / "azure"
    beside.mkdir()
    beside.joinpath("90-tuning.conf").write_text('{"type": "tuning"}')
    found = load_file(tmp_path / "10-azure.conflist")
    assert [each.type for each in found.plugins] == ["azure-vnet", "portmap", "tuning"]


def test_a_file_of_one_plugin_is_a_list_of_one(tmp_path):
    file = tmp_path / "99-loopback.conf"
    file.write_text('{"cniVersion": "0.4.0", "name": "lo", "type": "loopback"}')
    found = load_file(file)
    assert (found.name, found.version, found.plugins[0].type) == ("lo", "0.4.0", "loopback")


@pytest.mark.parametrize("text", ["{", "[]", '{"name": 1}', '{"name": "a", "plugins": 1}'])
def test_a_broken_list_is_refused_and_says_why(text):
    with pytest.raises(CniError, match="error parsing configuration list"):
        parse(text)


# --- host-local -----------------------------------------------------------------------------------

subnets = st.integers(24, 30).map(lambda length: f"10.1.2.0/{length}")


@given(subnets, st.integers(1, 40))
def test_host_local_gives_each_pod_its_own_address_until_none_is_left(subnet, pods):
    conf, store, seen = {"name": "n", "ipam": {"subnet": subnet}}, host_local.Store(), set()
    room = IPNetwork(subnet).size - 3  # network, broadcast, gateway
    for number in range(min(pods, room)):
        result, store = host_local.add(conf, f"pod{number}", "eth0", store)
        seen.add(result.ips[0].address)
    assert len(seen) == min(pods, room)
    if pods > room:
        with pytest.raises(CniError, match="no IP addresses available in range set"):
            host_local.add(conf, "one-more", "eth0", store)


def test_a_freed_address_rests_until_the_range_was_walked_through():
    conf = {"name": "n", "ipam": {"subnet": "10.1.2.0/29"}}
    store, given_out = host_local.Store(), []
    for number in range(7):
        result, store = host_local.add(conf, f"pod{number}", "eth0", store)
        store = host_local.delete(f"pod{number}", "eth0", store)
        given_out.append(int(result.ips[0].address[7]))
    assert given_out == [2, 3, 4, 5, 6, 2, 3]


@pytest.mark.parametrize(
    ("ipam", "msg"),
    [
        ({}, "no IP ranges specified"),
        ({"subnet": "10.1.2.0/31"},
         "invalid range set 0: Network 10.1.2.0/31 too small to allocate from"),
        ({"ranges": [[{"subnet": "10.0.0.0/24"}, {"subnet": "fd00::/64"}]]},
         "invalid range set 0: mixed address families"),
    ],
)  # fmt: skip
def test_host_local_refuses_ranges_that_cannot_be(ipam, msg):
    with pytest.raises(CniError) as caught:
        host_local.add({"name": "n", "ipam": ipam}, "pod", "eth0")
    assert caught.value.msg == msg


# --- the lists on AKS nodes -----------------------------------------------------------------------


@pytest.mark.parametrize("name", aks.LISTS)
def test_every_field_of_an_aks_list_is_explained_and_every_list_has_its_source(name):
    one = aks.LISTS[name]
    assert parse(one.conflist).version in ("0.3.0", "0.3.1")
    assert {"repository", "path", "commit", "read"} <= set(one.source)
    assert [path for path, _ in aks.fields(one.conflist) if path not in aks.FIELDS] == []


@pytest.mark.parametrize("hairpin", [False, True])
def test_every_field_of_kubenets_template_is_explained(hairpin):
    conflist = kubenet.containerd_list(["10.244.0.0/24", "fd00::/64"], hairpin)
    assert [path for path, _ in aks.fields(conflist) if path not in aks.FIELDS] == []
    assert "<" not in json.dumps(conflist)


# --- for real -------------------------------------------------------------------------------------


class Node:
    """A host of our own: a user, mount and network namespace, gone when its process ends."""

    def __init__(self):
        if not (shutil.which("unshare") and shutil.which("ip")):
            pytest.skip("namespaces need Linux with unshare (util-linux) and ip (iproute2)")
        ready = (
            "mount -t tmpfs tmpfs /run && mkdir -p /run/netns && ip link set lo up && echo ready"
        )
        self.process = subprocess.Popen(
            [*UNSHARE, "sh", "-c", f"{ready} && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        if self.process.stdout.readline() != "ready\n":
            pytest.skip(f"namespaces are not possible here: {self.process.communicate()[1]}")
        self.inside = (
            "nsenter", f"--target={self.process.pid}", "--user", "--net", "--mount",
            "--preserve-credentials",
        )  # fmt: skip

    def run(self, command, netns=None):
        enter = ["nsenter", f"--net=/run/netns/{netns}"] if netns else []
        line = [*self.inside, *enter, *command.split()]
        return subprocess.run(line, capture_output=True, text=True, check=True).stdout

    def show(self, command, netns=None):
        return json.loads(self.run(f"ip -json {command}", netns) or "[]")

    def links(self, netns=None):
        return {link["ifname"] for link in self.show("link show", netns)} - {"lo"}

    def pod(self, name, **keys):
        self.run(f"ip netns add {name}")
        return Attachment(f"id-{name}", f"/run/netns/{name}", **keys)

    def answers(self, netns, address):
        """Whether a port that nobody listens on says so: a packet went there, and one came back."""
        ask = f"s.settimeout(2); print(s.connect_ex(({address!r}, 9)))"
        code = f"import socket; s = socket.socket(); {ask}"
        line = [*self.inside, "nsenter", f"--net=/run/netns/{netns}", sys.executable, "-c", code]
        ran = subprocess.run(line, capture_output=True, text=True, check=True)
        return int(ran.stdout) == 111  # ECONNREFUSED


@pytest.fixture
def node():
    if not DEBIAN:
        pytest.skip("no CNI plugins: apt install containernetworking-plugins")
    made = Node()
    yield made
    made.process.communicate()


def ipam(**keys):
    return {"type": "host-local", "subnet": POD_RANGE, "dataDir": "/run/cni", **keys}


def observed(node, result, pod):
    """Addresses and routes of a pod as the kernel has them, in the words of a result."""
    name = Path(pod.netns).name
    (link,) = node.show(f"address show dev {pod.ifname}", name)
    addresses = {f"{each['local']}/{each['prefixlen']}" for each in link["addr_info"]}
    routes = {(r["dst"], r.get("gateway")) for r in node.show("route show", name)}
    (inside,) = [each for each in result.interfaces if each.sandbox]
    assert inside.mac == link["address"]
    assert {ip.address for ip in result.ips} <= addresses
    return addresses, routes


@pytest.fixture
def course_ptp(node, tmp_path):
    install(tmp_path)
    return f"{tmp_path}:{DEBIAN}"


LESSON = {"type": "course-ptp", "ipam": ipam()}


def test_our_plugin_wires_a_pod_as_azures_transparent_mode_does(node, course_ptp):
    network = network_of(LESSON)
    blue, red = node.pod("blue"), node.pod("red")
    given_out, _ = host_local.add(LESSON, "id-blue", "eth0")
    (call,) = runtime.plan_add(network, blue, given_out, course_ptp)
    result = runtime.add(network, blue, course_ptp, node.inside)
    other = runtime.add(network, red, course_ptp, node.inside)
    assert agrees(call.expected, result)
    _, routes = observed(node, result, blue)
    assert routes == {(VIRTUAL_GATEWAY, None), ("default", VIRTUAL_GATEWAY)}
    host = result.interfaces[0]
    (entry,) = node.show("neigh show", "blue")
    assert (entry["dst"], entry["lladdr"], entry["state"]) == (
        VIRTUAL_GATEWAY, host.mac, ["PERMANENT"],
    )  # fmt: skip
    (route,) = node.show("route show 10.244.0.2")
    assert route["dev"] == host.name
    assert node.answers("blue", other.ips[0].address.partition("/")[0])
    runtime.check(network, blue, result, course_ptp, node.inside)

    for pod, made in ((blue, result), (red, other), (red, other)):  # a second DEL is no error
        runtime.delete(network, pod, made, course_ptp, node.inside)
    assert node.links() == set()
    assert node.show("route show") == []
    assert node.links("blue") == set()
    assert set(node.run("ls /run/cni/dbnet").split()) == {"last_reserved_ip.0", "lock"}


@pytest.mark.parametrize(
    "damage",
    [
        "ip address del 10.244.0.2/24 dev eth0",
        "ip link set eth0 down",
        "ip route del default",
        f"ip neigh del {VIRTUAL_GATEWAY} dev eth0",
        "ip link del eth0",
    ],
)
def test_check_finds_what_somebody_changed(node, course_ptp, damage):
    network, blue = network_of(LESSON), node.pod("blue")
    result = runtime.add(network, blue, course_ptp, node.inside)
    node.run(damage, "blue")
    with pytest.raises(CniError) as caught:
        runtime.check(network, blue, result, course_ptp, node.inside)
    assert caught.value.code == plugin.NOT_AS_ADDED


def test_a_second_add_is_refused_and_leaves_the_first_alone(node, course_ptp):
    network, blue = network_of(LESSON), node.pod("blue")
    result = runtime.add(network, blue, course_ptp, node.inside)
    (call,) = runtime.plan_add(network, blue, GIVEN, course_ptp)
    with pytest.raises(CniError, match="exists already"):
        runtime.execute(call, node.inside)
    runtime.check(network, blue, result, course_ptp, node.inside)


def test_an_add_that_fails_leaves_nothing_behind(node, course_ptp):
    network, blue = network_of(LESSON), node.pod("blue", args={"IP": "10.244.0.1"})
    with pytest.raises(CniError, match="subnet's gateway"):
        runtime.add(network, blue, course_ptp, node.inside)
    missing = Attachment("id-none", "/run/netns/none")
    with pytest.raises(CniError, match="CNI_NETNS is no network namespace"):
        runtime.add(network, missing, course_ptp, node.inside)
    assert node.links() == set()
    with pytest.raises(CniError, match='failed to find plugin "no-such"'):
        runtime.add(network_of({"type": "course-ptp", "ipam": {"type": "no-such"}}), blue,
                    course_ptp, node.inside)  # fmt: skip


# An IPAM plugin that knows the newest contract; Debian's stop at 1.0.0.
IPAM_1_1 = """#!/bin/sh
[ ! -e /run/no-addresses ] || { echo '{"code": 11, "msg": "no addresses yet"}'; exit 1; }
case $CNI_COMMAND-$CNI_CONTAINERID-$CNI_IFNAME in
ADD-id-blue-eth0) address=10.9.0.7 ;;
ADD-id-red-eth0) address=10.9.0.8 ;;
ADD-id-red-eth1) address=10.9.0.9 ;;
*) exit 0 ;;
esac
echo '{"cniVersion": "1.1.0", "ips": [{"address": "'$address'/24"}]}'
"""


def test_gc_removes_what_no_runtime_knows_and_status_asks_ipam(node, course_ptp, tmp_path):
    tmp_path.joinpath("newest").write_text(IPAM_1_1)
    tmp_path.joinpath("newest").chmod(0o755)
    network = network_of({"type": "course-ptp", "ipam": {"type": "newest"}}, version="1.1.0")
    other = replace(network, name="other-network")
    blue, red = node.pod("blue"), node.pod("red")
    kept = runtime.add(network, blue, course_ptp, node.inside)
    runtime.add(network, red, course_ptp, node.inside)
    # the pod has a default route already: eth1 of another network needs a pod without one
    node.run("ip route del default", "red")
    node.run(f"ip route del {VIRTUAL_GATEWAY}", "red")
    elsewhere = runtime.add(other, replace(red, ifname="eth1"), course_ptp, node.inside)
    for call in runtime.plan_gc(network, [blue], course_ptp):
        assert runtime.execute(call, node.inside) is None
    assert node.links() == {kept.interfaces[0].name, elsewhere.interfaces[0].name}

    (asked,) = runtime.plan_status(network, course_ptp)
    assert runtime.execute(asked, node.inside) is None
    node.run("touch /run/no-addresses")
    with pytest.raises(CniError) as caught:
        runtime.execute(asked, node.inside)
    assert (caught.value.code, caught.value.details) == (50, "no addresses yet")


@pytest.mark.parametrize(
    ("environment", "stdin", "code"),
    [
        ({}, "{}", 4),
        ({"CNI_COMMAND": "DANCE"}, "{}", 4),
        ({"CNI_COMMAND": "ADD"}, "{}", 4),
        ({"CNI_COMMAND": "VERSION"}, "{", 6),
        ({"CNI_COMMAND": "VERSION"}, "[]", 6),
        ({"CNI_COMMAND": "STATUS", "CNI_PATH": "/x"}, '{"cniVersion": "1.0.0", "name": "n"}', 1),
        ({"CNI_COMMAND": "GC", "CNI_PATH": "/x"}, '{"cniVersion": "9.0.0", "name": "n"}', 1),
        ({"CNI_COMMAND": "GC", "CNI_PATH": "/x"}, '{"cniVersion": "1.1.0"}', 7),
        ({"CNI_COMMAND": "GC", "CNI_PATH": "/x"}, '{"cniVersion": "1.1.0", "name": "n"}', 7),
        ({"CNI_COMMAND": "DEL", "CNI_CONTAINERID": "%", "CNI_IFNAME": "eth0", "CNI_PATH": "/x"},
         '{"cniVersion": "1.0.0", "name": "n"}', 4),
    ],
)  # fmt: skip
def test_our_plugin_prints_errors_as_the_contract_wants(tmp_path, environment, stdin, code):
    ran = subprocess.run(
        [install(tmp_path)],
        input=stdin,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    printed = json.loads(ran.stdout)
    assert (ran.returncode, printed["code"]) == (1, code)
    assert printed["msg"]
    assert printed["cniVersion"]
    assert ran.stderr == ""


def test_our_plugin_tells_its_versions_as_debians_do(node, course_ptp):
    for name in ("course-ptp", "bridge"):
        told = runtime.execute(runtime.plan_version(name, "1.0.0", course_ptp))
        assert set(told) == {"cniVersion", "supportedVersions"}
        assert {"0.3.1", "0.4.0", "1.0.0"} <= set(told["supportedVersions"])
    module = subprocess.run(
        [sys.executable, "-m", "course.cni.plugin"], input="{}", text=True,
        env={"CNI_COMMAND": "VERSION"}, capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(module.stdout)["supportedVersions"] == list(plugin.SUPPORTED)


BRIDGE = {
    "type": "bridge",
    "bridge": "cni0",
    "isGateway": True,
    "ipam": ipam(routes=[{"dst": "0.0.0.0/0"}]),
}
PORTMAP = {"type": "portmap", "capabilities": {"portMappings": True}}
TUNING = {"type": "tuning", "capabilities": {"mac": True}, "sysctl": {"net.core.somaxconn": "500"}}
TOLD = {
    "mac": "00:11:22:33:44:66",
    "portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}],
}


@pytest.mark.parametrize("version", ["0.3.1", "0.4.0", "1.0.0"])
@pytest.mark.parametrize(
    "plugins",
    [(BRIDGE,), (BRIDGE, TUNING, PORTMAP), ({**BRIDGE, "type": "ptp"}, PORTMAP), (LESSON, PORTMAP)],
    ids=lambda plugins: "-".join(each["type"] for each in plugins),
)
def test_what_real_plugins_answer_is_what_was_planned(node, course_ptp, plugins, version):
    network, blue = network_of(*plugins, version=version), node.pod("blue", capability_args=TOLD)
    given_out, _ = host_local.add(plugins[0] | {"name": "dbnet"}, blue.container_id, blue.ifname)
    planned = runtime.plan_add(network, blue, given_out, course_ptp)
    result = runtime.add(network, blue, course_ptp, node.inside)
    assert agrees(planned[-1].expected, result), (planned[-1].expected, result)
    _, routes = observed(node, result, blue)
    assert ("default", result.ips[0].gateway) in routes
    for call in runtime.plan_check(network, blue, result, course_ptp) if version > "0.3.1" else ():
        # portmap 1.1.1 looks for IPv6 rules too, which it never made for an IPv4 pod
        if call.plugin != "portmap":
            runtime.execute(call, node.inside)
    runtime.delete(network, blue, result, course_ptp, node.inside)
    assert node.links() <= {"cni0"}
    assert "10.244.0.2" not in node.run("ls /run/cni/dbnet")


@pytest.mark.parametrize("hairpin", [False, True])
def test_kubenets_list_makes_pods_on_cbr0_that_reach_each_other(node, hairpin):
    conflist = kubenet.containerd_list([POD_RANGE], hairpin)
    conflist["plugins"][0]["ipam"]["dataDir"] = "/run/cni"
    network = parse(conflist)
    blue, red = node.pod("blue"), node.pod("red")
    store = host_local.Store()
    for pod in (blue, red):
        given_out, store = host_local.add(conflist["plugins"][0], pod.container_id, "eth0", store)
        planned = runtime.plan_add(network, pod, given_out, DEBIAN)
        assert agrees(planned[-1].expected, runtime.add(network, pod, DEBIAN, node.inside))
    assert node.answers("red", "10.244.0.2")
    (bridge,) = node.show("-details link show cbr0")
    assert bridge["promiscuity"] == (0 if hairpin else 1)
    (address, *_) = node.show("address show cbr0")[0]["addr_info"]
    assert address["local"] == kubenet.bridge_address(POD_RANGE)


def test_the_kubelets_old_configuration_runs_as_a_list_of_one(node):
    old = kubenet.kubelet_configuration([POD_RANGE])
    old["ipam"]["dataDir"] = "/run/cni"
    network, blue = parse({**old, "plugins": [old]}), node.pod("blue")
    result = runtime.add(network, blue, DEBIAN, node.inside)
    assert result.ips == (IPConfig("10.244.0.2/24", "10.244.0.1"),)
    assert result.interfaces == ()  # the shape of 0.1.0 has none


@pytest.mark.parametrize("way", ["CNI_ARGS", "capability ips"])
def test_an_address_can_be_pinned(node, course_ptp, way):
    ways = {
        "CNI_ARGS": {"args": {"IP": "10.244.0.77"}},
        "capability ips": {"capability_args": {"ips": ["10.244.0.77/24"]}},
    }
    blue = node.pod("blue", **ways[way])
    network = network_of({**LESSON, "capabilities": {"ips": True}})
    (stdin,) = (call.stdin for call in runtime.plan_del(network, blue))
    expected, _ = host_local.add(stdin, "id-blue", "eth0", args=blue.args)
    result = runtime.add(network, blue, course_ptp, node.inside)
    assert [ip.address for ip in result.ips] == ["10.244.0.77/24"]
    assert [ip.address for ip in expected.ips] == ["10.244.0.77/24"]


def test_host_local_as_data_and_debians_give_the_same_addresses_and_files(node):
    conf = {"name": "n", "cniVersion": "1.0.0", "type": "x", "ipam": ipam(subnet="10.1.2.0/29")}
    store, refused = host_local.Store(), 0
    for command, pod in (
        [("ADD", "a"), ("ADD", "b"), ("DEL", "a"), ("ADD", "c"), ("ADD", "d"), ("ADD", "e"),
         ("ADD", "f"), ("ADD", "g"), ("ADD", "f")]
    ):  # fmt: skip
        environment = Attachment(pod, "/run/netns/x").environment
        call = runtime.PluginCall(
            "host-local", {**environment, "CNI_COMMAND": command, "CNI_PATH": DEBIAN}, conf
        )
        try:
            printed = runtime.execute(call, node.inside)
        except CniError as error:
            refused += 1
            with pytest.raises(CniError, match=f"^{re.escape(str(error))}$"):
                host_local.add(conf, pod, "eth0", store)
            continue
        if command == "DEL":
            store = host_local.delete(pod, "eth0", store)
        else:
            result, store = host_local.add(conf, pod, "eth0", store)
            assert Result.from_json(printed) == result
        names = set(node.run("ls /run/cni/n").split()) - {"lock"}
        assert names == set(store.files())
    for name, content in store.files().items():
        shown = node.run(f"cat /run/cni/n/{name}")
        assert shown.replace("\r\n", "\n") == content.replace("\r\n", "\n")
    assert (len(store.owners), refused) == (5, 2)
    assert IPAddress("10.1.2.1") not in store.owners


def test_the_real_errors_of_debians_plugins_are_read(node):
    network, blue = network_of({**BRIDGE, "ipam": ipam(subnet="10.1.2.3/24")}), node.pod("blue")
    (call,) = runtime.plan_add(network, blue, GIVEN, DEBIAN)
    with pytest.raises(CniError) as caught:
        runtime.execute(call, node.inside)
    with pytest.raises(CniError) as ours:
        host_local.add(call.stdin, "id-blue", "eth0")
    assert (caught.value.code, caught.value.msg) == (999, ours.value.msg)
    newer = runtime.plan_add(replace(network, version="1.1.0"), blue, GIVEN, DEBIAN)[0]
    with pytest.raises(CniError) as caught:
        runtime.execute(newer, node.inside)
    assert (caught.value.code, caught.value.msg) == (1, "incompatible CNI versions")
