"""How this machine's kernel behaves where kernels differ: measured, told, and never graded."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass

from course.lab.probe.namespaces import in_namespaces, python
from course.lab.probe.needs import Needs
from course.machine import Check, run, which

SAID = {
    "hairpin": "with hairpin on",
    "neither": "with hairpin off",
    "promiscuous": "with hairpin off and the bridge promiscuous",
}


@dataclass(frozen=True)
class Bridging:
    """What becomes of packets on a bridge under a value of bridge-nf-call-iptables.

    The value is None where br_netfilter is missing. `arrives` tells for each way to set up the
    bridge (hairpin, neither, promiscuous) whether a pod reaches itself through a Service,
    `postrouting` whether packets from pod to pod meet POSTROUTING.
    """

    setting: int | None
    arrives: Mapping[str, bool]
    postrouting: bool

    @property
    def when(self) -> str:
        """The setting in words."""
        known = self.setting is not None
        return f"bridge-nf-call-iptables={self.setting}" if known else "without br_netfilter"


@dataclass(frozen=True)
class Kernel:
    """The kernel's release, the variant of iptables, and what bridges do here."""

    release: str
    iptables: str
    bridging: tuple[Bridging, ...]


def measured(setting: str = Needs().bridge_setting) -> Kernel:
    """Measure with real packets, in namespaces that are gone afterwards.

    `setting` is the file of bridge-nf-call-iptables. Raises OSError where nothing can be measured.
    """
    ran = in_namespaces(*python("measurements", setting)).ran
    if ran.returncode != 0:
        raise OSError(ran.output.rpartition("\n")[2])
    found = json.loads(ran.output.splitlines()[-1])
    said = run(which("iptables") or "iptables", "--version").output
    return Kernel(platform.release(), said, tuple(Bridging(**each) for each in found))


def kernel_checks(of: Kernel) -> tuple[Check, ...]:
    """What a kernel shows, as lines of the doctor.

    >>> shown = Bridging(1, {"hairpin": True, "neither": False, "promiscuous": False}, True)
    >>> for check in kernel_checks(Kernel("6.18", "iptables v1.8.9 (nf_tables)", (shown,))):
    ...     print(check.says)
    Linux 6.18, iptables v1.8.9 (nf_tables)
    bridge-nf-call-iptables=1: a packet from pod to pod meets POSTROUTING.
    bridge-nf-call-iptables=1: a pod reaches itself through a Service with hairpin on, \
not with hairpin off, not with hairpin off and the bridge promiscuous.
    """
    return (
        Check("This kernel", "works", f"Linux {of.release}, {of.iptables}"),
        Check("This kernel: bridged packets", "works", " ".join(map(_bridged, of.bridging))),
        Check("This kernel: hairpin", "works", " ".join(map(_hairpin, of.bridging))),
    )


def _bridged(shown: Bridging) -> str:
    meets = "meets" if shown.postrouting else "does not meet"
    return f"{shown.when}: a packet from pod to pod {meets} POSTROUTING."


def _hairpin(shown: Bridging) -> str:
    ways = (("" if shown.arrives[mode] else "not ") + words for mode, words in SAID.items())
    return f"{shown.when}: a pod reaches itself through a Service {', '.join(ways)}."
