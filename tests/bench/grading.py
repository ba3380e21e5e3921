"""Sixty honest submissions of one assignment, graded by plain `nbgrader autograde` (no sandbox) and
by the course's command (each in a sandbox of its own), in one run: how many times the throughput,
how far from the floor (forks of a warm Python that run the same cells), and how long one student
waits. The aim: at least 12 times the throughput, with equal scores."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

from course import sandbox
from tests.class_of_twenty import CLASS, EXERCISE
from tests.rooms import answered, grade, hand_in, nbgrader, new_room, scores

AIM, STUDENTS, WORKERS = 12.0, 60, 2
HONEST = [
    name
    for name in CLASS
    if name not in ("endless", "tampered", "exits", "equal-to-everything", "raises", "garbage")
]
# nbgrader as it comes, with the same folders
PLAIN = """
c = get_config()
c.CourseDirectory.course_id = "aks-networking"
c.CourseDirectory.root = {root!r}
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
"""


def main() -> None:
    """Measure and print."""
    if why := sandbox.why_not():
        print(f"grading: not measured: {why}")
        return
    with tempfile.TemporaryDirectory() as folder:
        ours = new_room(Path(folder, "ours"))
        for number in range(STUDENTS):
            name = HONEST[number % len(HONEST)]
            hand_in(ours, f"s{number:02}", answered(ours, CLASS[name]))
        plain = Path(shutil.copytree(ours, Path(folder, "plain", "course")))
        (plain / "nbgrader_config.py").write_text(PLAIN.format(root=str(plain)))
        words = (EXERCISE, "--ExecutePreprocessor.timeout=60")
        theirs = seconds(lambda: nbgrader(plain, "autograde", *words))
        their_start = seconds(lambda: nbgrader(plain, "autograde", *words))  # nothing to do
        workers = ("--workers", str(WORKERS))
        taken = seconds(lambda: grade(ours, *workers))
        start = seconds(lambda: grade(ours, *workers))  # nothing to do
        assert scores(ours) == scores(plain)
        floor = floor_seconds(ours)
        one = seconds(lambda: grade(ours, "--student", "s00", "--force", "--feedback"))
    ratio = (theirs - their_start) / (taken - start)
    print(
        f"grading {STUDENTS} submissions on {os.cpu_count()} cores, start-up apart: "
        f"nbgrader {STUDENTS / (theirs - their_start):.2f} a second, "
        f"sandboxed {STUDENTS / (taken - start):.2f} a second; "
        f"ratio {ratio:.1f} (aim: at least {AIM:g})"
    )
    print(
        f"grading, start-up included: nbgrader {theirs:.1f} s, sandboxed {taken:.1f} s; "
        f"ratio {theirs / taken:.1f}"
    )
    print(
        f"grading, the floor: forks of a warm Python {floor:.2f} s; "
        f"sandboxed and recorded {(taken - start) / floor:.1f} times that"
    )
    print(f"grading one student, from the command to the feedback: {one:.1f} s")


def seconds(do) -> float:
    """How long something takes."""
    begun = time.monotonic()
    do()
    return time.monotonic() - begun


def floor_seconds(room: Path) -> float:
    """The same cells, run by forks of this process, two at a time; nothing is kept."""
    cells = []
    for file in sorted(room.glob(f"autograded/*/{EXERCISE}/*.ipynb")):
        notebook = json.loads(file.read_bytes())
        code = [each for each in notebook["cells"] if each["cell_type"] == "code"]
        cells.append(["".join(each["source"]) for each in code])
    begun, running = time.monotonic(), 0
    for sources in cells:
        if running == WORKERS:
            os.wait()
            running -= 1
        if os.fork() == 0:
            run(sources)
        running += 1
    for _ in range(running):
        os.wait()
    return time.monotonic() - begun


def run(sources: list[str]) -> None:
    """Run cells and end."""
    names = {"__name__": "__main__"}
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        for source in sources:
            with suppress(BaseException):
                exec(compile(source, "cell", "exec"), names)
    os._exit(0)
