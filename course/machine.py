"""Asking a machine what it has and can: run a program, find one, tell how to install one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

State = Literal["works", "limited", "broken"]


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


def which(program: str) -> str | None:
    """Where a program is, also where ordinary users' shells do not look."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


def run(*command: str, said: str = "", seconds: float = 5) -> Ran:
    """Run a command for a few seconds at most; what it said, in English.

    `said` is its standard input.
    """
    try:
        done = subprocess.run(
            command,
            input=said,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C"},
            text=True,
            errors="replace",
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return Ran(None, f"{command[0]} does not end within {seconds:g} seconds")
    except OSError as error:
        return Ran(None, str(error))
    return Ran(done.returncode, done.stdout.strip())
