"""The planner as a notebook app: describe a cluster once, see it in every network model."""

from course.views.planner_app.app import Planner, planner

__all__ = ["Planner", "planner"]
