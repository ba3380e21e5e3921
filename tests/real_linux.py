"""The real Linux, to compare with: commands in network namespaces that the test makes itself.

Needs no root: a user who may make user namespaces is root in their own.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess

import pytest

NAMESPACES = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
# /run holds the lock of iptables-legacy and the names of network namespaces
PRELUDE = """set -e
mount -t tmpfs tmpfs /run
mkdir /run/netns /run/bin
for name in iptables iptables-save iptables-restore ip6tables-save ip6tables-restore; do
  ln -s "$(command -v xtables-$VARIANT-multi)" /run/bin/$name
done
PATH=/run/bin:$PATH
ip link set lo up
"""
VARIANTS = ("nft", "legacy")


def run(script: str, *, variant: str = "nft", timeout: float = 60) -> subprocess.CompletedProcess:
    """Run a shell script as root of fresh namespaces. `iptables` and its kin are the variant's."""
    return subprocess.run(
        [*_unshare(), "sh", "-c", PRELUDE + script],
        env=os.environ | {"PATH": PATH, "VARIANT": variant},
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


def in_namespace(script: str, *, variant: str = "nft") -> str:
    """What a shell script prints in a fresh network namespace; it must succeed.

    Skips the test, with the reason, where namespaces cannot be made.
    """
    if reason := why_not():
        pytest.skip(reason)
    ran = run(script, variant=variant)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def loaded(*texts: str, variant: str = "nft", before: str = "", tool: str = "iptables") -> str:
    """What iptables-save prints once iptables-restore has read texts (or ip6tables', by `tool`).

    The first is read whole, the others as partial syncs: with --noflush. `before` is a script
    that makes what the rules need.
    """
    script = before
    for text, how in zip(texts, ("", *("--noflush",) * len(texts)), strict=False):
        script += f"\n{tool}-restore {how} <<'RULES'\n{text}\nRULES\n"
    return in_namespace(f"{script}{tool}-save\n", variant=variant)


@functools.cache
def why_not() -> str:
    """Why the real Linux cannot be asked here, or nothing."""
    for tool in ("unshare", "ip", "xtables-nft-multi", "xtables-legacy-multi"):
        if not shutil.which(tool, path=PATH):
            return f"{tool} is not installed"
    try:
        refused = [run("iptables-save", variant=variant) for variant in VARIANTS]
    except OSError as error:
        return f"network namespaces cannot be made here: {error}"
    for variant, ran in zip(VARIANTS, refused, strict=True):
        if ran.returncode:
            return f"iptables-{variant} does not work here: {ran.stderr.strip()}"
    return ""


@functools.cache
def bridges_are_filtered() -> bool:
    """Whether br_netfilter is loaded: what crosses a bridge can meet the rules of iptables."""
    return run("test -e /proc/sys/net/bridge/bridge-nf-call-iptables").returncode == 0


@functools.cache
def _unshare() -> tuple[str, ...]:
    """The command that makes namespaces: as who we are, or as root of our own."""
    said = ""
    for user in ((), ("--user", "--map-root-user")):
        command = ("unshare", *user, *NAMESPACES)
        ran = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
        if ran.returncode == 0:
            return command
        said = ran.stderr.strip()
    raise OSError(said)
