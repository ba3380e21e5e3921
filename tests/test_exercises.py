"""What holds for every exercise: those that are there, and those still to be written.

Notebooks come in pairs: solutions/NN-slug holds exercise and solution in one and is written by
hand; exercises/NN-slug is what nbgrader makes of it for learners.
"""

from __future__ import annotations

import ast
import re
import tomllib
from itertools import pairwise

import nbformat
import pytest
from nbclient import NotebookClient

from course.curriculum import lessons, projects
from course.exercises import generate
from tests.conftest import ROOT

SLUGS = sorted(file.parent.name for file in (ROOT / "solutions").glob("*/*.ipynb"))
every_exercise = pytest.mark.parametrize("slug", SLUGS)

SOLUTION = re.compile(r"[^\n]*BEGIN SOLUTION.*?END SOLUTION[^\n]*", re.DOTALL)
HIDDEN = re.compile(r"[^\n]*BEGIN HIDDEN TESTS.*?END HIDDEN TESTS[^\n]*", re.DOTALL)
READABLE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


# ---- reading the notebooks ----


def read(folder, slug):
    return nbformat.read(ROOT / folder / slug / f"{slug}.ipynb", as_version=4)


def marks(cell):
    """What nbgrader knows about a cell."""
    return cell.metadata.get("nbgrader", {})


def answer_cells(notebook):
    return [cell for cell in notebook.cells if marks(cell).get("solution")]


def cells_with_tests(notebook):
    """Cells that nbgrader grades by running them."""
    graded = [cell for cell in notebook.cells if marks(cell).get("grade")]
    return [cell for cell in graded if not marks(cell)["solution"]]


def tasks(notebook):
    """Each answer in code with the cell that tests it."""
    code = [cell for cell in notebook.cells if marks(cell) and cell.cell_type == "code"]
    return [pair for pair in pairwise(code) if marks(pair[1])["grade"]]


every_task = pytest.mark.parametrize(
    ("slug", "task"),
    [
        (slug, marks(answer)["grade_id"])
        for slug in SLUGS
        for answer, _ in tasks(read("solutions", slug))
    ],
)


# ---- running them ----


def run(notebook, folder):
    """Run all cells in a kernel of their own that stands in another folder, as a grader's does."""
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=120, allow_errors=True, resources=resources).execute()
    return notebook


def trouble(cell):
    """The names of the errors of a cell that ran, and "stderr", which costs its points."""
    outputs = cell.get("outputs", [])
    errors = [output.ename for output in outputs if output.output_type == "error"]
    return errors + [output.name for output in outputs if output.get("name") == "stderr"]


@every_exercise
def test_a_solution_runs_without_a_word_of_complaint(slug, tmp_path):
    notebook = run(read("solutions", slug), tmp_path)
    assert {cell.id: trouble(cell) for cell in notebook.cells if trouble(cell)} == {}


@every_exercise
def test_an_untouched_exercise_says_only_that_it_is_not_done_and_gives_no_points(slug, tmp_path):
    notebook = run(read("exercises", slug), tmp_path)
    for cell in notebook.cells:
        if cell in cells_with_tests(notebook):
            # a test calls what is not written yet, or says itself that an answer is missing
            assert trouble(cell) == ["NotImplementedError"], cell.id
        else:
            assert trouble(cell) in ([], ["NotImplementedError"]), cell.id
            if "raise NotImplementedError()" in cell.source:
                runs = re.search(r"^raise", cell.source, re.MULTILINE)
                assert bool(trouble(cell)) == bool(runs), cell.id


# ---- generating ----


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """The exercises generated twice, each time in a new place."""
    folders = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
    for folder in folders:
        generate(into=folder)
    return [files_of(folder) for folder in folders]


def files_of(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and ".ipynb_checkpoints" not in file.parts
    }


def test_exercises_are_what_nbgrader_makes_of_the_solutions(generated):
    there, due = files_of(ROOT / "exercises"), generated[0]
    assert sorted(there) == sorted(due)
    stale = [name for name in due if there[name] != due[name]]
    assert stale == [], "run `python -m course exercises`"


def test_exercises_are_generated_the_same_every_time(generated):
    first, second = generated
    assert first
    assert first == second


def test_every_lesson_that_promises_an_exercise_has_one():
    promised = [lesson.slug for lesson in lessons() if lesson.exercise]
    assert [*promised, *(project.slug for project in projects())] == SLUGS


# ---- what learners get to see ----


