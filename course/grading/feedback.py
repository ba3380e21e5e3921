"""Feedback for students: what nbgrader makes, without hidden tests and readable offline.

nbgrader shows hidden tests twice: as the text of their cell, and in the tracebacks of what failed.
A student's own code may print them too, for it runs in the same kernel; what it prints as they are
written is left out. Text that it disguises (reversed, say) nobody can find.
"""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbgrader.converters import GenerateFeedback
from nbgrader.preprocessors import ClearHiddenTests, NbGraderPreprocessor
from nbgrader.utils import is_grade

from course.grading.batch import Course

LEFT_OUT = "(left out: it showed hidden tests)"
SHORT = 8  # letters; a line as short as this tells nothing


def generate(course: Course, students: list[str]) -> None:
    """Make the feedback of students, by nbgrader's own means and configuration."""
    for student in students:
        directory = course.directory
        directory.student_id = student
        maker = GenerateFeedback(coursedir=directory, parent=course.app, config=course.config)
        maker.force = True
        maker.start()


class HideTests(NbGraderPreprocessor):
    """Takes hidden tests out of a graded notebook: a step of nbgrader's generate_feedback."""

    def preprocess(
        self, notebook: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Take them out of cells and of all outputs."""
        clearing = ClearHiddenTests(parent=self, enforce_metadata=False)
        hidden: set[str] = set()
        for cell in notebook.cells:
            if cell.cell_type == "code" and is_grade(cell):
                hidden |= _taken_out(cell, clearing)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = [_shown(each, hidden) for each in cell.outputs]
            elif _tells(cell.source, hidden):
                cell.source = LEFT_OUT
        return notebook, resources


def _taken_out(cell: NotebookNode, clearing: ClearHiddenTests) -> set[str]:
    """The lines that a cell loses with its hidden tests. Its tracebacks become one line each."""
    before = cell.source
    if not clearing._remove_hidden_test_region(cell):
        return set()
    for output in cell.outputs:
        if output.output_type == "error":
            output.traceback = [f"{output.ename}: {output.evalue}"]
    # what students' code prints while hidden tests call it tells what they ask
    cell.outputs = [each for each in cell.outputs if each.output_type != "stream"] + [
        each for each in cell.outputs if each.output_type == "stream" and each.name == "stderr"
    ]
    kept = {line.strip() for line in cell.source.splitlines()}
    lines = {line.strip() for line in before.splitlines()} - kept
    return {line for line in lines if len(line) > SHORT}


def _shown(output: NotebookNode, hidden: set[str]) -> NotebookNode:
    """An output, or in its place a word on why it is not there."""
    if _tells(str(output), hidden):
        kind = output.output_type
        if kind == "error":
            return NotebookNode(
                output_type=kind, ename=output.ename, evalue=LEFT_OUT, traceback=[LEFT_OUT]
            )
        return NotebookNode(output_type="stream", name="stdout", text=LEFT_OUT + "\n")
    return output


def _tells(text: str, hidden: set[str]) -> bool:
    """Whether a text has a line of the hidden tests, also quoted or coloured."""
    plain = _plain(text)
    return any(_plain(line) in plain for line in hidden)


def _plain(text: str) -> str:
    """A text without colours, escapes and spaces."""
    from nbconvert.filters import strip_ansi

    found: str = strip_ansi(text.replace("\\x1b", "\x1b"))
    return "".join(found.replace("\\", "").split())
