"""JupyterLab as `make lab` serves it, in a headless Chromium that may not leave the machine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.serving import CHROMIUM, Notebook, browsing, copy_course, serving

LOOPBACK = re.compile(r"(https?|wss?)://(127\.0\.0\.1|localhost)[:/]|data:|blob:|about:")
expect.set_options(timeout=15_000)


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """The address of a JupyterLab that serves a fresh personal copy of the course."""
    if not CHROMIUM:
        pytest.skip("no Chromium: sudo apt install chromium")
    root = tmp_path_factory.mktemp("course")
    add_a_bad_output(copy_course(root))
    with serving(root, tmp_path_factory.mktemp("home")) as url:
        yield url


def add_a_bad_output(copy: Path) -> None:
    """A notebook whose output nobody can read, to see that the check of accessibility bites."""
    notebook = json.loads((copy / "lessons" / "00-start.ipynb").read_text())
    bad = '<p style="color:#999;background:#fff">grey on white</p><input>'
    source = f"from IPython.display import HTML\nHTML({bad!r})"
    cell = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    notebook["cells"] = [cell | {"source": source}]
    (copy / "planted.ipynb").write_text(json.dumps(notebook))


@pytest.fixture(scope="session")
def chromium(lab):
    with browsing() as browser:
        yield browser


@pytest.fixture
def notebook(lab, chromium):
    """Opens a notebook of the personal copy. Afterwards: nothing was asked of another machine."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    left = []

    def guard(route):
        if LOOPBACK.match(route.request.url):
            route.continue_()
        else:
            left.append(route.request.url)
            route.abort()

    context.route("**/*", guard)
    context.route_web_socket(lambda url: not LOOPBACK.match(url), lambda ws: left.append(ws.url))
    page = context.new_page()
    page.set_default_timeout(30_000)
    yield lambda file: Notebook(page, lab, file)
    context.close()
    assert left == [], "requests left the machine"
