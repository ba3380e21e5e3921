"""What a learner sees, without a browser."""

from __future__ import annotations

import re

import pytest

from course import progress
from course.cluster import NodePool
from course.curriculum import lesson, projects
from course.questions import Ordering, question
from course.sizing.node_subnet import capacity, plan
from course.views import (
    ask,
    begin,
    course_map,
    node_addresses,
    node_subnet_calculator,
    show,
    show_fact,
    sources,
    static_blocks_calculator,
    subnet_use,
)
from course.views import dot as dot_module
from course.views.html import inline
from course.views.questions import QuestionView

PICTURES = {
    "node card": node_addresses,
    "subnet use": lambda: subnet_use(plan(NodePool(8, 30)), 24),
}


@pytest.fixture(params=["dot program", "built in"])
def renderer(request, monkeypatch):
    """With a dot program, and without one."""
    dot_module.svg.cache_clear()
    if request.param == "built in":
        monkeypatch.setenv("PATH", "/nowhere")
    yield request.param
    dot_module.svg.cache_clear()


@pytest.mark.parametrize("make", PICTURES.values(), ids=PICTURES)
def test_a_picture_is_drawn_with_and_without_a_dot_program_and_says_what_it_shows(renderer, make):
    picture = make()
    assert picture.drawing.startswith("<svg")
    assert len(picture.alt) > 40
    html = picture._repr_mimebundle_()["text/html"]
    assert re.search(r'<img alt="[^"]{40,}"', html)
    assert "https:" not in re.sub(r"base64,[^\"]*", "", html)
    assert picture.alt in repr(picture)
    assert len(picture.words) >= 3


def test_where_nothing_can_draw_the_words_stand_alone(monkeypatch):
    def nothing(source):
        raise dot_module.NoRendererError("none")

    monkeypatch.setattr("course.views.pictures.svg", nothing)
    picture = node_addresses()
    assert "<img" not in picture.html
    assert "31 addresses" in repr(picture)
    assert "python -m course doctor" in picture.html


@pytest.mark.parametrize("does", ["exit 3", "echo hello"])
def test_a_broken_dot_program_does_not_hide_the_picture(monkeypatch, tmp_path, does):
    dot_module.svg.cache_clear()
    (tmp_path / "dot").write_text(f"#!/bin/sh\n{does}\n")
    (tmp_path / "dot").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert node_addresses().drawing.startswith("<svg")
    dot_module.svg.cache_clear()


def enter(calculator, **values):
    for name, value in values.items():
        calculator.fields[name].control.value = str(value)


def test_the_calculator_starts_with_the_number_that_everybody_quotes():
    result = node_subnet_calculator().result.value
    assert "1,581" in result
    assert "It fits." in result


def test_a_bad_input_is_told_beside_its_field_and_the_last_good_result_stays():
    calculator = node_subnet_calculator()
    good = calculator.result.value
    for field, value, says in [
        ("prefix", "10.240.0.1/21", "bits set after its length"),
        ("prefix", "10.240.0.0/30", "smaller than any subnet of Azure"),
        ("prefix", "fd00::/64", "Write an IPv4 one"),
        ("nodes", 0, "1 or more"),
        ("max_pods", 9, "Choose 10 to 250"),
        ("max_surge", "half", "is no max-surge"),
        ("max_surge", "200%", "0% to 100%"),
        ("balancers", -1, "0 or more"),
        ("nodes", "50.7", "is not a whole number"),
        ("nodes", "1e2", "is not a whole number"),
        ("nodes", "", "1 or more"),
        ("max_pods", "thirty", "is not a whole number"),
        ("prefix", "1" * 100_000, "is not a complete address"),
        ("nodes", 2000, "holds at most 1000"),
        ("nodes", 10**9, "holds at most 1000"),
    ]:
        before = calculator.fields[field].control.value
        enter(calculator, **{field: value})
        assert says in calculator.fields[field].error.value
        assert 'role="alert"' in calculator.fields[field].error.value
        assert calculator.result.value == good
        assert "last values without an error" in calculator.stale.value
        enter(calculator, **{field: before})
        assert calculator.fields[field].error.value == ""


def test_what_is_typed_is_shown_as_text():
    calculator = node_subnet_calculator()
    enter(calculator, max_surge="<script>alert(1)</script>")
    assert "<script>" not in calculator.fields["max_surge"].error.value


def test_a_subnet_that_runs_but_cannot_be_upgraded_is_told_as_such():
    calculator = node_subnet_calculator()
    enter(calculator, prefix="10.240.0.0/24", nodes=8)
    assert "It runs, but AKS would refuse to upgrade" in calculator.result.value
    assert "upgraded here: 7 nodes" in calculator.result.value
    enter(calculator, nodes=9)
    assert "It does not fit" in calculator.result.value


def press(view, name):
    getattr(view, name).click()
    return view.said.value


def test_nothing_is_told_before_an_answer():
    view = ask("05.taken")
    assert "1,550" not in view.said.value
    assert "Not attempted" in press(view, "commit")
    assert progress.events() == []


def test_a_wrong_answer_says_why_and_offers_the_right_one():
    view = ask("05.taken")
    view.entry.value = "110"
    assert "what is in use" in press(view, "commit")
    assert view.reveal in view.buttons.children
    assert "The answer: 1,550." in press(view, "reveal")
    assert [event.outcome for event in progress.events()] == ["wrong", "shown"]


