"""What `python -m course grade` does."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from course.errors import InputError

if TYPE_CHECKING:
    from concurrent.futures import Executor


def add_words(command: argparse.ArgumentParser) -> None:
    """The words of the command line."""
    command.add_argument("assignment", metavar="ASSIGNMENT", help="such as 05-azure-cni, or 05")
    command.add_argument(
        "--student", metavar="ID", action="append", help="only this one; again for more"
    )
    command.add_argument("--force", action="store_true", help="also what is graded already")
    command.add_argument(
        "--feedback", action="store_true", help="make feedback too, for students to read"
    )
    command.add_argument("--csv", metavar="FILE", type=Path, help="write everybody's marks")
    command.add_argument(
        "--workers", metavar="N", type=_workers, help="at once; as many as processors"
    )
    command.add_argument(
        "--scheduler", metavar="URL", help="of a Dask cluster, such as tls://...:8786"
    )
    for part, what in (("ca", "authority"), ("cert", "certificate"), ("key", "key")):
        command.add_argument(f"--tls-{part}", metavar="FILE", help=f"the {what} for tls://")


def run(told: argparse.Namespace, root: Path) -> int:
    """Grade; 0 if everything could be graded, 1 if something could not.

    Raises InputError for an assignment or student that is not there, and without a sandbox.
    """
    warnings.simplefilter("ignore")  # of nbgrader and nbformat, on what students handed in
    # Where it is there jsonschema reads its grammars, for a second; notebooks have no use for them.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    if told.csv:
        _writable(told.csv)
    workers = told.workers or os.cpu_count() or 1
    with _pool(told, workers) as pool:
        from course.grading import batch, feedback, report
        from course.grading.limits import Limits

        course = batch.course_in(root, _slug(told.assignment, root))
        students = _chosen(told.student, course.submitted())
        with _gradebook(course.directory.db_url):
            outcome = batch.grade(
                *(course, pool, workers, batch.limits_of(course, Limits()), students),
                force=told.force,
                tell=batch.progress,
            )
    with _gradebook(course.directory.db_url):
        if told.feedback:
            outcome.no_feedback = feedback.generate(course, [*outcome.graded, *outcome.unchanged])
        found = report.marks(course, outcome)
    if told.csv:
        report.write_csv(told.csv, found, course.assignment)
    print(report.summary(found, outcome))
    return int(bool(outcome.failed or outcome.no_feedback))


@contextmanager
def _gradebook(where: str) -> Iterator[None]:
    """Raises InputError if it cannot be read or written."""
    from sqlalchemy.exc import DatabaseError

    try:
        yield
    except DatabaseError as error:
        way_out = "End what else writes it, and start again: no recorded grade is lost."
        raise InputError(where, f"cannot be used: {error.orig}.", way_out) from None


def _workers(text: str) -> int:
    """How many are meant. argparse tells who wrote something else."""
    if (number := int(text)) < 1:
        raise ValueError
    return number


def _writable(file: Path) -> None:
    """Raises InputError if it is not: better before a class is graded than after."""
    try:
        file.open("a").close()
    except OSError as error:
        raise InputError(str(file), "cannot be written.", f"{error.strerror}.") from None


def _slug(assignment: str, root: Path) -> str:
    """An assignment's name, which may be given by its number."""
    if not assignment.isdigit():
        return assignment
    found = [each.name for each in sorted((root / "solutions").glob(f"{assignment}-*"))]
    return found[0] if len(found) == 1 else assignment


def _chosen(wanted: list[str] | None, submitted: list[str]) -> list[str]:
    for each in wanted or ():
        if each not in submitted:
            raise InputError(each, "handed nothing in.", "Look in submitted/ for who did.")
    return list(dict.fromkeys(wanted or submitted))


def _pool(told: argparse.Namespace, workers: int) -> AbstractContextManager[Executor]:
    """Who does the work: threads here, each with a sandboxed process, or a Dask cluster."""
    if told.scheduler:
        from course.grading.cluster import cluster

        return cluster(told.scheduler, told.tls_ca, told.tls_cert, told.tls_key)
    from course.grading.local import local

    return local(workers)
