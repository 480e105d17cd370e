"""The drivers of customer equity by segment, each a quotient of sums over customers, out of the marts.

    rows = driver_rows(marts, at, plan)       one row a customer: what he adds to each sum
    drivers = measured(rows, "segment")       one row a segment and driver: value, n, interval

| driver | above | below |
|---|---|---|
| retention | ordered in both years | ordered in the year before |
| categories | categories in which something was bought | ordered in the year |
| revenue_per_category | net revenue | categories |
| margin_rate | margin | net revenue |
| cost_to_serve | contacts, complaints and visits, and what was spent on keeping | ordered in the year |
| acquisition_rate | first order in the year, not referred | known without an order before it, not referred |
| acquisition_cost | spent on winning | first order in the year |
| referral_rate | first order in the year, referred, the same for all | ordered in the year |
| win_back_rate | ordered in the year, not in the one before, but earlier | ordered in the year |
| satisfaction | score of the answers of the year | answers |

Years are twelve months. What was sent back reduces revenue and margin.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.equity_drivers import Costs, Year, year_ends
from metrics.equity_years import CHANNEL, channel_costs, equity_year
from metrics.frames import CATEGORY, Marts
from metrics.intervals import ratio, wilson
from metrics.scorecard_plan import DRIVER_NAMES, Plan

PARTS: Final[Mapping[str, tuple[str, str]]] = {
    "retention": ("kept", "before"),
    "categories": ("categories", "now"),
    "revenue_per_category": ("net_amount", "categories"),
    "margin_rate": ("margin", "net_amount"),
    "cost_to_serve": ("served", "now"),
    "acquisition_rate": ("acquired", "prospects"),
    "acquisition_cost": ("spent", "new"),
    "referral_rate": ("referred", "now"),
    "win_back_rate": ("returned", "now"),
    "satisfaction": ("scores", "answers"),
}
SHARES: Final = frozenset({"retention", "acquisition_rate", "win_back_rate"})
"""Drivers whose sums count customers, so that their interval is that of a share."""
SUMS: Final = tuple(dict.fromkeys(name for pair in PARTS.values() for name in pair))
SEGMENT: Final = "segment"


def driver_rows(marts: Marts, at: date, plan: Plan, drivers: Collection[str] = DRIVER_NAMES) -> pl.DataFrame:
    """What each selected customer adds to the sums of the year to `at`: `customer` and the columns of SUMS.

    One row a customer with an order in the last three years, or none before the year; sorted. Only the sums
    of some `drivers` where these are named. A column that no source gives is 0 throughout, so that its
    drivers have no value. Raises Missing without order lines.
    """
    wanted = {name for driver in drivers for name in PARTS[driver]}
    year = equity_year(marts, at)
    rows = _referred(marts, _with_prospects(marts, year, at), plan)
    rows = _with_costs(marts, rows, year, at, wanted)
    if "categories" in wanted:
        rows = rows.join(_categories(marts, at), on="customer", how="left")
    if "answers" in wanted:
        rows = rows.join(_answers(marts, at, plan), on="customer", how="left")
    sums = _sums("margin" if year.has_cost else "net_amount")
    return rows.select("customer", *(sums[name].alias(name) for name in SUMS if name in wanted)).sort(
        "customer"
    )


def _sums(margin: str) -> dict[str, pl.Expr]:
    """What a customer adds to each sum."""
    now, new = pl.col("now").cast(pl.Float64), pl.col("is_new")
    brought = pl.col("is_referred") & new
    return {
        "kept": (pl.col("now") & pl.col("before")).cast(pl.Float64),
        "before": pl.col("before").cast(pl.Float64),
        "categories": now * pl.col("categories").fill_null(0),
        "now": now,
        "net_amount": now * pl.col("net_amount").cast(pl.Float64),
        "margin": now * pl.col(margin).cast(pl.Float64),
        "served": now * pl.col("cost_to_serve"),
        "acquired": (new & ~pl.col("is_referred") & pl.col("is_prospect")).cast(pl.Float64),
        "prospects": (pl.col("is_prospect") & ~pl.col("is_referred")).cast(pl.Float64),
        "spent": new.cast(pl.Float64) * pl.col("cost_of_new"),
        "new": new.cast(pl.Float64) * (pl.col("cost_of_new") > 0),
        "referred": now * brought.sum() / pl.max_horizontal(pl.col("now").sum(), 1),
        "returned": (pl.col("now") & ~pl.col("before") & ~new).cast(pl.Float64),
        "scores": pl.col("scores").fill_null(0.0),
        "answers": pl.col("answers").fill_null(0.0),
    }


def _with_prospects(marts: Marts, year: Year, at: date) -> pl.DataFrame:
    """The year's customers, and those who were known without an order before it."""
    people = marts.frame("customer_summary")
    start = year_ends(at, 1)[1]
    joined = pl.col("joined_on") if "joined_on" in people.columns else pl.lit(None, pl.Date)
    first = pl.col("first_order_on") if "first_order_on" in people.columns else pl.lit(None, pl.Date)
    known = joined.is_not_null().any() & (joined.is_null() | (joined <= at))
    mask = pl.lit(value=True) if marts.mask is None else pl.lit(marts.mask)
    waiting = people.filter(mask & known & (first.is_null() | (first > start))).select(
        "customer", is_prospect=pl.lit(value=True)
    )
    flags = ("now", "before", "earlier", "is_new", "is_prospect")
    joined_rows = year.people.join(waiting, on="customer", how="full", coalesce=True)
    return joined_rows.with_columns(
        *(pl.col(name).fill_null(value=False) for name in flags), pl.col("net_amount", "margin").fill_null(0)
    )


