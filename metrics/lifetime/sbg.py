"""sBG, the shifted beta-geometric: how long contracts last when customers differ in their churn.

Fader & Hardie (2007), How to project customer retention, Journal of Interactive Marketing 21(1); residual
value: Fader & Hardie (2010), Marketing Science 29(1). At each renewal a customer leaves with probability
theta ~ Beta(alpha, beta), his own and constant; a cohort's retention rises because ready leavers go first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.lifetime.fitting import Fit, Likelihood, Parametric, concluded, in_logs, maximise, no_fit
from metrics.lifetime.history import YEAR_DAYS
from metrics.lifetime.quadrature import Array, array, beta_mean, log_rising
from metrics.reasons import Estimate, Reason

_CHURN = "how customers differ in their churn"
_FEWEST: Final = 5
_PERIOD_DAYS: Final = {"week": 7.0, "month": YEAR_DAYS / 12, "quarter": YEAR_DAYS / 4, "year": YEAR_DAYS}


@dataclass(frozen=True)
class ShiftedBetaGeometric(Parametric):
    """sBG with `alpha`, `beta` of the probability to leave at a renewal; renewals count from 1."""

    alpha: float
    beta: float

    title: ClassVar[str] = "sBG"
    meanings: ClassVar = {"alpha": _CHURN, "beta": _CHURN}

    @classmethod
    def fit(cls, contracts: pl.DataFrame, start: Array | None = None) -> Fit[Self]:
        """Maximum likelihood from `periods`, `ended` and optionally `customers` (a weight).

        A contract that ended was not renewed at renewal number `periods` (1 or more); one that did not
        end has been renewed `periods` times (0 or more) and is still there.
        """
        weighted = "customers" in contracts.columns
        w = array(contracts["customers"].to_numpy()) if weighted else np.ones(len(contracts))
        periods, ended = contracts["periods"].to_numpy().astype(np.intp), contracts["ended"].to_numpy()
        reason = _unusable(periods, ended, w)
        if reason:
            return no_fit(reason, float(w.sum()))
        top = int(periods.max())
        lost = np.bincount(periods[ended], w[ended], top + 1)
        kept = np.bincount(periods[~ended], w[~ended], top + 1)
        first = np.zeros(2) if start is None else np.log(array(start))
        optimum = maximise(in_logs(cls._likelihood(array(lost), array(kept))), first, float(w.sum()))
        return concluded(optimum, cls.coordinates(), float(w.sum()))

    @staticmethod
    def _likelihood(lost: Array, kept: Array) -> Likelihood:
        """P(leaves at t) = alpha (beta)_(t-1) / (alpha+beta)_t; S(t) = (beta)_t / (alpha+beta)_t."""
        top = len(lost) - 1
        through = kept + np.append(lost[1:], 0.0)  # customers whose term holds (beta)_t
        ended = lost.sum()

        def likelihood(parameters: Array) -> tuple[float, Array]:
            alpha, beta = parameters.tolist()
            stay, d_stay = log_rising(beta, top)
            chance, d_chance = log_rising(alpha + beta, top)
            value = ended * np.log(alpha) + through @ stay - (lost + kept) @ chance
            common = (lost + kept) @ d_chance
            return float(value), array([ended / alpha - common, through @ d_stay - common])

        return likelihood

    def log_likelihood(self, lost: Sequence[float], active: float) -> float:
        """Of one cohort: `lost` customers at renewals 1, 2, ..., and `active` after the last of these."""
        losses = np.concatenate([[0.0], array(lost)])
        kept = np.zeros(len(losses))
        kept[-1] = active
        return self._likelihood(losses, kept)(self.parameters)[0]

    def survival(self, periods: int) -> Array:
        """S(0) ... S(periods): the share of a cohort still there after each renewal."""
        return np.exp(log_rising(self.beta, periods)[0] - log_rising(self.alpha + self.beta, periods)[0])

    def retention(self, periods: int) -> Array:
        """r(1) ... r(periods): the share renewed at each renewal, (beta+t-1)/(alpha+beta+t-1)."""
        t = np.arange(1, periods + 1)
        return array((self.beta + t - 1.0) / (self.alpha + self.beta + t - 1.0))

    def expected_lifetime(self, discount: float) -> Estimate:
        """DEL: expected number of periods paid for, the first included, discounted at `discount` a period."""
        return self._lifetime(discount, 0.0, 1.0)

    def residual_lifetime(self, renewals: int, discount: float) -> Estimate:
        """DERL of a customer with `renewals` renewals behind him, just before the next.

        (beta+n-1)/(alpha+beta+n-1) 2F1(1, beta+n; alpha+beta+n; 1/(1+d)) with n = renewals + 1.
        """
        stay = (self.beta + renewals) / (self.alpha + self.beta + renewals)
        return self._lifetime(discount, renewals + 1.0, stay)

    def retention_elasticity(self, renewals: int, discount: float) -> Estimate:
        """Percent by which residual lifetime rises with one percent more retention, just after a renewal.

        E[(1+d)/(d+theta)] among customers renewed `renewals` times.
        """
        return self._lifetime(discount, float(renewals), 1.0)

    def _lifetime(self, discount: float, survived: float, factor: float) -> Estimate:
        if discount < 0:
            text = "The discount rate is negative. Give a rate of zero or more per period"
            return Estimate(None, Reason("negative_discount", text))
        if discount == 0 and self.alpha <= 1:
            text = "Without discounting this lifetime has no end. Set a discount rate above zero"
            return Estimate(None, Reason("no_end", text))
        if discount == 0:
            return Estimate(factor * (self.alpha + self.beta + survived - 1.0) / (self.alpha - 1.0))
        paid = beta_mean(
            lambda theta: (1.0 + discount) / (discount + theta), self.alpha, self.beta + survived
        )
        return Estimate(factor * float(paid))


def cohort_contracts(survivors: Sequence[float]) -> pl.DataFrame:
    """Contracts from counts of a cohort at periods 0, 1, 2, ...: the losses, and who is left at the end."""
    counts = array(survivors)
    last = len(counts) - 1
    return pl.DataFrame(
        {
            "periods": [*range(1, last + 1), last],
            "ended": [True] * last + [False],
            "customers": [*(counts[:-1] - counts[1:]).tolist(), float(counts[-1])],
        }
    )


def _unusable(periods: NDArray[np.intp], ended: NDArray[np.bool_], weight: Array) -> Reason | None:
    if not len(periods) or weight.sum() == 0:
        return Reason("no_contracts", "There are no contracts. Check the filters and the as-of date")
    if periods.min() < 0 or (ended & (periods < 1)).any() or weight.min() < 0:
        text = "A contract ended before its first renewal, or a count rises. Count renewals of each contract"
        return Reason("impossible_history", text)
    if not weight[ended].sum():
        return Reason("no_losses", "No contract has ended yet. Retention of 100 % cannot be projected")
    if len(np.unique(periods[ended & (weight > 0)])) < 2 and not weight[~ended].sum():
        text = "All contracts ended at the same renewal. Without differences there is nothing to project"
        return Reason("identical_customers", text)
    return None


def contract_renewals(contracts: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Contracts as `fit` takes them, from `subscription_id`, `started_on`, `ended_on`, `billing_period`.

    Rows of one subscription (its plans) are one contract, from the first start to the last end, which runs on
    while one row does. `periods`: one that ended was not renewed at the end of so many billing periods
    (rounded, 1 at least); one that runs has been renewed so many times. Contracts that begin after `as_of`
    are left out. `subscription_id`, `periods`, `ended`, sorted by id.
    """
    last = pl.col("ended_on")
    whole = (
        contracts.filter(pl.col("started_on") <= as_of)
        .group_by("subscription_id")
        .agg(
            pl.col("started_on").min(),
            pl.when(last.is_null().any()).then(None).otherwise(last.max()).alias("ended_on"),
            pl.col("billing_period").sort_by("started_on").last().cast(pl.String),
        )
        .sort("subscription_id")
    )
    ended = pl.col("ended_on").is_not_null() & (pl.col("ended_on") <= as_of)
    days = (pl.when(ended).then("ended_on").otherwise(pl.lit(as_of)) - pl.col("started_on")).dt.total_days()
    lived = days / pl.col("billing_period").replace_strict(_PERIOD_DAYS, return_dtype=pl.Float64)
    periods = pl.when(ended).then(lived.round().clip(lower_bound=1)).otherwise(lived.floor())
    return whole.select("subscription_id", periods.cast(pl.Int64).alias("periods"), ended.alias("ended"))


def observed_survival(contracts: pl.DataFrame) -> Array:
    """S(0), S(1), ...: the share there after each renewal, by Kaplan & Meier, as far as five were at it.

    Takes `periods` and `ended` of each contract.
    """
    periods, ended = contracts["periods"].to_numpy(), contracts["ended"].to_numpy()
    top = int(periods.max()) if len(periods) else 0
    lost = np.bincount(periods[ended], minlength=top + 1)
    facing = np.bincount(periods, minlength=top + 1)[::-1].cumsum()[::-1]
    seen = int((facing[1:] >= _FEWEST).sum())
    return np.append(1.0, np.cumprod(1.0 - lost[1 : seen + 1] / facing[1 : seen + 1]))
