"""What every purchase model can do, written once for all of them.

All of these models are conjugate: a customer who is still alive after x orders in T is a new customer of the
same family with updated parameters (`posterior`). So whatever is known of a new customer (expected orders,
their distribution, survival, discounted orders) holds for an old one after multiplying by P(alive).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Self

import numpy as np

from metrics.lifetime.fitting import Fit, Likelihood, Parametric, concluded, in_logs, maximise, no_fit
from metrics.lifetime.history import Rows, unusable
from metrics.lifetime.quadrature import Array, Real, array

_SPAN = 10.0  # the longest time during a search


class PurchaseModel(Parametric, ABC):
    """A model of when customers order and when they leave for good; time in any unit, the same throughout.

    A frozen dataclass of its parameters: numbers for a population, arrays for one entry a customer.
    Histories are arrays x (repeat orders), t_x (time of the last), T (time of observation).
    """

    timed: ClassVar[tuple[str, ...]]

    @classmethod
    @abstractmethod
    def _likelihood(cls, rows: Rows) -> Likelihood:
        """Log-likelihood of the rows and its gradient, as a function of the parameters."""

    @abstractmethod
    def p_alive(self, x: Array, t_x: Array, T: Array) -> Array:
        """P(alive at T | history)."""

    @abstractmethod
    def posterior(self, x: Array, T: Array) -> "PurchaseModel":
        """The model of customers with these histories who are alive at T, as from then on."""

    @abstractmethod
    def expected_purchases(self, t: Real) -> Array:
        """E[X(t)]: repeat orders of a new customer within t."""

    @abstractmethod
    def variance(self, t: Real) -> Array:
        """Var[X(t)] of a new customer."""

    @abstractmethod
    def pmf(self, n: Real, t: Real) -> Array:
        """P(X(t) = n) of a new customer."""

    @abstractmethod
    def survival(self, t: Real) -> Array:
        """P(alive after t) of a new customer."""

    @abstractmethod
    def discounted_purchases(self, delta: float) -> Array:
        """E of the sum of exp(-delta t) over all repeat orders of a new customer; inf when that diverges."""

    @abstractmethod
    def median_wait(self) -> Array:
        """Time within which half of the new customers who stay have ordered again."""

    @abstractmethod
    def simulate(self, rng: np.random.Generator, t: float, size: tuple[int, ...]) -> Array:
        """Counts of repeat orders within t, drawn; `size` must broadcast with the parameters."""

    @classmethod
    def fit(cls, rows: Rows, start: Array | None = None) -> Fit[Self]:
        """Maximum likelihood estimates, from parameters `start` (default: one, once times end at ten).

        Time is rescaled during the search so that the longest is ten; the result does not depend on the unit.
        Never raises on data: `status` and `message` say what went wrong.
        """
        reason = unusable(rows)
        if reason:
            return no_fit(reason, rows.customers)
        scale = _SPAN / rows.T.max() if cls.timed else 1.0
        shift = np.where([name in cls.timed for name in cls.names()], np.log(scale), 0.0)
        first = np.zeros(len(shift)) if start is None else np.log(array(start)) + shift
        optimum = maximise(in_logs(cls._likelihood(rows.scaled(scale))), first, rows.customers)
        offset = float((rows.weight * rows.x).sum() * np.log(scale)) if cls.timed else 0.0
        return concluded(optimum, cls.coordinates(), rows.customers, shift=shift, offset=offset)

    def log_likelihood(self, rows: Rows) -> float:
        """Log-likelihood of the rows under these parameters."""
        return self._likelihood(rows)(self.parameters)[0]

    def p_alive_later(self, t: float, x: Array, t_x: Array, T: Array) -> Array:
        """P(alive at T + t | history)."""
        return self.p_alive(x, t_x, T) * self.ahead(x, T, lambda model: model.survival(t))

    def conditional_expectation(self, t: float, x: Array, t_x: Array, T: Array) -> Array:
        """E[orders in (T, T + t] | history]."""
        return self.p_alive(x, t_x, T) * self.ahead(x, T, lambda model: model.expected_purchases(t))

    def conditional_variance(self, t: float, x: Array, t_x: Array, T: Array) -> Array:
        """Var[orders in (T, T + t] | history]."""
        alive, mean = self.p_alive(x, t_x, T), self.ahead(x, T, lambda model: model.expected_purchases(t))
        return alive * self.ahead(x, T, lambda model: model.variance(t)) + alive * (1.0 - alive) * mean**2

    def conditional_pmf(self, n: int, t: float, x: Array, t_x: Array, T: Array) -> Array:
        """P(n orders in (T, T + t] | history)."""
        alive = self.p_alive(x, t_x, T)
        ahead = alive * self.ahead(x, T, lambda model: model.pmf(float(n), t))
        return ahead + (1.0 - alive) if n == 0 else ahead

    def dert(self, delta: float, x: Array, t_x: Array, T: Array) -> Array:
        """Discounted expected residual orders: all orders after T, at the continuous rate delta per unit."""
        return self.p_alive(x, t_x, T) * self.ahead(x, T, lambda model: model.discounted_purchases(delta))

    def ahead(self, x: Array, T: Array, quantity: Callable[["PurchaseModel"], Array]) -> Array:
        """A quantity, or a stack of them, of what is ahead of customers with these histories if alive.

        Customers of one population with equal (x, T) share the answer, so it is computed once for them.
        """
        if any(np.ndim(getattr(self, name)) for name in self.names()):
            return quantity(self.posterior(array(x), array(T)))
        pairs = Pairs(x, T)
        return pairs.spread(quantity(self.posterior(pairs.x, pairs.T)))


class Pairs:
    """The distinct pairs (x, T) of histories, and the way back from them to the customers."""

    def __init__(self, x: Array, T: Array) -> None:
        whole = np.broadcast_arrays(np.atleast_1d(array(x)), np.atleast_1d(array(T)))
        counts, x_code = np.unique(whole[0], return_inverse=True)
        ages, age_code = np.unique(whole[1], return_inverse=True)
        keys, self._code = np.unique(x_code * len(ages) + age_code, return_inverse=True)
        self.x, self.T = counts[keys // len(ages)], ages[keys % len(ages)]

    def spread(self, values: Array) -> Array:
        """One value a customer, from one value a pair, along the last axis."""
        return array(values[..., self._code])
