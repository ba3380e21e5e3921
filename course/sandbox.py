"""The command that runs a program in a sandbox of bubblewrap, and whether it can here.

Inside there are the system, this Python and the course's package, all of it read-only; a few empty
folders in memory; no network; none of the machine's other processes; no rights. Not inside: the
course's folder with solutions and gradebook, any home folder, any submission.

Root is a user too many: its processes are not counted, and its files open to it even without
rights. So root becomes `nobody` first, in a first bubblewrap that only lays files where nobody can
read them (a Python in a home folder, say).
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from course.machine import Check, install

NOBODY = 65534  # of Linux: the user and group that own nothing
PACKAGE = Path(__file__).parent
HOME = "/home/student"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SETTINGS = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/mime.types")


def command(*program: str, options: Sequence[str] = (), nested: bool = False) -> list[str]:
    """The words that run a program in a sandbox; `options` are further ones of bubblewrap.

    `nested` allows what the program starts to make namespaces of their own.
    """
    binds = [*_binds(), *options]
    inside = [
        *("bwrap", "--die-with-parent", "--unshare-all", "--unshare-user"),
        *("--uid", str(NOBODY), "--gid", str(NOBODY), "--hostname", "sandbox"),
        *("--cap-drop", "ALL", "--new-session"),
        *([] if nested else ["--disable-userns"]),
        *("--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"),
        *("--size", str(64 * 1024 * 1024), "--tmpfs", "/dev/shm"),
        *("--size", str(64 * 1024 * 1024), "--tmpfs", "/tmp"),
        *("--size", str(64 * 1024 * 1024), "--tmpfs", HOME),
        *binds,
        *("--remount-ro", "/", "--clearenv"),
        *_environment(),
    ]
    return [*_as_nobody(options), *inside, *program]


def _binds() -> list[str]:
    """What is inside, as options of bubblewrap; each stands where it stands outside."""
    words: list[str] = []
    for path in SYSTEM:
        if os.path.islink(path):
            words += ["--symlink", os.readlink(path), path]
        else:
            words += ["--ro-bind-try", path, path]
    for path in [*SETTINGS, *pythons(), str(PACKAGE)]:
        words += [*_folders_above(path), "--ro-bind-try", path, path]
    return words


def _folders_above(path: str) -> Iterator[str]:
    """Makes them so that everybody may pass: bubblewrap would let pass nobody but root."""
    for folder in reversed(Path(path).parents[:-1]):
        yield from ("--perms", "0755", "--dir", str(folder))


def pythons() -> list[str]:
    """The folders that this Python is installed in, beyond the system's own.

    Raises RuntimeError if the course's folder lies in one of them: it would be seen inside.
    """
    found = {os.path.realpath(sys.base_prefix), sys.prefix} - {"/usr"}
    for each in found:
        if PACKAGE.parent.is_relative_to(each) and "site-packages" not in PACKAGE.parts:
            raise RuntimeError(f"The course's folder lies in {each}, which sandboxes must see.")
    return sorted(found)


def _environment() -> Iterator[str]:
    """All that the program finds in its environment."""
    path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    given = {
        "PATH": path,
        "HOME": HOME,
        "LANG": "C.UTF-8",
        "USER": "student",
        "PYTHONPATH": str(PACKAGE.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "IPYTHONDIR": f"{HOME}/.ipython",
        "NBGRADER_EXECUTION": os.environ.get("NBGRADER_EXECUTION", "autograde"),
    }
    for name, value in given.items():
        yield from ("--setenv", name, value)


def _as_nobody(options: Sequence[str]) -> list[str]:
    """What comes before, for root: lay out the same files, then be nobody."""
    if os.getuid() != 0 or not _can_be_nobody():
        return []
    return [
        *("bwrap", "--die-with-parent", "--dev-bind", "/dev", "/dev", "--bind", "/proc", "/proc"),
        *("--tmpfs", "/tmp", *_folders_above(f"{HOME}/."), *_binds(), *options),
        *("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"),
        *("--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"),
    ]


@functools.cache
def _can_be_nobody() -> bool:
    """Whether this root is one who can become another user: root of a container may not."""
    able = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "true"]
    return shutil.which("setpriv") is not None and _runs(able) == ""


@functools.cache
def why_not() -> str:
    """Why no sandbox can be made here, in a sentence, and the way out; empty if it can.

    >>> isinstance(why_not(), str)
    True
    """
    if not sys.platform.startswith("linux"):
        return "Sandboxes are made by bubblewrap, which is a program of Linux."
    if not shutil.which("bwrap"):
        return f"Sandboxes are made by bubblewrap, which is not installed: {install('bubblewrap')}"
    try:
        said = _runs(command(sys.executable, "-c", "import course", nested=True))
    except RuntimeError as error:
        return str(error)
    if said:
        way_out = "It needs user namespaces: outside of a container, or in one that allows them."
        return f"bubblewrap cannot make a sandbox here: {said} {way_out}"
    return ""


def sandbox_check() -> Check:
    """Whether a class can be graded here."""
    if why := why_not():
        return Check("Sandboxes for grading", "limited", f"only who grades misses them. {why}")
    return Check("Sandboxes for grading", "works", "bubblewrap makes them")


def _runs(words: Sequence[str]) -> str:
    """What a command that failed says in its last line; empty if it did not fail."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=20, errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"it ends with {done.returncode}."])[-1]
