"""Plans as files: what is written is read back, and whatever is wrong is told, all of it."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from course.commands import main
from course.design import Design, Pool
from course.errors import InputError
from course.planner.check import check
from course.planner.comparison import compare
from course.planner.document import DocumentError, read, write
from course.planner.report import markdown
from tests.conftest import ROOT
from tests.designs import designs

SAMPLES = ROOT / "tests" / "samples"

HOSTILE = [
    "", " ", "letters", "٣", "10.0.0.1/24", "10.240.0.0/16 ", "fd00::/64", "0.0.0.0/0", "10.0.0.0",
    "1e400", "-1", "NaN", "9" * 5000, "x" * 10_000_000, "\x00", "$(reboot)", "'; rm -rf", "<b>",
    10**400, -1, 0, 2**63, 1.5, True, None, [], {}, [[]], {"": None}, float("nan"), float("inf"),
]  # fmt: skip
anything = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=20),
    st.integers(),
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner,
                                                                    max_size=2),
        max_leaves=4,
    ),
)  # fmt: skip
FULL = json.loads(
    write(
        Design(
            pools=(Pool("system", 3, 1, 5, 30, "10%", 10), Pool("win", system="Windows2022")),
        )
    )
)
FULL |= {
    "subnets": [{"name": "nodes", "range": "10.240.0.0/24", "taken": 3}],
    "pod_range": "10.244.0.0/16",
    "peered": [{"name": "hub", "range": "10.1.0.0/16"}],
    "on_premises": [{"name": "office", "range": "192.168.0.0/16"}],
    "today": "2026-11-21",
    "outbound": {"type": "userDefinedRouting", "next_hop": "10.1.0.4", "addresses": 1},
    "needs": ["virtual nodes"],
}


def places(value, path=()):
    """Every place in a document where something stands."""
    yield path
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in items:
            yield from places(each, (*path, key))


def with_at(document, path, value):
    if not path:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = with_at(document[path[0]], path[1:], value)
    return copy


@settings(max_examples=60, deadline=None)
@given(designs())
def test_what_is_written_is_read_back(design):
    assert read(write(design)) == design


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(list(places(FULL))), anything)
@example((), float("nan"))
@example(("pools", 0, "nodes"), 10**400)
def test_whatever_stands_in_a_field_is_planned_or_refused_with_its_place(path, value):
    try:
        text = json.dumps(with_at(FULL, path, value))
    except ValueError:  # a number that Python itself does not write
        return
    design, problems = outcome(text)
    assert all(place and 10 < len(message) < 600 for place, message in problems)
    if design is None:
        assert problems
    elif path == ("model",) and value:
        with pytest.raises(InputError, match="is no network model"):
            compare(design)
    else:
        compare(design)


def outcome(text):
    """The design in a text, or everything that is wrong with it."""
    try:
        return read(text), ()
    except DocumentError as error:
        return None, error.problems


@settings(max_examples=200, deadline=None)
@given(st.text())
@example("[" * 100_000)
@example('{"pools": ' + "9" * 5000 + "}")
@example("x" * 10_000_000)
@example("")
def test_text_that_is_no_plan_is_refused(text):
    design, problems = outcome(text)
    assert all(place and 10 < len(message) < 600 for place, message in problems)
    assert design is None or isinstance(json.loads(text), dict)


def test_all_that_is_wrong_is_told_at_once():
    text = '{"polls": [], "pools": [{"nodes": -1}, {"name": "Bad"}], "vnet": ["10.0.0.1/8"]}'
    with pytest.raises(DocumentError) as error:
        read(text)
    told = dict(error.value.problems)
    assert list(told) == ["polls", "pools[0]", "pools[1]", "vnet[0]"]
    assert "Did you mean pools?" in told["polls"]
    assert "10.0.0.0/8" in told["vnet[0]"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"name": "a", "name": "b"}', "given twice"),
        ('{"pools": [{"nodes": NaN}]}', "no number that JSON knows"),
        ('{"pools": [', "line 1, column 12"),
        ('{"peered": [{"name": "hub"}]}', "lacks range"),
        ('{"today": "tomorrow"}', "2028-03-31"),
        ('{"pools": [{"nodes": true}]}', "not a whole number"),
        ('{"own_network": "no"}', "true or false"),
        ('{"pools": []}', "at least one"),
        ("[]", r"\[...\] is no object"),
        ('{"pools": [{"nodes": true}]}', r"pools\[0\].nodes: true is not a whole number"),
        ('{"pools": null}', "pools: null is no list"),
        ('{"name": {"a": 1}}', r"name: {...} is not a text"),
        ('{"peered": [null]}', r"peered\[0\]: null is no object"),
        ('{"own_network": 1e999}', "own_network: Infinity is neither true nor false"),
        ('{"peered": [{}]}', "lacks name and range"),
        ("", "plan: It is empty"),
        (
            '{"vnet": ["10.0.0.0/16"], "peered": [{"name": "A", "range": "10.1.0.0/24"}, {}]}',
            r"peered\[1\]: {...} lacks name and range",
        ),
    ],
)
def test_what_is_wrong_is_named(text, message):
    with pytest.raises(DocumentError, match=message):
        read(text)


def test_public_services_may_share_frontends_or_have_one_each():
    assert read('{"services": {"frontends": null}}').services.frontends is None
    assert read('{"services": {"frontends": 2}}').services.frontends == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_plan_may_be_given_as_windows_writes_it(encoding):
    assert read('{"name": "prod"}'.encode(encoding)).name == "prod"
    assert read('\ufeff{"name": "prod"}').name == "prod"


def test_bytes_that_are_no_text_are_refused():
    assert outcome(b"\xc3\x28") == (None, (("plan", "'the file' is no text. Save it as UTF-8."),))


HUB = {"name": "hub", "range": "10.0.0.0/24"}


@pytest.mark.parametrize(
    ("field", "item", "most", "what"),
    [
        ("pools", {}, 200, "node pools"),
        ("subnets", HUB, 500, "subnets"),
        ("peered", HUB, 500, "peered ranges"),
        ("on_premises", HUB, 500, "ranges on premises"),
        ("vnet", "10.0.0.0/24", 100, "ranges of the virtual network"),
        ("needs", "virtual nodes", 100, "needs"),
    ],
)
def test_a_list_has_an_end(field, item, most, what):
    _, ((place, message),) = outcome(json.dumps({field: [item] * (most + 1)}))
    said = f"{most + 1} {what} are more than a plan may have. Give {most} at most."
    assert (place, message) == (field, said)
    _, problems = outcome(json.dumps({field: [item] * most}))
    assert "more than a plan may have" not in str(problems)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({f"field{i}": 1 for i in range(30_000)}),
        json.dumps({"subnets": [{f"field{i}": 1 for i in range(20)}] * 500}),
        json.dumps({f"field{i}": 1 for i in range(30_000)})[:-1] + ', "field7": 2}',
    ],
)
def test_of_a_great_many_problems_the_first_are_told(text):
    _, problems = outcome(text)
    assert 1 <= len(problems) <= 21


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"\u001b[31mhello\u0007": 1}),
        json.dumps({"x\n\nplan: all is well": 1}),
        json.dumps({"pools": [{"\u202e" + "x" * 5000 + "\r": 1}]}),
        '{"a\\n": 1, "a\\n": 2}',
        json.dumps({"vnet": ["fe80::1%\n\nplan: all is well"]}),
        json.dumps({"vnet": ["10.0.0.0/" + "9" * 100_000]}),
        json.dumps({"name": "\u001b[2J", "model": "\ud800", "today": "\n"}),
    ],
)
def test_no_text_of_a_plan_moves_the_cursor_or_forges_a_line(text):
    with pytest.raises(DocumentError) as caught:
        read(text)
    problems = caught.value.problems
    assert str(caught.value).splitlines() == [f"{place}: {said}" for place, said in problems]
    assert all(each.isprintable() for problem in problems for each in problem)
    assert all(len(place) < 60 and len(said) <= 500 for place, said in problems)


@pytest.mark.parametrize("text", ['{"name": hunter2', '{"hunter2": 1}', "[" * 100_000, b"\xff"])
def test_an_error_holds_nothing_behind_it(text):
    with pytest.raises(DocumentError) as caught:
        read(text)
    assert caught.value.__context__ is None


def test_a_plan_without_a_day_is_judged_today_and_so_is_one_that_was_written_today():
    assert "today" not in json.loads(write(Design()))
    assert read("{}").today == Design().today


class TestTheCommand:
    def plan(self, tmp_path, text, *words):
        (tmp_path / "plan.json").write_text(text)
        return main(["plan", str(tmp_path / "plan.json"), *words])

    def test_it_prints_the_report_and_is_content(self, tmp_path, capsys):
        assert self.plan(tmp_path, '{"name": "prod"}') == 0
        printed = capsys.readouterr().out
        assert printed.startswith("# Network plan of prod\n")
        assert "Recommended: Azure CNI Overlay" in printed

    def test_it_fails_where_a_finding_is_an_error(self, tmp_path, capsys):
        text = '{"model": "kubenet", "pools": [{"nodes": 401}]}'
        assert self.plan(tmp_path, text) == 1
        assert "**error**" in capsys.readouterr().out

    def test_it_says_what_it_cannot_read(self, tmp_path, capsys):
        assert self.plan(tmp_path, '{"nodes": 3}') == 2
        assert "nodes: 'nodes' is no field of a plan." in capsys.readouterr().err
        assert main(["plan", str(tmp_path / "absent.json")]) == 2
        assert "cannot be read. No such file" in capsys.readouterr().err
        assert self.plan(tmp_path, '{"model": "flannel"}') == 2
        assert "is no network model" in capsys.readouterr().err

    def test_it_reads_files_as_powershell_writes_them(self, tmp_path, capsys):
        file = tmp_path / "plan.json"
        for encoding in ("utf-16", "utf-8-sig"):
            file.write_bytes('{"name": "prod"}'.encode(encoding))
            assert main(["plan", str(file)]) == 0
            assert main(["plan", "--running", str(SAMPLES / "kubenet_show.json")]) == 1
        file.write_bytes(b"\xc3\x28")
        assert main(["plan", str(file)]) == 2
        assert "is no text. Save it as UTF-8." in capsys.readouterr().err

    def test_it_reads_standard_input(self, monkeypatch, capsys):
        given = io.TextIOWrapper(io.BytesIO('{"name": "prod"}'.encode("utf-16")))
        monkeypatch.setattr("sys.stdin", given)
        assert main(["plan", "-"]) == 0
        assert capsys.readouterr().out.startswith("# Network plan of prod\n")

    def test_it_takes_one_plan_and_no_answer_of_az_for_a_plan(self, tmp_path, capsys):
        assert self.plan(tmp_path, "{}", str(tmp_path / "plan.json")) == 2
        assert "2 plans were given. Give one, or say --running." in capsys.readouterr().err
        assert main(["plan", str(SAMPLES / "kubenet_show.json")]) == 2
        assert "but what az or kubectl print. Say --running." in capsys.readouterr().err

    def test_it_looks_at_retirement_on_the_day_that_is_asked_for(self, tmp_path, capsys):
        assert self.plan(tmp_path, '{"model": "kubenet"}', "--today", "2028-03-30") == 0
        assert self.plan(tmp_path, '{"model": "kubenet"}', "--today", "2028-03-31") == 1
        assert self.plan(tmp_path, '{"model": "kubenet"}', "--today", "soon") == 2
        assert "is no day" in capsys.readouterr().err


class TestAClusterThatRuns:
    def check(self, **changed):
        """What is said of the overlay sample, some of its network profile changed."""
        shown = json.loads((SAMPLES / "overlay_show.json").read_text("utf-8"))
        shown["networkProfile"] |= changed
        others = [
            (SAMPLES / f"overlay_{name}.json").read_bytes() for name in ("vnet_list", "nodes")
        ]
        return check([json.dumps(shown), *others], runs=True, today="2026-01-01")

    def test_it_works_if_all_is_known_on_which_that_hangs(self):
        report, works = self.check()
        assert works
        said = report.split("\n\n")[1]
        assert said.startswith("**What was not told stands at its default: 3 questions are open")
        assert "Too little" not in said

    def test_what_does_not_work_does_not_work_however_much_is_known(self):
        report, works = self.check(podCidr="100.64.0.0/22")
        assert not works
        assert "Too little" not in report

    def test_a_node_alone_tells_too_little_to_say_that_it_works(self):
        node = '{"kind": "Node", "metadata": {"labels": {"agentpool": "user"}}}'
        report, works = check([node], runs=True)
        assert not works
        said = report.split("\n\n")[1]
        assert "Too little is known to say whether the cluster works." in said
        assert "`model`" in said
        assert report.index(said) < report.index("The design works in it")
        assert "- **needed** (`model`): Which model gives its pods their addresses?" in report

    def test_a_network_plugin_of_ones_own_is_judged_in_no_model(self):
        report, works = self.check(networkPlugin="none")
        assert not works
        assert "First answer: `model`." in report


def test_the_report_says_the_same_as_the_comparison():
    report, works = check(['{"model": "node-subnet", "pools": [{"nodes": 50, "max_pods": 30}]}'])
    assert works
    assert "1,705 of 10.240.0.0/21 (proposed)" in report
    assert "55 x 31" in report
    assert "https://learn.microsoft.com/azure/aks/" in report


@settings(max_examples=30, deadline=None)
@given(designs())
def test_every_design_has_a_report(design):
    comparison = compare(design)
    text = markdown(comparison)
    for finding in comparison.judged.findings:
        assert finding.what in text
        assert finding.do in text
