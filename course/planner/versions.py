"""Kubernetes versions as AKS counts them: two numbers, such as 1.34."""

from __future__ import annotations


def is_at_least(version: str, least: str) -> bool:
    """Whether a version is this one or later; an unknown one ("") is not.

    >>> is_at_least("1.34", "1.27"), is_at_least("1.9", "1.27"), is_at_least("", "1.27")
    (True, False, False)
    """
    return bool(version) and _parts(version) >= _parts(least)


def is_later(version: str, last: str) -> bool:
    """Whether a version comes after another; an unknown one ("") does not.

    >>> is_later("1.33", "1.32"), is_later("", "1.32")
    (True, False)
    """
    return bool(version) and _parts(version) > _parts(last)


def _parts(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
