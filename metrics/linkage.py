"""From feeling to behaviour: what the same customer did after an answer, against what was felt.

Words about these figures say association: who is satisfied may be the one who would come back anyway. What
was known before the answer (orders, recency, value) is held constant in the models.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from scipy.special import expit, logit, ndtri

from metrics import intervals
from metrics.logistic import Floats, Logistic, apart, logistic
from metrics.multiple import holm
from metrics.reasons import Reason
from metrics.splines import knots, restricted_cubic
from metrics.survival import life_table, log_rank

BEFORE_DAYS: Final = 180
PER_TERM: Final = 10
"""Returns, and failures to return, that a term of a model needs (Peduzzi et al. 1996)."""
FEWEST: Final = 5
"""With fewer than this for a term nothing is fitted; between the two the fit is penalised anyway."""
CONTROLS: Final = ("log_orders", "log_recency", "log_value")
GRID: Final = 41


def followed(
    responses: pl.DataFrame, orders: pl.DataFrame, days: int, as_of: date, *, scores: tuple[str, ...] = ()
) -> pl.DataFrame:
    """What each respondent did before and after an answer.

    `responses` holds customer, answered_on and the scores; `orders` customer, ordered_on and net_amount, one
    row an order. One row a response of somebody who had ordered by then, sorted by customer and day, with:
    `orders_before` and `value_before` in the 180 days up to the day before the answer, `recency_days` since
    the last order, 180 where there is none in them; `returned` and `spend` in the `days` after the answer;
    `duration` until the next order and `observed`, censored on `as_of`; `mature`, whether so many days have
    passed.
    """
    bought = orders.drop_nulls("customer").select("customer", "ordered_on", "net_amount")
    firsts = bought.group_by("customer").agg(first_on=pl.col("ordered_on").min())
    known = responses.join(firsts, on="customer").filter(pl.col("first_on") <= pl.col("answered_on"))
    kept = known.select("customer", "answered_on", *scores)
    rows = kept.sort("customer", "answered_on", *scores).with_row_index("response")
    pairs = rows.select("response", "customer", "answered_on").join(bought, on="customer")
    gap = (pl.col("ordered_on") - pl.col("answered_on")).dt.total_days()
    before, after = gap.is_between(-BEFORE_DAYS, -1), gap.is_between(1, days)
    amount = pl.col("net_amount").cast(pl.Float64)
    counted = pairs.group_by("response").agg(
        orders_before=before.sum(),
        value_before=amount.filter(before).sum(),
        recency_days=(-gap.filter(before)).min(),
        returned=after.any(),
        spend=amount.filter(after).sum(),
        next_days=gap.filter(gap > 0).min(),
    )
    seen = (pl.lit(as_of) - pl.col("answered_on")).dt.total_days()
    empty = {"orders_before": 0, "value_before": 0.0, "recency_days": BEFORE_DAYS, "spend": 0.0}
    filled = [pl.col(name).fill_null(value) for name, value in empty.items()]
    return (
        rows.join(counted, on="response", how="left", maintain_order="left")
        .with_columns(*filled, pl.col("returned").fill_null(value=False), mature=seen >= days)
        .with_columns(observed=pl.col("next_days").is_not_null() & (pl.col("next_days") <= seen))
        .with_columns(duration=pl.when("observed").then("next_days").otherwise(seen))
        .drop("response", "next_days")
    )


def banded(values: pl.Series, edges: tuple[float, ...]) -> pl.Series:
    """The band of each value: the number of edges that it is not below; null stays null."""
    cut = pl.sum_horizontal((pl.col("v") >= edge).cast(pl.Int32) for edge in edges)
    frame = pl.DataFrame({"v": values}).select(pl.when(pl.col("v").is_not_null()).then(cut))
    return frame.to_series()


def quantile_edges(values: pl.Series, bands: int = 4) -> tuple[float, ...]:
    """Edges of bands of about equal size that never split equal values; fewer where the values are few."""
    known = values.drop_nulls().to_numpy()
    if not len(known):
        return ()
    cuts = np.unique(np.quantile(known, np.arange(1, bands) / bands, method="higher"))
    return tuple(float(cut) for cut in cuts if cut > known.min())


def by_band(rows: pl.DataFrame, band: str = "band") -> pl.DataFrame:
    """Return and spend by band of what was felt, over mature answers.

    One row a band, sorted: band, n, returned, share, lower, upper (Wilson), spend (mean), spend_lower,
    spend_upper (t).
    """
    spend = pl.col("spend")
    table = (
        rows.filter(pl.col("mature"), pl.col(band).is_not_null())
        .group_by(band)
        .agg(n=pl.len(), returned=pl.col("returned").sum(), total=spend.sum(), squares=(spend**2).sum())
        .sort(band)
    )
    shares = intervals.wilson(table["returned"], table["n"])
    means = intervals.mean(table["total"], table["squares"], table["n"])
    bounds = dict(zip(("lower", "upper", "spend_lower", "spend_upper"), (*shares, *means), strict=True))
    return table.with_columns(
        share=pl.col("returned") / pl.col("n"),
        spend=pl.col("total") / pl.col("n"),
        **{name: pl.Series(values).fill_nan(None) for name, values in bounds.items()},
    ).drop("total", "squares")


def curves(rows: pl.DataFrame, band: str = "band") -> tuple[pl.DataFrame, float | None]:
    """Kaplan-Meier curves of the time until the next order by band, and the p-value of the log-rank test.

    Every answer counts, also those that are not mature. Rows as in `life_table`, the band under `by`.
    """
    known = rows.filter(pl.col(band).is_not_null()).with_columns(by=pl.col(band))
    p_value = log_rank(known, "by")["p_value"] if known["by"].n_unique() > 1 else None
    return life_table(known, by="by"), p_value


@dataclass(frozen=True, eq=False)
class Link:
    """A model of returning within some days on what was felt, and the rows that it was fitted to."""

    model: Logistic
    rows: pl.DataFrame
    terms: tuple[str, ...]

    @property
    def cautious(self) -> bool:
        """Whether the fit is penalised, because the data separate or are few."""
        return self.model.penalised


def linked(rows: pl.DataFrame, terms: tuple[str, ...]) -> Link | Reason:
    """The logistic model of `returned` on scores and on the controls, over mature and complete answers.

    Controls are the logs of orders, recency and value before the answer; a control that does not vary is left
    out. Standard errors know that a customer may have answered several times. A reason where too few
    returned, or too few did not, for so many terms; penalised where they are few.
    """
    complete = _controlled(rows.filter("mature").drop_nulls(terms))
    varied = _controls(complete, terms)
    constant = [term for term in terms if complete[term].n_unique() < 2]
    reason = _refusal(complete, len(terms) + len(varied), constant)
    if reason is not None:
        return reason
    design = _design(complete, (*terms, *varied))
    model = _fitted(design, complete, ("constant", *terms, *varied))
    return Link(model, complete, terms)


def _controlled(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(
        log_orders=pl.col("orders_before").clip(1).cast(pl.Float64).log(),
        log_recency=(1 + pl.col("recency_days").cast(pl.Float64)).log(),
        log_value=(1 + pl.col("value_before").clip(0)).log(),
    )


def _controls(rows: pl.DataFrame, terms: tuple[str, ...]) -> tuple[str, ...]:
    """The controls that say something of their own, beside the terms and the controls before them."""
    names = (*terms, *CONTROLS)
    if rows.is_empty():
        return ()
    told = apart(_design(rows, names))[1:]
    return tuple(name for name, own in zip(names, told, strict=True) if own and name in CONTROLS)


def _refusal(rows: pl.DataFrame, terms: int, constant: list[str]) -> Reason | None:
    n, returned = len(rows), int(rows["returned"].sum())
    if constant:
        text = f"All respondents gave the same answer to `{constant[0]}`: nothing can be compared"
        return Reason("no_variation", text)
    rarer = min(returned, n - returned)
    if rarer >= FEWEST * terms:
        return None
    text = (
        f"Of {n:,} answers that are old enough {returned:,} were followed by an order. A model with {terms} "
        f"terms needs at least {FEWEST * terms:,} answers followed by an order and as many that were not; "
        "what these few would say is chance"
    )
    return Reason("too_few", text)


def _design(rows: pl.DataFrame, names: tuple[str, ...]) -> Floats:
    columns = [np.ones(len(rows)), *(rows[name].cast(pl.Float64).to_numpy() for name in names)]
    return np.stack(columns, axis=1)


def _fitted(design: Floats, rows: pl.DataFrame, names: tuple[str, ...]) -> Logistic:
    clusters = rows["customer"].cast(pl.Int64).to_numpy()
    outcome = rows["returned"].to_numpy()
    few = min(outcome.sum(), len(outcome) - outcome.sum()) < PER_TERM * (len(names) - 1)
    return logistic(design, outcome, names, clusters, penalised=bool(few))


def slopes(link: Link, level: float = 0.95) -> pl.DataFrame:
    """What each score moves, the others and the controls equal, strongest first.

    One row a term: term, slope (log odds for one point), lower, upper, odds_ratio, p_value, p_holm, effect
    (change of the chance to return for one point more, averaged over the respondents). A slope in the other
    direction than expected is shown as it is.
    """
    rows = []
    for term in link.terms:
        lower, upper = link.model.bounds(term, level)
        slope = link.model.coefficient(term)
        rows.append(
            {
                "term": term,
                "slope": slope,
                "lower": lower,
                "upper": upper,
                "odds_ratio": float(np.exp(slope)),
                "p_value": link.model.p_value(term),
                "effect": mean_effect(link, term, 1.0),
            }
        )
    table = pl.DataFrame(rows).with_columns(p_holm=holm(pl.col("p_value")))
    return table.sort(pl.col("slope").abs(), descending=True)


def mean_effect(link: Link, term: str, points: float) -> float:
    """Change of the mean chance to return when a score of everybody rises by some points."""
    moved = link.model.design.copy()
    moved[:, link.model.at(term)] += points
    return float((link.model.chance(moved) - link.model.chance(link.model.design)).mean())


def score_curve(rows: pl.DataFrame, score: str, level: float = 0.95) -> "Curve | Reason":
    """The chance to return along one score: a restricted cubic spline with four knots, controls held.

    At each point of a grid from the 2nd to the 98th percentile everybody is given that score and their
    chances are averaged, so that the curve is about these respondents. `bend_p` tests whether it is a line.
    """
    complete = _controlled(rows.filter("mature").drop_nulls(score))
    values = complete[score].cast(pl.Float64).to_numpy()
    at = knots(values)
    basis = restricted_cubic(values, at)
    varied = _controls(complete, ())
    constant = [score] if complete[score].n_unique() < 2 else []
    reason = _refusal(complete, basis.shape[1] + len(varied), constant)
    if reason is not None:
        return reason
    names = tuple(f"{score}.{place}" for place in range(basis.shape[1]))
    design = np.concatenate([_design(complete, ()), basis, _design(complete, varied)[:, 1:]], axis=1)
    model = _fitted(design, complete, ("constant", *names, *varied))
    first, last = np.quantile(values, (0.02, 0.98)).tolist()
    grid = np.linspace(first, last, GRID)
    table = _averaged(model, restricted_cubic(grid, at), grid, level)
    bend = model.p_value(*names[1:]) if len(names) > 1 else None
    return Curve(table, model.p_value(*names), bend, model.n, model.penalised)


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve of chances: value, chance, lower, upper; p-values of the whole and of its bend."""

    table: pl.DataFrame
    p_value: float
    bend_p: float | None
    n: int
    penalised: bool


