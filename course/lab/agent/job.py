"""A command while it runs, bounded in time and in what it writes."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from course.lab.agent.kernel import keep_orphans, move_in, namespace

LARGEST = 16 << 20  # bytes of any file that a bounded command writes: the kernel stops it there


class Job:
    """A command while it runs. `host` is where; without it, in none. `most` is how many bytes of
    what it prints are handed on; once it has printed more, it is stopped. 0 is no bound."""

    def __init__(
        self, command: list[str], host: str = "", given: str = "", timeout: float = 10,
        env: dict[str, str] | None = None, most: int = 0,
    ) -> None:  # fmt: skip
        if host:
            namespace(host)
        self.files = [tempfile.TemporaryFile(dir="/run") for _ in range(3)]  # noqa: SIM115
        self.files[0].write(given.encode())
        self.files[0].seek(0)
        self.deadline = time.monotonic() + timeout
        self.host, self.most = host, most
        self.code: int | None = None
        self.late = self.stopped = False
        environment = {**os.environ, **(env or {})}
        program = shutil.which(command[0], path=environment["PATH"])
        if program is None:
            self.pid, self.code = 0, 127
            self.files[2].write(f"{command[0]}: command not found".encode())
            return
        self.process = subprocess.Popen(
            command, executable=program, env=environment, start_new_session=True,
            stdin=self.files[0], stdout=self.files[1], stderr=self.files[2],
            preexec_fn=self.settle,
        )  # fmt: skip
        self.pid = self.process.pid

    def settle(self) -> None:
        """What a new process does before it becomes the command."""
        keep_orphans()
        if self.most:
            resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, LARGEST))
        move_in(self.host)

    def over(self, ended: dict[int, int]) -> bool:
        """Whether it has ended; when its time is up, or it prints too much, it is made to."""
        if self.code is None and self.pid in ended:
            self.code = self.process.returncode = ended.pop(self.pid)
        elif self.code is None and not self.stopped:
            self.late = time.monotonic() > self.deadline
            if self.late or self.too_much:
                self.stop()
        return self.code is not None

    @property
    def too_much(self) -> bool:
        """Whether it has printed more than is handed on."""
        return bool(self.most) and any(
            os.fstat(file.fileno()).st_size > self.most for file in self.files[1:]
        )

    def stop(self) -> None:
        """End it with all that it started, in whatever session that is now."""
        if self.code is not None or self.stopped:
            return
        self.stopped = True
        kill(self.pid, signal.SIGSTOP)  # it starts nothing more, and keeps its orphans
        for _ in range(1000):  # one may have been just about to start another one
            if not (left := list(descendants(self.pid))):
                break
            for each in left:
                kill(each)
            time.sleep(0.001)
        kill(self.pid)

    def result(self) -> dict[str, Any]:
        """How it ended, and what it said."""
        cut, texts = self.too_much, []
        for file in self.files[1:]:
            file.seek(0)
            texts.append(file.read(self.most or -1).decode(errors="replace"))
        for file in self.files:
            file.close()
        return {
            "code": self.code, "out": texts[0], "err": texts[1], "late": self.late, "cut": cut,
        }  # fmt: skip


def kill(pid: int, by: int = signal.SIGKILL) -> None:
    """Send a signal, SIGKILL or another one, unless the process has ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, by)


def descendants(pid: int) -> Iterator[int]:
    """The processes that a process started, and those that they did, unless they have ended."""
    parents: dict[int, int] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = file.read_text().rpartition(")")[2].split()[:2]
            if state not in "ZX":
                parents[int(file.parent.name)] = int(parent)
    for each in parents:
        above = parents[each]
        while above in parents and above != pid:
            above = parents[above]
        if above == pid:
            yield each
