"""`rapport query`: the shape of its JSON, windows, splits, conditions, and what it says to mistakes."""

from datetime import date
from decimal import Decimal

import pytest

from config.errors import Fault
from dashboard.figures import parsed_day, period_name
from metrics.periods import Calendar, Grain

LINES = """order_no,customer_no,order_date,category,amount,city
1,ann,2026-01-05,Pens,10.10,Bonn
1,ann,2026-01-05,Ink,20.20,Bonn
2,bob,2026-01-31,Ink,5.05,Ulm
3,ann,2026-02-14,Pens,7.00,Bonn
4,,2026-02-15,Pens,1.00,Ulm
5,cid,2026-04-01,Ink,30.00,Bonn
R1,cid,2026-04-02,Ink,-30.00,Bonn
"""
SOURCES = """
sources:
  - name: orders
    table: order_lines
    kind: csv
    location: orders.csv
    columns:
      order_id: order_no
      customer_id: customer_no
      ordered_at: order_date
      net_amount: amount
      category: category
    attributes: [city]
"""


@pytest.fixture(scope="module")
def ask(rapport, tmp_path_factory):
    """Runs a query on a small project: seven lines of three customers and one unknown, January to April."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "orders.csv").write_text(LINES, encoding="utf-8")
    (folder / "sources.yaml").write_text(SOURCES, encoding="utf-8")
    (folder / "rapport.yaml").write_text("name: Shop\ncurrency: EUR\n", encoding="utf-8")
    done = rapport("refresh", "--project", folder)
    assert done.code == 0, done.err
    return lambda *arguments: rapport("query", *arguments, "--project", folder)


@pytest.fixture(scope="module")
def rows(ask):
    """The rows of a query as JSON."""

    def read(*arguments: object) -> list[dict[str, object]]:
        done = ask(*arguments, "--json")
        assert done.code == 0, done.err
        return done.json

    return read


def values(rows) -> list[object]:
    return [row["value"] for row in rows]


def test_a_figure_over_all_of_history(rows):
    (revenue,) = rows("net_revenue")
    assert revenue["value"] == pytest.approx(43.35)
    assert Decimal(revenue["amount"]) == Decimal("43.35")
    assert revenue["unit"] == "EUR"
    assert revenue["as_of"] == "2026-04-02"
    assert revenue["by"] == {}


def test_figures_come_in_the_order_in_which_they_were_asked(rows):
    asked = ("orders", "customers", "net_revenue")
    assert [row["metric"] for row in rows(*asked)] == list(asked)
    assert values(rows(*asked)) == [5, 3, pytest.approx(43.35)]


def test_a_rate_has_an_interval_and_what_it_rests_on(rows):
    (rate,) = rows("repeat_purchase_rate")
    assert rate["value"] == pytest.approx(1 / 3)
    assert (rate["lower"], rate["upper"]) == (
        pytest.approx(0.0615, abs=5e-5),
        pytest.approx(0.7923, abs=5e-5),
    )
    assert (rate["n"], rate["unit"], rate["interval"]) == (3, "rate", "wilson")
    assert "amount" not in rate


def test_by_month_every_month_has_a_row(rows):
    found = rows("orders", "--by", "month")
    assert [row["by"]["month"] for row in found] == ["2026-01", "2026-02", "2026-03", "2026-04"]
    assert values(found) == [2, 2, 0, 1]
    assert [row["complete"] for row in found] == [True, True, True, False]


def test_by_a_column(rows):
    found = rows("customers", "--by", "city")
    assert [(row["by"]["city"], row["value"]) for row in found] == [("Bonn", 2), ("Ulm", 1), (None, 0)]


def test_by_a_column_and_a_grain(rows):
    found = rows("net_revenue", "--by", "quarter", "--by", "category")
    assert found[0]["by"] == {"category": "Ink", "quarter": "2026-Q1"}
    assert sum(Decimal(row["amount"]) for row in found) == Decimal("43.35")


def test_a_window_counts_its_days_alone(rows):
    assert values(rows("orders", "--from", "2026-01-31", "--to", "2026-02")) == [3]
    assert values(rows("orders", "--from", "2026-02-15")) == [2]
    assert values(rows("orders", "--to", "2026-01-30")) == [1]
    assert values(rows("orders", "customers", "--from", "2026")) == [5, 3]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("city = 'Bon'", "unknown value of `city` `Bon`. Did you mean `Bonn`?"),
        ("category IN ('Ink', 'Pen')", "unknown value of `category` `Pen`. Did you mean `Pens`?"),
        ("category <> 'Pen'", "Did you mean `Pens`?"),
    ],
)
def test_a_value_that_nobody_has_is_told_instead_of_0(ask, where, words):
    done = ask("net_revenue", "--where", where)
    assert (done.code, done.out) == (1, "")
    assert words in done.err


def test_n_is_told_with_its_unit(ask, rows):
    assert [row["counts"] for row in rows("net_revenue", "average_order_value")] == ["customers", "orders"]
    assert "3 customers" in ask("net_revenue").out
    assert "no known customers" in ask("net_revenue", "--where", "customer_id IS NULL").out


def test_as_of_an_earlier_day(rows):
    (revenue,) = rows("net_revenue", "--as-of", "2026-04-01")
    assert Decimal(revenue["amount"]) == Decimal("73.35")
    assert revenue["as_of"] == "2026-04-01"


def test_a_condition_on_customers_and_one_on_lines(rows):
    assert values(rows("customers", "--where", "city = 'Bonn'")) == [2]
    assert values(rows("orders", "--where", "category = 'Ink' AND net_amount > 10")) == [2]


def test_no_figure_says_why(rows):
    (satisfaction,) = rows("satisfaction")
    assert satisfaction["value"] is None
    assert "survey_answers" in satisfaction["reason"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("custmers",), "unknown metric `custmers`. Did you mean `customers`?"),
        (("orders", "--by", "citty"), "Did you mean `city`?"),
        (("orders", "--by", "month", "--by", "year"), "`--by` takes one grain, not month and year"),
        (("orders", "--where", "citty = 'Bonn'"), "Did you mean `city`?"),
        (("orders", "--where", "city ="), "something is missing after `=`"),
        (("orders", "--from", "soon"), "`soon` is no day. Write 2026-05-31"),
        (("orders", "--from", "2026-13"), "`2026-13` is no day"),
        (("orders", "--from", "2026-03", "--to", "2026-02"), "ends on 2026-02-28, before it starts"),
    ],
)
def test_a_mistake_is_told_with_its_remedy(ask, arguments, said):
    done = ask(*arguments)
    assert done.code == 1
    assert said in done.err
    assert done.out == ""


def test_every_unknown_name_is_told_at_once(ask):
    done = ask("custmers", "orders", "net_revenu", "--json")
    assert done.code == 1
    assert "`custmers`" in done.err
    assert "`net_revenu`" in done.err


def test_the_table_for_people(ask):
    done = ask("net_revenue", "repeat_purchase_rate")
    assert "€43.35" in done.out
    assert "6.15" in done.out
    assert "Shop, as of Apr 2, 2026" in done.out
    assert "Net revenue: " in done.err


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-05-31", date(2026, 5, 31), date(2026, 5, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2026-Q2", date(2026, 4, 1), date(2026, 6, 30)),
        ("2026q4", date(2026, 10, 1), date(2026, 12, 31)),
        ("2026", date(2026, 1, 1), date(2026, 12, 31)),
    ],
)
def test_days_as_people_type_them(text, first, last):
    assert (parsed_day(text, Calendar(), last=False), parsed_day(text, Calendar(), last=True)) == (
        first,
        last,
    )


def test_quarters_and_years_follow_the_fiscal_calendar():
    fiscal = Calendar(fiscal_year_start=4)
    assert parsed_day("2026", fiscal, last=False) == date(2025, 4, 1)
    assert parsed_day("2026-Q1", fiscal, last=True) == date(2025, 6, 30)


@pytest.mark.parametrize("text", ["", "2026-00", "26-01", "2026-1", "2026-W05", "2026-Q5"])
def test_what_is_no_day(text):
    with pytest.raises(Fault, match="is no day"):
        parsed_day(text, Calendar(), last=False)


@pytest.mark.parametrize("grain", [Grain.MONTH, Grain.QUARTER, Grain.YEAR, Grain.DAY, Grain.WEEK])
def test_the_name_of_a_period_leads_back_to_it(grain):
    calendar = Calendar(fiscal_year_start=7)
    code = calendar.code(date(2026, 8, 20), grain)
    start = parsed_day(period_name(code, grain, calendar), calendar, last=False)
    assert calendar.code(start, grain) == code
