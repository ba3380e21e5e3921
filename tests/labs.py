"""What the tests of the live lab share."""

from __future__ import annotations

import functools

import pytest

from course.lab.probe.kernel import measured
from course.lab.probe.readiness import readiness

LIVE = [
    pytest.mark.lab,
    pytest.mark.skipif(not readiness().can_run, reason=readiness().why_not or "it can run"),
]


def as_predicted(lab, flow):
    """What was seen of a flow, once it was found to be what was predicted."""
    seen = lab.observe(flow)
    found = lab.compare(seen)
    assert found.equal, "\n".join((str(flow), *found.differences, seen.explain()))
    trace = found.prediction.trace
    assert trace == seen
    assert trace.server == seen.server, str(flow)
    if flow.protocol != "icmp":  # no program gets a ping, and no wire sees one that is translated
        assert trace.delivered == seen.delivered, str(flow)
    return seen


@functools.cache
def bends_promiscuous_bridges():
    """Whether a promiscuous bridge lets a pod reach itself, hairpin or not, as older kernels do.

    The World knows of no such thing, and nobody is graded on it.
    """
    return any(each.setting and each.arrives["promiscuous"] for each in measured().bridging)
