"""Feeling to behaviour: an SQL oracle for what followed, the demo's planted slopes, refusals, equity."""

from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from connectors.demo.calendar import History
from connectors.demo.people import people
from connectors.demo.project import END
from connectors.demo.purchases import story
from connectors.demo.survey import DIMENSIONS, surveyed
from connectors.demo.truths import catalogue, comments, control, names, truths
from connectors.demo.world import World
from dashboard.instruments import instruments
from metrics.answers import Answers
from metrics.equity import Drivers, customer_equity
from metrics.gap_comparisons import gaps_by
from metrics.linkage import (
    Link,
    banded,
    by_band,
    compared,
    curves,
    followed,
    linked,
    mean_effect,
    not_asked,
    quantile_edges,
    score_curve,
    slopes,
)
from metrics.reasons import Reason
from metrics.return_on_quality import return_on_quality, shifted

AS_OF = date(2026, 12, 31)
NAMES = tuple(DIMENSIONS)


def shop(seed=0, n=400):
    """Responses with a score and random orders of the same and of other customers."""
    random = np.random.default_rng(seed)
    day = np.datetime64("2026-01-01")
    responses = pl.DataFrame(
        {
            "customer": random.integers(0, 250, n).astype(np.uint32),
            "answered_on": day + random.integers(0, 360, n),
            "score": random.integers(1, 8, n).astype(float),
        }
    )
    orders = pl.DataFrame(
        {
            "customer": random.integers(0, 300, 3 * n).astype(np.uint32),
            "ordered_on": day + random.integers(-200, 364, 3 * n),
            "net_amount": random.integers(5, 90, 3 * n).astype(float),
        }
    )
    return responses, orders


def test_what_followed_equals_sql():
    responses, orders = shop()
    r = responses.sort("customer", "answered_on", "score").with_row_index("i").to_arrow()
    o = orders.to_arrow()
    assert r.num_rows
    assert o.num_rows
    expected = duckdb.sql(
        """
        SELECT customer,
               count(*) FILTER (day BETWEEN answered_on - 180 AND answered_on - 1),
               coalesce(sum(net_amount) FILTER (day BETWEEN answered_on - 180 AND answered_on - 1), 0),
               coalesce(min(answered_on - day) FILTER (answered_on - day BETWEEN 1 AND 180), 180),
               coalesce(bool_or(day BETWEEN answered_on + 1 AND answered_on + 90), false),
               coalesce(sum(net_amount) FILTER (day BETWEEN answered_on + 1 AND answered_on + 90), 0)
        FROM r LEFT JOIN (SELECT customer, ordered_on AS day, net_amount FROM o) USING (customer)
        WHERE (customer, answered_on) IN
              (SELECT (customer, answered_on) FROM r JOIN o USING (customer) WHERE ordered_on <= answered_on)
        GROUP BY r.i, customer, answered_on ORDER BY r.i
        """
    ).fetchall()
    found = followed(responses, orders, 90, AS_OF, scores=("score",))
    columns = ("customer", "orders_before", "value_before", "recency_days", "returned", "spend")
    assert found.select(columns).rows() == [tuple(row) for row in expected]
    assert found["mature"].sum() == (found["answered_on"] <= date(2026, 10, 2)).sum()


def test_unknown_customers_are_left_out_and_later_orders_do_not_shorten_lives():
    responses = pl.DataFrame(
        {"customer": [None, 1, 2], "answered_on": [date(2026, 12, 1)] * 3},
        schema_overrides={"customer": pl.UInt32},
    )
    orders = pl.DataFrame(
        {
            "customer": [1, 2, 1, 2],
            "ordered_on": [date(2026, 12, 11), date(2027, 2, 1), date(2026, 1, 1), date(2026, 1, 1)],
            "net_amount": [1.0] * 4,
        },
        schema_overrides={"customer": pl.UInt32},
    )
    found = followed(responses, orders, 90, AS_OF)
    assert found.select("customer", "duration", "observed").rows() == [(1, 10, True), (2, 30, False)]


def demo_rows(seed, plan=None, customers=2_000):
    place = World(
        History.of_months(36, END), plan or truths(), catalogue(), names(), comments(), customers, seed
    )
    crowd = people(place, customers)
    tale, answers, _asked = surveyed(story(crowd, place), crowd, place)
    start = np.datetime64(place.history.start)
    gaps = {name: answers.gaps[:, at] for at, name in enumerate(NAMES)}
    responses = pl.DataFrame(
        {"customer": answers.customer.astype(np.uint32), "answered_on": start + answers.day, **gaps}
    )
    orders = pl.DataFrame(
        {"customer": tale.purchases.customer.astype(np.uint32), "ordered_on": start + tale.purchases.day}
    )
    amounts = orders.with_columns(net_amount=pl.lit(50.0))
    return followed(responses, amounts, truths().link.days, END, scores=NAMES)


