"""BG/BB: in each period a living customer orders or not; before each period he may leave for good.

Fader, Hardie & Shang (2010), Customer-base analysis in a discrete-time noncontractual setting, Marketing
Science 29(6). For occasions that come at set times: yearly donations, events, monthly boxes. A living
customer orders in a period with probability p ~ Beta(alpha, beta), and leaves before it with probability
theta ~ Beta(gamma, delta).

Times are rounded to whole numbers of periods: x periods with an order, t_x the last of these, T periods seen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln

from metrics.lifetime.bgnbd import LEAVING, RATES
from metrics.lifetime.fitting import Fit, Likelihood
from metrics.lifetime.history import Rows
from metrics.lifetime.model import PurchaseModel
from metrics.lifetime.quadrature import Array, Real, array, beta_mean, log_rising
from metrics.reasons import Estimate

Counts: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True)
class BGBB(PurchaseModel):
    """BG/BB with `alpha`, `beta` of the probability to order and `gamma`, `delta` of that to leave."""

    alpha: Real
    beta: Real
    gamma: Real
    delta: Real

    title: ClassVar[str] = "BG/BB"
    timed: ClassVar = ()
    meanings: ClassVar = {"alpha": RATES, "beta": RATES, "gamma": LEAVING, "delta": LEAVING}

    @classmethod
    def _likelihood(cls, rows: Rows) -> Likelihood:
        """The log-likelihood as a function of (alpha, beta, gamma, delta).

        A sum over the last period m = t_x ... T in which the customer was alive: all terms are products of
        rising factorials, looked up in tables over the number of periods.
        """
        x, lived, gone = _lives(rows.x, rows.t_x, rows.T)
        top, w = round(rows.T.max()), rows.weight

        def likelihood(parameters: Array) -> tuple[float, Array]:
            alpha, beta, gamma, delta = parameters.tolist()
            tables = [log_rising(c, top + 1) for c in (alpha, beta, alpha + beta, delta, gamma + delta)]
            (buy, d_buy), (skip, d_skip), (both, d_both), (stay, d_stay), (chance, d_chance) = tables
            idle, chances = np.maximum(lived - x, 0), np.minimum(lived + gone, top + 1)
            terms = buy[x] + skip[idle] - both[lived] + stay[lived] - chance[chances] + gone * np.log(gamma)
            terms = np.where(gone >= 0, terms, -np.inf)
            peak = terms.max(axis=1, keepdims=True)
            share = np.exp(terms - peak)
            total = share.sum(axis=1, keepdims=True)
            share *= w[:, None] / total
            common = d_both[lived]
            leaving = d_chance[chances]
            slopes = (
                d_buy[x] - common,
                d_skip[idle] - common,
                gone / gamma - leaving,
                d_stay[lived] - leaving,
            )
            value = w @ (np.log(total) + peak)[:, 0]
            return float(value), array([np.einsum("ij,ij", share, slope) for slope in slopes])

        return likelihood

    def p_alive(self, x: Array, t_x: Array, T: Array) -> Array:
        """P(alive in period T | history); `p_alive_later(1, ...)` is the paper's P(alive in period T + 1)."""
        x, t_x, T = np.broadcast_arrays(*map(np.atleast_1d, map(array, (x, t_x, T))))
        counts, lived, gone = _lives(x, t_x, T)
        alpha, beta, gamma, delta = (np.reshape(getattr(self, name), (-1, 1)) for name in self.names())
        orders = betaln(alpha + counts, beta + np.maximum(lived - counts, 0))
        terms = np.where(gone >= 0, orders + betaln(gamma + np.maximum(gone, 0), delta + lived), -np.inf)
        weights = np.exp(terms - terms.max(axis=1, keepdims=True))
        return array((weights * (gone == 0)).sum(axis=1) / weights.sum(axis=1))

    def posterior(self, x: Array, T: Array) -> PurchaseModel:
        """BG/BB with alpha + x, beta + T - x, gamma, delta + T."""
        x, T = np.rint(x), np.rint(T)
        return BGBB(self.alpha + x, self.beta + T - x, self.gamma, self.delta + T)

    def expected_purchases(self, t: Real) -> Array:
        """E[p] times the sum of S(1) ... S(t)."""
        return self._mean_p * self._periods_alive(t, lambda period: 1.0)

    def variance(self, t: Real) -> Array:
        """From E[X(X-1)] = E[p^2] times the sum of 2 (m-1) S(m)."""
        square = self._mean_p * (self.alpha + 1.0) / (self.alpha + self.beta + 1.0)
        mean = self.expected_purchases(t)
        return array(square * self._periods_alive(t, lambda period: 2.0 * (period - 1.0)) + mean - mean**2)

    @property
    def _mean_p(self) -> Array:
        return array(self.alpha / (self.alpha + self.beta))

    def _periods_alive(self, t: Real, value: Callable[[int], float]) -> Array:
        """The sum over periods 1 ... t of value(period) P(alive in it)."""
        t, gamma, delta = np.broadcast_arrays(np.rint(t), *map(array, (self.gamma, self.delta)))
        alive, total = np.ones(t.shape), np.zeros(t.shape)
        for period in range(1, int(t.max(initial=0.0)) + 1):
            alive = alive * (delta + period - 1.0) / (gamma + delta + period - 1.0)
            total = total + np.where(t >= period, value(period) * alive, 0.0)
        return total

    def pmf(self, n: Real, t: Real) -> Array:
        """P(n periods with an order among the next t): over the last period alive, binomial given p."""
        n, t = np.broadcast_arrays(array(n), np.rint(t))
        total = np.zeros(())
        for lived in range(int(t.max(initial=0.0)) + 1):
            idle = np.maximum(lived - n, 0.0)
            ways = gammaln(lived + 1.0) - gammaln(np.minimum(n, lived) + 1.0) - gammaln(idle + 1.0)
            orders = betaln(self.alpha + n, self.beta + idle) - betaln(self.alpha, self.beta)
            life = betaln(self.gamma + (lived < t), self.delta + lived) - betaln(self.gamma, self.delta)
            total = total + np.where((n <= lived) & (lived <= t), np.exp(ways + orders + life), 0.0)
        return array(total)

    def survival(self, t: Real) -> Array:
        """S(t) = B(gamma, delta + t) / B(gamma, delta)."""
        lived = self.delta + np.rint(t)
        return array(np.exp(betaln(self.gamma, lived) - betaln(self.gamma, self.delta)))

    def discounted_purchases(self, delta: float) -> Array:
        """E[p] times E over theta of the sum of ((1-theta) exp(-delta))^t over t = 1, 2, ..."""
        stay = float(np.exp(-delta))
        if delta == 0:
            ends = array(self.gamma) > 1
            mean = np.where(ends, self.delta / np.where(ends, self.gamma - 1.0, 1.0), np.inf)
            return array(self._mean_p * mean)

        def periods(theta: Array) -> Array:
            return array(stay * (1.0 - theta) / (1.0 - stay * (1.0 - theta)))

        return array(self._mean_p * beta_mean(periods, self.gamma, self.delta))

    def median_wait(self) -> Array:
        """The first period by which half of the staying customers have ordered; inf beyond 1,000."""
        alpha, beta = (array(part) for part in np.broadcast_arrays(self.alpha, self.beta))
        quiet, wait = np.ones(alpha.shape), np.full(alpha.shape, np.inf)
        for period in range(1, 1001):
            quiet = quiet * (beta + period - 1.0) / (alpha + beta + period - 1.0)
            wait = np.where(np.isinf(wait) & (quiet <= 0.5), float(period), wait)
        return array(wait)

    def simulate(self, rng: np.random.Generator, t: float, size: tuple[int, ...]) -> Array:
        """Binomial counts over the periods alive among the next t."""
        p = rng.beta(np.broadcast_to(self.alpha, size), self.beta)
        theta = np.maximum(rng.beta(np.broadcast_to(self.gamma, size), self.delta), 1e-12)
        return array(rng.binomial(np.minimum(rng.geometric(theta) - 1, round(t)), p))


