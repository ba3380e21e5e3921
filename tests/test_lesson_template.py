"""Every lesson has the same parts in the same order: a learner always knows what is next."""

from __future__ import annotations

import json
import re

import pytest

from course.curriculum import lessons
from course.facts import fact
from course.prose import replace_marks
from course.questions import Choice, express_ids, question, question_ids
from tests.conftest import ROOT

LESSONS = [each for each in lessons() if each.number != "00" and each.exercise]
ORDER = [
    "By the end you can",
    "Warm-up",
    "Express path",
    "IDEAS",
    "Work one out",
    "Things that are often said",
    "How it breaks in a real cluster",
    "Recap",
    "This lesson's row",
    "New words",
    "Cheat sheet",
    "Expert notes",
    "Sources",
    "Next",
]
IDEA = re.compile(r"^\d\. ")
ROW = re.compile(r"^\|(.*)\|\s*$", re.MULTILINE)


def cells(lesson):
    found = json.loads((ROOT / lesson.file).read_text("utf-8"))["cells"]
    return [(each["id"], each["cell_type"], "".join(each["source"])) for each in found]


def sections(lesson):
    """The text of each section by its heading, code in it; in order."""
    found, heading = {}, ""
    for _, kind, text in cells(lesson):
        title = re.match(r"## (.*)", text) if kind == "markdown" else None
        heading = title[1].strip() if title else heading
        found[heading] = found.get(heading, "") + "\n" + text
    return found


def ideas(lesson):
    return {name: text for name, text in sections(lesson).items() if IDEA.match(name)}


def anchor(heading):
    return heading.replace(" ", "-")


def exercise_headings(lesson):
    found = json.loads((ROOT / lesson.solution_file).read_text("utf-8"))["cells"]
    text = "\n".join("".join(each["source"]) for each in found if each["cell_type"] == "markdown")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    return [re.sub(r"^\d+\. | \(\d+ points?\)$", "", heading) for heading in headings]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.slug)
class TestEveryLesson:
    def test_its_sections_stand_in_the_order_of_the_template(self, lesson):
        found = [name for name in sections(lesson) if name]
        told = ["IDEAS" if IDEA.match(name) else name for name in found]
        once = [name for place, name in enumerate(told) if place == 0 or told[place - 1] != name]
        own = [name for name in once if name not in ORDER]
        assert [name for name in once if name in ORDER] == ORDER
        assert len(own) <= 1, f"more than one section of its own: {own}"
        assert 3 <= len(ideas(lesson)) <= 5

    def test_it_begins_with_a_promise_the_time_and_what_to_know_before(self, lesson):
        _, _, first = cells(lesson)[0]
        assert "**Time:** about " in first
        assert "**Before:** " in first
        assert 25 <= lesson.minutes <= 45

    def test_each_objective_is_taught_by_a_section_and_tested_by_a_task(self, lesson):
        objectives = re.findall(r"^\d\. (.*)$", sections(lesson)[ORDER[0]], re.MULTILINE)
        assert 3 <= len(objectives) <= 5
        headings = {anchor(name) for name in sections(lesson)}
        tasks = exercise_headings(lesson)
        for objective in objectives:
            links = re.findall(r"\]\(#([^)\s]+)\)", objective)
            assert links, f"no section: {objective}"
            assert set(links) <= headings, objective
            named = re.findall(r"exercise: (.*)\)", objective)
            assert named, f"no task: {objective}"
            for task in re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", named[0]):
                assert task in tasks, f"no such task: {task}"

    def test_every_idea_is_predicted_observed_explained_and_met_on_a_real_cluster(self, lesson):
        for name, text in ideas(lesson).items():
            places = [
                text.find(mark)
                for mark in ("**Predict.**", 'ask("', "**Observe.**", "<details><summary><strong>")
            ]
            assert -1 not in places, f"{name}: {places}"
            assert places == sorted(places), f"{name}: {places}"
            assert "**On your cluster.**" in text, name

    def test_one_idea_is_explored_with_a_calculator(self, lesson):
        assert any("**Explore.**" in text for text in ideas(lesson).values())

    def test_at_most_three_myths_are_posed_as_predictions(self, lesson):
        asked = re.findall(r'ask\("([^"]+)"\)', sections(lesson)["Things that are often said"])
        assert 1 <= len(asked) <= 3
        assert all(f"{lesson.number}.myth-" in each for each in asked)
        for each in asked:
            found = question(each)
            assert isinstance(found, Choice)
            told = " ".join(option.why for option in found.options)
            assert "fact:" in told or "https://" in told, f"{each} cites nothing"

    def test_its_warm_up_asks_two_or_three_questions(self, lesson):
        asked = re.findall(r'ask\("([^"]+)"\)', sections(lesson)["Warm-up"])
        assert 2 <= len(asked) <= 3
        assert all(f"{lesson.number}.warm-" in each for each in asked)

    def test_its_express_path_has_five_questions(self, lesson):
        assert f'express("{lesson.number}")' in sections(lesson)["Express path"]
        assert len(express_ids(lesson.number)) == 5

    def test_four_predictions_or_more_are_asked_in_its_ideas(self, lesson):
        asked = re.findall(r'ask\("([^"]+)"\)', "\n".join(ideas(lesson).values()))
        assert len(asked) >= 4
        assert len(question_ids(lesson.number)) >= 4

    def test_how_it_breaks_is_a_table_from_the_symptom_to_the_cure(self, lesson):
        rows = ROW.findall(sections(lesson)["How it breaks in a real cluster"])
        assert re.fullmatch(r" symptom \| cause \| shown by \| cure ", rows[0])
        assert len(rows) >= 4

    def test_its_sources_are_shown_and_dated(self, lesson):
        assert f'sources("{lesson.number}")' in sections(lesson)["Sources"]
        text = "\n".join(text for _, _, text in cells(lesson))
        for fact_id in re.findall(r"\(fact:([^)\s]+)\)", text):
            assert all(claim.as_of and claim.sources for claim in fact(fact_id).claims), fact_id

    def test_new_words_are_given_a_meaning_each(self, lesson):
        lines = re.findall(r"^- (.*)$", sections(lesson)["New words"], re.MULTILINE)
        assert lines
        assert [line for line in lines if not re.match(r"\*\*[^*]+\*\*: .+\.$", line)] == []

    def test_its_cheat_sheet_says_what_to_do(self, lesson):
        rows = ROW.findall(sections(lesson)["Cheat sheet"])
        assert rows[0].strip() == "you want | you do"
        assert len(rows) >= 4


def test_the_table_grows_by_the_rows_of_each_lesson_and_loses_none():
    before = []
    for lesson in LESSONS:
        rows = [
            replace_marks(row, lambda mark: mark.text)
            for row in ROW.findall(sections(lesson)["This lesson's row"])
        ]
        assert rows[: len(before)] == before, lesson.slug
        assert len(rows) > max(2, len(before)), lesson.slug
        before = rows
