"""How a result came about, line by line: what was counted, how, and the fact behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One line of a calculation: "addresses needed: 51 x 31 = 1,581". `fact` is a fact's id."""

    what: str
    how: str
    result: int | str
    fact: str = ""

    @property
    def result_text(self) -> str:
        """The result as it is shown: numbers with a comma before each three digits."""
        return f"{self.result:,}" if isinstance(self.result, int) else self.result


def as_text(title: str, lines: Sequence[Line]) -> str:
    """The lines as an aligned table in plain text.

    >>> print(as_text("Sum", [Line("nodes at the peak", "50 + 1", 51)]))
    Sum
      nodes at the peak  =  50 + 1  =  51
    """
    what = max(len(line.what) for line in lines)
    how = max(len(line.how) for line in lines)
    result = max(len(line.result_text) for line in lines)
    rows = [
        f"  {line.what:<{what}}  =  {line.how:<{how}}  =  {line.result_text:>{result}}"
        for line in lines
    ]
    return "\n".join([title, *rows])
