"""The capstone takes any design that works, and each fault costs the points of its own task.

The tests of the notebook compute in plain Python what must hold. Here they meet designs made by
hand and drawn by hypothesis, and what the planner says of the same designs.
"""

from __future__ import annotations

import ast
import copy
import json
from functools import cache
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.networks import model as network_model
from course.planner.check import check
from course.planner.comparison import compare
from course.planner.document import read as read_plan
from course.planner.document import write
from course.planner.growth import outlook
from tests.test_exercises import cells_with_tests, marks, read

GIVEN = ("10.250.16.0/20",)
TASKS = ("model", "ranges", "pools", "breaks", "source", "moving")
SYSTEM = {"name": "system", "nodes": 3, "max_pods": 50, "max_surge": 1, "pods": 24}
WORK = {"name": "work", "nodes": 12, "max_nodes": 40, "max_pods": 100, "max_surge": "33%"}
WORK |= {"pods": 24}
HOME = {"subnet": "nodes", "pod_subnet": "pods"}
SERVICES = {"service_range": "10.128.0.0/20", "dns_address": "10.128.0.10"}


@cache
def notebook():
    return read("solutions", "capstone")


@cache
def sources():
    """The tests of each task."""
    return {marks(cell)["grade_id"]: cell.source for cell in cells_with_tests(notebook())}


@cache
def solved():
    """The names that a kernel holds after the answers of the solution."""
    names = {"__name__": "__main__"}
    for cell in notebook().cells:
        if cell.cell_type == "code" and not marks(cell).get("grade"):
            exec(cell.source, names)
    return names


def problem(task, **design):
    """What the tests of a task say of a design; an empty text if it passes."""
    try:
        exec(sources()[f"{task}-tests"], {**solved(), **copy.deepcopy(design)})
    except AssertionError as error:
        return str(error) or "It fails without a word."
    return ""


def lost(**design):
    """The tasks that lose their points."""
    return [task for task in TASKS if problem(task, **design)]


def plan_of(design):
    """The design as the planner reads it, among all that the company has."""
    own = {"model": design["model"], "pools": design["pools"]}
    return json.dumps(solved()["start"] | design["ranges"] | own)


def overlay(*vnet, nodes="10.250.16.0/24", pods="10.64.0.0/16", **others):
    subnets = [{"name": "nodes", "range": nodes}]
    ranges = {"vnet": list(vnet or GIVEN), "subnets": subnets, "pod_range": pods}
    pools = [SYSTEM | HOME, WORK | HOME]
    return {"model": "overlay", "ranges": ranges | SERVICES | others, "pools": pools, "source": "B"}


def pod_subnet(nodes="10.250.16.0/25", pods="10.250.24.0/21", **others):
    named = [{"name": "nodes", "range": nodes}, {"name": "pods", "range": pods}]
    ranges = {"vnet": list(GIVEN), "subnets": named, **SERVICES, **others}
    pools = [SYSTEM | HOME, WORK | HOME]
    return {"model": "pod-subnet-dynamic", "ranges": ranges, "pools": pools, "source": "A"}


def with_pools(design, *pools):
    return design | {"pools": [HOME | pool for pool in pools]}


def with_subnets(design, **named):
    subnets = [{"name": name, "range": text} for name, text in named.items()]
    return design | {"ranges": design["ranges"] | {"subnets": subnets}}


VALID = {
    "overlay": overlay(),
    "overlay, as small as it may be": overlay(
        "10.250.31.128/25", nodes="10.250.31.128/25", pods="172.24.64.0/18",
        service_range="172.24.0.0/23", dns_address="172.24.1.254",
    ),
    "overlay in shared address space": overlay(
        pods="100.64.0.0/10", service_range="172.24.0.0/14", dns_address="172.24.0.2"
    ),
    "overlay, a subnet for each of three pools": with_pools(
        with_subnets(overlay(), sys="10.250.16.0/28", a="10.250.17.0/26", b="10.250.18.0/24"),
        SYSTEM | {"subnet": "sys"},
        WORK | {"name": "big", "nodes": 6, "max_nodes": 20, "max_surge": 5, "subnet": "a"},
        WORK | {"name": "large", "nodes": 6, "max_nodes": 20, "max_pods": 250, "subnet": "b"},
    ),
    "overlay, without an autoscaler": with_pools(
        overlay(), SYSTEM | {"nodes": 5, "max_surge": "100%"},
        {name: each for name, each in WORK.items() if name != "max_nodes"} | {"nodes": 60},
    ),
    "overlay, where the network has two ranges": overlay(
        "10.250.20.0/24", "10.250.28.0/22", nodes="10.250.20.0/25"
    ),
    "pod subnet": pod_subnet(),
    "pod subnet, listed with a pod range that it does not use": pod_subnet(pod_range=None),
    "pod subnet, one for each pool": with_pools(
        with_subnets(
            pod_subnet(), nodes="10.250.23.0/26", pods="10.250.24.0/21", few="10.250.16.0/24"
        ),
        SYSTEM | {"pod_subnet": "few"}, WORK | {"max_surge": "25%"},
    ),
    "pod subnet, with names in other case": with_subnets(
        pod_subnet(), Nodes="10.250.16.0/24", PODS="10.250.24.0/21"
    ),
}  # fmt: skip


