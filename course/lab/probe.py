"""Whether the live lab can run on this machine: each thing it needs is tried, not guessed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from course.machine import Check, Ran, install, run, which

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


def live_lab_checks() -> tuple[tuple[str, Callable[[], Check]], ...]:
    """The parts to examine, by name."""
    if sys.platform != "linux":
        return (("Live lab", lambda: other_system_verdict(sys.platform)),)
    return (
        ("Live lab: namespaces", namespaces_check),
        ("Live lab: programs", tools_check),
        ("Live lab: CNI plugins", plugins_check),
        ("Live lab: bridges", bridges_check),
    )


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
    if not (unshare := which("unshare")):
        fix = install(TOOLS["unshare"])
        return Check("Live lab: namespaces", "limited", f"unshare is missing. {NOT_NEEDED}", fix)
    ran = run(unshare, *NAMESPACES)
    if ran.returncode != 0:
        ran = run(unshare, "--user", "--map-root-user", *NAMESPACES)
    return namespaces_verdict(ran)


def namespaces_verdict(ran: Ran) -> Check:
    """From what became of `unshare`: whether namespaces can be made, or why not.

    >>> namespaces_verdict(Ran(1, "unshare: unshare failed: No space left on device")).says
    'User namespaces are switched off: user.max_user_namespaces is 0. No lesson needs it yet.'
    """
    name = "Live lab: namespaces"
    if ran.returncode == 0:
        return Check(name, "works", f"network namespaces can be made. {NOT_NEEDED}")
    for said, cause, fix in REFUSALS:
        if said in ran.output:
            return Check(name, "limited", f"{cause} {NOT_NEEDED}", fix)
    return Check(name, "limited", f"none can be made: {ran.output}. {NOT_NEEDED}")


def tools_check() -> Check:
    """Whether the programs that set up networks are there."""
    name, missing = "Live lab: programs", [tool for tool in TOOLS if not which(tool)]
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
