"""How the use of a pod subnet goes up and down as pods come and go."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course.errors import InputError
from course.facts import fact, number
from course.sizing.batches import Start, in_batches, one_by_one, over_time
from course.sizing.pod_subnet import max_nodes_at_start, pool_target
from course.subnet import usable_addresses
from course.views.batches import STORY, batches_over_time

BATCH = number("dynamic.batch_size")
RELEASE = number("dynamic.release_threshold_free")
REQUEST = number("dynamic.request_threshold_free")
pods = st.integers(0, 250)
stories = st.lists(st.lists(st.integers(0, 110), max_size=5), min_size=1, max_size=12)


@given(pods, st.integers(10, 250))
def test_a_node_that_grew_to_so_many_pods_holds_what_the_formula_says(count, max_pods):
    grown = in_batches().rest(min(count, max_pods), 0, max_pods)
    assert grown == pool_target(min(count, max_pods), max_addresses=max_pods)


@given(st.integers(0, 200), st.integers(0, 15))
def test_whole_batches_come_to_rest_at_the_formula_from_above_and_from_below(count, batches):
    """The thresholds are one batch apart, so that only one number of batches is at rest."""
    assert in_batches().rest(count, batches * BATCH, most=256) == pool_target(count, 256)


def test_24_free_addresses_give_a_batch_back_and_23_do_not():
    held = 2 * BATCH
    assert in_batches().shrunk(held - RELEASE, held) == BATCH
    assert in_batches().shrunk(held - RELEASE + 1, held) == held


def test_fewer_than_8_free_addresses_ask_for_a_batch_and_8_do_not():
    assert in_batches().grown(BATCH - REQUEST, BATCH, 250) == BATCH
    assert in_batches().grown(BATCH - REQUEST + 1, BATCH, 250) == 2 * BATCH


def test_a_node_cut_short_by_max_pods_keeps_its_last_batch_a_little_longer():
    grown = in_batches().rest(9, 0, most=30)
    assert grown == 30
    assert in_batches().rest(7, grown, most=30) == 30  # 23 free
    assert in_batches().rest(6, grown, most=30) == pool_target(6, 30) == 16  # 24 free


@given(pods, pods)
def test_a_node_of_an_exhausted_subnet_keeps_one_free_address(count, held):
    told = fact("dynamic.exhausted_behaviour").value
    rest = one_by_one().rest(count, held, most=1000)
    assert told["min_free"] <= rest - count < told["max_free"]


@given(stories, st.integers(22, 29), st.sampled_from([30, 110, 250]))
def test_no_address_is_held_twice_or_lost(steps, prefix, max_pods):
    steps = [[min(count, max_pods) for count in step] for step in steps]
    use = over_time(prefix, steps, max_pods)
    assert len(use.moments) == len(steps)
    for moment, counts in zip(use.moments, steps, strict=True):
        assert 0 <= moment.used <= use.size == usable_addresses(prefix)
        assert moment.used + moment.free == use.size
        assert moment.running + moment.waiting == sum(counts)
        for node in moment.nodes:
            assert node.running + node.free == node.held <= max_pods
            assert (node.primary == 1) == (node.held > 0)
            assert not node.waiting or node.refused


@given(stories, st.integers(22, 29))
def test_a_node_is_refused_only_what_the_subnet_has_not_got(steps, prefix):
    for moment in over_time(prefix, steps).moments:
        drawing = one_by_one() if moment.exhausted else in_batches()
        for place in moment.refused:
            node = moment.nodes[place - 1]
            more = drawing.next(node.pods, node.held, 250) - node.held
            assert moment.free < more + (1 - node.primary)


@given(stories)
def test_in_a_large_subnet_every_node_holds_what_the_formula_says(steps):
    use = over_time(16, steps, max_pods=160)
    assert use.exhausted_at is None
    for moment in use.moments:
        for node in moment.nodes:
            assert node.held == node.wanted == pool_target(node.pods, 160)
            assert node.addresses == node.held + number("dynamic.primary_ip_per_node")


@given(stories, st.integers(22, 29))
def test_a_subnet_is_exhausted_only_after_a_node_was_refused(steps, prefix):
    for before, after in pairwise(over_time(prefix, steps).moments):
        assert not before.refused or after.exhausted
        assert not after.exhausted or before.exhausted or before.refused


@given(st.integers(20, 29), st.integers(0, 3))
def test_a_subnet_starts_as_many_idle_nodes_as_it_has_17_addresses_for(prefix, more):
    nodes = max_nodes_at_start(prefix)
    (moment,) = over_time(prefix, [[0] * (nodes + more)]).moments
    assert sum(node.primary for node in moment.nodes) == Start(prefix).nodes == nodes
    assert moment.refused == tuple(range(nodes + 1, nodes + more + 1))


def test_an_idle_node_holds_17_and_a_24_starts_14_nodes():
    text = Start(24).explain()
    assert "16 + 1" in text
    assert "251 / 17, rounded down" in text
    assert (Start(24).per_node, Start(24).nodes) == (17, 14)
    assert "it could not start" in over_time(24, [[0] * 15]).moments[0].explain()


def test_one_pod_more_moves_a_whole_batch_and_one_less_moves_it_back():
    use = over_time(24, [(8, 8), (9, 8), (8, 8)])
    assert [moment.used for moment in use.moments] == [34, 50, 34]


def test_nobody_waits_at_once_when_a_batch_is_refused():
    # 3 x 17 of 59 addresses are held: 8 are left, too few for a batch
    use = over_time(26, [(0, 0, 0), (9, 0, 0), (17, 0, 0)])
    first = use.exhausted_at
    assert (first.step, first.refused, first.waiting) == (2, (1,), 0)
    assert "node 1, pods that wait" in first.explain()
    # the others gave back all but one of their addresses
    then = use.moments[2]
    assert then.exhausted
    assert [node.held for node in then.nodes] == [18, 1, 1]
    assert use.waiting_at is None


def test_pods_wait_for_a_batch_first_and_then_for_single_addresses():
    use = over_time(27, [(0,), (20,), (20,), (28,)])
    assert [moment.waiting for moment in use.moments] == [0, 4, 0, 2]
    assert use.waiting_at.step == 2
    assert use.moments[-1].free == 0


def test_batches_come_back_once_they_fit_again():
    use = over_time(26, [(0, 0, 0), (9, 0, 0), (8, 0, 0), (8, 0, 0)])
    assert [moment.exhausted for moment in use.moments] == [False, False, True, False]
    assert [node.held for node in use.moments[-1].nodes] == [16, 16, 16]


def test_a_node_that_leaves_gives_its_addresses_back():
    use = over_time(26, [(0, 0, 0), (0, 0), ()])
    assert [moment.used for moment in use.moments] == [51, 34, 0]


@pytest.mark.parametrize("wrong", [-1, 251, 1.5, True, "3"])
def test_pods_of_a_node_are_a_whole_number_that_it_may_run(wrong):
    with pytest.raises(InputError):
        over_time(24, [(wrong,)])


def test_no_node_runs_more_pods_than_aks_lets_it():
    with pytest.raises(InputError, match="Choose 250 or fewer"):
        over_time(24, [(0,)], max_pods=251)


def test_a_subnet_of_no_size_is_refused():
    with pytest.raises(InputError, match="smaller than any subnet"):
        over_time(30, [(0,)])


def test_the_story_ends_with_pods_that_wait():
    use = over_time(25, STORY)
    assert use.exhausted_at.step < use.waiting_at.step
    peak = max(range(12), key=lambda step: use.moments[step].running)
    assert use.moments[peak].running > use.moments[13].running < use.moments[-1].running
    assert use.moments[-1].waiting


def test_the_picture_of_use_says_what_it_shows():
    picture = batches_over_time()
    assert picture.drawing.startswith("<svg")
    assert "Step 20: node 2 gets no batch." in picture.alt
    assert "4 pods wait" in picture.alt
    assert len(picture.words) == len(STORY)
    assert "nodes hold 51 addresses, 6 pods have one" in picture.words[1]
    for told in ("/25: 123 addresses", "pods that wait", "end of the subnet", "one by one"):
        assert told in picture.drawing


@given(stories, st.integers(20, 29))
def test_every_use_can_be_drawn(steps, prefix):
    picture = batches_over_time(prefix, steps)
    root = ElementTree.fromstring(picture.drawing)
    width, height = float(root.get("width")), float(root.get("height"))
    for each in root.iter():
        for name, most in (("x", width), ("x2", width), ("y", height), ("y2", height)):
            assert 0 <= float(each.get(name, 0)) <= most


def test_where_nobody_waits_the_picture_names_neither_waiting_nor_exhaustion():
    picture = batches_over_time(24, [(8,), (9,)])
    assert "Every node gets its batches." in picture.alt
    assert "wait" not in picture.drawing.replace('id="waiting"', "")
    assert "one by one" not in picture.drawing


def test_a_story_without_a_step_has_no_picture():
    with pytest.raises(InputError, match="no step"):
        batches_over_time(24, [])
