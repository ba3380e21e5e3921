"""The planner app, without a browser: what it shows of a cluster, and what it says to bad input."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import date, datetime
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import course.networks
from course import commands, personal_copy
from course.addresses import parse_address, parse_range
from course.design import Choices, Design, NamedRange, Outbound, Pool, Services, Subnet
from course.facts import fact
from course.planner import document
from course.views import course_map, planner
from course.views.address_space import address_space
from course.views.planner_app.controls import ControlView

EVERYTHING = Design(
    name="shop",
    model="pod-subnet-dynamic",
    today=date(2026, 12, 1),
    kubernetes="1.34",
    tier="Premium",
    pools=(
        Pool("system", nodes=5, min_nodes=3, max_nodes=9, max_pods=50, max_surge=2, pods=20),
        Pool("win", nodes=2, max_surge="33%", system="Windows2022", subnet="w", pod_subnet="wp"),
    ),
    vnet=(parse_range("10.240.0.0/16"), parse_range("10.250.0.0/16")),
    subnets=(
        Subnet("nodes", parse_range("10.240.0.0/24")),
        Subnet("db", parse_range("10.240.9.0/24"), taken=40),
    ),
    pod_range=parse_range("10.100.0.0/16"),
    service_range=parse_range("10.0.0.0/20"),
    dns_address=parse_address("10.0.0.53"),
    peered=(NamedRange("hub", parse_range("10.10.0.0/16")),),
    on_premises=(NamedRange("office", parse_range("172.20.0.0/16")),),
    outbound=Outbound("userDefinedRouting", 2, 1024, parse_address("10.10.0.4")),
    services=Services(3, 2, 4, 2),
    load_balancer="basic",
    policy="calico",
    data_plane="azure",
    needs=frozenset({"direct pod access"}),
    choices=Choices(surge=1, pod_subnet_max_pods=250, overlay_pods=250_000),
)


def controls(app):
    """Every control of the form that holds a text or a choice, by its place in a Design."""
    found = {}
    for name, part in app.form.parts.items():
        prefix = "" if part.part is Design else f"{name}."
        found |= {f"{prefix}{each}": view for each, view in part.views.items()}
    for row in app.form.pools.rows.children:
        found |= {f"pools.{each}": view for each, view in row.part.views.items()}
    return found


def enter(app, place, text):
    controls(app)[place].control.value = text


def tab(app, title):
    """The HTML of a tab, after it was chosen."""
    titles = [pane.title for pane in app.panes]
    app.tabs.selected_index = titles.index(title)
    shown = app.panes[titles.index(title)]
    return shown.html.value if hasattr(shown, "html") else ""


def pane(app, title):
    tab(app, title)
    return next(pane for pane in app.panes if pane.title == title)


def exported(app, ending):
    export = pane(app, "Export")
    export.choice.value = next(each for _, each in export.choice.options if each.ending == ending)
    return export.text.value


# ---- what it shows ----


def test_an_ordinary_cluster_is_planned_in_all_models_at_once():
    app = planner()
    assert "Recommended: Azure CNI Overlay. The design works in it." in app.verdict.value
    compared = tab(app, "Compare")
    for plan in app.comparison.plans:
        assert plan.model.title in compared
    assert "the virtual network gives addresses to nodes only" in compared
    assert "2028-03-31" in compared  # the day on which kubenet retires
    alt = re.search(r'<img alt="([^"]+)"', compared)[1]
    assert "10.240.0.0/16" in alt
    assert (
        "pod range (proposed 10.244.0.0/16): 1,024 of 65,536 used" in compared
    )  # the picture in words


def test_the_result_follows_every_keystroke():
    app = planner()
    enter(app, "pools.max_surge", "1")
    app.form.model.value = "node-subnet"
    for typed, needed in (("5", "186"), ("50", "1,581"), ("500", "15,531")):
        enter(app, "pools.nodes", typed)
        assert f": {needed} of" in tab(app, "Compare")


def test_every_result_is_of_the_model_that_is_looked_at():
    app = planner()
    app.form.model.value = "kubenet"
    assert "Chosen: kubenet" in app.verdict.value
    assert "Findings in kubenet" in tab(app, "Findings")
    assert "kubenet ends on 2028-03-31" in tab(app, "Findings")
    assert "Room to grow in kubenet" in tab(app, "Growth")
    assert "routes of the route table" in tab(app, "Growth")
    assert "addresses needed" in tab(app, "Working")
    moving = tab(app, "Moving")
    assert "Ways out of kubenet" in moving
    assert "--network-plugin-mode overlay" in moving
    assert "Azure CNI, node subnet:" in moving  # the ways out of the others
    assert "kubenet" in exported(app, "sh")


def test_only_the_tab_that_is_seen_is_made():
    app = planner()
    findings = pane(app, "Findings").html
    before = findings.value
    tab(app, "Compare")
    enter(app, "outbound.ports_per_node", "1000")
    app.form.model.value = "kubenet"
    assert findings.value == before
    assert "kubenet" in tab(app, "Findings")


def test_what_aks_refuses_stands_beside_its_control_too():
    app = planner()
    enter(app, "service_range", "10.240.0.0/16")
    view = controls(app)["service_range"]
    assert "overlaps the virtual network" in view.error.value
    assert app.stale.value == ""  # it can be read: the result is up to date
    enter(app, "service_range", "10.0.0.0/16")
    assert view.error.value == ""


def test_a_finding_stands_beside_what_it_names_and_nowhere_else():
    app = planner(
        pools=(Pool("system"), Pool("user", nodes=3, max_pods=300)),
        subnets=(Subnet("nodes", parse_range("10.9.0.0/24")),),
    )
    views = {name: view for name, view in controls(app).items() if "." not in name}
    told = [name for name, view in views.items() if "Does not work" in view.error.value]
    assert told == ["subnets"]  # its field is subnets.nodes
    system, user = (row.part.views for row in app.form.pools.rows.children)
    assert "Does not work" in user["max_pods"].error.value
    beside = {name for row in (system, user) for name, view in row.items() if view.error.value}
    assert beside == {"max_pods"}
    assert system["max_pods"].error.value == ""
    user["max_pods"].control.value = "30"
    assert user["max_pods"].error.value == ""


def test_what_is_refused_of_all_pools_or_of_the_needs_stands_beside_them():
    pools = tuple(Pool(f"p{n}", nodes=900, max_surge=0) for n in range(6))
    app = planner(pools=pools, model="overlay", needs=frozenset({"direct pod access"}))
    assert "Does not work" in app.form.pools.error.value  # 5,400 nodes
    assert "Does not work" in app.form.needs.error.value
    assert "Policy and needs (1 error)" in app.form.tabs.titles
    assert any(title.startswith("Node pools (") for title in app.form.tabs.titles)
    app.load(Design())
    assert app.form.pools.error.value == app.form.needs.error.value == ""
    assert not any("error" in title for title in app.form.tabs.titles)


@pytest.mark.parametrize("ending", ["md", "json", "sh", "bicep"])
def test_an_export_that_is_seen_follows_the_form(ending):
    app = planner()
    before = exported(app, ending)
    enter(app, "name", "renamed")
    text = pane(app, "Export").text.value
    assert text != before
    assert "renamed" in text
    assert f'download="renamed.{ending}"' in pane(app, "Export").link.value


def test_a_way_that_is_blocked_says_by_what():
    moving = tab(planner(model="kubenet", policy="calico"), "Moving")
    ways = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in moving.split("<tr")]
    answers = {way[0].split("<br>")[0]: way[1] for way in ways if len(way) > 1}
    assert answers["<strong>Azure CNI Overlay</strong>"].startswith("no: ")
    assert "policy" in answers["<strong>Azure CNI Overlay</strong>"]
    assert "yes" in answers.values()


def test_what_is_missing_is_told_as_missing():
    subnet = Subnet("nodes", parse_range("10.240.0.0/28"))
    growth = tab(planner(pools=(Pool(nodes=20, max_surge=0),), subnets=(subnet,)), "Growth")
    assert "<strong>9 missing</strong>" in growth  # 20 of 11
    assert ">-" not in growth


def test_a_model_that_does_not_work_says_why_in_its_row_and_is_not_recommended():
    subnet = Subnet("nodes", parse_range("10.240.0.0/28"))
    app = planner(pools=(Pool(nodes=20, max_surge=0),), subnets=(subnet,))
    assert app.comparison.recommended is None
    compared = tab(app, "Compare")
    for plan in app.comparison.plans:
        assert f"<strong>no</strong>: {plan.errors[0].what}" in compared
    assert "For it:" not in compared
    assert "(recommended" not in compared
    enter(app, "subnets", "nodes=10.240.0.0/21")
    assert "For it:" in tab(app, "Compare")


def test_how_many_errors_there_are_stands_in_the_titles():
    app = planner(pools=(Pool(nodes=20, max_surge=0),))
    assert app.tabs.titles[1] == "Findings"
    enter(app, "subnets", "nodes=10.240.0.0/28")
    errors = len(app.comparison.judged.errors)
    assert app.tabs.titles[1] == f"Findings ({errors} error{'s' if errors > 1 else ''})"
    assert "Network (1 error)" in app.form.tabs.titles
    enter(app, "subnets", "")
    assert app.tabs.titles[1] == "Findings"
    assert "Network" in app.form.tabs.titles


def test_what_would_fit_of_a_pool_that_is_too_large_is_told():
    pool = Pool("user", nodes=3, min_nodes=2, max_nodes=20, max_surge=0)
    subnet = Subnet("nodes", parse_range("10.240.0.0/28"))
    assert "fits up to 11" in tab(planner(pools=(pool,), subnets=(subnet,)), "Growth")


# ---- the picture ----


def drawing(app, model):
    """The texts and boxes of one model's part of the picture, from top to bottom."""
    found = app.comparison
    svg = ElementTree.fromstring(address_space(found).drawing)
    parts = svg.findall("{*}g")
    return list(parts[[plan.model.id for plan in found.plans].index(model)])


