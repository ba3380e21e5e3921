"""What it costs to import what lesson 05 uses below views, against netaddr and the standard
modules that it needs. The aim is a ratio of at most 1.5."""

from __future__ import annotations

import subprocess
import sys

COURSE = "import course.networks.node_subnet, course.subnet, course.addresses, course.facts"
# what those modules import, without the course itself
BASE = (
    "import netaddr, dataclasses, tomllib, re, pathlib, datetime, functools, types, "
    "collections.abc, typing"
)
TIMER = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
AIM, ROUNDS = 1.5, 40


def seconds(code: str) -> float:
    """How long one fresh interpreter takes to run the code, without its own start."""
    command = [sys.executable, "-c", TIMER.format(code)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Measure both by turns, so that a busy machine slows both, and print the ratio."""
    times: dict[str, list[float]] = {COURSE: [], BASE: []}
    for _ in range(ROUNDS):
        for code, found in times.items():
            found.append(seconds(code))
    course, base = min(times[COURSE]), min(times[BASE])
    print(
        f"import cost: course {course * 1000:.1f} ms, netaddr and standard modules "
        f"{base * 1000:.1f} ms, ratio {course / base:.2f} (aim: at most {AIM})"
    )
