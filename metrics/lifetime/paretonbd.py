"""Pareto/NBD: orders come at random, and the customer may leave for good at any moment.

Schmittlein, Morrison & Colombo (1987), Management Science 33(1). While alive a customer orders at rate
lambda ~ Gamma(r, alpha) and leaves at rate mu ~ Gamma(s, beta).
"""

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from scipy.special import exprel, gammaln

from metrics.lifetime.bgnbd import LEAVING, RATES
from metrics.lifetime.fitting import Likelihood
from metrics.lifetime.history import Rows
from metrics.lifetime.model import PurchaseModel
from metrics.lifetime.quadrature import Array, Real, array, discounting, legendre, log_rising, softplus

_NODES: Final = 24
_BLOCK: Final = 512  # rows at once: a block of nodes stays in the processor's cache
_CUT: Final = 45.0  # the integrand is followed until it has fallen by exp(-45)


@dataclass(frozen=True)
class ParetoNBD(PurchaseModel):
    """Pareto/NBD with `r`, `alpha` of the order rates and `s`, `beta` of the rates of leaving."""

    r: Real
    alpha: Real
    s: Real
    beta: Real

    title: ClassVar[str] = "Pareto/NBD"
    timed: ClassVar = ("alpha", "beta")
    meanings: ClassVar = {"r": RATES, "alpha": RATES, "s": LEAVING, "beta": LEAVING}

    @classmethod
    def _likelihood(cls, rows: Rows) -> Likelihood:
        """The log-likelihood as a function of (r, alpha, s, beta): (r)_x alpha^r beta^s times `bracket`."""
        count, w, size = rows.x.astype(np.intp), rows.weight, rows.customers
        by_count = np.bincount(count, w)

        def likelihood(parameters: Array) -> tuple[float, Array]:
            r, alpha, s, beta = parameters.tolist()
            rate, d_rate = log_rising(r, int(count[-1]))
            value = by_count @ rate + size * (r * np.log(alpha) + s * np.log(beta))
            gradient = size * array([np.log(alpha), r / alpha, np.log(beta), s / beta])
            gradient[0] += by_count @ d_rate
            for at in blocks(len(rows)):
                log_l, slopes, _ = bracket(r, alpha, s, beta, rows.x[at], rows.t_x[at], rows.T[at])
                value += w[at] @ log_l
                gradient += slopes @ w[at]
            return float(value), gradient

        return likelihood

    def p_alive(self, x: Array, t_x: Array, T: Array) -> Array:
        """The share of the likelihood in which the customer is alive at T."""
        given = (self.r, self.alpha, self.s, self.beta, x, t_x, T)
        parts = [array(part) for part in np.broadcast_arrays(*map(np.atleast_1d, given))]
        return np.concatenate([bracket(*(part[at] for part in parts))[2] for at in blocks(len(parts[0]))])

    def posterior(self, x: Array, T: Array) -> PurchaseModel:
        """Pareto/NBD with r + x, alpha + T, s, beta + T."""
        return ParetoNBD(self.r + array(x), self.alpha + array(T), self.s, self.beta + array(T))

    def expected_purchases(self, t: Real) -> Array:
        """E[lambda] E[time alive] = r beta / (alpha (s-1)) [1 - (beta/(beta+t))^(s-1)]; s may be 1."""
        return array(self.r * self.beta / self.alpha * self._time(t, 1.0))

    def variance(self, t: Real) -> Array:
        """From E[X(X-1)] = E[lambda^2] E[tau^2], tau the time alive within t."""
        mean = self.expected_purchases(t)
        squares = 2.0 * array(self.beta) ** 2 * (self._time(t, 2.0) - self._time(t, 1.0))
        return array(self.r * (self.r + 1.0) / array(self.alpha) ** 2 * squares + mean - mean**2)

    def _time(self, t: Real, power: float) -> Array:
        """The integral of (1+v)^(power-1-s) over v from 0 to t/beta."""
        log_t = np.log1p(array(t) / self.beta)
        return array(log_t * exprel((power - self.s) * log_t))

    def pmf(self, n: Real, t: Real) -> Array:
        """P(n orders and alive at t) + the integral over the time of leaving of P(n orders before it)."""
        given = map(array, (n, t, self.r, self.alpha, self.s, self.beta))
        n, t, r, alpha, s, beta = np.broadcast_arrays(*given)
        nodes, weights = legendre(96)
        low = np.minimum(alpha, beta)
        width = np.log1p(t / low)
        grid = low[..., None] * np.exp(width[..., None] * nodes)  # low + time of leaving
        u = np.maximum(grid - low[..., None], 0.0)
        alive = _orders(n, r, alpha, t) * (beta / (beta + t)) ** s
        density = (s / beta)[..., None] * (1.0 + u / beta[..., None]) ** -(s[..., None] + 1.0)
        before = _orders(n[..., None], r[..., None], alpha[..., None], u) * density * grid
        return array(alive + width * (before @ weights))

    def survival(self, t: Real) -> Array:
        """(beta/(beta+t))^s."""
        return array((self.beta / (self.beta + array(t))) ** self.s)

    def discounted_purchases(self, delta: float) -> Array:
        """(r/alpha) times the integral of exp(-delta t) (beta/(beta+t))^s; Tricomi's U in the papers."""
        given = map(np.atleast_1d, (self.r, self.alpha, self.s, self.beta))
        r, alpha, s, beta = (array(part) for part in np.broadcast_arrays(*given))
        if delta == 0:
            return np.where(s > 1, r * beta / alpha / np.where(s > 1, s - 1, 1.0), np.inf)
        lasting = discounting(lambda shape, w: np.exp(-np.outer(shape, w)), s[None, :], delta * beta)
        return array(r * beta / alpha * lasting)

    def median_wait(self) -> Array:
        """Half of the staying customers have ordered by alpha (2^(1/r) - 1): their waiting time is Lomax."""
        return array(self.alpha * np.expm1(np.minimum(np.log(2.0) / self.r, 600.0)))

    def simulate(self, rng: np.random.Generator, t: float, size: tuple[int, ...]) -> Array:
        """Poisson counts at rate lambda over the time alive within t."""
        rate = rng.gamma(np.broadcast_to(self.r, size)) / self.alpha
        leaving = np.maximum(rng.gamma(np.broadcast_to(self.s, size)) / self.beta, 1e-300)
        return array(rng.poisson(rate * np.minimum(rng.exponential(size=size) / leaving, t)))