def boxes(part):
    """x, y, width and look of each box, without the hatching over it."""
    found = (each.attrib for each in part if each.tag.endswith("rect"))
    return [
        (float(each["x"]), int(each["y"]), float(each["width"]), each.get("stroke-dasharray", ""))
        for each in found
        if not each["fill"].startswith("url")
    ]


def words(part):
    return [each.text for each in part if each.tag.endswith("text")]


def test_ranges_of_the_virtual_network_are_drawn_to_one_scale_below_each_other():
    app = planner(
        vnet=(parse_range("10.240.0.0/16"), parse_range("10.250.0.0/18")),
        subnets=(
            Subnet("nodes", parse_range("10.240.128.0/18")),
            Subnet("db", parse_range("10.250.32.0/19"), taken=40),
        ),
    )
    part = drawing(app, "node-subnet")
    large, nodes, small, db = boxes(part)[:4]
    assert large[0] == small[0] == 0
    assert small[2] == large[2] / 4  # a /18 is a quarter of a /16
    assert small[1] > large[1]
    assert (nodes[0], nodes[1]) == (large[2] / 2, large[1])
    assert nodes[2] == large[2] / 4
    assert (db[0], db[1], db[2]) == (small[2] / 2, small[1], small[2] / 2)
    needed = app.comparison.plan("node-subnet").demands[0].needed
    assert f"10.240.0.0/16: {needed} of 65,536 addresses used" in words(part)
    assert "10.250.0.0/18: 40 of 16,384 addresses used" in words(part)
    assert {"nodes", "db"} <= set(words(part))  # named where there is room


