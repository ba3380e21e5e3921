"""JupyterLab as `make lab` serves it, in a headless Chromium that may not leave the machine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from course.progress import FILE_NAME
from tests.browser.serving import CHROMIUM, Notebook, browsing, copy_course, serving

LOOPBACK = re.compile(r"(https?|wss?)://(127\.0\.0\.1|localhost)[:/]|data:|blob:|about:")
# nobody can read it: the check of accessibility has to find it
BAD_OUTPUT = """
from IPython.display import HTML
HTML('<p style="color:#999;background:#fff">grey on white</p><input>')
"""
# tells what a field says, and which threads have heard of it
HEARD = """
import threading
import ipywidgets

field, told, threads = ipywidgets.Text(description="Field"), ipywidgets.HTML(), set()


def hear(change):
    threads.add(threading.current_thread().name)
    told.value = f"{change.new} heard by {', '.join(threads)}"


field.observe(hear, names="value")
ipywidgets.VBox([field, told])
"""
# the live lab, with all that shows it
LIVE = {
    "open": """
from course.laboratory import Lab
from course.predict import outcomes
from course.scenarios import *
from course.trace import Flow
from course.views import *

display(begin("05"))
lab = Lab(small_cluster("overlay"), plugins=False)
lab
""",
    "same": """
seen = lab.observe(SCENARIOS["to a NodePort, Cluster"].flow(lab.world))
show_comparison(lab.compare(seen))
""",
    "hosts": "%%lab --timeout 1 node1,web-1\nip -br addr show eth0\nfrobnicate\nsleep 60",
    "spread": """
flow = SCENARIOS["to a NodePort, Cluster"].flow(lab.world)
show_spread(lab.observe_many(flow, 40), outcomes(lab.world, flow))
""",
    "other": """
lab.run("node1", "ip route del default")
show_comparison(lab.compare(lab.observe(SCENARIOS["to a VM"].flow(lab.world))))
""",
    "unknown": "%lab web-9 ip route",  # last: it stops the rest
}
expect.set_options(timeout=15_000)


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """The learner's home folder."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def lab(tmp_path_factory, home, chromium):
    """The address of a JupyterLab that serves a fresh personal copy of the course."""
    root = tmp_path_factory.mktemp("course")
    copy = copy_course(root)
    plant(copy, "planted.ipynb", bad=BAD_OUTPUT)
    plant(copy, "heard.ipynb", heard=HEARD)
    plant(copy, "live.ipynb", **LIVE)
    with serving(root, home) as url:
        yield url


def plant(copy: Path, name: str, **sources: str) -> None:
    """Add a notebook of code cells, by their ids, to a copy of the course."""
    notebook = json.loads((copy / "lessons" / "00-start.ipynb").read_text())
    code = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    notebook["cells"] = [code | {"id": each, "source": source} for each, source in sources.items()]
    (copy / name).write_text(json.dumps(notebook))


@pytest.fixture(scope="session")
def chromium():
    if not CHROMIUM:
        pytest.skip("no Chromium: sudo apt install chromium")
    with browsing() as browser:
        yield browser


@pytest.fixture
def notebook(lab, chromium, home):
    """Opens a notebook of the personal copy for a learner who has answered nothing so far.

    Afterwards: nothing was asked of another machine.
    """
    (home / "aks-networking-course" / FILE_NAME).unlink(missing_ok=True)
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
    page.set_default_timeout(60_000)  # of a busy machine
    yield lambda file: Notebook(page, lab, file)
    try:  # else the next one finds a kernel whose widgets are restored while its cells run
        page.evaluate("() => window.jupyterapp?.serviceManager.sessions.shutdownAll()")
    finally:
        context.close()
    assert left == [], "requests left the machine"
