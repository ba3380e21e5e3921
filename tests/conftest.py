"""What all tests share."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOT_BUILT = "not built yet"


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path_factory, monkeypatch):
    """No test reads or writes the progress of the person who runs it."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(folder))
    return folder


def pytest_xdist_auto_num_workers() -> int:
    """One more than processors: much of a test is waiting for packets that never come."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """In CI, what could not run has failed: only what the course has not built may be skipped."""
    report = yield
    if report.skipped and os.environ.get("CI") and NOT_BUILT not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report
