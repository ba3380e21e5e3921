"""All that a learner sees: pictures, tables, calculators and questions.

The only part of the course that knows of notebooks. A lesson imports what it needs from here:

    from course.views import ask, begin, show
"""

from course.views.batches import batches_over_time
from course.views.calculators import node_subnet_calculator, static_blocks_calculator
from course.views.cni import list_explorer, plugin_call, reservations
from course.views.comparison import show_comparison
from course.views.express import express
from course.views.kubenet import kubenet_picture, sources_seen
from course.views.kubenet_explorer import kubenet_explorer
from course.views.lessons import begin, course_map, doctor, sources
from course.views.pictures import Picture, node_addresses, subnet_use
from course.views.planner_app import planner
from course.views.pod_range import pod_range_calculator, pod_range_use
from course.views.pod_routes import pod_routes
from course.views.questions import ask
from course.views.reach import four_answers, reach_explorer
from course.views.sequence import sequence
from course.views.service_explorer import service_explorer
from course.views.service_rules import rules_hit, service_rules
from course.views.spread import show_spread
from course.views.tables import show, show_fact
from course.views.topology_picture import cluster_picture
from course.views.traces import show_trace
from course.views.ways import ways_to
from course.views.wires import node_wiring

__all__ = [
    "Picture",
    "ask",
    "batches_over_time",
    "begin",
    "cluster_picture",
    "course_map",
    "doctor",
    "express",
    "four_answers",
    "kubenet_explorer",
    "kubenet_picture",
    "list_explorer",
    "node_addresses",
    "node_subnet_calculator",
    "node_wiring",
    "planner",
    "plugin_call",
    "pod_range_calculator",
    "pod_range_use",
    "pod_routes",
    "reach_explorer",
    "reservations",
    "rules_hit",
    "sequence",
    "service_explorer",
    "service_rules",
    "show",
    "show_comparison",
    "show_fact",
    "show_spread",
    "show_trace",
    "sources",
    "sources_seen",
    "static_blocks_calculator",
    "subnet_use",
    "ways_to",
]
