"""Namespaces of our own, and the agent in them: started, asked, ended.

The network namespaces of a lab, and everything that happens in them, belong to one process, the
agent (course.lab.agent). Here is the other end: a method for each thing that it can do. No root is
needed: a user who may make user namespaces is root in their own. Whether one may is tried.

When a lab is closed, or its Python process dies in whatever way, the kernel takes all of it away.
"""

from __future__ import annotations

import functools
import json
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from course.errors import InputError
from course.lab.probe.namespaces import in_namespaces
from course.lab.probe.refusals import surroundings
from course.lab.probe.verdicts import namespaces_verdict

AGENT = (
    f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r}); "
    "from course.lab.agent.serving import main; main()"
)
PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
PATIENCE = 60.0  # seconds for an answer of the agent, beyond what a command may take


class LabError(RuntimeError):
    """The lab could not do something; the message holds what the tool said."""


@dataclass(frozen=True)
class Command:
    """A command to run on a host, or beside all hosts. `given` is its standard input.

    `most` is how many bytes of what it prints are handed on; with more, it is stopped. 0 is all.
    """

    words: Sequence[str]
    host: str = ""
    given: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 30.0  # seconds
    most: int = 0


@dataclass(frozen=True)
class Output:
    """What a command came to: its exit code, what it printed, whether its time was up, and whether
    it was cut short because it printed too much."""

    code: int
    out: str
    err: str
    late: bool = False
    cut: bool = False

    def __str__(self) -> str:
        return self.out + self.err


