"""What it takes to run all lessons one after the other, live and on recordings, against the same
notebooks with nothing in their cells. The aims: all of them within 90 s, no cell above 5 s."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

import nbformat
from nbclient import NotebookClient

from course.curriculum import lessons
from course.laboratory import SHOW
from tests.conftest import ROOT

ALL_WITHIN, CELL_WITHIN = 90, 5


@dataclass
class Run:
    """How many seconds a notebook took, and each of its cells."""

    whole: float
    cells: dict[str, float]


def run(file: str, lab: str, empty: bool = False) -> Run:
    """Run a notebook in a kernel of its own, or the same with nothing in its cells."""
    notebook = nbformat.read(ROOT / file, as_version=4)
    began: dict[str, float] = {}
    took: dict[str, float] = {}
    for cell in notebook.cells:
        cell.source = "" if empty else cell.source
    with tempfile.TemporaryDirectory() as home:
        elsewhere = {"metadata": {"path": home}}
        client = NotebookClient(
            notebook, timeout=120, resources=elsewhere, extra_arguments=["--log-level=ERROR"]
        )
        client.on_cell_execute = lambda cell, cell_index: began.update({cell.id: time.time()})
        client.on_cell_executed = lambda cell, cell_index, execute_reply: took.update(
            {cell.id: time.time() - began[cell.id]}
        )
        start = time.time()
        client.execute(env={**os.environ, SHOW: lab, "XDG_DATA_HOME": home})
    return Run(time.time() - start, took)


def main() -> None:
    """Run each by turns with its empty twin, so that a busy machine slows both."""
    for lab in ("live", "recorded"):
        runs = {each.file: (run(each.file, lab), run(each.file, lab, True)) for each in lessons()}
        whole, bare = (sum(pair[place].whole for pair in runs.values()) for place in (0, 1))
        seconds, cell = max(slowest(runs))
        print(
            f"all {len(runs)} lessons, {lab}: {whole:.1f} s (aim: at most {ALL_WITHIN}); with "
            f"empty cells {bare:.1f} s, ratio {whole / bare:.2f}; slowest cell {cell} "
            f"{seconds:.1f} s (aim: at most {CELL_WITHIN})"
        )


def slowest(runs: dict[str, tuple[Run, Run]]) -> Iterator[tuple[float, str]]:
    """How long each cell took, and which it is."""
    for file, (full, _) in runs.items():
        for cell, seconds in full.cells.items():
            yield seconds, f"{cell} of {file}"


if __name__ == "__main__":
    main()
