"""Behaviour clusters: planted ones are found, and none where there are none."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import adjusted_rand_score

from metrics.clusters import Clusters, clusters
from metrics.reasons import Reason

FEATURES = ("recency_days", "orders", "average_order", "age_days")


def cloud(seed: int, centres: np.ndarray, size: int = 600) -> tuple[pl.DataFrame, np.ndarray]:
    """Customers around centres, on the scale on which they are told apart."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, len(centres), size)
    values = centres[truth] + rng.normal(0, 0.35, (size, len(FEATURES)))
    columns = {
        name: np.expm1(values[:, at]) if name != "age_days" else values[:, at] * 100
        for at, name in enumerate(FEATURES)
    }
    frame = pl.DataFrame({"customer": np.arange(size, dtype=np.uint32), **columns})
    return frame, truth


THREE = np.array([[3.0, 1.0, 3.0, 5.0], [5.5, 2.5, 3.0, 9.0], [3.0, 3.5, 5.0, 7.0]])


@pytest.mark.parametrize("method", ["k_means", "gaussian_mixture"])
def test_planted_clusters_are_found_and_described(method):
    facts, truth = cloud(1, THREE)
    found = clusters(facts, method)
    assert isinstance(found, Clusters)
    assert len(found.clusters) == 3
    assert adjusted_rand_score(truth, found.members["cluster"].to_numpy()) > 0.95
    assert sum(each.customers for each in found.clusters) == len(facts)
    assert all(each.stability > 0.9 for each in found.clusters)
    longest = max(
        found.clusters, key=lambda each: max(t.median for t in each.traits if t.feature == "recency_days")
    )
    silent = next(trait for trait in longest.traits if trait.feature == "recency_days")
    assert silent.z > 0.5
    assert silent.median > silent.overall


def test_one_cloud_is_refused():
    """Of six control samples without clusters none may seem to have some."""
    assert all(isinstance(clusters(cloud(seed, THREE[:1], 250)[0]), Reason) for seed in range(6))


def test_too_few_customers_and_too_little_to_tell_them_apart():
    facts, _truth = cloud(1, THREE, 100)
    assert clusters(facts).code == "few_customers"
    facts, _truth = cloud(1, THREE)
    assert clusters(facts.select("customer", "orders")).code == "few_features"
    flat = facts.with_columns(pl.lit(1.0).alias(name) for name in FEATURES[1:])
    assert clusters(flat).code == "few_features"


def test_the_same_facts_give_the_same_clusters_and_shuffling_does_not_matter_much():
    facts, _truth = cloud(3, THREE)
    first, again = clusters(facts), clusters(facts)
    assert first.members.equals(again.members)
    mixed = clusters(facts.sample(fraction=1, shuffle=True, seed=1)).members.sort("customer")
    assert adjusted_rand_score(first.members["cluster"].to_numpy(), mixed["cluster"].to_numpy()) > 0.98


def test_customers_without_a_feature_are_left_out():
    facts, _truth = cloud(1, THREE)
    gone = facts.with_columns(orders=pl.when(pl.col("customer") >= 10).then("orders"))
    found = clusters(gone)
    assert found.members["customer"].min() == 10
