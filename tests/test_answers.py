"""The numbers that questions ask for are what the planner and the predictor of the course say.

So are the tables in which a lesson works one out: a changed rule, or a slip, is found here.
"""

from __future__ import annotations

import re

import pytest

from course.cluster import NodePool
from course.curriculum import lesson
from course.design import Design, Pool
from course.facts import number
from course.networks import model
from course.planner.comparison import plan as plan_design
from course.predict import predict
from course.prose import marks
from course.questions import BANK, Number, question, question_ids
from course.scenarios import small_cluster
from course.sizing import node_subnet
from course.sizing.pod_subnet import pool_target
from course.subnet import total_addresses
from course.trace import Disposition, Flow
from course.world import build
from tests.test_lesson_template import ROW, sections

MODELS = ("kubenet", "overlay", "node-subnet", "pod-subnet-dynamic")


def pinged(where, caller, called):
    """The prediction of a ping between two hosts of the small cluster."""
    world = build(small_cluster(where))
    return predict(world, Flow(caller, world.address(called), protocol="icmp")).trace


def arriving_ttl(where, caller, called):
    seen = [each for hop in pinged(where, caller, called).hops for each in hop.sightings]
    return next(each.packet.ttl for each in seen if each.host == called)


def reaching(caller, called):
    ends = [pinged(where, caller, called).disposition for where in MODELS]
    return ends.count(Disposition.DELIVERED)


def addresses(nodes, max_pods, max_surge=1, services=0):
    """What a pool takes of a node subnet at its peak."""
    return node_subnet.plan(NodePool(nodes, max_pods, max_surge), services).required_addresses


def steady(nodes, max_pods):
    return node_subnet.plan(NodePool(nodes, max_pods)).steady


def most_pods(prefix, nodes):
    """The largest max-pods with which a pool can be upgraded in a subnet."""
    fits = [
        pods
        for pods in range(1, number("nodesubnet.max_pods") + 1)
        if node_subnet.capacity(prefix, pods).max_nodes >= nodes
    ]
    return fits[-1]


def pod_range(*pools):
    """What an overlay cluster takes of its pod range; each pool is its nodes and max-surge."""
    made = (Pool(f"p{place}", nodes, max_surge=surge) for place, (nodes, surge) in enumerate(pools))
    demands = plan_design(Design(model="overlay", pools=tuple(made)), model("overlay")).demands
    return next(each for each in demands if each.kind == "pod range")


def smallest_range(*pools):
    return pod_range(*pools).min_prefix


def peak(*pools):
    share = total_addresses(number("overlay.node_pod_cidr_prefix"))
    return pod_range(*pools).needed // share


SAID = {
    "00.taste": lambda: addresses(12, 40),
    "01.ttl": lambda: arriving_ttl("node-subnet", "web-1", "web-2"),
    "01.explore-outside": lambda: reaching("vm-2", "web-1"),
    "01.blank-node": lambda: arriving_ttl("node-subnet", "web-1", "web-4"),
    "01.alone": lambda: arriving_ttl("node-subnet", "web-2", "vm-2"),
    "04.limit": lambda: number("azure.route_table_routes") - 20,
    "05.express-taken": lambda: steady(20, 50),
    "05.express-peak": lambda: addresses(20, 50, "33%"),
    "05.express-batch": lambda: pool_target(9),
    "05.taken": lambda: steady(50, 30),
    "05.sum": lambda: addresses(50, 30),
    "05.explore-prefix": lambda: node_subnet.plan(NodePool(20, 110)).min_prefix,
    "05.explore-max-pods": lambda: most_pods(24, 10),
    "05.batch": lambda: pool_target(9),
    "05.blank-peak": lambda: NodePool(20, 50, "10%").peak_nodes,
    "05.blank-needed": lambda: addresses(20, 50, "10%"),
    "05.alone": lambda: addresses(9, 60, "33%", services=2),
    "06.warm-addresses": lambda: addresses(50, 30),
    "06.express-range": lambda: smallest_range((30, "10%"), (90, "10%")),
    "06.explore-prefix": lambda: smallest_range((250, "10%")),
    "06.blank-peak": lambda: peak((3, 1), (100, "33%")),
    "06.blank-prefix": lambda: smallest_range((3, 1), (100, "33%")),
    "06.alone": lambda: smallest_range((5, 1), (490, "5%")),
}
# counted by the learner: in the reasons of the question, or in what the lab shows
COUNTED = {"01.warm-routers", "01.macs", "01.entries", "03.power"}
ASKED = [
    each
    for file in sorted(BANK.glob("*.toml"))
    for each in question_ids(file.stem)
    if isinstance(question(each), Number)
]


@pytest.mark.parametrize("asked", SAID)
def test_the_answer_is_what_the_course_computes(asked):
    assert question(asked).answer == SAID[asked]()


@pytest.mark.parametrize("asked", sorted(set(ASKED) - set(SAID) - COUNTED))
def test_any_other_number_is_computed_in_the_reason_for_it(asked):
    found = question(asked)
    computed = [mark.text for mark in marks(found.right) if mark.kind == "calc"]
    assert f"{found.answer:,}" in computed


def worked_out(name):
    """The last cell of each row of a lesson's worked example, as numbers."""
    rows = ROW.findall(sections(lesson(name))["Work one out"])[2:6]
    results = [row.split("|")[-1].strip(" `/") for row in rows]
    return [int(re.sub(r"\[([\d,]+)\].*", r"\1", each).replace(",", "")) for each in results]


def test_the_subnet_that_lesson_05_works_out_is_the_planners():
    pool = NodePool(12, 30, "33%")
    planned = node_subnet.plan(pool, internal_load_balancers=1)
    assert worked_out("05") == [
        pool.peak_nodes - pool.nodes,
        pool.peak_nodes,
        planned.required_addresses,
        planned.min_prefix,
    ]


def test_the_pod_range_that_lesson_06_works_out_is_the_planners():
    pools = (3, 1), (40, "10%")
    needed, most = pod_range(*pools), 3 + 40
    assert worked_out("06") == [most, peak(*pools) - most, needed.needed, needed.min_prefix]
