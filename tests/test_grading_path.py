"""A class of twenty hands in exercise 05, and nbgrader grades it, from release to marks.

Everything is done as an instructor does it, with nbgrader's own commands, in a course folder of its
own. Who hands in what, and what it is due, stands in class_of_twenty.py.
"""

from __future__ import annotations

import csv
import getpass
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest

from tests.class_of_twenty import ANSWERS, CLASS, EXERCISE, POINTS, RIGHT, Student, answer
from tests.conftest import ROOT

every_student = pytest.mark.parametrize("name", CLASS)


# ---- answer by answer, without nbgrader ----


@pytest.mark.parametrize(
    ("task", "name"),
    [
        (task, name)
        for task, answers in ANSWERS.items()
        for name in answers
        if name not in ("endless", "syntax error")
    ],
)
def test_the_tests_of_a_task_know_right_answers_from_wrong_ones(task, name):
    solution = ROOT / "solutions" / EXERCISE / f"{EXERCISE}.ipynb"
    cells = {cell.id: cell.source for cell in nbformat.read(solution, as_version=4).cells}
    answer = ANSWERS[task][name]
    for _ in range(5):  # the tests draw fresh cases each time
        names = {"__name__": "__main__"}
        exec(answer.source, names)
        try:
            exec(cells[f"{task}-tests"], names)
            passed = True
        except (Exception, SystemExit):
            passed = False
        assert passed == answer.right


# ---- the whole path ----


@dataclass
class Graded:
    """What nbgrader left behind."""

    course: Path
    released: str = ""
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    to_grade_by_hand: dict[str, list[str]] = field(default_factory=dict)
    marks: dict[str, dict[str, str]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The class after grading."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("grading")
        # nbgrader opens its gradebook with the command `alembic`, installed beside this Python
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        # what the person who tests has configured must not count
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(home / "data" / name.lower()))
        exchange = home / "exchange"
        exchange.mkdir()
        exchange.chmod(0o777)  # as nbgrader demands
        patch.setenv("NBGRADER_EXCHANGE", str(exchange))
        return grade_the_class(home)


def grade_the_class(home):
    """Every step in order, as the instructor and the students do it."""
    from nbgrader.api import Gradebook

    course, room = home / "course", home / "students"
    for folder in (course, room):
        folder.mkdir()
        shutil.copy(ROOT / "nbgrader_config.py", folder)
    for folder in ("solutions", "exercises"):  # as in a clone: the release is committed
        shutil.copytree(ROOT / folder, course / folder)
    result = Graded(course)

    nbgrader(course, *as_told("generate_assignment"))
    nbgrader(course, *as_told("release_assignment"))
    nbgrader(room, "fetch_assignment", EXERCISE)
    released = room / "my-course" / "exercises" / EXERCISE / f"{EXERCISE}.ipynb"
    result.released = released.read_text("utf-8")
    for name, student in CLASS.items():
        hand_in(name, student, released, home / "desks" / name)

    answered = nbformat.read(released, as_version=4)
    answer(answered, Student(RIGHT))
    nbformat.write(answered, released)
    nbgrader(room, "submit", EXERCISE)  # from the student's copy, by nbgrader's own command

    nbgrader(course, *as_told("collect"))
    # a cell may take six seconds: the endless loop is not to take long
    nbgrader(course, "autograde", EXERCISE, "--ExecutePreprocessor.timeout=6")
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        for name, student in CLASS.items():
            submission = gradebook.find_submission_notebook(EXERCISE, EXERCISE, name)
            result.to_grade_by_hand[name] = [
                grade.name for grade in submission.grades if grade.needs_manual_grade
            ]
            for grade in submission.grades:  # what a grader does in the Formgrader
                if grade.needs_manual_grade:
                    grade.manual_score = student.mark
                    grade.needs_manual_grade = False
        gradebook.db.commit()
        for name in [*CLASS, getpass.getuser()]:
            submission = gradebook.find_submission_notebook(EXERCISE, EXERCISE, name)
            result.scores[name] = {
                grade.name.removesuffix("-tests"): grade.score for grade in submission.grades
            }
    nbgrader(course, "generate_feedback", EXERCISE)
    nbgrader(course, "export", "--to", "grades.csv")
    with (course / "grades.csv").open(encoding="utf-8", newline="") as file:
        result.marks = {row["student_id"]: row for row in csv.DictReader(file)}
    return result


