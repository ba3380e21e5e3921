"""Run a program of the probe in fresh namespaces: as who we are, or as root of our own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

from course.machine import Ran, run, which

NAMESPACES = (
    "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc",
)  # fmt: skip
AS_WHOM = ((), ("--user", "--map-root-user"))
SECONDS = 20  # on a busy machine; mostly a tenth of one will do
ROOT = Path(__file__).parents[3]


class Tried(NamedTuple):
    """The command that makes namespaces, and what became of the program in them."""

    unshare: tuple[str, ...]
    ran: Ran


def in_namespaces(*program: str) -> Tried:
    """Run a program in fresh namespaces.

    Whether we may make them shows only when we try: root in a container may not, and may after all
    in a user namespace of its own.
    """
    for user in AS_WHOM:
        unshare = (which("unshare") or "unshare", *user, *NAMESPACES)
        ran = run(*unshare, *program, seconds=SECONDS)
        if ran.returncode == 0:
            break
    return Tried(unshare, ran)


def python(module: str, *words: str) -> tuple[str, ...]:
    """The command that runs `main` of a module of the probe, with nothing of the current folder."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
        f"from course.lab.probe.{module} import main; main()"
    )
    return (sys.executable, "-I", "-c", code, *words)
