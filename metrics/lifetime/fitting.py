"""Maximum likelihood for all lifetime models, and what a fit says about itself in plain words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import ClassVar, Final, Generic, Literal, Self, TypeAlias, TypeVar

import numpy as np
import scipy
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from metrics.lifetime.quadrature import Array, array
from metrics.reasons import Reason

Likelihood = Callable[[Array], tuple[float, Array]]
"""Parameters to the log-likelihood and its exact gradient."""

Status = Literal["converged", "at a bound", "not identified", "not converged", "no fit"]
M_co = TypeVar("M_co", covariant=True)
Mask: TypeAlias = NDArray[np.bool_]

_BLAS: Final = ThreadpoolController().select(user_api="blas")
# One thread: the algebra of a search is of size 4, and threads that wait for it cost ten times the search.

LOG_BOUND: Final = 9.0
_NEAR: Final = 1e-2  # of a bound, in logs
_STEP: Final = 1e-4  # of the differences of gradients
_VAGUE: Final = 2.0  # standard error of a log beyond which a parameter is known to a factor of 50 at best
_FAR: Final = 4.0  # in logs; draws go no further
_FLAT: Final = 1e-4  # gradient per customer at a maximum


@dataclass(frozen=True, eq=False)
class Optimum:
    """The end of a search: point, value, and the curvature there (in the terms of the search: logs)."""

    point: Array
    value: float
    covariance: Array
    at_bound: Mask
    slope: float
    evaluations: int
    curved: bool

    @property
    def standard_errors(self) -> Array:
        """Square roots of the diagonal of the covariance; NaN for parameters at a bound."""
        return np.where(self.at_bound, np.nan, np.sqrt(np.maximum(np.diag(self.covariance), 0.0)))


def in_logs(likelihood: Likelihood) -> Likelihood:
    """The likelihood of positive parameters as a function of their logs."""

    def logged(point: Array) -> tuple[float, Array]:
        parameters = np.exp(point)
        value, gradient = likelihood(parameters)
        return value, gradient * parameters

    return logged


def maximise(likelihood: Likelihood, start: Array, size: float, bound: float = LOG_BOUND) -> Optimum:
    """The maximum within +-`bound`: L-BFGS-B, then Newton steps with differences of the exact gradient.

    `size` is the number of customers: the search runs on the mean, so that its tolerances mean the same
    for a hundred customers and for a million. Newton's steps bring the eight digits that L-BFGS-B leaves.
    """
    count = 0

    def cost(point: Array) -> tuple[float, Array]:
        nonlocal count
        count += 1
        value, gradient = likelihood(point)
        return -value / size, -gradient / size

    limits = [(-bound, bound)] * len(start)
    options = {"maxiter": 500, "maxfun": 1000, "ftol": 1e-12, "gtol": 1e-6}
    with _BLAS.limit(limits=1):
        first = np.clip(start, -bound, bound)
        found = scipy.optimize.minimize(
            cost, first, jac=True, method="L-BFGS-B", bounds=limits, options=options
        )
        point = array(found.x)
        free = np.abs(point) < bound - _NEAR
        point, curvature = _polished(cost, point, free, bound)
        value, gradient = cost(point)
    covariance, curved = _covariance(curvature, free, size)
    slope = float(np.abs(gradient[free]).max(initial=0.0))
    return Optimum(point, -value * size, covariance, ~free, slope, count, curved)


def _polished(cost: Likelihood, point: Array, free: Mask, bound: float) -> tuple[Array, Array]:
    """The point after Newton steps that improve it, and the curvature (Hessian of the cost) there."""
    curvature = _curvature(cost, point, free)
    value, gradient = cost(point)
    for _ in range(3):
        step = _newton_step(curvature, gradient[free])
        if step is None or np.abs(step).max(initial=0.0) < 1e-10:
            break
        trial = point.copy()
        trial[free] -= step
        next_value, next_gradient = cost(trial)
        nearer = np.abs(next_gradient[free]).max(initial=0.0) < np.abs(gradient[free]).max(initial=0.0)
        if np.abs(trial).max() > bound or not nearer or next_value > value + 1e-9 * abs(value):
            break
        point, value, gradient = trial, next_value, next_gradient
    return point, curvature


def _newton_step(curvature: Array, gradient: Array) -> Array | None:
    try:
        np.linalg.cholesky(curvature)
    except np.linalg.LinAlgError:
        return None
    step = array(np.linalg.solve(curvature, gradient))
    return step if np.abs(step).max(initial=0.0) < 0.5 else None


def _curvature(cost: Likelihood, point: Array, free: Mask) -> Array:
    rows = []
    for i in np.flatnonzero(free):
        shift = np.zeros_like(point)
        shift[i] = _STEP
        rows.append((cost(point + shift)[1] - cost(point - shift)[1])[free] / (2 * _STEP))
    matrix = array(rows).reshape(free.sum(), free.sum())
    return (matrix + matrix.T) / 2


def _covariance(curvature: Array, free: Mask, size: float) -> tuple[Array, bool]:
    """Inverse information; zero for parameters at a bound; and whether the likelihood curves at all."""
    whole = np.zeros((len(free), len(free)))
    values, vectors = np.linalg.eigh(curvature)
    curved = bool((values > 1e-10).all())
    # A direction without curvature is as good as unknown, not infinitely unknown: draws must stay finite.
    spread = (vectors / np.maximum(values, 1e-10 + 1e-3 / size)) @ vectors.T / size
    whole[np.ix_(free, free)] = spread
    return whole, curved


@dataclass(frozen=True, eq=False)
class Fit(Generic[M_co]):
    """A model with its uncertainty and a verdict.

    `model` is None when `status` is "no fit"; `message` says what that means and what to do. `point` and
    `covariance` are in the coordinates of the search (logs of parameters); `excluded` counts customers that
    were left out, by reason.
    """

    model: M_co | None
    status: Status
    message: str
    names: tuple[str, ...] = ()
    estimates: Mapping[str, float] = field(default_factory=dict)
    standard_errors: Mapping[str, float | None] = field(default_factory=dict)
    log_likelihood: float | None = None
    customers: float = 0
    evaluations: int = 0
    reason: Reason | None = None
    excluded: Mapping[str, int] = field(default_factory=dict)
    point: Array = field(default_factory=lambda: np.zeros(0))
    covariance: Array = field(default_factory=lambda: np.zeros((0, 0)))
    build: Callable[[Array], M_co] | None = None

    @property
    def aic(self) -> float | None:
        """Akaike's criterion 2k - 2 log L: lower is better, among models of the same customers."""
        return None if self.log_likelihood is None else 2 * len(self.names) - 2 * self.log_likelihood

    @property
    def bic(self) -> float | None:
        """Schwarz's criterion k log n - 2 log L."""
        if self.log_likelihood is None:
            return None
        return float(len(self.names) * np.log(self.customers) - 2 * self.log_likelihood)

    def draws(self, count: int, seed: int) -> list[M_co]:
        """Models with parameters drawn from the estimator's normal approximation (Krinsky & Robb 1986).

        No draw strays further than a factor of 50 from the estimate: along a ridge the approximation does
        not end, and the predictions do not change.
        """
        if self.build is None:
            return []
        rng = np.random.default_rng(seed)
        points = rng.multivariate_normal(self.point, self.covariance, size=count, method="eigh")
        return [self.build(np.clip(point, self.point - _FAR, self.point + _FAR)) for point in points]