@pytest.mark.parametrize("design", VALID.values(), ids=VALID)
def test_any_design_that_works_gets_all_points(design):
    assert {task: problem(task, **design) for task in TASKS} == dict.fromkeys(TASKS, "")


@pytest.mark.parametrize("design", VALID.values(), ids=VALID)
def test_the_planner_finds_no_error_in_it_either(design):
    report, works = check([plan_of(design)])
    assert works, report


@pytest.mark.parametrize("design", VALID.values(), ids=VALID)
def test_what_the_planner_exports_can_be_pasted(design):
    """JSON of ranges and pools is Python too."""
    exported = json.loads(write(read_plan(plan_of(design))))
    parts = {"ranges": {name: exported[name] for name in design["ranges"] if name in exported}}
    parts["pools"] = exported["pools"]
    pasted = {name: ast.literal_eval(json.dumps(part, indent=2)) for name, part in parts.items()}
    assert lost(**design | pasted) == []


def test_the_tests_know_the_company_that_learners_are_told_of():
    told = solved()["company"]
    for text in (told["given"], *told["peered"].values(), *told["on_premises"].values()):
        assert f'"{text}"' in sources()["ranges-tests"]
        assert any(text in cell.source for cell in notebook().cells if cell.id == "company-prompt")


# each fault, and the tasks whose points it costs
INVALID = {
    "kubenet, which ends before the horizon": (
        overlay() | {"model": "kubenet"}, ["model"]),
    "a node subnet, for which the range is too small": (
        overlay(nodes="10.250.16.0/20") | {"model": "node-subnet"}, ["model", "pools"]),
    "the default pod range, which the databases have": (
        overlay(pods="10.244.0.0/16"), ["ranges"]),
    "the default service range, which the head office has": (
        overlay(service_range="10.0.0.0/16", dns_address="10.0.0.10"), ["ranges"]),
    "a pod range that AKS keeps": (overlay(pods="172.28.0.0/14"), ["ranges"]),
    "a pod range on the internet": (overlay(pods="20.0.0.0/16"), ["ranges"]),
    "a pod range with bits set after its length": (overlay(pods="10.64.1.0/16"), ["ranges"]),
    "a pod range that overlaps the service range": (overlay(pods="10.128.0.0/16"), ["ranges"]),
    "a pod range around the virtual network": (overlay(pods="10.248.0.0/14"), ["ranges"]),
    "a virtual network beyond what was given": (overlay("10.250.0.0/19"), ["ranges"]),
    "a subnet outside of the virtual network": (
        overlay("10.250.16.0/24", nodes="10.250.17.0/24"), ["ranges"]),
    "a service range too small for 500 Services": (
        overlay(service_range="10.128.0.0/24"), ["ranges"]),
    "a service range that is too large": (
        overlay(service_range="10.128.0.0/12"), ["ranges"]),
    "cluster DNS at the address of the API server": (
        overlay(dns_address="10.128.0.1"), ["ranges"]),
    "cluster DNS outside of the service range": (overlay(dns_address="10.0.0.10"), ["ranges"]),
    "subnets that overlap": (
        pod_subnet(nodes="10.250.24.0/25"), ["ranges"]),
    "a node subnet too small for the upgrade": (overlay(nodes="10.250.16.0/26"), ["pools"]),
    "a pod range for the nodes at rest": (
        with_pools(overlay(pods="10.64.0.0/18"), SYSTEM, WORK | {"max_surge": "60%"}), ["pools"]),
    "a pod subnet too small for the upgrade": (
        with_pools(pod_subnet(), SYSTEM, WORK | {"max_surge": "50%"}), ["pools"]),
    "a pod subnet that nobody made": (
        with_pools(pod_subnet(), SYSTEM | {"pod_subnet": "other"}, WORK), ["pools"]),
    "pods in the subnet of the nodes": (
        with_pools(pod_subnet(), SYSTEM | {"pod_subnet": "nodes"}, WORK), ["pools"]),
    "no growth": (
        with_pools(overlay(), SYSTEM, WORK | {"max_nodes": 39}), ["pools"]),
    "too few pods on a node in the hour of failover": (
        with_pools(overlay(), SYSTEM, WORK | {"max_pods": 99}), ["pools"]),
    "more pods than a node may run": (
        with_pools(overlay(), SYSTEM, WORK | {"max_pods": 251}), ["pools"]),
    "an upgrade that adds less than a tenth": (
        with_pools(overlay(), SYSTEM, WORK | {"max_surge": 3}), ["pools"]),
    "a system pool that scales down to one node": (
        with_pools(overlay(), SYSTEM | {"min_nodes": 1, "max_nodes": 3}, WORK), ["pools"]),
    "pools of the same name": (with_pools(overlay(), SYSTEM, WORK | {"name": "system"}), ["pools"]),
    "a list of nodes where the databases see pods": (pod_subnet() | {"source": "B"}, ["source"]),
    "a list of pods where the databases see nodes": (overlay() | {"source": "A"}, ["source"]),
}  # fmt: skip


