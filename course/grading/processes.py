"""What the processes of a sandbox take together: a limit of each does not bound all of them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress

from course.grading.limits import Limits

EVERY = 0.5  # seconds between two looks


class Processes:
    """All processes of one sandbox, by their process namespace."""

    def __init__(self, namespace: str, limits: Limits) -> None:
        self._namespace, self._limits = namespace, limits
        self._parent = 0
        self._next = time.monotonic() + EVERY

    @classmethod
    def of(cls, descriptor: int, limits: Limits) -> Processes:
        """Those in the namespace of the process that a pidfd stands for."""
        with open(f"/proc/self/fdinfo/{descriptor}") as lines:
            found = dict(line.split(":", 1) for line in lines)
        return cls(_namespace(int(found["Pid"])), limits)

    @classmethod
    def started_by(cls, parent: int, limits: Limits) -> Processes:
        """Those in the first other namespace that a process and its children start."""
        found = cls("", limits)
        found._parent = parent
        return found

    def exceeded(self) -> bool:
        """Whether they take more memory, or have written more, than a submission may.

        Looks twice a second at most: a kernel that ends sooner cannot take much.
        """
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + EVERY
        if not self._namespace and self._parent:
            self._namespace = _entered_below(self._parent)
        if not self._namespace:
            return False
        pids = [pid for pid in _all() if _namespace(pid) == self._namespace]
        most = self._limits.memory  # what forks share counts once, which takes longer to find
        if sum(map(_resident, pids)) > most and sum(map(_proportional, pids)) > most:
            return True
        # what goes through sockets is more than what is shown: four times as much is too much
        return sum(map(_written, pids)) > 4 * self._limits.output + self._limits.disk


def _all() -> Iterator[int]:
    yield from map(int, filter(str.isdigit, os.listdir("/proc")))


def _namespace(pid: int) -> str:
    with suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/pid")
    return ""


def _entered_below(parent: int) -> str:
    """The process namespace, other than our own, of a descendant of a process."""
    parents = {pid: _parent(pid) for pid in _all()}
    below, grown = {parent}, True
    while grown:
        more = {pid for pid, above in parents.items() if above in below} - below
        grown = bool(more)
        below |= more
    others = {_namespace(pid) for pid in below} - {"", _namespace(os.getpid())}
    return min(others, default="")


def _parent(pid: int) -> int:
    with suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/stat") as line:
        return int(line.read().rpartition(")")[2].split()[1])
    return 0


def _resident(pid: int) -> int:
    """The bytes of memory that a process made, alone or with others; not of files it has open."""
    with suppress(OSError, ValueError, KeyError), open(f"/proc/{pid}/status") as lines:
        found = dict(line.split(":", 1) for line in lines)
        return 1024 * sum(int(found[each].split()[0]) for each in ("RssAnon", "RssShmem"))
    return 0


def _proportional(pid: int) -> int:
    """The bytes of memory of a process, less what others of its kind have too."""
    with suppress(OSError, ValueError, KeyError), open(f"/proc/{pid}/smaps_rollup") as lines:
        next(lines)
        return 1024 * int(dict(line.split(":", 1) for line in lines)["Pss"].split()[0])
    return _resident(pid)


def _written(pid: int) -> int:
    """The bytes that a process has written to anything, if we may know."""
    with suppress(OSError, ValueError, KeyError), open(f"/proc/{pid}/io") as lines:
        return int(dict(line.split(":", 1) for line in lines)["wchar"])
    return 0
