"""How good propensities are: hit rates, ranks, gains and calibration, beside simple rules of thumb."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.next_category import Snapshot, Trained

KS: Final = (1, 3)
DECILES: Final = 10
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def scores(found: Trained, groups: NDArray[np.int64]) -> dict[str, Floats]:
    """What the model and each rule of thumb say of every customer and category at the start of the window.

    `model`; `popularity`: how often the category was added lately; `group`: how many of the customer's group
    (`groups`: a number by customer) hold it; `rules`: the lift with what the customer holds, then popularity.
    """
    before = found.before
    popular = before.pairs[0]
    shares = np.zeros(before.held.shape)
    for group in np.unique(groups):
        ours = groups == group
        shares[ours] = before.held[ours].mean(axis=0)
    return {
        "model": found.judged.propensities(before),
        "popularity": popular,
        "group": shares,
        "rules": before.pairs[1] * 1e3 + popular,
    }


def comparison(found: Trained, said: Mapping[str, Floats]) -> pl.DataFrame:
    """One row a way of scoring: `name`, `n` (who added something), `hit_1`, `hit_3`, `mrr`, `top_decile`.

    A hit at k: one of the k best-scored open categories was bought. MRR: mean of one over the best rank of
    what was bought. `top_decile`: how many times more purchases lie in the best tenth of all pairs than in
    any.
    """
    rows = []
    for name, score in said.items():
        ranks = best_ranks(found.before, found.new, score)
        hits = {f"hit_{k}": float((ranks <= k).mean()) if len(ranks) else None for k in KS}
        mrr = float((1 / ranks).mean()) if len(ranks) else None
        rows.append({"name": name, "n": len(ranks), **hits, "mrr": mrr, "top_decile": _gain(found, score)})
    return pl.DataFrame(rows)


def best_ranks(before: Snapshot, new: Flags, score: Floats) -> Floats:
    """The best rank, from 1, among a customer's open categories of what he bought; of those who bought."""
    added = new.any(axis=1)
    ranked = np.where(before.open, score, -np.inf)[added]
    bought = np.where(new[added], ranked, -np.inf).max(axis=1)
    return np.asarray((ranked > bought[:, None]).sum(axis=1) + 1.0)


def _gain(found: Trained, score: Floats) -> float | None:
    """The share of purchases in the best tenth of the pairs, over a tenth."""
    values, hit = score[found.before.open], found.new[found.before.open]
    if not hit.any():
        return None
    top = np.argsort(-values, kind="stable")[: max(1, len(values) // DECILES)]
    return float(hit[top].mean() / hit.mean())


def calibration(found: Trained) -> pl.DataFrame:
    """Pairs by tenth of their propensity: `decile`, `n`, `expected`, `actual`; the lowest first."""
    values = found.judged.propensities(found.before)[found.before.open]
    hit = found.new[found.before.open]
    order = np.argsort(values, kind="stable")
    parts = np.array_split(order, DECILES)
    rows = [
        (at + 1, len(part), values[part].mean(), hit[part].mean())
        for at, part in enumerate(parts)
        if len(part)
    ]
    schema = {"decile": pl.Int64, "n": pl.Int64, "expected": pl.Float64, "actual": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def brier(found: Trained) -> tuple[float, float]:
    """Brier's score of the model, and that of saying the mean of all to everybody; less is better."""
    values = found.judged.propensities(found.before)[found.before.open]
    hit = found.new[found.before.open]
    return float(((values - hit) ** 2).mean()), float(hit.mean() * (1 - hit.mean()))
