"""`python -m course grade`: what is new or changed, in parallel, recorded by one writer."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nbgrader.apps.baseapp import NbGrader

from course.grading.execute import Executed, Job, execute
from course.grading.limits import Limits
from course.grading.record import Prepared, Writer, opened
from course.grading.submission import BadSubmissionError, packed, timestamp

AHEAD = 3  # submissions that are prepared for each worker, so that none waits


@dataclass
class Outcome:
    """What became of the submissions of one run, by student."""

    graded: dict[str, list[str]] = field(default_factory=dict)  # with remarks
    failed: dict[str, str] = field(default_factory=dict)  # with the reason
    unchanged: list[str] = field(default_factory=list)
    no_feedback: dict[str, str] = field(default_factory=dict)  # with the reason


@dataclass(frozen=True)
class Course:
    """A course's folder, as nbgrader's own configuration describes it."""

    directory: Any
    config: Any
    app: Any

    def submitted(self) -> list[str]:
        """The students who handed in, in order."""
        pattern = self.directory.format_path(
            self.directory.submitted_directory, "(?P<student>.*)", self.assignment, escape=True
        )
        glob = Path(self.directory.format_path(self.directory.submitted_directory, "*", "*"))
        folders = glob.parent.parent.glob(f"*/{self.assignment}")
        matches = (re.fullmatch(pattern, str(each)) for each in folders)
        found = {match["student"] for match in matches if match}
        return sorted(each for each in found if not each.startswith("."))

    @property
    def assignment(self) -> str:
        name: str = self.directory.assignment_id
        return name

    def folder(self, kind: str, student: str) -> Path:
        """Where a student's work is: `submitted`, `autograded` or `feedback`."""
        directory = getattr(self.directory, f"{kind}_directory")
        return Path(self.directory.format_path(directory, student, self.assignment))

    def is_graded(self, student: str) -> bool:
        """Whether what was handed in last is graded, by nbgrader's own rule."""
        if not self.folder("autograded", student).is_dir():
            return False
        handed_in, graded = (
            timestamp(self.folder(kind, student)) for kind in ("submitted", "autograded")
        )
        return not (handed_in and graded and handed_in > graded)


def course_in(root: Path, assignment: str) -> Course:
    """The course in a folder."""
    here = Path.cwd()
    os.chdir(root)  # where nbgrader looks for its configuration
    try:
        app = NbGrader(log_level=logging.ERROR)
        app.initialize([], root=str(root))
    finally:
        os.chdir(here)
    app.coursedir.assignment_id = assignment
    return Course(app.coursedir, app.config, app)


def grade(
    course: Course,
    pool: Executor,
    workers: int,
    limits: Limits,
    students: list[str],
    force: bool = False,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> Outcome:
    """Grade what is new or changed of these students; `tell` hears how many of how many are done.

    Raises InputError if the gradebook does not know the assignment, or somebody else is grading.
    """
    outcome = Outcome()
    todo = [each for each in students if force or not course.is_graded(each)]
    outcome.unchanged = sorted(set(students) - set(todo))
    with opened(course.directory, course.config, limits, course.app) as writer:
        waiting: dict[Future[Executed], tuple[Prepared, str]] = {}
        left, done = iter(todo), 0
        runs: dict[str, _Runs] = {}
        while True:
            while len(waiting) < AHEAD * workers and (student := next(left, None)):
                for job, prepared, name in _jobs(writer, student, limits, outcome, runs):
                    waiting[pool.submit(execute, job)] = (prepared, name)
            if not waiting:
                break
            finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                prepared, name = waiting.pop(future)
                _finish(writer, runs[prepared.student], name, future, outcome)
            done = len(outcome.graded) + len(outcome.failed)
            tell(done, len(todo))
        tell(len(outcome.graded) + len(outcome.failed), len(todo))
    return outcome


@dataclass
class _Runs:
    """The notebooks of one submission that were executed so far."""

    prepared: Prepared
    executed: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    error: str = ""


def _jobs(
    writer: Writer, student: str, limits: Limits, outcome: Outcome, runs: dict[str, _Runs]
) -> Iterator[tuple[Job, Prepared, str]]:
    """What is to be executed of a submission; nothing if it cannot be graded."""
    try:
        prepared = writer.prepare(student)
    except BadSubmissionError as error:
        outcome.failed[student] = str(error)
        return
    except Exception as error:  # one bad submission never stops the others
        outcome.failed[student] = _unforeseen(error)
        return
    runs[student] = _Runs(prepared, remarks=list(prepared.remarks))
    files = packed(prepared.files)
    for name, text in prepared.notebooks.items():
        yield Job(student, text, files, limits), prepared, name


def _finish(
    writer: Writer, run: _Runs, name: str, future: Future[Executed], outcome: Outcome
) -> None:
    """Take what a worker returned; record the submission when it was the last of its notebooks."""
    student = run.prepared.student
    try:
        done = future.result()
        run.executed[name] = done.notebook
        run.remarks += done.remarks
    except Exception as error:
        run.error = f"it could not be executed: {error}"
        run.executed[name] = ""
    if len(run.executed) < len(run.prepared.notebooks):
        return
    try:
        if not run.error:
            writer.record(run.prepared, run.executed, run.remarks)
            outcome.graded[student] = run.remarks
    except Exception as error:
        run.error = _unforeseen(error)
    if run.error:
        shutil.rmtree(run.prepared.folder, ignore_errors=True)
        outcome.failed[student] = run.error


def _unforeseen(error: Exception) -> str:
    said = (str(error).strip().splitlines() or [""])[0][:200]
    return f"nbgrader could not take it: {type(error).__name__}: {said}"


def progress(done: int, of: int) -> None:
    """A bar on a terminal; nothing in a file."""
    if sys.stderr.isatty() and of:
        width = 40 * done // of
        end = "\n" if done == of else ""
        print(f"\r[{'#' * width:<40}] {done} of {of}", end=end, file=sys.stderr, flush=True)


def limits_of(course: Course, limits: Limits) -> Limits:
    """The limits, with the seconds of a cell that nbgrader's configuration sets."""
    configured = course.config.get("ExecutePreprocessor", {}).get("timeout")
    own = course.config.get("Execute", {}).get("timeout", configured)
    return replace(limits, cell_seconds=float(own)) if own and own > 0 else limits
