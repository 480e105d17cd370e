"""The planted truths of the demonstration, found again by plain counts in its files."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from connectors.demo.calendar import History
from connectors.demo.people import people
from connectors.demo.project import END, SEED
from connectors.demo.purchases import Story, served, story
from connectors.demo.survey import surveyed
from connectors.demo.truths import Truths, catalogue, comments, control, names, truths
from connectors.demo.world import World

DIMENSIONS = ("T", "REL", "RES", "ASS", "EMP")
FAILURE = date(2025, 10, 1)


@pytest.fixture(scope="module")
def project(demo_project: Path) -> Path:
    return demo_project


@pytest.fixture(scope="module")
def plain(control_project: Path) -> Path:
    """The control: nothing planted."""
    return control_project


def sold(folder: Path) -> pl.DataFrame:
    """Lines sold to known customers, with the day and the quarter."""
    paths = sorted((folder / "data").glob("orders-*.csv"))
    frame = pl.concat([pl.read_csv(path, infer_schema=False) for path in paths])
    good = (
        pl.col("order_no").str.starts_with("A")
        & (pl.col("order_no") < "A9")
        & (pl.col("status") != "cancelled")
    )
    day = pl.col("order_time").str.slice(0, 10).str.to_date()
    quarter = day.dt.year().cast(pl.Int64) * 4 + day.dt.quarter().cast(pl.Int64) - 1
    return frame.filter(good).drop_nulls("customer_no").unique().with_columns(day=day, quarter=quarter)


@pytest.fixture(scope="module")
def bought(project: Path) -> pl.DataFrame:
    return sold(project)


@pytest.fixture(scope="module")
def labels(project: Path) -> pl.DataFrame:
    return pl.read_parquet(project / "truth" / "customers-*.parquet")


@pytest.fixture(scope="module")
def customers(project: Path) -> pl.DataFrame:
    frame = pl.read_csv(project / "data" / "customers.csv", infer_schema=False)
    return frame.drop_nulls("customer_no").filter(pl.col("customer_no") < "C9").unique()


@pytest.fixture(scope="module")
def answers(project: Path) -> pl.DataFrame:
    frame = pl.read_csv(project / "data" / "survey.csv", infer_schema=False, null_values="NA")
    good = frame.filter(pl.col("score") != "refused").with_columns(pl.col("score").cast(pl.Float64))
    return good.with_columns(day=pl.col("answered").str.slice(0, 10).str.to_date())


@pytest.fixture(scope="module")
def gaps(answers: pl.DataFrame) -> pl.DataFrame:
    """Gap of every response and dimension."""
    both = answers.filter(
        pl.col("survey") == "servqual_1991", pl.col("part").is_in(["expectation", "perception"])
    )
    wide = both.pivot(on="part", index=["response", "customer_no", "day", "item"], values="score")
    gap = (pl.col("perception") - pl.col("expectation")).mean().alias("gap")
    dimension = pl.col("item").str.replace(r"\d+$", "").alias("dimension")
    return wide.drop_nulls().group_by("response", "customer_no", "day", dimension).agg(gap)


def world(size: int, seed: int = SEED, plan: Truths | None = None) -> World:
    history = History.of_months(36, END)
    return World(history, plan or truths(), catalogue(), names(), comments(), size, seed)


def logistic(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (the constant first) and standard errors by Newton's method."""
    x = np.column_stack([np.ones(len(y)), x])
    beta = np.zeros(x.shape[1])
    for _ in range(25):
        chance = 1 / (1 + np.exp(-x @ beta))
        information = x.T @ (x * (chance * (1 - chance))[:, None])
        beta += np.linalg.solve(information, x.T @ (y - chance))
    return beta, np.sqrt(np.diag(np.linalg.inv(information)))