def test_a_gauge_is_as_full_as_its_range():
    app = planner(
        pools=(Pool(nodes=50, max_pods=30, max_surge=0),),
        subnets=(Subnet("nodes", parse_range("10.240.0.0/21")),),
    )
    frame, used = boxes(drawing(app, "node-subnet"))[-2:]
    assert used[2] / frame[2] == pytest.approx(50 * 31 / 2043, abs=0.001)
    enter(app, "pools.nodes", "65")
    frame, used = boxes(drawing(app, "node-subnet"))[-2:]
    assert used[2] / frame[2] == pytest.approx(65 * 31 / 2043, abs=0.001)
    enter(app, "pools.nodes", "66")
    frame, used = boxes(drawing(app, "node-subnet"))[-2:]
    assert used[2] == frame[2]  # 2,046: no more than full
    assert "too small" in words(drawing(app, "node-subnet"))[-1]


def test_a_proposed_range_has_a_dashed_border():
    app = planner()
    assert [dashed for *_, dashed in boxes(drawing(app, "node-subnet"))] == ["", "4 3", "4 3", ""]
    enter(app, "subnets", "nodes=10.240.0.0/21")
    assert {dashed for *_, dashed in boxes(drawing(app, "node-subnet"))} == {""}


def test_the_picture_says_in_which_models_the_design_works():
    app = planner(policy="azure")  # kubenet knows no such engine
    assert words(drawing(app, "node-subnet"))[1] == "works"
    assert words(drawing(app, "kubenet"))[1] == "1 error"


