"""Whoever runs the live lab, and whatever becomes of it: the same is seen, and nothing is left."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.labs import AS_ROOT, LIVE, by_an_ordinary_user

pytestmark = LIVE
KILLS = int(os.environ.get("COURSE_LAB_KILLS", "6"))
AS_ANYBODY = """
import sys
sys.path.insert(0, sys.argv[1])
from course import networks
from course.laboratory import Lab
from course.scenarios import SCENARIOS, small_cluster
for model in networks.all_models():
    with Lab(small_cluster(model.id)) as lab:
        for name, scenario in SCENARIOS.items():
            found = lab.compare(lab.observe(scenario.flow(lab.world)))
            assert found.equal, (model.id, name, found.differences)
print("as predicted")
"""


@AS_ROOT
def test_an_ordinary_user_sees_the_same():
    ran = by_an_ordinary_user(AS_ANYBODY)
    assert ran.stdout == "as predicted\n", ran.stderr


HOLDS_A_LAB = """
import sys
sys.path.insert(0, sys.argv[1])
from course.laboratory import Lab
from course.scenarios import SCENARIOS, small_cluster
lab = Lab(small_cluster("kubenet"))
while True:
    for scenario in SCENARIOS.values():
        lab.observe(scenario.flow(lab.world))
"""


def processes(mark):
    """Those that were started with a mark in their environment, by what they run."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (folder / "environ").read_bytes():
                yield int(folder.name), (folder / "cmdline").read_bytes()


def machine():
    """What a lab might leave on the machine: mounts, interfaces."""
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True)
    names = [line.split()[1] for line in links.stdout.splitlines()]
    return Path("/proc/self/mounts").read_text(), names


@pytest.mark.parametrize("which", ["the notebook's kernel", "unshare", "the agent"])
@pytest.mark.parametrize("time_of_death", range(-(-KILLS // 3)))
def test_whoever_is_killed_at_whatever_moment_nothing_is_left(which, time_of_death):
    mark, before = uuid.uuid4().hex, machine()
    program = subprocess.Popen(
        [sys.executable, "-c", HOLDS_A_LAB, str(ROOT)], stderr=subprocess.DEVNULL,
        env={**os.environ, "COURSE_LAB_MARK": mark},
    )  # fmt: skip
    try:
        time.sleep(0.3 + random.random())
        wanted = {"unshare": b"unshare\0", "the agent": b"course.lab.agent"}.get(which)
        for pid, words in processes(mark):
            is_agent = wanted and wanted in words and (which == "unshare" or b"--net" not in words)
            if is_agent or (wanted is None and pid == program.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        program.kill() if which == "the notebook's kernel" else None
        deadline = time.monotonic() + 10
        while which != "the notebook's kernel" and program.poll() is None:
            if time.monotonic() > deadline:
                program.kill()
            time.sleep(0.05)
    finally:
        program.kill()
        program.wait()
    deadline = time.monotonic() + 10
    while (left := list(processes(mark))) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []
    assert machine() == before


FORKS = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from course.laboratory import Lab
from course.scenarios import small_cluster
lab = Lab(small_cluster("overlay"), plugins=False)
child = os.fork()
if not child:
    time.sleep(60)
print(child, flush=True)
if sys.argv[2] == "killed":
    time.sleep(60)
before = time.monotonic()
lab.close()
print(time.monotonic() - before < 5, flush=True)
"""


@pytest.mark.parametrize("end", ["killed", "closed"])
def test_a_child_that_the_notebooks_kernel_has_forked_does_not_keep_a_lab_alive(end):
    mark = uuid.uuid4().hex
    program = subprocess.Popen(
        [sys.executable, "-c", FORKS, str(ROOT), end], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "COURSE_LAB_MARK": mark},
    )  # fmt: skip
    child = int(program.stdout.readline())
    try:
        if end == "closed":
            assert program.stdout.readline() == "True\n"
        program.kill()
        program.wait()
        deadline = time.monotonic() + 10
        while {pid for pid, _ in processes(mark)} != {child} and time.monotonic() < deadline:
            time.sleep(0.05)
        assert {pid for pid, _ in processes(mark)} == {child}
    finally:
        os.kill(child, signal.SIGKILL)
        program.stdout.close()
