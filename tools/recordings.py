"""Makes all recordings anew, in the live lab: `make recordings`.

First what the lessons do, each notebook as a learner runs it; then every scenario in every network
model, and what commands print on hosts. A tape of a World that none of them builds goes.
"""

from __future__ import annotations

import os
import sys
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import nbclient
import nbformat

from course.curriculum import lessons
from course.laboratory import RECORD, Lab, why_not_live
from course.networks import all_models
from course.personal_copy import ROOT
from course.predict import outcomes
from course.recordings.digest import digest
from course.recordings.tape import Tape
from course.scenarios import SCENARIOS, Scenario, small_cluster
from course.topology import Topology
from course.world import build

SHELF = ROOT / "course" / "recordings"
TIMES = 12  # that a flow is observed which chance decides
ASKED = {
    "web-1": ("ip address", "ip route", "ip neigh"),
    "node1": ("ip address", "ip route", "ip rule", "ip neigh", "iptables-save -t nat"),
    "node2": ("ip address", "ip route", "ip rule", "iptables-save -t nat"),
    "azure": ("ip address", "ip route", "ip rule"),
    "edge": ("ip address", "ip route", "iptables-save -t nat"),
}
ON_BRIDGES = "bridge link"
REMEMBERED = "conntrack -L"


def main() -> None:
    """Record everything in a folder of its own, and put it on the shelf."""
    with TemporaryDirectory() as folder:
        os.environ[RECORD] = folder
        for each in lessons():
            record_lesson(ROOT / each.file)
        models = (small_cluster(model.id) for model in all_models())
        for topology in {digest(build(each)): each for each in models}.values():
            record_model(topology)
        files = tapes(Path(folder))
    for file in SHELF.glob("*.json"):
        file.unlink()
    for name, tape in files.items():
        (SHELF / name).write_text(tape.to_json(), "utf-8")
        print(f"{name}: {len(tape.sessions)} sessions, {tape.made}")


def record_lesson(file: Path) -> None:
    """Run a notebook as a learner does, all of its cells in order."""
    notebook = nbformat.read(file, as_version=4)
    resources = {"metadata": {"path": str(file.parent)}}
    with TemporaryDirectory() as data:  # nobody's answers are read, and none are kept
        environment = {**os.environ, "XDG_DATA_HOME": data, "PYTHONPATH": str(ROOT)}
        client = nbclient.NotebookClient(notebook, timeout=300, resources=resources)
        client.execute(env=environment)


def record_model(topology: Topology) -> None:
    """Every scenario in a lab of its own, and commands in another one."""
    if why := why_not_live(topology):
        sys.exit(f"{topology.cluster.model} cannot be recorded here. {why}")
    for scenario in SCENARIOS.values():
        with Lab(topology) as lab:
            record_scenario(lab, scenario)
    with Lab(topology) as lab:
        lab.observe(SCENARIOS["on a node"].flow(lab.world))  # who talked knows its neighbours
        for host, commands in ASKED.items():
            for command in commands:
                lab.run(host, command)
            if any(link.kind == "bridge" for link in lab.world.host(host).interfaces):
                lab.run(host, ON_BRIDGES)


def record_scenario(lab: Lab, scenario: Scenario) -> None:
    """A flow, what nodes remember of it, and the same again if chance decides."""
    flow = scenario.flow(lab.world)
    again = TIMES - 1 if len(outcomes(lab.world, flow)) > 1 else 0
    seen = lab.observe(flow)
    for node in lab.world.topology.cluster.nodes:
        if node.name in seen.path:
            lab.run(node.name, REMEMBERED)
    if again:
        lab.observe_many(flow, again)


def tapes(folder: Path) -> dict[str, Tape]:
    """The tapes by the name of their file: all that was recorded in a World on one of them."""
    files = sorted(folder.iterdir(), key=lambda file: (world_of(file), file.name))
    return dict(map(joined, (list(group) for _, group in groupby(files, key=world_of))))


def world_of(file: Path) -> str:
    """The digest of the World that a file was recorded in."""
    return file.stem.rpartition("-")[2]


def joined(files: list[Path]) -> tuple[str, Tape]:
    """One tape of what was recorded in one World, without sessions in which nothing happened."""
    found = [Tape.from_json(file.read_text("utf-8")) for file in files]
    sessions = tuple(session for tape in found for session in tape.sessions if session)
    return files[0].name.partition("-")[2], Tape(found[0].world, found[0].made, sessions)


if __name__ == "__main__":
    main()
