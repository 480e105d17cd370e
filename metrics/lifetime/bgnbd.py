"""BG/NBD: orders come at random, and after each order the customer may leave for good.

Fader, Hardie & Lee (2005), "Counting your customers" the easy way, Marketing Science 24(2). While alive a
customer orders at rate lambda ~ Gamma(r, alpha); after each repeat order he leaves with probability
p ~ Beta(a, b). Who has not come back yet has had no chance to leave: P(alive) = 1, however long ago that was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import betainc, betaln, gammaln

from metrics.lifetime.fitting import Likelihood
from metrics.lifetime.history import Rows
from metrics.lifetime.model import PurchaseModel
from metrics.lifetime.quadrature import Array, Real, array, beta_mean, discounting, log_rising, softplus

RATES = "how customers differ in how often they order"
LEAVING = "how customers differ in when they leave"


@dataclass(frozen=True)
class BGNBD(PurchaseModel):
    """BG/NBD with shape `r` and rate `alpha` of the order rates, and `a`, `b` of the probability to leave."""

    r: Real
    alpha: Real
    a: Real
    b: Real

    title: ClassVar[str] = "BG/NBD"
    timed: ClassVar = ("alpha",)
    meanings: ClassVar = {"r": RATES, "alpha": RATES, "a": LEAVING, "b": LEAVING}
    _earlier_chances: ClassVar[int] = 0  # to leave, before the first repeat order

    @classmethod
    def _likelihood(cls, rows: Rows) -> Likelihood:
        """The log-likelihood as a function of (r, alpha, a, b).

        With k chances to leave survived by a customer who is alive (k = x; in MBG/NBD k = x + 1):
        (r)_x alpha^r (b)_k / (a+b)_k (alpha+T)^-(r+x) [1 + a/(b+k-1) ((alpha+T)/(alpha+t_x))^(r+x)],
        the last term only for k > 0. (c)_k is the rising factorial; so everything but a few logs and one exp
        a row is a table over x.
        """
        w, earlier = rows.weight, cls._earlier_chances
        count = rows.x.astype(np.intp)
        top, size = int(count[-1]), rows.customers
        by_count = np.bincount(count, w)
        able = int(np.searchsorted(count, 1)) if not earlier else 0  # rows from here on may have left
        weight, x, t_x, age = (part[able:] for part in (w, rows.x, rows.t_x, rows.T))
        x_at = count[able:]

        def likelihood(parameters: Array) -> tuple[float, Array]:
            r, alpha, a, b = parameters.tolist()
            rate, d_rate = log_rising(r, top)
            stay, d_stay = (part[earlier:] for part in log_rising(b, top + earlier))
            chance, d_chance = (part[earlier:] for part in log_rising(a + b, top + earlier))
            last = b + np.arange(top + 1) + (earlier - 1.0)
            left = np.log(a / np.where(last > 0, last, 1.0))
            log_age, log_last = np.log(alpha + rows.T), np.log(alpha + t_x)
            gap = log_age[able:] - log_last
            more, gone = softplus(left[x_at] + (r + x) * gap)
            gone *= weight
            gone_by_count = np.bincount(x_at, gone, top + 1)
            alive = w * (r + rows.x)
            value = by_count @ (rate + stay - chance) + _dot(weight, more) - _dot(alive, log_age)
            later = _dot(gone * (r + x), 1.0 / (alpha + age) - 1.0 / (alpha + t_x))
            gradient = (
                by_count @ d_rate + size * np.log(alpha) - _dot(w, log_age) + _dot(gone, gap),
                size * r / alpha - _dot(alive, 1.0 / (alpha + rows.T)) + later,
                gone_by_count.sum() / a - by_count @ d_chance,
                by_count @ (d_stay - d_chance) - (gone_by_count / np.where(last > 0, last, np.inf)).sum(),
            )
            return float(value + size * r * np.log(alpha)), array(gradient)

        return likelihood

    def p_alive(self, x: Array, t_x: Array, T: Array) -> Array:
        """1 / (1 + a/(b+k-1) ((alpha+T)/(alpha+t_x))^(r+x)) with k chances to leave; 1 when k = 0."""
        chances = array(x) + self._earlier_chances
        ratio = np.log((self.alpha + array(T)) / (self.alpha + array(t_x)))
        last = np.where(chances > 0, self.b + chances - 1.0, np.inf)
        return np.exp(-softplus(np.log(self.a) - np.log(last) + (self.r + array(x)) * ratio)[0])

    def posterior(self, x: Array, T: Array) -> PurchaseModel:
        """BG/NBD with r + x, alpha + T, a, b + k: every chance to leave was survived."""
        survived = self.b + array(x) + self._earlier_chances
        return BGNBD(self.r + array(x), self.alpha + array(T), self.a, survived)

    def expected_purchases(self, t: Real) -> Array:
        """E over p of P(an order at rate lambda p within t) / p: the 2F1 of equation (9) of the paper."""

        def orders(p: Array, r: Array, y: Array) -> Array:
            return -np.expm1(-r * np.log1p(p * y)) / p

        return self._mean(orders, array(t) / self.alpha)

    def variance(self, t: Real) -> Array:
        """From E[X(X-1)] = E over p of 2 (1-p) P(at least two orders at rate lambda p within t) / p^2."""

        def pairs(p: Array, r: Array, y: Array) -> Array:
            z = p * y
            series = r * (r + 1.0) / 2.0 * y**2 * (1.0 - 2.0 * (r + 2.0) * z / 3.0)
            exact = betainc(2.0, r, z / (1.0 + z)) / p**2
            return array(2.0 * (1.0 - p) * np.where((r + 2.0) * z > 1e-4, exact, series))

        mean = self.expected_purchases(t)
        return self._mean(pairs, array(t) / self.alpha) + mean - mean**2

    def pmf(self, n: Real, t: Real) -> Array:
        """P(n orders and alive) + P(left with the n-th order): equation (8) of the paper."""
        n, t = np.broadcast_arrays(array(n), array(t))
        z, again = t / (self.alpha + t), np.maximum(n, 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            arrivals = np.where(n > 0, n * np.log(z), 0.0) + self.r * np.log1p(-z)
        orders = arrivals + gammaln(self.r + n) - gammaln(self.r) - gammaln(n + 1.0)
        staying = np.exp(betaln(self.a, self.b + n) - betaln(self.a, self.b) + orders)
        leaving = np.exp(betaln(self.a + 1.0, self.b + again - 1.0) - betaln(self.a, self.b))
        return array(staying + np.where(n > 0, leaving * betainc(again, self.r, z), 0.0))

    def survival(self, t: Real) -> Array:
        """E over p of (1 + p t / alpha)^-r."""
        return self._mean(lambda p, r, y: np.exp(-r * np.log1p(p * y)), array(t) / self.alpha)

    def discounted_purchases(self, delta: float) -> Array:
        """The integral of exp(-delta t) E[lambda exp(-lambda p t)] over t > 0; at delta = 0, E[1/p]."""
        r, alpha, a, b = np.broadcast_arrays(*map(array, (self.r, self.alpha, self.a, self.b)))
        if delta == 0:
            return np.where(a > 1, (a + b - 1) / np.where(a > 1, a - 1, 1.0), np.inf)

        def rate(shapes: Array, w: Array) -> Array:
            r, a, b = shapes[:, :, None]
            return BGNBD(r + 1.0, 1.0, a, b).survival(np.expm1(w))

        shapes = np.stack([part.ravel() for part in (r, a, b)])
        return array(r * discounting(rate, shapes, delta * alpha.ravel()).reshape(r.shape))

    def median_wait(self) -> Array:
        """Half of the staying customers have ordered by alpha (2^(1/r) - 1): their waiting time is Lomax."""
        return array(self.alpha * np.expm1(np.minimum(np.log(2.0) / self.r, 600.0)))

    def simulate(self, rng: np.random.Generator, t: float, size: tuple[int, ...]) -> Array:
        """The lesser of the orders at rate lambda within t and the number of the order that ends it."""
        rate = rng.gamma(np.broadcast_to(self.r, size)) / self.alpha
        leaving = np.maximum(rng.beta(np.broadcast_to(self.a, size), self.b), 1e-12)
        return array(np.minimum(rng.poisson(rate * t), rng.geometric(leaving)))

    def _mean(self, kernel: Callable[[Array, Array, Array], Array], y: Array) -> Array:
        """E of kernel(p, r, y) over p ~ Beta(a, b), for each entry of the parameters and y."""
        return beta_mean(kernel, self.a, self.b, self.r, y)


def _dot(left: Array, right: Array) -> float:
    # einsum, not BLAS: on long vectors BLAS starts threads that cost more than they bring.
    return float(np.einsum("i,i", left, right))
