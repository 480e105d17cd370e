"""Kano: what customers feel about features, with and without them."""

import numpy as np
import polars as pl

from metrics import intervals
from metrics.answers import Answers
from metrics.survey_scores import kano, kano_category

CLEAR = 0.06
"""A category that leads the second by less than this share of the answers is not clear."""


def kano_features(answers: Answers) -> pl.DataFrame:
    """Categories of the features of an instrument, over respondents who answered both questions.

    One row a feature: feature, n, A, O, M, I, R, Q (answers), category (the most frequent one), strength (by
    which share it leads the second), clear (by 6 points and more), better and worse with their intervals
    (Wilson over A, O, M and I).
    """
    rows = [_feature(answers, name) for name in answers.instrument.features]
    table = pl.DataFrame(rows, infer_schema_length=None)
    for name, letters in (("better", "AO"), ("worse", "OM")):
        hits = sum(table[letter].to_numpy() for letter in letters)
        base = sum(table[letter].to_numpy() for letter in "AOMI")
        lower, upper = intervals.wilson(hits, base)
        sides = (lower, upper) if name == "better" else (-upper, -lower)
        bounds = zip((f"{name}_lower", f"{name}_upper"), sides, strict=True)
        table = table.with_columns(pl.Series(column, values).fill_nan(None) for column, values in bounds)
    return table


def respondent_categories(answers: Answers, feature: str) -> pl.Series:
    """The category that each respondent gives a feature; null without an answer to both questions."""
    pair = answers.instrument.features[feature]
    with_it, without = answers.single[pair.functional], answers.single[pair.dysfunctional]
    both = ~np.isnan(with_it) & ~np.isnan(without)
    found = np.full(answers.n, None, dtype=object)
    found[both] = kano_category(with_it[both], without[both])
    return pl.Series("category", found, dtype=pl.String)


def _feature(answers: Answers, name: str) -> dict[str, object]:
    found = respondent_categories(answers, name)
    counts = {letter: int((found == letter).sum()) for letter in "AOMIRQ"}
    judged = kano(counts)
    strength = judged["strength"]
    clear = isinstance(strength, float) and strength >= CLEAR
    return {"feature": name, **counts, **judged, "clear": clear}
