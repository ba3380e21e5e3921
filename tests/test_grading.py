"""`python -m course grade`: what is new or changed, crashes, marks, feedback."""

from __future__ import annotations

import csv
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from course import sandbox
from tests.class_of_twenty import CLASS, EXERCISE, HONEST, POINTS, RIGHT, Student
from tests.rooms import (
    GRADE,
    answered,
    autograded,
    environment,
    grade,
    hand_in,
    new_room,
    scores,
)

pytestmark = pytest.mark.nbgrader
CRASHES = int(os.environ.get("COURSE_GRADE_KILLS", "30"))
LATER = "2026-11-21 10:00:00 UTC"


@pytest.fixture(autouse=True, scope="module")
def sandboxes():
    if why := sandbox.why_not():
        pytest.skip(why)


@pytest.fixture
def room(tmp_path):
    return new_room(tmp_path)


def due(name: str) -> dict[str, float]:
    return {task: CLASS[name].due(task) if task != "explanation" else 0 for task in POINTS}


def found(room, student: str) -> dict[str, float]:
    return {task: score or 0 for task, score in scores(room)[student].items()}


# ---- what is graded ----


def test_what_is_graded_is_graded_again_only_when_it_was_handed_in_again(room):
    hand_in(room, "ann", answered(room, Student({})))
    hand_in(room, "bob", answered(room, Student(RIGHT)))
    assert "2 graded now, 0 unchanged, 0 could not be graded." in grade(room)
    assert "0 graded now, 2 unchanged" in grade(room)
    hand_in(room, "ann", answered(room, Student(RIGHT)), LATER)
    assert "1 graded now, 1 unchanged" in grade(room)
    assert found(room, "ann") == found(room, "bob") == due("right-but-no-word") | {"explanation": 0}


def test_one_student_can_be_graded_alone_and_again(room):
    for name in ("ann", "bob"):
        hand_in(room, name, answered(room, Student(RIGHT)))
    said = grade(room, "--student", "ann")
    assert "1 graded now" in said
    assert "Not graded yet: bob." in said
    assert "1 graded now" in grade(room, "--student", "ann", "--force")
    assert scores(room).keys() == {"ann"}
    assert "'eve' handed nothing in." in grade(room, "--student", "eve", status=2)


def test_an_assignment_that_is_not_there_is_refused(room):
    said = grade(room, assignment="77", status=2)
    assert "Run nbgrader generate_assignment 77 --force first." in said


@pytest.mark.parametrize("assignment", ["..", "../solutions", "/", "*", ""])
def test_an_assignment_that_is_none_touches_nothing(room, assignment):
    hand_in(room, "ann", answered(room, Student(RIGHT)))
    grade(room)
    (room / "autograded" / ".grading").mkdir()
    assert "is not in the gradebook." in grade(room, assignment=assignment, status=2)
    assert autograded(room, "ann")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--workers", "0"], "argument --workers"),
        (["--workers", "-1"], "argument --workers"),
        (["--csv", "/nowhere/marks.csv"], "'/nowhere/marks.csv' cannot be written."),
        (["--scheduler", "tls://127.0.0.1:1"], "needs certificates. Give --tls-ca"),
    ],
)
def test_words_that_cannot_be_followed_are_refused_before_anything_is_graded(room, words, told):
    hand_in(room, "ann", answered(room, Student(RIGHT)))
    assert told in grade(room, *words, status=2)
    assert not scores(room)


def test_a_student_who_is_named_twice_is_graded_once(room):
    hand_in(room, "ann", answered(room, Student(RIGHT)))
    assert "1 graded now" in grade(room, "--student", "ann", "--student", "ann")


