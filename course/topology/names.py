"""Things that are known by their name, and what holds for lists of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol, TypeVar

from course.errors import InputError

N = TypeVar("N", bound="Named")
_PART = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")


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


def subdomain(name: str, what: str) -> None:
    """Raise InputError for a name that Kubernetes gives to no object of a cluster (RFC 1123);
    `what` is what it names. Source: Kubernetes documentation, "Object Names and IDs".

    >>> subdomain("../x", "pod")
    Traceback (most recent call last):
    ...
    course.errors.InputError: '../x' is no name of a pod. Use a-z, 0-9, - and ., at most 253; \
begin and end with a letter or digit.
    """
    text = name if isinstance(name, str) else ""
    if len(text) > 253 or not all(_PART.fullmatch(part) for part in text.split(".")):
        raise InputError(
            name, f"is no name of a {what}.",
            "Use a-z, 0-9, - and ., at most 253; begin and end with a letter or digit.",
        )  # fmt: skip


def short(name: str, most: int) -> None:
    """Raise InputError for a name that is empty or has more than `most` characters."""
    if not 0 < len(name) <= most:
        raise InputError(name, f"has more than {most} characters, or none.", "Shorten it.")