@pytest.fixture(scope="module")
def rows():
    return demo_rows(3, customers=6_000).with_columns(overall=pl.mean_horizontal(NAMES))


@pytest.fixture(scope="module")
def link(rows):
    return linked(rows, NAMES)


def test_planted_slopes_are_covered():
    """Twenty seeds, five slopes each: 95 % intervals cover in at least 85 % of all."""
    covered = []
    for seed in range(20):
        table = slopes(linked(demo_rows(seed), NAMES))
        for name, lower, upper in table.select("term", "lower", "upper").iter_rows():
            covered.append(lower <= truths().link.slopes[name] <= upper)
    assert np.mean(covered) >= 0.85


def test_the_strongest_planted_slope_comes_first(link):
    table = slopes(link)
    assert table["term"][0] == "RES"
    assert table.filter(pl.col("p_holm") < 0.05)["term"].to_list()[:2] == ["RES", "REL"]


def test_chance_alone_is_found_where_nothing_is_planted():
    """The control: of a hundred slopes over twenty seeds one in twenty is told from zero, 12 at most."""
    plan = control(truths())
    tables = [slopes(linked(demo_rows(seed, plan), NAMES)) for seed in range(20)]
    told = sum((table["p_value"] < 0.05).sum() for table in tables)
    assert told <= 12


def test_the_planted_failure_covers_the_fall_of_retention(link):
    """Retention 0.60; its logit moves by slope x change, 0.5 x -1.6: what the interval of the slope says."""
    lower, upper = (shifted(0.60, bound * -1.6) for bound in link.model.bounds("RES"))
    assert upper <= shifted(0.60, 0.5 * -1.6) <= lower


def test_bands_hold_every_mature_answer_once(rows):
    edges = quantile_edges(rows["overall"])
    table = by_band(rows.with_columns(band=banded(rows["overall"], edges)))
    assert table["n"].sum() == rows["mature"].sum()
    assert table["returned"].sum() == rows.filter("mature")["returned"].sum()
    assert table["share"].is_sorted()


def test_curves_of_bands_part(rows):
    edges = quantile_edges(rows["overall"])
    table, p_value = curves(rows.with_columns(band=banded(rows["overall"], edges)))
    assert p_value < 1e-6
    assert table["by"].n_unique() == len(edges) + 1


def test_bands_never_split_equal_values():
    values = pl.Series([1.0] * 50 + [2.0] * 3 + [3.0] * 50 + [None])
    edges = quantile_edges(values)
    assert edges in ((2.0, 3.0), (3.0,))
    assert banded(values, edges).null_count() == 1
    assert quantile_edges(pl.Series([4.0, 4.0])) == ()
    assert quantile_edges(pl.Series([], dtype=pl.Float64)) == ()


def test_the_curve_rises_and_holds_the_mean(rows):
    curve = score_curve(rows, "overall")
    assert curve.table["chance"].is_sorted()
    assert curve.p_value < 1e-6
    mean = rows.filter("mature")["returned"].mean()
    assert curve.table["chance"].min() < mean < curve.table["chance"].max()


def test_a_control_that_repeats_another_is_left_out(rows):
    """All orders are worth 50 here: value before says what the number of orders says."""
    assert linked(rows, NAMES).model.names[-2:] == ("log_orders", "log_recency")


def test_mean_effect_equals_predicting_twice(link):
    moved = link.model.design.copy()
    moved[:, link.model.at("RES")] += 0.5
    both = [1 / (1 + np.exp(-x @ link.model.coefficients)) for x in (link.model.design, moved)]
    assert mean_effect(link, "RES", 0.5) == pytest.approx((both[1] - both[0]).mean())


def test_too_few_returns_are_refused_in_words():
    responses, orders = shop()
    rows = followed(responses, orders.head(12), 30, AS_OF, scores=("score",))
    found = linked(rows, ("score",))
    assert isinstance(found, Reason)
    assert "followed by an order" in found.text
    assert isinstance(score_curve(rows, "score"), Reason)


def test_equal_answers_are_refused_in_words():
    responses, orders = shop()
    rows = followed(responses.with_columns(score=pl.lit(5.0)), orders, 90, AS_OF, scores=("score",))
    found = linked(rows, ("score",))
    assert isinstance(found, Reason)
    assert "same answer" in found.text


