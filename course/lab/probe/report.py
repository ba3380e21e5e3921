"""What the doctor prints about the live lab."""

from __future__ import annotations

from course.lab.probe.kernel import kernel_checks, measured
from course.lab.probe.needs import EXTRAS
from course.lab.probe.readiness import Readiness, readiness
from course.lab.probe.verdicts import RECORDINGS, extras_verdict
from course.machine import Check, which


def live_lab_checks() -> tuple[Check, ...]:
    """Examine the live lab anew: a summary, its parts, and how this machine's kernel behaves."""
    ready = readiness(anew=True)
    if not ready.unshare:
        return (summary_verdict(ready), *ready.parts)
    missing = tuple(tool for tool in EXTRAS if not which(tool))
    return (summary_verdict(ready), *ready.parts, extras_verdict(missing), *kernel_lines())


def kernel_lines() -> tuple[Check, ...]:
    """How this kernel behaves; where it cannot be measured, that is no fault."""
    try:
        return kernel_checks(measured())
    except OSError as error:
        return (Check("This kernel", "works", f"its bridges cannot be measured: {error}"),)


def summary_verdict(ready: Readiness) -> Check:
    """The live lab in one line.

    >>> summary_verdict(Readiness((), ())).says
    'cannot run: lessons show recordings made on another machine instead.'
    """
    if not ready.can_run:
        return Check("Live lab", "limited", f"cannot run: {RECORDINGS}")
    return Check("Live lab", "works", f"runs {', '.join(ready.models)}")
