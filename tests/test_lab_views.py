"""What a learner sees of the live lab: comparisons, spreads, and %%lab."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from course.compare import compare
from course.errors import InputError
from course.laboratory import Lab, Tally
from course.linux.draws import first
from course.predict import outcomes, predict
from course.scenarios import CLUSTER_IP, SCENARIOS, small_cluster
from course.trace import Disposition, Flow, Hop, Sighting, Trace
from course.views import show_comparison, show_spread
from course.views.comparison import FIRST, LATER, SAME, chance, rows_of, verdict
from course.views.spread import shares_of
from course.world import build
from tests.worlds import MODELS

OVERLAY = build(small_cluster("overlay"))
KUBENET = small_cluster("kubenet")


def marks(found):
    return [row.mark for row in rows_of(found.prediction.trace, found.observation)]


def texts(view):
    """What is said, as text and as HTML without its marks."""
    mime = view._repr_mimebundle_()
    return mime["text/plain"], re.sub(r"<[^>]+>", " ", mime["text/html"])


@pytest.fixture(scope="module")
def without_a_route():
    """Across nodes of kubenet, predicted with the route table whole and seen without node2's."""
    whole, torn = build(KUBENET), build(KUBENET.changed(missing_routes=("node2",)))
    flow = SCENARIOS["across nodes"].flow(whole)
    return compare(whole, predict(torn, flow).trace)


# ---- prediction and observation ----------------------------------------------------------------


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("model", MODELS)
def test_what_is_seen_as_predicted_is_said_so_and_every_row_is_the_same(model, name):
    world = build(small_cluster(model))
    seen = predict(world, SCENARIOS[name].flow(world)).trace
    found = compare(world, seen)
    assert set(marks(found)) == {SAME}
    for text in texts(show_comparison(found)):
        assert "Seen as predicted: " in text
        assert all(f"{each.host}, {each.role}, {each.direction}" in text for each in seen.sightings)
        assert FIRST not in text


def test_the_first_difference_is_marked_in_words_and_by_a_symbol_and_told_above(without_a_route):
    found = without_a_route
    at = marks(found).index(FIRST)
    assert marks(found)[:at] == [SAME] * at
    assert set(marks(found)[at + 1 :]) == {LATER}
    assert found.prediction.trace.sightings[at].host == "azure"
    for text in texts(show_comparison(found)):
        assert "Not as predicted: predicted, not seen: azure nic-node2 out: " in text
        assert "predicted delivered at web-1, observed no route at azure" in text
        assert text.count(FIRST) == 1


def test_a_difference_says_what_both_sides_rest_on(without_a_route):
    for text in texts(show_comparison(without_a_route)):
        assert "predicted at azure rests on: 10.244.1.0/24 via 10.240.0.5" in text
        assert "seen at azure rests on: blackhole 10.0.0.0/8" in text


def test_the_end_alone_may_differ():
    seen = predict(OVERLAY, SCENARIOS["on a node"].flow(OVERLAY)).trace
    found = compare(OVERLAY, replace(seen, disposition=Disposition.UNASKED))
    assert marks(found) == [SAME] * len(seen.sightings) + [FIRST]
    assert "predicted delivered at web-1, observed unasked at web-1" in verdict(found)


def test_the_endpoint_that_was_drawn_is_told_with_its_odds():
    for way in outcomes(OVERLAY, SCENARIOS["to a ClusterIP"].flow(OVERLAY)):
        told = chance(compare(OVERLAY, way.result))
        address = OVERLAY.address(way.result.server)
        assert f"endpoint {address}:8080 on node1" in told
        assert "as likely as 1 in 4" in told


def test_a_load_balancer_draws_a_node_and_the_node_an_endpoint():
    flow = SCENARIOS["to a load balancer, Cluster"].flow(OVERLAY)
    ways = outcomes(OVERLAY, flow)
    told = {chance(compare(OVERLAY, way.result)) for way in ways}
    assert len(told) == len(ways) == 8
    for each in told:
        assert "path via 10.240.0." in each
        assert "as likely as 1 in 8, the port aside." in each


def test_a_port_that_was_drawn_is_told_without_odds():
    flow = SCENARIOS["to the internet"].flow(OVERLAY)

    def draw(question):
        return 1999 if question.kind == "source port" else first(question)

    told = chance(compare(OVERLAY, predict(OVERLAY, flow, draw=draw).trace))
    assert told == "Chance decided here. The draw was: source port 1999 on edge."