@pytest.mark.parametrize("name", ["store", "web", "referral"])
@pytest.mark.parametrize("weeks", [13, 52])
def test_repeat_orders_have_the_pareto_nbd_mean(bought, labels, name, weeks):
    """Oracle: Schmittlein, Morrison & Colombo 1987, E[X(t)]."""
    segment = truths().segments[name]
    days = bought.select("customer_no", "day").unique()
    first = days.group_by("customer_no").agg(pl.col("day").min().alias("first"))
    chosen = labels.filter(pl.col("recoverable"), pl.col("segment") == name).join(first, on="customer_no")
    chosen = chosen.filter(pl.col("first") <= END - timedelta(weeks=weeks))
    after = (pl.col("day") - pl.col("first")).dt.total_days().is_between(1, 7 * weeks)
    counts = (
        chosen.join(days, on="customer_no")
        .group_by("customer_no")
        .agg(after.sum().cast(pl.Float64).alias("x"))
    )
    shrink = (segment.beta / (segment.beta + weeks)) ** (segment.s - 1)
    expected = segment.r * segment.beta / (segment.alpha * (segment.s - 1)) * (1 - shrink)
    error = counts["x"].std() / counts.height**0.5
    assert abs(counts["x"].mean() - expected) < 3.5 * error


@pytest.mark.parametrize("name", ["store", "web", "referral"])
def test_order_values_have_the_gamma_gamma_mean(bought, labels, name):
    """Oracle: E[value] = p v / (q - 1), Fader & Hardie 2013; the mean of each customer's mean is unbiased."""
    segment = truths().segments[name]
    plain = labels.filter(pl.col("segment") == name, pl.col("group").is_null() | (pl.col("group") != "limit"))
    value = (
        bought.join(plain, on="customer_no")
        .group_by("customer_no", "order_no")
        .agg(pl.col("paid").cast(pl.Float64).sum())
    )
    means = value.group_by("customer_no").agg(pl.col("paid").mean())["paid"]
    assert abs(means.mean() - segment.p * segment.v / (segment.q - 1)) < 4 * means.std() / means.len() ** 0.5


def test_failure_lowers_responsiveness_of_one_region_alone(gaps, customers):
    regional = gaps.join(customers.select("customer_no", "region"), on="customer_no")
    after = pl.col("day") >= FAILURE
    means = regional.group_by("region", "dimension").agg(
        (pl.col("gap").filter(after).mean() - pl.col("gap").filter(~after).mean()).alias("change")
    )
    east = (pl.col("region") == "East") & (pl.col("dimension") == "RES")
    assert -1.1 < means.filter(east)["change"].item() < -0.4
    assert means.filter(~east)["change"].abs().max() < 0.25


def test_failure_lowers_retention_a_quarter_later(bought, customers):
    kept = pl.col("quarter_next").is_not_null()
    active = bought.select("customer_no", "quarter").unique()
    later = active.select("customer_no", quarter=pl.col("quarter") - 1, quarter_next="quarter")
    online = customers.filter(pl.col("acquired_by").is_in(truths().failure.segments))
    rates = (
        active.join(later, on=["customer_no", "quarter"], how="left")
        .join(online, on="customer_no")
        .group_by(east=pl.col("region") == "East", failed=pl.col("quarter") >= 2025 * 4 + 3)
        .agg(kept.filter(pl.col("quarter") < 2026 * 4 + 2).mean().alias("rate"))
    )
    rate = {(row["east"], row["failed"]): row["rate"] for row in rates.to_dicts()}
    assert abs(rate[True, False] - rate[False, False]) < 0.03
    assert rate[True, True] < rate[False, True] - 0.08


def test_failure_makes_deliveries_late(bought, customers):
    shipped = bought.filter(pl.col("delivered").is_not_null(), pl.col("day") >= FAILURE)
    late = (pl.col("delivered") > pl.col("promised")).mean().alias("late")
    by_region = shipped.join(customers, on="customer_no").group_by("region").agg(late)
    share = dict(by_region.rows())
    assert share.pop("East") == pytest.approx(truths().failure.late, abs=0.04)
    assert max(share.values()) < 0.12


