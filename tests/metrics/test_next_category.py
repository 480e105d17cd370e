"""The next category: nothing of the future is known, ranks by hand, calibration, offers, short histories."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from sklearn.metrics import brier_score_loss

from config.documents import Document
from config.load import Located
from connectors.tables import MONEY
from metrics.catalog import catalog
from metrics.figures import compute
from metrics.frames import Marts
from metrics.lists import customers_behind
from metrics.marts import build
from metrics.next_category import (
    FEATURES,
    Snapshot,
    Trained,
    bought_after,
    contributions,
    snapshot,
    trained,
)
from metrics.next_category_definitions import NextCategory
from metrics.next_category_offers import first_margins, offers
from metrics.next_category_quality import best_ranks, brier, calibration, comparison, scores
from metrics.periods import Calendar, Window
from metrics.reasons import Reason

CATEGORIES = ("a", "b", "c", "d", "e", "f")
END = date(2024, 12, 31)


def market(seed=0, customers=2500, days=700):
    """Customers come all the time and order at their own rate; a, b, c go together, and so do d, e, f."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(0.8, 1 / 60, customers)
    popular = np.array([0.30, 0.12, 0.14, 0.20, 0.14, 0.10])
    rows, order = [], 0
    for customer in range(customers):
        mine = np.arange(6) // 3 == customer % 2
        taste = popular * np.where(mine, 1.0, 0.08)
        times = rng.uniform(0, days) + np.cumsum(rng.exponential(1 / rate[customer], 40))
        for time in times[times < days]:
            order += 1
            chosen = {CATEGORIES[at] for at in rng.choice(6, 1 + (order % 2), p=taste / taste.sum())}
            rows += [(customer, order, END - timedelta(days=days - 1 - int(time)), name) for name in chosen]
    frame = pl.DataFrame(
        rows,
        schema={"customer": pl.UInt32, "order": pl.UInt32, "ordered_on": pl.Date, "category": pl.String},
        orient="row",
    )
    return frame.with_columns(
        purchases=1,
        lines=1,
        quantity=1.0,
        gross_amount=pl.lit(100_000, pl.Int64),
        net_amount=pl.lit(100_000, pl.Int64),
        margin=pl.lit(40_000, pl.Int64),
    )


NOBODY = pl.DataFrame(schema={"customer": pl.UInt32, "occurred_on": pl.Date})


@pytest.fixture(scope="module")
def rows():
    return market()


@pytest.fixture(scope="module")
def found(rows):
    made = trained(rows, NOBODY, END, 90)
    assert isinstance(made, Trained)
    return made


def test_a_snapshot_knows_nothing_of_what_comes_after(rows):
    at = END - timedelta(days=200)
    whole = snapshot(rows, NOBODY, at)
    cut = snapshot(rows.filter(pl.col("ordered_on") <= at), NOBODY, at)
    assert whole.customers.equals(cut.customers)
    assert (whole.held == cut.held).all()
    assert np.array_equal(whole.facts, cut.facts)
    assert all(np.array_equal(a, b) for a, b in zip(whole.pairs, cut.pairs, strict=True))


def test_what_was_bought_after_is_new_and_within_the_window(rows):
    """Oracle: sets in plain Python."""
    at, until = END - timedelta(days=180), END - timedelta(days=90)
    before = snapshot(rows, NOBODY, at)
    new = bought_after(before, rows, until)
    held: dict[int, set[str]] = {}
    added: dict[int, set[str]] = {}
    for customer, day, name in rows.select("customer", "ordered_on", "category").iter_rows():
        (held if day <= at else added if day <= until else {}).setdefault(customer, set()).add(name)
    for place, customer in enumerate(before.customers):
        ours = {before.categories[at] for at in np.flatnonzero(new[place])}
        assert ours == added.get(customer, set()) - held[customer]


def test_the_model_is_calibrated_on_a_window_that_it_did_not_see(found):
    table = calibration(found)
    assert table["expected"].is_sorted()
    top = table.row(-1, named=True)
    assert top["expected"] == pytest.approx(top["actual"], rel=0.25)
    assert (table["expected"] * table["n"]).sum() == pytest.approx(
        (table["actual"] * table["n"]).sum(), rel=0.2
    )


def test_brier_score_is_that_of_scikit_learn(found):
    chances = found.judged.propensities(found.before)[found.before.open]
    hits = found.new[found.before.open]
    ours, base = brier(found)
    assert ours == pytest.approx(brier_score_loss(hits, chances))
    assert ours < base


