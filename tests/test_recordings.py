"""Recordings: where no lab can run, the same calls show what was seen on another machine."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.compare import compare
from course.errors import InputError
from course.lab.probe.needs import Needs
from course.lab.probe.readiness import examined, readiness
from course.laboratory import RECORD, Lab
from course.linux.packet import ICMP, Packet
from course.linux.passage import Step
from course.predict import outcomes, predict
from course.recordings.digest import digest
from course.recordings.replay import SHOW, Replay
from course.recordings.shelf import file_name, find
from course.recordings.tape import Made, Said, Tape, question, spelled
from course.recordings.written import read, read_packet, write
from course.scenarios import CLUSTER_IP, SCENARIOS, small_cluster
from course.topology import Machine, Pod
from course.trace import Disposition, Flow, Hop, Sighting, Trace, differences
from course.world import build
from tests.conftest import ROOT
from tests.labs import LIVE, as_predicted
from tests.surroundings import no_filters
from tests.worlds import MODELS, WORLDS, with_host
from tools.recordings import joined, record_lesson

FOLDER = ROOT / "course" / "recordings"
ANEW = "The World has changed since it was recorded: make recordings"
MADE = Made("2026-11-26", "6.18.2", "iptables v1.8.9 (nf_tables)")


def needs_namespaces(test):
    for mark in LIVE:
        test = mark(test)
    return test


def recorded(model):
    return Lab(small_cluster(model), live=False)


def replayed(world, *sessions):
    return Replay(world, Tape(digest(world), MADE, sessions))


def say(told):
    """All of a value, also what is not compared."""
    return repr(told)


# ---- what was recorded is what is predicted ------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_is_replayed_and_goes_as_predicted(model, name):
    lab = recorded(model)
    flow = SCENARIOS[name].flow(lab.world)
    for _ in range(13):  # once more than it was recorded
        as_predicted(lab, flow)


@given(
    st.sampled_from(MODELS), st.lists(st.sampled_from([*SCENARIOS]), min_size=2, max_size=12)
)  # fmt: skip
@settings(deadline=None, max_examples=40)
def test_in_whatever_order_recordings_are_asked_for_they_go_as_predicted(model, names):
    lab = recorded(model)
    for name in names:
        as_predicted(lab, SCENARIOS[name].flow(lab.world))


@pytest.mark.parametrize("model", MODELS)
def test_a_recording_shows_a_spread(model):
    lab = recorded(model)
    tally = lab.observe_many(SCENARIOS["to a NodePort, Cluster"].flow(lab.world), 12)
    assert len(tally.servers) > 1
    assert tally.ends == Counter({"delivered": 12})
    assert "begun again" not in lab.label


def test_a_recording_that_would_begin_again_is_counted_once():
    lab = recorded("overlay")
    flow = SCENARIOS["to a NodePort, Cluster"].flow(lab.world)
    tally = lab.observe_many(flow, 200)
    ports = {trace.flow.source_port for trace in tally.traces}
    assert 12 <= len(ports) == len(tally.traces) < 200 == tally.wanted
    assert f"only {len(ports)} of 200 were recorded" in str(tally)


def test_what_was_not_recorded_names_what_asked_for_recordings(monkeypatch):
    monkeypatch.setenv(SHOW, "recorded")
    lab = Lab(small_cluster("overlay"))
    with pytest.raises(InputError, match="take COURSE_LAB out of the environment") as error:
        lab.observe(Flow("web-1", "10.244.0.3", 4711))
    assert "doctor" not in str(error.value)


@pytest.mark.parametrize("model", MODELS)
def test_hosts_can_be_asked_what_they_are(model):
    lab = recorded(model)
    for node in ("node1", "node2"):
        assert lab.world.address(node) in lab.run(node, "ip address")
        assert "default via 10.240.0.1" in lab.run(node, "ip route")
        assert "KUBE-SVC-" in lab.run(node, ["iptables-save", "-t", "nat"])
    assert lab.run("node1", "sh -c 'ip rule'") == lab.run("node1", "ip rule")
    assert "blackhole 10.0.0.0/8" in lab.run("azure", "ip route")


def test_ports_of_a_bridge_can_be_asked_for():
    assert "master cbr0" in recorded("kubenet").run("node1", "bridge link")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("before", [(), ("across nodes",), ("to the internet", "on a node")])
def test_what_a_node_remembers_belongs_to_the_packet_that_was_shown(model, before):
    lab = recorded(model)
    for name in before:
        lab.observe(SCENARIOS[name].flow(lab.world))
    lab.run("node1", "ip route")
    seen = lab.observe(SCENARIOS["to a ClusterIP"].flow(lab.world))
    (line,) = (each for each in lab.run("node1", "conntrack -L").splitlines() if CLUSTER_IP in each)
    assert f"src={seen.delivered.destination} dst={seen.delivered.source}" in line
    assert f"sport={seen.flow.source_port} dport=80" in line


def test_a_recording_goes_over_to_that_of_another_cluster():
    lab = recorded("overlay")
    lab.observe(SCENARIOS["to a VM"].flow(lab.world))
    assert lab.state["node1"].connections
    lab.apply(small_cluster("node-subnet"))
    assert lab.state == {}
    for name in ("to a ClusterIP", "to a VM"):
        seen = lab.observe(SCENARIOS[name].flow(lab.world))
        assert lab.compare(seen).equal
        assert seen.sightings[0].packet.source == lab.world.address("web-1")
    assert "recorded on" in lab.label


def test_a_change_that_nobody_recorded_says_so_and_is_predicted_all_the_same():
    lab = recorded("kubenet")
    flow = SCENARIOS["across nodes"].flow(lab.world)
    lab.apply(lab.topology.changed(missing_routes=("node1", "node2")))
    assert "not recorded: only predictions are shown" in lab.label
    assert lab.predict(flow).trace.disposition == Disposition.NO_ROUTE
    with pytest.raises(InputError, match="was not recorded, nor was this cluster"):
        lab.observe(flow)
    with pytest.raises(InputError, match="was not added when this was recorded") as error:
        lab.add_pod(Pod("web-5", "node1"))
    assert "host-local" not in str(error.value)  # no line of a shell
    lab.apply(small_cluster("kubenet"))
    assert lab.compare(lab.observe(flow)).equal


@pytest.mark.parametrize("live", [pytest.param(None, marks=LIVE), False], ids=["live", "recorded"])
@pytest.mark.parametrize(
    "use",
    [
        lambda lab: lab.run("node1", "ip route"),
        lambda lab: lab.observe(Flow("web-1", CLUSTER_IP, 80)),
        lambda lab: lab.apply(lab.topology),
        lambda lab: lab.add_pod(Pod("web-5", "node1")),
        lambda lab: lab.drift(),
    ],
    ids=["run", "observe", "apply", "add_pod", "drift"],
)
def test_a_closed_lab_says_the_same_live_and_recorded(live, use):
    lab = Lab(small_cluster("overlay"), live=live)
    lab.close()
    with pytest.raises(InputError, match=r"'lab' is closed\. Run the cell again that opens one\."):
        use(lab)
    assert repr(lab) == "A lab that is closed."
    assert lab.predict(Flow("web-1", CLUSTER_IP, 80)).trace.hops  # that needs no lab


def test_a_recording_says_that_a_change_is_built_anew():
    lab = recorded("overlay")
    lab.observe(SCENARIOS["to a VM"].flow(lab.world))
    lab.apply(small_cluster("kubenet"))
    assert ", built anew for the change" in lab.label


def test_nobody_changes_a_recording_by_hand():
    with pytest.raises(InputError, match="it is a recording"):
        recorded("kubenet").drift()


@pytest.mark.parametrize("model", ["kubenet", "node-subnet"])
@needs_namespaces
def test_a_lab_that_was_changed_is_recorded_as_two(model, monkeypatch, tmp_path):
    monkeypatch.setenv(RECORD, str(tmp_path))
    with Lab(small_cluster(model)) as lab:
        flow = SCENARIOS["across nodes"].flow(lab.world)
        first = lab.observe(flow)
        lab.apply(lab.topology.changed(missing_routes=("node2",), outbound_ports=8))
        assert lab.state == {}
        second = lab.observe(flow)
        assert lab.compare(second).equal
        assert lab.add_pod(Pod("web-5", "node1")) == lab.world.address("web-5")
    tapes = [Tape.from_json(file.read_text()) for file in sorted(tmp_path.iterdir())]
    assert [tape.sessions[0][0] for tape in tapes[:2]] == [first, second]
    assert len({tape.world for tape in tapes}) == len(tapes) == 3
    assert ["host-local" in event.command for event in tapes[1].sessions[0][1:]] == [True, True]


@pytest.mark.parametrize("ttl", [1, 64, 255])
def test_a_flow_is_recorded_with_its_ttl(ttl):
    trace = predict(WORLDS["overlay"], Flow("web-1", "10.240.1.4", 80, ttl=ttl)).trace
    assert read(write(trace)) == trace
    assert (" ttl " in write(trace)["flow"]) == (ttl != 64)  # where it is as always, it is not told


# ---- recordings of today's Worlds ----------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_the_worlds_of_today_are_recorded(model):
    tape = find(WORLDS[model])
    assert tape, ANEW
    flows = Counter(question(event) for session in tape.sessions for event in session)
    for scenario in SCENARIOS.values():
        flow = scenario.flow(WORLDS[model])
        by_chance = len(outcomes(WORLDS[model], flow)) > 1
        assert flows[str(flow)] >= (12 if by_chance else 1), f"{flow}: {ANEW}"


def test_recordings_are_small_and_readable():
    files = [*FOLDER.glob("*.json")]
    assert sum(file.stat().st_size for file in files) < 1_500_000
    for file in files:
        text = file.read_text("utf-8")
        tape = Tape.from_json(text)
        assert file.stem.endswith(f"-{tape.world}")
        assert tape.to_json() == text
        sightings = sum(
            len(event.sightings)
            for session in tape.sessions
            for event in session
            if isinstance(event, Trace)
        )
        assert sum(" ttl " in line for line in text.splitlines()) >= sightings


@pytest.fixture(scope="module", params=MODELS)
def lab(request):
    """The small cluster of every model, live."""
    if request.param not in readiness().models:
        pytest.skip(readiness().why_not)
    with Lab(small_cluster(request.param), live=True) as made:
        yield made


@needs_namespaces
@pytest.mark.parametrize("name", SCENARIOS)
def test_what_was_recorded_happens_here_as_well(lab, name):
    flow = SCENARIOS[name].flow(lab.world)
    once, fresh = recorded(lab.world.topology.cluster.model).observe(flow), lab.observe(flow)
    found = lab.compare(fresh)
    assert found.equal
    if not found.drawn.questions:  # where chance decides, each is as it was predicted
        alike = from_port(once, once.flow.source_port, fresh.flow.source_port)
        assert [*differences(alike, fresh)] == []
        assert (alike.server, alike.delivered) == (fresh.server, fresh.delivered)


def from_port(trace, old, new):
    """A Trace as it would be had the flow been sent from another port."""
    return read(json.loads(json.dumps(write(trace)).replace(str(old), str(new))))


# ---- Traces as text ------------------------------------------------------------------------------

addresses = st.ip_addresses(v=4).map(str)
ports = st.integers(0, 65535)
ttls = st.integers(1, 255)
flags = st.sampled_from(["SYN", "SYN,ACK", "RST", "RST,ACK", "FIN,ACK"])
tcp = st.builds(Packet, st.just("tcp"), addresses, addresses, ports, ports, flags, ttl=ttls)
udp = st.builds(Packet, st.just("udp"), addresses, addresses, ports, ports, ttl=ttls)


@st.composite
def echoes(draw):
    identifier, kind = draw(ports), draw(st.sampled_from(["echo-request", "echo-reply"]))
    return Packet(
        "icmp", draw(addresses), draw(addresses), identifier, identifier, icmp=kind, ttl=draw(ttls)
    )


@st.composite
def icmp_errors(draw):
    kind = draw(st.sampled_from([name for name in ICMP if not name.startswith("echo")]))
    about = draw(tcp | udp | echoes())
    return Packet(
        "icmp", draw(addresses), about.source, icmp=kind, about=about, ttl=draw(ttls)
    )  # fmt: skip


packets = tcp | udp | echoes() | icmp_errors()
names = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
words = st.text(max_size=30)
roles = names | names.map(lambda pod: f"port of {pod}")
steps = st.builds(
    Step, st.sampled_from(["dropped", "filtered"]), words, tcp | udp, tcp | udp, words, words, words
)


@st.composite
def hops(draw):
    host = draw(names)
    seen = st.builds(Sighting, st.just(host), roles, st.sampled_from(["in", "out"]), packets)
    return Hop(host, tuple(draw(st.lists(seen, max_size=3))), tuple(draw(st.lists(steps))))


@st.composite
def flows(draw):
    protocol = draw(st.sampled_from(["tcp", "udp", "icmp"]))
    port = 0 if protocol == "icmp" else draw(st.integers(1, 65535))
    one_host = st.ip_addresses(v=4, network="10.0.0.0/8").map(str)
    source_port = draw(st.integers(1, 65535))
    return Flow(draw(names), draw(one_host), port, protocol, source_port)


@st.composite
def traces(draw):
    delivered = draw(st.none() | tcp | udp | echoes())
    return Trace(
        draw(flows()), tuple(draw(st.lists(hops(), max_size=4))),
        draw(st.sampled_from(Disposition)), draw(names), delivered,
        draw(names) if delivered else "",
    )  # fmt: skip


@given(traces())
@settings(deadline=None)
def test_a_trace_that_was_written_is_read_as_it_was(trace):
    assert say(read(json.loads(json.dumps(write(trace))))) == say(trace)


@given(st.lists(traces() | st.builds(Said, names, words, words), max_size=4))
@settings(deadline=None, max_examples=30)
def test_a_tape_that_was_written_is_read_as_it_was(events):
    tape = Tape("0123456789abcdef", MADE, (tuple(events), ()))
    assert say(Tape.from_json(tape.to_json())) == say(tape)


@pytest.mark.parametrize("text", ["", "tcp", "tcp a:1 -> b:2", "icmp 1.1.1.1 -> 1.1.1.2", "x"])
def test_what_is_no_packet_is_not_read(text):
    with pytest.raises(ValueError, match=r".+"):
        read_packet(text)


def test_a_host_that_is_another_one_is_another_world():
    world = WORLDS["overlay"]
    node = world.host("node1")
    others = (
        replace(node, routes=node.routes[1:]),
        replace(node, sysctls={**node.sysctls, "net.ipv4.ip_forward": 0}),
        replace(node, netfilter=node.netfilter.apply("*nat\n-A OUTPUT -j ACCEPT\nCOMMIT\n")),
        replace(node, sockets=()),
    )
    assert len({digest(world), *(digest(with_host(world, other)) for other in others)}) == 5


def test_a_digest_is_the_same_in_every_process():
    code = (
        "from course.recordings.digest import digest; from course.world import build;"
        "from course.scenarios import small_cluster; print(digest(build(small_cluster('kubenet'))))"
    )
    for seed in ("1", "2"):
        ran = python(code, PYTHONHASHSEED=seed)
        assert ran.stdout.strip() == digest(WORLDS["kubenet"])


# ---- how a tape is followed ----------------------------------------------------------------------


def predicted(world, *flows):
    """Traces of flows one after the other in a lab, each host remembering those before."""
    state, found = {}, []
    for flow in flows:
        prediction = predict(world, flow, state)
        state = prediction.state
        found.append(prediction.trace)
    return tuple(found)


def test_hosts_remember_what_was_recorded_before_even_if_it_is_not_asked_for():
    world = WORLDS["overlay"]
    one, other = (Flow(pod, world.address("vm-2"), 80) for pod in ("web-1", "web-2"))
    first, second = predicted(world, one, other)
    assert first.delivered.source_port != second.delivered.source_port  # behind one node
    for asked in ((one, other), (other, one), (other,)):
        engine = replayed(world, (first, second))
        for flow in asked:
            seen, before = engine.observe(flow, {})
            assert compare(world, seen, before).equal


def test_of_several_sessions_the_one_is_followed_that_did_what_the_learner_does():
    world = WORLDS["overlay"]
    one, other = (Flow("web-1", world.address(to), 8080) for to in ("web-2", "web-3"))
    (first,), (second,) = predicted(world, one), predicted(world, other)
    engine = replayed(
        world,
        (
            first,
            Said("node1", "conntrack -L", "one"),
            second,
            Said("node1", "conntrack -L", "both"),
        ),
        (second, Said("node1", "conntrack -L", "other")),
    )
    said = []
    for flow in (other, one, other):
        engine.observe(flow, {})
        said.append(engine.run("node1", ["conntrack", "-L"], 10))
    assert said == ["other", "one", "both"]


def test_beyond_its_end_a_recording_begins_again_and_says_so():
    world = WORLDS["overlay"]
    flow = Flow("web-1", world.address("web-2"), 8080)
    session = predicted(world, flow, replace(flow, source_port=40001))
    engine = replayed(world, session)
    ports = []
    for again in (False, False, True, True):
        ports.append(engine.observe(flow, {})[0].flow.source_port)
        assert ("begun again" in engine.label) == again
    assert ports == [40000, 40001, 40000, 40001]


def test_a_label_tells_date_and_kernel_and_what_stands_in_the_way():
    tape = Tape("", Made("2026-11-26", "6.18.44-generic", ""), ())
    engine = Replay(WORLDS["overlay"], tape, "namespaces are switched off. sudo sysctl ...")
    assert engine.label == (
        "recorded on 2026-11-26 on Linux 6.18 "
        "(this machine: namespaces are switched off. sudo sysctl ...)"
    )


# ---- what was not recorded -----------------------------------------------------------------------


def test_a_flow_that_was_not_recorded_says_what_was_and_how_to_see_it_live():
    lab = recorded("overlay")
    with pytest.raises(
        InputError, match=r"'vm-2 -> tcp 10\.240\.0\.4:22' was not recorded\."
    ) as no:
        lab.observe(Flow("vm-2", "10.240.0.4", 22))
    assert "vm-2 -> tcp 10.240.0.5:30080" in no.value.way_out
    assert "To see it live" in no.value.way_out
    assert lab.predict(Flow("vm-2", "10.240.0.4", 22)).trace.disposition == Disposition.REFUSED


def test_a_command_that_was_not_recorded_says_what_was():
    with pytest.raises(InputError, match=r"node1\$ ip neigh flush dev eth0' was not") as no:
        recorded("overlay").run("node1", "ip neigh flush dev eth0")
    assert "node1$ ip neigh; node1$ iptables-save -t nat" in no.value.way_out


def test_a_cluster_that_was_not_recorded_is_predicted_all_the_same():
    topology = small_cluster("overlay")
    lab = Lab(
        replace(topology, machines=(*topology.machines, Machine("vm-9", "10.240.1.9"))), live=False
    )
    flow = SCENARIOS["to a VM"].flow(lab.world)
    assert lab.label == "not recorded: only predictions are shown"
    assert lab.predict(flow).trace.disposition == Disposition.DELIVERED
    with pytest.raises(InputError, match="nor was this cluster"):
        lab.observe(flow)


@pytest.mark.parametrize("call", [
    lambda lab: lab.observe(Flow("web-9", CLUSTER_IP, 80)),
    lambda lab: lab.run("web-9", "ip route"),
])  # fmt: skip
def test_a_host_that_is_not_there_is_not_there_in_a_recording_either(call):
    with pytest.raises(InputError, match="'web-9' is no host here"):
        call(recorded("overlay"))


BROKEN = {
    "cut off": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "a list": lambda text: "[]",
    "no date": lambda text: text.replace('"date"', '"day"'),
    "no packet": lambda text: text.replace("SYN ttl", "SYN tll"),
    "another World": lambda text: text.replace('"world": "', '"world": "0'),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_file_that_is_broken_says_so_and_how_to_mend_it(tmp_path, how):
    world = WORLDS["overlay"]
    text = (FOLDER / file_name(world)).read_text("utf-8")
    (tmp_path / file_name(world)).write_text(BROKEN[how](text), "utf-8")
    with pytest.raises(InputError, match=r"overlay-.*json' (cannot be read|holds the)") as no:
        find(world, tmp_path)
    assert "git checkout course/recordings" in no.value.way_out


def test_a_file_that_is_missing_is_a_cluster_that_was_not_recorded(tmp_path):
    assert find(WORLDS["overlay"], tmp_path) is None


# ---- where no lab can run ------------------------------------------------------------------------

CELLS = """
from course.laboratory import Lab
from course.scenarios import SCENARIOS, small_cluster
lab = Lab(small_cluster("kubenet"))
flow = SCENARIOS["across nodes"].flow(lab.world)
print(lab.predict(flow).trace)
seen = lab.observe(flow)
print(seen)
print(lab.compare(seen).equal, lab.observe_many(flow, 2).servers)
print(lab.run("web-1", "ip route"))
lab.close()
print(lab)
"""
# What a Python in a browser has not: it neither starts anything nor reaches a network.
BARE = """
import sys
sys.platform = "emscripten"
LACKING = {"fcntl", "termios", "resource", "pwd", "grp", "_posixsubprocess", "_multiprocessing"}
FORBIDDEN = ("subprocess.", "os.fork", "os.exec", "os.posix_spawn", "os.system", "socket.",
             "_thread.")

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in LACKING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

