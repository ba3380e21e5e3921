"""Before each test: what tests rest on is put back as it was before the student's code ran.

Tests run in the process that ran the student's code, so this is no wall. It undoes what is known:
replaced builtins and modules, transformers that drop asserts, hooks, traces, timers. Then an
assertion that must fail is run: if it does not, nothing that this kernel says counts.
"""

from __future__ import annotations

import builtins
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from operator import is_
from types import FunctionType, ModuleType
from typing import Any

# modules that tests of exercises are made with
OF_TESTS = (
    *("random", "math", "cmath", "statistics", "itertools", "functools", "operator", "copy"),
    *("collections", "inspect", "json", "re", "ipaddress", "string", "datetime", "time", "types"),
    *("traceback", "ast", "dis", "linecache", "fractions", "decimal", "numbers", "typing"),
)
# names that change while honest code runs
MOVING = {"_", "__", "___", "__builtins__", "cache", "_cache", "_cache2", "__warningregistry__"}
BUILTIN = frozenset(vars(builtins)) | {"__builtins__"}
# parts of the shell through which every cell goes
PLACES = (
    *("ast_transformers", "input_transformers_post", "input_transformer_manager", "compile"),
    *("events", "displayhook", "display_pub", "InteractiveTB"),
)
_MISSING = object()


class NotPristineError(Exception):
    """Assertions do not fail any more in this kernel."""


class Pristine:
    """How everything stands now, to be put back later."""

    def __init__(self, shell: Any, kernel: Any) -> None:
        self._shell = shell
        self._spaces = [(name, owner, dict(vars(owner))) for name, owner in _watched(shell, kernel)]
        self._codes = [
            (f"{name}.{key}", value, value.__code__)
            for name, _, kept in self._spaces
            for key, value in kept.items()
            if isinstance(value, FunctionType)
        ]
        self._lists = [(name, found, list(found)) for name, found in _hooks(shell)]
        self._modules = {name: sys.modules[name] for name in OF_TESTS if name in sys.modules}
        self._parts = [(each, set(vars(each))) for each in (shell, kernel, *_parts(shell))]
        self._places = [(shell, name, getattr(shell, name)) for name in PLACES]
        self._exceptions = shell.custom_exceptions
        # a hook that is added can never be removed again, and sees every test that is compiled
        sys.addaudithook(_no_audit_hooks)

    def put_back(self, nonce: str) -> list[str]:
        """Put everything back; the names of what had been changed.

        Raises NotPristineError if an assertion that is false still does not fail.
        """
        changed = list(self._put_back())
        _still()
        if not self._asserts(nonce):
            raise NotPristineError("an assertion that is false does not fail")
        return changed

    def _put_back(self) -> Iterator[str]:
        for name, module in self._modules.items():
            if sys.modules.get(name) is not module:
                sys.modules[name] = module
                yield f"sys.modules[{name!r}]"
        for name, owner, kept in self._spaces:
            now = vars(owner)
            if len(now) == len(kept) and all(map(is_, map(now.get, kept), kept.values())):
                continue
            for key, value in kept.items():
                if key not in MOVING and now.get(key, _MISSING) is not value:
                    try:
                        setattr(owner, key, value)
                    except (AttributeError, TypeError):
                        continue  # what cannot be set has not been changed by setting
                    yield f"{name}.{key}"
            for key in [each for each in now if each not in kept and _hides(owner, each)]:
                delattr(owner, key)
                yield f"{name}.{key}"
        for name, function, code in self._codes:
            if function.__code__ is not code:
                function.__code__ = code
                yield name
        for name, found, items in self._lists:
            if len(found) != len(items) or any(
                a is not b for a, b in zip(found, items, strict=True)
            ):
                found[:] = items
                yield name
        for owner, name, value in self._places:
            if getattr(owner, name) is not value:
                setattr(owner, name, value)
                yield name
        for what, known in self._parts:
            for key in set(vars(what)) - known:
                if hasattr(type(what), key):  # an attribute that hides a method
                    delattr(what, key)
                    yield f"{type(what).__name__}.{key}"
        if self._shell.custom_exceptions != self._exceptions:
            self._shell.custom_exceptions = self._exceptions
            yield "custom exceptions"

    @contextmanager
    def names(self) -> Iterator[None]:
        """Within it, cells see the student's names, but none that hides a builtin.

        The student's functions go on seeing all of them. What a cell defines stays.
        """
        module, space = self._shell.user_module, self._shell.user_ns
        clean = ModuleType("__main__")
        given = {key: value for key, value in space.items() if key not in BUILTIN}
        vars(clean).update(given)
        self._shell.user_module, self._shell.user_ns = clean, vars(clean)
        try:
            yield
        finally:
            self._shell.user_module, self._shell.user_ns = module, space
            made = {key: value for key, value in vars(clean).items() if key not in BUILTIN}
            space.update({k: v for k, v in made.items() if given.get(k, _MISSING) is not v})

    def _asserts(self, nonce: str) -> bool:
        """Whether a false assertion, run as cells are run, fails with its own message."""
        seen: list[Any] = []
        self._shell.showtraceback = lambda *_, **__: seen.append(sys.exc_info()[1])
        try:
            count = self._shell.execution_count
            self._shell.run_cell(f"assert False, {nonce!r}", store_history=False, silent=True)
            self._shell.execution_count = count
        finally:
            del self._shell.showtraceback
        return len(seen) == 1 and type(seen[0]) is AssertionError and seen[0].args == (nonce,)


