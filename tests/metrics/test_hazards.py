"""Cox's model: what lifelines 0.30.3 gives for the same lives, a plain likelihood, columns that go wrong."""

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize

from metrics.hazards import hazards
from metrics.survival import life_table, log_rank, survival_at


def lives(n=300, seed=7):
    random = np.random.default_rng(seed)
    group = np.array(["a", "b", "c"])[random.integers(0, 3, n)]
    size = random.normal(size=n).round(3)
    time = np.ceil(random.exponential(60 / np.exp(0.5 * (group == "b") - 0.3 * size)))
    return pl.DataFrame({"duration": time, "observed": random.random(n) < 0.7, "group": group, "size": size})


LIFELINES = {
    "group: a": (0.5499027836200718, 0.38789414366875213, 0.7795762745295183, 0.0007841659064846927),
    "group: c": (0.5467865884566873, 0.39408281783470134, 0.7586617832232119, 0.000302762599680277),
    "size": (0.6271900841356154, 0.5416117224779793, 0.7262904130625306, 4.585575880733332e-10),
}
"""CoxPHFitter (Efron) with `b` as the reference and the size per standard deviation."""


def test_ratios_equal_lifelines():
    found = hazards(lives(), ["group", "size"])
    for row in found.table.iter_rows(named=True):
        ours = tuple(row[name] for name in ("hazard_ratio", "lower", "upper", "p_value"))
        assert ours == pytest.approx(LIFELINES[row["term"]], rel=1e-4)
    assert found.table.filter(pl.col("value") != "")["reference"].unique().to_list() == ["b"]


def test_the_check_of_proportional_hazards_is_close_to_lifelines():
    """Ranked event times; lifelines ranks ties one after the other, so that the last digits differ."""
    found = dict(hazards(lives(), ["group", "size"]).table.select("term", "proportional_p").iter_rows())
    assert found == pytest.approx({"group: a": 0.476336, "group: c": 0.880839, "size": 0.035602}, abs=0.03)


def test_kaplan_meier_and_log_rank_equal_lifelines():
    table = life_table(lives())
    known = {10: 0.884168409739265, 30: 0.6326460121088511, 60: 0.4136114622596328, 120: 0.18726682501776323}
    assert {day: survival_at(table, day) for day in known} == pytest.approx(known)
    row = table.row(by_predicate=pl.col("duration") == 30, named=True)
    assert (row["lower"], row["upper"]) == pytest.approx((0.5721226806176488, 0.6870177450913724))
    test = log_rank(lives(), "group")
    assert (test["statistic"], test["p_value"]) == pytest.approx((9.145301943921725, 0.010330537420760125))


def test_one_column_maximises_the_partial_likelihood():
    """Oracle: Breslow's partial likelihood written out, on lives without ties."""
    frame = lives(120).with_columns(duration=pl.int_range(1, 121).shuffle(seed=2).cast(pl.Float64))
    x = ((frame["size"] - frame["size"].mean()) / frame["size"].std(ddof=0)).to_numpy()
    time, seen = frame["duration"].to_numpy(), frame["observed"].to_numpy()

    def loss(beta):
        return -sum(
            beta[0] * x[at] - np.log(np.exp(beta[0] * x[time >= time[at]]).sum())
            for at in range(len(x))
            if seen[at]
        )

    best = minimize(loss, [0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10}).x[0]
    (ratio,) = hazards(frame, ["size"]).table["hazard_ratio"]
    assert np.log(ratio) == pytest.approx(best, abs=1e-5)


def test_a_ratio_that_changes_with_time_is_found():
    """Twice the hazard until day 20 and half of it after: no single ratio."""
    random = np.random.default_rng(1)
    n = 2000
    odd = random.random(n) < 0.5
    early = random.exponential(np.where(odd, 15, 30))
    late = 20 + random.exponential(np.where(odd, 60, 30))
    time = np.where(early < 20, early, late)
    frame = pl.DataFrame({"duration": time, "observed": True, "odd": odd})
    assert hazards(frame, ["odd"]).table["proportional_p"][0] < 1e-6


def test_constant_and_repeated_columns_are_named():
    frame = lives().with_columns(same=pl.lit(3), twice=2 * pl.col("size"), also=pl.col("group"))
    found = hazards(frame, ["same", "size", "twice", "group", "also"])
    assert found.left_out == {
        "same": "the same for everybody",
        "twice": "already said by `size`",
        "also: a": "already said by `group: a`",
        "also: c": "already said by `group: c`",
    }
    assert found.table["hazard_ratio"].is_finite().all()


def test_a_sum_of_columns_is_named():
    frame = lives().with_columns(other=pl.col("duration") % 7)
    frame = frame.with_columns(both=pl.col("size") + pl.col("other"))
    assert hazards(frame, ["size", "other", "both"]).left_out == {
        "both": "already said by `size` and `other`"
    }


def test_a_group_without_an_event_is_named():
    frame = lives().with_columns(observed=pl.col("observed") & (pl.col("group") != "c"))
    found = hazards(frame, ["group", "size"])
    assert "had the event" in found.left_out["group: c"]
    assert found.table["upper"].is_finite().all()


def test_perfect_separation_does_not_explode():
    """The larger the number, the sooner the event, without exception."""
    frame = pl.DataFrame({"duration": np.arange(1.0, 101), "observed": True, "x": -np.arange(100.0)})
    found = hazards(frame.with_columns(noise=pl.lit(0).cum_sum() + pl.int_range(100) % 5), ["x", "noise"])
    assert "separates" in found.left_out["x"]
    assert found.table["hazard_ratio"].is_finite().all()


def test_too_few_events_are_refused():
    found = hazards(lives(20), ["group", "size"])
    assert found.table.is_empty()
    assert "are too few for 3 terms" in found.reason


def test_no_lives_and_no_columns():
    empty = lives().clear()
    assert hazards(empty, ["size"]).table.is_empty()
    assert hazards(lives(), []).reason == "no column is left that could explain anything"
