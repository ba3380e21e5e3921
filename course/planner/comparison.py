"""One design in every model: what each takes, what is wrong, and which one to choose.

>>> from course.design import Design, Pool
>>> found = compare(Design(pools=(Pool("system", nodes=50, max_pods=30, max_surge=1),)))
>>> found.recommended.model.id
'overlay'
>>> [demand.needed for demand in found.plan("node-subnet").demands]
[1581]
"""

from __future__ import annotations

from dataclasses import dataclass

from course.design import Design
from course.finding import Demand, Finding, Limit, Severity
from course.networks import all_models
from course.networks import model as model_of
from course.networks.model import NetworkModel
from course.planner.limits import limits
from course.planner.placing import place
from course.planner.range_checks import range_findings
from course.planner.support_checks import support_findings

_ORDER = list(Severity)


@dataclass(frozen=True)
class ModelPlan:
    """A design in one model. `design` is settled: every default stands in it."""

    model: NetworkModel
    design: Design
    demands: tuple[Demand, ...]
    limits: tuple[Limit, ...]
    findings: tuple[Finding, ...]

    @property
    def works(self) -> bool:
        """Whether no finding is an error."""
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that are errors."""
        return tuple(each for each in self.findings if each.severity is Severity.ERROR)

    @property
    def network_addresses(self) -> int:
        """Addresses that it takes of the virtual network at the peak."""
        return sum(demand.needed for demand in self.demands if demand.kind != "pod range")


@dataclass(frozen=True)
class Comparison:
    """One design in every model, the models in the order in which they are to be preferred."""

    design: Design
    plans: tuple[ModelPlan, ...]

    def plan(self, model_id: str) -> ModelPlan:
        """The plan in this model. Raises InputError for an unknown one."""
        wanted = model_of(model_id)
        return next(plan for plan in self.plans if plan.model.id == wanted.id)

    @property
    def recommended(self) -> ModelPlan | None:
        """The first model in which the design works; None if there is none."""
        return next((plan for plan in self.plans if plan.works), None)

    @property
    def failing(self) -> tuple[ModelPlan, ...]:
        """The models in which the design does not work."""
        return tuple(plan for plan in self.plans if not plan.works)

    @property
    def judged(self) -> ModelPlan:
        """The plan that counts: of the model chosen, else the recommended, else the first."""
        if self.design.model:
            return self.plan(self.design.model)
        return self.recommended or self.plans[0]


def compare(design: Design) -> Comparison:
    """Plan a design in every model. Raises InputError if it names a model that is none."""
    if design.model:
        model_of(design.model)
    return Comparison(design, tuple(plan(design, model) for model in all_models()))


def plan(design: Design, model: NetworkModel) -> ModelPlan:
    """Plan a design in one model."""
    settled = model.settle(design)
    demands = place(settled, model.demands(settled))
    found = limits(model, settled, demands)
    findings = (
        *range_findings(model, settled, demands),
        *(_unplaced(demand) for demand in demands if demand.range is None),
        *(_broken(limit) for limit in found if limit.broken),
        *support_findings(model, settled, demands),
        *model.checks(settled, demands),
    )
    ordered = sorted(findings, key=lambda finding: _ORDER.index(finding.severity))
    return ModelPlan(model, settled, demands, found, tuple(ordered))


def _broken(limit: Limit) -> Finding:
    name = limit.what[0].upper() + limit.what[1:]
    what = f"{name}: {limit.used:,} planned, at most {limit.most:,}."
    facts = (limit.fact, *(("azure.insufficient_subnet_size",) if limit.refusal else ()))
    return Finding(limit.severity, what, facts, limit.do, limit.refusal, limit.field)


def _unplaced(demand: Demand) -> Finding:
    wanted = "no IPv4 range is that large"
    if demand.min_prefix is not None:
        wanted = f"no /{demand.min_prefix} is free"
    name = demand.kind if demand.kind == "pod range" else f"{demand.kind} {demand.name}"
    return Finding(
        Severity.ERROR,
        f"The {name} needs {demand.needed:,} addresses; {wanted}.",
        (demand.fact,),
        "Enlarge the virtual network, free a part of it, or choose a model that takes less of it."
        if demand.kind != "pod range"
        else "Free private address space, or run fewer nodes.",
        field="pod_range" if demand.kind == "pod range" else f"subnets.{demand.name}",
    )
