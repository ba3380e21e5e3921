"""The one writer: what workers executed goes into the gradebook and autograded/.

It is nbgrader's own Autograde with its own steps, except that the executed notebook is given
instead of executed, all steps share one gradebook, and a submission is one transaction. A crash at
any moment leaves a submission as it was or recorded in full.
"""

from __future__ import annotations

import fcntl
import html
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from unittest.mock import patch

import nbformat
from nbformat import NotebookNode
from nbformat.v4.rwbase import rejoin_lines
from nbgrader import utils
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde, autograde
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearOutput,
    DeduplicateIds,
    Execute,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
)
from traitlets import import_item

from course.errors import InputError
from course.grading.limits import Limits
from course.grading.repair import Known, RepairCells, known_cells, repair
from course.grading.submission import copied, notebook

METADATA = "aks-networking-course"  # the key of ours in a notebook's metadata
STAGING = ".grading"  # in autograded/; nbgrader's patterns do not match what begins with a dot
OPEN_A_GRADEBOOK = (SaveAutoGrades, AssignLatePenalties)
# steps of nbgrader whose work is done when a notebook is repaired, and when it comes executed
REPAIRED: tuple[type, ...] = (
    RepairCells,
    CheckCellMetadata,
    ClearOutput,
    DeduplicateIds,
    OverwriteCells,
    OverwriteKernelspec,
)
EXECUTED = (Execute, CheckCellMetadata)


@dataclass(frozen=True)
class Prepared:
    """A submission that can be executed: its notebooks, as nbgrader sanitised them, and files."""

    student: str
    folder: Path  # a copy of what was handed in, without what is dangerous
    notebooks: dict[str, str]
    files: dict[str, bytes]
    remarks: list[str]


class _Kept(Gradebook):
    """A gradebook that all steps share: they commit and close it, and we do when all is done."""

    def __init__(self, *where: str) -> None:
        super().__init__(*where)
        session = self.db()
        self.really_commit = session.commit
        session.commit = lambda: None
        session.expire_on_commit = False  # we are the one writer: what was read stays right
        self._submitted: tuple[Any, ...] = ()
        self._grades: dict[str, Any] = {}
        self._comments: dict[str, Any] = {}

    def find_grade(self, cell: str, notebook: str, assignment: str, student: str) -> Any:
        """One of the grades of a submission, which are all read at once."""
        self._read(notebook, assignment, student)
        return self._grades[cell]

    def find_comment(self, cell: str, notebook: str, assignment: str, student: str) -> Any:
        """One of the comments of a submission, which are all read at once."""
        self._read(notebook, assignment, student)
        return self._comments[cell]

    def _read(self, *submitted: str) -> None:
        if self._submitted != submitted:
            found = self.find_submission_notebook(*submitted)
            self._grades = {each.name: each for each in found.grades}
            self._comments = {each.name: each for each in found.comments}
            self._submitted = submitted

    def forget(self) -> None:
        """Read anew what is asked for next."""
        self._submitted = ()

    def close(self) -> None:
        """Not yet."""

    def close_at_last(self) -> None:
        """Close it."""
        super().close()