def test_the_model_knows_whom_to_ask_and_what_goes_together(found):
    groups = np.zeros(len(found.before.customers), dtype=np.int64)
    table = {row["name"]: row for row in comparison(found, scores(found, groups)).iter_rows(named=True)}
    assert table["model"]["top_decile"] > 1.2 * table["popularity"]["top_decile"]
    assert table["model"]["mrr"] > table["popularity"]["mrr"]
    partner, column = found.before.partner, np.arange(6)
    there = partner >= 0
    assert there.any()
    assert (partner // 3 == column // 3)[there].all()


def test_ranks_by_hand():
    held = np.array([[True, False, False], [False, False, True], [False, True, True]])
    before = Snapshot(
        END, pl.Series([1, 2, 3]), ("a", "b", "c"), held, np.zeros((3, 0)), (), held.astype(np.int64)
    )
    new = np.array([[False, False, True], [True, True, False], [False, False, False]])
    score = np.array([[9.0, 0.7, 0.2], [0.1, 0.4, 9.0], [0.5, 0.5, 0.5]])
    assert best_ranks(before, new, score).tolist() == [2.0, 1.0]


def test_contributions_add_up_to_the_odds(found):
    now, model = found.now, found.model
    said = contributions(model, now, 3, 2)
    assert tuple(said) == FEATURES
    assert sum(said.values()) + model.intercept == pytest.approx(model.logits(now)[3, 2])


def test_offers_are_open_worth_something_and_not_for_those_left_out(found, rows):
    worth = first_margins(rows, 90)
    left_out = pl.DataFrame({"customer": found.now.customers.head(50)})
    table = offers(found, worth, left_out)
    assert not set(table["customer"]) & set(left_out["customer"])
    place = {customer: at for at, customer in enumerate(found.now.customers)}
    column = {name: at for at, name in enumerate(found.now.categories)}
    chances = found.model.propensities(found.now)
    known = dict(worth.iter_rows())
    for row in table.head(200).iter_rows(named=True):
        at = place[row["customer"]]
        assert found.now.open[at, column[row["category"]]]
        best = max(chances[at, col] * known[name] for name, col in column.items() if found.now.open[at, col])
        assert row["value"] == pytest.approx(best)
    assert table["value"].is_sorted(descending=True)


def test_a_first_purchase_is_worth_what_follows_within_the_horizon():
    """20 + 5 of one buyer, 10 of another; what comes after 90 days does not count."""
    days = [date(2024, 1, 1), date(2024, 2, 1), date(2024, 8, 1), date(2024, 3, 1)]
    frame = pl.DataFrame(
        {
            "customer": [1, 1, 1, 2],
            "category": ["tea"] * 4,
            "ordered_on": days,
            "purchases": [1] * 4,
            "net_amount": [0] * 4,
            "margin": [200_000, 50_000, 900_000, 100_000],
        }
    )
    assert first_margins(frame, 90).row(0) == ("tea", 17.5)


def test_too_short_or_too_quiet_is_a_reason(rows):
    short = trained(rows.filter(pl.col("ordered_on") > END - timedelta(days=200)), NOBODY, END, 90)
    assert isinstance(short, Reason)
    assert "360 days" in short.text
    quiet = trained(rows.filter(pl.col("customer") < 40), NOBODY, END, 90)
    assert isinstance(quiet, Reason)
    assert "new category" in quiet.text


def marts_of(rows):
    """The market as a project."""
    lines = rows.with_columns(
        pl.col("customer").cast(pl.String).alias("customer_id"),
        pl.col("order").cast(pl.String).alias("order_id"),
        pl.int_range(pl.len()).cast(pl.String).alias("line_id"),
        net_amount=pl.lit(10).cast(MONEY),
        ordered_at=pl.col("ordered_on").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        is_return=pl.lit(value=False),
    ).drop("customer", "order", "purchases", "lines", "gross_amount", "margin")
    return Marts({**build({"order_lines": lines.lazy()}, Calendar(), END)}, Calendar(), END)


SAID = {"name": "figure", "label": "Figure", "description": "One.", "kind": "next_category"}


@pytest.mark.parametrize(
    "said",
    [
        {"value": "hit_rate", "k": 1, "unit": "rate"},
        {"value": "mrr", "unit": "ratio"},
        {"value": "first_purchases", "unit": "count"},
    ],
)
def test_definitions_give_what_the_model_gives_and_their_list_adds_up(rows, found, said):
    marts = marts_of(rows)
    defined = catalog([Located(NextCategory(**SAID, **said), Document("metrics.yaml"))])
    assert not defined.problems
    row = compute(defined, ["figure"], marts, Window()).row(0, named=True)
    people = customers_behind(defined, "figure", marts, Window())
    if said["value"] == "first_purchases":
        assert row["value"] == pytest.approx(np.nansum(found.model.propensities(found.now)), rel=1e-6)
        assert people["value"].sum() == pytest.approx(row["value"])
        return
    ranks = best_ranks(found.before, found.new, found.judged.propensities(found.before))
    expected = (ranks <= 1).mean() if said["value"] == "hit_rate" else (1 / ranks).mean()
    assert row["value"] == pytest.approx(expected)
    assert people["numerator"].sum() / people["denominator"].sum() == pytest.approx(row["value"])


def test_definitions_that_do_not_go_together_are_refused():
    with pytest.raises(ValidationError, match="how many categories"):
        NextCategory(**SAID, value="hit_rate", unit="rate")
    with pytest.raises(ValidationError, match="how many categories"):
        NextCategory(**SAID, value="mrr", unit="ratio", k=3)