def test_where_nothing_is_left_to_chance_nothing_is_told_of_it():
    seen = predict(OVERLAY, SCENARIOS["across nodes"].flow(OVERLAY)).trace
    assert chance(compare(OVERLAY, seen)) == ""


def sent_from(trace, host, port):
    """A trace in which a host sends everything from another source port."""

    def changed(seen):
        packet = replace(seen.packet, source_port=port)
        return (
            replace(seen, packet=packet) if (seen.host, seen.direction) == (host, "out") else seen
        )

    hops = (replace(hop, sightings=tuple(map(changed, hop.sightings))) for hop in trace.hops)
    return replace(trace, hops=tuple(hops))


def test_a_draw_that_was_not_possible_is_a_difference():
    seen = predict(OVERLAY, SCENARIOS["to the internet"].flow(OVERLAY)).trace
    found = compare(OVERLAY, sent_from(seen, "edge", 60000))
    assert not found.equal
    assert "The draw that comes closest is: source port 1024 on edge." in chance(found)


def test_two_traces_are_compared_as_they_are_and_chance_is_hinted_at():
    one, other = (
        way.result for way in outcomes(OVERLAY, SCENARIOS["to a ClusterIP"].flow(OVERLAY))[:2]
    )
    for text in texts(show_comparison(one, other)):
        assert "Not as predicted" in text
        assert "lab.compare(seen) predicts again" in text
    for text in texts(show_comparison(predict(OVERLAY, one.flow), one)):
        assert "Seen as predicted" in text
        assert "lab.compare(seen)" not in text
    with pytest.raises(InputError, match="is compared with nothing"):
        show_comparison(one)


def test_of_many_changes_by_hand_a_verdict_tells_the_first(without_a_route):
    many = tuple(f"node1: change {number}" for number in range(80))
    for text in texts(show_comparison(replace(without_a_route, drift=many, remembered=many[:6]))):
        assert "node1: change 4; and 75 more: lab.drift()." in text
        assert "Hosts may still remember: node1: change 0; " in text
        assert "node1: change 4; and 1 more." in text
        assert "change 5" not in text


def test_names_are_text_and_never_markup():
    wild = "<b>&\"'"
    flow = Flow(wild, "10.0.0.2", 80)
    hop = Hop(wild, (Sighting(wild, wild, "out", flow.packet("10.0.0.1")),))
    trace = Trace(flow, (hop,), Disposition.NO_NEIGHBOUR, wild)
    assert "<b>" not in show_comparison(trace, trace).html
    assert "<b>" not in show_comparison(trace, replace(trace, hops=())).html
    assert "<b>" not in show_spread(Tally(flow, (trace,))).html


# ---- many times --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ways():
    return outcomes(OVERLAY, SCENARIOS["to a ClusterIP"].flow(OVERLAY))


def tally(*traces):
    return Tally(traces[0].flow, traces)


def test_who_answered_how_often_and_which_source_each_saw(ways):
    web1, web2, _, _ = (way.result for way in ways)
    shares = shares_of(tally(web1, web2, web2), ways)
    assert [(share.who, share.source, share.times) for share in shares] == [
        ("web-1", "10.240.0.4", 1),  # itself, by its node
        ("web-2", "10.244.0.2", 2),
        ("web-3", "10.244.0.2", 0),
        ("web-4", "10.244.0.2", 0),
    ]
    assert sum(share.likely for share in shares) == 1
    assert {share.odds for share in shares} == {"1 in 4"}


def test_without_a_prediction_only_what_was_seen_is_shown(ways):
    text, html = texts(show_spread(tally(ways[0].result, ways[1].result)))
    for said in (text, html):
        assert "web-1, seeing 10.240.0.4: 1 of 2 (50%)" in said
        assert "web-3" not in said
        assert "predicted" not in said


def test_a_spread_of_fewer_than_were_asked_for_says_so(ways):
    few = Tally(ways[0].result.flow, (ways[0].result, ways[1].result), wanted=200)
    for said in (*texts(show_spread(few, ways)), str(few)):
        assert "200" in said
        assert "recorded" in said


