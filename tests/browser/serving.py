"""JupyterLab as `make lab` serves it, in a headless Chromium: for the tests and the benchmarks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from course import commands, personal_copy
from tests.conftest import ROOT, free_port

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def copy_course(root: Path) -> Path:
    """Lay a course out in an empty folder; returns the learner's copy in it."""
    for name in ("lessons", "exercises", "solutions", "reference"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    personal_copy.update(root)
    return root / personal_copy.COPY


@contextmanager
def serving(root: Path, home: Path, *more: str) -> Iterator[str]:
    """The address of a JupyterLab that serves the learner's copy of a course.

    `more` are further words for JupyterLab.
    """
    port = free_port()
    words = [
        "--no-browser",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--IdentityProvider.token=",
        "--LabApp.expose_app_in_browser=True",  # so that a test can ask JupyterLab itself
        *more,
    ]
    environment = os.environ | {
        "HOME": str(home),
        "XDG_DATA_HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(every_cell_attached(home / "settings")),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
    }
    log = (home / "lab.log").open("w")
    server = subprocess.Popen(
        commands.lab_command(root, words), cwd=root, env=environment, stdout=log, stderr=log,
        start_new_session=True,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}/api", server, home / "lab.log")
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=20)


@contextmanager
def browsing() -> Iterator:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


def every_cell_attached(settings: Path) -> Path:
    """A learner's browser leaves cells out of sight undrawn; a test wants to see them all."""
    file = settings / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"windowingMode": "none"}))
    return settings


def wait_for(url: str, server: subprocess.Popen, log: Path) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            assert server.poll() is None, log.read_text()
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"JupyterLab did not start: {log.read_text()}")


class Notebook:
    """A notebook that is open in JupyterLab."""

    def __init__(self, page, lab: str, file: str) -> None:
        self.page = page
        page.goto(f"{lab}/lab/tree/{file}?reset")
        page.wait_for_function(
            """file => {
                const widget = window.jupyterapp?.shell?.currentWidget;
                return widget?.context?.path === file && widget.context.isReady
                    && widget.sessionContext.isReady
                    && widget.sessionContext.session?.kernel?.status === 'idle';
            }""",
            arg=file,
        )

    def run_all(self) -> None:
        """Run every cell and wait until each has run and every widget of it is there."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.page.wait_for_function(
            """() => {
                const widget = window.jupyterapp.shell.currentWidget;
                const cells = [...widget.content.widgets].filter(c => c.model.type === 'code');
                return cells.every(c => c.model.executionCount !== null)
                    && widget.sessionContext.session.kernel.status === 'idle';
            }""",
            timeout=120_000,
        )
        self.page.wait_for_function(
            "() => !document.body.innerText.includes('Loading widget...')", timeout=30_000
        )

    def run(self, cell_id: str) -> None:
        """Run the cell with this id, and wait until it has run."""
        self.page.evaluate(
            """async id => {
                const { content } = window.jupyterapp.shell.currentWidget;
                content.activeCellIndex = content.widgets.findIndex(c => c.model.id === id);
                await window.jupyterapp.commands.execute('notebook:run-cell');
            }""",
            cell_id,
        )

    def output(self, cell_id: str):
        """The output of the cell with this id."""
        index = self.page.evaluate(
            """id => window.jupyterapp.shell.currentWidget.content.widgets
                .findIndex(c => c.model.id === id)""",
            cell_id,
        )
        assert index >= 0, f"no cell {cell_id}"
        cell = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell").nth(index)
        return cell.locator(".jp-OutputArea-output").first

    def errors(self) -> list[str]:
        """The tracebacks that are shown."""
        return self.page.evaluate(
            """() => window.jupyterapp.shell.currentWidget.content.widgets
                .filter(c => c.model.type === 'code')
                .flatMap(c => c.model.outputs.toJSON())
                .filter(o => o.output_type === 'error').map(o => o.ename + ': ' + o.evalue)"""
        )

    def violations(self) -> list[str]:
        """What axe-core finds in the outputs, colour contrast included."""
        # JupyterLab puts everything in a box of height 0: axe would take all of it for hidden
        self.page.add_style_tag(content=".jp-ThemedContainer { height: 100vh; }")
        result = Axe().run(self.page, context={"include": [[".jp-OutputArea-output"]]}).response
        return [
            f"{violation['id']}: {node['html'][:200]}"
            for violation in result["violations"]
            for node in violation["nodes"]
        ]
