"""Things that are known by their name, and what holds for lists of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from course.errors import InputError

N = TypeVar("N", bound="Named")


class Named(Protocol):
    """Whatever has a name."""

    @property
    def name(self) -> str:
        """The name."""


def named(things: Iterable[N], name: str, what: str) -> N:
    """The thing of that name. Raises InputError if there is none; `what` is what it would be.

    >>> named((), "web", "pod")
    Traceback (most recent call last):
    ...
    course.errors.InputError: 'web' is no pod here. There are none.
    """
    known = {thing.name: thing for thing in things}
    if name not in known:
        raise InputError(name, f"is no {what} here.", f"There are {', '.join(known) or 'none'}.")
    return known[name]


def distinct(values: Sequence[str], what: str) -> None:
    """Raise InputError if a value is there twice; `what` is what it is of each."""
    for value in values:
        if values.count(value) > 1:
            raise InputError(value, f"is twice the {what}.", "Change one of them.")


def short(name: str, most: int) -> None:
    """Raise InputError for a name that is empty or has more than `most` characters."""
    if not 0 < len(name) <= most:
        raise InputError(name, f"has more than {most} characters, or none.", "Shorten it.")