def audit(event, arguments):
    assert not event.startswith(FORBIDDEN), event

for name in LACKING:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Finder())
sys.addaudithook(audit)
"""


def python(code, **environment):
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran


def forbidding(code):
    """Code in a process that may make no namespaces: a filter of system calls forbids it."""
    if why := no_filters():
        pytest.skip(f"cannot be provoked here: {why}")
    return f"from tests.surroundings import forbid\nforbid('unshare', {errno.EPERM})\n{code}"


def shown(text):
    """What a notebook showed: without the source ports, and without the label of the lab."""
    said, _, label = text.strip().rpartition("\n")
    return said.replace("40001", "40000").replace("40002", "40000"), label


def test_where_namespaces_are_forbidden_the_same_cells_go_on_with_recordings():
    said, closed = shown(python(forbidding(CELLS)).stdout)
    assert "= delivered at web-1" in said
    assert "True Counter({'web-3': 2})" in said
    assert "default via 10.244.0.1 dev eth0" in said
    assert closed == "A lab that is closed."


def test_a_lab_without_namespaces_tells_cause_and_cure():
    code = "from course.laboratory import *; from course.scenarios import *\n"
    code += "print(Lab(small_cluster('overlay')).label)\n"
    code += "try: Lab(small_cluster('overlay'), live=True)\nexcept ValueError as no: print(no)"
    label, refusal = python(forbidding(code)).stdout.splitlines()
    assert label.startswith("recorded on ")
    assert "forbids namespaces, as Docker's does by default. Run the course outside" in label
    assert refusal.startswith("'live=True' cannot be here. A filter of system calls (seccomp)")


@needs_namespaces
def test_without_br_netfilter_kubenet_is_recorded_and_all_else_is_live(monkeypatch):
    lacking = examined(Needs(bridge_setting="/proc/sys/net/bridge/none"))
    monkeypatch.setattr("course.lab.probe.readiness.readiness", lambda: lacking)
    with Lab(small_cluster("kubenet")) as lab:
        assert lab.label.startswith("recorded on ")
        assert "br_netfilter is not loaded: kubenet, whose pods are on a bridge" in lab.label
        assert "sudo modprobe br_netfilter" in lab.label
        lab.observe(SCENARIOS["to a VM"].flow(lab.world))
    with Lab(small_cluster("overlay")) as lab:
        assert lab.label.startswith("live, on Linux ")


def test_in_a_python_that_starts_nothing_the_same_cells_go_on_with_recordings():
    said, _ = shown(python(f"{BARE}import course.views\n{CELLS}").stdout)
    assert "= delivered at web-1" in said
    assert "default via 10.244.0.1 dev eth0" in said


def test_a_python_in_a_browser_is_told_what_it_lacks():
    code = BARE + CELLS.replace("lab.close()", "")
    assert "(this machine: namespaces are a part of Linux." in python(code).stdout


def test_importing_the_course_reads_no_recording_and_nothing_that_only_linux_has():
    code = (
        "import sys; opened = []\n"
        "sys.addaudithook(lambda event, given: event == 'open' and opened.append(str(given[0])))\n"
        "import course.laboratory\n"
        "assert opened\n"
        "print([name for name in opened if name.endswith('.json') and 'recordings' in name],"
        " [name for name in sys.modules if name.startswith('course.lab.')])"
    )
    assert python(code).stdout.strip() == "[] []"


@needs_namespaces
def test_the_same_cells_show_the_same_live_and_recorded():
    real, _ = shown(python(CELLS).stdout)
    replay, _ = shown(python(CELLS.replace('"kubenet")', '"kubenet"), live=False')).stdout)
    assert real == replay


@needs_namespaces
def test_a_lab_writes_down_what_it_does_and_it_can_be_replayed(tmp_path, monkeypatch):
    monkeypatch.setenv(RECORD, str(tmp_path))
    topology = small_cluster("overlay").changed(probes_acted=False)
    with Lab(topology, plugins=False) as lab:
        seen = lab.observe(SCENARIOS["to a ClusterIP"].flow(lab.world))
        printed = lab.run("node1", "sh -c 'ip route | head -1'")
    (file,) = tmp_path.iterdir()
    tape = Tape.from_json(file.read_text("utf-8"))
    assert tape.world == digest(build(topology))
    assert str(tape.made) == lab.label.replace("live,", f"recorded on {tape.made.date}")
    engine = Replay(lab.world, tape)
    assert say(engine.observe(seen.flow, {})[0]) == say(seen)
    assert engine.run("node1", ["sh", "-c", "ip route | head -1"], 1) == printed
    assert spelled(["sh", "-c", "ip route | head -1"]) == "ip route | head -1"


@needs_namespaces
def test_what_a_lesson_does_is_recorded_before_all_else(tmp_path, monkeypatch):
    book = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, CELLS.splitlines())])
    nbformat.write(book, tmp_path / "lesson.ipynb")
    folder = tmp_path / "recorded"
    monkeypatch.setenv(RECORD, str(folder))
    record_lesson(tmp_path / "lesson.ipynb")
    with Lab(small_cluster("kubenet")) as lab:
        lab.run("node1", "ip route")
    Lab(small_cluster("kubenet")).close()
    name, tape = joined(sorted(folder.iterdir()))
    assert name == file_name(lab.world)
    flow = str(SCENARIOS["across nodes"].flow(lab.world))
    assert [[*map(question, session)] for session in tape.sessions] == [
        [flow, flow, flow, "web-1$ ip route"], ["node1$ ip route"]
    ]  # fmt: skip
