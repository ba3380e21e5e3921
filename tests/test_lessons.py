"""All notebooks, present and future: tidy files, true numbers, short cells, and they run."""

from __future__ import annotations

import json
import os
import re
from itertools import pairwise

import nbclient
import nbformat
import pytest

from course.curriculum import lessons, tools
from course.facts import all_facts
from course.laboratory import SHOW
from course.prose import facts_in, marks, problems, replace_marks
from course.questions import express_ids, question_ids, texts_of
from tests.conftest import ROOT
from tests.labs import LIVE

# those of the learner, of students and of tools are nobody's to tidy
FOREIGN = {".venv", "my-course", "submitted", "autograded", "feedback", "exchange", "build"}
NOTEBOOKS = sorted(
    file
    for file in ROOT.rglob("*.ipynb")
    if not (FOREIGN | {".ipynb_checkpoints"}) & set(file.relative_to(ROOT).parts)
)
# an address of a page that a browser can open
OUTSIDE = re.compile(r"https://[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}(/[\w./~%#?=&+-]*)?")
KNOWN_METADATA = {"nbgrader", "deletable", "editable", "tags"}
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
TOOLS = [ROOT / tool.file for tool in tools()]
LESSONS = [file for file in NOTEBOOKS if file.parent.name == "lessons" and file not in TOOLS]
WRITTEN = [file for file in NOTEBOOKS if "exercises" not in file.parts]


def name(file):
    return str(file.relative_to(ROOT))


def read(file):
    return json.loads(file.read_text("utf-8"))


def source(cell):
    return "".join(cell["source"])


def shown_by(cell):
    """What a cell shows when it runs, as text."""
    outputs = cell.get("outputs", [])
    plain = [output.get("data", {}).get("text/plain", "") for output in outputs]
    return "\n".join([*plain, *(output.get("text", "") for output in outputs)])


def link_targets(text):
    """What the links of a Markdown text lead to, less titles; marks lead nowhere, code has none."""
    unmarked = replace_marks(text, lambda mark: mark.text)
    return re.findall(r"\]\(([^)\s]*)[^)]*\)", re.sub(r"(?s)```.*?```|`[^`\n]*`", "", unmarked))


def prose(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]


@pytest.mark.parametrize("file", NOTEBOOKS, ids=name)
class TestEveryNotebook:
    def test_it_is_committed_without_anything_that_running_leaves_behind(self, file):
        notebook = read(file)
        assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
        assert notebook["metadata"]["kernelspec"]["name"] == "python3"
        assert set(notebook["metadata"]) <= {"kernelspec", "language_info"}
        assert notebook["metadata"].get("language_info", {"name": "python"}) == {"name": "python"}
        for cell in notebook["cells"]:
            assert not cell.get("outputs"), cell["id"]
            assert cell.get("execution_count") is None, cell["id"]
            assert set(cell["metadata"]) <= {"nbgrader", "deletable", "editable", "tags"}, cell[
                "id"
            ]

    def test_its_cells_have_readable_ids(self, file):
        ids = [cell.get("id", "") for cell in read(file)["cells"]]
        assert len(set(ids)) == len(ids)
        for cell_id in ids:
            assert re.fullmatch(r"[a-z]+[a-z0-9]*(-[a-z0-9]+)*", cell_id), cell_id
            assert not re.fullmatch(rf"[0-9a-f]{{8,}}|{UUID}", cell_id), cell_id
            assert all(re.search(r"[aeiouy]|^\d+$", word) for word in cell_id.split("-")), cell_id

    def test_every_number_in_its_prose_is_marked_and_true(self, file):
        found = [
            f"{cell['id']}: {problem}"
            for cell in prose(read(file))
            for problem in problems(source(cell))
        ]
        assert found == []

    def test_headings_skip_no_level(self, file):
        levels = [
            len(found[1])
            for cell in prose(read(file))
            for found in re.finditer(r"^(#+) ", source(cell), re.MULTILINE)
        ]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(deeper <= level + 1 for level, deeper in pairwise(levels))

    def test_its_links_lead_somewhere(self, file):
        text = "\n".join(source(cell) for cell in prose(read(file)))
        headings = {
            found.replace(" ", "-") for found in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        }
        for target in link_targets(text):
            if target.startswith("#"):
                assert target[1:] in headings, target
            elif not OUTSIDE.fullmatch(target):
                assert (file.parent / target).exists(), target

    def test_its_pictures_have_alternative_texts(self, file):
        text = "\n".join(source(cell) for cell in prose(read(file)))
        assert not re.search(r"!\[\s*\]\(", text)
        assert not re.search(r"<img(?![^>]*\balt=.[^\"'])", text)

    def test_it_uses_no_boxes_that_jupyterlab_does_not_draw(self, file):
        text = "\n".join(source(cell) for cell in prose(read(file)))
        assert not re.search(r"^(:::|> \[!)", text, re.MULTILINE)


