"""The guide for teachers: each prediction has its row, plans add up, and what they show runs."""

from __future__ import annotations

import json
import os
import re
from itertools import accumulate

import nbclient
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course.curriculum import lesson, lessons
from course.laboratory import SHOW
from course.prose import problems, replace_marks
from course.questions import Number, Ordering, question
from tests.conftest import ROOT
from tests.test_lesson_template import anchor, cells, ideas, sections

FILE = ROOT / "guide" / "workshop.md"
MARKED = FILE.read_text("utf-8")
GUIDE = replace_marks(MARKED, lambda mark: mark.text)
TAUGHT = [each for each in lessons() if "01" <= each.number <= "06"]
PLANS = ["Half a day", "One day"]
BREAKS = "How it breaks in a real cluster"


def part(heading, text=GUIDE):
    """What stands below a heading, up to the next one of its level."""
    level, _, _ = heading.partition(" ")
    return re.search(rf"^{heading}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", text, re.M | re.S)[1]


def table(text):
    """The rows of the table in a text, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def asked(text):
    return re.findall(r'ask\("([^"]+)"\)', text)


def plain(text):
    """For comparing what is said: no backticks, no capitals, no commas in numbers."""
    return re.sub(r"(?<=\d),(?=\d{3})", "", text.replace("`", "")).lower()


def rows_of(lesson):
    """Each row of a lesson's table: section, question, right answers, wrong ones."""
    for name, _, wrong, say in table(part(f"### Lesson {lesson.number}")):
        where, short = re.fullmatch(r"(\d|break) `(.+)`", name).groups()
        quoted, bold = re.findall(r"“([^”]+)”", wrong), re.findall(r"\*\*([^*]+)\*\*", say)
        yield where, f"{lesson.number}.{short}", [*map(plain, bold)], [*map(plain, quoted)]


ROWS = [row for each in TAUGHT for row in rows_of(each)]


@pytest.mark.parametrize("lesson", TAUGHT, ids=lambda lesson: lesson.slug)
def test_each_prediction_has_its_row_in_the_order_of_the_lesson(lesson):
    there = [(heading[0], each) for heading, text in ideas(lesson).items() for each in asked(text)]
    there += [("break", each) for each in asked(sections(lesson)[BREAKS])]
    assert [(where, name) for where, name, _, _ in rows_of(lesson)] == there


@pytest.mark.parametrize(("_", "name", "right", "wrong"), ROWS, ids=[row[1] for row in ROWS])
def test_the_right_answer_is_bold_and_wrong_ones_are_those_that_the_question_knows(
    _, name, right, wrong
):
    found = question(name)
    if isinstance(found, Number):
        assert right == [str(found.answer)]
        assert wrong
        assert set(map(int, wrong)) <= set(found.mistakes)
    elif isinstance(found, Ordering):
        assert right
        assert all(any(said in plain(item) for item in found.items) for said in right)
    else:
        texts = [plain(option.text) for option in found.options]
        meant = {text for said in right for text in options_with(said, texts)}
        assert meant == {plain(text) for text in found.solution}
        assert wrong
        for said in wrong:
            assert set(options_with(said, texts)) - meant, said


def options_with(said, texts):
    """The options that some words mean: one that is just that, or all that have them."""
    words = re.compile(rf"(?<!\w){re.escape(said)}(?!\w)")
    return [text for text in texts if text == said] or [*filter(words.search, texts)]


@pytest.mark.parametrize("plan", PLANS)
class TestEachPlan:
    def test_its_minutes_add_up(self, plan):
        text = part(f"## {plan}")
        starts, minutes, *_ = zip(*table(text), strict=True)
        *ends, total = accumulate(map(int, minutes))
        assert list(starts) == [f"{at // 60}:{at % 60:02}" for at in (0, *ends)]
        assert re.search(r"(\d+) minutes", text)[1] == str(total)

    def test_each_prediction_has_six_minutes_and_stands_in_what_is_taught(self, plan):
        for _, minutes, what, predictions in table(part(f"## {plan}")):
            names = re.findall(r"`([^`]+)`", predictions)
            assert int(minutes) >= 6 * len(names), what
            assert set(names) <= set(asked("\n".join(code_shown(what)))), what


def quoted(what):
    """The beginnings of single cells that a row names."""
    return tuple(code for code in re.findall(r"`([^`]+)`", what) if "=" in code)


def code_shown(what):
    """The code that a row shows, cell by cell: the set-up of each lesson, the sections that are
    linked, and single cells whose beginning is quoted."""
    linked = re.findall(r"\(\.\./lessons/(\d\d)[^)#]*(?:#([^)]*))?\)", what)
    for number in dict.fromkeys(number for number, _ in linked):
        heading = ""
        for name, kind, source in cells(lesson(number)):
            if title := kind == "markdown" and re.match(r"## (.*)", source):
                heading = anchor(title[1])
            shown = (
                name == "set-up" or (number, heading) in linked or source.startswith(quoted(what))
            )
            if kind == "code" and shown:
                yield source


SHOWN = [row for plan in PLANS for row in table(part(f"## {plan}")) if list(code_shown(row[2]))]


@pytest.mark.parametrize(("at", "what"), [(at, what) for at, _, what, _ in SHOWN])
def test_what_a_plan_shows_runs_without_what_it_leaves_out_where_no_lab_can(at, what, tmp_path):
    notebook = new_notebook(cells=[new_code_cell(source) for source in code_shown(what)])
    elsewhere = {"metadata": {"path": tmp_path}}
    client = nbclient.NotebookClient(notebook, timeout=120, resources=elsewhere)
    client.execute(env={**os.environ, SHOW: "recorded"})
    for beginning in quoted(what):
        assert any(cell.source.startswith(beginning) for cell in notebook.cells), beginning
    outputs = [each for cell in notebook.cells for each in cell.outputs]
    assert outputs
    assert [each for each in outputs if each.get("name") == "stderr"] == []


def test_its_links_lead_to_files_and_headings():
    for target in re.findall(r"\]\(([^)\s]+)\)", GUIDE):
        name, _, heading = target.partition("#")
        file = FILE.parent / name if name else FILE
        assert file.is_file(), target
        if heading and file.suffix == ".ipynb":
            written = json.loads(file.read_text("utf-8"))["cells"]
            text = "\n".join("".join(cell["source"]) for cell in written)
            assert heading in map(anchor, re.findall(r"^#+ (.+)$", text, re.M)), target
        elif heading:
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.M)
            assert heading in [anchor(each).lower() for each in headings], target


def test_it_states_no_number_without_what_it_rests_on():
    assert problems(MARKED) == []


def test_its_points_are_those_of_the_exercises():
    for number, points, by_hand, _ in table(part("## What is graded by hand")):
        written = json.loads((ROOT / lesson(number).solution_file).read_text("utf-8"))["cells"]
        marks = [cell["metadata"].get("nbgrader", {}) for cell in written]
        graded = [each for each in marks if each.get("grade")]
        manual = [each["points"] for each in graded if each["solution"]]
        assert int(points) == sum(each["points"] for each in graded), number
        assert int(by_hand.partition(":")[0]) == sum(manual), number


def test_every_exercise_of_the_lessons_is_in_the_table_of_points():
    numbers = [number for number, *_ in table(part("## What is graded by hand"))]
    assert numbers == [each.number for each in lessons() if each.exercise]
