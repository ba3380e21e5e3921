"""The one error that a learner meets: it names the value, the rule and the way out."""

from __future__ import annotations

from collections.abc import Iterable
from reprlib import Repr

# what was pasted by mistake may be of any length; its beginning tells which value is meant
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 120


class InputError(ValueError):
    """A value that breaks a rule.

    >>> raise InputError("10.0.0.1/24", "has bits set after /24.", "Write 10.0.0.0/24.")
    Traceback (most recent call last):
    ...
    course.errors.InputError: '10.0.0.1/24' has bits set after /24. Write 10.0.0.0/24.
    """

    def __init__(self, value: object, rule: str, way_out: str) -> None:
        self.value, self.rule, self.way_out = value, rule, way_out
        super().__init__(f"{_SHORT.repr(value)} {rule} {way_out}")


def whole_number(value: object, name: str, least: int = 0) -> int:
    """The value, if it is a whole number of at least `least`; `name` tells which value is meant.

    >>> whole_number(30, "max-pods", least=1)
    30
    >>> whole_number(-1, "nodes")
    Traceback (most recent call last):
    ...
    course.errors.InputError: -1 is not a possible number of nodes. Give a whole number, 0 or more.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    raise InputError(
        value, f"is not a possible number of {name}.", f"Give a whole number, {least} or more."
    )


def distinct(values: Iterable[object], what: str) -> None:
    """Raise InputError if a value is there twice; `what` is what it is of each.

    >>> distinct(["web", "web"], "name of a pod")
    Traceback (most recent call last):
    ...
    course.errors.InputError: 'web' is twice the name of a pod. Change one of them.
    """
    seen = set()
    for value in values:
        if value in seen:
            raise InputError(value, f"is twice the {what}.", "Change one of them.")
        seen.add(value)
