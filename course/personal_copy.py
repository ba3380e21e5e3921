"""The learner's own copy of lessons, exercises and reference pages: the folder my-course.

Notes and answers are written there, so a new version of the course never collides with them. What
a learner has changed is never overwritten: the new version is laid beside it. A notebook that was
only run, with no cell changed, is replaced, and the run of it goes to my-course/backup.

To tell a changed file from an untouched one, each file is kept a second time as it was last handed
out, below my-course/.given.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

from course.curriculum import Lesson, Project, Tool, lessons, named, projects, tools
from course.errors import InputError

ROOT = Path(__file__).parent.parent
COPY = Path("my-course")
GIVEN = Path(".given")


@dataclass(frozen=True)
class Outcome:
    """What became of a file: `file` from the root of the copy, `what` in a word, `says` in full.

    The words: new, updated, kept yours, deleted, reset, unchanged, failed.
    """

    file: str
    what: str
    says: str


def update(root: Path = ROOT, now: datetime | None = None) -> list[Outcome]:
    """Bring the copy up to date. Returns an outcome for each file there is something to say about.

    Raises InputError if this course has no lessons, or something else stands in the copy's place.
    """
    _check(root)
    stamp = _stamp(now)
    outcomes = (_hand_out(file, root, stamp) for file in _course_files(root))
    return [each for each in outcomes if each.what != "unchanged"]


def reset(number: str, root: Path = ROOT, now: datetime | None = None) -> Outcome:
    """Put a lesson and its exercise, or a tool, back to the course's version.

    What stood there is moved to my-course/backup first. Raises InputError for an unknown number or
    name.
    """
    wanted = named(number)
    _check(root, wanted.file)
    stamp = _stamp(now)
    exercise = isinstance(wanted, Lesson) and wanted.exercise
    what = wanted.name + (" and its exercise" if exercise else "")
    word, says, kept = "reset", f"{what}: the course's version is there again.", []
    try:
        for file in _files_of(wanted.slug, root):
            kept += _set_aside(file, root, stamp)
            for folder in (COPY, COPY / GIVEN):
                _write(root / folder / file, (root / file).read_bytes())
    except OSError as error:
        word, says = "failed", f"{what}: not all could be put back: {error}."
    if kept:
        says += f" Yours was moved to {' and '.join(kept)}."
    return Outcome(wanted.file, word, says)


def solution(number: str, root: Path = ROOT) -> Outcome:
    """Copy the solution of an exercise or a project to my-course/solutions, where it can be opened.

    Raises InputError for an unknown number and for a lesson without an exercise.
    """
    wanted = named(number)
    if isinstance(wanted, Tool) or not wanted.solution_file:
        having = [each.number for each in lessons() if each.exercise]
        having += [each.slug for each in projects()]
        raise InputError(
            number, "has no exercise to solve.", f"There is one of {', '.join(having)}."
        )
    _check(root, wanted.solution_file)
    return _hand_out(Path(wanted.solution_file), root, _stamp(), asked_for=True)


def _check(root: Path, file: str = "lessons") -> None:
    """The course is here, with this file or folder, and nothing else stands in the copy's place."""
    if not (root / "lessons").is_dir():
        way_out = "Clone the course's repository, and run `make lab` in it."
        raise InputError(str(root), "holds no lessons.", way_out)
    if not (root / file).exists():
        raise InputError(file, "is missing in the course's folder.", "`git status` may tell why.")
    copy = root / COPY
    if os.path.lexists(copy) and not copy.is_dir():
        way_out = "Give it another name, and try again."
        raise InputError(str(copy), "is no folder, but the course needs one there.", way_out)


def _course_files(root: Path) -> Iterator[Path]:
    """The files that are handed out, from the root: notebooks, what lies beside them, and the
    pages to look things up."""
    for folder in ("lessons", "exercises", "reference"):
        for path in sorted((root / folder).rglob("*")):
            file = path.relative_to(root)
            hidden = any(part.startswith((".", "__")) for part in file.parts)
            if path.is_file() and not hidden:
                yield file


def _files_of(slug: str, root: Path) -> list[Path]:
    return [
        file
        for file in _course_files(root)
        if file == Path(f"lessons/{slug}.ipynb") or file.parts[:2] == ("exercises", slug)
    ]


def _stamp(now: datetime | None = None) -> str:
    return f"{now or datetime.now():%Y%m%d-%H%M%S}"


def _hand_out(file: Path, root: Path, stamp: str, asked_for: bool = False) -> Outcome:
    """Hand out one file. One that cannot be written must not keep the others back."""
    try:
        return _place(file, root, stamp, asked_for)
    except OSError as error:
        says = f"{file.as_posix()} could not be brought to {COPY}: {error}."
        return Outcome(file.as_posix(), "failed", says)


