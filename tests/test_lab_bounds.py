"""What a lab cannot do, and how a thousand real connections spread."""

from __future__ import annotations

import math
import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from course.laboratory import Lab
from course.scenarios import CLUSTER_IP, NODE_PORT, PUBLIC, small_cluster
from course.topology import Pod
from course.trace import Flow
from tests.labs import LIVE

pytestmark = LIVE
TIMES, BACKENDS = 1000, 3

CONNECTS = f"""
import socket, sys
for port in range({TIMES}):
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5):
        pass
print("connected")
"""
REACHES = """
import socket, sys
port, name = int(sys.argv[1]), sys.argv[2]
for family, place in ((socket.AF_INET, ("127.0.0.1", port)), (socket.AF_UNIX, "\\0" + name)):
    try:
        socket.socket(family, socket.SOCK_STREAM).connect(place)
        print("reached")
    except ConnectionRefusedError:
        print("refused")
"""


@pytest.fixture(scope="module")
def lab():
    with Lab(small_cluster("overlay"), plugins=False) as made:
        yield made


@pytest.fixture(scope="module")
def three():
    """The same with three pods behind the Service, and one that is not behind it."""
    topology = small_cluster("overlay")
    pods = topology.cluster.pods[:BACKENDS]
    with Lab(topology.changed(pods=(*pods, Pod("client", "node2")))) as made:
        yield made


# ---- how connections spread ----------------------------------------------------------------------


def counted(lab, node):
    """How many connections the rules of a node led to each endpoint of `web`."""
    saved = lab.run(node, "iptables-save -c -t nat")
    found = re.findall(
        r'\[(\d+):\d+\] -A KUBE-SEP-\S+ .*"default/web:http".* --to-destination (\S+)', saved
    )
    return {to: int(count) for count, to in found}


@pytest.mark.parametrize(
    ("client", "to", "port", "node"),
    [("client", CLUSTER_IP, 80, "node2"), ("vm-2", "10.240.0.4", NODE_PORT, "node1")],
    ids=["ClusterIP", "NodePort"],
)
def test_a_thousand_connections_spread_evenly_over_three_backends(three, client, to, port, node):
    before = counted(three, node)
    said = three.run(client, ["python3", "-c", CONNECTS, to, str(port)], timeout=60)
    assert said == "connected\n"
    spread = [count - before[to] for to, count in counted(three, node).items()]
    assert (len(spread), sum(spread)) == (BACKENDS, TIMES)
    share = 1 / BACKENDS
    # 5.3 standard deviations: by chance once in some millions
    bound = 5.3 * math.sqrt(TIMES * share * (1 - share))
    assert all(abs(count - TIMES * share) < bound for count in spread), spread


@pytest.mark.parametrize(
    ("client", "to", "port"), [("vm-2", "10.240.0.4", NODE_PORT), ("internet", PUBLIC, 80)]
)
def test_whom_a_backend_sees_behind_a_node_port_or_load_balancer_is_predicted(
    three, client, to, port
):
    for _ in range(8):
        seen = three.observe(Flow(client, to, port))
        assert three.compare(seen).equal
        assert seen.source_seen in ("10.240.0.4", "10.240.0.5")  # the node that it entered


# ---- what a lab cannot do -----------------------------------------------------------------------


def test_no_host_of_a_lab_has_an_interface_or_a_way_of_the_machine(lab):
    own = {name for _, name in socket.if_nameindex()} - {"lo"}
    for host in lab.world.by_name:
        assert not own & set(lab.run(host, "ls /sys/class/net").split()) - {"eth0"}
    known = {ip for host in lab.world.hosts for link in host.interfaces for ip in link.ips}
    for host in lab.world.by_name:
        there = re.findall(r"inet (\S+)/", lab.run(host, "ip -4 address"))
        assert set(there) <= known


def test_what_listens_on_the_machine_is_not_reached_from_a_lab(lab):
    name = "course-test-of-a-lab"
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix:
        tcp.bind(("127.0.0.1", 0))
        unix.bind("\0" + name)
        tcp.listen()
        unix.listen()
        for host in ("node1", "web-1", "azure"):
            words = ["python3", "-c", REACHES, str(tcp.getsockname()[1]), name]
            assert lab.run(host, words) == "refused\nrefused\n"


def test_programs_of_the_machine_are_neither_seen_nor_ended_from_a_lab(lab):
    marked = ["sleep", "61.4142"]
    with subprocess.Popen(marked) as other:
        assert "61.4142" not in lab.run("node1", "ps -eo args")
        lab.run("node1", f"kill -9 {other.pid}")
        lab.run("node1", "sh -c 'kill -9 -1'")
        assert other.poll() is None
        other.kill()


def test_settings_rules_and_mounts_of_a_lab_are_not_those_of_the_machine():
    setting, mounts = Path("/proc/sys/net/ipv4/ip_forward"), Path("/proc/self/mountinfo")
    before = setting.read_text(), mounts.read_text()
    with Lab(small_cluster("overlay"), plugins=False) as lab:
        for value in (0, 1):
            lab.run("node1", f"sysctl -w net.ipv4.ip_forward={value}")
            assert lab.run("node1", f"cat {setting}") == f"{value}\n"
            assert setting.read_text() == before[0]
        lab.run("node1", "mount -t tmpfs course-test /mnt")
        assert mounts.read_text() == before[1]


def test_a_lab_gives_no_right_over_files_that_one_had_not_before(lab):
    passwords = Path("/etc/shadow")
    if not passwords.exists():
        pytest.skip("there is no file here that only root may read")
    said = lab.run("node1", ["head", "-c", "1", str(passwords)])
    assert ("Permission denied" in said) == (not os.access(passwords, os.R_OK))
