"""What compiles but is probably not meant: warnings over a catalogue and the documents it was made from."""

from collections.abc import Iterator, Mapping
from typing import Final

from sqlglot import exp

from config.errors import Problem
from config.load import Located
from config.parsing import parse
from metrics.bootstrap import can_draw
from metrics.catalog import Catalog, Definition, Plan
from metrics.definitions import (
    FORMATS,
    Change,
    Computed,
    Cumulative,
    Derived,
    NetPromoterScore,
    PeriodRetention,
    Ratio,
    Simple,
    Unit,
)
from metrics.measures import ADDITIVE, Compute
from metrics.relations import PANEL

_UNITS: Final[Mapping[str, Unit]] = {
    "count": "count",
    "count_distinct": "count",
    "share": "rate",
    "period_retention": "rate",
    "nps": "nps",
    "change": "rate",
}
"""The only unit that fits an aggregate or a kind."""

_OWN: Final[Mapping[str, tuple[str, ...]]] = {
    "average": ("t",),
    "share": ("wilson",),
    "median": ("order",),
    "percentile": ("order",),
}
"""The intervals of aggregates."""

_SHARES: Final = ("rate", "score", "nps")
"""Units of figures that do not add up, whatever they were computed from."""


def warnings(catalog: Catalog, documents: Mapping[str, Located[Definition]]) -> Iterator[Problem]:
    """The warnings of every metric that compiled, in the order of the catalogue.

    A sum of what does not add up, a figure said to be additive that is not, a unit, a format or an interval
    that does not fit, a quotient of which only the numerator is filtered, a target of a sum without the
    length of its period.
    """
    for name, plan in catalog.plans.items():
        if name in documents:
            yield from _sums(catalog, plan, documents[name])
            yield from _additivity(plan, documents[name])
            yield from _unit(catalog, plan, documents[name])
            yield from _format(plan, documents[name])
            yield from _interval(plan, documents[name])
            yield from _filters(catalog, plan, documents[name])
            yield from _targets(plan, documents[name])


def adds_up(catalog: Catalog, plan: Plan) -> bool:
    """Whether a figure can be a term of a sum: sums, counts, and arithmetic on such."""
    if plan.definition.unit in _SHARES:
        return False
    match plan.definition:
        case Simple():
            part = plan.parts[0]
            return isinstance(part, Compute) and part.aggregate in ADDITIVE
        case Derived():
            return all(adds_up(catalog, catalog.plan(name)) for name in plan.references)
        case Computed():
            return plan.definition.unit in ("money", "count")
        case _:
            return False


def _sums(catalog: Catalog, plan: Plan, document: Located[Definition]) -> Iterator[Problem]:
    if not isinstance(plan.definition, Derived):
        return
    root, braces = parse(plan.definition.expression)
    places = {name: at for at, name in sorted(braces.items(), reverse=True)}
    terms = [side for node in root.find_all(exp.Add) for side in (node.left, node.right)]
    for name in dict.fromkeys(side.name for side in terms if isinstance(side, exp.Column)):
        if not adds_up(catalog, catalog.plan(name)):
            yield document.problem(
                ("expression",),
                f"`{name}` does not add up, so a sum with it means nothing",
                "Add counts or amounts, and divide afterwards",
                offset=places.get(name, 0),
                rule="non-additive-sum",
                severity="warning",
            )


def _additivity(plan: Plan, document: Located[Definition]) -> Iterator[Problem]:
    definition, part = plan.definition, plan.parts[0] if plan.parts else ""
    if definition.additivity != "additive":
        return
    aggregate = part.aggregate if isinstance(part, Compute) and isinstance(definition, Simple) else ""
    quotients = Ratio | PeriodRetention | NetPromoterScore | Cumulative | Change
    shares = isinstance(definition, Computed) and definition.unit not in ("money", "count")
    if shares or isinstance(definition, quotients) or aggregate not in {*ADDITIVE, ""}:
        what = f"a metric of kind `{definition.kind}`" if not aggregate else f"`{aggregate}`"
        yield document.problem(
            ("additivity",),
            f"{what} is not additive: its parts do not add up to the whole",
            "Write `additivity: non`",
            rule="not-additive",
            severity="warning",
        )


def _unit(catalog: Catalog, plan: Plan, document: Located[Definition]) -> Iterator[Problem]:
    wanted = _fitting(catalog, plan)
    unit = plan.definition.unit
    if not wanted or unit in wanted:
        return
    listed = " or ".join(f"`unit: {each}`" for each in wanted)
    yield document.problem(
        ("unit",),
        f"the unit `{unit}` does not fit {_figure(plan)}",
        f"Write {listed}",
        rule="unit-mismatch",
        severity="warning",
    )


