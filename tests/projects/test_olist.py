"""Olist: people against orders, orders without items, reviews. Oracles: Polars and SQLite on the files."""

import polars as pl
import pytest

from connectors.store import Store
from dashboard.instruments import instruments
from metrics.answers import read_answers
from metrics.linkage import followed, linked, score_curve
from metrics.question_scores import question_scores
from metrics.reasons import Reason

pytestmark = pytest.mark.realdata
MARCH_2017 = "2017-03"
YEARS = 4


@pytest.fixture(scope="session")
def olist(load):
    return load("olist")


@pytest.fixture(scope="session")
def delivered(load, inserted):
    """The same project, counting delivered orders alone."""
    rule = "filters:\n  - {drop: \"order_status <> 'delivered'\", reason: not delivered}"
    return load("olist", lambda text: inserted(text, "attributes: {seller: seller_id}", rule))


def test_people_are_counted_not_the_ids_of_their_orders(olist):
    figures = {row["metric"]: row["value"] for row in olist.ask("customers", "orders", "repeat_customers")}
    assert figures == {"customers": 4957, "orders": 4966, "repeat_customers": 9}


def test_every_person_is_one_customer_row(olist):
    people = olist.source("people")
    assert (people["rows_read"], people["accepted"], people["merged"]) == (5000, 4991, 9)
    assert Store(olist.store).current().scan("customers").collect().height == 4991


def test_customers_of_several_categories(olist, delivered):
    """52, of delivered orders 51; SQLite over orders, items and products."""
    for project, many in ((olist, 52), (delivered, 51)):
        row = project.figure("multi_category_share")
        assert round(row["value"] * row["n"]) == many


def test_orders_without_items_are_counted_under_their_name(olist):
    orders = olist.source("orders")
    assert orders["filtered"] == {"order without items": 34}
    assert orders["accepted"] == 5603
    assert orders["quarantined"] == {}


def test_merchandise_value_to_the_cent(olist):
    revenue = olist.figure("net_revenue")
    assert revenue["amount"] == "677833.9600"
    assert revenue["unit"] == "BRL"


def test_delivered_value_and_people_by_a_condition(olist):
    condition = ("--where", "status = 'delivered'")
    assert olist.figure("net_revenue", *condition)["amount"] == "662292.2700"
    rows = olist.ask("orders", "customers", "repeat_customers", *condition)
    assert [row["value"] for row in rows] == [4858, 4849, 9]


def test_delivered_value_by_a_filter_of_the_source(delivered):
    assert delivered.figure("net_revenue")["amount"] == "662292.2700"
    assert set(delivered.source("orders")["filtered"]) == {"order without items", "not delivered"}


def test_the_mean_of_reviews_counts_every_review(olist):
    satisfaction = olist.figure("satisfaction")
    assert satisfaction["value"] == pytest.approx(4.119286, abs=5e-7)
    assert satisfaction["n"] == 4988


def test_the_mean_of_order_means_is_another_figure(olist):
    answers = Store(olist.store).current().scan("survey_answers")
    means = answers.group_by("order_id").agg(pl.col("score").mean()).collect()["score"]
    assert (means.len(), means.mean()) == (4966, pytest.approx(4.121728, abs=5e-7))
    shares = answers.group_by("score").len().sort("score").collect()["len"].to_list()
    assert shares == [550, 141, 396, 978, 2923]


def test_reviews_after_the_day_that_is_asked_about_do_not_count(olist):
    assert olist.figure("satisfaction", "--as-of", "2018-08-28")["n"] == 4888


def test_the_figure_says_which_mean_it_is(olist):
    done = olist.rapport("query", "satisfaction", "--project", olist.project, "--store", olist.store)
    assert "each answer counted once" in done.err


