"""All that a learner sees: pictures, tables, calculators and questions.

The only part of the course that knows of notebooks. A lesson imports what it needs from here:

    from course.views import ask, begin, show
"""

from course.views.batches import batches_over_time
from course.views.calculators import node_subnet_calculator, static_blocks_calculator
from course.views.comparison import show_comparison
from course.views.express import express
from course.views.lessons import begin, course_map, doctor, sources
from course.views.pictures import Picture, node_addresses, source_seen, subnet_use
from course.views.planner_app import planner
from course.views.questions import ask
from course.views.sequence import sequence
from course.views.spread import show_spread
from course.views.tables import show, show_fact
from course.views.topology_picture import cluster_picture
from course.views.traces import show_trace

__all__ = [
    "Picture",
    "ask",
    "batches_over_time",
    "begin",
    "cluster_picture",
    "course_map",
    "doctor",
    "express",
    "node_addresses",
    "node_subnet_calculator",
    "planner",
    "sequence",
    "show",
    "show_comparison",
    "show_fact",
    "show_spread",
    "show_trace",
    "source_seen",
    "sources",
    "static_blocks_calculator",
    "subnet_use",
]