@pytest.mark.parametrize("file", WRITTEN, ids=name)
def test_cells_are_short(file):
    for cell in read(file)["cells"]:
        text = source(cell)
        if cell["cell_type"] == "markdown":
            text = re.sub(r"(?s)BEGIN SOLUTION.*END SOLUTION", "", text)
            shown = re.sub(r"```.*?```|^\|.*$|\]\([^)]*\)|<[^>]*>", "", text, flags=re.S | re.M)
            assert len(shown.split()) <= 90, cell["id"]
        elif "nbgrader" not in cell["metadata"]:
            assert len(text.splitlines()) <= 16, cell["id"]


@pytest.mark.parametrize("file", LESSONS, ids=name)
class TestEveryLesson:
    def test_it_is_in_the_curriculum_and_says_the_same_time(self, file):
        (entry,) = [each for each in lessons() if each.slug == file.stem]
        first = source(read(file)["cells"][0])
        assert f"[{entry.minutes} minutes](given:)" in first
        assert first.startswith(f"# {entry.title}")

    def test_it_asks_each_of_its_questions_once(self, file):
        text = "\n".join(source(cell) for cell in read(file)["cells"])
        asked = re.findall(r'\bask\("([^"]+)"\)', text)
        for number in re.findall(r'\bexpress\("([^"]+)"\)', text):
            asked += express_ids(number)
        assert sorted(asked) == sorted(question_ids(file.stem[:2]))


@pytest.mark.parametrize("file", [*LESSONS, *TOOLS], ids=name)
class TestEveryLessonAndTool:
    def test_it_has_one_set_up_cell_before_all_other_code(self, file):
        code = [cell for cell in read(file)["cells"] if cell["cell_type"] == "code"]
        assert code[0]["id"] == "set-up"
        imports = re.compile(r"^(from|import) ", re.MULTILINE)
        assert [cell["id"] for cell in code[1:] if imports.search(source(cell))] == []

    @pytest.mark.parametrize("lab", [pytest.param("live", marks=LIVE), "recorded"])
    def test_it_runs_alone_and_what_it_shows_is_what_it_tells(self, file, lab, tmp_path):
        notebook = nbformat.read(file, as_version=4)
        elsewhere = {"metadata": {"path": tmp_path}}
        client = nbclient.NotebookClient(notebook, timeout=120, resources=elsewhere)
        client.execute(env={**os.environ, SHOW: lab})
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        assert outputs
        assert [output for output in outputs if output.get("name") == "stderr"] == []
        shown = {cell["id"]: shown_by(cell) for cell in notebook.cells}
        told = [source(cell) for cell in notebook.cells if cell["cell_type"] == "markdown"]
        told += texts_of(file.stem[:2])
        untrue = [
            f"{mark.text} is not shown by {mark.target}"
            for text in told
            for mark in marks(text)
            if mark.kind == "shown" and mark.text.strip("`*") not in shown.get(mark.target, "")
        ]
        assert untrue == []


@pytest.mark.parametrize("slug", [file.stem for file in LESSONS])
def test_links_in_its_questions_lead_out_of_the_course(slug):
    targets = [target for text in texts_of(slug[:2]) for target in link_targets(text)]
    assert [target for target in targets if not OUTSIDE.fullmatch(target)] == []


@pytest.mark.parametrize("file", LESSONS, ids=name)
def test_a_source_that_is_no_fact_has_its_date_too(file):
    text = "\n".join([*map(source, prose(read(file))), *texts_of(file.stem[:2])])
    links = re.findall(r"\]\((https?:[^\s)]*)\s*([^)]*)\)", text)
    assert [link for link, title in links if not re.search(r"\d{4}-\d\d-\d\d", title)] == []


LIMIT = re.compile(
    r"(?i)\b(at most|limit|no more than|ends? at|up to|maximum|default)\b[^.|;]*\]\(given:\)"
)


@pytest.mark.parametrize("file", LESSONS, ids=name)
def test_no_limit_is_made_up(file):
    text = "\n".join(source(cell) for cell in prose(read(file)))
    assert [found[0] for found in LIMIT.finditer(text)] == []


def test_every_lesson_of_the_curriculum_has_its_notebooks():
    for lesson in lessons():
        for file in (lesson.file, lesson.exercise_file, lesson.solution_file):
            assert not file or (ROOT / file).is_file(), file


@pytest.mark.parametrize("tool", tools(), ids=lambda tool: tool.slug)
def test_every_tool_of_the_curriculum_has_its_notebook_and_says_what_it_is(tool):
    first = source(read(ROOT / tool.file)["cells"][0])
    assert first.startswith(f"# {tool.title}\n")


def test_the_lessons_rest_on_facts():
    text = "\n".join(source(cell) for file in LESSONS for cell in prose(read(file)))
    assert len(facts_in(text)) >= 10
    assert all(each.id in all_facts() for each in facts_in(text))