def _averaged(model: Logistic, basis: Floats, grid: Floats, level: float) -> pl.DataFrame:
    """Average chances at each row of a basis with bounds by the delta method on the logit scale."""
    size = basis.shape[1]
    rows = []
    for value, columns in zip(grid, basis, strict=True):
        design = model.design.copy()
        design[:, 1 : 1 + size] = columns
        chance = model.chance(design)
        mean = float(chance.mean())
        slope = ((chance * (1 - chance))[:, None] * design).mean(axis=0) / (mean * (1 - mean))
        error = float(np.sqrt(slope @ model.covariance @ slope))
        rows.append((float(value), mean, *_on_logit(mean, error, level)))
    return pl.DataFrame(rows, schema=["value", "chance", "lower", "upper"], orient="row")


def _on_logit(mean: float, error: float, level: float) -> tuple[float, float]:
    half = float(ndtri(0.5 + level / 2)) * error
    return float(expit(logit(mean) - half)), float(expit(logit(mean) + half))


def not_asked(asked: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
    """Customers who ordered at all and were not asked in a month of invitations, dated at its middle one.

    Takes and gives customer, answered_on and group; the group is `not asked`.
    """
    month = pl.col("answered_on").dt.truncate("1mo").alias("month")
    middle = pl.col("answered_on").sort().get(pl.len() // 2)
    waves = asked.group_by(month).agg(middle, pl.col("customer").alias("invited"))
    buyers = orders.select("customer").drop_nulls().unique()
    parts = [
        buyers.filter(~pl.col("customer").is_in(wave["invited"])).select(
            "customer", answered_on=pl.lit(wave["answered_on"]), group=pl.lit("not asked")
        )
        for wave in waves.iter_rows(named=True)
    ]
    return pl.concat([asked.clear(), *parts])


def compared(rows: pl.DataFrame, groups: tuple[str, ...]) -> pl.DataFrame:
    """Respondents against those who were asked and did not answer, and those who were not asked.

    Takes rows of `followed` with a group; one row a group, in the given order: group, n, orders_before,
    value_before, recency_days (means), returned (share of the mature ones).
    """
    means = [pl.col(name).mean() for name in ("orders_before", "value_before", "recency_days")]
    returned = pl.col("returned").filter(pl.col("mature")).mean()
    counted = rows.group_by("group").agg(pl.len().alias("n"), *means, returned)
    order = pl.DataFrame({"group": groups})
    return order.join(counted, on="group", how="inner", maintain_order="left")
