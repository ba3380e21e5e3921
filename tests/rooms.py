"""A course's folder with a class in it, for the tests of grading."""

from __future__ import annotations

import atexit
import copy
import functools
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

from tests.class_of_twenty import EXERCISE, Student, answer
from tests.conftest import ROOT

DAY = "2026-11-20 10:00:00 UTC"
PYTHON_PATH = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))


@functools.cache
def _made() -> Path:
    """One that nbgrader made, to be copied."""
    folder = Path(tempfile.mkdtemp(prefix="room-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    room = folder / "course"
    shutil.copytree(ROOT / "solutions" / EXERCISE, room / "solutions" / EXERCISE)
    shutil.copy(ROOT / "nbgrader_config.py", room)
    nbgrader(room, "generate_assignment", EXERCISE)
    return room


def new_room(folder: Path) -> Path:
    """A course's folder: solution, released exercise, gradebook without students."""
    return Path(shutil.copytree(_made(), folder / "course"))


def nbgrader(room: Path, *words: str, fails: bool = False) -> str:
    """Run one of nbgrader's commands in a room; what it says."""
    ran = subprocess.run(
        [sys.executable, "-m", "nbgrader", *words], cwd=room, env=environment(room),
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert (ran.returncode != 0) == fails, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def environment(room: Path) -> dict[str, str]:
    """That of a program started in a room: what the tester has configured does not count."""
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    own = {name: str(room.parent / "own" / name.lower()) for name in names}
    return (
        os.environ | own | {"PYTHONPATH": PYTHON_PATH, "NBGRADER_EXCHANGE": str(room / "exchange")}
    )


def grade(room: Path, *words: str, status: int = 0, assignment: str = EXERCISE) -> str:
    """Run `python -m course grade` in a room; what it prints."""
    ran = subprocess.run(
        [sys.executable, "-c", GRADE, str(room), assignment, *words], cwd=room,
        env=environment(room), capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert ran.returncode == status, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


GRADE = """
import sys
from pathlib import Path
from course.commands import main
sys.exit(main(["grade", *sys.argv[2:]], Path(sys.argv[1])))
"""


def released(room: Path) -> nbformat.NotebookNode:
    """The exercise as students get it."""
    return copy.deepcopy(_released(room / "exercises" / EXERCISE / f"{EXERCISE}.ipynb"))


@functools.cache
def _released(file: Path) -> nbformat.NotebookNode:
    return nbformat.read(file, as_version=4)


def answered(room: Path, student: Student) -> nbformat.NotebookNode:
    """The exercise as a student of class_of_twenty.py answers it."""
    notebook = released(room)
    answer(notebook, student)
    return notebook


def hand_in(room: Path, name: str, notebook: nbformat.NotebookNode, day: str = DAY) -> Path:
    """Put a notebook where nbgrader collects it; returns the folder."""
    folder = room / "submitted" / name / EXERCISE
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{EXERCISE}.ipynb").write_text(json.dumps(notebook), "utf-8")
    (folder / "timestamp.txt").write_text(day)
    return folder


def scores(room: Path) -> dict[str, dict[str, float | None]]:
    """What the gradebook has for each student, task by task; the file itself must be sound."""
    with sqlite3.connect(room / "gradebook.db") as gradebook:
        assert gradebook.execute("pragma integrity_check").fetchall() == [("ok",)]
        rows = gradebook.execute(
            "select student.id, base_cell.name, grade.auto_score, grade.manual_score from grade"
            " join base_cell on base_cell.id = grade.cell_id"
            " join submitted_notebook on submitted_notebook.id = grade.notebook_id"
            " join submitted_assignment"
            " on submitted_assignment.id = submitted_notebook.assignment_id"
            " join student on student.id = submitted_assignment.student_id"
        ).fetchall()
    found: dict[str, dict[str, float | None]] = {}
    for student, cell, automatic, manual in rows:
        task = cell.removesuffix("-tests")
        assert task not in found.setdefault(student, {}), f"{student} has {task} twice"
        found[student][task] = automatic if manual is None else manual
    return found


def autograded(room: Path, name: str) -> dict:
    """A graded notebook, as JSON."""
    return json.loads((room / "autograded" / name / EXERCISE / f"{EXERCISE}.ipynb").read_bytes())
