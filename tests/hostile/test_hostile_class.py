"""A class in which most are bad or hostile, graded as root and as an ordinary user."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell

from course import sandbox
from tests.class_of_twenty import CLASS, EXERCISE, HONEST, RIGHT, Student
from tests.conftest import ROOT
from tests.hostile.kinds import ALL, KINDS, Kind
from tests.rooms import PYTHON_PATH, answered, autograded, hand_in, new_room, scores

SECONDS = 12  # that a cell may take here: 200 MB of output are made in less, on a busy machine too
SECRET = "ONLY-THE-INSTRUCTOR"
EVERYBODY = 65533  # an ordinary user without a name
# the command, with limits that a test can wait for
GRADE = f"""
import sys
from pathlib import Path
from unittest.mock import patch
from course.commands import main
from course.grading import batch, limits
small = limits.Limits(cell_seconds={SECONDS}, total_seconds=120, grace_seconds=6, memory=10 ** 9)
with patch.object(batch, "limits_of", lambda *_: small):
    sys.exit(main(["grade", *sys.argv[2:]], Path(sys.argv[1])))
"""


@dataclass
class Room:
    """A class after grading."""

    course: Path
    said: str
    scores: dict[str, dict[str, float | None]]
    marks: dict[str, dict[str, str]]
    before: dict[str, str]


def fill(course: Path, port: int) -> None:
    """Let everybody hand in: after every third that is hostile an honest student."""
    for number, (name, kind) in enumerate(KINDS.items()):
        make(course, name.replace(" ", "-"), kind, port)
        if number % 3 == 0:
            honest = HONEST[number // 3 % len(HONEST)]
            hand_in(course, f"honest-{number:03}-{honest}", answered(course, CLASS[honest]))


def make(course: Path, name: str, kind: Kind, port: int) -> None:
    notebook = answered(course, Student(kind.answers or RIGHT, "", 0))
    for each in notebook.cells:
        if kind.sources and each.id in kind.sources:
            each.source = kind.sources[each.id]
    known = {"PORT": str(port), "COURSE": repr(str(course / "gradebook.db"))}
    for place, code in ((0, kind.start), (len(notebook.cells) + 1, kind.end)):
        if code:
            for word, value in known.items():
                code = re.sub(rf"\b{word}\b", lambda _, value=value: value, code)
            notebook.cells.insert(place, new_code_cell(code, id=f"own-{place}"))
    data = json.loads(json.dumps(notebook))
    if kind.notebook:
        kind.notebook(data)
    folder = hand_in(course, name, data)
    if kind.folder:
        kind.folder(folder)


@pytest.fixture(scope="module", params=["this user", "an ordinary user"])
def room(request):
    """The class, graded by the course's command."""
    if why := sandbox.why_not():
        pytest.skip(why)
    around: list[str] = []
    if request.param == "an ordinary user":
        if os.getuid() != 0:
            pytest.skip("this user is an ordinary one")
        around = as_ordinary_user()
    with tempfile.TemporaryDirectory(prefix="class-") as folder:  # which others may enter
        Path(folder).chmod(0o755)
        yield graded(new_room(Path(folder)), around), bool(around)


def graded(course: Path, around: list[str]) -> Room:
    """The class after grading by a command that `around` starts."""
    (course / "solutions" / "secret.txt").write_text(SECRET)
    with socket.socket() as listening, socket.socket(socket.AF_UNIX) as abstract:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        abstract.bind(f"\0aks-course-{port}")
        abstract.listen()
        fill(course, port)
        if around:
            subprocess.run(["chown", "-R", f"{EVERYBODY}:{EVERYBODY}", course.parent], check=True)
        before = handed_in(course)
        ran = subprocess.run(
            [*around, sys.executable, "-c", GRADE, str(course), EXERCISE, "--workers", "4",
             "--feedback", "--csv", "marks.csv"],
            cwd=course, capture_output=True, text=True, timeout=900,
            env={"PATH": os.environ["PATH"], "HOME": str(course), "PYTHONPATH": PYTHON_PATH},
        )  # fmt: skip
    assert ran.returncode == 1, ran.stdout + ran.stderr
    with (course / "marks.csv").open(newline="") as file:
        marks = {row["student_id"]: row for row in csv.DictReader(file)}
    return Room(course, ran.stdout, scores(course), marks, before)


def as_ordinary_user() -> list[str]:
    """The words that let root's Python run as somebody who could not even read it."""
    if not shutil.which("setpriv"):
        pytest.skip("no setpriv: sudo apt install util-linux")
    shown = [*sandbox.pythons(), str(ROOT), *filter(None, PYTHON_PATH.split(os.pathsep))]
    hidden = [each for each in ("/root", "/home") if any(path.startswith(each) for path in shown)]
    words = ["bwrap", "--dev-bind", "/", "/"]
    for each in hidden:
        words += ["--perms", "0755", "--tmpfs", each]
    for path in shown:
        if any(path.startswith(each) for each in hidden):
            for folder in reversed(Path(path).parents[:-2]):
                words += ["--perms", "0755", "--dir", str(folder)]
            words += ["--ro-bind", path, path]
    user = ["--reuid", str(EVERYBODY), "--regid", str(EVERYBODY), "--clear-groups"]
    return [*words, "setpriv", *user, "--bounding-set=-all"]


