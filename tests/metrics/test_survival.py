"""Kaplan-Meier, log-rank: published data, a plain-Python oracle, statsmodels, and what must always hold."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from metrics.survival import life_table, log_rank, median_survival, restricted_mean, survival_at

SIX_MP = pl.DataFrame(
    {
        "duration": [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35],
        "observed": [bool(e) for e in [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]],
    }
)
PLACEBO = pl.DataFrame(
    {
        "duration": [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23],
        "observed": [True] * 21,
    }
)

lives = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("weeks", "published"),
    [(6, 0.8571), (7, 0.8067), (10, 0.7529), (13, 0.6902), (16, 0.6275), (22, 0.5378), (23, 0.4482)],
)
def test_curve_of_the_6_mp_leukaemia_trial(weeks, published):
    """Freireich et al. 1963, the worked example of most textbooks."""
    assert survival_at(life_table(SIX_MP), weeks) == pytest.approx(published, abs=5e-5)


def test_interval_is_log_log_of_greenwood():
    """At 10 weeks S is .7529 with standard error .0963; R's survival prints (.5032, .8894)."""
    row = life_table(SIX_MP).row(by_predicate=pl.col("duration") == 10, named=True)
    assert (row["lower"], row["upper"]) == pytest.approx((0.5032, 0.8894), abs=5e-5)
    assert (row["at_risk"], row["events"], row["censored"]) == (15, 1, 1)


def test_median_and_restricted_mean():
    table = life_table(SIX_MP)
    assert median_survival(table) == 23
    assert restricted_mean(table, 6) == 6
    assert restricted_mean(table, 7) == pytest.approx(6 + 6 / 7)
    assert median_survival(life_table(SIX_MP.with_columns(observed=False))) is None


def test_log_rank_of_the_trial_equals_the_published_chi_square():
    """6-MP against placebo: 16.79 on one degree of freedom."""
    both = pl.concat([SIX_MP.with_columns(arm=pl.lit("drug")), PLACEBO.with_columns(arm=pl.lit("placebo"))])
    test = log_rank(both, "arm")
    assert test["statistic"] == pytest.approx(16.79, abs=0.005)
    assert test["degrees"] == 1
    assert test["p_value"] == pytest.approx(4.17e-5, rel=0.01)


@settings(deadline=None, max_examples=50)
@given(lives)
def test_curve_equals_statsmodels(rows):
    frame = pl.DataFrame(rows, schema=["duration", "observed"], orient="row")
    table = life_table(frame)
    theirs = SurvfuncRight(frame["duration"].to_numpy(), frame["observed"].to_numpy().astype(int))
    ours = table.filter(pl.col("events") > 0)
    assert ours["survival"].to_list() == pytest.approx(list(theirs.surv_prob))
    assert ours["at_risk"].to_list() == list(theirs.n_risk)


@settings(deadline=None, max_examples=50)
@given(lives)
def test_what_always_holds_of_a_curve(rows):
    frame = pl.DataFrame(rows, schema=["duration", "observed"], orient="row")
    table = life_table(frame)
    assert (table["survival"].diff().drop_nulls() <= 1e-12).all()
    assert table["events"].sum() + table["censored"].sum() == len(rows)
    inside = table.drop_nulls("lower")
    assert (inside["lower"] <= inside["survival"]).all()
    assert (inside["survival"] <= inside["upper"]).all()
    doubled = frame.with_columns(copies=pl.lit(2))
    assert life_table(doubled, weight="copies")["survival"].to_list() == pytest.approx(
        table["survival"].to_list()
    )


@pytest.mark.parametrize("groups", [2, 4])
def test_log_rank_equals_statsmodels(groups):
    random = np.random.default_rng(groups)
    frame = pl.DataFrame(
        {
            "duration": random.integers(1, 30, 300),
            "observed": random.random(300) < 0.7,
            "group": random.integers(0, groups, 300),
        }
    )
    theirs = survdiff(*(frame[c].to_numpy() for c in ("duration", "observed", "group")))
    ours = log_rank(frame, "group")
    assert (ours["statistic"], ours["p_value"]) == pytest.approx((theirs[0], theirs[1]))


def test_groups_are_apart():
    both = pl.concat([SIX_MP.with_columns(arm=pl.lit("a")), PLACEBO.with_columns(arm=pl.lit("b"))])
    table = life_table(both, by="arm")
    assert table.filter(pl.col("arm") == "a").drop("arm").equals(life_table(SIX_MP))


def test_nothing_to_go_by():
    none = SIX_MP.clear()
    assert life_table(none).is_empty()
    assert survival_at(life_table(none), 3) is None
    assert log_rank(none.with_columns(arm=pl.lit("a")), "arm")["p_value"] is None
    assert log_rank(SIX_MP.with_columns(arm=pl.lit("a")), "arm")["p_value"] is None
    unknown = pl.DataFrame({"duration": [None, -1, 2], "observed": [True, True, True]})
    assert life_table(unknown)["at_risk"].to_list() == [1]