def lines(text):
    """The lines of a text that say something: not only brackets or one word like `return`."""
    found = {line.strip() for line in text.splitlines()}
    return {line for line in found if len(re.findall(r"\w+", line)) > 1}


@every_exercise
def test_no_answer_and_no_hidden_test_is_in_an_exercise(slug):
    kept, cut = "", ""
    for cell in read("solutions", slug).cells:
        shown = HIDDEN.sub("", SOLUTION.sub("", cell.source))
        cut += "".join(SOLUTION.findall(cell.source) + HIDDEN.findall(cell.source))
        kept += shown + "\n"
    exercise = (ROOT / "exercises" / slug / f"{slug}.ipynb").read_text("utf-8")
    assert not re.search(r"(BEGIN|END) (SOLUTION|HIDDEN)", exercise)
    shown = "\n".join(cell.source for cell in nbformat.reads(exercise, as_version=4).cells)
    secrets = [line for line in lines(cut) if line not in kept]
    assert secrets, "nothing is cut out of the solution"
    assert [line for line in secrets if line in shown] == []


@every_exercise
def test_every_answer_is_cut_out_of_the_exercise(slug):
    for cell in answer_cells(read("solutions", slug)):
        assert SOLUTION.search(cell.source), cell.id
    for cell in answer_cells(read("exercises", slug)):
        stub = "raise NotImplementedError()" if cell.cell_type == "code" else "YOUR ANSWER HERE"
        assert stub in cell.source, cell.id


# ---- what nbgrader needs ----


@every_exercise
def test_a_solution_holds_nothing_that_changes_from_one_machine_to_the_next(slug):
    notebook = read("solutions", slug)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    assert notebook.metadata.pop("kernelspec") == kernel
    assert notebook.metadata in ({}, {"language_info": {"name": "python"}})
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"nbgrader"}, cell.id
        assert not cell.get("outputs"), cell.id
        assert cell.get("execution_count") is None, cell.id


@every_exercise
def test_ids_are_readable_and_used_once(slug):
    cells = read("solutions", slug).cells
    for ids in ([cell.id for cell in cells], [marks(c)["grade_id"] for c in cells if marks(c)]):
        assert [name for name in ids if not READABLE.fullmatch(name)] == []
        assert sorted(set(ids)) == sorted(ids)
    for cell in cells:
        assert marks(cell).get("grade_id", cell.id) == cell.id


@every_exercise
def test_the_tests_of_an_answer_stand_right_below_it_and_bear_its_name(slug):
    notebook = read("solutions", slug)
    pairs = tasks(notebook)
    assert [marks(tests)["grade_id"] for _, tests in pairs] == [
        f"{marks(answer)['grade_id']}-tests" for answer, _ in pairs
    ]
    assert [tests for _, tests in pairs] == cells_with_tests(notebook)
    in_code = [cell for cell in answer_cells(notebook) if cell.cell_type == "code"]
    assert [answer for answer, _ in pairs] == in_code
    for cell in notebook.cells:
        if marks(cell).get("grade"):
            assert marks(cell)["points"] > 0, cell.id


@every_exercise
def test_the_points_of_an_answer_stand_in_its_heading(slug):
    headings = re.findall(r"^## .*\((\d+) points?\)$", all_prose(slug), re.MULTILINE)
    graded = [cell for cell in read("solutions", slug).cells if marks(cell).get("grade")]
    assert [int(points) for points in headings] == [marks(cell)["points"] for cell in graded]


def all_prose(slug):
    cells = read("solutions", slug).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


@every_exercise
def test_every_assertion_says_what_to_look_at(slug):
    for cell in cells_with_tests(read("solutions", slug)):
        asserts = find(ast.Assert, cell.source)
        assert asserts, cell.id
        for each in asserts:
            message = ast.unparse(each.msg) if each.msg else ""
            assert re.search(r"\w+ \w+ \w+", message), f"{cell.id}: {ast.unparse(each)}"


def find(kind, source):
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, kind)]


@every_exercise
def test_hidden_tests_do_not_trust_the_course_that_a_student_may_have_changed(slug):
    for cell in cells_with_tests(read("solutions", slug)):
        assert HIDDEN.search(cell.source), f"{cell.id}: no hidden tests"
        modules = [str(node.module) for node in find(ast.ImportFrom, cell.source)]
        modules += [name.name for node in find(ast.Import, cell.source) for name in node.names]
        assert "course" not in {module.partition(".")[0] for module in modules}, cell.id


# ---- answers that look right ----


class EqualToAll(int):
    """Claims to be whatever it is compared with."""

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    __hash__ = int.__hash__


