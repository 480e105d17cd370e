"""Logistic regression that says when it cannot be trusted: by likelihood, penalised where data separate."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy.special import expit, log_expit

Floats = NDArray[np.float64]

STEPS: Final = 60
TOLERANCE: Final = 1e-8
EXTREME: Final = 15.0
"""Log odds of a row above this mean that the data separate: the odds have no bound."""
ALIKE: Final = 0.02
"""A column is told apart from others where they leave at least this share of its spread unexplained."""
WIDEST: Final = 40.0


@dataclass(frozen=True, eq=False)
class Logistic:
    """A fitted model `logit P(y) = X b`, a column of ones among the columns.

    `penalised` models are Firth's: their bounds are those of the profile likelihood.
    """

    names: tuple[str, ...]
    coefficients: Floats
    covariance: Floats
    n: int
    events: int
    penalised: bool
    design: Floats
    outcome: Floats

    def at(self, name: str) -> int:
        """The position of a term."""
        return self.names.index(name)

    def coefficient(self, name: str) -> float:
        """The coefficient of a term."""
        return float(self.coefficients[self.at(name)])

    def bounds(self, name: str, level: float = 0.95) -> tuple[float, float]:
        """Interval of a coefficient: Wald, or profile likelihood for a penalised model."""
        if self.penalised:
            return _profile(self, self.at(name), level)
        half = float(
            scipy.stats.norm.ppf(0.5 + level / 2) * np.sqrt(self.covariance[self.at(name), self.at(name)])
        )
        return self.coefficient(name) - half, self.coefficient(name) + half

    def p_value(self, *names: str) -> float:
        """Whether the named terms are all zero: Wald's chi-square, likelihood ratio for a penalised model."""
        at = [self.at(name) for name in names]
        if self.penalised:
            rest = _firth(self.design, self.outcome, dict.fromkeys(at, 0.0))[0]
            full, less = (
                _penalised_likelihood(self.design, self.outcome, b) for b in (self.coefficients, rest)
            )
            lost = full - less
            return float(scipy.stats.chi2.sf(max(2 * lost, 0.0), len(at)))
        part = self.coefficients[at]
        statistic = float(part @ np.linalg.pinv(self.covariance[np.ix_(at, at)]) @ part)
        return float(scipy.stats.chi2.sf(statistic, len(at)))

    def chance(self, design: Floats) -> Floats:
        """P(y) for rows of a design."""
        found: Floats = expit(design @ self.coefficients)
        return found

    def draws(self, count: int, seed: int = 0) -> Floats:
        """Coefficients that the data cannot tell from these: draws of their normal distribution."""
        random = np.random.default_rng(seed)
        return random.multivariate_normal(self.coefficients, self.covariance, count, method="eigh")


def logistic(
    design: Floats,
    outcome: NDArray[np.bool_],
    names: tuple[str, ...],
    clusters: NDArray[np.int64] | None = None,
    *,
    penalised: bool = False,
) -> Logistic:
    """Maximum likelihood, with standard errors robust to several rows of one cluster where these are given.

    Where the data separate (some combination of columns foretells the outcome without error) likelihood has
    no maximum; then Firth's penalised likelihood (1993; Heinze and Schemper 2002) is maximised instead, whose
    estimates are finite; `penalised` asks for it in any case. Columns must not be linearly dependent.
    """
    y = outcome.astype(np.float64)
    spread = design.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    found = None if penalised else _likelihood(design / scale, y)
    if found is None or np.abs(design / scale @ found[0]).max(initial=0.0) > EXTREME:
        b, covariance = _firth(design, y)
        return Logistic(names, b, covariance, len(y), int(y.sum()), True, design, y)
    b, bread = found[0] / scale, found[1] / np.outer(scale, scale)
    covariance = bread if clusters is None else _robust(design, y, b, bread, clusters)
    return Logistic(names, b, covariance, len(y), int(y.sum()), False, design, y)


def apart(design: Floats) -> NDArray[np.bool_]:
    """Which columns say something that those before them do not: the others leave enough of their spread."""
    told = np.zeros(design.shape[1], bool)
    for at, column in enumerate(design.T):
        spread = float(np.linalg.norm(column - column.mean())) or float(np.linalg.norm(column))
        before = design[:, told]
        rest = column - before @ np.linalg.lstsq(before, column, rcond=None)[0] if told.any() else column
        told[at] = np.linalg.norm(rest) > ALIKE * spread
    return told