def test_what_was_not_predicted_is_named_as_such(ways):
    lost = replace(ways[0].result, disposition=Disposition.NO_ROUTE, ended_at="azure")
    text, html = texts(show_spread(tally(lost), ways))
    for said in (text, html):
        assert "nobody: no route at azure: 1 of 1 (100%), predicted never" in said


def test_bars_are_as_long_as_counts_and_stay_within_the_picture(ways):
    traces = [ways[0].result] * 30 + [ways[2].result] * 10
    drawing = re.search(r"base64,([^\"]+)", show_spread(tally(*traces), ways).html)[1]
    root = ElementTree.fromstring(base64.b64decode(drawing))
    rects = root.findall("{http://www.w3.org/2000/svg}rect")[1:]
    widths = [float(each.get("width")) for each in rects]
    assert widths[0] == pytest.approx(3 * widths[2], abs=0.2)
    assert widths[1] == widths[3] == 0
    assert max(float(r.get("x")) + float(r.get("width")) for r in rects) < float(root.get("width"))
    assert float(root.get("width")) <= 720  # readable in a narrow notebook


def test_a_flow_that_was_never_sent_spreads_nowhere():
    with pytest.raises(InputError, match="was never sent"):
        show_spread(Tally(Flow("web-1", CLUSTER_IP, 80), ()))


def test_a_tally_counts_who_answered_and_how_it_ended(ways):
    lost = replace(ways[0].result, disposition=Disposition.NO_ROUTE, ended_at="azure")
    counted = tally(ways[0].result, ways[1].result, ways[1].result, lost)
    assert counted.servers == {"web-1": 1, "web-2": 2}
    assert counted.sources == {"10.240.0.4": 1, "10.244.0.2": 2}
    assert counted.ends == {"delivered": 3, "no route": 1}


# ---- %%lab -------------------------------------------------------------------------------------


class Cells:
    """A notebook's kernel, without the notebook: runs cells, and tells what they print."""

    def __init__(self, capsys):
        self.capsys, self.shell = capsys, InteractiveShell.instance(
            config=Config({"HistoryManager": {"enabled": False}})
        )  # fmt: skip

    def run(self, source):
        self.capsys.readouterr()
        self.shell.run_cell(source)
        printed = self.capsys.readouterr()
        return printed.out + printed.err

    def __getitem__(self, name):
        return self.shell.user_ns[name]


