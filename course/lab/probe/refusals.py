"""Why a machine refuses to make namespaces, told by what unshare says and by what is around us.

Sources: unshare(2), user_namespaces(7), namespaces(7); Docker's default seccomp profile
(moby/moby#43086); for Ubuntu since 23.10 its kernel.apparmor_restrict_unprivileged_userns.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from course.machine import Ran

CAP_SETFCAP = 31  # of linux/capability.h
KINDS = ("user", "net", "mnt", "pid")
DEBIAN = "kernel.unprivileged_userns_clone"
UBUNTU = "kernel.apparmor_restrict_unprivileged_userns"
LASTING = " (until the next start; a file in /etc/sysctl.d makes it last)"
FORBIDDEN = re.compile("Operation not permitted|Permission denied")
OUTSIDE = "Run the course outside the container, or start the container with --privileged."


@dataclass(frozen=True)
class Surroundings:
    """What is around the course. `seccomp` is None where nobody can tell.

    `poor_root` is whether we are root without CAP_SETFCAP, `switched_off` are settings (sysctl)
    that forbid namespaces.
    """

    seccomp: bool | None = None
    chroot: bool = False
    poor_root: bool = False
    switched_off: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refusal:
    """Why there are no namespaces, and what to do about it."""

    cause: str
    cure: str = ""


def surroundings(proc: Path = Path("/proc")) -> Surroundings:
    """What is around this process."""
    limits = {f"user.max_{kind}_namespaces": "0" for kind in KINDS}
    off = (
        name
        for name, value in (limits | {DEBIAN: "0", UBUNTU: "1"}).items()
        if _read(proc / "sys" / name.replace(".", "/")).strip() == value
    )
    mounts = [line.split()[4] for line in _read(proc / "self/mountinfo").splitlines()]
    status = dict(line.split(":", 1) for line in _read(proc / "self/status").splitlines())
    powers = int(status.get("CapEff", "f" * 16), 16)
    return Surroundings(
        int(status["Seccomp"]) > 0 if "Seccomp" in status else None,
        bool(mounts) and "/" not in mounts,
        os.geteuid() == 0 and not powers >> CAP_SETFCAP & 1,
        tuple(off),
    )


def refusal(ran: Ran, around: Surroundings) -> Refusal:
    """Why unshare failed.

    >>> refusal(Ran(1, "unshare: unshare failed: No space left on device"), Surroundings()).cause
    'A limit on namespaces is reached, perhaps one of a container around the course.'
    >>> refusal(Ran(1, "unshare: unshare failed: Operation not permitted"),
    ...         Surroundings(seccomp=False)).cause
    'The course runs in a chroot: nobody may make user namespaces there.'
    """
    said = ran.output
    if "write failed /proc/self/" in said:
        return _unmapped(around)
    if "propagation" in said or "mount /proc failed" in said:
        cause = f"A container or sandbox around the course forbids mounts: {said}."
        return Refusal(cause, OUTSIDE)
    if "No space left on device" in said:
        return _limited(around)
    if "failed to execute" not in said and FORBIDDEN.search(said):
        return _forbidden(around)
    if "Invalid argument" in said or "Function not implemented" in said:
        cause = f"The kernel is built without user or network namespaces: {said}."
        return Refusal(cause, "Run a kernel that has them, as that of every Debian or Ubuntu does.")
    last = said.rpartition("\n")[2]
    made = last.startswith("unshare:") or ran.returncode is None
    return Refusal(f"{'No namespaces can be made' if made else 'A trial in them fails'}: {last}.")


def _limited(around: Surroundings) -> Refusal:
    """ENOSPC: a limit is reached, mostly because it is 0."""
    zero = [name for name in around.switched_off if name.startswith("user.max_")]
    if not zero:
        cause = "A limit on namespaces is reached, perhaps one of a container around the course."
        return Refusal(cause, "sudo sysctl -a --pattern user.max_ shows the limits.")
    settings = " ".join(f"{name}=10000" for name in zero)
    cause = f"Namespaces are switched off: {' and '.join(zero)} is 0."
    return Refusal(cause, f"sudo sysctl {settings}{LASTING}")


def _forbidden(around: Surroundings) -> Refusal:
    """EPERM, from the surest cause to the one that is left over."""
    if around.chroot:
        return _chroot()
    if DEBIAN in around.switched_off:
        cause = f"User namespaces are for root alone here: {DEBIAN} is 0."
        return Refusal(cause, f"sudo sysctl {DEBIAN}=1{LASTING}")
    if UBUNTU in around.switched_off:
        return _apparmor()
    if around.seccomp:
        cause = (
            "A filter of system calls (seccomp) around the course forbids namespaces, "
            "as Docker's does by default."
        )
        return Refusal(cause, OUTSIDE)
    if around.seccomp is None:
        cause = "A container, sandbox or chroot around the course forbids namespaces."
        return Refusal(cause, OUTSIDE)
    return _chroot()


def _unmapped(around: Surroundings) -> Refusal:
    """EPERM when root is to be somebody else outside. Source: user_namespaces(7), since 5.12."""
    if around.poor_root:
        cause = "Root lacks CAP_SETFCAP here, and so cannot be root of namespaces of its own."
        return Refusal(cause, f"Run the course as an ordinary user. Or: {OUTSIDE}")
    return _apparmor()


def _apparmor() -> Refusal:
    cause = "AppArmor forbids user namespaces, as Ubuntu does since 24.04."
    return Refusal(cause, f"sudo sysctl {UBUNTU}=0{LASTING}")


def _chroot() -> Refusal:
    cause = "The course runs in a chroot: nobody may make user namespaces there."
    return Refusal(cause, "Run the course outside the chroot.")


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
