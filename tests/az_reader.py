"""Reads a shell script of az commands back, by the rules of the shell."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """An az command with its flags, each with its values. `into` is the variable that it sets."""

    name: str
    flags: dict
    into: str = ""

    def one(self, flag):
        """The value of a flag that has one; None if it is not there."""
        if flag not in self.flags:
            return None
        (value,) = self.flags[flag]
        return value


def read(script):
    """The az commands of a script, in their order. Asserts that there is nothing else in it."""
    variables, calls = {}, []
    for line in script.replace("\\\n", " ").splitlines():
        if not line.split("#")[0].strip() or line == "set -euo pipefail":
            continue
        if found := re.fullmatch(r"(\w+)=\$\((.*)\)", line):
            calls.append(_call(found[2], variables, found[1]))
        elif line.startswith("az "):
            calls.append(_call(line, variables))
        else:
            (assignment,) = shlex.split(line, comments=True)
            name, _, variables[name] = assignment.partition("=")
    return calls


def of_words(words, into=""):
    """The command that these words are."""
    start = next(index for index, word in enumerate(words) if word.startswith("--"))
    flags = {}
    for word in words[start:]:
        if word.startswith("--"):
            assert word not in flags, f"{word} twice"
            flags[word] = values = []
        else:
            values.append(word)
    return Call(" ".join(words[:start]), flags, into)


def _call(line, variables, into=""):
    """What is set at the top is put in; what az answers keeps its name: $VNET_ID."""
    words = shlex.split(line)
    return of_words([_filled(word, variables) for word in words], into)


def _filled(word, variables):
    return re.sub(r"\$(\w+)", lambda found: variables.get(found[1], found[0]), word)
