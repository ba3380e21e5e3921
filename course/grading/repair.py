"""A notebook as handed in, made into one that nbgrader can grade.

nbgrader trusts the marks that each cell carries: which is a test, and worth what. Students can edit
those. A duplicated test stops it for the whole class, a tag lets a test not run and pass. Here
every cell is made anew from its text alone, and its marks from the gradebook.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Notebook
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.preprocessors import overwritecells as nbgraders
from nbgrader.utils import compute_checksum, is_grade

OF_OURS = ("grade", "solution", "locked", "task", "points", "schema_version")


@dataclass(frozen=True)
class Known:
    """A cell that the gradebook knows: its text with hidden tests, and its marks."""

    name: str
    cell_type: str
    source: str
    marks: Mapping[str, Any]


def known_cells(notebook: Notebook) -> dict[str, Known]:
    """The cells of an assignment's notebook, by name, from the gradebook."""
    points = {cell.name: cell.max_score for cell in (*notebook.grade_cells, *notebook.task_cells)}
    graded, answers, tasks = (
        {cell.name for cell in cells}
        for cells in (notebook.grade_cells, notebook.solution_cells, notebook.task_cells)
    )
    found = {}
    for cell in notebook.source_cells:
        marks = {
            "schema_version": 3,
            "grade_id": cell.name,
            "grade": cell.name in graded and cell.name not in tasks,
            "solution": cell.name in answers and cell.name not in tasks,
            "task": cell.name in tasks,
            "locked": bool(cell.locked),
            "cell_type": cell.cell_type,
            "checksum": cell.checksum,
        }
        if cell.name in points:
            marks["points"] = points[cell.name]
        found[cell.name] = Known(cell.name, cell.cell_type, cell.source, marks)
    return found


def repair(notebook: NotebookNode, known: Mapping[str, Known]) -> list[str]:
    """Make every cell anew, in place; what the instructor should know of it, in sentences."""
    names = [_name(cell, known) for cell in notebook.cells]
    remarks: list[str] = []
    cells = []
    for index, (cell, name) in enumerate(zip(notebook.cells, names, strict=True)):
        if name and name in names[index + 1 :]:
            remarks.append(f"cell {name} is there more than once: the last one counts")
            name = ""
        elif not name and _claims(cell):
            remarks.append("a cell that is not of the exercise claims to be graded")
        cells.append(_made(cell, known[name], remarks) if name else _plain(cell))
    for name, each in known.items():
        if name not in names and (each.marks["grade"] or each.marks["task"]):
            remarks.append(f"cell {name} is missing: it was put back at the end")
            cells.append(_new(each, each.source))
    _identify(cells)
    notebook.cells = cells
    notebook.metadata = NotebookNode(kernelspec={"name": "python3", "display_name": "Python 3"})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return list(dict.fromkeys(remarks))


def _name(cell: NotebookNode, known: Mapping[str, Known]) -> str:
    """The name of a cell that the gradebook knows, else nothing."""
    marks = cell.metadata.get("nbgrader")
    name = marks.get("grade_id") if isinstance(marks, dict) else None
    return name if isinstance(name, str) and name in known else ""


def _claims(cell: NotebookNode) -> bool:
    marks = cell.metadata.get("nbgrader")
    return isinstance(marks, dict) and any(marks.get(each) for each in ("grade", "task", "locked"))


def _made(cell: NotebookNode, known: Known, remarks: list[str]) -> NotebookNode:
    """A cell with the marks that it should have, and a remark if it had others."""
    marks = cell.metadata["nbgrader"]
    if cell.cell_type != known.cell_type or any(
        marks.get(each, False) != known.marks.get(each, False) for each in OF_OURS
    ):
        remarks.append(f"the marks of cell {known.name} were changed: they were put back")
    elif known.marks["locked"] and not _as_released(cell):
        remarks.append(f"the text of cell {known.name} was changed: it was put back")
    source = known.source if known.marks["locked"] else cell.source
    return _new(known, source, cell.get("attachments"))


def _as_released(cell: NotebookNode) -> bool:
    """Whether a locked cell is the released one: that one's checksum is in its marks."""
    try:
        return bool(compute_checksum(cell) == cell.metadata.nbgrader.get("checksum"))
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def _new(known: Known, source: str, attachments: Any = None) -> NotebookNode:
    return _cell(known.cell_type, source, {"nbgrader": dict(known.marks)}, attachments)


def _plain(cell: NotebookNode) -> NotebookNode:
    made = _cell(cell.cell_type, cell.source, {}, cell.get("attachments"))
    made.id = cell.id
    return made


def _cell(kind: str, source: str, metadata: dict[str, Any], attachments: Any) -> NotebookNode:
    made = nbformat.from_dict({"cell_type": kind, "id": "", "metadata": metadata, "source": source})
    if kind == "code":
        made.outputs, made.execution_count = [], None
    elif kind == "markdown" and attachments:
        made.attachments = attachments
    return made


def _identify(cells: Iterable[NotebookNode]) -> None:
    """Names serve as ids, so that the same submission gives the same file; nothing is twice."""
    seen: set[str] = set()
    for number, cell in enumerate(cells):
        wanted = cell.metadata.get("nbgrader", {}).get("grade_id") or cell.id
        if not isinstance(wanted, str) or wanted in seen or not wanted or len(wanted) > 64:
            wanted = f"cell-{number}"
        seen.add(wanted)
        cell.id = wanted


class FailuresFirst(NbGraderPreprocessor):
    """Before nbgrader takes marks from outputs: see nbgrader_config.py.

    It takes the first result that a test shows for partial credit, also when the test fails after
    it. The function that is tested could show one.
    """

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], cell_index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Put what fails a test before all that it shows; of several results the last one stays."""
        if cell.cell_type == "code" and is_grade(cell):
            results = [each for each in cell.outputs if each.output_type == "execute_result"]
            kept = [each for each in cell.outputs if not any(each is old for old in results[:-1])]
            cell.outputs = sorted(kept, key=lambda output: not _fails(output))
        return cell, resources


def _fails(output: NotebookNode) -> bool:
    """Whether nbgrader takes it for a failure."""
    return output.output_type == "error" or output.get("name") == "stderr"


class RepairCells(NbGraderPreprocessor):
    """The repair as a step of nbgrader's own autograde: see nbgrader_config.py."""

    def preprocess(
        self, notebook: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Repair a notebook, and log what was found."""
        names = resources["nbgrader"]
        with nbgraders.Gradebook(names["db_url"]) as gradebook:
            known = known_cells(gradebook.find_notebook(names["notebook"], names["assignment"]))
        for remark in repair(notebook, known):
            self.log.warning("%s: %s", names["student"], remark)
        return notebook, resources
