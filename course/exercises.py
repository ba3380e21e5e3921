"""The exercises that learners get, made by nbgrader from the solutions."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from course.curriculum import projects
from course.errors import InputError
from course.personal_copy import ROOT


class NbgraderError(RuntimeError):
    """nbgrader could not make an exercise; the message is its own."""


def generate(root: Path = ROOT, into: Path | None = None) -> list[str]:
    """Make every exercise anew, in exercises/ or another folder; returns what was done, in lines.

    An exercise whose solution is gone is removed from exercises/. Raises NbgraderError, and leaves
    everything as it was, if nbgrader cannot make one of them.
    """
    slugs = solutions(root)
    target = into or root / "exercises"
    with TemporaryDirectory() as made:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda slug: _release(slug, root, Path(made)), slugs))
        lines = [f"{slug}: {_replace(Path(made) / slug, target / slug)}" for slug in slugs]
    gone = [] if into else [each for each in _folders(target) if each.name not in slugs]
    for folder in gone:
        shutil.rmtree(folder)
        lines.append(f"{folder.name}: removed, it has no solution")
    return lines


def solutions(root: Path = ROOT) -> list[str]:
    """The slugs of the solutions, in order. Raises InputError if their folder is missing."""
    if not (root / "solutions").is_dir():
        way_out = "Clone the course's repository, and run this in it."
        raise InputError(str(root), "holds no solutions.", way_out)
    return [folder.name for folder in _folders(root / "solutions")]


def _folders(parent: Path) -> list[Path]:
    names = {each.slug for each in projects()}
    lessons = set(parent.glob("[0-9][0-9]-*"))
    return sorted(
        each
        for each in parent.glob("*")
        if each.is_dir() and (each in lessons or each.name in names)
    )


def _release(slug: str, root: Path, into: Path) -> None:
    command = [
        *(sys.executable, "-m", "nbgrader", "generate_assignment", slug, "--force", "--no-db"),
        f"--CourseDirectory.release_directory={into}",
    ]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, errors="replace")
    if done.returncode != 0 or not any((into / slug).glob("*.ipynb")):
        raise NbgraderError(f"{slug} could not be made. nbgrader says:\n{done.stderr.strip()}")


def _replace(made: Path, old: Path) -> str:
    """Put a folder in another's place; says whether that changed anything."""
    if _contents(made) == _contents(old):
        return "unchanged"
    shutil.rmtree(old, ignore_errors=True)
    shutil.copytree(made, old)
    return "written"


def _contents(folder: Path) -> dict[Path, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder): file.read_bytes() for file in files}
