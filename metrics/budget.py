"""How much to spend on winning and on keeping customers: Blattberg & Deighton.

Blattberg & Deighton (1996), Manage marketing by the customer equity test, Harvard Business Review 74(4).
Spending per prospect wins a share of them, spending per customer keeps a share, both with falling returns.
"""

from dataclasses import dataclass

import numpy as np
import scipy

from metrics.reasons import FrameProblem, Reason


@dataclass(frozen=True)
class Response:
    """Share reached by spending: ceiling (1 - exp(-efficiency * spend))."""

    ceiling: float
    efficiency: float

    @classmethod
    def through(cls, spend: float, rate: float, ceiling: float) -> "Response":
        """The response through one known point: efficiency = -log(1 - rate/ceiling) / spend."""
        if not 0 < rate < ceiling <= 1 or spend <= 0:
            text = "The rate must lie between 0 and the ceiling, for a positive spend. Enter another point"
            raise FrameProblem(Reason("impossible_response", text))
        return cls(ceiling, float(-np.log(1 - rate / ceiling) / spend))

    def rate(self, spend: float) -> float:
        """The share reached."""
        return float(-self.ceiling * np.expm1(-self.efficiency * spend))

    def marginal_cost(self, spend: float) -> float:
        """What one more customer costs at this spend."""
        return float(np.exp(self.efficiency * spend) / (self.ceiling * self.efficiency))


@dataclass(frozen=True)
class Budget:
    """Spending per prospect and per customer and period, what it reaches, and equity per prospect."""

    acquisition_spend: float
    acquisition_rate: float
    retention_spend: float
    retention_rate: float
    customer_value: float
    equity: float


@dataclass(frozen=True)
class EquityTest:
    """Margin per customer and period, discount rate, and the two responses."""

    margin: float
    discount: float
    acquisition: Response
    retention: Response

    def value_of_customer(self, retention_spend: float) -> float:
        """M + (M - R/r) r/(1+d-r) = M + (M r - R)/(1+d-r): the first margin now, then of those kept."""
        kept = self.retention.rate(retention_spend)
        return self.margin + (self.margin * kept - retention_spend) / (1 + self.discount - kept)

    def at(self, acquisition_spend: float, retention_spend: float) -> Budget:
        """Equity per prospect a V - A at given spending."""
        won, value = self.acquisition.rate(acquisition_spend), self.value_of_customer(retention_spend)
        kept = self.retention.rate(retention_spend)
        equity = won * value - acquisition_spend
        return Budget(acquisition_spend, won, retention_spend, kept, value, equity)

    def optimum(self) -> Budget:
        """The spending that makes most equity; zero where the first unit already costs more than it brings.

        The value of a customer does not depend on acquisition, so retention comes first; there the marginal
        cost of winning a customer equals his value.
        """
        most = max(self.margin, 0.0) / max(1 - self.retention.ceiling + self.discount, 1e-6)
        # Beyond this spend a customer kept costs more than he can ever bring.
        found = scipy.optimize.minimize_scalar(
            lambda spend: -self.value_of_customer(spend),
            bounds=(0.0, most + 1e-9),
            method="bounded",
            options={"xatol": 1e-10 * (1 + most)},
        )
        spend = (
            float(found.x) if self.value_of_customer(float(found.x)) > self.value_of_customer(0.0) else 0.0
        )
        worth = self.value_of_customer(spend) * self.acquisition.ceiling * self.acquisition.efficiency
        return self.at(float(np.log(worth)) / self.acquisition.efficiency if worth > 1 else 0.0, spend)