def test_answers_foretell_orders_as_the_labels_say(project, bought, answers):
    responses = pl.read_parquet(project / "truth" / "responses-*.parquet")
    given = answers.filter(pl.col("item") == "overall").select("response", "customer_no", asked="day")
    given = given.filter(pl.col("asked") <= END - timedelta(days=90))
    after = (pl.col("day") - pl.col("asked")).dt.total_days()
    days = bought.select("customer_no", "day").unique()
    seen = (
        given.join(days, on="customer_no")
        .group_by("response")
        .agg(after.is_between(1, 90).any().alias("seen"), after.is_between(-180, -1).sum().alias("orders"))
    )
    both = responses.join(seen, on="response")
    assert both.height == given.height > 3_000
    assert (both["seen"] == both["returned"]).all()
    assert (both["orders"] == both["prior"]).all()


def test_slopes_of_the_link_are_covered():
    """Twelve seeds, six coefficients each: 95 % intervals cover in at least 85 % of all."""
    link, covered = truths().link, []
    truth = np.array([link.intercept, *(link.slopes[name] for name in DIMENSIONS), link.per_log_order])
    for seed in range(12):
        place = world(6_000, seed)
        crowd = people(place, 6_000)
        _, answers, _ = surveyed(story(crowd, place), crowd, place)
        beta, error = logistic(np.column_stack([answers.gaps, np.log(answers.prior)]), answers.returned)
        covered.append(np.abs(beta - truth) < 1.96 * error)
    assert np.mean(covered) >= 0.85


def test_december_shoppers_are_found_without_labels(bought, labels):
    month = pl.col("day").dt.month()
    found = (
        bought.group_by("customer_no")
        .agg((month == 12).mean().alias("december"), pl.col("day").dt.year().n_unique().alias("years"))
        .filter(pl.col("years") >= 2, pl.col("december") == 1)
    )["customer_no"]
    planted = labels.filter(pl.col("group") == "december")["customer_no"]
    assert 600 < planted.len() < 800
    assert found.is_in(planted.implode()).mean() > 0.95
    assert planted.is_in(found.implode()).mean() > 0.9


def test_volume_rose_and_fell_in_the_outage(bought, labels):
    plan = truths().outage
    opens = END - timedelta(days=plan.days_before_end)
    closes = opens + timedelta(days=plan.days)
    day, whole = pl.col("day"), pl.Int64
    counts = (
        bought.select("customer_no", "day")
        .unique()
        .group_by("customer_no")
        .agg(
            before=day.is_between(opens - timedelta(days=365), opens, closed="left").sum().cast(whole),
            during=day.is_between(opens, closes, closed="left").sum().cast(whole),
            after=(day >= closes).sum().cast(whole),
            known=(pl.lit(opens) - day.min()).dt.total_days().clip(0, 365),
        )
        .filter(pl.col("known") >= 90)
    )
    before, during, after, known = counts.select("before", "during", "after", "known").to_numpy().T
    left = (END - closes).days + 1
    rose = binom.sf(during - 1, during + before, plan.days / (plan.days + known))
    fell = binom.sf(during - 1, during + after, plan.days / (plan.days + left))
    found = counts.filter(pl.Series(np.maximum(rose, fell) < 1e-4))["customer_no"]
    planted = labels.filter(pl.col("group") == "outage")["customer_no"]
    assert planted.len() > 60
    assert found.is_in(planted.implode()).mean() > 0.9
    assert planted.is_in(found.implode()).mean() > 0.75


def test_odd_customers_cost_more_than_they_bring(project, labels):
    paths = sorted((project / "data").glob("orders-*.csv"))
    lines = pl.concat([pl.read_csv(path, infer_schema=False) for path in paths]).unique()
    amount = pl.col("paid", "cost").cast(pl.Float64, strict=False)
    good = lines.filter(pl.col("status") != "cancelled").drop_nulls("order_no").with_columns(amount)
    bought = good.group_by("customer_no").agg(
        pl.col("paid").sum(), pl.col("cost").sum(), pl.col("category").n_unique()
    )
    contacts = pl.read_parquet(project / "data" / "contacts-000.parquet")
    served = contacts.group_by("customer_no").agg(pl.col("cost").cast(pl.Float64).sum().alias("service"))
    value = (
        bought.join(labels, on="customer_no")
        .join(served, on="customer_no", how="left")
        .with_columns(contribution=pl.col("paid") - pl.col("cost") - pl.col("service").fill_null(0))
    )
    loses = (pl.col("contribution") < 0).mean()
    for group in ("heavy_returner", "service", "returns", "discount", "limit"):
        some = value.filter(pl.col("group") == group)
        assert some["contribution"].sum() < 0
        assert some.select(loses).item() > 0.7
    assert value.filter(pl.col("group").is_null()).select(loses).item() < 0.05
    cross = value.filter(pl.col("category") >= 2)
    assert 0.05 < cross.select(loses).item() < 0.2


