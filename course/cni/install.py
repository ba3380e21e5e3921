"""Put the course's plugin into a folder, as a program that a runtime can start by its name."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from course.cni.expected import COURSE_PTP


def program() -> str:
    """The text of the program.

    The runtime starts it with an environment of its own, so it says which Python to use and where
    the course is.
    """
    root = Path(__file__).parents[2]
    code = (
        f"import sys; sys.path.insert(0, {str(root)!r}); "
        "from course.cni.plugin import main; sys.exit(main())"
    )
    return f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -c {shlex.quote(code)}\n"


def install(folder: Path, name: str = COURSE_PTP) -> Path:
    """Write the program, and give its file. Put the folder into CNI_PATH."""
    file = folder / name
    file.write_text(program(), "utf-8")
    file.chmod(0o755)
    return file