def test_a_text_that_is_no_number_is_not_a_wrong_answer():
    view = ask("05.taken")
    view.entry.value = "many"
    assert "is not a whole number" in press(view, "commit")
    assert progress.events() == []


def test_a_choice_shows_why_the_others_are_wrong_once_it_is_right():
    view = ask("05.upgrade")
    view.entry.value = "The upgrade is refused before any node changes"
    said = press(view, "commit")
    others = said.split("The other options")[1].split("Sources")[0]
    assert others.count("<li>") == 3
    assert progress.events()[-1].outcome == "right"


def test_several_right_options_are_all_wanted():
    view = ask("05.takes")
    boxes = {box.description: box for box in view.entry.children[1:]}
    assert "Not attempted" in press(view, "commit")
    boxes["A surge node, while it runs"].value = True
    assert "There is more to choose." in press(view, "commit")
    for option in view.asked.solution:
        boxes[option].value = True
    assert "Right." in press(view, "commit")
    assert ask("05.takes").read() == view.read()


def test_an_order_with_a_place_given_twice_is_not_attempted():
    view = ask("05.cure")
    fields = view.entry.children[1:]
    for field in fields:
        field.value = 1
    assert "is given more than once" in press(view, "commit")
    order = view.asked.solution
    for field in fields:
        field.value = order.index(field.description) + 1
    assert "Right." in press(view, "commit")
    assert isinstance(view.asked, Ordering)


def test_running_the_cell_again_brings_todays_answer_and_its_feedback_back():
    for question_id, answer in [
        ("05.taken", 110),
        ("05.upgrade", ["It works: whatever runs, fits"]),
        ("05.cure", question("05.cure").solution),
    ]:
        progress.record("05", question_id, answer, "wrong")
        view = ask(question_id)
        assert "Not yet." in view.said.value or "Right." in view.said.value
        assert view.read() == answer


def test_an_answer_of_another_day_is_remembered_without_telling_the_solution(monkeypatch):
    progress.record("05", "05.taken", 1550, "right")
    monkeypatch.setattr(progress.Event, "is_recent", False)
    view = ask("05.taken")
    assert "Try again from memory" in view.said.value
    assert "1,550" not in view.said.value
    assert view.read() is None


def test_an_answer_that_the_question_no_longer_knows_breaks_nothing():
    for answer in ("?", ["gone"], None, {"a": 1}, [[]]):
        progress.record("05", "05.upgrade", answer, "wrong")
        assert "You answered this on" in ask("05.upgrade").said.value


def test_feedback_names_its_sources():
    view = ask("05.myth-default")
    view.entry.value = question("05.myth-default").solution[0]
    said = press(view, "commit")
    assert "learn.microsoft.com" in said
    assert "As of 20" in said


def test_an_answer_that_cannot_be_kept_is_told_and_judged_all_the_same():
    progress.folder().write_text("in the way")
    view = ask("05.taken")
    view.entry.value = "1550"
    said = press(view, "commit")
    assert "Right." in said
    assert "could not be kept" in said
    assert "works all the same" in repr(begin("05"))


def test_results_show_their_working_and_what_it_rests_on():
    shown = show(plan(NodePool(50, 30)))
    assert "1,581" in shown.html
    assert "Azure keeps five addresses" in shown.html
    assert "51 x 31" in repr(shown)
    assert "largest pool" in show(capacity(24, 30)).html


def test_a_fact_is_shown_with_its_source_and_date_in_one_call():
    shown = show_fact("surge.default")
    assert "2026-06-05" in shown.html
    assert "https://learn.microsoft.com" in shown.html
    assert "disagree" in shown.html


def test_the_sources_of_a_lesson_are_its_marked_facts():
    assert "nodesubnet.example" not in sources("05").html
    assert "one surge node and 30 pods" in sources("05").html


def test_the_map_shows_how_far_one_is():
    progress.record("05", "05.taken", 1550, "right")
    progress.record("05")
    shown = course_map()
    assert "1 of" in repr(shown)
    assert "you were here last" in shown.html


def test_the_map_leads_to_each_project_after_its_lesson():
    for project in projects():
        assert f'href="../{project.file}"' in course_map().html
        assert f"{project.name} ({project.minutes} min), after lesson {project.after}" in repr(
            course_map()
        )
        assert lesson(project.after).exercise


@pytest.mark.parametrize("make", [node_subnet_calculator, static_blocks_calculator])
@pytest.mark.parametrize("value", ["9", "251", ""])
def test_a_max_pods_that_aks_refuses_is_told_with_what_it_accepts(make, value):
    calculator = make()
    calculator.fields["max_pods"].control.value = value
    assert "Choose 10 to 250" in calculator.fields["max_pods"].error.value


def test_static_blocks_cost_a_whole_block_for_one_pod_more():
    calculator = static_blocks_calculator(pods=31)
    assert "<strong>7 nodes.</strong> Of each, 0 addresses" in calculator.result.value
    calculator.fields["max_pods"].control.value = "32"
    assert "<strong>4 nodes.</strong> Of each, 15 addresses" in calculator.result.value


def test_marked_numbers_tell_their_fact():
    assert 'title="Azure keeps five' in inline("[5](fact:azure.reserved_per_subnet) addresses")


def test_every_question_of_the_bank_can_be_shown():
    from course.questions import BANK, question_ids

    for file in BANK.glob("*.toml"):
        for question_id in question_ids(file.stem):
            assert isinstance(ask(question_id), QuestionView)
