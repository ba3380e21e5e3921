"""What remains to be said after a cluster was read: what is missing, and what was noticed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from course.design import Design, Outbound, Pool
from course.errors import InputError

AZ_AKS_SHOW = "az aks show --resource-group <resource-group> --name <cluster> --output json"
AZ_NODEPOOL_LIST = (
    "az aks nodepool list --resource-group <resource-group> --cluster-name <cluster> --output json"
)
AZ_VNET_SHOW = (
    "az network vnet show --resource-group <resource-group> --name <virtual-network> --output json"
)
# the network that AKS makes lies in the resource group that AKS makes
AZ_VNET_LIST = "az network vnet list --resource-group <node-resource-group> --output json"
KUBECTL_GET_NODES = "kubectl get nodes --output json"

_Part = TypeVar("_Part", Pool, Outbound, Design)
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Missing:
    """What no answer told. `field` is its place in the Design, which holds a default meanwhile;
    `command` prints it, "" where no command does."""

    field: str
    question: str
    command: str = ""


class Report:
    """Collects what is missing and what was noticed, each once.

    >>> report = Report()
    >>> report.ask("tier", "Which tier has the cluster?", AZ_AKS_SHOW)
    >>> [each.field for each in report.missing]
    ['tier']
    """

    def __init__(self) -> None:
        self._missing: dict[str, Missing] = {}
        self._notes: dict[str, None] = {}

    @property
    def missing(self) -> tuple[Missing, ...]:
        """What to ask for, in the order in which it was found missing."""
        return tuple(self._missing.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """What was noticed, in that order."""
        return tuple(self._notes)

    def ask(self, field: str, question: str, command: str = "") -> None:
        """Ask for a field of the design."""
        self.add(Missing(field, question, command))

    def add(self, missing: Missing) -> None:
        """Ask this, unless the field was already asked for."""
        self._missing.setdefault(missing.field, missing)

    def note(self, text: str) -> None:
        """Say something about what was read."""
        self._notes[text] = None

    def first(self, items: Sequence[_Item], most: int, field: str, what: str) -> tuple[_Item, ...]:
        """The first of these, as many as a plan may have; says so and asks where there are more."""
        if len(items) > most:
            self.note(f"There are {len(items):,} {what}; the plan takes the first {most:,}.")
            self.ask(field, f"Which {what} count? A plan may have {most:,}.")
        return tuple(items[:most])

    def changed(self, part: _Part, ask: Missing, **values: Any) -> _Part:
        """The part with these values; if they cannot be, the part as it was, and a question.

        >>> ask = Missing("pools.system.max_pods", "How many?")
        >>> Report().changed(Pool(), ask, max_pods=0) == Pool()
        True
        """
        try:
            return replace(part, **values)
        except InputError:
            self.add(ask)
            return part


def counted(count: int, one: str) -> str:
    """A number of things.

    >>> counted(1, "node"), counted(1200, "node")
    ('1 node', '1,200 nodes')
    """
    return f"{count:,} {one}{'' if count == 1 else 's'}"