@dataclass(frozen=True)
class Coordinates(Generic[M_co]):
    """What the coordinates of a search mean: logs of parameters, save for `coefficients`, as they are.

    `meanings` completes "The data do not say ..." for each name; `build` makes the model of a point.
    """

    names: tuple[str, ...]
    meanings: Mapping[str, str]
    build: Callable[[Array], M_co]
    coefficients: tuple[str, ...] = ()

    def natural(self, point: Array, errors: Array) -> tuple[Array, Array]:
        """Parameters and their standard errors (delta method)."""
        logged = np.array([name not in self.coefficients for name in self.names])
        values = np.where(logged, np.exp(np.where(logged, point, 0.0)), point)
        return values, errors * np.where(logged, values, 1.0)


def concluded(
    optimum: Optimum,
    coordinates: Coordinates[M_co],
    customers: float,
    *,
    shift: Array | float = 0.0,
    offset: float = 0.0,
    excluded: Mapping[str, int] | None = None,
) -> Fit[M_co]:
    """The fit that the end of a search in scaled units means.

    `shift` is taken from the coordinates and `offset` added to the log-likelihood to undo the scaling.
    """
    point, names = array(optimum.point - shift), coordinates.names
    status, message, reason = _verdict(optimum, names, coordinates.meanings)
    estimates, errors = coordinates.natural(point, optimum.standard_errors)
    known = [float(error) if np.isfinite(error) else None for error in errors]
    return Fit(
        model=coordinates.build(point),
        status=status,
        message=message,
        names=names,
        estimates=dict(zip(names, estimates.tolist(), strict=True)),
        standard_errors=dict(zip(names, known, strict=True)),
        log_likelihood=optimum.value + offset,
        customers=customers,
        evaluations=optimum.evaluations,
        reason=reason,
        excluded=excluded or {},
        point=point,
        covariance=optimum.covariance,
        build=coordinates.build,
    )


