"""Which segments, channels or categories made a figure change: effects that add up to the change exactly.

A sum changes by the changes of its parts. A quotient R = A / B changes, for the part g with the quantities
a and b, by

    effect = change of a / B  -  mean of both R  *  change of b / B

which adds up to the change of R, because the b / B of all parts add up to 1 in either period. Where a part
has a quotient of its own in both periods, r = a / b and w = b / B, the effect is the sum of `rate` = mean w *
change of r, what the part itself did better, and `mix` = (mean r - mean R) * change of w, what its size did.

Segments may overlap. Each has the effect that it has against everybody else; those effects do not add up.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Final

import polars as pl

from metrics.catalog import Catalog, Plan
from metrics.definitions import NetPromoterScore, PeriodRetention, Ratio, Simple
from metrics.evaluation import Asked, evaluated
from metrics.frames import CATEGORY, Marts
from metrics.measures import Compute
from metrics.orders import LINE_SUMS
from metrics.periods import Window
from metrics.selection import SEGMENT, Missing

PLACES: Final = 12
EFFECT: Final = pl.Decimal(38, PLACES)
SCHEMA: Final = {
    "by": pl.String(),
    "current": pl.Float64(),
    "reference": pl.Float64(),
    "effect": EFFECT,
    "rate": pl.Float64(),
    "mix": pl.Float64(),
    "n_current": pl.Int64(),
    "n_reference": pl.Int64(),
}
_SPLIT_BY_LINE: Final = frozenset({*LINE_SUMS, "net_amount", "margin", "customer", "ordered_on", CATEGORY})


@dataclass(frozen=True)
class Part:
    """What one value of `by` brings: `a` above, `b` below (0 for a plain sum), and its rows `n`."""

    a: Fraction = Fraction(0)
    b: Fraction = Fraction(0)
    n: int = 0


@dataclass(frozen=True)
class Split:
    """A figure taken apart: scale * (sum of all a), for a quotient over (sum of all b).

    `everything` are those sums where the parts overlap, None where they add up to them.
    """

    parts: Mapping[str | None, Part]
    scale: Fraction
    is_quotient: bool
    everything: Part | None = None

    @property
    def whole(self) -> Part:
        """What the parts are parts of."""
        return self.everything or _sum(self.parts.values())

    @property
    def total(self) -> Fraction | None:
        """The figure; None for a quotient with nothing below."""
        return self.of(self.whole)

    def of(self, part: Part) -> Fraction | None:
        """The figure of one part alone."""
        if not self.is_quotient:
            return self.scale * part.a
        return self.scale * part.a / part.b if part.b else None


def contributions(
    catalog: Catalog, name: str, marts: Marts, current: Window, reference: Window, by: str
) -> pl.DataFrame:
    """What each value of `by` contributed to the change from the reference to the current window.

    One row a value, the largest effect first: `by` (null for no value), the part's own figure in either
    window, its `effect`, for quotients the two sides `rate` and `mix` of it, and how many rows it rests on.
    The effects are decimals and sum to the change of the figure exactly (a quotient's change is taken to
    twelve places). Windows are of one period each, their last one. Raises Fault for an unknown metric or
    column, Missing when the figure cannot be split so or when there is none in one of the windows. Split by
    SEGMENT there is a row a segment, which is what it did against everybody else; they do not add up.
    """
    now, before = (split(catalog, name, marts, window, by) for window in (current, reference))
    return effects(now, before)


def split(catalog: Catalog, name: str, marts: Marts, window: Window, by: str) -> Split:
    """A figure of a window's last period, taken apart by the values of `by`; raises as `contributions`."""
    marts, one = marts.split_by(by), replace(window, count=1)
    terms = _terms(name, catalog.plan(name))
    parts = _parts(terms, marts, one, by)
    _check_splits(terms, by)
    everything = _parts(terms, marts, one, None)[None] if by == SEGMENT else None
    return Split(parts, terms.scale, terms.below is not None, everything)


def _sum(parts: Iterable[Part]) -> Part:
    held = list(parts)
    a, b = sum((part.a for part in held), Fraction(0)), sum((part.b for part in held), Fraction(0))
    return Part(a, b, sum(part.n for part in held))


def effects(now: Split, before: Split) -> pl.DataFrame:
    """What each part contributed to the change from `before` to `now`; see `contributions`.

    Raises Missing when there is no figure in one of them.
    """
    values = sorted({*now.parts, *before.parts}, key=lambda value: (value is None, value or ""))
    pairs = {value: (now.parts.get(value, Part()), before.parts.get(value, Part())) for value in values}
    if now.is_quotient:
        found, sides = _quotient_effects(now.scale, pairs, (now.whole, before.whole))
    else:
        found = {value: now.scale * (part.a - past.a) for value, (part, past) in pairs.items()}
        sides = {}
    rounded = _rounded(found, adds_up=now.everything is None)
    rows = [
        _row(value, (now.of(pair[0]), now.of(pair[1])), pair, rounded[value], sides.get(value))
        for value, pair in pairs.items()
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").sort(
        pl.col("effect").abs(), descending=True, maintain_order=True
    )


@dataclass(frozen=True)
class _Terms:
    """A figure as scale * (sum of the signed measures above) / (the measure below, if any)."""

    above: tuple[tuple[int, Compute], ...]
    below: Compute | None = None
    scale: Fraction = Fraction(1)
    late: bool = False
    """Whether the measure below is that of the period before."""

    @property
    def measures(self) -> tuple[Compute, ...]:
        """Every measure of the figure."""
        return (*(measure for _, measure in self.above), *([self.below] if self.below else []))


