"""The page *Customers*: search, one customer, whom to call; what is masked."""

import shutil
from pathlib import Path

import duckdb
import polars as pl
import pytest

from connectors.store import Store
from dashboard import customer_data, segment_data
from dashboard.workspace import open_workspace


@pytest.fixture
def shown(shop, tmp_path) -> Path:
    """A copy of the shop that shows personal fields."""
    folder = tmp_path / "shown"
    shutil.copytree(shop, folder)
    settings = folder / "rapport.yaml"
    settings.write_text(settings.read_text() + "access: {personal_fields: shown}\n")
    return folder


@pytest.fixture
def best(open_page):
    """The customer with the highest revenue."""
    people = open_page("customers").session_state["desk"].whole.frame("customer_summary")
    return people.sort("net_amount", descending=True).row(0, named=True)


def test_one_customer_shows_what_the_lines_say(open_page, texts, best, shop):
    page = open_page("customers", **{"customers.id": best["customer_id"]})
    assert not page.exception
    version = Store(open_workspace(shop).store).current()
    lines = version.scan("order_lines").filter(pl.col("customer_id") == best["customer_id"]).collect()
    orders, net = duckdb.sql(
        "SELECT count(DISTINCT order_id) FILTER (WHERE NOT is_return), sum(net_amount) FROM lines"
    ).fetchall()[0]
    shown = texts(page)
    assert desk_money(page, net) in shown
    assert str(orders) in shown
    assert f"Bought in {best['categories']} categories" in shown
    for label in page.session_state["desk"].segments.book.labels.values():
        name = next(n for n, each in page.session_state["desk"].segments.book.labels.items() if each == label)
        belongs = page.session_state["desk"].segments.book.members(name)[best["customer"]]
        assert (label in shown) == bool(belongs)
    assert len(lines) > orders


def desk_money(page, amount):
    return page.session_state["desk"].show.money(amount)


def test_answers_are_held_against_the_mean_of_the_same_segment(open_page, best):
    """Oracle: plain means over the customers of the same part of the RFM grid."""
    desk = open_page("customers").session_state["desk"]
    known = customer_data.facts(desk, best["customer"])
    by, value = customer_data.peers(desk, known)
    frame = segment_data.facts(desk).frame([by, "last_nps", "last_overall"])
    rows = [row for row in frame.iter_rows(named=True) if row[by] == value]
    found = {row["fact"]: row for row in customer_data.averages(desk, (by, value)).iter_rows(named=True)}
    for fact in ("last_nps", "last_overall"):
        given = [row[fact] for row in rows if row[fact] is not None]
        assert found[fact]["n"] == len(given) > 0
        assert found[fact]["mean"] == pytest.approx(sum(given) / len(given))


def test_the_timeline_holds_everything_once(open_page, best, shop):
    desk = open_page("customers").session_state["desk"]
    rows = customer_data.timeline(desk, best["customer"])
    version = Store(open_workspace(shop).store).current()
    one = pl.col("customer_id") == best["customer_id"]
    counts = {
        "orders": version.scan("order_lines").filter(one).select(pl.col("order_id").n_unique()),
        "contacts": version.scan("interactions").filter(one).select(pl.len()),
        "answers": version.scan("survey_answers")
        .filter(one, pl.col("item") != "invited", pl.col("score").is_not_null())
        .select(pl.struct("response_id", "instrument").n_unique()),
    }
    expected = {name: frame.collect().item() for name, frame in counts.items()}
    kinds = rows["kind"]
    found = {
        "orders": rows.filter(kinds.is_in(["order", "return"]))["what"].n_unique(),
        "contacts": kinds.is_in(["contact", "complaint"]).sum(),
        "answers": (kinds == "answer").sum(),
    }
    assert found == expected
    assert rows["day"].is_sorted(descending=True)


def test_personal_fields_are_masked_and_found_only_whole(open_page, texts, best, shown):
    page = open_page("customers", **{"customers.id": best["customer_id"]})
    text = " ".join(texts(page))
    assert best["name"] not in text
    assert best["email"] not in text
    desk = page.session_state["desk"]
    assert customer_data.search(desk, best["email"].upper())["customer_id"].to_list() == [best["customer_id"]]
    assert customer_data.search(desk, best["email"].split("@")[1]).is_empty()
    page = open_page("customers", project=shown, **{"customers.id": best["customer_id"]})
    assert best["email"] in " ".join(texts(page))
    assert len(customer_data.search(page.session_state["desk"], best["email"].split("@")[1])) > 1


@pytest.mark.parametrize("term", ["' OR 1=1 --", "<script>alert(1)</script>", "%", ".*", "\\", "\x00"])
def test_a_search_is_only_a_text(open_page, term):
    page = open_page("customers")
    assert customer_data.search(page.session_state["desk"], term).is_empty()
    page.text_input(key="customers.search").set_value(term).run()
    assert not page.exception


def test_an_id_that_nobody_has_is_said(open_page, texts):
    hostile = "<img src=x onerror=alert(1)>"
    page = open_page("customers", **{"customers.id": hostile})
    assert "Nobody of this id" in texts(page)
    assert not any("<img" in html.value for html in page.html)


def test_a_customer_without_orders_says_what_is_missing(open_page, texts):
    desk = open_page("customers").session_state["desk"]
    people = desk.whole.frame("customer_summary")
    nobody = people.filter(pl.col("orders") == 0)["customer_id"][0]
    page = open_page("customers", **{"customers.id": nobody})
    assert not page.exception
    assert "Nothing was bought so far." in texts(page)
    assert "Never ordered" in texts(page)


def test_calls_keep_within_their_budget_and_say_why(open_page, texts):
    page = open_page("customers", **{"customers.section": "Who to call"})
    assert not page.exception
    desk, scope = page.session_state["desk"], page.session_state["filters.scope"]
    found = customer_data.calls(desk, scope, 50, {"slipping": 50.0, "unhappy": 30.0, "second_category": 20.0})
    assert 0 < len(found) <= 50
    assert found["customer"].n_unique() == len(found)
    assert f"{len(found)} customers" in texts(page)
    page.number_input(key="customers.budget").set_value(7).run()
    assert "7 customers" in texts(page)
