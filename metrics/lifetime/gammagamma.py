"""Gamma-Gamma: what a customer spends per order, shrunk to what customers like him spend.

Fader & Hardie (2013), note 025, after Colombo & Jiang (1999). The amounts of one customer are Gamma(p, nu),
his rate nu ~ Gamma(q, v), independent of how often he orders (`independence` tests that).
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import polars as pl
from scipy.special import digamma, gammaln, ndtri

from metrics.lifetime.fitting import Fit, Likelihood, Parametric, concluded, in_logs, maximise, no_fit
from metrics.lifetime.quadrature import Array, Real, array
from metrics.reasons import Estimate, Reason

_ORDERS = "how an order varies around the customer's mean"
_PEOPLE = "how customers differ in what they spend"


@dataclass(frozen=True)
class GammaGamma(Parametric):
    """Gamma-Gamma with shape `p` of an order, shape `q` and rate `v` of the customers' rates.

    A customer with x orders of mean m (in money) has the posterior rate Gamma(p x + q, v + x m).
    """

    p: Real
    q: Real
    v: Real

    title: ClassVar[str] = "Gamma-Gamma"
    meanings: ClassVar = {"p": _ORDERS, "q": _PEOPLE, "v": _PEOPLE}

    @classmethod
    def fit(cls, histories: pl.DataFrame, start: Array | None = None) -> Fit[Self]:
        """Maximum likelihood over customers with counted orders and a positive mean spend.

        Takes `frequency` and `mean_spend` of a frame of histories. Customers without a counted order say
        nothing here; those whose mean is zero or negative are outside the model: both are in `excluded`.
        """
        repeaters = histories.filter(pl.col("frequency") > 0)
        used = repeaters.filter(pl.col("mean_spend").is_finite() & (pl.col("mean_spend") > 0))
        excluded = {
            "no_repeat_orders": len(histories) - len(repeaters),
            "no_positive_spend": len(repeaters) - len(used),
        }
        reason = _unusable(repeaters, used)
        if reason:
            return no_fit(reason, len(used), excluded)
        x, m = array(used["frequency"].to_numpy()), array(used["mean_spend"].to_numpy())
        return cls._fitted(x, m, start, excluded)

    @classmethod
    def _fitted(cls, x: Array, m: Array, start: Array | None, excluded: dict[str, int]) -> Fit[Self]:
        scale = 1.0 / float(np.median(m))
        shift = np.array([0.0, 0.0, np.log(scale)])
        first = np.zeros(3) if start is None else np.log(array(start)) + shift
        optimum = maximise(in_logs(cls._likelihood(x, m * scale)), first, len(x))
        offset = float(len(x) * np.log(scale))
        fit = concluded(optimum, cls.coordinates(), len(x), shift=shift, offset=offset, excluded=excluded)
        if fit.status == "converged" and fit.estimates["q"] <= 1:
            text = "A few customers spend so much that the mean has no end (q <= 1). Check the largest orders"
            return replace(fit, status="not identified", message=text, reason=Reason("infinite_mean", text))
        return fit

    @staticmethod
    def _likelihood(x: Array, m: Array) -> Likelihood:
        """The density of the means: gamma functions once for each x, one log a customer.

        G(px+q)/(G(px) G(q)) v^q m^(px-1) x^(px) / (v + x m)^(px+q).
        """
        counts, code = np.unique(x, return_inverse=True)
        by_count = np.bincount(code).astype(np.float64)
        total = x * m
        log_m, x_log = float(np.log(m).sum()), float((x * np.log(total)).sum())

        def likelihood(parameters: Array) -> tuple[float, Array]:
            p, q, v = parameters.tolist()
            shape = p * counts
            sums = np.log(v + total)
            all_sums, x_sums = float(sums.sum()), float(np.einsum("i,i", x, sums))
            inverse = 1.0 / (v + total)
            value = by_count @ (gammaln(shape + q) - gammaln(shape)) - len(x) * (gammaln(q) - q * np.log(v))
            both = digamma(shape + q)
            gradient = (
                by_count @ (counts * (both - digamma(shape))) + x_log - x_sums,
                by_count @ both - len(x) * (digamma(q) - np.log(v)) - all_sums,
                len(x) * q / v - p * float(np.einsum("i,i", x, inverse)) - q * float(inverse.sum()),
            )
            return float(value + p * x_log - log_m - p * x_sums - q * all_sums), array(gradient)

        return likelihood

    def log_likelihood(self, x: Array, m: Array) -> float:
        """Log-likelihood of customers with x orders of mean m > 0."""
        return self._likelihood(array(x), array(m))(self.parameters)[0]

    @property
    def population_mean(self) -> float:
        """Mean spend of a customer of whom nothing is known: p v / (q - 1); infinite for q <= 1."""
        return float(self.p * self.v / (self.q - 1.0)) if self.q > 1 else np.inf

    def expected_spend(self, x: Array, m: Array) -> Array:
        """E[mean spend | x orders of mean m] = p (v + x m) / (p x + q - 1); x = 0 gives the population mean.

        A missing or negative m counts as 0: the customer's orders happened, their money came back.
        """
        shape, rate = self._rates(x, m)
        return np.where(shape > 1, self.p * rate / np.where(shape > 1, shape - 1.0, 1.0), np.inf)

    def moments(self, x: Array, m: Array) -> tuple[Array, Array, Array]:
        """Of the amount of a coming order: E[z], E[z]^2 averaged over the customer's mean, and mean variance.

        With the mean zeta = p / nu: E[zeta], E[zeta^2] and E[zeta^2] / p; infinite where p x + q <= 2.
        """
        shape, rate = self._rates(x, m)
        known = shape > 2
        square = np.where(known, rate**2 / np.where(known, (shape - 1.0) * (shape - 2.0), 1.0), np.inf)
        return self.expected_spend(x, m), self.p**2 * square, self.p * square

    def simulate(self, rng: np.random.Generator, orders: Array, x: Array, m: Array) -> Array:
        """Drawn totals of the given numbers of coming orders."""
        shape, rate = self._rates(x, m)
        nu = rng.gamma(np.broadcast_to(shape, orders.shape)) / rate
        return array(rng.gamma(self.p * orders) / nu)

    def _rates(self, x: Array, m: Array) -> tuple[Array, Array]:
        x, m = array(x), array(m)
        spend = np.where(np.isfinite(m) & (x > 0), np.maximum(m, 0.0), 0.0)
        return self.p * x + self.q, self.v + x * spend


def _unusable(repeaters: pl.DataFrame, used: pl.DataFrame) -> Reason | None:
    if repeaters.is_empty():
        text = "No customer has ordered on a second day. There is no repeat spending to learn from yet"
        return Reason("no_repeat_buyers", text)
    if used.is_empty():
        text = "No repeat buyer has a positive mean spend. Check the sign of amounts and the returns"
        return Reason("no_positive_spend", text)
    if len(used) < 3 or used["mean_spend"].n_unique() == 1:
        text = "All repeat buyers spend the same. Without differences there is nothing to shrink"
        return Reason("identical_customers", text)
    return None


def independence(histories: pl.DataFrame, level: float = 0.95) -> Estimate:
    """Rank correlation (Spearman) of frequency and mean spend among repeat buyers, with its interval.

    Gamma-Gamma takes it to be zero. The interval is Fisher's with the variance (1 + rho^2/2) / (n - 3) of
    Bonett & Wright (2000). Fewer than ten repeat buyers, or no variation: a reason.
    """
    used = histories.filter((pl.col("frequency") > 0) & (pl.col("mean_spend") > 0))
    n = len(used)
    rho = used.select(pl.corr("frequency", "mean_spend", method="spearman")).item() if n >= 10 else None
    if rho is None or not np.isfinite(rho):
        text = "Too few repeat buyers who differ to test whether spend depends on frequency. Add history"
        return Estimate(None, Reason("too_few_repeat_buyers", text))
    spread = float(ndtri(0.5 + level / 2) * np.sqrt((1 + rho**2 / 2) / (n - 3)))
    centre = np.arctanh(np.clip(rho, -0.999999, 0.999999))
    lower, upper = np.tanh([centre - spread, centre + spread]).tolist()
    if lower <= 0 <= upper:
        return Estimate(rho, None, lower, upper)
    text = (
        f"Customers who order more often spend {'more' if rho > 0 else 'less'} per order "
        f"(rank correlation {rho:.2f}). "
        "Gamma-Gamma assumes no such link: read values by frequency with care"
    )
    return Estimate(rho, Reason("spend_depends_on_frequency", text), lower, upper)
