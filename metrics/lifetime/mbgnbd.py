"""MBG/NBD: as BG/NBD, but a customer may also leave right after the first order.

Batislam, Denizel & Filiztekin (2007), International Journal of Research in Marketing 24(3). One-time buyers
can thus be gone, which BG/NBD rules out.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from metrics.lifetime.bgnbd import BGNBD
from metrics.lifetime.quadrature import Array, Real, array


@dataclass(frozen=True)
class MBGNBD(BGNBD):
    """MBG/NBD, parameters as in BG/NBD; a new customer stays with probability b/(a+b) and is BG/NBD then."""

    title: ClassVar[str] = "MBG/NBD"
    _earlier_chances: ClassVar[int] = 1

    @property
    def _staying(self) -> Array:
        return array(self.b / (self.a + self.b))

    @property
    def _after(self) -> BGNBD:
        return BGNBD(self.r, self.alpha, self.a, self.b + 1.0)

    def expected_purchases(self, t: Real) -> Array:
        """Of those who stay."""
        return self._staying * self._after.expected_purchases(t)

    def variance(self, t: Real) -> Array:
        """Within those who stay, and between those who stay and those who leave."""
        stay, mean = self._staying, self._after.expected_purchases(t)
        return stay * self._after.variance(t) + stay * (1.0 - stay) * mean**2

    def pmf(self, n: Real, t: Real) -> Array:
        """No order from those who leave at once."""
        return self._staying * self._after.pmf(n, t) + np.where(array(n) == 0, 1.0 - self._staying, 0.0)

    def survival(self, t: Real) -> Array:
        """P(alive after t)."""
        return self._staying * self._after.survival(t)

    def discounted_purchases(self, delta: float) -> Array:
        """Of those who stay."""
        return self._staying * self._after.discounted_purchases(delta)

    def simulate(self, rng: np.random.Generator, t: float, size: tuple[int, ...]) -> Array:
        """No order from those who leave at once."""
        return np.where(rng.random(size) < self._staying, self._after.simulate(rng, t, size), 0.0)