def _referred(marts: Marts, rows: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    people = marts.frame("customer_summary")
    if plan.referral is None or plan.referral.attribute not in people.columns:
        return rows.with_columns(is_referred=pl.lit(value=False))
    theirs = people[plan.referral.attribute].cast(pl.String).gather(rows["customer"])
    return rows.with_columns(is_referred=(theirs == plan.referral.value).fill_null(value=False))


def _with_costs(
    marts: Marts, rows: pl.DataFrame, year: Year, at: date, wanted: Collection[str]
) -> pl.DataFrame:
    """`cost_to_serve` and `cost_of_new` of each customer, of the own channel where spend is split so."""
    contacts = _contact_costs(marts, at) if "served" in wanted else None
    own: Mapping[str, Costs] = channel_costs(marts, at)
    people = marts.frame("customer_summary")
    channel = (
        people[CHANNEL].cast(pl.String).gather(rows["customer"])
        if own
        else pl.Series(CHANNEL, [None] * len(rows), pl.String)
    )
    service = 0.0 if contacts is not None else None

    def each(name: str) -> pl.Expr:
        usual = float(getattr(year.costs, name))
        values = {value: float(getattr(costs, name)) for value, costs in own.items()}
        return pl.lit(channel).replace_strict(values, default=usual, return_dtype=pl.Float64)

    serving = each("served") if service is None else pl.col("contact_cost").fill_null(0.0)
    found = contacts if contacts is not None else pl.DataFrame(schema=_CONTACTS)
    joined = rows.join(found, on="customer", how="left", maintain_order="left")
    return joined.with_columns(cost_to_serve=each("kept") + serving, cost_of_new=each("per_new"))


_CONTACTS: Final = {"customer": pl.UInt32(), "contact_cost": pl.Float64()}


def _contact_costs(marts: Marts, at: date) -> pl.DataFrame | None:
    """What each customer's contacts cost in the year; None where no source says."""
    if "contacts" not in marts.frames:
        return None
    rows = marts.frame("contacts")
    if "cost" not in rows.columns or rows["cost"].null_count() == len(rows):
        return None
    recent = _in_year(rows, "occurred_on", at)
    return recent.group_by("customer").agg(pl.col("cost").sum().cast(pl.Float64).alias("contact_cost"))


def _categories(marts: Marts, at: date) -> pl.DataFrame:
    """In how many categories each customer bought in the year; one where categories are not known."""
    baskets = marts.in_units("baskets", ("customer", CATEGORY, "ordered_on", "purchases"))
    rows = _in_year(baskets, "ordered_on", at).filter(pl.col("purchases") > 0)
    # In two steps: counting distinct values within groups takes three times as long.
    held = rows.select("customer", pl.col(CATEGORY)).unique()
    known = pl.max_horizontal(pl.col(CATEGORY).count(), 1)
    return held.group_by("customer").agg(known.cast(pl.Float64).alias("categories"))


def _answers(marts: Marts, at: date, plan: Plan) -> pl.DataFrame:
    """Sum and number of each customer's answers of the year about satisfaction."""
    empty = pl.DataFrame(schema={"customer": pl.UInt32, "scores": pl.Float64, "answers": pl.Float64})
    asked = plan.satisfaction
    if asked is None or "answers" not in marts.frames:
        return empty
    rows = _in_year(marts.frame("answers"), "answered_on", at).filter(
        pl.col("item").cast(pl.String) == asked.item,
        pl.col("part").cast(pl.String) == "score",
        pl.col("score").is_not_null(),
        pl.col("customer").is_not_null(),
    )
    if asked.instrument is not None:
        rows = rows.filter(pl.col("instrument").cast(pl.String) == asked.instrument)
    return rows.group_by("customer").agg(scores=pl.col("score").sum(), answers=pl.len().cast(pl.Float64))


def _in_year(rows: pl.DataFrame, day: str, at: date) -> pl.DataFrame:
    end, start = year_ends(at, 1)
    return rows.filter(pl.col(day) > start, pl.col(day) <= end, pl.col("customer").is_not_null())


MEASURED: Final = {
    SEGMENT: pl.String(),
    "driver": pl.String(),
    "value": pl.Float64(),
    "n": pl.Int64(),
    "lower": pl.Float64(),
    "upper": pl.Float64(),
    "variance": pl.Float64(),
}


def measured(rows: pl.DataFrame, by: str = SEGMENT, drivers: Collection[str] = DRIVER_NAMES) -> pl.DataFrame:
    """The drivers of each group: `segment`, `driver`, `value`, `n`, `lower`, `upper`, `variance`; sorted.

    `n` counts the customers below the line, `variance` is that of one of them (n times that of the value).
    Shares have Wilson's bounds, other quotients those of the delta method. What cannot be divided has no row.
    """
    named = [name for name in DRIVER_NAMES if name in drivers]
    sums = (
        rows.group_by(pl.col(by).alias(SEGMENT))
        .agg(each for name in named for each in _moments(name))
        .with_columns(pl.col(SEGMENT).cast(pl.String))
        .drop_nulls(SEGMENT)
    )
    return pl.concat([_driver(sums, name) for name in named]).sort(SEGMENT, "driver")


def _moments(name: str) -> Iterator[pl.Expr]:
    """Sums of what stands above and below a driver, of their squares and product, and who has any of both."""
    a, b = (pl.col(part) for part in PARTS[name])
    found = {"a": a, "b": b, "aa": a * a, "ab": a * b, "bb": b * b, "n": (b != 0) | (a != 0)}
    yield from (each.sum().alias(f"{name} {part}") for part, each in found.items())


def _driver(moments: pl.DataFrame, name: str) -> pl.DataFrame:
    sums = moments.filter(pl.col(f"{name} b") > 0)
    top, bottom, aa, ab, bb, n = (
        sums[f"{name} {part}"].cast(pl.Float64).to_numpy() for part in ("a", "b", "aa", "ab", "bb", "n")
    )
    low, high = wilson(top, bottom) if name in SHARES else ratio((top, bottom), (aa, ab, bb), n)
    value = np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
    residual = np.maximum(aa - 2 * value * ab + value**2 * bb, 0.0)
    return sums.select(
        SEGMENT,
        pl.lit(name).alias("driver"),
        pl.Series("value", value),
        pl.Series("n", n),
        pl.Series("lower", low).fill_nan(None),
        pl.Series("upper", high).fill_nan(None),
        pl.Series("variance", n * residual / np.maximum(bottom, 1e-12) ** 2),
    ).cast(MEASURED)  # type: ignore[arg-type]  # names to dtypes


def drawn(
    rows: pl.DataFrame, by: str = SEGMENT, draws: int = 200
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """What else the drivers may be, by segment and driver: as the bootstrap over customers would say.

    The sums over many customers drawn with replacement are jointly normal with n times the covariance over
    customers, so they are drawn from that: the cost does not grow with the number of customers.
    """
    rng = np.random.default_rng(0)
    place = {name: at for at, name in enumerate(SUMS)}
    found = {}
    for (segment,), part in rows.partition_by(by, as_dict=True).items():
        sums = _resampled(rng, part.select(SUMS).to_numpy(), draws)
        found[str(segment)] = {
            name: np.divide(
                sums[:, place[a]], sums[:, place[b]], out=np.full(draws, np.nan), where=sums[:, place[b]] > 0
            )
            for name, (a, b) in PARTS.items()
        }
    return found


def _resampled(rng: np.random.Generator, values: NDArray[np.float64], draws: int) -> NDArray[np.float64]:
    """Sums of rows as drawn anew: normal, with n times the covariance; what rounding made negative is 0."""
    spread = np.cov(values, rowvar=False, ddof=0) * len(values)
    scales, directions = np.linalg.eigh(spread)
    steps = rng.standard_normal((draws, values.shape[1])) * np.sqrt(np.maximum(scales, 0.0))
    return np.asarray(values.sum(axis=0) + steps @ directions.T)


def sizes(rows: pl.DataFrame, by: str = SEGMENT) -> pl.DataFrame:
    """How many customers and prospects each group has: `segment`, `customers`, `prospects`; sorted."""
    return (
        rows.group_by(pl.col(by).cast(pl.String).alias(SEGMENT))
        .agg(customers=pl.col("now").sum(), prospects=pl.col("prospects").sum())
        .drop_nulls(SEGMENT)
        .sort(SEGMENT)
    )
