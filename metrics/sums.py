"""The sums of which measures are made: every sum, count and product of an analysis in one pass over rows.

They add up over any parts of the rows, so that they are taken once by small groups and added up afterwards.
Amounts that are only added up are in units of 0.0001 until the very end.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import add
from typing import Final

import polars as pl

from metrics.intervals import order_ranks
from metrics.measures import Compute
from metrics.money import amounts
from metrics.relations import PANEL

Pair = tuple[Compute, Compute]
ALONE: Final = frozenset({"count_distinct", "median", "percentile", "min", "max"})
"""Aggregates of a whole that do not follow from those of its parts."""

QUANTILES: Final = frozenset({"median", "percentile"})

_PER_UNIT: Final = 1e-4
_CUSTOMER: Final = pl.col("customer")


def label(measure: Compute, part: str) -> str:
    """The name of a column of a measure: `value`, `n`, `total`, `squares`, `hits`, or `given`."""
    if part in ("n", "given") and (shared := _shared(measure, part)):
        return shared
    return "|".join((*measure.key, part))


def _shared(measure: Compute, part: str) -> str:
    """The name of a count of panel rows, the same for all measures that count the same rows.

    Panels have no nulls but the customer of their last row a period.
    """
    if measure.relation.name != PANEL or not measure.value_columns <= measure.relation.columns.keys():
        return ""
    if "customer" in measure.value_columns:
        return f"known|{measure.where}" if measure.plain else ""
    return f"{'known' if part == 'n' else 'rows'}|{measure.where}"


def product(a: Compute, b: Compute) -> str:
    """The name of the sum of the products of two measures over known customers."""
    first, second = sorted((a.key, b.key))
    return "|".join((*first, "times", *second))


def worked_with(measures: Iterable[Compute]) -> frozenset[str]:
    """The columns of which measures need the amounts themselves, and not only their sum in units."""
    return frozenset[str]().union(*(_worked_with(measure) for measure in measures))


def _worked_with(measure: Compute) -> frozenset[str]:
    only_added = frozenset(measure.signs if measure.aggregate == "sum" else ())
    return measure.columns - (only_added - measure.condition_columns)


def summed(
    rows: pl.DataFrame, measures: Sequence[Compute], pairs: Sequence[Pair], keys: Sequence[str]
) -> pl.DataFrame:
    """Every sum by the keys, in any order: one column for each label of a measure and product of a pair."""
    conditions = {
        m.where: m.rows.fill_null(value=False).alias(_when(m)) for m in measures if m.rows is not None
    }
    read = {measure.key: measure for pair in pairs for measure in pair}
    lazy = rows.lazy().with_columns(conditions.values())
    lazy = lazy.with_columns(_per_customer(m, rows.schema).alias(label(m, "row")) for m in read.values())
    exprs = {name: expr for m in measures for name, expr in _parts(m, rows.schema).items()}
    exprs |= {product(a, b): _products(a, b, rows.schema) for pair in pairs for a in pair for b in pair}
    return lazy.group_by(keys).agg(expr.alias(name) for name, expr in exprs.items()).collect()


def _when(measure: Compute) -> str:
    return f"when|{measure.where}"


def _parts(measure: Compute, schema: pl.Schema) -> dict[str, pl.Expr]:
    value = _counted(measure, _value(measure, schema))
    parts = {label(measure, "given"): _given(measure, value), label(measure, "n"): _n(measure, value)}
    match measure.aggregate:
        case "sum":
            parts[label(measure, "total")] = value.sum()
        case "average":
            number = value.cast(pl.Float64)
            parts[label(measure, "total")] = number.sum()
            parts[label(measure, "squares")] = (number * number).sum()
        case "share":
            parts[label(measure, "hits")] = value.cast(pl.Int64).sum()
        case _:
            pass
    return parts


def _counted(measure: Compute, value: pl.Expr) -> pl.Expr:
    return value if measure.rows is None else pl.when(pl.col(_when(measure))).then(value)


def _value(measure: Compute, schema: pl.Schema) -> pl.Expr:
    """What a row adds, in units where its columns are."""
    if not _is_in_units(measure, schema):
        return measure.value
    return reduce(
        add, (pl.col(name) * sign if sign < 0 else pl.col(name) for name, sign in measure.signs.items())
    )


def _is_in_units(measure: Compute, schema: pl.Schema) -> bool:
    return bool(measure.signs) and all(schema[name] == pl.Int64 for name in measure.signs)


def _given(measure: Compute, value: pl.Expr) -> pl.Expr:
    """How many rows have a value."""
    if not label(measure, "given").startswith("rows|"):
        return value.is_not_null().cast(pl.Int64).sum()
    return (pl.len() if measure.rows is None else pl.col(_when(measure)).sum()).cast(pl.Int64)


def _n(measure: Compute, value: pl.Expr) -> pl.Expr:
    """How many rows have a value and, in a panel, a known customer."""
    if measure.relation.name != PANEL:
        return value.is_not_null().cast(pl.Int64).sum()
    if not label(measure, "n").startswith("known|"):
        return (value.is_not_null() & _CUSTOMER.is_not_null()).cast(pl.Int64).sum()
    known = _CUSTOMER.is_not_null()
    return (known if measure.rows is None else known & pl.col(_when(measure))).cast(pl.Int64).sum()


def _per_customer(measure: Compute, schema: pl.Schema) -> pl.Expr:
    """What a known customer adds, as a float; 0 where nothing counts."""
    number = _value(measure, schema) if measure.aggregate == "sum" else measure.value.is_not_null()
    counts = _CUSTOMER.is_not_null()
    if measure.rows is not None:
        counts = counts & pl.col(_when(measure))
    return pl.when(counts).then(number.cast(pl.Float64)).otherwise(0.0)


def _products(a: Compute, b: Compute, schema: pl.Schema) -> pl.Expr:
    scale = 1.0
    for measure in (a, b):
        scale *= _PER_UNIT if _is_in_units(measure, schema) else 1.0
    return (pl.col(label(a, "row")) * pl.col(label(b, "row"))).sum() * scale


def with_values(sums: pl.DataFrame, measures: Iterable[Compute]) -> pl.DataFrame:
    """Sums with the value of each measure, null where no row gave one (a count is 0 there)."""
    return sums.with_columns(_finished(m, sums.schema).alias(label(m, "value")) for m in measures)


def _finished(measure: Compute, schema: pl.Schema) -> pl.Expr:
    given, total = pl.col(label(measure, "given")), pl.col(label(measure, "total"))
    match measure.aggregate:
        case "sum":
            in_units = bool(measure.signs) and schema[label(measure, "total")] == pl.Int64
            return pl.when(given > 0).then(amounts(total) if in_units else total)
        case "average":
            return pl.when(given > 0).then(total / given)
        case "share":
            return pl.when(given > 0).then(pl.col(label(measure, "hits")) / given)
        case _:
            return given


def quantile_bounds(table: pl.DataFrame, measure: Compute) -> pl.DataFrame:
    """The table of a quantile with its bounds `lower` and `upper` in place of its sorted values."""
    held, n = label(measure, "sorted"), table[label(measure, "n")].to_numpy()
    ranks = order_ranks(n, measure.at)
    places = [pl.Series(rank - 1).set(pl.Series(rank == 0), None) for rank in ranks]
    bounds = [
        pl.col(held).list.get(place, null_on_oob=True).alias(label(measure, end))
        for place, end in zip(map(pl.lit, places), ("lower", "upper"), strict=True)
    ]
    return table.with_columns(bounds).drop(held)


def alone(measure: Compute) -> list[pl.Expr]:
    """The value and n of a measure of ALONE, over rows that all count; of a quantile its sorted values."""
    value, number = measure.value, measure.value.cast(pl.Float64)
    match measure.aggregate:
        case "count_distinct":
            found = value.drop_nulls().n_unique().cast(pl.Int64)
        case "median":
            found = number.median()
        case "percentile":
            found = number.quantile(measure.at, interpolation="linear")
        case "min":
            found = value.min()
        case _:
            found = value.max()
    n = value.count().cast(pl.Int64)
    ordered = [number.drop_nulls().sort().implode().alias(label(measure, "sorted"))]
    return [
        found.alias(label(measure, "value")),
        n.alias(label(measure, "n")),
        *(ordered if measure.aggregate in QUANTILES else []),
    ]