def _place(file: Path, root: Path, stamp: str, asked_for: bool) -> Outcome:
    copy, name = root / COPY, file.as_posix()
    mine, given = copy / file, copy / GIVEN / file
    _check_folders(copy, file.parent, GIVEN / file.parent)
    source, before = (root / file).read_bytes(), _bytes_of(given)
    present = os.path.lexists(mine)
    if source == before and (present or not asked_for):
        return Outcome(name, "unchanged", f"{COPY}/{name} is there already.")
    if not present and before is not None and not asked_for:
        outcome = Outcome(name, "deleted", f"You deleted {name}. {_bring_back(file)}")
    elif not present:
        _write(mine, source)
        outcome = Outcome(name, "new", f"{COPY}/{name} is new.")
    elif _bytes_of(mine) == source:
        outcome = Outcome(name, "unchanged", f"{COPY}/{name} is there already.")
    elif before is not None and _bytes_of(mine) == before:
        _write(mine, source)
        outcome = Outcome(name, "updated", f"{COPY}/{name} was brought up to date.")
    elif before is not None and (run := _bytes_of(mine)) and _only_run(run, before):
        kept = _backup_of(file, root, stamp)
        _write(kept, run)
        _write(mine, source)
        where = kept.relative_to(root).as_posix()
        says = f"{COPY}/{name} was brought up to date. Your run of the old one is in {where}."
        outcome = Outcome(name, "updated", says)
    else:
        beside = _lay_beside(mine, source).relative_to(root).as_posix()
        says = f"{COPY}/{name} has your changes and stays. The new version is beside it: {beside}."
        outcome = Outcome(name, "kept yours", says)
    # Only now: if writing is cut short before this, the next update does the same again.
    _write(given, source)
    return outcome


def _bring_back(file: Path) -> str:
    """How a learner gets a file back that they deleted.

    >>> _bring_back(Path("lessons/05-azure-cni.ipynb"))
    'Its newest version comes back with: python -m course reset 05'
    """
    for each in lessons():
        if file.as_posix() == each.file or file.parts[:2] == ("exercises", each.slug):
            return f"Its newest version comes back with: python -m course reset {each.number}"
    others: list[Project | Tool] = [*projects(), *tools()]
    for other in others:
        if file.as_posix() == other.file:
            return f"Its newest version comes back with: python -m course reset {other.slug}"
    return f"Its newest version is in the course's folder: {file.as_posix()}"


def _only_run(mine: bytes, given: bytes) -> bool:
    """Whether a notebook differs from what was given only by what running it leaves behind."""
    try:
        return _cells(mine) == _cells(given)
    except (ValueError, TypeError, KeyError, AttributeError):  # no notebook, or a broken one
        return False


def _cells(notebook: bytes) -> list[tuple[str, str, object]]:
    """What a person writes in a notebook: kind, source and attached pictures of each cell."""
    return [
        (cell["cell_type"], "".join(cell["source"]), cell.get("attachments"))
        for cell in json.loads(notebook)["cells"]
    ]


def _set_aside(file: Path, root: Path, stamp: str) -> list[str]:
    """Move the learner's version to the backups, if there is one; returns where it is now."""
    mine = root / COPY / file
    _check_folders(root / COPY, file.parent, GIVEN / file.parent)
    if not os.path.lexists(mine) or _bytes_of(mine) == (root / file).read_bytes():
        return []
    backup = _backup_of(file, root, stamp)
    mine.rename(backup)
    return [backup.relative_to(root).as_posix()]


def _backup_of(file: Path, root: Path, stamp: str) -> Path:
    """A free name for a backup of a file of the copy."""
    backups = root / COPY / "backup"
    _check_folders(root / COPY, Path("backup"))
    backups.mkdir(exist_ok=True)
    kind = "-exercise" if file.parts[0] == "exercises" else ""
    return _free_name(backups / f"{file.stem}{kind}-{stamp}{file.suffix}")


def _lay_beside(mine: Path, source: bytes) -> Path:
    """Write the new version beside the learner's, under a name that is free or holds it already."""
    for beside in _names(mine.with_name(f"{mine.stem}.new{mine.suffix}")):
        if not os.path.lexists(beside):
            _write(beside, source)
            return beside
        if _bytes_of(beside) == source:
            return beside
    raise AssertionError("names never end")


def _free_name(wanted: Path) -> Path:
    return next(path for path in _names(wanted) if not os.path.lexists(path))


def _names(wanted: Path) -> Iterator[Path]:
    """The path itself, then others after it.

    >>> names = _names(Path("a.new.ipynb"))
    >>> next(names).name, next(names).name, next(names).name
    ('a.new.ipynb', 'a.new-2.ipynb', 'a.new-3.ipynb')
    """
    yield wanted
    for number in count(2):
        yield wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")


def _check_folders(copy: Path, *folders: Path) -> None:
    """Refuse to follow a link on the way to a file: what is behind it is not the course's."""
    for folder in folders:
        if (copy / folder).resolve() != copy.resolve() / folder:
            raise OSError(f"{(COPY / folder).as_posix()} is a link to another place")


def _bytes_of(path: Path) -> bytes | None:
    """What stands in a file; None if it is missing, a link or a folder."""
    return path.read_bytes() if path.is_file() and not path.is_symlink() else None


def _write(path: Path, content: bytes) -> None:
    """Write a whole file or nothing: a crash leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