def test_a_separating_score_is_fitted_with_a_penalty():
    """Everybody with 4 or more returns and nobody else does."""
    responses, orders = shop()
    rows = followed(responses, orders, 90, AS_OF, scores=("score",))
    rows = rows.with_columns(returned=pl.col("score") >= 4, mature=pl.lit(value=True))
    found = linked(rows, ("score",))
    assert isinstance(found, Link)
    assert found.cautious
    assert np.isfinite(found.model.coefficients).all()
    assert slopes(found)["lower"][0] > 0


def test_a_relation_in_the_other_direction_is_shown(rows):
    turned = rows.with_columns(returned=~pl.col("returned"))
    table = slopes(linked(turned, NAMES))
    assert table.filter(term="RES")["upper"][0] < 0


DRIVERS = Drivers(customers=1000, retention=0.5, discount=0.1, orders=2, order_value=50, margin_rate=0.5)


def test_return_on_quality_by_hand(link):
    """Equity at the shifted retention less that at today's, less the cost."""
    draws = np.full(200, 0.5)
    found = return_on_quality(link, "RES", 0.5, DRIVERS, draws, cost=1000.0)
    odds = np.exp(0.5 * link.model.coefficient("RES"))
    after = odds / (1 + odds)
    worth = [customer_equity(Drivers(**(DRIVERS.__dict__ | {"retention": r}))).total for r in (0.5, after)]
    assert found.after == pytest.approx(after)
    assert found.equity == pytest.approx(worth[1] - worth[0])
    assert found.net == pytest.approx(found.equity - 1000)
    assert found.lower < found.equity < found.upper


def test_a_slope_that_is_not_supported_gives_no_figure(rows):
    noise = rows.with_columns(noise=pl.Series(np.random.default_rng(1).normal(size=len(rows))))
    found = return_on_quality(linked(noise, ("noise", "RES")), "noise", 1.0, DRIVERS, np.full(50, 0.5))
    assert (found.equity, found.net) == (None, None)
    assert "do not tell the slope" in found.reason.text


def test_respondents_beside_the_others():
    asked = pl.DataFrame(
        {
            "customer": [1, 2],
            "answered_on": [date(2026, 5, 4), date(2026, 5, 20)],
            "group": ["respondents", "silent"],
        },
        schema_overrides={"customer": pl.UInt32},
    )
    orders = pl.DataFrame(
        {"customer": [1, 2, 3], "ordered_on": [date(2026, 5, 1)] * 3, "net_amount": [10.0, 20.0, 30.0]},
        schema_overrides={"customer": pl.UInt32},
    )
    others = not_asked(asked, orders)
    assert others.rows() == [(3, date(2026, 5, 20), "not asked")]
    rows = followed(pl.concat([asked, others]), orders, 90, AS_OF, scores=("group",))
    table = compared(rows, ("respondents", "silent", "not asked"))
    assert table.select("group", "n", "value_before").rows() == [
        ("respondents", 1, 10.0),
        ("silent", 1, 20.0),
        ("not asked", 1, 30.0),
    ]


def demo_wave(seed, plan=None, customers=20_000):
    """The answers of the last two waves of the demonstration, with the region of each respondent."""
    place = World(
        History.of_months(36, END), plan or truths(), catalogue(), names(), comments(), customers, seed
    )
    crowd = people(place, customers)
    _tale, given, _asked = surveyed(story(crowd, place), crowd, place)
    last = np.isin(given.wave, np.unique(given.wave)[-2:])
    instrument = instruments(Path()).named["servqual_1991"]
    sides = {"expectation": given.expectation[last], "perception": given.perception[last]}
    parts = {part: np.where(side > 0, side, np.nan).astype(float) for part, side in sides.items()}
    responses = pl.DataFrame({"response_id": given.customer[last], "weight": 1.0})
    points = given.points[last].astype(float)
    regions = pl.Series(np.array(list(place.truths.regions))[crowd.region[given.customer[last]]])
    return Answers(instrument, responses, parts, points, {}, {}, {}, {}), regions


def test_the_planted_failure_is_found_in_its_region_and_dimension():
    """East and responsiveness fall shortest of the others; nothing else is told from them."""
    table = gaps_by(*demo_wave(20261031))
    told = table.filter((pl.col("p_holm") < 0.01) & (pl.col("difference") < 0))
    assert told.select("by", "dimension").rows() == [("East", "RES")]
    row = told.row(0, named=True)
    assert row["upper"] < 0
    assert row["difference"] == pytest.approx(-0.7, abs=0.2)


def test_no_region_stands_out_without_a_failure():
    told = gaps_by(*demo_wave(20261031, control(truths()))).filter(pl.col("p_holm") < 0.01)
    assert told.is_empty()
