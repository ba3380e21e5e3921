"""A command while it runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from course.lab.agent.kernel import move_in


class Job:
    """A command while it runs. `host` is where; without it, in none."""

    def __init__(
        self, command: list[str], host: str = "", given: str = "", timeout: float = 10,
        env: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        if host and not Path(f"/run/netns/{host}").exists():
            raise FileNotFoundError(f"{host}: its network namespace was deleted.")
        self.files = [tempfile.TemporaryFile(dir="/run") for _ in range(3)]  # noqa: SIM115
        self.files[0].write(given.encode())
        self.files[0].seek(0)
        self.deadline = time.monotonic() + timeout
        self.code: int | None = None
        self.late = False
        environment = {**os.environ, **(env or {})}
        program = shutil.which(command[0], path=environment["PATH"])
        if program is None:
            self.pid, self.code = 0, 127
            self.files[2].write(f"{command[0]}: command not found".encode())
            return
        self.process = subprocess.Popen(
            command, executable=program, env=environment, start_new_session=True,
            stdin=self.files[0], stdout=self.files[1], stderr=self.files[2],
            preexec_fn=lambda: move_in(host),
        )  # fmt: skip
        self.pid = self.process.pid

    def over(self, ended: dict[int, int]) -> bool:
        """Whether it has ended; when its time is up it is made to, with all that it started."""
        if self.code is None and self.pid in ended:
            self.code = self.process.returncode = ended.pop(self.pid)
        elif self.code is None and not self.late and time.monotonic() > self.deadline:
            self.late = True
            os.killpg(self.pid, signal.SIGKILL)
        return self.code is not None

    def result(self) -> dict[str, Any]:
        """How it ended, and what it said."""
        texts = []
        for file in self.files[1:]:
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        for file in self.files:
            file.close()
        return {"code": self.code, "out": texts[0], "err": texts[1], "late": self.late}
