"""What a student handed in, read with distrust and copied: only plain files, nothing followed."""

from __future__ import annotations

import io
import json
import os
import re
import stat
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import parse_utc

from course.grading.limits import Limits


class BadSubmissionError(Exception):
    """It cannot be graded; the message says why, to the instructor."""


def copied(source: Path, target: Path, limits: Limits) -> list[str]:
    """Copy a student's folder: plain files only. Returns remarks on what was left out.

    Raises BadSubmissionError if it cannot be read or is too large.
    """
    if source.is_symlink() or source.parent.is_symlink():
        raise BadSubmissionError("its folder is a symbolic link, which is not followed")
    remarks: list[str] = []
    left = limits.handed_in
    for file in _files(source):
        name = str(file.relative_to(source))
        kind = file.lstat().st_mode
        if not stat.S_ISREG(kind):
            what = "a symbolic link" if stat.S_ISLNK(kind) else "no plain file"
            remarks.append(f"{shown(name)} is {what}: it was left out")
            continue
        left -= file.lstat().st_size
        if left < 0:
            raise BadSubmissionError(f"it is larger than {limits.handed_in // 2**20} MB")
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(_content(file))
    if (target / "timestamp.txt").exists() and not timestamp(target):
        (target / "timestamp.txt").unlink()  # nbgrader would stop at it
        remarks.append("its timestamp.txt names no time: it counts as handed in on time")
    return remarks


def cut_links(assignment: str, student: str, notebooks: list[str]) -> None:
    """Put a plain file in the place of what is none: a hook of nbgrader's own autograde.

    nbgrader would follow links, and cannot be told to leave a file out of one submission.
    """
    for folder in {Path(each).parent for each in notebooks}:
        for file in _files(folder):
            if not stat.S_ISREG(file.lstat().st_mode):
                file.unlink()
                file.write_text("This was no plain file. Links are not followed.\n", "utf-8")


def _files(source: Path) -> Iterator[Path]:
    """Everything below a folder that is no folder; links to folders are not entered."""

    def stop(error: OSError) -> None:
        raise BadSubmissionError(f"its folder cannot be read: {error.strerror}")

    count = 0
    for folder, folders, files in os.walk(source, onerror=stop):
        for name in sorted([*files, *folders]):
            path = Path(folder) / name
            if path.is_symlink() or name in files:
                count += 1
                if count > 1000:
                    raise BadSubmissionError("it has more than 1000 files")
                yield path


def _content(file: Path) -> bytes:
    try:
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as opened:
            return opened.read()
    except OSError as error:
        raise BadSubmissionError(f"{shown(file.name)} cannot be read: {error.strerror}") from None


def notebook(file: Path, limits: Limits) -> NotebookNode:
    """The notebook in a file. Raises BadSubmissionError for what is none."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        found = ", ".join(sorted(shown(each.name) for each in file.parent.glob("*.ipynb"))[:5])
        raise BadSubmissionError(
            f"there is no {file.name}; there is {found or 'no notebook'}"
        ) from None
    if len(content) > limits.notebook:
        raise BadSubmissionError(f"{file.name} is larger than {limits.notebook // 2**20} MB")
    if not content.strip():
        raise BadSubmissionError(f"{file.name} is empty")
    try:
        text = whole(json.dumps(json.loads(content), ensure_ascii=False))
    except (ValueError, RecursionError):
        raise BadSubmissionError(f"{file.name} is not JSON") from None
    try:
        read = nbformat.reads(text, as_version=4)
        _normal(read)
        nbformat.validate(read, relax_add_props=True)
    except Exception as error:  # whatever hostile JSON makes of libraries
        if isinstance(error, (AttributeError, TypeError, KeyError)):  # of nbformat, not of a rule
            error = ValueError("it has not the form of one")
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BadSubmissionError(f"{file.name} is not a notebook: {said[:200]}") from None
    if len(read.cells) > limits.cells:
        raise BadSubmissionError(f"{file.name} has more than {limits.cells} cells")
    return read


def whole(text: str) -> str:
    """A text that can be written to a file: halves of letters, which Python allows, become `?`.

    >>> whole("caf\\xe9 \\ud800") == "caf\\xe9 ?"
    True
    """
    return text.encode("utf-8", "replace").decode()


def _normal(read: NotebookNode) -> None:
    """What counts for nothing may not spoil anything either: outputs, and the ids of cells."""
    read.nbformat_minor = 5
    seen: set[str] = set()
    for number, cell in enumerate(read.cells):
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        own = cell.get("id")
        right = isinstance(own, str) and re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", own)
        cell.id = own if right and own not in seen else f"cell-{number}"
        seen.add(cell.id)


def timestamp(folder: Path) -> datetime | None:
    """When a submission was handed in, by the file that nbgrader writes; else None."""
    file = folder / "timestamp.txt"
    with suppress(OSError, ValueError, OverflowError):
        if not file.is_symlink() and file.stat().st_size < 100:
            return parse_utc(file.read_text().strip())
    return None


def packed(files: dict[str, bytes]) -> bytes:
    """Files as a tar archive; nothing for no files.

    >>> packed({})
    b''
    """
    if not files:
        return b""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def shown(name: str) -> str:
    """A file's name as it may be printed: students choose them.

    >>> shown("a\\x1b[2Jb")
    "'a\\\\x1b[2Jb'"
    """
    return name if name.isprintable() and len(name) < 100 else repr(name[:100])
