"""The catalogue: every kind of metric, and the definitions of a project checked and compiled.

A definition with a fault is left out with whatever refers to it, each with its problem; the rest run.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final, TypeAlias, assert_never

import polars as pl
from pydantic import Field, TypeAdapter

from config.errors import Fault, Problem, suggestion, unknown
from config.expressions import Compiled, ExpressionError, compile_derived
from config.load import Located
from metrics.crossbuying_definitions import Crossed
from metrics.definitions import (
    Change,
    Computed,
    Cumulative,
    Derived,
    Measure,
    NetPromoterScore,
    PeriodRetention,
    Ratio,
    Simple,
)
from metrics.measures import Compute, compiled
from metrics.next_category_definitions import NextCategory
from metrics.relations import PANEL, Columns
from metrics.retention_definitions import Followed
from metrics.rfm import Rfm
from metrics.segment_definitions import SegmentShare
from metrics.survey_definitions import Surveyed
from metrics.worth_definitions import Worth

Computing: TypeAlias = Followed | SegmentShare | Rfm | Crossed | NextCategory | Worth | Surveyed
"""Every kind whose figures a function of its own computes: one name a family; see `metrics.families`."""

Definition = Annotated[
    Simple | Ratio | Derived | Cumulative | Change | PeriodRetention | NetPromoterScore | Computing,
    Field(discriminator="kind"),
]
"""Every kind of metric."""

DEFINITION: Final[TypeAdapter[Definition]] = TypeAdapter(Definition)
ATTRIBUTES: Final[Columns] = {"region": pl.String(), "channel": pl.String()}
_AMOUNT: Final = pl.Decimal(38, 4)


@dataclass(frozen=True)
class Plan:
    """How a metric is computed from its `parts`: measures, or other metrics by name.

    | kind | parts |
    |---|---|
    | simple | the measure |
    | ratio | numerator, denominator |
    | derived | the metrics that its formula names |
    | cumulative, change | the metric that they are about |
    | period_retention | active customers, those of them who were active in the period before |
    | nps | promoters, detractors, answers on the scale, answers off the scale |
    | every computed kind | none: see `metrics.families` |
    """

    definition: Definition
    parts: tuple[Compute | str, ...]
    formula: Compiled | None = None

    @property
    def is_money(self) -> bool:
        """Whether the figure is an exact amount and not only a float."""
        if self.formula is not None:
            return self.formula.dtype.is_decimal()
        part = self.parts[0] if self.parts else ""
        return isinstance(self.definition, Simple) and isinstance(part, Compute) and part.is_money

    @property
    def references(self) -> tuple[str, ...]:
        """The other metrics that it reads."""
        return tuple(part for part in self.parts if isinstance(part, str))

    @property
    def alongside(self) -> tuple[str, ...]:
        """Those of them that it reads in the same periods."""
        return () if isinstance(self.definition, Cumulative | Change) else self.references


@dataclass(frozen=True)
class Catalog:
    """The metrics that can be computed, by name in the order of their files, and what is wrong with others.

    `broken` maps the name of a metric that was left out to its problems.
    """

    plans: Mapping[str, Plan]
    broken: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every problem of every metric."""
        return tuple(problem for problems in self.broken.values() for problem in problems)

    def definition(self, name: str) -> Definition:
        """The definition of a metric. Raises Fault for a name that is not known."""
        return self.plan(name).definition

    def plan(self, name: str) -> Plan:
        """How to compute a metric. Raises Fault for a name that is not known, and says why it is broken."""
        if name in self.broken:
            fault = f"the metric `{name}` is broken"
            raise Fault(fault, self.broken[name][0].render(), rule="broken")
        if name not in self.plans:
            what = "metric"
            raise unknown(what, name, self.plans)
        return self.plans[name]

    def needed(self, names: Iterable[str]) -> dict[str, Plan]:
        """The plans of some metrics and what they read in the same periods, each after those it reads."""
        found: dict[str, Plan] = {}

        def visit(name: str) -> None:
            plan = self.plan(name)
            for reference in plan.alongside:
                visit(reference)
            found.setdefault(name, plan)

        for name in names:
            visit(name)
        return found


def catalog(documents: Sequence[Located[Definition]], attributes: Columns = ATTRIBUTES) -> Catalog:
    """The catalogue of some definitions; of two with one name the later counts, as a project's own.

    `attributes` are the customer columns that conditions may use beside those of their table.
    """
    named = {document.value.name: document for document in documents}
    builder = _Builder(named, attributes)
    for name in named:
        builder.plan(name)
    order = {name: builder.plans[name] for name in named if name in builder.plans}
    return Catalog(order, builder.broken)


