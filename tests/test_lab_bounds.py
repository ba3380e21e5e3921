"""What a lab cannot do, and how a thousand real connections spread."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from course import free_address
from course.errors import InputError
from course.lab.namespaces import PATH, LabError
from course.laboratory import Lab
from course.scenarios import CLUSTER_IP, NODE_PORT, PUBLIC, small_cluster
from course.topology import Pod
from course.trace import Flow
from tests.labs import AS_ROOT, LIVE, by_an_ordinary_user

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
port, name, *addresses = sys.argv[1:]
places = [(socket.AF_INET, (address, int(port))) for address in addresses]
for family, place in (*places, (socket.AF_UNIX, "\\0" + name)):
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        try:
            client.connect(place)
            print("reached")
        except OSError:
            print("not reached")
"""
MEDDLES = """
import sys
sys.path.insert(0, sys.argv[1])
from course.laboratory import Lab
from course.scenarios import small_cluster
file, setting = sys.argv[2:]
with Lab(small_cluster("overlay"), plugins=False) as lab:
    print(lab.run("node1", "id -u"), end="")
    for words in (["cat", file], ["chmod", "666", file], ["tee", "-a", setting]):
        said = lab.run("node1", words)
        print(words[0], "denied" in said or "not permitted" in said)
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


def links(text):
    """The MACs in what `ip -j link` printed; each interface but lo has one of its own."""
    return {each["address"] for each in json.loads(text) if each["ifname"] != "lo"}


def on_the_machine(*words):
    """What a command prints on the machine; nothing if that is for root alone."""
    ran = subprocess.run(
        words, text=True, capture_output=True, check=False, env={**os.environ, "PATH": PATH}
    )
    return ran.stdout


@pytest.mark.parametrize("kind", ["net", "pid", "mnt", "uts", "ipc"])
def test_no_host_of_a_lab_is_in_a_namespace_of_the_machine(lab, kind):
    words = f"readlink /proc/self/ns/{kind}"
    found = {host: lab.run(host, words).strip() for host in lab.world.by_name}
    assert all(each.startswith(f"{kind}:[") for each in found.values())
    assert os.readlink(f"/proc/self/ns/{kind}") not in found.values()
    assert kind != "net" or len({*found.values()}) == len(found)


def test_no_wire_leads_from_a_lab_to_the_machine(lab):
    in_lab = {host: links(lab.run(host, "ip -j link")) for host in lab.world.by_name}
    assert all(in_lab.values())
    own = links(on_the_machine("ip", "-j", "link"))
    assert not own & set().union(*in_lab.values())
    # both ends of a wire are in the lab, so the machine got no interface from it
    with Lab(small_cluster("overlay"), plugins=False):
        assert links(on_the_machine("ip", "-j", "link")) == own


def test_what_listens_on_the_machine_is_not_reached_from_a_lab(lab):
    name = f"course-test-of-a-lab-{os.getpid()}"
    told = json.loads(on_the_machine("ip", "-j", "-4", "addr"))
    addresses = [given["local"] for link in told for given in link["addr_info"]]
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix:
        tcp.bind(("", 0))
        unix.bind("\0" + name)
        tcp.listen()
        unix.listen()
        words = ["python3", "-c", REACHES, str(tcp.getsockname()[1]), name, *addresses]
        count = len(addresses) + 1
        assert "127.0.0.1" in addresses
        assert on_the_machine(*words) == "reached\n" * count
        for host in ("node1", "web-1", "azure", "internet"):
            assert lab.run(host, words) == "not reached\n" * count


def test_programs_of_the_machine_are_neither_seen_nor_ended_from_a_lab(lab):
    # first, or the test itself would end whatever it can
    assert lab.run("node1", "readlink /proc/self/ns/pid") != os.readlink("/proc/self/ns/pid") + "\n"
    other = subprocess.Popen(["sleep", "61.4142"])
    try:
        seen = lab.run("node1", "ps -eo args")
        assert "ps -eo args" in seen
        assert "61.4142" not in seen
        lab.run("node1", f"kill -9 {other.pid}")
        lab.run("node1", "sh -c 'kill -9 -1'")
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(0.3)
    finally:
        other.kill()
        other.wait()


def test_settings_of_a_lab_are_not_those_of_the_machine(lab):
    setting = Path("/proc/sys/net/ipv4/ip_forward")
    before = setting.read_text()
    for value in (0, 1):
        lab.run("node1", f"sysctl -w net.ipv4.ip_forward={value}")
        assert lab.run("node1", f"cat {setting}") == f"{value}\n"
        assert setting.read_text() == before


def test_rules_of_a_lab_are_not_those_of_the_machine(lab):
    lab.run("node1", "iptables -I INPUT -s 203.0.113.77 -j DROP")
    assert "203.0.113.77" in lab.run("node1", "iptables-save")
    assert "203.0.113.77" not in lab.run("node2", "iptables-save")
    assert "203.0.113.77" not in on_the_machine("iptables-save")


def test_mounts_of_a_lab_are_not_those_of_the_machine(lab):
    mounted = "mount -t tmpfs course-test /mnt && touch /mnt/course-test && cat /proc/self/mounts"
    assert "course-test /mnt" in lab.run("node1", ["sh", "-c", mounted])
    assert "course-test" not in Path("/proc/self/mounts").read_text()
    assert not Path("/mnt/course-test").exists()


@AS_ROOT
def test_root_of_an_ordinary_users_lab_is_not_root_of_the_machine():
    setting = Path("/proc/sys/vm/swappiness")  # the same in all namespaces
    before = setting.read_text()
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("secret")
        file.flush()
        ran = by_an_ordinary_user(MEDDLES, file.name, str(setting))
        assert Path(file.name).stat().st_mode & 0o777 == 0o600
    assert ran.stdout == "0\ncat True\nchmod True\ntee True\n", ran.stderr
    assert setting.read_text() == before


# ---- what one bad call does to a lab: nothing ----------------------------------------------------

BAD = {
    "a zero among the words": lambda lab: lab.run("node1", ["echo", "a\0b"]),
    "a number among the words": lambda lab: lab.run("node1", ["sleep", 1]),
    "a quotation that is not closed": lambda lab: lab.run("node1", "echo 'x"),
    "half a character": lambda lab: lab.run("node1", ["echo", "\ud800"]),
    "no end": lambda lab: lab.run("node1", "true", timeout=float("inf")),
    "an end far away": lambda lab: lab.run("node1", "true", timeout=1e12),
    "no number of seconds": lambda lab: lab.run("node1", "true", timeout=float("nan")),
    "a text for seconds": lambda lab: lab.run("node1", "true", timeout="x"),
    "nothing for seconds": lambda lab: lab.run("node1", "true", timeout=None),
    "no command": lambda lab: lab.run("node1", ""),
    "a port that is none": lambda lab: lab.observe(Flow("web-1", "10.244.1.2", 70000)),
    "a source port that is none": lambda lab: lab.observe(
        Flow("web-1", "10.244.1.2", 80, source_port=-5)
    ),
    "a TTL that is none": lambda lab: lab.observe(Flow("web-1", "10.244.1.2", 80, ttl=256)),
    "a name for an address": lambda lab: lab.observe(Flow("web-1", "web-3", 80)),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_call_is_refused_in_words_and_the_lab_goes_on(lab, name):
    with pytest.raises(InputError):
        BAD[name](lab)
    assert lab.run("node1", "echo there") == "there\n"


def test_an_interrupt_of_the_first_process_does_not_end_a_lab(lab):
    lab.run("node1", "kill -INT 1")
    assert lab.run("node1", "echo there") == "there\n"


def test_a_host_that_somebody_took_away_is_told_and_the_others_go_on():
    with Lab(small_cluster("overlay"), plugins=False) as lab:
        lab.run("node1", "ip netns del node2")
        for use in (
            lambda: lab.run("node2", "true"),
            lambda: lab.observe(Flow("node2", "10.240.0.4", 10250)),
        ):
            with pytest.raises(LabError, match=r"node2: its .* was deleted\. Open the lab again"):
                use()
        assert lab.run("node1", "echo there") == "there\n"


def test_much_output_comes_whole(lab):
    said = lab.run("node1", "sh -c 'yes | head -c 1000000'", timeout=60)
    assert (len(said), set(said)) == (1_000_000, {"y", "\n"})


@pytest.mark.parametrize("command", ["yes", "cat /dev/zero", "sh -c 'yes >&2 & sleep 9'"])
def test_what_prints_without_end_is_cut_and_stopped_at_once(lab, command):
    before = time.monotonic()
    said = lab.run("node1", command)
    assert time.monotonic() - before < 5
    assert said.endswith("\n(cut after 1 MB, and stopped)\n")
    assert 1_000_000 <= len(said) < 1_000_100
    assert not {"yes", "cat", "sleep"} & set(lab.run("node1", "ps -Ao comm").split())


def test_a_file_that_grows_without_end_is_stopped(lab):
    said = lab.run("node1", "dd if=/dev/zero of=/run/endless bs=1M")
    assert said == "(stopped: its file grew beyond 16 MiB)\n"
    assert lab.run("node1", "stat -c %s /run/endless") == f"{16 << 20}\n"


SESSIONS = "setsid sleep 77 & (setsid sh -c 'sleep 78; true' &); "


def test_what_a_stopped_command_started_ends_with_it_in_whatever_session(lab):
    assert "stopped after 0.5 s" in lab.run("node1", ["sh", "-c", f"{SESSIONS}sleep 79"], 0.5)
    assert sleepers(lab, 0) == 0


def sleepers(lab, wanted):
    """How many `sleep` there are, once it is as many as wanted, or a while has passed: a child is
    none before it has become one, and still one before it is buried."""
    end = time.monotonic() + 3
    while (found := lab.run("node1", "ps -A").count("sleep")) != wanted:
        if time.monotonic() > end:
            break
        time.sleep(0.05)
    return found


def test_what_a_command_leaves_behind_of_itself_stays(lab):
    try:
        lab.run("node1", ["sh", "-c", SESSIONS])
        assert sleepers(lab, 2) == 2
    finally:
        lab.run("node1", "pkill sleep")
    assert sleepers(lab, 0) == 0


def interrupted(call, *words):
    """Call something, and interrupt it as Ctrl-C does, once it is under way."""
    # where the tests run in the background, nothing interrupts them
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main = threading.main_thread().ident
    timer = threading.Timer(0.3, signal.pthread_kill, [main, signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        call(*words)
    timer.join()


def test_ctrl_c_stops_a_command_and_the_lab_goes_on(lab):
    before = time.monotonic()
    interrupted(lab.run, "node1", ["sh", "-c", f"{SESSIONS}sleep 79"], 60)
    assert lab.run("node1", "echo there") == "there\n"
    assert sleepers(lab, 0) == 0
    assert time.monotonic() - before < 10
    assert not lab.closed


def ctrl_c(*_):
    """An interrupt at this very moment, however busy the machine is."""
    raise KeyboardInterrupt


@pytest.mark.parametrize("moment", ["live.observe", "laboratory.compare"])
def test_ctrl_c_while_a_flow_is_observed_is_told_where_it_may_matter(monkeypatch, moment):
    flow = Flow("vm-1", "10.240.0.5", 10250)
    with Lab(small_cluster("overlay"), plugins=False) as lab:
        monkeypatch.setattr(f"course.{moment}", ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            lab.observe(flow)
        monkeypatch.undo()
        lab.world = replace(lab.world, hosts=tuple(map(deaf, lab.world.hosts)))
        found = lab.compare(lab.observe(flow))  # it goes well, where it should not
    assert not found.equal
    assert found.drift == ()
    assert found.remembered == (f"{flow}, interrupted (azure, node2, vm-1)",)


def deaf(host):
    """A host on which nobody waits for packets."""
    return replace(host, sockets=())


def test_a_lab_that_is_interrupted_while_it_changes_is_closed_and_says_why(monkeypatch):
    with Lab(small_cluster("overlay"), plugins=False) as lab:
        before = lab.topology
        monkeypatch.setattr("course.lab.change.clean_up", ctrl_c)  # at the end of a change
        with pytest.raises(KeyboardInterrupt):
            lab.apply(small_cluster("kubenet"))
        assert lab.topology == before
        assert repr(lab) == "A lab that is closed: it was half changed when that ended."
        with pytest.raises(InputError, match="it was half changed when that ended"):
            lab.run("node1", "true")


def test_an_address_that_was_asked_for_in_vain_is_given_back(monkeypatch):
    with Lab(small_cluster("kubenet")) as lab:
        own = "/var/lib/cni/networks/kubenet"
        before = lab.run("node1", f"ls {own}")

        def slow(words):
            return ("sh", "-c", f"{words[2]}; sleep 9") if "CNI_COMMAND=ADD" in words[2] else words

        monkeypatch.setattr(
            "course.laboratory.asked", lambda *words: slow(free_address.asked(*words))
        )
        interrupted(lab.add_pod, Pod("web-5", "node1"))
        assert lab.run("node1", f"ls {own}").split() == [
            *before.split(), *(["last_reserved_ip.0"] * ("last_reserved_ip.0" not in before)),
        ]  # fmt: skip
        monkeypatch.undo()
        assert lab.add_pod(Pod("web-5", "node1")) == lab.world.address("web-5")


CAPTURE = "(sleep 0.5; ping -c 1 10.240.0.5) > /dev/null & tcpdump -nlc 1 -i eth0 icmp"
CAPTURES = f"""
import sys
sys.path.insert(0, sys.argv[1])
from course.laboratory import Lab
from course.scenarios import small_cluster
with Lab(small_cluster("overlay"), plugins=False) as lab:
    print(lab.run("node1", ["sh", "-c", "{CAPTURE}"]))
"""
REQUEST = re.compile(r"IP 10\.240\.0\.4 > 10\.240\.0\.5: ICMP echo request")
tcpdump = pytest.mark.skipif(not shutil.which("tcpdump", path=PATH), reason="no tcpdump")


@tcpdump
def test_tcpdump_shows_packets(lab):
    assert REQUEST.search(lab.run("node1", ["sh", "-c", CAPTURE]))


@AS_ROOT
@tcpdump
def test_tcpdump_shows_packets_to_an_ordinary_user():
    ran = by_an_ordinary_user(CAPTURES)
    assert REQUEST.search(ran.stdout), ran