class Writer(Autograde):
    """Records submissions of one assignment. Use it in `with opened(...) as writer`."""

    _folders: tuple[Path, Path] | None = None  # where to read from and write to, now
    gradebook: _Kept
    limits: Limits

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._cells: dict[str, dict[str, Known]] = {}
        self._read_once: list[Any] = []  # SQLAlchemy forgets what nobody holds

    def prepare(self, student: str) -> Prepared:
        """Read, repair and sanitise what a student handed in. Raises BadSubmissionError."""
        assignment = self.coursedir.assignment_id
        source = Path(self._handed_in(student))
        folder = Path(mkdtemp(dir=self.staging, prefix="in-"))
        try:
            remarks = copied(source, folder, self.limits)
            entry = self.gradebook.find_assignment(assignment)
            notebooks: dict[str, str] = {}
            for each in _in_it(entry.notebooks, folder, remarks):
                found = notebook(folder / f"{each.name}.ipynb", self.limits)
                remarks += repair(found, self._known(each))
                found.metadata.kernelspec = json.loads(each.kernelspec or "{}")
                notebooks[each.name] = self._step(found, student, each.name, sanitising=True)
                (folder / f"{each.name}.ipynb").write_text(notebooks[each.name], "utf-8")
            files = self._files(folder)
        except BaseException:
            shutil.rmtree(folder)
            raise
        return Prepared(student, folder, notebooks, files, remarks)

    def record(self, prepared: Prepared, executed: dict[str, str], remarks: list[str]) -> None:
        """Write grades and executed notebooks, all at once."""
        assignment, student = self.coursedir.assignment_id, prepared.student
        folder = Path(mkdtemp(dir=self.staging, prefix="out-"))
        self._folders = (prepared.folder, folder)
        try:
            self.notebooks = [str(prepared.folder / f"{name}.ipynb") for name in executed]
            self.init_assignment(assignment, student)
            for name, text in executed.items():
                found = rejoin_lines(nbformat.from_dict(json.loads(text)))
                graded = self._step(found, student, name, sanitising=False)
                (folder / f"{name}.ipynb").write_text(_remarked(graded, remarks), "utf-8")
            self.set_permissions(assignment, student)
            self.gradebook.really_commit()
            self.gradebook.forget()
        except BaseException:
            self.gradebook.db.rollback()
            self.gradebook.forget()
            shutil.rmtree(folder)
            raise
        finally:
            self._folders = None
        _put(folder, Path(self._format_dest(assignment, student)), self.staging)
        shutil.rmtree(prepared.folder)

    def _step(self, found: NotebookNode, student: str, name: str, sanitising: bool) -> str:
        """One of nbgrader's two conversions of a notebook."""
        self._sanitizing = sanitising
        self._init_preprocessors()
        if not self.exporter._preprocessors:
            return json.dumps(found)
        marks = {"student": student, "assignment": self.coursedir.assignment_id, "notebook": name}
        resources = {"unique_key": name, "nbgrader": marks | {"db_url": self.coursedir.db_url}}
        text: str
        text, _ = self.exporter.from_notebook_node(found, resources=resources)
        return text

    def _known(self, entry: Any) -> dict[str, Known]:
        """The cells of a notebook, read from the gradebook once."""
        if entry.name not in self._cells:
            self._cells[entry.name] = known_cells(entry)
            self._read_once += entry._base_cells
        return self._cells[entry.name]

    def _files(self, folder: Path) -> dict[str, bytes]:
        """What lies beside the notebooks when they run: the student's files, then the course's."""
        assignment = self.coursedir.assignment_id
        ignored = [*self.coursedir.ignore, "*.ipynb"]
        kept = set(self.exclude_overwriting.get(assignment, []))
        source = self.coursedir.format_path(self.coursedir.source_directory, ".", assignment)
        found = {}
        for root in (str(folder), source):
            for file in utils.find_all_files(root, ignored):
                name = os.path.relpath(file, root)
                if root == str(folder) or name not in kept or name not in found:
                    found[name] = Path(file).read_bytes()
        return found

    def _handed_in(self, student: str) -> str:
        directory = self.coursedir.submitted_directory
        path: str = self.coursedir.format_path(directory, student, self.coursedir.assignment_id)
        return path

    # ---- what nbgrader's own methods ask ----

    def _format_source(self, assignment_id: str, student_id: str, escape: bool = False) -> str:
        if self._folders:
            return str(self._folders[0])
        path: str = super()._format_source(assignment_id, student_id, escape)
        return path

    def _format_dest(self, assignment_id: str, student_id: str, escape: bool = False) -> str:
        if self._folders:
            return str(self._folders[1])
        path: str = super()._format_dest(assignment_id, student_id, escape)
        return path

    @property
    def staging(self) -> Path:
        """Where copies are made; on the same file system as autograded/, to be moved there."""
        assignment = self.coursedir.assignment_id
        directory = self.coursedir.autograded_directory
        return Path(self.coursedir.format_path(directory, STAGING, assignment)).parent