def lifts(lines: pl.DataFrame) -> dict[tuple[str, str], float]:
    """Lift by basket of every pair of categories."""
    baskets = lines.select("order_no", "category").unique()
    total = baskets["order_no"].n_unique()
    count = dict(baskets.group_by("category").len().rows())
    pairs = baskets.join(baskets, on="order_no").filter(pl.col("category") < pl.col("category_right"))
    both = pairs.group_by("category", "category_right").len().rows()
    return {(a, b): n * total / count[a] / count[b] for a, b, n in both}


def test_planted_affinities_and_no_others_have_lift(bought, plain):
    planted = {tuple(sorted((pair.first, pair.second))) for pair in truths().affinities}
    found = lifts(bought)
    assert {pair for pair, lift in found.items() if lift > 1} == planted
    assert min(found[pair] for pair in planted) > 1.3
    assert max(lifts(sold(plain)).values()) < 1


def programme(tale: Story, days: int) -> tuple[float, float]:
    """Orders in the 180 days after the offer, members over others: plainly, and at equal orders before."""
    asked = np.flatnonzero((tale.offered >= 0) & (tale.offered < days - 180))
    day = tale.offered[asked]
    before = np.minimum(tale.purchases.counted(asked, day - 180, day), 12)
    after = tale.purchases.counted(asked, day + 1, day + 181)
    member = tale.enrolled[asked] >= 0
    expected = {k: after[~member & (before == k)].mean() for k in np.unique(before[~member])}
    matched = member & np.isin(before, list(expected))
    equal = after[matched].sum() / sum(expected[k] for k in before[matched])
    return after[member].mean() / after[~member].mean(), equal


def test_programme_lifts_orders_less_than_it_seems():
    place = world(60_000)
    naive, matched = programme(story(people(place, 60_000), place), place.history.days)
    assert naive > matched + 0.1
    assert matched == pytest.approx(1 + truths().loyalty.lift, abs=0.2)
    place = world(60_000, plan=control(truths()))
    _, matched = programme(story(people(place, 60_000), place), place.history.days)
    assert matched == pytest.approx(1, abs=0.15)


def test_orders_lead_categories_and_not_the_reverse(bought, labels):
    usual = bought.join(labels.filter(pl.col("group").is_null()), on="customer_no")
    quarters = usual.group_by("customer_no", "quarter").agg(
        pl.col("order_no").n_unique().cast(pl.Int64).alias("orders")
    )
    before = quarters.select("customer_no", quarter=pl.col("quarter") + 1, before="orders")
    baskets = usual.group_by("customer_no", "quarter", "order_no").agg(
        pl.len().alias("lines"), pl.col("category").n_unique().alias("categories")
    )
    pairs = baskets.filter(pl.col("lines") == 2).with_columns(wide=pl.col("categories") == 2)
    after = pairs.join(before, on=["customer_no", "quarter"], how="left").with_columns(
        pl.col("before").fill_null(0)
    )
    wide = dict(after.group_by(pl.col("before").clip(0, 4)).agg(pl.col("wide").mean()).rows())
    assert all(wide[k + 1] > wide[k] + 0.02 for k in range(4))
    once = quarters.filter(pl.col("orders") == 1).join(pairs, on=["customer_no", "quarter"])
    following = quarters.select("customer_no", quarter=pl.col("quarter") - 1, following="orders")
    last = 2026 * 4 + 2
    chosen = once.join(following, on=["customer_no", "quarter"], how="left").filter(pl.col("quarter") < last)
    chosen = chosen.with_columns(pl.col("following").fill_null(0))
    narrow, broad = (chosen.filter(pl.col("wide") == wide)["following"] for wide in (False, True))
    error = (narrow.var() / narrow.len() + broad.var() / broad.len()) ** 0.5
    assert abs(broad.mean() - narrow.mean()) < 3 * error


