"""One submission in, one executed notebook out: what a worker does, here or on another machine.

A worker needs the course's package and bubblewrap, and no file of the course.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbformat.v4.rwbase import rejoin_lines
from nbgrader.utils import is_grade

from course.grading import local
from course.grading.limits import Limits
from course.grading.submission import whole
from course.grading.warm import NONSENSE, Kernel, Reply, SandboxError, StoppedError


@dataclass(frozen=True)
class Job:
    """A notebook to execute, as JSON, with the files beside it as a tar archive."""

    student: str
    notebook: str
    files: bytes = b""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Executed:
    """The notebook with its outputs, as JSON, and what the instructor should know of it."""

    student: str
    notebook: str
    remarks: tuple[str, ...] = ()
    seconds: float = 0.0


def execute(job: Job) -> Executed:
    """Execute a notebook in a sandbox of its own.

    Raises SandboxError if no sandbox can be made, which is nobody's fault who handed in.
    """
    begun = time.monotonic()
    for attempt in (1, 2):
        notebook = rejoin_lines(nbformat.from_dict(json.loads(job.notebook)))
        zygote = local.zygote()
        try:
            with zygote.kernel(job.limits, job.files) as kernel:
                remarks = _Run(notebook, kernel, job.limits).all_cells()
            if zygote.is_gone():
                raise SandboxError("The zygote ended while it ran.")
            break
        except SandboxError:  # a zygote that is gone is made anew, once
            local.forget(zygote)
            if attempt == 2:
                raise
    text = whole(json.dumps(notebook, ensure_ascii=False))
    return Executed(job.student, text, tuple(remarks), time.monotonic() - begun)


class _Run:
    """One notebook in one kernel. nbclient makes outputs of messages, as it does for nbgrader."""

    def __init__(self, notebook: NotebookNode, kernel: Kernel, limits: Limits) -> None:
        self._notebook, self._kernel, self._limits = notebook, kernel, limits
        self._client = NotebookClient(notebook, record_timing=False, store_widget_state=False)
        self._client.clear_before_next_output = False

    def all_cells(self) -> list[str]:
        """Run the cells in order; the remarks. After a kernel's end, tests count as failed."""
        remarks: list[str] = []
        over = ""
        for index, cell in enumerate(self._notebook.cells):
            if cell.cell_type != "code" or not cell.source.strip():
                continue
            if not over:
                try:
                    self._cell(index, cell, remarks)
                    continue
                except StoppedError as stopped:
                    over = f"the kernel was stopped in cell {cell.id}: {stopped}"
                    remarks.append(over)
            _fail(cell, "KernelStopped", over)
        remarks += self._nonsense()
        return list(dict.fromkeys(remarks))

    def _nonsense(self) -> Iterator[str]:
        """Outputs of a form that no output has are taken away; their cells count as failed."""
        try:
            nbformat.validate(self._notebook)
            return
        except nbformat.ValidationError:
            yield NONSENSE
        for cell in self._notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = []
                _fail(cell, "KernelStopped", NONSENSE)

    def _cell(self, index: int, cell: NotebookNode, remarks: list[str]) -> None:
        reply = self._kernel.run(cell.source, graded=bool(is_grade(cell)))
        for message in reply.messages:
            self._output(message, cell, index)
        cell.execution_count = self._client.code_cells_executed = (
            self._client.code_cells_executed + 1
        )
        if changed := reply.content.get("changed"):
            names = ", ".join(sorted({_word(each) for each in changed[:5]}))
            remarks.append(f"it had changed what tests rest on: {names}; put back")
        if reply.timed_out:
            seconds = f"{self._limits.cell_seconds:g} seconds"
            remarks.append(f"cell {cell.id} was interrupted after {seconds}")
            _fail(cell, "CellTimeoutError", f"No reply from kernel after {seconds}")
        elif reply.content.get("status") != "ok":
            _fail_as_told(cell, reply)
        elif is_grade(cell) and any(each.get("name") == "stderr" for each in cell.outputs):
            remarks.append(f"cell {cell.id} passed but wrote to stderr: nbgrader gives it 0")

    def _output(self, message: dict[str, Any], cell: NotebookNode, index: int) -> None:
        """Add what a message shows. Raises StoppedError for one that makes no sense."""
        kind = message["type"]
        told = {
            "msg_type": kind,
            "header": {"msg_type": kind},
            "parent_header": {},
            "content": message["content"],
            "metadata": message["metadata"],
        }
        if kind.startswith("comm") or kind in ("status", "execute_input"):
            return  # widgets have nobody to talk to
        try:
            self._client.process_message(told, cell, index)
        except CellExecutionComplete:
            return
        except Exception:
            raise StoppedError(NONSENSE) from None
        _join_streams(cell)


def _join_streams(cell: NotebookNode) -> None:
    """Text that follows text of the same stream is one output."""
    if len(cell.outputs) > 1:
        one, other = cell.outputs[-2:]
        if one.output_type == other.output_type == "stream" and one.name == other.name:
            one.text += other.text
            cell.outputs.pop()


def _fail(cell: NotebookNode, name: str, why: str) -> None:
    cell.outputs.append(new_output("error", ename=name, evalue=why, traceback=[f"{name}: {why}"]))


def _fail_as_told(cell: NotebookNode, reply: Reply) -> None:
    """A cell that failed shows an error, whatever became of its messages: nbgrader looks for it."""
    name, why = (_word(reply.content.get(each), 1000) for each in ("ename", "evalue"))
    if not any(each.output_type == "error" for each in cell.outputs):
        _fail(cell, name or "Error", why)


def _word(told: object, most: int = 60) -> str:
    """What a sandbox told, as it may be printed."""
    return "".join(each if each.isprintable() else " " for each in str(told)[:most])
