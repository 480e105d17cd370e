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
    Model,
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

CATEGORIES = tuple("abcdefgh")
END = date(2024, 12, 31)
DAYS, EVERY, HORIZON = 700, 60.0, 90


def tastes(seed):
    """Four kinds of customers, each with its own shares of the categories."""
    return np.random.default_rng(1000 + seed).dirichlet(np.full(len(CATEGORIES), 0.5), 4)


def market(seed=0, customers=3000):
    """Customers of four hidden kinds; each orders at a rate of his own, drawn from an exponential.

    An order has one to three lines, each of a category by the taste of the customer's kind. Of such a market
    the chance of a first purchase given the past is known exactly: `best_chances`.
    """
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 4, customers)
    began = rng.integers(0, DAYS - 120, customers)
    later = rng.poisson(rng.gamma(1.0, 1 / EVERY, customers) * (DAYS - 1 - began))
    again = np.repeat(np.arange(customers), later)
    after = began[again] + 1 + (rng.random(len(again)) * (DAYS - 1 - began[again])).astype(int)
    who, day = np.append(np.arange(customers), again), np.append(began, after)
    at = np.repeat(np.arange(len(who)), rng.integers(1, 4, len(who)))
    place = (rng.random(len(at))[:, None] > tastes(seed).cumsum(axis=1)[kind][who[at]]).sum(axis=1)
    lines = pl.DataFrame(
        {
            "customer": who[at].astype(np.uint32),
            "order": at.astype(np.uint32),
            "ordered_on": (np.datetime64(END) - (DAYS - 1 - day[at])).astype("datetime64[D]"),
            "category": np.array(CATEGORIES)[place.clip(max=len(CATEGORIES) - 1)],
        }
    )
    baskets = lines.group_by(lines.columns, maintain_order=True).agg(pl.len().cast(pl.Int64).alias("lines"))
    amounts = {"gross_amount": 100_000, "net_amount": 100_000, "margin": 40_000}
    return baskets.with_columns(
        purchases=pl.col("lines"),
        quantity=pl.col("lines").cast(pl.Float64),
        **{name: pl.lit(value, pl.Int64) for name, value in amounts.items()},
    )


def best_chances(rows, seed, before):
    """The ceiling: the chance of a first purchase within the horizon given all that was seen, by Bayes' rule.

    The kind is judged by all lines; the rate, exponential before, is Gamma(1 + n, EVERY + t) after n further
    orders in t days; purchases of a category are a thinned Poisson process, so that none comes with
    probability E[exp(-rate q horizon)] = ((EVERY + t) / (EVERY + t + q horizon)) ^ (1 + n).
    """
    past = rows.filter(pl.col("ordered_on") <= before.at)
    facts = past.group_by("customer").agg(pl.col("order").n_unique() - 1, pl.col("ordered_on").min())
    facts = facts.sort("customer")
    seen = past.pivot(on="category", index="customer", values="lines", aggregate_function="sum")
    counts = seen.sort("customer").select(before.categories).fill_null(0).to_numpy()
    taste = tastes(seed)[:, [CATEGORIES.index(name) for name in before.categories]]
    log = counts @ np.log(taste).T
    kinds = np.exp(log - log.max(axis=1, keepdims=True))
    kinds /= kinds.sum(axis=1, keepdims=True)
    q = 1 - np.mean([(1 - taste) ** lines for lines in (1, 2, 3)], axis=0)
    n = facts["order"].to_numpy()[:, None, None]
    spent = EVERY + (pl.Series([before.at]) - facts["ordered_on"]).dt.total_days().to_numpy()[:, None, None]
    none = (spent / (spent + q * HORIZON)) ** (1 + n)
    return 1 - (kinds[:, :, None] * none).sum(axis=1)


NOBODY = pl.DataFrame(schema={"customer": pl.UInt32, "occurred_on": pl.Date})


@pytest.fixture(scope="module")
def rows():
    return market()


