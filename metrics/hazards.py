"""What makes an event come sooner or later: Cox's proportional hazards, with what can go wrong said first.

Columns that say nothing (constant), nothing new (collinear) or too much (they separate those with the event
from the others) are named and left out before a model is fitted, so that no ratio is NaN or without end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats
from statsmodels.duration.hazard_regression import PHReg

Floats = NDArray[np.float64]

MOST_LIVES: Final = 20_000
"""More lives than this are sampled, evenly over the rows: the ratios no longer gain by more."""
LEAST_EVENTS: Final = 10
"""Events for each term that a model needs (Peduzzi et al. 1995)."""
_DEPENDENT: Final = 1e-8
_ENDLESS: Final = 15.0


@dataclass(frozen=True)
class Term:
    """One column of the model: a number, or whether a category has a value other than `reference`."""

    column: str
    value: str = ""
    reference: str = ""

    @property
    def name(self) -> str:
        """The term in one text: `region: East`."""
        return f"{self.column}: {self.value}" if self.value else self.column


@dataclass(frozen=True)
class Hazards:
    """A fitted model, or the reason why there is none.

    `table`: one row a term: term, column, value, reference, hazard_ratio, lower, upper, p_value,
    proportional_p (small: the ratio changes with time, so that one number does not say it). `left_out` maps
    terms to the reason why they are not in the model.
    """

    table: pl.DataFrame
    lives: int
    events: int
    sampled: bool
    left_out: Mapping[str, str]
    reason: str = ""


SCHEMA: Final = {
    **dict.fromkeys(("term", "column", "value", "reference"), pl.String),
    **dict.fromkeys(("hazard_ratio", "lower", "upper", "p_value", "proportional_p"), pl.Float64),
}


def hazards(
    lives: pl.DataFrame,
    columns: Sequence[str],
    *,
    duration: str = "duration",
    observed: str = "observed",
    level: float = 0.95,
) -> Hazards:
    """Cox's model (1972), ties by Efron: how many times the hazard each term multiplies.

    A text or boolean column gives a term for each value but the most frequent, its reference; a number is
    divided by its standard deviation, so that its ratio is per standard deviation. Lives with a null or
    without a positive duration are left out. The check of proportional hazards is the score test of Grambsch
    and Therneau (1994) on the ranks of the event times.
    """
    known = lives.drop_nulls([duration, observed, *columns]).filter(pl.col(duration) > 0)
    step = -(-len(known) // MOST_LIVES)
    rows = known.gather_every(step) if step > 1 else known
    terms, matrix = _terms(rows, columns)
    events = rows[observed].cast(pl.Boolean).to_numpy()
    times = rows[duration].cast(pl.Float64).to_numpy()
    kept, left_out = _usable(terms, matrix, events)
    reason = _too_little(int(events.sum()), len(kept))
    if reason:
        return Hazards(pl.DataFrame(schema=SCHEMA), len(rows), int(events.sum()), step > 1, left_out, reason)
    fit, kept, endless = _fitted(times, matrix, events, kept, terms)
    table = _table([terms[at] for at in kept], fit, level)
    return Hazards(table, len(rows), int(events.sum()), step > 1, left_out | endless)


def _too_little(events: int, terms: int) -> str:
    if not terms:
        return "no column is left that could explain anything"
    if events < LEAST_EVENTS * terms:
        return f"{events} events are too few for {terms} terms; {LEAST_EVENTS * terms} are needed"
    return ""


def _terms(rows: pl.DataFrame, columns: Sequence[str]) -> tuple[list[Term], Floats]:
    """The terms of all columns, and the matrix with a column for each."""
    terms: list[Term] = []
    values: list[Floats] = []
    for name in columns:
        column = rows[name]
        if column.dtype.is_numeric():
            number = column.cast(pl.Float64).to_numpy()
            spread = float(number.std()) if len(number) else 0.0
            terms.append(Term(name))
            values.append((number - number.mean()) / spread if spread else np.zeros(len(number)))
            continue
        texts = column.cast(pl.String)
        counts = texts.value_counts(sort=True, name="n").sort("n", name, descending=[True, False])
        reference, *others = counts[name].to_list() or [""]
        if not others:
            terms.append(Term(name))
            values.append(np.zeros(len(rows)))
        for value in sorted(others):
            terms.append(Term(name, value, reference))
            values.append((texts == value).to_numpy().astype(np.float64))
    return terms, np.column_stack(values) if values else np.empty((len(rows), 0))


def _usable(
    terms: Sequence[Term], matrix: Floats, events: NDArray[np.bool_]
) -> tuple[list[int], dict[str, str]]:
    """The columns of the matrix that a model can use, and why the others are left out."""
    kept: list[int] = []
    left_out: dict[str, str] = {}
    for at, term in enumerate(terms):
        column = matrix[:, at]
        flagged = column > 0 if term.value else np.zeros(len(column), dtype=np.bool_)
        twin = _twin(matrix, kept, column)
        if not np.ptp(column, axis=0) if len(column) else True:
            left_out[term.name] = "the same for everybody"
        elif term.value and not events[flagged].any():
            left_out[term.name] = f"none of {int(flagged.sum()):,} had the event: the ratio has no lower end"
        elif twin is not None:
            names = " and ".join(f"`{terms[other].name}`" for other in twin)
            left_out[term.name] = f"already said by {names}"
        else:
            kept.append(at)
    return kept, left_out


def _twin(matrix: Floats, kept: Sequence[int], column: Floats) -> list[int] | None:
    """The kept columns of which this one is a sum, if it is one."""
    if not kept or not len(column):
        return None
    basis = np.column_stack([np.ones(len(column)), matrix[:, list(kept)]])
    weights, *_ = np.linalg.lstsq(basis, column, rcond=None)
    rest = column - basis @ weights
    if float(rest @ rest) > _DEPENDENT * max(float(((column - column.mean()) ** 2).sum()), 1e-300):
        return None
    return [at for at, weight in zip(kept, weights[1:], strict=True) if abs(weight) > 1e-6] or None


@dataclass(frozen=True)
class _Fit:
    beta: Floats
    errors: Floats
    proportional: Floats


def _fitted(
    times: Floats,
    matrix: Floats,
    events: NDArray[np.bool_],
    kept: list[int],
    terms: Sequence[Term],
) -> tuple[_Fit, list[int], dict[str, str]]:
    """The fit of the terms that have a finite ratio; one without end is named and left out, then again."""
    endless: dict[str, str] = {}
    while kept:
        model = PHReg(times, matrix[:, kept], status=events.astype(np.int64), ties="efron")
        with np.errstate(all="ignore"):
            beta, errors = _newton(model, len(kept))
        worst = int(np.argmax(np.where(np.isfinite(beta), np.abs(beta), np.inf)))
        if np.isfinite(beta).all() and abs(beta[worst]) < _ENDLESS and np.isfinite(errors).all():
            return _Fit(beta, errors, _proportional(model, beta, times, events)), kept, endless
        endless[terms[kept[worst]].name] = "separates those with the event from the others: no finite ratio"
        kept = [at for place, at in enumerate(kept) if place != worst]
    return _Fit(np.empty(0), np.empty(0), np.empty(0)), [], endless


def _newton(model: PHReg, size: int, most: int = 40) -> tuple[Floats, Floats]:
    """The maximum of the partial likelihood by Newton's steps, halved where they overshoot."""
    beta = np.zeros(size)
    value = float(model.loglike(beta))
    for _ in range(most):
        hessian = np.asarray(model.hessian(beta))
        step = np.linalg.lstsq(hessian, np.asarray(model.score(beta)), rcond=None)[0]
        for _half in range(12):
            tried = beta - step
            found = float(model.loglike(tried))
            if found >= value - 1e-12:
                break
            step = step / 2
        beta, gained, value = tried, found - value, found
        if abs(gained) < 1e-10 or np.abs(beta).max() > 2 * _ENDLESS:
            break
    covariance = np.linalg.pinv(-np.asarray(model.hessian(beta)))
    return beta, np.sqrt(np.maximum(np.diag(covariance), 0.0))


