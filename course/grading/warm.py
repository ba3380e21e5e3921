"""A warm kernel as the grader sees it: orders one from a zygote, runs cells, interrupts, kills.

Everything that comes out of a sandbox is distrusted: messages are counted and may be of no other
form than they should have, and no wait is without an end.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from course import sandbox
from course.grading import frames
from course.grading.limits import Limits
from course.grading.processes import Processes

START_SECONDS, SEND_SECONDS = 60, 10
SLACK = 1024 * 1024  # a reply repeats the traceback of its cell
NONSENSE = "it sent what no kernel sends"
FORGED = "it forged the reply to its own cell"
ENDED = "its process ended in the middle of a cell"
# what is imported before the fork, beyond the kernel itself
PRELOADED = ("netaddr", "course.errors", "ipywidgets")


class SandboxError(RuntimeError):
    """No kernel could be made. It is not the submission's fault."""


class StoppedError(Exception):
    """The kernel is gone, or had to be stopped; the message says why, to the instructor."""


@dataclass
class Reply:
    """What came of one cell: its messages, and how it ended."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    content: dict[str, Any] = field(default_factory=dict)
    timed_out: bool = False


class Zygote:
    """A process in a sandbox, of which warm kernels are forked, for any number of threads.

    It is started and not waited for: the first kernel waits until it is warm.
    """

    def __init__(self) -> None:
        if why := sandbox.why_not():
            raise SandboxError(why)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        program = [sys.executable, "-m", "course.grading.zygote", str(theirs.fileno()), *PRELOADED]
        with theirs:
            self._process = subprocess.Popen(
                sandbox.command(*program, nested=True),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        self._control, self._asking, self._warm = ours, threading.Lock(), False
        self._said = ""
        ours.settimeout(START_SECONDS)

    def _wait(self) -> None:
        """Until it is warm. Raises SandboxError if it never is."""
        with self._asking:
            if self._warm:
                return
            with suppress(OSError):
                self._warm = self._control.recv(16) == b"ready"
            if not self._warm:
                raise SandboxError(f"No warm kernel could be made: {self._end()}")

    def is_gone(self) -> bool:
        """Whether it has ended: then its kernels have, too, whatever they did."""
        with suppress(OSError, ValueError):
            readable, _, _ = select.select([self._control], [], [], 0)
            return bool(readable)  # it says nothing after that it is warm: it is the end
        return True

    def close(self) -> None:
        """End it, with all kernels that were forked of it."""
        self._end()

    def _end(self) -> str:
        if self._process.returncode is None:
            self._control.close()
            os.killpg(self._process.pid, signal.SIGKILL)
            _, said = self._process.communicate()
            self._said = said.decode(errors="replace").strip()
        return self._said

    @contextmanager
    def kernel(self, limits: Limits, files: bytes = b"") -> Iterator[Kernel]:
        """A fresh kernel in a sandbox of its own, with files (a tar archive) in its folder.

        Raises SandboxError if none can be made.
        """
        self._wait()
        talk, theirs = socket.socketpair()
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        try:
            with theirs:
                order = [theirs.fileno(), out_end, err_end]
                socket.send_fds(self._control, [b"fork"], order)
        except OSError as error:
            raise SandboxError(f"The zygote is gone: {error}") from None
        finally:
            os.close(out_end)
            os.close(err_end)
        kernel = Kernel(talk, out, err, limits)
        try:
            kernel.start(files)
            yield kernel
        finally:
            kernel.close()


class Kernel:
    """A kernel in its own sandbox. It runs cells until it is closed or stopped."""

    def __init__(self, talk: socket.socket, out: int, err: int, limits: Limits) -> None:
        self._talk, self._pipes, self._limits = talk, {out: "stdout", err: "stderr"}, limits
        self._left = limits.output
        self._begun = time.monotonic()
        self._process: int | None = None
        self._watch: Processes | None = None
        self._buffer = bytearray()

    def start(self, files: bytes) -> None:
        """Wait for it, and hand over its limits and files. Raises SandboxError."""
        self._talk.settimeout(START_SECONDS)
        try:
            _, descriptors, _, _ = socket.recv_fds(self._talk, 1, 1)
            (self._process,) = descriptors
            self._watch = Processes.of(self._process, self._limits)
            for each in (self._talk.fileno(), *self._pipes):
                os.set_blocking(each, False)
            self._send(json.dumps({"limits": asdict(self._limits)}).encode())
            self._send(files)
            ready, _, _ = select.select([self._talk], [], [], START_SECONDS)
            if not ready or not self._messages():
                raise StoppedError("it does not answer")
        except (OSError, ValueError, StoppedError) as error:
            said = Reply()
            self._drain(said)
            raise SandboxError(f"No kernel could be forked: {error} {said.messages}") from None

    def run(self, source: str, graded: bool = False) -> Reply:
        """Run one cell. Raises StoppedError if the kernel does not survive it."""
        cell, nonce = secrets.token_hex(8), secrets.token_hex(8)
        order = {"cell": cell, "source": source, "graded": graded, "nonce": nonce}
        self._send(json.dumps(order).encode())
        reply = Reply()
        left = self._limits.total_seconds - (time.monotonic() - self._begun)
        ends = time.monotonic() + min(self._limits.cell_seconds, max(left, 0))
        while not reply.content:
            wait = ends - time.monotonic()
            if wait <= 0:
                if reply.timed_out:
                    raise StoppedError("it ran too long, and ignored the interrupt")
                reply.timed_out = True
                self._signal(signal.SIGINT)
                ends = time.monotonic() + self._limits.grace_seconds
                continue
            self._hear(reply, cell, nonce, min(wait, 0.25))
            if self._watch and self._watch.exceeded():
                raise StoppedError("it took more memory than a submission may")
        self._drain(reply)
        return reply

    def close(self) -> None:
        """Kill the kernel, and with it all that it started."""
        self._signal(signal.SIGKILL)
        for each in (*self._pipes, self._process):
            if each is not None:
                os.close(each)
        self._talk.close()

    def _signal(self, number: int) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, number)

    def _send(self, message: bytes) -> None:
        rest = memoryview(frames.framed(message))
        ends = time.monotonic() + SEND_SECONDS
        while rest:
            _, ready, _ = select.select([], [self._talk], [], max(0, ends - time.monotonic()))
            if not ready:
                raise StoppedError("it does not listen")
            try:
                rest = rest[os.write(self._talk.fileno(), rest) :]
            except OSError:
                raise StoppedError(ENDED) from None

    def _hear(self, reply: Reply, cell: str, nonce: str, wait: float) -> None:
        """Take what has come on any way. Raises StoppedError when too much has, or the end.

        What shows knows its cell, and student code may know it too; only a reply has the nonce.
        """
        ready, _, _ = select.select([self._talk.fileno(), *self._pipes], [], [], wait)
        for pipe in self._pipes:
            if pipe in ready:
                self._read_pipe(pipe, reply)
        for message in self._messages() if self._talk.fileno() in ready else ():
            if message["cell"] != cell:
                continue  # of a thread that an earlier cell has left behind
            if message["type"] != "reply":
                reply.messages.append(message)
            elif message["content"].get("nonce") != nonce:
                raise StoppedError(FORGED)
            else:
                reply.content = message["content"]

    def _messages(self) -> list[dict[str, Any]]:
        """The messages that are complete. Raises StoppedError for what is none, and at the end."""
        try:
            part = os.read(self._talk.fileno(), 1024 * 1024)
        except BlockingIOError:
            return []
        except OSError:
            part = b""
        if not part:
            raise StoppedError(ENDED)
        self._count(len(part))
        self._buffer += part
        if frames.announced(self._buffer) > self._left + SLACK:
            raise StoppedError(NONSENSE)
        return [_checked(each) for each in frames.taken(self._buffer)]

    def _read_pipe(self, pipe: int, reply: Reply) -> bool:
        with suppress(OSError):
            if text := os.read(pipe, 65536):
                self._count(len(text))
                content = {"name": self._pipes[pipe], "text": text.decode(errors="replace")}
                reply.messages.append({"type": "stream", "content": content, "metadata": {}})
                return True
        return False

    def _drain(self, reply: Reply) -> None:
        for pipe in self._pipes:
            while self._read_pipe(pipe, reply):
                pass

    def _count(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise StoppedError("it wrote more output than a submission may")


def _checked(message: bytes) -> dict[str, Any]:
    """A message in the form that messages have. Raises StoppedError for any other."""
    try:
        found = json.loads(message)
        right = (
            isinstance(found["cell"], str)
            and isinstance(found["type"], str)
            and isinstance(found["content"], dict)
            and isinstance(found["metadata"], dict)
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        right = False
    if not right:
        raise StoppedError(NONSENSE)
    return dict(found)