def _orders(n: Array, r: Array, alpha: Array, t: Array) -> Array:
    """P(n orders within t) of a customer who stays: negative binomial."""
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.where(n > 0, n * np.log(t / (alpha + t)), 0.0)
    return array(np.exp(gammaln(r + n) - gammaln(r) - gammaln(n + 1.0) - r * np.log1p(t / alpha) + power))


def blocks(n: int) -> list[slice]:
    """Slices that cover 0..n, at least one."""
    return [slice(start, min(start + _BLOCK, n)) for start in range(0, max(n, 1), _BLOCK)]


def bracket(
    r: Real, alpha: Real, s: Real, beta: Real, x: Array, t_x: Array, T: Array
) -> tuple[Array, Array, Array]:
    """What mixes alive and gone in the likelihood: its log, slopes by (r, alpha, s, beta), share alive.

    (alpha+T)^-(r+x) (beta+T)^-s + s * integral from t_x to T of (alpha+y)^-(r+x) (beta+y)^-(s+1) dy,
    the integral by Gauss-Legendre in log(min(alpha, beta) + y), where the integrand is smooth whatever the
    parameters, over the part of the range where it matters. Differentiated under the integral.
    """
    nodes, weights = legendre(_NODES)
    orders = r + x
    low = np.minimum(alpha, beta)
    end = np.minimum(T, (alpha + t_x) * np.exp(np.minimum(_CUT / orders, 600.0)) - alpha)
    end = np.maximum(np.minimum(end, (beta + t_x) * np.exp(np.minimum(_CUT / (s + 1.0), 600.0)) - beta), t_x)
    start = np.log(low + t_x)
    width = np.log(low + end) - start
    log_low = start[:, None] + width[:, None] * nodes
    grid = np.exp(log_low)
    buying, leaving = grid + _column(alpha - low), grid + _column(beta - low)
    log_buying, log_leaving = np.log(buying), np.log(leaving)
    log_start = -orders * np.log(alpha + t_x) - (s + 1.0) * np.log(beta + t_x)
    density = log_low - log_start[:, None]
    density -= orders[:, None] * log_buying
    density -= _column(s + 1.0) * log_leaving
    np.exp(density, out=density)
    density *= weights
    total = density.sum(axis=1)
    log_age, log_gone_age = np.log(alpha + T), np.log(beta + T)
    log_alive = -orders * log_age - s * log_gone_age
    with np.errstate(divide="ignore"):
        more, gone = softplus(np.log(s * width * total) + log_start - log_alive)
    alive = 1.0 - gone
    # The means are scaled last: scaled densities would be subnormal numbers, which processors handle slowly.
    scale = gone / np.maximum(total, 1e-300)
    slopes = np.stack(
        [
            -alive * log_age - scale * _dot(density, log_buying),
            -orders * (alive / (alpha + T) + scale * _dot(density, 1.0 / buying)),
            -alive * log_gone_age + gone / s - scale * _dot(density, log_leaving),
            -alive * s / (beta + T) - (s + 1.0) * scale * _dot(density, 1.0 / leaving),
        ]
    )
    return log_alive + more, slopes, alive


def _column(values: Real) -> Array:
    return np.reshape(values, (-1, 1))


def _dot(left: Array, right: Array) -> Array:
    return array(np.einsum("ij,ij->i", left, right))