def _terms(name: str, plan: Plan) -> _Terms:
    measures = [part for part in plan.parts if isinstance(part, Compute)]
    definition = plan.definition
    match definition:
        case Simple():
            return _simple(name, measures[0])
        case Ratio() if len(measures) == 2 and all(_adds_up(measure) for measure in measures):
            return _Terms(((1, measures[0]),), measures[1], Fraction(definition.scale))
        case PeriodRetention():
            return _Terms(((1, measures[1]),), measures[0], late=True)
        case NetPromoterScore():
            return _Terms(((1, measures[0]), (-1, measures[1])), measures[2], Fraction(100))
        case _:
            fault = (
                f"`{name}` is no sum and no quotient of sums, so that its change does not split into parts"
            )
            raise Missing(fault)


def _simple(name: str, measure: Compute) -> _Terms:
    table, expression, where = measure.key
    if _adds_up(measure):
        return _Terms(((1, measure),))
    if measure.aggregate not in ("average", "share"):
        fault = f"`{name}` is no sum, so that its change does not split into parts"
        raise Missing(fault)
    number = pl.Int64() if measure.aggregate == "share" else measure.dtype
    above = replace(
        measure,
        aggregate="sum",
        value=measure.value.cast(number),
        dtype=number,
        key=(table, f"total of {expression}", where),
        signs={},
    )
    return _Terms(
        ((1, above),), replace(measure, aggregate="count", key=(table, f"n of {expression}", where))
    )


def _adds_up(measure: Compute) -> bool:
    return measure.aggregate in ("sum", "count")


def _check_splits(terms: _Terms, by: str) -> None:
    """Refuse to split by category what counts customers or orders: they are in several categories at once."""
    for measure in terms.measures if by == CATEGORY else ():
        whole = measure.columns - _SPLIT_BY_LINE
        counts = measure.relation.name != "baskets" and measure.aggregate == "count"
        if counts or whole:
            fault = "customers and orders lie in several categories at once, so that the parts do not add up"
            raise Missing(fault)


def _parts(terms: _Terms, marts: Marts, window: Window, by: str | None) -> dict[str | None, Part]:
    """The quantities of each value of `by`, of None alone without one, in a window's last period."""
    grid = evaluated(Asked(terms.measures, before=int(terms.late)), marts, window, by)
    for reason in grid.reasons.values():
        raise Missing(reason)
    last = grid.cells["period"] == window.last
    above = [(sign, grid.column(measure).filter(last)) for sign, measure in terms.above]
    below = grid.column(terms.below) if terms.below else None
    if below is not None and terms.late:
        below = pl.Series(grid.previous(below.cast(pl.Float64).to_numpy())).fill_nan(None)
    base = [] if below is None else below.filter(last).to_list()
    rests = grid.column(terms.above[0][1], "n").filter(last).fill_null(0).to_list()
    found = {}
    values = grid.cells["by"].filter(last).cast(pl.String).to_list() if by else [None]
    for at, value in enumerate(values):
        total = sum((sign * _exact(column[at]) for sign, column in above), Fraction(0))
        found[value] = Part(total, _exact(base[at]) if base else Fraction(0), int(rests[at]))
    return found


def _exact(value: Decimal | float | None) -> Fraction:
    return Fraction(value or 0)


def _quotient_effects(
    scale: Fraction, pairs: Mapping[str | None, tuple[Part, Part]], wholes: tuple[Part, Part]
) -> tuple[dict[str | None, Fraction], dict[str | None, Fraction | None]]:
    """The effect of each part, and the `rate` side of it where the part has a quotient in both periods."""
    base, past_base = (whole.b for whole in wholes)
    if not base or not past_base:
        fault = "nothing to divide by in one of the periods"
        raise Missing(fault)
    mean = (wholes[0].a / base + wholes[1].a / past_base) / 2
    effects: dict[str | None, Fraction] = {}
    rates: dict[str | None, Fraction | None] = {}
    for value, (now, past) in pairs.items():
        size, past_size = now.b / base, past.b / past_base
        effects[value] = scale * (now.a / base - past.a / past_base - mean * (size - past_size))
        both = now.b and past.b
        rates[value] = scale * (size + past_size) / 2 * (now.a / now.b - past.a / past.b) if both else None
    return effects, rates


def _rounded(effects: Mapping[str | None, Fraction], *, adds_up: bool) -> dict[str | None, Decimal]:
    """Effects as decimals; where they add up to the change, the largest takes what rounding leaves."""
    units = {value: round(effect * 10**PLACES) for value, effect in effects.items()}
    if units and adds_up:
        left = round(sum(effects.values(), Fraction(0)) * 10**PLACES) - sum(units.values())
        units[max(units, key=lambda value: abs(units[value]))] += left
    return {value: Decimal(unit).scaleb(-PLACES) for value, unit in units.items()}


def _row(
    value: str | None,
    figures: tuple[Fraction | None, Fraction | None],
    pair: tuple[Part, Part],
    effect: Decimal,
    rate: Fraction | None,
) -> Sequence[object]:
    shown = [None if figure is None else float(figure) for figure in figures]
    sides = [None, None] if rate is None else [float(rate), float(Fraction(effect) - rate)]
    return [value, *shown, effect, *sides, pair[0].n, pair[1].n]