def test_nine_repeat_customers_are_too_few_to_link_stars_with_orders(olist):
    """The reviews are read by the project's own instrument; what followed them is refused, in words."""
    version = Store(olist.store).current()
    review = instruments(olist.project).named["review"]
    answers = read_answers(version.scan("answers").collect(), review)
    assert question_scores(answers, "overall")["top_box"].value == pytest.approx(2923 / 4988)
    responses = answers.responses.select("customer", "answered_on").with_columns(
        stars=pl.Series(answers.single["overall"])
    )
    orders = version.scan("orders").select("customer", "ordered_on", "net_amount").collect()
    rows = followed(responses, orders, 90, version.manifest.as_of, scores=("stars",))
    assert 0 < rows["returned"].sum() <= 9
    for found in (linked(rows, ("stars",)), score_curve(rows, "stars")):
        assert isinstance(found, Reason)
        assert "needs at least" in found.text
        assert "followed by an order" in found.text


def test_late_orders_are_judged_worse(olist):
    version = Store(olist.store).current()
    day = {
        name: pl.col(name).dt.convert_time_zone("America/Sao_Paulo").dt.date()
        for name in ("delivered_at", "promised_at")
    }
    orders = version.scan("order_lines").filter(
        pl.col("status") == "delivered", pl.col("delivered_at").is_not_null()
    )
    late = orders.group_by("order_id").agg((day["delivered_at"] > day["promised_at"]).first().alias("late"))
    scores = version.scan("survey_answers").join(late, on="order_id").group_by("late")
    found = scores.agg(pl.len(), pl.col("score").mean()).sort("late").collect().rows()
    assert found == [
        (False, 4522, pytest.approx(4.316895, abs=5e-7)),
        (True, 325, pytest.approx(2.356923, abs=5e-7)),
    ]


def test_buyers_of_several_named_categories(olist):
    lines = Store(olist.store).current().scan("order_lines").filter(pl.col("category").is_not_null())
    named = lines.group_by("customer_id").agg(pl.col("category").n_unique())
    assert named.filter(pl.col("category") > 1).collect().height == 52


def test_parts_add_up_to_the_whole(olist):
    regions = olist.ask("customers", "net_revenue", "--by", "region")
    assert sum(row["value"] for row in regions if row["metric"] == "customers") == 4957
    cents = [round(row["value"] * 100) for row in regions if row["metric"] == "net_revenue"]
    assert sum(cents) == 67783396


@pytest.fixture(scope="session")
def moved(load, real_data, shuffled, tmp_path_factory):
    """Rows in another order, another name for the person's column, every moment four years later."""
    folder = tmp_path_factory.mktemp("olist-moved")
    (folder / "olist").mkdir()
    form = "%m/%d/%Y %H:%M"
    for file in (real_data / "olist").glob("*.csv"):
        frame = shuffled(pl.read_csv(file, infer_schema=False))
        times = [name for name in frame.columns if name.endswith(("timestamp", "_date", "_at"))]
        later = [
            pl.col(name).str.to_datetime(form).dt.offset_by(f"{YEARS}y").dt.strftime(form) for name in times
        ]
        renamed = frame.with_columns(later).rename({"customer_unique_id": "person"}, strict=False)
        renamed.write_csv(folder / "olist" / file.name)
    return load(
        "olist",
        edit=lambda text: text.replace("customer_unique_id", "person"),
        data=folder,
        settings=lambda text: text.replace("as_of: 2018", "as_of: 2022"),
    )


def test_shuffled_rows_and_renamed_headers_change_nothing_dates_move_with_the_data(olist, moved):
    names = ("customers", "orders", "net_revenue", "repeat_customers", "satisfaction", "average_order_value")
    plain, later = olist.ask(*names), moved.ask(*names)
    assert [row["value"] for row in later] == [pytest.approx(row["value"]) for row in plain]
    assert [row.get("amount") for row in later] == [row.get("amount") for row in plain]
    month = ("net_revenue", "new_customers", "--from", MARCH_2017, "--to", MARCH_2017)
    shifted = ("net_revenue", "new_customers", "--from", "2021-03", "--to", "2021-03")
    assert [row["value"] for row in moved.ask(*shifted)] == [row["value"] for row in olist.ask(*month)]
    assert moved.source("orders")["filtered"] == {"order without items": 34}
