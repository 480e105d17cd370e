"""Definitions that follow customers through time: SQL, tile = list, published numbers, refusals."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import get_args

import duckdb
import polars as pl
import pytest
from polars.testing import assert_series_equal
from pydantic import ValidationError

from config.documents import Document
from config.load import Located, read_many
from metrics.catalog import DEFINITION, Catalog, catalog
from metrics.definitions import Derived, Ratio
from metrics.event_times import lives_until
from metrics.figures import compute
from metrics.frames import Marts
from metrics.lists import customers_behind
from metrics.marts import build
from metrics.periods import Calendar, Grain, Window
from metrics.retention_definitions import (
    CohortFigure,
    CohortRetention,
    Followed,
    Lifecycle,
    RevenueRetention,
    Survival,
)
from metrics.selection import Missing, Selection
from metrics.standings import standings
from metrics.targets import target_of, verdict

CALENDAR = Calendar()
SAID = {"name": "figure", "label": "Figure", "description": "One.", "unit": "rate"}
MONTH = Window(Grain.MONTH, 2024 * 12 + 4, 3)


def one(definition) -> Catalog:
    found = catalog([Located(definition, Document("metrics.yaml"))])
    assert not found.problems
    return found


def figures(definition, marts, window=MONTH, by=None):
    return compute(one(definition), ["figure"], marts, window, by=by)


def cohort(**choices):
    return CohortRetention(kind="cohort_retention", **{**SAID, **choices})


def followed_names(shipped):
    return [name for name, plan in shipped.plans.items() if isinstance(plan.definition, Followed)]


def sums_of(people, code):
    rows = people.filter(pl.col("period") == code)
    return {name: rows[name].sum() for name in rows.columns[3:]}


@pytest.mark.parametrize("selection", [Selection(), Selection({"region": ("North",)})])
def test_the_list_adds_up_to_the_figure(shipped, shop_marts, selection):
    """Every shipped definition over time; Kaplan and Meier's share is that of the list where all are seen."""
    marts = shop_marts.select(selection)
    for name in followed_names(shipped):
        rows = compute(shipped, [name], marts, MONTH)
        try:
            people = customers_behind(shipped, name, marts, MONTH)
        except Missing:
            assert rows["value"].null_count() == len(rows)
            continue
        for row in rows.filter(pl.col("value").is_not_null()).iter_rows(named=True):
            sums = sums_of(people, row["period"])
            if "denominator" in sums:
                assert float(sums["numerator"]) / float(sums["denominator"]) == pytest.approx(row["value"]), (
                    name
                )
            elif "value" in sums:
                assert float(sums["value"]) == pytest.approx(row["value"]), name


@pytest.mark.parametrize(
    "choices",
    [
        *({"value": value} for value in get_args(CohortFigure) if value not in ("paid_back", "payback_age")),
        {"base": "previous"},
        {"mean": "simple"},
        {"window": "rolling"},
        {"returns": "on_or_after"},
        {"until_age": 3},
        {"grain": "quarter", "mean": "simple"},
    ],
)
def test_every_cohort_figure_adds_up(choices):
    definition, marts = cohort(age=1, **choices), shop(random_rows(), date(2024, 8, 31))
    window = Window(Grain.QUARTER, 2024 * 4 + 1) if choices.get("grain") else MONTH
    rows = figures(definition, marts, window)
    people = customers_behind(one(definition), "figure", marts, window)
    known = rows.drop_nulls("value")
    assert len(known)
    for row in known.iter_rows(named=True):
        sums = {name: float(total) for name, total in sums_of(people, row["period"]).items()}
        expected = sums["value"] if "value" in sums else sums["numerator"] / sums["denominator"]
        assert expected == pytest.approx(row["value"])


