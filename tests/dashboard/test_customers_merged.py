"""A project in which customers were merged, and with an attribute of more values than anybody can list."""

from pathlib import Path

import pytest

from dashboard import customer_data

PEOPLE = 100_000
SOURCES = """
sources:
  - name: customers
    table: customers
    kind: csv
    location: customers.csv
    columns: {customer_id: id}
    attributes: [postcode, merged_into]
  - name: orders
    table: order_lines
    kind: csv
    location: orders.csv
    columns: {order_id: order_no, customer_id: customer_no, ordered_at: day, net_amount: amount}
"""


@pytest.fixture(scope="module")
def project(rapport, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("merged") / "shop"
    folder.mkdir()
    (folder / "rapport.yaml").write_text("name: Shop\ncurrency: EUR\n")
    (folder / "sources.yaml").write_text(SOURCES)
    rows = [f"p{n:04d},{n:06d},{'p0002' if n == 1 else ''}" for n in range(PEOPLE)]
    (folder / "customers.csv").write_text("id,postcode,merged_into\n" + "\n".join(rows) + "\n")
    orders = [f"{n},p{n % 5:04d},2026-0{1 + n % 6}-1{n % 9},{10 + n}" for n in range(60)]
    (folder / "orders.csv").write_text("order_no,customer_no,day,amount\n" + "\n".join(orders) + "\n")
    done = rapport("refresh", "--project", folder)
    assert done.code == 0, done.err
    return folder


def test_orders_of_a_merged_customer_count_for_the_other(rapport, project):
    rows = rapport("query", "active_customers", "net_revenue", "--json", "--project", project).json
    assert [row["value"] for row in rows] == [4, sum(10 + n for n in range(60))]


def test_the_page_of_a_merged_customer_is_that_of_the_other(open_page, texts, project):
    page = open_page("customers", project=project, **{"customers.id": "p0001"})
    assert not page.exception
    shown = " ".join(texts(page))
    assert "Customer p0001 was merged into p0002." in shown
    desk = page.session_state["desk"]
    person = customer_data.person(desk, "p0002")
    assert customer_data.facts(desk, person.number)["orders"] == 24


def test_a_hundred_thousand_values_are_searched_and_not_listed(open_page, texts, project):
    page = open_page("segments", project=project, **{"segments.section": "Build"})
    assert not any("Postcode" in box.label for box in page.multiselect)
    box = next(box for box in page.selectbox if box.key.endswith(".what"))
    key = box.key.removesuffix(".what")
    box.select("fact:postcode").run()
    assert page.multiselect(key=f"{key}.postcode.texts").options == []
    assert page.text_input(key=f"{key}.postcode.search").placeholder == "Search 99,999 values"
    page.text_input(key=f"{key}.postcode.search").set_value("0069").run()
    found = page.multiselect(key=f"{key}.postcode.texts").options
    assert found[:2] == ["000069", "000690"]
    assert len(found) == 60
    assert all("0069" in value for value in found)
    page.multiselect(key=f"{key}.postcode.texts").select("000690").run()
    assert "Postcode is 000690." in texts(page)
    desk = page.session_state["desk"]
    assert "1 customer" in texts(page)
    assert "postcode" not in desk.attributes


def test_pages_of_a_bare_project_say_what_is_missing(open_page, texts, project):
    page = open_page("customers", project=project, **{"customers.id": "p0002"})
    shown = " ".join(texts(page))
    assert "No source gives survey answers." in shown
    assert "No source gives categories." in shown
    page = open_page("customers", project=project, **{"customers.section": "Who to call"})
    assert not page.exception
    assert "Not judged" in " ".join(texts(page))
    for section in ("Compare", "Overlap", "Migration", "RFM", "Clusters"):
        page = open_page("segments", project=project, **{"segments.section": section})
        assert not page.exception
        assert "Something went wrong here" not in texts(page)