def test_of_many_subnets_the_picture_shows_some_and_says_how_many_more():
    pools = tuple(Pool(f"p{n}", nodes=1, subnet=f"s{n}") for n in range(8))
    part = drawing(planner(pools=pools), "node-subnet")
    assert words(part)[-1] == "and 3 more, in words below"
    assert sum(text.startswith("subnet s") for text in words(part)) == 5
    ranges = tuple(parse_range(f"10.{n}.0.0/16") for n in range(100, 107))
    part = drawing(planner(vnet=ranges), "node-subnet")
    assert "and 2 more ranges" in words(part)
    assert sum("addresses used" in text for text in words(part)) == 5


# ---- bad input ----


@pytest.mark.parametrize(
    ("place", "text", "says"),
    [
        ("vnet", "10.240.0.1/16", "bits set after its length"),
        ("vnet", "", "is too little for a virtual network"),
        ("pod_range", "fd00::/64", "Write an IPv4 one"),
        ("service_range", "10.0", "is not a complete address"),
        ("dns_address", "010.0.0.10", "leading zero"),
        ("subnets", "10.240.0.0/24", "has no name"),
        ("subnets", "a=10.240.0.0/24, a=10.240.1.0/24", "names more than one subnet"),
        ("subnets", "a=10.240.0.0/24 b=10.240.1.0/24", "put a comma before a name"),
        ("subnets", "a=10.240.0.0/24 (-1 taken)", "Write (40 taken)"),
        ("peered", "hub=10.1.0.0/16 (3 taken)", "Put a comma between networks"),
        ("name", "", "is no name of a cluster"),
        ("kubernetes", "latest", "is no Kubernetes version"),
        ("today", "2026-02-30", "is no day"),
        ("today", "tomorrow", "is no day"),
        ("pools.name", "Gpu_1", "is no name of a node pool"),
        ("pools.nodes", "", "is no number"),
        ("pools.nodes", "1e3", "is not a whole number"),
        ("pools.nodes", "NaN", "is not a whole number"),
        ("pools.nodes", "-1", "Give a whole number, 0 or more"),
        ("pools.nodes", "9" * 29, "too large a number"),
        ("pools.nodes", "9" * 100, "is not a whole number"),
        ("pools.nodes", "٣", "is not a whole number"),
        ("pools.min_nodes", "2", "The autoscaler wants both"),
        ("pools.max_nodes", "2", "Give least, present and most nodes"),
        ("pools.max_pods", "0", "Give a whole number, 1 or more"),
        ("pools.max_surge", "half", "is no max-surge"),
        ("outbound.next_hop", "firewall", "is not a complete address"),
        ("outbound.addresses", "0", "1 or more"),
        ("services.ports", "two", "is not a whole number"),
        ("name", "x" * 10_000_000, "is longer than 20,000 characters"),
    ],
)
def test_bad_input_is_told_at_its_field_and_the_last_good_result_stays(place, text, says):
    app = planner()
    view, before = controls(app)[place], tab(app, "Compare")
    good = view.control.value
    enter(app, place, text)
    assert says in view.error.value
    assert 'role="alert"' in view.error.value
    assert view.spec.label in app.stale.value
    assert "last result without an error" in app.stale.value
    assert tab(app, "Compare") == before
    assert any("(1 error)" in title for title in app.form.tabs.titles)
    enter(app, place, good)
    assert (view.error.value, app.stale.value) == ("", "")
    assert not any("error" in title for title in app.form.tabs.titles)


