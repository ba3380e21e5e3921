"""What may stand in the live lab's way, made for real around a process that the test starts.

Needs no root: where a mount or a limit is to be changed, that happens in namespaces of our own.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import platform
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from course.lab.agent.seccomp import ALLOW, EQUAL, ERROR, LOAD, RETURN, filtered
from course.machine import Check
from tests.conftest import ROOT

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
OF_OUR_OWN = ("unshare", "--user", "--map-root-user", "--mount")
# root who may do nothing that others may not, but be root of namespaces of its own
WITHOUT_POWERS = ("setpriv", "--bounding-set", "-all,+setfcap")

# Numbers of system calls; what begins a BPF program of seccomp is of linux/seccomp.h.
CALLS = {"x86_64": {"unshare": 272, "socket": 41}, "aarch64": {"unshare": 97, "socket": 198}}
AF_NETLINK, AF_PACKET, NETLINK_NETFILTER = 16, 17, 12

ASK = """
from course.lab.probe.needs import Needs
from course.lab.probe.readiness import examined
import dataclasses, json
needs = Needs(**{needs!r})
print(json.dumps(dataclasses.asdict(examined(needs))))
"""


def forbid(call: str, number: int, arguments: dict[int, int] | None = None) -> None:
    """Let a system call of this process and its children fail, by a seccomp filter.

    `number` is that of the error, `arguments` what the call must have for it, by position.
    """
    tests = [(0, CALLS[platform.machine()][call])]
    tests += [(16 + 8 * at, value) for at, value in (arguments or {}).items()]
    program = []
    for at, (offset, value) in enumerate(tests):
        beyond = 2 * (len(tests) - at) - 1  # to the last instruction, which allows
        program += [(LOAD, 0, 0, offset), (EQUAL, 0, beyond, value)]
    program += [(RETURN, 0, 0, ERROR | number), (RETURN, 0, 0, ALLOW)]
    filtered(program)


def examine(*around: str, first: str = "", **needs: object) -> SimpleNamespace:
    """The verdict of a process: `around` is the command that starts it, `first` code it runs.

    Skips the test, with the reason, where such surroundings cannot be made.
    """
    if why := why_not(*around) or (no_filters() if "forbid" in first else ""):
        pytest.skip(f"cannot be provoked here: {why}")
    code = f"from tests.surroundings import *\n{first}\n{ASK.format(needs=needs)}"
    ran = _start(*around, sys.executable, "-c", code)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    found["parts"] = {part["name"]: Check(**part) for part in found["parts"]}
    return SimpleNamespace(**found)


def in_own_namespaces(script: str) -> tuple[str, ...]:
    """The command that runs a script as root of our own, and then whatever follows."""
    return (*OF_OUR_OWN, "sh", "-c", f'set -e; {script}; exec "$@"', "sh")


@functools.cache
def why_not(*around: str) -> str:
    """Why such surroundings cannot be made here, or nothing."""
    missing = [tool for tool in ("unshare", "setpriv") if not shutil.which(tool, path=PATH)]
    if missing:
        return f"no {missing[0]}: sudo apt install util-linux"
    ran = _start(*around, "true")
    return "" if ran.returncode == 0 else ran.stderr.strip()


@functools.cache
def no_filters() -> str:
    """Why no filter of system calls can be made here, or nothing."""
    if platform.machine() not in CALLS:
        return f"the numbers of system calls of {platform.machine()} are not known"
    code = f"from tests.surroundings import *; forbid('socket', {errno.EPERM}, {{0: 99}})"
    ran = _start(sys.executable, "-c", code)
    return "" if ran.returncode == 0 else ran.stderr.strip()


def _start(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT,
        env=os.environ | {"PATH": PATH, "LC_ALL": "C", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
