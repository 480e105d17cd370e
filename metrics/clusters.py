"""Behaviour clusters: groups of customers who behave alike, if there are any.

Features are put on a log scale where they are skewed and to unit variance. The number of clusters is that of
the largest mean silhouette (Rousseeuw 1987). Any cloud can be cut into pieces, so two questions are asked
before a cluster is shown: is the silhouette larger than one cloud of the same spread would give (parametric
bootstrap), and are the same clusters found again in bootstrap samples (Jaccard similarity; Hennig 2007)? If
not, there are none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from metrics.customer_facts import CUSTOMER
from metrics.reasons import Reason

Method = Literal["k_means", "gaussian_mixture"]
FEATURES: Final = (
    *("recency_days", "orders", "average_order", "categories", "age_days", "return_rate", "contacts_365d"),
)
"""What customers are told apart by, as far as there are sources."""

LOGGED: Final = frozenset({"orders", "average_order", "categories", "contacts_365d", "recency_days"})
MOST: Final = 7
SAMPLE: Final = 2_000
BOOTSTRAPS: Final = 20
LEAST_CUSTOMERS: Final = 200
STABLE: Final = 0.6
"""Hennig (2007): a mean Jaccard similarity below 0.6 should not be trusted; from 0.75 on it is stable."""
LEVEL: Final = 0.05
TELLING: Final = 0.5
"""A feature sets a cluster apart when its mean lies half a standard deviation off that of all."""

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Trait:
    """What sets a cluster apart: a feature, its median there and among all, and how far apart in z."""

    feature: str
    median: float
    overall: float
    z: float


@dataclass(frozen=True)
class Cluster:
    """One cluster: its number from 1, its customers, its stability, what sets it apart (strongest first)."""

    number: int
    customers: int
    stability: float
    traits: tuple[Trait, ...]


@dataclass(frozen=True, eq=False)
class Clusters:
    """The clusters, the largest first, and the number of each customer's: `customer`, `cluster`.

    `silhouette` of the chosen number of clusters, `chance` the share of one-cloud samples with as large a
    one, `tried` the silhouette by number of clusters.
    """

    clusters: tuple[Cluster, ...]
    members: pl.DataFrame
    silhouette: float
    chance: float
    tried: dict[int, float]
    features: tuple[str, ...]


def clusters(facts: pl.DataFrame, method: Method = "k_means", seed: int = 0) -> Clusters | Reason:
    """The behaviour clusters of customers, or the reason why there are none.

    `facts`: customer and some of FEATURES; who lacks one of them is left out, as are features without spread.
    Reasons: `few_customers`, `few_features`, `no_structure`, `not_stable`. The same facts and seed give the
    same clusters.
    """
    names = [name for name in FEATURES if name in facts.columns and facts[name].n_unique() > 1]
    rows = facts.select(CUSTOMER, *(pl.col(name).cast(pl.Float64) for name in names)).drop_nulls()
    if len(rows) < LEAST_CUSTOMERS:
        text = f"{len(rows):,} customers have ordered; clusters need {LEAST_CUSTOMERS}. Widen the filters"
        return Reason("few_customers", text)
    if len(names) < 2:
        return Reason("few_features", "Customers differ in fewer than two ways. Map more sources")
    # One thread: the steps are short, and threads that wait for a busy machine cost more than they save.
    with threadpool_limits(1):
        return _found(rows, names, method, seed)


def _found(rows: pl.DataFrame, names: Sequence[str], method: Method, seed: int) -> Clusters | Reason:
    rng = np.random.default_rng(seed)
    matrix = _scaled(rows, names)
    part = matrix[rng.choice(len(matrix), min(SAMPLE, len(matrix)), replace=False)]
    counts = range(2, MOST + 1)
    tried = {k: _silhouette(part, _fit(part, k, method, seed).predict(part), seed) for k in counts}
    best = max(tried, key=lambda k: tried[k])
    chance = _chance(part, best, tried[best], method, rng)
    if chance > LEVEL:
        return _refusal("no_structure", tried[best], chance)
    model = _fit(part, best, method, seed)
    stability = _stability(part, model, best, method, rng)
    if float(np.min(stability)) < STABLE:
        return _refusal("not_stable", tried[best], chance, float(np.min(stability)))
    labels = model.predict(matrix).astype(np.int64)
    return _described(rows, names, labels, stability, (tried, best, chance))


def _scaled(rows: pl.DataFrame, names: Sequence[str]) -> Matrix:
    """Features on a log scale where skewed, each with mean 0 and variance 1."""
    columns = [pl.col(name).clip(0).log1p() if name in LOGGED else pl.col(name) for name in names]
    scaled: Matrix = StandardScaler().fit_transform(rows.select(columns).to_numpy())
    return scaled


def _fit(matrix: Matrix, k: int, method: Method, seed: int) -> KMeans | GaussianMixture:
    if method == "k_means":
        return KMeans(k, n_init=2, random_state=seed).fit(matrix)
    return GaussianMixture(k, covariance_type="full", n_init=1, reg_covar=1e-3, random_state=seed).fit(matrix)


def _silhouette(matrix: Matrix, labels: Labels, seed: int) -> float:
    if len(np.unique(labels)) < 2:
        return -1.0
    return float(silhouette_score(matrix, labels, sample_size=min(1_000, len(matrix)), random_state=seed))


def _chance(matrix: Matrix, k: int, found: float, method: Method, rng: np.random.Generator) -> float:
    """How often one normal cloud of the same mean and covariance gives as large a silhouette."""
    size = min(1_000, len(matrix))
    covariance = np.cov(matrix, rowvar=False)
    larger = 0
    for draw in range(BOOTSTRAPS):
        cloud = rng.multivariate_normal(np.zeros(matrix.shape[1]), covariance, size, method="eigh")
        larger += _silhouette(cloud, _fit(cloud, k, method, draw).predict(cloud), draw) >= found
    return (larger + 1) / (BOOTSTRAPS + 1)


def _stability(
    matrix: Matrix, model: KMeans | GaussianMixture, k: int, method: Method, rng: np.random.Generator
) -> Matrix:
    """For each cluster the mean Jaccard similarity with its likest cluster in bootstrap samples."""
    labels = model.predict(matrix)
    total = np.zeros(k)
    for draw in range(BOOTSTRAPS):
        at = np.unique(rng.integers(0, len(matrix), len(matrix)))
        again = _fit(matrix[at], k, method, draw).predict(matrix[at])
        shared = np.zeros((k, k))
        np.add.at(shared, (labels[at], again), 1.0)
        sizes = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0, keepdims=True) - shared
        total += (shared / np.maximum(sizes, 1.0)).max(axis=1)
    return np.asarray(total / BOOTSTRAPS, dtype=np.float64)


def _refusal(code: str, silhouette: float, chance: float, stability: float = 1.0) -> Reason:
    if code == "no_structure":
        return Reason(
            "no_structure",
            f"No structure was found: one cloud of the same spread gives as large a silhouette "
            f"({silhouette:.2f}) in {chance:.0%} of samples. Use value tiers or RFM, which need none",
        )
    return Reason(
        "not_stable",
        f"The clusters are not found again in other samples of the same customers (Jaccard {stability:.2f}, "
        f"below {STABLE}). Use value tiers or RFM, which do not depend on a sample",
    )


def _described(
    rows: pl.DataFrame,
    names: Sequence[str],
    labels: Labels,
    stability: Matrix,
    fit: tuple[dict[int, float], int, float],
) -> Clusters:
    """The clusters numbered by size, with what sets each apart."""
    tried, best, chance = fit
    order = np.argsort(-np.bincount(labels, minlength=best), kind="stable")
    numbers = np.empty(best, dtype=np.int64)
    numbers[order] = np.arange(1, best + 1)
    members = rows.select(CUSTOMER).with_columns(pl.Series("cluster", numbers[labels], dtype=pl.Int8))
    scaled = _scaled(rows, names)
    overall = rows.select(pl.col(names).median()).row(0)
    found = []
    for label in order:
        inside = labels == label
        z = scaled[inside].mean(axis=0)
        medians = rows.filter(pl.Series(inside)).select(pl.col(names).median()).row(0)
        traits = [
            Trait(name, medians[at], overall[at], float(z[at]))
            for at, name in enumerate(names)
            if abs(z[at]) >= TELLING
        ]
        told = tuple(sorted(traits, key=lambda trait: -abs(trait.z)))
        found.append(Cluster(int(numbers[label]), int(inside.sum()), float(stability[label]), told))
    return Clusters(tuple(found), members, tried[best], chance, tried, tuple(names))