def lines(rows):
    frame = pl.DataFrame(rows, schema={"customer_id": pl.String, "ordered_on": pl.Date}, orient="row")
    return frame.with_row_index("row").select(
        "customer_id",
        "ordered_on",
        order_id=pl.col("row").cast(pl.String),
        line_id=pl.lit("1"),
        ordered_at=pl.col("ordered_on").cast(pl.Datetime("us", "UTC")),
        net_amount=pl.lit("10").cast(pl.Decimal(18, 4)),
        is_return=pl.lit(value=False),
    )


def shop(rows, as_of):
    return Marts(build({"order_lines": lines(rows).lazy()}, CALENDAR, as_of), CALENDAR, as_of)


def random_rows(n=1500, seed=3):
    import numpy as np

    random = np.random.default_rng(seed)
    start = date(2023, 1, 1).toordinal()
    days = [date.fromordinal(start + int(day)) for day in random.integers(0, 600, n)]
    return [(f"c{who}", day) for who, day in zip(random.integers(0, 300, n), days, strict=True)]


def test_cohorts_by_age_equal_sql():
    """Of those who began two months before, who ordered: DuckDB over the same lines."""
    rows = random_rows()
    found = figures(cohort(age=2), shop(rows, date(2024, 8, 31)), Window(Grain.MONTH, 2024 * 12 + 7, 12))
    frame = pl.DataFrame(rows, schema=["id", "day"], orient="row").to_arrow()
    assert frame.num_rows
    theirs = duckdb.sql(
        """
        with v as (select id, year(day) * 12 + month(day) - 1 as m from frame),
             f as (select id, min(m) as c from v group by 1)
        select c + 2 as period, count(distinct id) filter (m = c + 2) / count(distinct id) as rate
        from v join f using (id) group by c order by 1
        """
    ).fetchall()
    expected = {int(period): rate for period, rate in theirs}
    ours = dict(found.filter(pl.col("value").is_not_null()).select("period", "value").iter_rows())
    assert ours
    assert ours == pytest.approx({period: expected[period] for period in ours})


def test_quarters_hold_the_month_cohorts_that_close_in_them():
    """A quarter of monthly cohorts is their months taken together."""
    marts = shop(random_rows(), date(2024, 8, 31))
    months = figures(cohort(age=1, grain="month"), marts, Window(Grain.MONTH, 2024 * 12 + 5, 3))
    (quarter,) = figures(cohort(age=1, grain="month"), marts, Window(Grain.QUARTER, 2024 * 4 + 1))["value"]
    weighted = (months["value"].fill_null(0) * months["n"]).sum() / months["n"].sum()
    assert quarter == pytest.approx(weighted)


def test_a_split_gives_each_value_alone(shop_marts):
    definition = Lifecycle(kind="lifecycle", **SAID, value="active")
    split = figures(definition, shop_marts, by="region")
    for region in ("North", "East"):
        alone = figures(definition, shop_marts.select(Selection({"region": (region,)})))
        ours = split.filter(pl.col("by").cast(pl.String) == region)
        assert ours["value"].to_list() == alone["value"].to_list()


def contracts(*rows):
    return pl.DataFrame(
        rows,
        schema={"customer_id": pl.String, "started_on": pl.Date, "ended_on": pl.Date, "amount": pl.Int64},
        orient="row",
    ).select(
        pl.all().exclude("amount"),
        subscription_id=pl.col("customer_id"),
        plan=pl.lit("A"),
        amount=pl.col("amount").cast(pl.Decimal(18, 4)),
        billing_period=pl.lit("month"),
    )


@pytest.mark.parametrize(
    ("value", "expected"), [("net_retention", 1.05), ("gross_retention", 0.95), ("logo_retention", 0.75)]
)
def test_published_revenue_retention(value, expected):
    """200,000 less 6,000 churn and 4,000 contraction, 20,000 expansion (dnoise): NRR 105 %, GRR 95 %."""
    start, turn = date(2023, 1, 1), date(2024, 5, 10)
    rows = contracts(
        ("gone", start, turn, 6_000),
        ("less", start, turn, 14_000),
        ("less", turn, None, 10_000),
        ("more", start, turn, 80_000),
        ("more", turn, None, 100_000),
        ("same", start, None, 100_000),
        ("new", turn, None, 70_000),
    )
    marts = Marts(
        build({"subscriptions": rows.lazy()}, CALENDAR, date(2024, 5, 31)), CALENDAR, date(2024, 5, 31)
    )
    definition = RevenueRetention(kind="revenue_retention", **SAID, value=value)
    assert figures(definition, marts)["value"].to_list()[-1] == pytest.approx(expected)