def equal_of_another_type(value):
    """A value that equals the given one and is not what was asked for."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return float(value)
    kinds = (str, tuple, list, dict)
    return type("Other", (type(value),), {})(value) if isinstance(value, kinds) else value


@pytest.fixture
def solved(slug, task):
    """The names a kernel holds after the answers of the solution; the task's names; its tests."""
    notebook = read("solutions", slug)
    names = {"__name__": "__main__"}
    for cell in notebook.cells:
        if cell.cell_type == "code" and not marks(cell).get("grade"):
            before = dict(names)
            exec(cell.source, names)
            if cell.id == task:
                own = {name: names[name] for name in names if names[name] is not before.get(name)}
    tests = next(tests for answer, tests in tasks(notebook) if answer.id == task)
    own.pop("__builtins__", None)
    return names, own, tests.source


def passes(source, names):
    try:
        exec(source, dict(names))
    except (Exception, SystemExit):
        return False
    return True


def changed(own, change):
    """The answers of a task, each value or result changed."""

    def changed_function(function):
        return lambda *args, **kwargs: change(function(*args, **kwargs))

    return {
        name: changed_function(value) if callable(value) else change(value)
        for name, value in own.items()
    }


@every_task
def test_the_tests_pass_whatever_fresh_cases_they_draw(solved):
    names, own, tests = solved
    assert own
    assert all(passes(tests, names) for _ in range(20))


@every_task
def test_an_answer_that_claims_to_equal_everything_fails(solved):
    names, own, tests = solved
    assert not passes(tests, names | changed(own, lambda value: EqualToAll()))


@every_task
def test_an_answer_of_another_type_fails(solved):
    names, own, tests = solved
    assert not passes(tests, names | changed(own, equal_of_another_type))


@every_task
def test_no_answer_fails(solved):
    names, own, tests = solved
    assert not passes(tests, names | changed(own, lambda value: None))


def wrong_answers(slug):
    """The answers to an exercise that rest on a misconception."""
    file = ROOT / "tests" / "wrong_answers" / f"{slug}.toml"
    return tomllib.loads(file.read_text("utf-8"))["wrong"]


@every_task
def test_answers_that_rest_on_a_misconception_lose_its_points(solved, slug, task):
    names, _, tests = solved
    wrong = [each for each in wrong_answers(slug) if each["task"] == task]
    assert wrong, "no misconception is known for this task"
    for each in wrong:
        given = dict(names)
        exec(each["code"], given)
        # fresh cases are drawn: what is wrong in few cases must be found in any draw
        assert not any(passes(tests, given) for _ in range(5)), each["misconception"]


@every_exercise
def test_wrong_answers_are_those_of_tasks_that_exist(slug):
    known = {marks(answer)["grade_id"] for answer, _ in tasks(read("solutions", slug))}
    assert {each["task"] for each in wrong_answers(slug)} == known
    assert all(re.search(r"\w+ \w+ \w+", each["misconception"]) for each in wrong_answers(slug))


def is_choice(own):
    """Whether a task asks for the letter of an option."""
    return all(value in list("ABCD") for value in own.values())


@every_task
def test_an_answer_hard_coded_to_the_visible_tests_fails(solved):
    """The answer is derived: it knows each case that the visible tests ask for, and no other."""
    names, own, tests = solved
    visible = HIDDEN.sub("", tests)
    answers: dict[str, dict[str, object]] = {}

    def recorded(name, function):
        def record(*args, **kwargs):
            known = answers.setdefault(name, {})
            return known.setdefault(repr((args, kwargs)), function(*args, **kwargs))

        return record

    def hard_coded(name):
        def recall(*args, **kwargs):
            known = answers[name]
            return known.get(repr((args, kwargs)), next(reversed(known.values())))

        return recall

    functions = {name: value for name, value in own.items() if callable(value)}
    if not functions and not is_choice(own):
        # a design has no cases: tests/test_capstone.py tells which ones lose its points
        assert not passes(tests, names | {name: type(value)() for name, value in own.items()})
        return
    if not functions:
        wrong = [letter for letter in "ABCD" if [letter] != list(own.values())]
        fakes = [dict.fromkeys(own, letter) for letter in wrong]
    else:
        exec(visible, names | {name: recorded(name, value) for name, value in functions.items()})
        fakes = [{name: hard_coded(name) for name in answers}]
    for fake in fakes:
        assert passes(visible, names | fake), "the visible tests give the answer away"
        assert not passes(tests, names | fake)
