"""What it costs to import what lesson 05 uses below views, against netaddr and the standard
modules that it needs. The aim is a ratio of at most 1.5."""

from __future__ import annotations

import compileall
import subprocess
import sys
from pathlib import Path

import course

COURSE = (
    "import course.cluster, course.sizing.node_subnet, "  # what the lesson itself imports
    "course.questions, course.progress, course.prose"  # what its questions rest on
)
# what those modules import, without the course itself
BASE = (
    "import netaddr, dataclasses, tomllib, re, pathlib, datetime, functools, types, "
    "collections.abc, typing, enum, json, hashlib, ast, operator, os, sys"
)
TIMER = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
AIM, ROUNDS = 1.5, 40


def seconds(code: str) -> float:
    """How long one fresh interpreter takes to run the code, without its own start."""
    command = [sys.executable, "-c", TIMER.format(code)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Measure both by turns, so that a busy machine slows both, and print the ratio."""
    # as after a first start; pip compiled netaddr when it was installed
    compileall.compile_dir(Path(course.__file__).parent, quiet=1)
    times: dict[str, list[float]] = {COURSE: [], BASE: []}
    for _ in range(ROUNDS):
        for code, found in times.items():
            found.append(seconds(code))
    ours, base = min(times[COURSE]), min(times[BASE])
    print(
        f"import cost: course {ours * 1000:.1f} ms, netaddr and standard modules "
        f"{base * 1000:.1f} ms, ratio {ours / base:.2f} (aim: at most {AIM})"
    )
