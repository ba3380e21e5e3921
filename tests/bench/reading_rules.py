"""Reading rules into `course.linux`: those of 10,000 Services with 10 endpoints each, against the
real `iptables-restore --test` (nft) of the same text, and against those of 1,000. The most memory
that reading took is told, the text included."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from course.kubeproxy import full_sync
from course.linux.ruleset import parse
from tests.bench.kubeproxy_rules import FEW, MANY, RESTORE, cluster, reading

ROUNDS = 3


def fresh(call: str) -> str:
    """What a call of this module prints in an interpreter of its own, which remembers no rule."""
    code = f"from tests.bench import reading_rules as bench; bench.{call}"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def write(services: int, file: str) -> None:
    """The rules of so many Services into a file."""
    Path(file).write_text(full_sync(cluster(services)).text())


def read(file: str) -> None:
    """Print the seconds that reading took, and by how many MB the peak of this process rose."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    text = Path(file).read_text()
    start = time.perf_counter()
    parse(text)
    seconds = time.perf_counter() - start
    print(seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def main() -> None:
    """Measure all by turns, so that a busy machine slows all, and print the ratios."""
    turns, restored, memory = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        many, few = (str(Path(folder, str(services))) for services in (MANY, FEW))
        fresh(f"write({MANY}, {many!r})")
        fresh(f"write({FEW}, {few!r})")
        for _ in range(ROUNDS):
            large, small = (fresh(f"read({file!r})").split() for file in (many, few))
            turns.append((float(large[0]), float(small[0])))
            memory.append(float(large[1]))
            restored.append(reading(Path(many).read_text()))
    large_best, small_best = (min(times) for times in zip(*turns, strict=True))
    print(
        f"reading rules: those of {MANY:,} Services in {large_best:.2f} s, a tenth of the Services "
        f"in {small_best:.2f} s, ratio {large_best / small_best:.1f}; {max(memory):.0f} MB"
    )
    seconds = [each for each in restored if each is not None]
    if seconds:
        print(
            f"reading rules: {RESTORE} --test reads them in {min(seconds):.2f} s, "
            f"ratio {large_best / min(seconds):.2f}"
        )
