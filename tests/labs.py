"""What the tests of the live lab share."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from course.lab.probe.kernel import measured
from course.lab.probe.readiness import readiness
from tests.conftest import ROOT

LIVE = [
    pytest.mark.lab,
    pytest.mark.skipif(not readiness().can_run, reason=readiness().why_not or "it can run"),
]
AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="this is an ordinary user already")
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def by_an_ordinary_user(code, *arguments):
    """What becomes of Python code that an ordinary user runs; the first argument is a folder with
    a copy of the course. Only root may ask."""
    packages = [path for path in sys.path if path.endswith("site-packages")]
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        shutil.copytree(
            ROOT / "course", Path(folder) / "course", ignore=shutil.ignore_patterns("__pycache__")
        )
        venv = [_python_for_anybody(), "-m", "venv", "--without-pip", f"{folder}/venv"]
        subprocess.run(venv, check=True)
        (own,) = Path(folder).glob("venv/lib/*/site-packages")
        (own / "all.pth").write_text("\n".join(packages))
        python = [f"{folder}/venv/bin/python", "-B", "-c", code, folder]
        return subprocess.run(
            [*NOBODY, *python, *arguments], cwd=folder, env={**os.environ, "HOME": folder},
            text=True, capture_output=True, timeout=120, check=False,
        )  # fmt: skip


def _python_for_anybody():
    """A Python that an ordinary user may start; root's may lie in a folder of root's."""
    for python in (sys.executable, "/usr/bin/python3"):
        tried = [*NOBODY, "sh", "-c", f"{python} -c 'import tomllib'"]
        if subprocess.run(tried, capture_output=True, check=False).returncode == 0:
            return python
    return pytest.skip("an ordinary user may start no Python here")


def as_predicted(lab, flow):
    """What was seen of a flow, once it was found to be what was predicted."""
    seen = lab.observe(flow)
    found = lab.compare(seen)
    assert found.equal, "\n".join((str(flow), *found.differences, seen.explain()))
    trace = found.prediction.trace
    assert trace == seen
    assert trace.server == seen.server, str(flow)
    if flow.protocol != "icmp":  # no program gets a ping, and no wire sees one that is translated
        assert trace.delivered == seen.delivered, str(flow)
    return seen


@functools.cache
def bends_promiscuous_bridges():
    """Whether a promiscuous bridge lets a pod reach itself, hairpin or not, as older kernels do.

    The World knows of no such thing, and nobody is graded on it.
    """
    return any(each.setting and each.arrives["promiscuous"] for each in measured().bridging)