def _watched(shell: Any, kernel: Any) -> Iterator[tuple[str, Any]]:
    """Namespaces of which every entry stays as it is: modules, and the classes that are theirs."""
    yield "builtins", builtins
    for name in OF_TESTS:
        module = sys.modules.get(name)
        if isinstance(module, ModuleType):
            yield name, module
            for key, value in list(vars(module).items()):
                if isinstance(value, type) and value.__module__ == name and _is_open(value):
                    yield f"{name}.{key}", value
    for what in (shell, kernel, shell.displayhook, shell.display_pub, shell.compile):
        for each in type(what).__mro__[:-1]:
            if _is_open(each):
                yield each.__name__, each
                if each.__module__.startswith(("IPython.", "ipykernel.")):
                    yield each.__module__, sys.modules[each.__module__]


def _hides(owner: Any, key: str) -> bool:
    """Whether a new name hides another: a builtin, or what a class has of its bases."""
    bases = owner.__mro__[1:] if isinstance(owner, type) else (builtins,)
    return key not in MOVING and any(key in vars(each) for each in bases if each is not owner)


def _is_open(kind: type) -> bool:
    """Whether attributes of a class can be set at all."""
    return bool(kind.__flags__ & (1 << 9)) and not kind.__flags__ & (1 << 8)


def _hooks(shell: Any) -> Iterator[tuple[str, list[Any]]]:
    """Lists of what is called with every cell, by the names that IPython gives them."""
    yield "ast_transformers", shell.ast_transformers
    yield "input_transformers_post", shell.input_transformers_post
    manager = shell.input_transformer_manager
    for name in ("cleanup_transforms", "line_transforms", "token_transformers"):
        yield name, getattr(manager, name)
    for name, callbacks in shell.events.callbacks.items():
        yield f"events.{name}", callbacks
    yield "sys.meta_path", sys.meta_path
    yield "sys.path_hooks", sys.path_hooks


def _parts(shell: Any) -> Iterator[Any]:
    for name in PLACES:
        part = getattr(shell, name)
        if not isinstance(part, list):
            yield part


def _still() -> None:
    """Nothing watches or interrupts."""
    sys.settrace(None)
    sys.setprofile(None)
    threading.settrace(None)
    threading.setprofile(None)
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        signal.setitimer(timer, 0)


def _no_audit_hooks(event: str, _: tuple[Any, ...]) -> None:
    if event == "sys.addaudithook":
        raise RuntimeError("no further audit hooks")
