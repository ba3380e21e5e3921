"""Programs that become somebody else, in a namespace that knows nobody else.

An ordinary user is root of namespaces of their own, and nobody else is there. tcpdump, started by
root, becomes the user `tcpdump` before it captures anything, and gives up where it cannot. So there
it is told that it has: a filter of system calls answers setuid(2) and its like, and does nothing.

Sources: user_namespaces(7), seccomp(2), the tables of system calls of Linux.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
from pathlib import Path

from course.lab.agent.seccomp import ALLOW, CALL, EQUAL, ERROR, LOAD, RETURN, filtered

PROGRAMS = ("tcpdump",)
FOLDER = Path("/run/bin")  # comes first where programs are looked for
# setuid, setgid, setreuid, setregid, setgroups, setresuid, setresgid
CALLS = {
    "x86_64": (105, 106, 113, 114, 116, 117, 119),
    "aarch64": (146, 144, 145, 143, 159, 147, 149),
}


def settle() -> None:
    """Where nobody can become anybody else, have those programs start through `main`."""
    if Path("/proc/self/setgroups").read_text().strip() != "deny":
        return
    FOLDER.mkdir()
    for name in PROGRAMS:
        if (real := shutil.which(name)) and platform.machine() in CALLS:
            code = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[3])!r}); "
            code += f"from {__name__} import main; main()"
            words = shlex.join([sys.executable, "-I", "-c", code, real])
            (FOLDER / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
            (FOLDER / name).chmod(0o755)
    os.environ["PATH"] = os.pathsep.join((str(FOLDER), os.environ["PATH"]))


def main() -> None:
    """Become the program that the command line names, behind the filter."""
    stay(CALLS[platform.machine()])
    os.execv(sys.argv[1], sys.argv[1:])


def stay(calls: tuple[int, ...]) -> None:
    """Have these system calls answer that they went well, and do nothing."""
    tests = [(EQUAL, len(calls) - at, 0, call) for at, call in enumerate(calls)]
    program = [(LOAD, 0, 0, CALL), *tests, (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, ERROR)]
    filtered(program)