@dataclass
class _Builder:
    """Plans under way: a metric that is asked for while it is being planned is part of a cycle."""

    named: Mapping[str, Located[Definition]]
    attributes: Columns
    plans: dict[str, Plan] = field(default_factory=dict)
    broken: dict[str, tuple[Problem, ...]] = field(default_factory=dict)
    under_way: list[str] = field(default_factory=list)

    def plan(self, name: str) -> Plan | None:
        """The plan of a metric, None when it is broken."""
        if name in self.plans or name in self.broken:
            return self.plans.get(name)
        self.under_way.append(name)
        try:
            self.plans[name] = self._planned(self.named[name].value)
        except Fault as fault:
            self.broken[name] = (_problem(self.named[name], fault),)
        self.under_way.pop()
        return self.plans.get(name)

    def _planned(self, definition: Definition) -> Plan:
        match definition:
            case Simple():
                return Plan(definition, (compiled(definition, self.attributes),))
            case Ratio():
                parts = [self._term(getattr(definition, key), key) for key in ("numerator", "denominator")]
                return Plan(definition, tuple(parts))
            case Derived():
                return self._derived(definition)
            case Cumulative() | Change():
                self._referred(definition.metric, ("metric",))
                return Plan(definition, (definition.metric,))
            case PeriodRetention():
                return Plan(definition, _retention())
            case NetPromoterScore():
                return Plan(definition, tuple(self._promoters(definition)))
            case Computed():
                return Plan(definition, ())
            case _:
                assert_never(definition)

    def _term(self, term: str | Measure, key: str) -> Compute | str:
        """A measure written in place, the measure of a simple metric, or the name of another metric."""
        if isinstance(term, Measure):
            return _below(key, lambda: compiled(term, self.attributes))
        plan = self._referred(term, (key,))
        return (
            part
            if isinstance(plan.definition, Simple) and isinstance(part := plan.parts[0], Compute)
            else term
        )

    def _derived(self, definition: Derived) -> Plan:
        dtypes = dict.fromkeys(self.named, pl.Float64())
        try:
            names = sorted(compile_derived(definition.expression, dtypes).references)
            plans = {name: self._referred(name, ("expression",)) for name in names}
            exact = {n: _AMOUNT if plan.is_money else pl.Float64() for n, plan in plans.items()}
            formula = compile_derived(definition.expression, exact, kind="number")
        except ExpressionError as error:
            raise Fault(
                error.fault, error.remedy, at=("expression",), offset=error.offset, rule="expression"
            ) from None
        return Plan(definition, tuple(names), formula)

    def _referred(self, name: str, at: tuple[str, ...]) -> Plan:
        if name in self.under_way:
            around = " -> ".join((*self.under_way[self.under_way.index(name) :], name))
            fault = f"the metrics refer to each other in a circle: {around}"
            raise Fault(fault, "Take one of them out", at=at, rule="cycle")
        if name not in self.named:
            fault = f"unknown metric `{name}`"
            raise Fault(fault, suggestion(name, self.named), at=at, rule="unknown-reference")
        plan = self.plan(name)
        if plan is None:
            fault = f"it refers to `{name}`, which is broken"
            raise Fault(fault, "Mend that one first", at=at, rule="broken-reference")
        return plan

    def _promoters(self, score: NetPromoterScore) -> Iterable[Compute]:
        lowest, highest = score.lowest - score.offset, score.highest - score.offset
        on_scale = f"score >= {lowest} AND score <= {highest}"
        for condition in (
            f"score >= {score.promoters_from - score.offset} AND {on_scale}",
            f"score <= {score.detractors_to - score.offset} AND {on_scale}",
            on_scale,
            f"NOT ({on_scale})",
        ):
            where = f"({score.where}) AND {condition}"
            measure = Measure(table="survey_answers", expression="count(score)", where=where)
            yield compiled(measure, self.attributes)


def _retention() -> tuple[Compute, ...]:
    return tuple(
        compiled(Measure(table=PANEL, expression="count(customer)", where=where), {})
        for where in ("orders > 0", "orders > 0 AND active_before")
    )


def _below(key: str, make: Callable[[], Compute]) -> Compute:
    """What is made, its fault placed below a key."""
    try:
        return make()
    except Fault as fault:
        raise Fault(
            fault.fault, fault.remedy, at=(key, *fault.at), offset=fault.offset, rule=fault.rule
        ) from None


def _problem(document: Located[Definition], fault: Fault) -> Problem:
    return document.problem(fault.at, fault.fault, fault.remedy, offset=fault.offset, rule=fault.rule)
