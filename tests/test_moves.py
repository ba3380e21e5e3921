"""Which ways lead from one model to another, and what stands in the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from course.design import Design, Pool
from course.networks import all_models, model
from course.planner.comparison import plan
from course.planner.moves import moves

NOW = Design(today=date(2026, 11, 21), kubernetes="1.34")
WINDOWS = (Pool(), Pool("win", system="Windows2022"))


def way(start, to, **changes):
    """The way from one model to another, None if there is none."""
    found = moves(plan(replace(NOW, **changes), model(start)))
    return next((each for each in found if each.to == to), None)


@pytest.mark.parametrize("start", ["kubenet", "node-subnet"])
def test_a_cluster_moves_to_overlay_in_place_unless_something_forbids_it(start):
    found = way(start, "overlay")
    assert found.in_place
    assert found.open
    assert "--network-plugin-mode overlay" in found.how
    assert ("--pod-cidr" in found.how) is (start == "node-subnet")
    assert (
        "1.27 or later; the cluster has 1.26"
        in way(start, "overlay", kubernetes="1.26").blockers[0]
    )
    assert "say which it has" in way(start, "overlay", kubernetes="").blockers[0]
    assert "this one has calico" in way(start, "overlay", policy="calico").blockers[0]


def test_what_overlay_does_not_serve_blocks_the_way_there():
    old = (Pool(), Pool("win", system="Windows2019"))
    assert not way("node-subnet", "overlay", pools=old, kubernetes="1.32").open
    needs = frozenset({"direct pod access"})
    assert "reach pods" in way("node-subnet", "overlay", needs=needs).blockers[0]


@pytest.mark.parametrize("start", ["pod-subnet-dynamic", "pod-subnet-static"])
def test_a_pod_subnet_does_not_become_overlay(start):
    found = way(start, "overlay")
    assert not found.in_place
    assert "new cluster" in found.how


def test_static_blocks_come_with_new_pools_and_a_later_kubernetes():
    assert "new node pools" in way("pod-subnet-dynamic", "pod-subnet-static").how
    assert not way("pod-subnet-dynamic", "pod-subnet-static", kubernetes="1.27").open
    assert "new cluster" in way("node-subnet", "pod-subnet-static").how


@pytest.mark.parametrize("start", ["overlay", "node-subnet", "pod-subnet-dynamic"])
def test_the_data_plane_becomes_cilium_where_all_nodes_run_linux(start):
    found = way(start, "cilium")
    assert found.in_place
    assert found.open
    assert not way(start, "cilium", pools=WINDOWS).open
    assert way(start, "cilium", data_plane="cilium", policy="cilium") is None


@pytest.mark.parametrize("start", ["kubenet", "pod-subnet-static"])
def test_no_page_tells_of_a_way_to_cilium_from_here(start):
    assert way(start, "cilium") is None


def test_a_model_that_retires_is_no_open_way():
    for start in ("overlay", "node-subnet", "pod-subnet-dynamic", "pod-subnet-static"):
        assert "2028-03-31" in way(start, "kubenet").blockers[0]


def test_what_is_wrong_already_is_not_in_the_way():
    wrong = {"pools": (Pool(nodes=1001, max_pods=30),)}
    assert plan(replace(NOW, **wrong), model("node-subnet")).errors
    assert way("node-subnet", "overlay", **wrong).open


def test_every_other_model_has_one_way():
    for each in all_models():
        found = [way.to for way in moves(plan(NOW, each)) if way.to != "cilium"]
        assert sorted(found) == sorted(other.id for other in all_models() if other is not each)