def test_unsatisfied_complainers_of_seasonal_segments_leave(project, bought, labels):
    contacts = pl.read_parquet(project / "data" / "contacts-000.parquet").filter(
        pl.col("kind") == "complaint"
    )
    who = labels.filter(
        pl.col("segment").is_in(["app", "marketplace"]), ~pl.col("panel"), pl.col("group").is_null()
    )
    early = contacts.filter(pl.col("time").dt.date() < END - timedelta(days=180)).join(who, on="customer_no")
    last = bought.group_by("customer_no").agg(pl.col("day").max())
    stays = (pl.col("day") > pl.col("time").dt.date()).mean().alias("stays")
    rate = dict(early.join(last, on="customer_no").group_by("outcome").agg(stays).rows())
    assert rate["unsatisfied"] < 0.75 * min(rate["satisfied"], rate["satisfied quickly"])


def test_contracts_churn_as_beta_geometric(project):
    """Oracle: P(churn in the first month) = a / (a + b), in the second b a / ((a + b)(a + b + 1))."""
    plan = truths().subscriptions
    frame = pl.read_csv(project / "data" / "subscriptions.csv", try_parse_dates=True)
    whole = (
        frame.filter(pl.col("billed") == "month")
        .group_by("contract")
        .agg(pl.col("start").min(), pl.col("stop").last(), pl.col("start").last().alias("again"))
    )
    assert (whole["stop"] > whole["again"]).drop_nulls().all()
    months = (pl.col("stop") - pl.col("start")).dt.total_days() / 30.44
    old = whole.filter(pl.col("start") < END - timedelta(days=70)).with_columns(
        months=months.round().fill_null(99)
    )
    total = plan.a + plan.b
    for month, chance in ((1, plan.a / total), (2, plan.a * plan.b / total / (total + 1))):
        share = (old["months"] == month).mean()
        assert abs(share - chance) < 4 * (chance * (1 - chance) / old.height) ** 0.5


def test_kano_features_have_their_category(answers):
    """Oracle: the evaluation table of Kano's method: 1 and 5 is one-dimensional, 1 and 2 to 4 attractive."""
    kano = (
        answers.filter(pl.col("survey") == "kano")
        .pivot(on="item", index="response", values="score")
        .drop_nulls()
    )
    for feature, planted in truths().kano.items():
        good, bad = kano[f"{feature}F"], kano[f"{feature}D"]
        middle = good.is_between(2, 4) & bad.is_between(2, 4)
        counts = {"A": ((good == 1) & bad.is_between(2, 4)).sum(), "O": ((good == 1) & (bad == 5)).sum()}
        counts |= {"M": (good.is_between(2, 4) & (bad == 5)).sum(), "I": middle.sum()}
        assert max(counts, key=counts.__getitem__) == planted


def test_recommendation_is_believable(answers):
    score = answers.filter(pl.col("item") == "nps")["score"]
    assert 30 < 100 * ((score >= 9).mean() - (score <= 6).mean()) < 45
    assert answers.filter(pl.col("survey") == "servqual_1991")["day"].dt.truncate("1q").n_unique() >= 8
    asked = answers.filter(pl.col("item") == "invited")["score"]
    assert 0.4 < asked.mean() < 0.6


def test_recoverable_customers_are_left_alone(labels):
    untouched = labels.filter(pl.col("recoverable"))
    assert untouched["left_on"].null_count() == untouched.height
    assert 0.35 < labels["recoverable"].mean() < 0.5
    assert set(untouched["segment"]) == {"store", "web", "referral"}


def test_control_plants_nothing(plain):
    labels = pl.read_parquet(plain / "truth" / "customers-*.parquet")
    assert labels["group"].null_count() == labels.height
    assert set(labels["cause"].drop_nulls()) <= {"answer"}
    place = world(2_000, plan=control(truths()))
    assert served(people(place, 2_000), place).any()