@pytest.fixture
def cells(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    made = Cells(capsys)
    made.run("from course.laboratory import Lab\nfrom course.scenarios import small_cluster")
    assert "Lesson 05" in made.run('from course.views import *\nbegin("05")')
    yield made
    made.shell.reset()
    InteractiveShell.clear_instance()


@pytest.fixture
def lab():
    """A live lab; its test is skipped, with the reason, where none can be built."""
    try:
        made = Lab(small_cluster("overlay"), plugins=False)
    except InputError as why:
        pytest.skip(str(why))
    with made:
        yield made


def test_without_a_lab_one_is_told_how_to_open_one(cells):
    said = cells.run("%lab node1 ip route")
    assert (
        said.strip() == 'UsageError: No lab is open. Open one: lab = Lab(small_cluster("overlay"))'
    )


def test_outside_of_a_notebook_a_lesson_begins_all_the_same():
    from course.views import begin

    assert "Lesson 05" in str(begin("05"))


@pytest.mark.parametrize("line", ["", "--timeout long node1", "--port 80 node1", "node1"])
def test_what_is_not_asked_rightly_gets_a_sentence(cells, line):
    said = cells.run(f"%lab {line}")
    assert said.startswith("UsageError: ")
    assert "Traceback" not in said


@pytest.mark.lab
def test_every_line_of_a_cell_is_a_command_on_every_host_in_turn(cells, lab):
    cells.shell.push({"lab": lab})
    said = cells.run("%%lab node1,web-1\nip route | wc -l\n# a comment\n\necho one \\\n two >&2\n")
    assert said.splitlines() == [
        "node1$ ip route | wc -l", "4",
        "web-1$ ip route | wc -l", "2",
        "node1$ echo one  two >&2", "one two",
        "web-1$ echo one  two >&2", "one two",
    ]  # fmt: skip
    assert cells.run("%lab web-2 ip -br addr show eth0").splitlines()[0] == (
        "web-2$ ip -br addr show eth0"
    )


@pytest.mark.lab
def test_what_cannot_be_run_is_told_in_a_sentence(cells, lab):
    cells.shell.push({"lab": lab})
    for source, sentence in {
        "%lab web-9 ip route": "UsageError: 'web-9' is no host here. There are node1, ",
        "%lab node1": "UsageError: 'node1' names no command. Write one: %lab node1 ip route",
        "%lab --in lob node1 ip route": "UsageError: lob is no lab. Labs here: lab.",
        "%lab node1 frobnicate": "frobnicate is not among them",
        "%lab node1 --timeout 60": "Options stand before it: %%lab --timeout 60 node1",
        "%lab --timeout nan node1 true": "UsageError: nan is no time to wait. Give 1 to 3600",
        "%lab --timeout 0.2 node1 sleep 30": "(stopped after 0.2 s)",
    }.items():
        said = cells.run(source)
        assert sentence in said
        assert "Traceback" not in said


@pytest.mark.lab
def test_the_lab_opened_last_is_asked_or_the_one_that_is_named(cells, lab):
    cells.shell.push({"lab": lab})
    cells.run("other = Lab(small_cluster('kubenet'), plugins=False)")
    assert "10.244.0.1/24" in cells.run("%lab node1 ip -br addr show cbr0")
    assert "does not exist" in cells.run("%lab --in lab node1 ip -br addr show cbr0")
    cells.run("other.close()")
    assert "does not exist" in cells.run("%lab node1 ip -br addr show cbr0")
    assert cells.run("%lab --in other node1 ip route").startswith("UsageError: other is closed.")
    cells.run("lab.close()")
    assert cells.run("%lab node1 ip route").strip() == (
        "UsageError: No lab is open. Run the cell again that opens one."
    )


@pytest.mark.lab
def test_a_lab_says_what_it_is(lab):
    assert repr(lab).startswith("A lab of overlay with 13 hosts: live, on Linux")
    lab.close()
    assert repr(lab) == "A lab that is closed."


@pytest.mark.lab
def test_a_lab_whose_processes_are_gone_is_closed(lab):
    lab._engine.built.namespaces._process.kill()
    lab._engine.built.namespaces._process.wait()
    assert lab.closed


@pytest.mark.lab
def test_a_cell_that_is_run_again_closes_the_lab_that_it_replaces(cells, lab):
    source = "lab = Lab(small_cluster('overlay'), plugins=False)\nlab"
    assert "A lab of overlay" in cells.run(source)
    first_one = cells["lab"]._engine.built.namespaces._process
    cells.run("same = lab")
    assert first_one.poll() is None
    cells.run("del same")
    cells.run(source)
    assert first_one.poll() is not None
    assert not cells["lab"].closed


# ---- seen for real -----------------------------------------------------------------------------


@pytest.mark.lab
def test_what_was_seen_is_shown_beside_its_prediction(lab):
    seen = lab.observe(SCENARIOS["to a NodePort, Cluster"].flow(lab.world))
    for text in texts(show_comparison(lab.compare(seen))):
        assert f"Seen as predicted: delivered, and answered: {seen.server} saw" in text
        assert f"endpoint {lab.world.address(seen.server)}:8080" in text
        assert "as likely as 1 in 4" in text


@pytest.mark.lab
def test_what_a_learner_breaks_is_the_first_difference(lab):
    lab.run("node1", "ip route del default")
    seen = lab.observe(SCENARIOS["to a VM"].flow(lab.world))
    found = lab.compare(seen)
    assert marks(found)[:3] == [SAME, SAME, FIRST]
    assert "predicted node1 eth0 out: tcp 10.240.0.4:40000" in str(show_comparison(found))


@pytest.mark.lab
def test_a_service_spreads_over_its_pods_as_predicted(lab):
    flow = Flow("vm-2", lab.world.address("node1"), 30080)
    ways = outcomes(lab.world, flow)
    sent = lab.observe_many(flow, 40)
    shares = shares_of(sent, ways)
    assert [share.who for share in shares] == ["web-1", "web-2", "web-3", "web-4"]
    assert sum(share.times for share in shares) == len(sent.traces) == 40
    assert {share.source for share in shares} == {"10.240.0.4"}
    assert all(share.times for share in shares)
