"""Workers on this machine: threads, and the one zygote of this process that makes their kernels.

It imports nothing of nbgrader, so that the zygote gets warm while the grader is still starting.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

from course import sandbox
from course.errors import InputError
from course.grading.warm import Zygote

_lock = threading.Lock()
_zygotes: list[Zygote] = []  # one, or none yet


@contextmanager
def local(workers: int) -> Iterator[Executor]:
    """So many workers. Raises InputError where this machine cannot make sandboxes."""
    if why := sandbox.why_not():
        raise InputError("bwrap", "cannot protect you here.", why)
    try:
        zygote()
        with ThreadPoolExecutor(workers, thread_name_prefix="grading") as pool:
            yield pool
    finally:
        close()


def zygote() -> Zygote:
    """The one of this process; started when it is first asked for. Raises SandboxError."""
    with _lock:
        if not _zygotes:
            _zygotes.append(Zygote())
        return _zygotes[0]


def forget(gone: Zygote) -> None:
    """Start another one next time."""
    with _lock:
        if gone in _zygotes:
            _zygotes.remove(gone)
            gone.close()


def close() -> None:
    """End it."""
    while _zygotes:
        _zygotes.pop().close()