def _proportional(model: PHReg, beta: Floats, times: Floats, events: NDArray[np.bool_]) -> Floats:
    """P-values of the test that a term's ratio does not change with time, one a term.

    Scaled Schoenfeld residuals against the centred rank of the event time: with d events, V the covariance of
    the estimates, r the residuals and g the ranks, `chi2 = (sum g r V d)^2 / (d V_kk sum g^2)`.
    """
    residuals = _schoenfeld(model, beta, times, events)
    covariance = np.linalg.pinv(-np.asarray(model.hessian(beta)))
    at = stats.rankdata(times[events])
    centred = at - at.mean()
    d = len(centred)
    scaled = d * residuals @ covariance
    chi2 = (centred @ scaled) ** 2 / (d * np.diag(covariance) * (centred**2).sum())
    return np.asarray(stats.chi2.sf(chi2, 1), dtype=np.float64)


def _schoenfeld(model: PHReg, beta: Floats, times: Floats, events: NDArray[np.bool_]) -> Floats:
    """What each event's covariates are above the mean of those at risk, one row an event.

    Events of one day leave the risk set one after the other (Efron), none of them first.
    """
    x = np.asarray(model.exog, dtype=np.float64)
    weight = np.exp(x @ beta)
    order = np.argsort(-times, kind="stable")
    mass = np.cumsum(weight[order])
    weighted = np.cumsum(weight[order, None] * x[order], axis=0)
    residuals = x[events].copy()
    for day in np.unique(times[events]):
        last = int(np.searchsorted(-times[order], -day, side="right")) - 1
        who = events & (times == day)
        left = np.arange(who.sum()) / who.sum()
        still = mass[last] - left * weight[who].sum()
        means = (weighted[last] - left[:, None] * (weight[who, None] * x[who]).sum(axis=0)) / still[:, None]
        residuals[times[events] == day] -= means.mean(axis=0)
    return residuals


def _table(terms: Sequence[Term], fit: _Fit, level: float) -> pl.DataFrame:
    z = float(stats.norm.ppf(0.5 + level / 2))
    score = np.divide(fit.beta, fit.errors, out=np.zeros_like(fit.beta), where=fit.errors > 0)
    return pl.DataFrame(
        {
            "term": [term.name for term in terms],
            "column": [term.column for term in terms],
            "value": [term.value for term in terms],
            "reference": [term.reference for term in terms],
            "hazard_ratio": np.exp(fit.beta),
            "lower": np.exp(fit.beta - z * fit.errors),
            "upper": np.exp(fit.beta + z * fit.errors),
            "p_value": 2 * stats.norm.sf(np.abs(score)),
            "proportional_p": fit.proportional,
        },
        schema=SCHEMA,
    )