def test_what_is_wrong_only_together_is_told_at_one_of_the_fields():
    app = planner()
    enter(app, "peered", "hub=10.1.0.0/16")
    enter(app, "on_premises", "hub=172.20.0.0/16")
    assert "names more than one network" in controls(app)["peered"].error.value
    enter(app, "on_premises", "")
    app.form.pools.add.click()
    second = app.form.pools.rows.children[1].part.views
    second["name"].control.value = "system"
    assert "names more than one node pool" in app.form.pools.error.value
    assert "Node pools" in app.stale.value
    second["name"].control.value = "windows"
    assert app.form.pools.error.value == ""
    second["system"].control.value = "Windows2022"
    assert "at most 6" in second["name"].error.value


def test_another_model_can_be_looked_at_while_a_field_is_to_be_mended():
    app = planner()
    enter(app, "service_range", "10.")
    app.form.model.value = "kubenet"
    assert "Chosen: kubenet" in app.verdict.value
    assert "Service range" in app.stale.value


def test_what_is_typed_is_shown_as_text():
    bad = "<img src=x onerror=alert(1)>"
    app = planner()
    for place, view in controls(app).items():
        if not view.spec.options:
            enter(app, place, bad)
            assert "<img src=x" not in view.error.value, place
    assert "<img src=x" not in app.stale.value
    pane(app, "Load").text.value = json.dumps({bad: bad})
    pane(app, "Load").button.click()
    assert "<img src=x" not in pane(app, "Load").told.value


APP = planner()
TEXTS = {place: view for place, view in controls(APP).items() if not view.spec.options}
HOSTILE = [
    *("", " ", "NaN", "inf", "-1", "1e9", "0x10", "100%", "１２", "²", "\u202e", "\ud800"),
    *("9" * 400, "1000000000", "10.0.0.0/33", "::/0", "a=::/0", "0.0.0.0/0", "255.255.255.255/32"),
    *("a=0.0.0.0/0 (999999999 taken)", "a=10.0.0.0/8\nb=10.0.0.0/8", "10.0.0.0/8, 10.0.0.0/8"),
]
ANY_TEXT = st.one_of(
    st.text(max_size=30),
    st.text(alphabet="0123456789./=,;() %-+eE\n\0", max_size=40),
    st.sampled_from(HOSTILE),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(TEXTS)), ANY_TEXT, st.sampled_from(range(6)))
def test_no_text_in_any_field_ever_breaks_it_and_mending_brings_the_result_back(place, text, seen):
    view = TEXTS[place]
    APP.tabs.selected_index = seen
    good, before = view.control.value, APP.design
    try:
        view.control.value = text
        assert bool(APP.stale.value) == bool(APP.form.wrong)
        if view.wrong:
            assert "Error:" in view.error.value
            assert APP.design == before
    finally:
        view.control.value = good
    assert APP.stale.value == ""
    assert before == APP.design