def no_fit(reason: Reason, customers: float = 0, excluded: Mapping[str, int] | None = None) -> Fit[M_co]:
    """A fit that could not be made, and why."""
    return Fit(None, "no fit", reason.text, reason=reason, customers=customers, excluded=excluded or {})


def _verdict(
    optimum: Optimum, names: Sequence[str], meanings: Mapping[str, str]
) -> tuple[Status, str, Reason | None]:
    """What the end of a search means: status, message, and the reason when it is weak."""
    bound = [name for name, at in zip(names, optimum.at_bound, strict=True) if at]
    if bound:
        text = f"{_listed(bound)} ran to the edge of the range searched. {_unsaid(bound, meanings)}"
        return "at a bound", text, Reason("at_bound", text)
    errors = optimum.standard_errors
    vague = [name for name, error in zip(names, errors, strict=True) if not error < _VAGUE]
    if vague or not optimum.curved:
        weak = vague or list(names)
        text = f"{_listed(weak)} can hardly be told from these customers. {_unsaid(weak, meanings)}"
        return "not identified", text, Reason("not_identified", text)
    if optimum.slope > _FLAT:
        text = "The search stopped before the maximum. Try another model, or more history"
        return "not converged", text, Reason("not_converged", text)
    return "converged", "Converged", None


def _listed(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _unsaid(names: Sequence[str], meanings: Mapping[str, str]) -> str:
    unsaid = dict.fromkeys(meanings[name] for name in names)
    return f"The data do not say {' nor '.join(unsaid)}; use totals, not single parameters, or add history"


class Parametric:
    """A frozen dataclass of positive parameters, searched for in logs."""

    title: ClassVar[str]
    meanings: ClassVar[Mapping[str, str]]

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of the parameters, in their order."""
        return tuple(field.name for field in fields(cls))  # type: ignore[arg-type]  # subclasses are dataclasses

    @property
    def parameters(self) -> Array:
        """The parameters of a population."""
        return array([getattr(self, name) for name in self.names()])

    @classmethod
    def at(cls, point: Array) -> Self:
        """The model whose parameters have these logs."""
        return cls(*np.exp(point).tolist())

    @classmethod
    def coordinates(cls) -> Coordinates[Self]:
        """What a search for this model's parameters returns."""
        return Coordinates(cls.names(), cls.meanings, cls.at)