@pytest.fixture(scope="module")
def found(rows):
    made = trained(rows, NOBODY, END, HORIZON)
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


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_model_gains_most_of_what_can_be_known(seed):
    """Oracle: the exact chances. Half of what they gain over popularity is to be reached, by every measure.

    Groups are those who began in the same category. No model can be better than the exact chances: a lower
    Brier score would mean that it knows the future.
    """
    rows = market(seed)
    found = trained(rows, NOBODY, END, HORIZON)
    exact = best_chances(rows, seed, found.before)
    began = rows.sort("customer", "ordered_on", "category").group_by("customer", maintain_order=True).first()
    groups = began["category"].rank("dense").gather(found.before.customers).to_numpy()
    said = scores(found, groups) | {"exact": exact}
    table = {row["name"]: row for row in comparison(found, said).iter_rows(named=True)}
    for measure in ("hit_1", "hit_3", "mrr", "top_decile"):
        model, plain, best = (table[name][measure] for name in ("model", "popularity", "exact"))
        assert model - plain > 0.5 * (best - plain) > 0, measure
    for rule in ("popularity", "group", "rules"):
        assert table["model"]["top_decile"] > 1.1 * table[rule]["top_decile"], rule
        assert table["model"]["mrr"] > table[rule]["mrr"], rule
    hits, open_ = found.new[found.before.open], found.before.open
    assert exact[open_].sum() == pytest.approx(hits.sum(), rel=0.1)
    assert brier(found)[0] > brier_score_loss(hits, exact[open_])


def test_what_goes_together_is_the_partner():
    """Tea and mugs lie in every other order of either; ink with neither."""
    rng = np.random.default_rng(0)
    contents = [("tea", "mug"), ("tea",), ("mug",), ("ink",)]
    rows = pl.DataFrame(
        [
            (customer, 3 * customer + at, END - timedelta(days=at), name, 1, 100_000, 100_000)
            for customer in range(400)
            for at in range(3)
            for name in contents[rng.choice(4, p=[0.3, 0.15, 0.15, 0.4])]
        ],
        schema=["customer", "order", "ordered_on", "category", "purchases", "gross_amount", "net_amount"],
        orient="row",
    )
    found = snapshot(rows, NOBODY.with_columns(pl.col("customer").cast(pl.Int64)), END)
    names = np.array([*found.categories, ""])
    assert set(names[found.partner[found.held[:, found.categories.index("tea")]]][:, 1]) == {"tea"}
    assert not found.partner[:, found.categories.index("ink")].max() >= 0


def test_ranks_by_hand():
    held = np.array([[True, False, False], [False, False, True], [False, True, True]])
    before = Snapshot(
        END, pl.Series([1, 2, 3]), ("a", "b", "c"), held, np.zeros((3, 0)), (), held.astype(np.int64)
    )
    new = np.array([[False, False, True], [True, True, False], [False, False, False]])
    score = np.array([[9.0, 0.7, 0.2], [0.1, 0.4, 9.0], [0.5, 0.5, 0.5]])
    assert best_ranks(before, new, score).tolist() == [2.0, 1.0]


def test_measures_by_hand():
    """Four customers lack all of five categories and three of them buy one: ranks 1, 1 and 4.

    The best tenth of the 20 pairs are two, both of them bought; three of 20 were.
    """
    nothing = np.zeros((4, 5), dtype=np.bool_)
    before = Snapshot(END, pl.Series(range(4)), tuple("abcde"), nothing, np.zeros((4, 0)), (), nothing * 1)
    new = nothing.copy()
    new[0, 1] = new[1, 2] = new[2, 0] = True
    score = np.tile([0.1, 0.2, 0.3, 0.4, 0.5], (4, 1)) / 10
    score[0, 1], score[1, 2], score[2, 0] = 0.9, 0.8, 0.025
    found = Trained(None, before, None, before, new, HORIZON)
    row = comparison(found, {"rule": score}).row(0, named=True)
    assert (row["n"], row["hit_1"], row["hit_3"]) == (3, pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert row["mrr"] == pytest.approx((1 + 1 + 1 / 4) / 3)
    assert row["top_decile"] == pytest.approx((2 / 2) / (3 / 20))


def test_rules_of_thumb_by_hand():
    """Popularity says the same to all; a group's share of holders; the best lift first, then popularity."""
    held = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 1, 1]], dtype=np.bool_)
    popular = np.tile([-1.0, -2.0, -3.0], (4, 1))
    lift = np.zeros((4, 3))
    lift[0, 2] = 0.7
    before = Snapshot(END, pl.Series(range(4)), tuple("abc"), held, np.zeros((4, 12)), (popular, lift), held)
    model = Model(np.zeros(14), 0.0, np.zeros(14), np.ones(14), 1)
    said = scores(Trained(model, before, model, before, held, HORIZON), np.array([0, 0, 1, 1]))
    assert said["popularity"].tolist() == popular.tolist()
    assert said["group"].tolist() == [[1, 0.5, 0]] * 2 + [[0, 0.5, 1]] * 2
    assert np.argsort(-said["rules"][0]).tolist() == [2, 0, 1]
    assert np.argsort(-said["rules"][1]).tolist() == [0, 1, 2]


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