# ---- pools ----


def test_pools_are_added_and_removed_and_one_always_stays():
    app = planner()
    rows = app.form.pools.rows
    assert rows.children[0].remove.disabled
    app.form.pools.add.click()
    app.form.pools.add.click()
    assert [row.remove.description for row in rows.children][1:] == [
        "Remove pool user1",
        "Remove pool user2",
    ]
    assert [pool.name for pool in app.design.pools] == ["system", "user1", "user2"]
    rows.children[0].remove.click()
    rows.children[0].remove.click()
    assert [pool.name for pool in app.design.pools] == ["user2"]
    assert rows.children[0].remove.disabled


# ---- where the vendor's pages disagree ----


@pytest.mark.parametrize(
    ("name", "fact_id"),
    [
        ("surge", "surge.default"),
        ("pod_subnet_max_pods", "dynamic.default_max_pods"),
        ("overlay_pods", "aks.overlay_max_pods_total"),
    ],
)
def test_where_pages_disagree_each_claim_can_be_chosen_and_is_explained(name, fact_id):
    app = planner()
    part = app.form.parts["choices"]
    view = part.views[name]
    told = part.children[part.children.index(view) + 1].value
    for claim in fact(fact_id).claims:
        assert claim.value in [value for _, value in view.control.options]
        assert claim.as_of in told
        view.control.value = claim.value
        assert getattr(app.design.choices, name) == claim.value


def test_a_claim_of_ones_own_can_be_loaded():
    app = planner(choices=Choices(surge="33%"))
    assert controls(app)["choices.surge"].control.value == "33%"


# ---- in and out ----


def test_a_design_with_everything_in_it_goes_through_the_form_and_stays_the_same():
    app = planner(EVERYTHING)
    assert app.form.read() == EVERYTHING
    assert document.read(exported(app, "json")) == EVERYTHING


def test_an_exported_plan_is_loaded_again_and_the_one_before_can_be_brought_back():
    app = planner(name="other")
    load = pane(app, "Load")
    assert app.back.layout.display == "none"
    load.text.value = document.write(EVERYTHING)
    load.button.click()
    assert app.design == EVERYTHING
    assert "The form holds this plan now" in load.told.value
    assert load.text.value == ""
    app.back.click()
    assert app.design == Design(name="other")


@pytest.mark.parametrize(
    "text",
    ["", "no JSON", "[]", "{", '{"nodes": 3}', '{"model": "flannel"}', '{"pools": []}', "1" * 9999],
)
def test_a_plan_that_cannot_be_loaded_changes_nothing_and_says_why(text):
    app = planner(EVERYTHING)
    load = pane(app, "Load")
    load.text.value = text
    load.button.click()
    assert 'role="alert"' in load.told.value
    assert app.design == EVERYTHING
    assert load.text.value == text


@pytest.mark.parametrize("ending", ["md", "json", "sh", "bicep"])
def test_every_export_can_be_saved_as_a_file_without_leaving_the_machine(ending):
    app = planner(name="shop")
    text = exported(app, ending)
    link = pane(app, "Export").link.value
    assert len(text) > 100
    assert f'download="shop.{ending}"' in link
    assert 'href="data:text/plain;charset=utf-8;base64,' in link
    pane(app, "Export").text.value = "typed into it"
    assert pane(app, "Export").text.value == text


CLUSTER = {
    "name": "shop",
    "type": "Microsoft.ContainerService/ManagedClusters",
    "networkProfile": {"networkPlugin": "azure", "networkPluginMode": "overlay"},
    "agentPoolProfiles": [{"name": "web", "count": 7, "maxPods": 60, "osType": "Linux"}],
}


