"""Sandboxed kernels for nbgrader's own commands: a kernel provisioner of jupyter_client.

`nbgrader_config.py` names the kernel, its kernel.json names this provisioner. The kernel is
Jupyter's own, and is spoken to over sockets in a folder that it shares with nobody else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Bool

from course import sandbox
from course.grading.limits import Limits
from course.grading.processes import Processes

HANDED_IN = "/handed-in"
# the files are copied inside: what the kernel writes stays in the sandbox, and is limited there
COPY = f'cp -r {HANDED_IN}/. "$HOME" && cd "$HOME" && exec "$@"'
REFUSED = (
    "Student code is not run without a sandbox. {why} To run it with all your rights all the same, "
    "set c.SandboxProvisioner.unprotected = True in nbgrader_config.py."
)


class SandboxProvisioner(LocalProvisioner):
    """Starts kernels in a sandbox of bubblewrap.

    Where none can be made, a learner's own Validate gets a plain kernel, and grading is refused.
    """

    unprotected = Bool(
        False, help="Grade without a sandbox where none can be made: student code then runs as you."
    ).tag(config=True)

    _folder: Path | None = None
    _watch: Processes | None = None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Put the kernel's command into a sandbox. Raises RuntimeError where none can be made."""
        why = sandbox.why_not()
        if why and not self.unprotected and not os.environ.get("NBGRADER_VALIDATING"):
            raise RuntimeError(REFUSED.format(why=why))
        if why:
            return await super().pre_launch(**kwargs)
        folder = self._folder = self._folder or Path(tempfile.mkdtemp(prefix="aks-"))
        manager: Any = self.parent
        manager.transport, manager.ip = "ipc", str(folder / "k")
        manager.cache_ports = False
        kwargs = await super().pre_launch(**kwargs)
        shutil.copy(manager.connection_file, folder / "kernel.json")
        _copy_files(Path(kwargs.get("cwd") or "."), folder / "files")
        if os.getuid() == 0:
            for each in (folder, folder / "kernel.json"):
                os.chown(each, sandbox.NOBODY, sandbox.NOBODY)
        connection = str(folder / "kernel.json")
        words = [connection if each == manager.connection_file else each for each in kwargs["cmd"]]
        binds = ["--bind", str(folder), str(folder)]
        binds += ["--ro-bind", str(folder / "files"), HANDED_IN]
        program = ["sh", "-c", COPY, "sh", *_limited(words)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return kwargs | quiet | {"cmd": sandbox.command(*program, options=binds)}

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start it, and watch from now on what it takes."""
        info = await super().launch_kernel(cmd, **kwargs)
        if self._folder and self.pid:
            self._watch = Processes.started_by(self.pid, Limits())
        return info

    async def poll(self) -> int | None:
        """Whether it has ended; one that takes too much is ended here."""
        if self._watch and self._watch.exceeded():
            self.log.error("The kernel took more memory or wrote more than a submission may.")
            await self.kill()
        ended: int | None = await super().poll()
        return ended

    async def cleanup(self, restart: bool = False) -> None:
        """Remove its folder."""
        await super().cleanup(restart)
        if self._folder and not restart:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _copy_files(source: Path, target: Path) -> None:
    """What lies beside a notebook, for the sandbox: plain files only, and links to nowhere."""
    target.mkdir(mode=0o755, exist_ok=True)
    left = Limits().handed_in
    for folder, names, files in os.walk(source):
        place = target / Path(folder).relative_to(source)
        names[:] = [each for each in names if not (Path(folder) / each).is_symlink()]
        place.mkdir(mode=0o755, exist_ok=True)
        for each in (Path(folder) / name for name in files if not name.endswith(".ipynb")):
            if each.is_symlink() or not each.is_file():
                continue
            left -= each.stat().st_size
            if left < 0:
                raise RuntimeError("The files beside the notebook are too large for a sandbox.")
            shutil.copyfile(each, place / each.name)


def _limited(words: list[str]) -> list[str]:
    """A command under the limits of one process."""
    limits = Limits()
    given = {
        "as": limits.memory,
        "cpu": limits.cpu_seconds,
        "fsize": limits.disk,
        "nofile": limits.files,
        "nproc": limits.processes,
        "core": 0,
    }
    return ["prlimit", *(f"--{name}={value}" for name, value in given.items()), *words]