def chances(fit: Fit[BGBB], draws: int = 1000) -> tuple[Estimate, Estimate]:
    """The mean chance of a new customer to order in a period while there, and that to leave before one.

    alpha / (alpha + beta) and gamma / (gamma + delta), with 95 % intervals from the estimator's normal
    approximation; no interval where parameters cannot be told apart.
    """
    if fit.model is None:
        return Estimate(None, fit.reason), Estimate(None, fit.reason)
    told = fit.draws(draws, seed=0) if fit.status == "converged" else []
    return _mean_chance(fit.model, told, "alpha", "beta"), _mean_chance(fit.model, told, "gamma", "delta")


def _mean_chance(model: BGBB, told: list[BGBB], yes: str, no: str) -> Estimate:
    mean, *drawn = (getattr(each, yes) / (getattr(each, yes) + getattr(each, no)) for each in (model, *told))
    lower, upper = np.quantile(drawn, [0.025, 0.975]).tolist() if drawn else (None, None)
    return Estimate(float(mean), None, lower, upper)


def _lives(x: Array, t_x: Array, T: Array) -> tuple[Counts, Counts, Counts]:
    """For each history x, and a row of possible lives: the last period alive, and how it ended.

    1 for left after that period, 0 for still alive at T, -1 beyond the end of the row.
    """
    count, last, seen = (np.rint(part).astype(np.intp)[:, None] for part in (x, t_x, T))
    lived = last + np.arange((seen - last).max(initial=0) + 1)
    return count, np.minimum(lived, seen), np.sign(seen - lived)