def test_a_running_cluster_fills_the_form_and_what_is_missing_names_its_command():
    app = planner()
    own = pane(app, "Your own cluster")
    for command in ("az aks show", "az aks nodepool list", "az network vnet show", "kubectl get"):
        assert command in own.children[0].value
    own.text.value = "WARNING: preview\n" + json.dumps(CLUSTER)
    own.button.click()
    # labels of the form, not names of fields
    assert ">Kubernetes version</td>" in own.told.value
    assert "<code>kubernetes" not in own.told.value
    assert (app.design.name, app.design.model) == ("shop", "overlay")
    assert app.design.pools[0].nodes == 7
    assert "Which Kubernetes version does it run?" in own.told.value
    assert "<code>az aks show" in own.told.value
    assert own.text.value == ""  # it may hold secrets


def test_files_are_read_as_what_is_pasted():
    app = planner()
    own = pane(app, "Your own cluster")
    content = json.dumps(CLUSTER).encode("utf-16")
    file = {"name": "a.json", "type": "", "size": len(content), "last_modified": datetime.now()}
    own.files.value = [file | {"content": memoryview(content)}]
    own.button.click()
    assert app.design.name == "shop"
    assert own.files.value == ()  # they may hold secrets


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_whatever_is_pasted_is_answered_in_words(text):
    own = pane(APP, "Your own cluster")
    own.told.value = ""
    own.text.value = text
    own.button.click()
    assert 'role="alert"' in own.told.value


# ---- a model of one's own ----

TOY = """
from course.networks.demands import node_subnets, one_address
from course.networks.model import NetworkModel


class Toy(NetworkModel):
    id, title, idea, rank = "toy", "Toy network", "one address for everything", 0

    def default_max_pods(self, choices):
        return 30

    def demands(self, design):
        return node_subnets(design, one_address)

    def profile(self):
        return {"networkPlugin": "none"}


MODEL = Toy()
"""


def test_a_model_that_is_one_new_file_appears_everywhere_by_itself(tmp_path, monkeypatch):
    (tmp_path / "toy.py").write_text(TOY)
    monkeypatch.setattr(course.networks, "__path__", [*course.networks.__path__, str(tmp_path)])
    try:
        app = planner()
        assert "Recommended: Toy network" in app.verdict.value
        table, picture = tab(app, "Compare").split("<figure")
        assert "Toy network" in table
        assert "Toy network: subnet nodes" in picture
        assert ("Toy network", "toy") in app.form.model.options
        app.form.model.value = "toy"
        assert "Findings in Toy network" in tab(app, "Findings")
        assert "Room to grow in Toy network" in tab(app, "Growth")
        assert "Toy network" in tab(app, "Moving")
        assert "Toy network" in exported(app, "md")
        assert json.loads(exported(app, "json"))["model"] == "toy"
    finally:
        sys.modules.pop("course.networks.toy", None)


# ---- the notebook ----


def test_the_planner_opens_by_its_own_command(monkeypatch, tmp_path):
    for folder in ("lessons", "exercises"):
        (tmp_path / folder).mkdir()
    notebook = tmp_path / "lessons" / "planner.ipynb"
    notebook.write_text("{}")
    found = []
    monkeypatch.setattr(os, "chdir", lambda folder: None)
    monkeypatch.setattr(os, "execve", lambda *words: found.extend(words))
    monkeypatch.setattr(subprocess, "call", lambda *_, **__: 0)
    commands.main(["planner", "--no-browser"], tmp_path)
    assert "--LabApp.default_url=/lab/tree/lessons/planner.ipynb" in found[1]
    assert found[1][-1] == "--no-browser"
    mine = tmp_path / "my-course" / "lessons" / "planner.ipynb"
    mine.write_text("my own")
    assert personal_copy.reset("planner", tmp_path).says.startswith("Tool: the planner: the")
    assert mine.read_text() == "{}"


def test_the_map_of_the_course_lists_the_planner_as_a_tool():
    assert '<a href="planner.ipynb">Tool: the planner</a>' in course_map().html


def test_every_control_of_the_form_has_a_name():
    for place, view in controls(planner()).items():
        assert isinstance(view, ControlView)
        assert view.control.description, place
