"""The few integrals that the lifetime models rest on, done so that nothing overflows.

Textbook formulas lean on the hypergeometric function 2F1, whose library versions lose all digits or overflow
once a customer has a few hundred purchases or a parameter runs along a ridge. Every 2F1 of these models is
an expectation over a beta or a Lomax variable, so it is computed as that expectation: finite for every
parameter, and differentiable by hand.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Array: TypeAlias = NDArray[np.float64]
Real: TypeAlias = float | Array

_TAIL: Final = 40.0  # integrands are followed until they have fallen by exp(-40), about 4e-18
_BLOCK: Final = 200  # entries at once: a block of nodes stays in the processor's cache


def array(values: object) -> Array:
    """The values as an array of 8-byte floats."""
    return np.asarray(values, dtype=np.float64)


@lru_cache(maxsize=16)
def legendre(n: int) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights on (0, 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return (nodes + 1.0) / 2.0, weights / 2.0


def log_rising(c: float, n: int) -> tuple[Array, Array]:
    """Log of the rising factorial c (c+1) ... (c+k-1) for k = 0..n, and its derivative by c.

    It replaces differences of log-gamma functions, which cancel when c is large, and costs one pass over 0..n
    however many customers there are.
    """
    terms = c + np.arange(n, dtype=np.float64)
    start = np.zeros(1)
    return np.concatenate([start, np.log(terms).cumsum()]), np.concatenate([start, (1.0 / terms).cumsum()])


def softplus(e: Array) -> tuple[Array, Array]:
    """log(1 + exp(e)) and its derivative, the logistic function; three times faster than numpy.logaddexp."""
    shrunk = np.exp(-np.abs(e))
    share = shrunk / (1.0 + shrunk)
    return np.maximum(e, 0.0) + np.log1p(shrunk), np.where(e > 0.0, 1.0 - share, share)


def beta_rule(a: Array, b: Array, n: int = 128) -> tuple[Array, Array]:
    """Nodes p and weights w, a row for each a and b, so that sum(w f(p)) = E f(p) for p ~ Beta(a, b).

    The trapezoidal rule after logit(p) = centre + scale * sinh(v) (Takahasi & Mori 1974, double exponential):
    it does not mind poles and power laws at 0 and 1, nor beta distributions as sharp as a needle. The weights
    are normalised by their own sum, so no beta function is needed.
    """
    a, b = a[:, None], b[:, None]
    scale = np.sqrt(1.0 / a + 1.0 / b)
    left, right = (np.arcsinh(_TAIL / (side * scale) + 9.0) for side in (a, b))
    v = (left + right) * np.linspace(0.0, 1.0, n) - left
    logit = np.log(a / b) + scale * np.sinh(v)
    log_density = a * logit - (a + b) * softplus(logit)[0] + np.log(np.cosh(v))
    weights = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    return np.maximum(expit(logit), 1e-150), weights / weights.sum(axis=1, keepdims=True)


def beta_mean(kernel: Callable[..., Array], a: Real, b: Real, *values: Real) -> Array:
    """E of kernel(p, *values) over p ~ Beta(a, b) for each entry of the broadcast a, b and values.

    The kernel gets rows of p and columns of values. Entries are taken in the order of (a, b): those of a
    block that share them share the nodes too.
    """
    a, b, *rest = np.broadcast_arrays(*map(array, (a, b, *values)))
    if not a.size:
        return np.empty(a.shape)
    shapes, code = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1, return_inverse=True)
    order = np.argsort(code, kind="stable")
    columns = [value.reshape(-1, 1) for value in rest]
    result = np.empty(a.size)
    for at in np.array_split(order, 1 + len(order) // _BLOCK):
        kinds = code[at]
        p, weights = beta_rule(*shapes[:, kinds[0] : kinds[-1] + 1])
        rows = kinds - kinds[0]
        parts = kernel(p[rows], *(column[at] for column in columns))
        result[at] = np.einsum("ij,ij->i", parts, weights[rows])
    return result.reshape(a.shape)


def discounting(rate: Callable[[Array, Array], Array], shapes: Array, z: Array) -> Array:
    """The integral over y > 0 of exp(-z y) g(y) for each z > 0, with g of the shapes in the same column.

    `rate(shapes, w)` answers g(exp(w) - 1), a row for each distinct column of shapes. In w = log(1 + y) the
    integrand is smooth however slowly g falls; every z is cut where exp(-z y) has gone.
    """
    nodes, weights = legendre(128)
    end = np.log1p(_TAIL / z.min(initial=_TAIL))
    w = end * nodes
    distinct, code = np.unique(shapes, axis=1, return_inverse=True)
    values = rate(distinct, w) * np.exp(w) * (end * weights)
    result = np.empty(len(z))
    for at in np.array_split(np.arange(len(z)), 1 + len(z) // _BLOCK):
        fading = np.exp(-np.outer(z[at], np.expm1(w)))
        result[at] = np.einsum("ij,ij->i", values[code[at]], fading)
    return result