@pytest.mark.parametrize(("design", "tasks"), INVALID.values(), ids=INVALID)
def test_a_fault_costs_the_points_of_its_own_task_and_of_no_other(design, tasks):
    assert lost(**design) == tasks


def test_each_task_about_the_design_has_its_faults():
    assert {task for _, tasks in INVALID.values() for task in tasks} == set(TASKS) - {
        "breaks", "moving",
    }  # fmt: skip


# ---- drawn designs ----

PARTS = {
    "nodes": (["10.250.16.0/24", "10.250.16.0/25"], ["10.250.16.0/26", "10.250.24.0/24"]),
    "pods": (["10.250.24.0/21"], ["10.250.24.0/22", "10.250.16.0/21"]),
    "pod_range": (
        ["10.64.0.0/16", "172.24.0.0/15", "100.64.0.0/16", "10.32.0.0/17"],
        ["10.0.0.0/16", "10.244.0.0/16", "10.244.0.0/14", "10.128.0.0/16", "172.16.0.0/16",
         "172.28.0.0/14", "192.168.0.0/17", "10.64.0.0/19"],
    ),
    "service_range": (
        ["10.128.0.0/20", "172.26.0.0/23", "10.160.0.0/13"],
        ["10.0.0.0/16", "10.96.0.0/11", "10.64.0.0/20", "172.31.0.0/20", "10.240.0.0/14"],
    ),
    "dns": ([2, 10, 200], [0, 1, 2**21]),
    "surge": (["20%", "25%", "33%", 8], ["75%", "100%"]),
    "most": ([40, 41], [60, 90]),
    "per node": ([24], [25, 60]),
    "max_pods": ([100, 110, 250], [250]),
}  # fmt: skip


@st.composite
def designs(draw):
    """Designs of which about half work; the others have a fault, or a few."""
    doubtful = draw(st.sets(st.sampled_from(sorted(PARTS)), max_size=2))
    good, bad = 0, 1
    part = {
        name: draw(st.sampled_from(values[bad if name in doubtful else good]))
        for name, values in PARTS.items()
    }
    model = draw(st.sampled_from(["overlay", "pod-subnet-dynamic"]))
    in_network = ["nodes"] if model == "overlay" else ["nodes", "pods"]
    ranges = {
        "vnet": ["10.250.16.0/20"],
        "subnets": [{"name": name, "range": part[name]} for name in in_network],
        "pod_range": part["pod_range"],
        "service_range": part["service_range"],
        "dns_address": str(ip_network(part["service_range"]).network_address + part["dns"]),
    }
    of_all = {"max_surge": part["surge"], "pods": part["per node"]} | HOME
    work = WORK | of_all | {"max_nodes": part["most"], "max_pods": part["max_pods"]}
    return {"model": model, "ranges": ranges, "pools": [SYSTEM | of_all, work]}


# what the company demands beyond what AKS refuses
COMPANYS_OWN = ("500 Services", "a tenth of the pool")


@settings(max_examples=200, deadline=None)
@given(designs())
def test_the_tests_agree_with_the_planner_on_what_works(design):
    found = [problem("ranges", **design), problem("pools", **design)]
    if any(words in said for said in found for words in COMPANYS_OWN):
        return
    judged = compare(read_plan(plan_of(design))).judged
    assert (found == ["", ""]) == judged.works, (found, judged.errors)


@settings(max_examples=30, deadline=None)
@given(designs())
def test_what_breaks_first_is_what_the_planner_says(design):
    """The planner knows more limits, but none that breaks before these."""
    model, ranges, pools = design["model"], design["ranges"], design["pools"]
    found = solved()["breaks_at"](model, ranges, pools, "work", 2)
    assert problem("breaks", **design) == ""
    growth = outlook(read_plan(plan_of(design)), network_model(model)).growth("work", "nodes")
    if growth.fits is None:
        assert growth.breaks_at == min(found.values())
    else:
        assert growth.fits == min(found.values()) - 1


def test_the_page_of_the_solution_tells_what_its_design_does():
    """The room that the page speaks of, and the numbers at which the solution breaks."""
    names = solved()
    found = names["breaks_at"](names["model"], names["ranges"], names["pools"], "work", 2)
    page = next(cell.source for cell in notebook().cells if cell.id == "page")
    for number in (found["nodes"], found["pods"]):
        assert f"[{number}" in page
    for text in (names["ranges"]["pod_range"], names["ranges"]["service_range"]):
        assert text in page
    assert names["ranges"]["subnets"][0]["range"] in page