def test_a_period_without_anybody_says_so():
    marts = shop([("a", date(2024, 5, 2))], date(2024, 5, 31))
    reasons = {
        "no cohort's period closes in this period": cohort(age=3),
        "nobody left, so there is nothing to divide by": Lifecycle(
            kind="lifecycle", **SAID, value="quick_ratio"
        ),
        "nobody has been followed for 90 days yet": Survival(
            kind="survival", **SAID, event="second_order", days=90
        ),
        "no source gives `subscriptions`": RevenueRetention(kind="revenue_retention", **SAID, value="mrr"),
    }
    for reason, definition in reasons.items():
        row = figures(definition, marts, Window(Grain.MONTH, 2024 * 12 + 4)).row(0, named=True)
        assert (row["value"], row["reason"]) == (None, reason)


def test_days_that_are_no_periods_are_refused_in_words(shop_marts):
    window = Window.between(CALENDAR, date(2024, 2, 3), date(2024, 3, 9))
    row = figures(cohort(age=1), shop_marts, window).row(0, named=True)
    assert row["reason"].startswith("ask for whole periods")


@pytest.mark.parametrize("by", [None, "region"])
def test_they_may_be_parts_of_formulas_and_quotients(shipped, shop_marts, by):
    """Arithmetic on the figures of the parts; where a part has none a reason; the list names the parts."""
    document = Document("metrics.yaml")
    share = {"numerator": "churned_customers", "denominator": "active_customers"}
    more = [
        Derived(kind="derived", **SAID, expression="{quick_ratio} / 2 + {orders}"),
        Ratio(kind="ratio", **{**SAID, "name": "share"}, **share),
    ]
    every = [Located(plan.definition, document) for plan in shipped.plans.values()]
    found = catalog([*every, *(Located(each, document) for each in more)])
    assert not found.problems
    names = ["figure", "share", "quick_ratio", "orders", *share.values()]
    rows = compute(found, names, shop_marts, MONTH, by=by)
    part = {name: rows.filter(pl.col("metric") == name) for name in names}
    assert part["figure"]["value"].drop_nulls().len() > 1
    assert_series_equal(part["figure"]["value"], part["quick_ratio"]["value"] / 2 + part["orders"]["value"])
    active = pl.when(pl.col("value") > 0).then("value")
    expected = part["churned_customers"]["value"] / part["active_customers"].select(active).to_series()
    assert_series_equal(part["share"]["value"], expected)
    without = part["figure"].filter(pl.col("value").is_null())
    assert (without["reason"] != "").all()
    people = customers_behind(found, "figure", shop_marts, MONTH)
    assert {"quick_ratio.numerator", "quick_ratio.denominator", "orders.value"} <= set(people.columns)


@dataclass(frozen=True)
class Watched(Marts):
    """Marts that note which columns of which relation are read."""

    seen: dict[str, set[str]] = field(default_factory=dict)

    def rows(self, relation, window, columns, *args, **kwargs):
        self.seen.setdefault(relation.name, set()).update(columns)
        return super().rows(relation, window, columns, *args, **kwargs)


def test_lineage_names_what_is_read(shipped, shop_marts):
    """What is asked of the marts stands in `reads`; amounts come along with orders whether needed or not."""
    shared = {"net_amount", "margin", "subscription_id"}
    rolling = cohort(age=1, window="rolling", back="contact", value="net_retention")
    for definition in (*(shipped.definition(name) for name in followed_names(shipped)), rolling):
        marts = Watched(shop_marts.frames, shop_marts.calendar, shop_marts.as_of)
        compute(one(definition), [definition.name], marts, MONTH)
        assert marts.seen.keys() == definition.reads.keys(), definition
        for table, columns in definition.reads.items():
            assert marts.seen[table] - shared <= set(columns), definition


