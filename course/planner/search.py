"""The first value at which a limit breaks, found with few looks.

It holds for limits of which a larger value never uses less. Most limits grow along a line: so it
looks where the line from a value that fits to one that does not meets what there is.

>>> def at(nodes):
...     return {"routes": Limit("routes", "routes", nodes + 1, 400, "azure.route_table_routes", "")}
>>> first(3, 10**9, at)
400
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from course.finding import Limit

# limits at a value, by id
Found = dict[str, Limit]
LINES = 4  # so often it trusts the line alone


def broken(found: Found) -> Iterable[Limit]:
    """The limits of which more is used than there is."""
    return (each for each in found.values() if each.broken)


def first(now: int, end: int, at: Callable[[int], Found]) -> int | None:
    """The least number from `now` to `end` at which a limit is broken that stays so."""
    low, high, turn = now, end, 0
    if any(broken(at(low))):
        return low
    if not any(broken(at(high))):
        return None
    while high - low > 1:
        # what grows by steps misleads a line: every other time, halve the gap after all
        line = turn < LINES or turn % 2
        middle = _meeting(low, high, at) if line else (low + high) // 2
        low, high = (low, middle) if any(broken(at(middle))) else (middle, high)
        turn += 1
    return high


def _meeting(low: int, high: int, at: Callable[[int], Found]) -> int:
    """Where the first limit breaks, if each grew along a line from `low` to `high`."""
    before, after = at(low), broken(at(high))
    rooms = [(before[each.id].left, -each.left) for each in after if each.id in before]
    meetings = (low + (high - low) * left // (left + missing) + 1 for left, missing in rooms)
    return min((*meetings, high - 1))