@contextmanager
def opened(coursedir: Any, config: Any, limits: Limits, parent: Any = None) -> Iterator[Writer]:
    """A writer with its gradebook open. What an earlier one left half done is cleared away.

    Raises InputError if the gradebook does not know the assignment, or another writer is at work.
    """
    with ExitStack() as stack:
        gradebook = _Kept(coursedir.db_url, coursedir.course_id)
        stack.callback(gradebook.close_at_last)
        _demand(coursedir.assignment_id, gradebook)
        writer = Writer(coursedir=coursedir, parent=parent, config=config)
        writer.gradebook, writer.limits = gradebook, limits
        writer.sanitize_preprocessors = _without(REPAIRED, writer.sanitize_preprocessors)
        writer.autograde_preprocessors = _without(EXECUTED, writer.autograde_preprocessors)
        writer.exporter = writer.exporter_class(parent=writer, config=writer.config)
        writer.exporter.optimistic_validation = True  # once, and not after every step
        stack.enter_context(_alone(writer.staging.parent))
        shutil.rmtree(writer.staging, ignore_errors=True)
        writer.staging.mkdir(parents=True)
        stack.callback(shutil.rmtree, writer.staging, ignore_errors=True)
        # each step opens the gradebook anew, which takes 20 ms in all
        for module in (autograde, *(sys.modules[each.__module__] for each in OPEN_A_GRADEBOOK)):
            stack.enter_context(patch.object(module, "Gradebook", lambda *_, **__: gradebook))
        yield writer


def _demand(assignment: str, gradebook: Gradebook) -> None:
    """Raises InputError if the gradebook does not know an assignment."""
    try:
        gradebook.find_assignment(assignment)
    except MissingEntry:
        way_out = f"Run nbgrader generate_assignment {assignment} --force first."
        raise InputError(assignment, "is not in the gradebook.", way_out) from None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else writes there; a writer that is killed leaves no lock behind."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        way_out = "Wait until it is done, or stop it."
        raise InputError(str(folder), "is in use by another grader.", way_out) from None
    except OSError:
        pass  # of file systems that cannot lock a folder
    try:
        yield
    finally:
        os.close(lock)


def _without(those: tuple[type, ...], steps: list[Any]) -> list[Any]:
    """Steps without some of them, which may stand there as classes or by their names."""
    found = (import_item(each) if isinstance(each, str) else each for each in steps)
    return [each for each in found if each not in those]


def _in_it(notebooks: list[Any], folder: Path, remarks: list[str]) -> list[Any]:
    """The notebooks of an assignment that were handed in; all of them if none was."""
    found = [each for each in notebooks if (folder / f"{each.name}.ipynb").exists()]
    if found:
        missing = [each.name for each in notebooks if each not in found]
        remarks += [f"{name}.ipynb is missing: it counts as 0" for name in missing]
    return found or notebooks


def _remarked(text: str, remarks: list[str]) -> str:
    """An executed notebook with the remarks on it: for the report, and for who looks at it."""
    found = json.loads(text)
    found["metadata"][METADATA] = {"remarks": remarks}
    if remarks:
        lines = "".join(f"- {html.escape(each)}\n" for each in remarks)
        source = f"**Remarks of the grading program**\n\n{lines}"
        cell = {"cell_type": "markdown", "id": "remarks", "metadata": {}, "source": source}
        found["cells"].insert(0, cell)
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _put(made: Path, place: Path, staging: Path) -> None:
    """Put a folder in its place; what stood there goes."""
    made.chmod(0o755)
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        place.rename(staging / f"old-{made.name}")
    made.rename(place)