def test_of_two_graders_at_once_one_is_refused_and_the_other_grades_everybody(room):
    for number in range(20):
        hand_in(room, f"s{number}", answered(room, Student(RIGHT)))
    both = [
        subprocess.Popen(
            [sys.executable, "-c", GRADE, str(room), EXERCISE], cwd=room, env=environment(room),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    told = sorted(((each.communicate(timeout=120), each.returncode) for each in both), key=str)
    (_, refused), two = max(told, key=lambda each: each[1])
    assert two == 2
    assert "is in use by another grader." in refused
    (said, _), none = min(told, key=lambda each: each[1])
    assert none == 0
    assert "20 graded now" in said


def test_a_gradebook_that_somebody_else_holds_is_told_in_a_sentence(room):
    hand_in(room, "ann", answered(room, Student(RIGHT)))
    with sqlite3.connect(room / "gradebook.db", isolation_level=None) as gradebook:
        gradebook.execute("begin exclusive")
        said = grade(room, status=2)
        gradebook.execute("rollback")
    assert "cannot be used: database is locked." in said
    assert "Traceback" not in said
    assert "1 graded now" in grade(room)


def test_a_folders_name_may_be_anything_and_stops_nobody(room):
    names = ["\x1b[2Jred", os.fsdecode(b"\xff"), "=cmd()"]
    for name in [*names, "ann"]:
        hand_in(room, name, answered(room, Student(RIGHT)))
    said = grade(room, "--csv", "marks.csv", status=1)
    assert "\x1b" not in said
    assert "'\\udcff': nbgrader could not take it" in said
    assert found(room, "ann") == due("right-but-no-word") | {"explanation": 0}
    with (room / "marks.csv").open(newline="") as opened:
        assert "'=cmd()" in {row["student_id"] for row in csv.DictReader(opened)}


def test_a_grade_that_a_person_gave_stays_when_it_is_graded_again(room):
    hand_in(room, "ann", answered(room, CLASS["all-right"]))
    grade(room)
    with sqlite3.connect(room / "gradebook.db") as gradebook:
        gradebook.execute(
            "update grade set manual_score = 2, needs_manual_grade = 0"
            " where cell_id in (select id from base_cell where name = 'explanation')"
        )
    grade(room, "--force")
    assert scores(room)["ann"]["explanation"] == 2


def test_files_beside_the_notebook_are_there_and_the_courses_own_come_last(room):
    folder = hand_in(room, "ann", answered(room, Student(RIGHT)))
    (folder / "data.txt").write_text("mine")
    (folder / "rules.txt").write_text("my own rules")
    (room / "solutions" / EXERCISE / "rules.txt").write_text("the rules")
    grade(room)
    graded = room / "autograded" / "ann" / EXERCISE
    assert (graded / "data.txt").read_text() == "mine"
    assert (graded / "rules.txt").read_text() == "the rules"


# ---- crashes ----


def test_a_grader_that_is_killed_at_any_moment_loses_and_doubles_no_grade(room):
    """The command is killed again and again, and started again; it goes on where it stood."""
    chance = random.Random(5)
    for number in range(CRASHES * 4):
        name = HONEST[number % len(HONEST)]
        hand_in(room, f"s{number:03}-{name}", answered(room, CLASS[name]))
    recorded: dict[str, dict[str, float | None]] = {}
    amid = 0  # kills after some grades and before others
    for _ in range(CRASHES):
        killed_after(room, chance.randrange(5), chance.random())
        now = scores(room)
        assert {name: now[name] for name in recorded} == recorded, "a recorded grade is gone"
        whole = {name: each for name, each in now.items() if each["cure"] is not None}
        amid += len(recorded) < len(whole) < CRASHES * 4
        recorded = whole
        for name, each in recorded.items():
            assert {task: score or 0 for task, score in each.items()} == due(name[5:])
    assert amid > CRASHES / 3
    grade(room)
    assert {name: found(room, name) for name in scores(room)} == {
        f"s{number:03}-{HONEST[number % len(HONEST)]}": due(HONEST[number % len(HONEST)])
        for number in range(CRASHES * 4)
    }
    assert "0 graded now" in grade(room)
    assert sorted(each.name for each in (room / "autograded").iterdir()) == sorted(scores(room))


def killed_after(room, grades: int, part: float) -> None:
    """Start the command and kill it so many grades later, after a part of the time that one takes;
    without grades, while it starts."""
    process = subprocess.Popen(
        [sys.executable, "-c", GRADE, str(room), EXERCISE, "--workers", "1"], cwd=room,
        env=environment(room), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wanted, latest = graded_folders(room) + grades, time.monotonic() + 120
    while graded_folders(room) < wanted:
        assert process.poll() is None, "all is graded: nothing is left to kill"
        assert time.monotonic() < latest
        time.sleep(0.005)
    time.sleep(part * (0.1 if grades else 1))  # about what a grade takes, and the start
    process.send_signal(signal.SIGKILL)
    process.wait()


def graded_folders(room) -> int:
    return len(list(room.glob("autograded/s*")))


# ---- marks and feedback ----


def test_marks_tell_a_score_only_where_there_is_one(room):
    hand_in(room, "ann", answered(room, Student(RIGHT)))
    hand_in(room, "bob", answered(room, CLASS["all-right"]))
    (hand_in(room, "eve", answered(room, Student(RIGHT))) / f"{EXERCISE}.ipynb").write_text("{")
    file = room / "marks.csv"
    said = grade(room, "--csv", str(file), status=1)
    with file.open(newline="") as opened:
        rows = {row["student_id"]: row for row in csv.DictReader(opened)}
    assert (rows["ann"]["status"], rows["ann"]["score"]) == ("graded", "13.0")
    assert (rows["bob"]["status"], rows["bob"]["score"]) == ("needs a person", "")
    assert rows["bob"]["score_so_far"] == "13.0"
    assert (rows["eve"]["status"], rows["eve"]["score"]) == ("not graded", "")
    assert "is not JSON" in rows["eve"]["remarks"]
    assert "eve: 05-azure-cni.ipynb is not JSON." in said
    assert "1 submissions wait for a person" in said


def test_a_submission_that_spoils_after_it_was_graded_has_no_score_any_more(room):
    hand_in(room, "ann", answered(room, Student(RIGHT)))
    grade(room)
    folder = hand_in(room, "ann", answered(room, Student(RIGHT)), LATER)
    (folder / f"{EXERCISE}.ipynb").write_text("")
    grade(room, "--csv", "marks.csv", status=1)
    with (room / "marks.csv").open(newline="") as opened:
        (row,) = csv.DictReader(opened)
    assert (row["status"], row["score"]) == ("not graded", "")


def test_feedback_tells_what_to_look_at_without_the_hidden_tests(room):
    hand_in(room, "ann", answered(room, CLASS["misreads-surge"]))
    grade(room, "--feedback")
    page = (room / "feedback" / "ann" / EXERCISE / f"{EXERCISE}.html").read_text("utf-8")
    assert "Look at which way AKS rounds." in page
    assert "hidden_tests_of" not in page
    assert "BEGIN HIDDEN" not in page
    assert "http" not in page.replace("http://www.w3.org", "").split("<body", 1)[0].split("/*")[0]
    assert "<script src" not in page


def test_a_picture_that_is_not_there_stops_nobodys_feedback(room):
    notebook = answered(room, Student(RIGHT))
    for cell in notebook.cells:
        if cell.id == "explanation":
            cell.source = "See ![my drawing](attachment:image.png)."
    hand_in(room, "ann", notebook)
    hand_in(room, "bob", answered(room, Student(RIGHT)))
    grade(room, "--feedback")
    for name in ("ann", "bob"):
        page = room / "feedback" / name / EXERCISE / f"{EXERCISE}.html"
        assert "Score: 13.0" in page.read_text("utf-8")


def test_a_notebook_of_which_no_page_can_be_made_is_told_and_stops_nobody(room):
    for name in ("ann", "bob"):
        hand_in(room, name, answered(room, Student(RIGHT)))
    grade(room)
    (room / "autograded" / "ann" / EXERCISE / f"{EXERCISE}.ipynb").write_text("{")
    said = grade(room, "--feedback", status=1)
    assert "No feedback:\n  ann: its notebook cannot be made into a page." in said
    assert "Traceback" not in said
    assert (room / "feedback" / "bob" / EXERCISE / f"{EXERCISE}.html").exists()


def test_what_the_instructor_is_told_stands_on_the_graded_notebook_too(room):
    notebook = answered(room, Student(RIGHT))
    notebook.cells = [each for each in notebook.cells if each.id != "cure-tests"]
    hand_in(room, "ann", notebook)
    grade(room)
    first = autograded(room, "ann")["cells"][0]
    assert "cell cure-tests is missing" in "".join(first["source"])