@pytest.mark.parametrize(
    ("choices", "fault"),
    [
        ({"age": 4, "until_age": 2}, "ends at 2, before it begins at 4"),
        ({"age": 1, "until_age": 3, "returns": "on_or_after"}, "active once within it"),
        ({"age": -1}, "greater than or equal to 0"),
    ],
)
def test_contradictions_are_refused(choices, fault):
    with pytest.raises((ValidationError, Exception), match=fault):
        cohort(**choices)


def test_small_figures_are_hidden(shop_marts):
    rows = figures(CohortRetention(kind="cohort_retention", **SAID, age=1, min_n=10**6), shop_marts)
    assert rows["value"].null_count() == len(rows)
    assert {reason for reason in rows["reason"] if "too few" in reason} <= {
        "fewer than 1000000, too few to show"
    }


def test_a_simple_mean_of_rates():
    """Of two who began in January one is back after a month, of one in February one: 3 / 4, or 2 / 3."""
    rows = [("a", date(2024, 1, 1)), ("b", date(2024, 1, 1)), ("a", date(2024, 2, 1))]
    rows += [("c", date(2024, 2, 1)), ("c", date(2024, 3, 1))]
    quarter, marts = Window(Grain.QUARTER, 2024 * 4), shop(rows, date(2024, 3, 31))
    means = [
        figures(cohort(age=1, grain="month", mean=mean), marts, quarter)["value"].item()
        for mean in ("simple", "weighted")
    ]
    assert means == pytest.approx([3 / 4, 2 / 3])


def spent_for(rows, spent, as_of):
    """Marts of orders worth 10 each and of what was spent to win customers: day and amount."""
    spend = pl.DataFrame(spent, schema={"spent_on": pl.Date, "amount": pl.Int64}, orient="row").with_columns(
        pl.col("amount").cast(pl.Decimal(18, 4)), purpose=pl.lit("acquisition"), channel=pl.lit("all")
    )
    made = build({"order_lines": lines(rows).lazy(), "spend": spend.lazy()}, CALENDAR, as_of)
    return Marts(made, CALENDAR, as_of)


def test_what_was_spent_is_paid_back():
    """Two customers won in January for 25 have brought 10 each by its end, and 10 more a month later."""
    rows = [("a", date(2024, 1, 1)), ("b", date(2024, 1, 9)), ("a", date(2024, 2, 1))]
    marts = spent_for(rows, [(date(2024, 1, 1), 25)], date(2024, 2, 29))
    shares = [
        figures(cohort(age=age, value="paid_back"), marts, Window(Grain.MONTH, 2024 * 12 + age))["value"][0]
        for age in (0, 1)
    ]
    assert shares == pytest.approx([20 / 25, 30 / 25])
    people = customers_behind(
        one(cohort(age=1, value="paid_back")), "figure", marts, Window(Grain.MONTH, 2024 * 12 + 1)
    )
    assert float(people["numerator"].sum()) / people["denominator"].sum() == pytest.approx(30 / 25)