def as_told(command, page="README.md"):
    """The words of one of nbgrader's commands, as an instructor is told them."""
    text = (ROOT / page).read_text("utf-8")
    line = re.search(rf"^\.venv/bin/nbgrader ({command} [^#\n]*)", text, re.MULTILINE)
    return line[1].split()


def nbgrader(folder, *arguments):
    """Run one of nbgrader's commands."""
    command = [sys.executable, "-m", "nbgrader", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"nbgrader {' '.join(arguments)}\n{done.stdout}{done.stderr}"


def hand_in(name, student, released, desk):
    """Write a student's notebook and submit it.

    This is nbgrader's own ExchangeSubmit, what `nbgrader submit --student NAME` runs, called here
    in one process because the command takes two seconds to start.
    """
    from nbgrader.auth import Authenticator
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.exchange.default import ExchangeSubmit
    from traitlets.config.loader import PyFileConfigLoader

    (desk / EXERCISE).mkdir(parents=True)
    notebook = nbformat.read(released, as_version=4)
    answer(notebook, student)
    nbformat.write(notebook, desk / EXERCISE / f"{EXERCISE}.ipynb")
    config = PyFileConfigLoader("nbgrader_config.py", str(ROOT)).load_config()
    config.CourseDirectory.assignment_id = EXERCISE
    config.CourseDirectory.student_id = name
    config.Exchange.assignment_dir = str(desk)
    config.Exchange.cache = str(desk / "cache")
    ExchangeSubmit(
        coursedir=CourseDirectory(config=config), authenticator=Authenticator(), config=config
    ).start()


@pytest.mark.parametrize("command", ["generate_assignment", "release_assignment", "collect"])
def test_the_guide_tells_the_same_commands_as_the_readme(command):
    assert as_told(command, "guide/grading.md") == as_told(command)


@pytest.mark.nbgrader
def test_what_students_fetch_is_the_exercise_of_the_course(graded):
    committed = ROOT / "exercises" / EXERCISE / f"{EXERCISE}.ipynb"
    assert graded.released == committed.read_text("utf-8")
    assert not re.search(r"(BEGIN|END) (SOLUTION|HIDDEN)|hidden_tests", graded.released)


@pytest.mark.nbgrader
def test_a_student_hands_in_what_stands_in_their_copy(graded):
    due = {task: Student(RIGHT).due(task) for task in POINTS}
    assert graded.scores[getpass.getuser()] == due


@pytest.mark.nbgrader
@every_student
def test_every_task_gets_the_points_it_is_due(graded, name):
    assert graded.scores[name] == {task: CLASS[name].due(task) for task in POINTS}


@pytest.mark.nbgrader
@every_student
def test_the_exported_marks_are_the_sums(graded, name):
    row = graded.marks[name]
    assert row["assignment"] == EXERCISE
    assert float(row["score"]) == sum(CLASS[name].due(task) for task in POINTS)
    assert float(row["max_score"]) == sum(POINTS.values())


@pytest.mark.nbgrader
@every_student
def test_what_a_student_explains_waits_for_a_person(graded, name):
    by_hand = ["explanation"] if CLASS[name].explanation else []
    assert graded.to_grade_by_hand[name] == by_hand


@pytest.mark.nbgrader
@every_student
def test_every_student_gets_feedback_with_their_score(graded, name):
    feedback = graded.course / "feedback" / name / EXERCISE / f"{EXERCISE}.html"
    total = float(sum(CLASS[name].due(task) for task in POINTS))
    assert f"(Score: {total} / {float(sum(POINTS.values()))})" in feedback.read_text("utf-8")


@pytest.mark.nbgrader
def test_the_class_is_as_large_and_as_mixed_as_it_means_to_be(graded):
    assert len(CLASS) == 20
    assert graded.marks.keys() == CLASS.keys() | {getpass.getuser()}
    totals = {name: sum(graded.scores[name].values()) for name in CLASS}
    assert totals["all-right"] == totals["all-right-in-other-ways"] == sum(POINTS.values())
    assert totals["hard-coded"] == CLASS["hard-coded"].mark
    assert totals["untouched"] == totals["tampered"] == totals["equal-to-everything"] == 0
