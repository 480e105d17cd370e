"""Return on quality: what closing a gap is worth, by way of retention (Rust, Zahorik and Keiningham 1995)."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from metrics.equity import Drivers, Equity, customer_equity, what_if
from metrics.linkage import Link
from metrics.reasons import Reason

SURE: Final = 0.05
NOT_SUPPORTED: Final = Reason(
    "not_supported",
    "The data do not tell the slope of this dimension from none (p {p:.3f}), so nothing is reckoned from it. "
    "Ask more customers, or wait for more orders",
)


@dataclass(frozen=True)
class Return:
    """What closing a gap by some points would bring.

    `retention` is that of a year now, `after` the one then; `equity` the change of customer equity with its
    interval, `net` that less the cost. `reason` says why there is none.
    """

    term: str
    points: float
    retention: float
    after: float | None = None
    equity: float | None = None
    lower: float | None = None
    upper: float | None = None
    cost: float = 0.0
    reason: Reason | None = None

    @property
    def net(self) -> float | None:
        """The change of equity less what the programme costs."""
        return None if self.equity is None else self.equity - self.cost


def return_on_quality(
    link: Link,
    term: str,
    points: float,
    drivers: Drivers,
    retention_draws: NDArray[np.float64],
    *,
    cost: float = 0.0,
    level: float = 0.95,
) -> Return:
    """The change of customer equity when the gap of one dimension closes by `points` for every customer.

    The odds of being retained for a year move as the odds of ordering again within the days of the model:
    `logit r' = logit r + slope points`. The interval comes from draws of the slope paired with draws of
    today's retention. Where the slope is not told from zero (p of 0.05 or more) there is no figure but a
    reason; a negative slope gives a negative one.
    """
    now = drivers.retention
    p_value = link.model.p_value(term)
    if p_value >= SURE:
        text = NOT_SUPPORTED.text.format(p=p_value)
        return Return(term, points, now, cost=cost, reason=Reason(NOT_SUPPORTED.code, text))
    after = shifted(now, link.model.coefficient(term) * points)
    change = what_if(drivers, {"retention": after})
    if change.value is None:
        return Return(term, points, now, after, cost=cost, reason=change.reason)
    slopes = link.model.draws(len(retention_draws))[:, link.model.at(term)]
    changes = [
        _change(drivers, rate, slope * points) for rate, slope in zip(retention_draws, slopes, strict=True)
    ]
    known = [each for each in changes if each is not None]
    lower, upper = np.quantile(known, [0.5 - level / 2, 0.5 + level / 2]).tolist() if known else (None, None)
    return Return(term, points, now, after, change.value, lower, upper, cost)


def shifted(rate: float, step: float) -> float:
    """A rate whose odds are multiplied by exp(step).

    >>> round(shifted(0.6, 0.5 * -1.6), 4)
    0.4026
    """
    return float(expit(logit(np.clip(rate, 1e-9, 1 - 1e-9)) + step))


def _change(drivers: Drivers, rate: float, step: float) -> float | None:
    before, after = (
        customer_equity(replace(drivers, retention=value))
        for value in (float(rate), shifted(float(rate), step))
    )
    if not isinstance(before, Equity) or not isinstance(after, Equity):
        return None
    return after.total - before.total