def handed_in(course: Path) -> dict[str, str]:
    """What stands in submitted/ and solutions/, to see whether anybody changed it."""
    files = (*course.glob("submitted/*/*/*"), *course.glob("solutions/**/*"))
    return {
        str(file): str(file.lstat().st_mtime_ns) + str(file.lstat().st_size)
        for file in files
        if file.is_symlink() or file.is_file()
    }


def points(room: Room, student: str) -> float:
    return sum(value or 0 for task, value in room.scores[student].items() if task != "explanation")


def test_there_are_enough_kinds_and_honest_students_between_them():
    assert len(KINDS) >= 40
    assert len(KINDS) + len(KINDS) // 3 >= 60


@pytest.mark.nbgrader
@pytest.mark.parametrize("name", KINDS)
def test_a_kind_gets_what_it_is_due_and_the_instructor_is_told(room, name):
    graded, ordinary = room
    kind, student = KINDS[name], name.replace(" ", "-")
    if kind.only_user and not ordinary and os.getuid() == 0:
        assert points(graded, student) == ALL  # root can read everything
        return
    row = graded.marks[student]
    if kind.due is None:
        assert row["status"] == "not graded"
        assert row["score"] == ""
        assert student not in graded.scores
    else:
        assert row["status"] in ("graded", "needs a person")
        assert points(graded, student) == kind.due
    assert kind.told in row["remarks"]
    assert bool(kind.told) == bool(row["remarks"]), row["remarks"]
    if kind.told:
        assert f"  {student}: " in graded.said


@pytest.mark.nbgrader
@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.prints])
def test_what_lies_outside_of_the_sandbox_is_not_seen_inside(room, name):
    shown = autograded(room[0].course, name.replace(" ", "-"))
    (text,) = [
        "".join(output["text"]).strip()
        for cell in shown["cells"]
        if cell["id"] == "own-0"
        for output in cell["outputs"]
        if output["output_type"] == "stream"
    ]
    assert text == KINDS[name].prints


@pytest.mark.nbgrader
def test_honest_students_get_their_points_whoever_sits_beside_them(room):
    graded, _ = room
    honest = [student for student in graded.scores if student.startswith("honest-")]
    assert len(honest) == -(-len(KINDS) // 3)
    for student in honest:
        due = CLASS[student[11:]]
        found = {task: score or 0 for task, score in graded.scores[student].items()}
        assert found == {task: due.due(task) if task != "explanation" else 0 for task in found}
        assert graded.marks[student]["remarks"] == ""


@pytest.mark.nbgrader
def test_nothing_that_was_handed_in_is_changed_and_nothing_is_left_behind(room):
    graded, _ = room
    assert handed_in(graded.course) == graded.before
    words = [file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline") if readable(file)]
    assert not any(b"98765" in each for each in words)
    assert not list(graded.course.glob("autograded/.grading"))


def readable(file: Path) -> bool:
    try:
        return bool(file.read_bytes())
    except OSError:
        return False


@pytest.mark.nbgrader
def test_no_secret_comes_out(room):
    graded, _ = room
    for file in (*graded.course.glob("autograded/*/*/*"), *graded.course.glob("feedback/*/*/*")):
        content = file.read_text("utf-8", errors="replace")
        assert SECRET not in content, file
        assert "root:x:0" not in content, file


@pytest.mark.nbgrader
def test_feedback_has_no_line_of_the_hidden_tests_and_no_program(room):
    graded, _ = room
    pages = list(graded.course.glob("feedback/*/*/*.html"))
    assert len(pages) > 60
    for page in pages:
        text = re.sub(r"<[^>]+>|\s", "", page.read_text("utf-8"))
        assert "chance.randint" not in text, page
        assert "hidden_tests_of_addresses_needed():" not in text, page
    found = "".join(page.read_text("utf-8") for page in pages)
    assert "example.net" in found  # as text
    tags = re.sub(r"'[^']*'|\"[^\"]*\"", "''", "".join(re.findall(r"<\w[^>]*>", found)))
    assert not re.search(r"<script|<img[^>]*\son\w+=", tags)
    assert not re.search(r"""<img[^>]*src=["']?https?:""", found)
    shown = (graded.course / "feedback/shows-a-program" / EXERCISE / f"{EXERCISE}.html").read_text()
    assert "<script>fetch" not in shown
    assert not re.search(
        r'(src|href)="(https?:)?//', "".join(page.read_text() for page in pages[:5])
    )
