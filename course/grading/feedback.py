"""Feedback for students: what nbgrader makes, without hidden tests and readable offline.

nbgrader shows hidden tests twice: as the text of their cell, and in the tracebacks of what failed.
A student's own code may print them too, for it runs in the same kernel; what it prints as they are
written is left out. Text that it disguises (reversed, say) nobody can find.
"""

from __future__ import annotations

import logging
from typing import Any

import bleach
from nbconvert.filters import strip_files_prefix
from nbformat import NotebookNode
from nbgrader.converters import GenerateFeedback
from nbgrader.preprocessors import ClearHiddenTests, NbGraderPreprocessor
from nbgrader.utils import is_grade

from course.grading.batch import Course

LEFT_OUT = "(left out: it showed hidden tests)"
SHORT = 8  # letters; a line as short as this tells nothing
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
TAGS = [
    *("a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt"),
    *("em", *HEADINGS, "hr", "i", "img", "kbd", "li", "ol", "p", "pre", "s", "small", "span"),
    *("strong", "sub", "summary", "sup", "table", "tbody", "td", "th", "thead", "tr", "tt", "ul"),
]


def generate(course: Course, students: list[str]) -> dict[str, str]:
    """Make the feedback of students, by nbgrader's own means and configuration.

    Returns for whom there is none, and why: one notebook that is no page stops nobody else's.
    """
    course.app.log_level = logging.CRITICAL  # nbgrader logs whole tracebacks
    without = {}
    for student in students:
        directory = course.directory
        directory.student_id = student
        maker = GenerateFeedback(coursedir=directory, parent=course.app, config=course.config)
        maker.force = True
        try:
            maker.start()
        except (Exception, SystemExit):
            without[student] = "its notebook cannot be made into a page"
    return without


def harmless(text: object) -> str:
    """HTML that runs nothing and fetches nothing: a filter of nbconvert, see nbgrader_config.py.

    It stands where nbgrader's pages have `strip_files_prefix`, the last step of every text cell.

    >>> harmless('<h1 id="a">A</h1><script>alert(1)</script><img src="https://x.net/1.png">')
    '<h1 id="a">A</h1>alert(1)<img>'
    """
    found: str = bleach.clean(
        strip_files_prefix(text.decode() if isinstance(text, bytes) else str(text)),
        tags=TAGS,
        attributes=_is_harmless,
        protocols=["http", "https", "mailto", "data"],
        strip=True,
    )
    return found


def _is_harmless(tag: str, name: str, value: str) -> bool:
    if name == "href":
        return tag == "a" and not value.strip().lower().startswith("data:")
    if name == "src":
        return value.startswith("data:image/")
    return name in ("class", "title", "alt") or (name == "id" and tag in HEADINGS)


class PlainCells(NbGraderPreprocessor):
    """Makes cells such that a page can be made of them, which runs nothing.

    Pages take over what outputs say of themselves as it stands: the size of a picture may be a
    program. And a picture that a text cell names but does not have, ends the making of all pages.
    """

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], cell_index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Take away what is said of outputs, and give every picture that is named."""
        for output in cell.get("outputs", ()):
            if "metadata" in output:
                output.metadata = NotebookNode()
        if cell.cell_type == "markdown":
            cell["attachments"] = _Attachments(cell.get("attachments", {}))
        return cell, resources


class _Attachments(NotebookNode):
    """Pictures of a text cell, by name; an empty one for any other name."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> dict[str, str]:
        return {"image/png": ""}


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