def _format(plan: Plan, document: Located[Definition]) -> Iterator[Problem]:
    unit, written = plan.definition.unit, plan.definition.format
    if written is None or written in FORMATS[unit]:
        return
    listed = " or ".join(f"`format: {each}`" for each in FORMATS[unit])
    yield document.problem(
        ("format",),
        f"the format `{written}` does not fit the unit `{unit}`",
        f"Write {listed}, or leave it out",
        rule="format-mismatch",
        severity="warning",
    )


def _interval(plan: Plan, document: Located[Definition]) -> Iterator[Problem]:
    written, fitting = plan.definition.interval, _intervals(plan)
    if written is None or fitting is None or written in fitting:
        return
    listed = " or ".join(f"`interval: {each}`" for each in fitting)
    yield document.problem(
        ("interval",),
        f"the interval `{written}` cannot be computed for {_figure(plan)}",
        f"Write {listed}, or leave it out",
        rule="interval-mismatch",
        severity="warning",
    )


def _intervals(plan: Plan) -> tuple[str, ...] | None:
    """The intervals that can be computed for a figure; None where its kind has its own."""
    drawn = ("bootstrap",) if can_draw(plan.parts) else ()
    match plan.definition, plan.parts[:1]:
        case Simple(), (Compute(aggregate=aggregate),):
            return (*_OWN.get(aggregate, ()), *drawn, "none")
        case Ratio(), _:
            panel = all(isinstance(part, Compute) and part.relation.name == PANEL for part in plan.parts)
            return ("wilson", "poisson", *(("delta",) if panel else ()), *drawn, "none")
        case Derived() | Cumulative() | Change(), _:
            return ("none",)
        case _:
            return None


def _targets(plan: Plan, document: Located[Definition]) -> Iterator[Problem]:
    if plan.definition.additivity != "additive":
        return
    for at, target in enumerate(plan.definition.targets):
        if target.grain is None:
            place = ("target", at) if isinstance(plan.definition.target, tuple) else ("target",)
            yield document.problem(
                place,
                "the target of a sum grows with the period, and the length of its period is not said",
                "Write a list with `value` and `grain: month`",
                rule="target-without-grain",
                severity="warning",
            )


def _figure(plan: Plan) -> str:
    if isinstance(plan.definition, Simple):
        return f"`{plan.definition.expression}`"
    return f"a metric of kind `{plan.definition.kind}`"


def _fitting(catalog: Catalog, plan: Plan) -> tuple[Unit, ...]:
    """The units that fit a figure; none when any may."""
    definition, part = plan.definition, plan.parts[0] if plan.parts else ""
    if isinstance(definition, Simple) and isinstance(part, Compute):
        if part.aggregate not in ("count", "count_distinct", "share") and part.dtype.is_decimal():
            return ("money",)
        return (_UNITS[part.aggregate],) if part.aggregate in _UNITS else _without_money(definition.unit)
    if isinstance(definition, Computed):
        return definition.units
    difference = isinstance(definition, Change) and definition.value != "relative"
    if isinstance(definition, Cumulative | Change) and (difference or isinstance(definition, Cumulative)):
        return (catalog.definition(definition.metric).unit,)
    if isinstance(definition, Ratio):
        return _of_quotient(catalog, plan)
    return (_UNITS[definition.kind],) if definition.kind in _UNITS else ()


def _without_money(unit: Unit) -> tuple[Unit, ...]:
    return ("count", "ratio", "days", "score") if unit == "money" else ()


def _of_quotient(catalog: Catalog, plan: Plan) -> tuple[Unit, ...]:
    unit, scale = plan.definition.unit, getattr(plan.definition, "scale", 1.0)
    above, below = (_is_money(catalog, part) for part in plan.parts)
    if above and not below:
        return ("money",)
    if unit in ("money", "count") or (unit == "rate" and scale != 1):
        return ("per_thousand",) if scale == 1000 else ("ratio",) if scale != 1 else ("rate", "ratio")
    return ()


def _is_money(catalog: Catalog, part: Compute | str) -> bool:
    if isinstance(part, str):
        return catalog.plan(part).definition.unit == "money"
    return part.dtype.is_decimal() and part.aggregate not in ("count", "count_distinct")


def _filters(catalog: Catalog, plan: Plan, document: Located[Definition]) -> Iterator[Problem]:
    if not isinstance(plan.definition, Ratio):
        return
    above, below = plan.parts
    if (
        not (isinstance(above, Compute) and isinstance(below, Compute))
        or above.relation.name != below.relation.name
    ):
        return
    if above.rows is not None and below.rows is None:
        yield document.problem(
            ("denominator",),
            "only the numerator is filtered, so the denominator counts rows that the numerator never can",
            "Filter both alike, or write `where: TRUE` in the denominator if all rows are meant",
            rule="unfiltered-denominator",
            severity="warning",
        )
