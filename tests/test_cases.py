"""Every case of tests/cases, one test a case, named by its id.

COURSE_CASES=DIR reads whichever topic files stand in another folder instead, of the same schema.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from tests import cases_cidr, cases_cni, cases_kubeproxy, cases_packetpath, cases_planning
from tests.conftest import NOT_BUILT, ROOT

CASES = Path(os.environ.get("COURSE_CASES") or ROOT / "tests" / "cases")
BUILT = {
    "cidr": cases_cidr.CHECKS,
    "aks_planning": cases_planning.CHECKS,
    "cni": cases_cni.CHECKS,
    "kubeproxy": cases_kubeproxy.CHECKS,
    "packetpath": cases_packetpath.CHECKS,
}


def cases_of(file):
    """The topic of a file, from its meta or its name, with each of its cases."""
    content = yaml.safe_load(file.read_text("utf-8")) or {}
    topic = content.get("meta", {}).get("topic", file.stem)
    return [(topic, case) for case in content.get("cases", [])]


FILES = sorted(CASES.glob("*.yaml"))
EVERY_CASE = [
    pytest.param(topic, case, id=f"{file.stem}:{case['id']}")
    for file in FILES
    for topic, case in cases_of(file)
]


@pytest.mark.parametrize(("topic", "case"), EVERY_CASE)
def test_case(topic, case):
    kind = case.get("area") or case["kind"]
    if topic not in BUILT:
        pytest.skip(f"{NOT_BUILT}: topic {topic}")
    if kind not in BUILT[topic]:
        pytest.skip(f"{NOT_BUILT}: {topic}, {kind}")
    BUILT[topic][kind](case)


def test_the_folder_of_cases_holds_cases():
    assert FILES, f"no files in {CASES}"
    assert [file.name for file in FILES if not cases_of(file)] == []