class Namespaces:
    """Fresh namespaces with an agent in them. Close them, or use `with`.

    Raises InputError where namespaces cannot be made, with the way out.
    """

    def __init__(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        # a session of its own: Ctrl-C in a terminal is for the notebook, not for the lab
        self._process = subprocess.Popen(
            [*_unshare(), sys.executable, "-I", "-c", AGENT],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
            env={**os.environ, "PATH": PATH, "LC_ALL": "C"}, start_new_session=True,
        )  # fmt: skip
        # also when nobody holds it any more, and when Python ends
        self._end = weakref.finalize(self, _end, self._process, self._errors)
        _OPEN.add(self)
        self._rest = bytearray()
        self._asked = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Namespaces:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The process that started the agent and dies with it."""
        return self._process.pid

    def close(self) -> None:
        """End the agent; everything in its namespaces goes with it. May be called twice."""
        self._end()

    @property
    def closed(self) -> bool:
        """Whether the agent has ended, in whatever way."""
        return not self._end.alive or self._process.poll() is not None

    def make(self, hosts: Mapping[str, Mapping[str, object]]) -> None:
        """Make a network namespace for each host, with settings (by path below /proc/sys)."""
        self._ask("make", hosts=hosts)

    def unmake(self, hosts: Iterable[str]) -> None:
        """Take hosts away, with all that is in them."""
        self._ask("unmake", hosts=[*hosts])

    def set(self, hosts: Mapping[str, Mapping[str, object]]) -> None:
        """Write settings of hosts."""
        self._ask("set", hosts=hosts)

    def get(self, host: str, paths: Sequence[str]) -> dict[str, int]:
        """Settings of a host, by path below /proc/sys; without those that it has not."""
        values = self._ask("get", host=host, paths=[*paths])
        return {path: value for path, value in zip(paths, values, strict=True) if value is not None}

    def connections(self) -> dict[str, int]:
        """How many connections each host remembers, of those that are there and keep count."""
        found: dict[str, int] = self._ask("connections")
        return found

    def place(self, files: Mapping[str, str], host: str = "") -> None:
        """Write files that stand on a host, by path; or, without one, programs below /run."""
        self._ask("place", files={**files}, host=host)

    def serve(self, hosts: Mapping[str, Iterable[tuple[str, str, int]]]) -> None:
        """Have these sockets of hosts answer, (protocol, address, port), and no others."""
        self._ask("serve", hosts={name: list(each) for name, each in hosts.items()})

    def send(self, **flow: object) -> Any:
        """Send a flow; see do_send of the agent for what it tells."""
        return self._ask("send", **flow)

    def run(self, *commands: Command) -> list[Output]:
        """Run commands side by side. One who interrupts this (Ctrl-C) has them stopped."""
        jobs = [
            {
                "command": [*each.words], "host": each.host, "given": each.given,
                "timeout": each.timeout, "env": {**each.env}, "most": each.most,
            }
            for each in commands
        ]  # fmt: skip
        longest = max((each.timeout for each in commands), default=0)
        return [Output(**one) for one in self._ask("run", patience=longest, jobs=jobs)]

    def must(self, *commands: Command) -> list[str]:
        """What commands print that have to succeed. Raises LabError with what one said."""
        outputs = self.run(*commands)
        for command, output in zip(commands, outputs, strict=True):
            if output.code:
                raise LabError(_failed(command, output))
        return [output.out for output in outputs]

    def _ask(self, what: str, /, **fields: object) -> Any:
        """An answer of the agent. `patience` is how many seconds more it may take."""
        longer = float(str(fields.pop("patience", 0)))
        with self._lock:
            try:
                self._request(what, fields)
                answer = self._answer(time.monotonic() + PATIENCE + longer)
            except (OSError, ValueError, EOFError) as error:
                words = f"The lab has ended: make another one. {self._last_words()}"
                raise LabError(words.strip()) from error
            except KeyboardInterrupt:
                with suppress(OSError, ValueError):
                    self._request("stop", {})  # nobody will look at the answer to either
                raise
        if "error" in answer:
            raise LabError(answer["error"])
        return answer["ok"]

    def _request(self, what: str, fields: Mapping[str, object]) -> None:
        self._asked += 1
        line = json.dumps({"id": self._asked, "do": what, **fields}) + "\n"
        self._process.stdin.write(line.encode())  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]

    def _answer(self, deadline: float) -> dict[str, Any]:
        """The answer to the last request; answers to earlier ones that nobody waits for go."""
        output = self._process.stdout.fileno()  # type: ignore[union-attr]
        while True:
            looked_at = 0
            while (end := self._rest.find(b"\n", looked_at)) < 0:
                looked_at = len(self._rest)
                left = deadline - time.monotonic()
                if left <= 0 or not select.select([output], [], [], left)[0]:
                    raise LabError("The lab does not answer. Close it, and make another one.")
                if not (read := os.read(output, 1 << 20)):
                    raise EOFError
                self._rest += read
            answer: dict[str, Any] = json.loads(self._rest[:end])
            del self._rest[: end + 1]
            if answer["id"] == self._asked:
                return answer

    def _last_words(self) -> str:
        with suppress(ValueError, OSError):
            self._errors.seek(0)
            return self._errors.read().decode(errors="replace").strip()
        return ""


_OPEN: weakref.WeakSet[Namespaces] = weakref.WeakSet()


def _leave_to_parent() -> None:
    """A fork of this process has no lab: it would hold the agent's input, which then never ends."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for each in _OPEN:
        each._end.detach()
        for pipe in (each._process.stdin, each._process.stdout):
            with suppress(ValueError):  # it is closed already
                os.dup2(nothing, pipe.fileno())  # type: ignore[union-attr]
    os.close(nothing)


os.register_at_fork(after_in_child=_leave_to_parent)


def _end(process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
    """End an agent: it ends when its input does."""
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            pipe.close()  # type: ignore[union-attr]
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()  # and the agent with it
        process.wait()
    errors.close()


def _failed(command: Command, output: Output) -> str:
    words = " ".join(command.words)
    where = f" on {command.host}" if command.host else ""
    if output.late:
        return f"{words}{where} did not end within {command.timeout:g} seconds."
    return f"{words}{where} failed: {str(output).strip() or output.code}"


@functools.cache
def _unshare() -> tuple[str, ...]:
    """The command that makes namespaces: as who we are, or as root of our own."""
    unshare, ran = in_namespaces("true")
    verdict = namespaces_verdict(ran, surroundings())
    if verdict.state != "works":
        raise InputError("live lab", f"cannot run here: {verdict.says}", verdict.fix)
    return unshare