def test_the_month_in_which_cohorts_have_paid_for_themselves():
    """Cohorts of one month and of a quarter, and the age after which they are not followed.

    January's two cost 25 and have brought 20, then 30. February's one cost 45 and has brought 10, then 20.
    Together, at the same ages, 30 and 50 against 70: not paid back; for 50 they are, after one month.
    """
    rows = [("a", date(2024, 1, 1)), ("b", date(2024, 1, 9)), ("a", date(2024, 2, 1))]
    rows += [("c", date(2024, 2, 3)), ("c", date(2024, 3, 3))]
    payback = {"value": "payback_age", "unit": "count", "grain": "month"}
    january, quarter = Window(Grain.MONTH, 2024 * 12 + 1), Window(Grain.QUARTER, 2024 * 4)

    def asked(february, window, age=1):
        marts = spent_for(rows, [(date(2024, 1, 1), 25), (date(2024, 2, 1), february)], date(2024, 3, 31))
        return figures(cohort(**payback, age=age), marts, window).row(0, named=True)

    assert (asked(45, january)["value"], asked(45, january)["n"]) == (1, 2)
    assert asked(45, Window(Grain.MONTH, 2024 * 12), age=0)["reason"] == "not paid back by the end of age 0"
    assert asked(45, quarter)["value"] is None
    assert (asked(25, quarter)["value"], asked(25, quarter)["n"]) == (1, 3)


def test_a_filter_changes_nobodys_judgement(shop_marts):
    """Who counts as lost among all is lost among those of the North, and nobody else is."""
    whole = standings(shop_marts)
    north = standings(shop_marts.select(Selection({"region": ("North",)})))
    assert 0 < len(north) < len(whole)
    assert north.rows() == whole.join(north.select("customer"), on="customer", how="semi").rows()


def test_time_to_a_lapse():
    """Every ten days four times, then silent: the limit is ten days, so the lapse is on the eleventh day."""
    rows = [("a", date(2024, 1, 1) + timedelta(days=10 * at)) for at in range(5)]
    lives = lives_until(shop(rows, date(2024, 3, 31)), "lapse").row(0, named=True)
    assert (lives["duration"], lives["observed"]) == (51, True)
    lives = lives_until(shop(rows, date(2024, 2, 15)), "lapse").row(0, named=True)
    assert (lives["duration"], lives["observed"]) == (45, False)


WATCHED = """\
metrics:
  - {name: cohort, kind: cohort_retention, age: 1, grain: month, start: any_order, back: order,
     window: rolling, returns: on_or_after, base: first, mean: weighted, value: rate, UP}
  - {name: bracket, kind: cohort_retention, age: 1, until_age: 3, grain: month, start: contact,
     back: contact, mean: simple, UP}
  - {name: period, kind: period_retention, UP}
  - {name: lost, kind: lifecycle, value: lost_share, quantile: 0.8, min_gaps: 2, rhythm_of: region, DOWN}
  - {name: second, kind: survival, event: second_order, value: met, days: 60, UP}
  - {name: kept, kind: revenue_retention, value: net_retention, periods: 2, UP}
"""
SIGNS = {"UP": "direction: up_is_good", "DOWN": "direction: down_is_good"}


def test_any_of_them_may_have_a_target_and_an_alert(shop, open_marts, tmp_path):
    """From YAML, with every parameter of its kind, to what a tile says of it: the alert is for any figure."""
    text = WATCHED
    for sign, direction in SIGNS.items():
        limits = "{good: 9, bad: 8}" if sign == "UP" else "{good: -9, bad: -8}"
        said = f"unit: rate, label: L, description: D., {direction}, target: 0.5, thresholds: {limits}"
        text = text.replace(sign, said)
    (tmp_path / "m.yaml").write_text(text, encoding="utf-8")
    loaded = read_many([tmp_path / "m.yaml"], DEFINITION, under="metrics")
    found = catalog(loaded.items)
    assert not (*loaded.problems, *found.problems)
    boxes = contracts((shop["order_lines"]["customer_id"].drop_nulls()[0], date(2023, 1, 1), None, 10))
    marts = open_marts({**shop, "subscriptions": boxes})
    rows = compute(found, list(found.plans), marts, Window(Grain.MONTH, MONTH.last - 3, 6))
    for name, plan in found.plans.items():
        known = rows.filter(pl.col("metric") == name, pl.col("value").is_not_null())
        assert len(known), name
        target = target_of(plan.definition, Grain.MONTH, known["period"][-1], CALENDAR)
        judged = verdict(plan.definition, known["value"][-1], target)
        assert (judged.target, judged.word) == (0.5, "bad"), name