def _likelihood(x: Floats, y: Floats) -> tuple[Floats, Floats] | None:
    """Newton's method; None where it does not come to rest."""
    b = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = expit(x @ b)
        information = (x.T * (p * (1 - p))) @ x
        try:
            step = np.linalg.solve(information, x.T @ (y - p))
        except np.linalg.LinAlgError:
            return None
        step *= min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        b = b + step
        if np.abs(step).max() < TOLERANCE:
            return b, np.linalg.inv(information)
        if np.abs(b).max() > 10 * EXTREME:
            return None
    return None


def _robust(x: Floats, y: Floats, b: Floats, bread: Floats, clusters: NDArray[np.int64]) -> Floats:
    """The sandwich over clusters, with the usual correction for their number."""
    scores = x * (y - expit(x @ b))[:, None]
    _names, places = np.unique(clusters, return_inverse=True)
    sums = np.zeros((int(places.max(initial=-1)) + 1, x.shape[1]))
    np.add.at(sums, places, scores)
    count = len(sums)
    if count < 2:
        return bread
    found: Floats = bread @ (sums.T @ sums) @ bread * count / (count - 1)
    return found


def _firth(
    x: Floats, y: Floats, fixed: Mapping[int, float] | None = None, start: Floats | None = None
) -> tuple[Floats, Floats]:
    """Firth's estimates, some coefficients held where asked: leverage pulls rows towards one half."""
    b = np.zeros(x.shape[1]) if start is None else start.copy()
    free = np.ones(x.shape[1], bool)
    for at, value in (fixed or {}).items():
        b[at], free[at] = value, False
    best = _penalised_likelihood(x, y, b)
    for _ in range(STEPS):
        p = expit(x @ b)
        root = x * np.sqrt(p * (1 - p))[:, None]
        inverse = np.linalg.pinv(root.T @ root)
        leverage = np.einsum("ij,jk,ik->i", root, inverse, root)
        score = (x.T @ (y - p + leverage * (0.5 - p)))[free]
        step = np.zeros(x.shape[1])
        step[free] = np.linalg.pinv((root.T @ root)[np.ix_(free, free)]) @ score
        step *= min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        while (now := _penalised_likelihood(x, y, b + step)) < best - 1e-12 and np.abs(
            step
        ).max() > TOLERANCE:
            step = step / 2
        b, best = b + step, now
        if np.abs(step).max() < TOLERANCE:
            break
    return b, inverse


def _penalised_likelihood(x: Floats, y: Floats, b: Floats) -> float:
    """Log likelihood plus half the log determinant of the information (Jeffreys' prior)."""
    eta = x @ b
    p = expit(eta)
    sign, size = np.linalg.slogdet((x.T * (p * (1 - p))) @ x)
    own = float((y * log_expit(eta) + (1 - y) * log_expit(-eta)).sum())
    return own + 0.5 * float(size) if sign > 0 else -np.inf


def _profile(model: Logistic, at: int, level: float) -> tuple[float, float]:
    """Where twice the loss of penalised likelihood passes the quantile of chi-square."""
    top = _penalised_likelihood(model.design, model.outcome, model.coefficients)
    allowed = float(scipy.stats.chi2.ppf(level, 1)) / 2
    middle = float(model.coefficients[at])

    def left(value: float) -> float:
        b, _ = _firth(model.design, model.outcome, {at: value}, model.coefficients)
        return top - _penalised_likelihood(model.design, model.outcome, b) - allowed

    unit = float(np.sqrt(model.covariance[at, at])) or 1.0
    return _crossing(left, middle, -unit), _crossing(left, middle, unit)


def _crossing(left: Callable[[float], float], start: float, step: float) -> float:
    """Where a function passes zero from `start` on; infinite where it does not."""
    end = start + step
    while left(end) < 0 and abs(end - start) < WIDEST * abs(step):
        end += step
    return float(scipy.optimize.brentq(left, start, end)) if left(end) >= 0 else float(np.sign(step) * np.inf)
