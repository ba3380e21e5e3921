"""A real plugin that a learner calls by hand on a node of the lab, as lesson 03 does."""

from __future__ import annotations

import json

import pytest

from course.laboratory import Lab
from course.scenarios import SCENARIOS, small_cluster
from course.views import reservations
from tests.labs import LIVE

pytestmark = LIVE

RANGE = "10.99.0.0/29"
CONF = {
    "cniVersion": "0.4.0", "name": "hand", "type": "bridge", "bridge": "hand0", "isGateway": True,
    "ipam": {"type": "host-local", "subnet": RANGE, "routes": [{"dst": "0.0.0.0/0"}]},
}  # fmt: skip
FOLDERS = "/usr/lib/cni:/opt/cni/bin"


@pytest.fixture
def lab():
    with Lab(small_cluster("kubenet"), live=True) as opened:
        yield opened


def shell(lab, command):
    return lab.run("node1", ["sh", "-c", command])


def call(lab, command, pod, netns=None):
    """What the plugin bridge prints."""
    netns = f"/run/netns/{pod}" if netns is None else netns
    variables = f"CNI_COMMAND={command} CNI_CONTAINERID={pod} CNI_NETNS={netns} CNI_IFNAME=eth0"
    document = json.dumps(CONF)
    path = f"CNI_PATH={FOLDERS} PATH={FOLDERS}:$PATH"
    return shell(lab, f"echo '{document}' | {variables} {path} bridge")


def make(lab, pod):
    shell(lab, f"ip netns add {pod}")
    return json.loads(call(lab, "ADD", pod))


def test_a_namespace_that_one_command_makes_is_there_for_the_next(lab):
    assert shell(lab, "ip netns add mine") == ""
    assert "lo" in shell(lab, "ip netns exec mine ip link")
    assert shell(lab, "ip netns delete mine") == ""
    assert "mine" not in shell(lab, "ls /run/netns")


def test_a_pod_made_by_hand_is_reached_from_its_node_and_not_from_another(lab):
    assert make(lab, "mine")["ips"][0]["address"] == "10.99.0.2/29"
    for host, received in (("node1", 1), ("web-1", 1), ("node2", 0)):
        assert f"{received} received" in lab.run(host, "ping -c 1 -W 1 10.99.0.2"), host


def test_the_lab_goes_on_beside_it_and_takes_it_back_when_the_cluster_is_changed(lab):
    make(lab, "mine")
    assert any("hand0" in sentence for sentence in lab.drift())
    seen = lab.observe(SCENARIOS["across nodes"].flow(lab.world))
    assert lab.compare(seen).equal
    lab.apply(lab.topology)
    assert lab.drift() == ()


def test_reservations_outlive_their_pods_until_somebody_calls_del(lab):
    pods = ["a", "b", "c", "d", "e"]
    for pod in pods:
        make(lab, pod)
        shell(lab, f"ip netns delete {pod}")
    assert "no IP addresses available in range set" in make(lab, "new")["msg"]
    assert "5 stale" in reservations(lab, "node1", "hand", RANGE, ["new"]).alt
    for pod in (*pods, *pods):
        assert call(lab, "DEL", pod, netns="") == ""
    call(lab, "DEL", "new")
    assert json.loads(call(lab, "ADD", "new"))["ips"]
    assert "stale" not in reservations(lab, "node1", "hand", RANGE, ["new"]).alt
    assert "reserved" not in reservations(lab, "node2", "hand", RANGE).alt
