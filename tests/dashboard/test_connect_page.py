"""The Connect page: proposals with their confidence, a dry run, saving, and what it refuses."""

from datetime import UTC, datetime

import polars as pl
import pytest
import sqlalchemy as sa
import yaml

from config.errors import Fault
from config.model import Project
from connectors.errors import SourceError
from connectors.sources import find_sources
from dashboard.connecting import places
from dashboard.connecting.candidates import candidates, table_of
from dashboard.connecting.rehearsal import rehearse, save

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PROJECT = Project(name="Shop", currency="EUR")
ORDERS = (
    "order_no,customer_no,order_date,amount\n"
    "1,0007,2026-01-05,9.00\n2,0012,2026-02-31,7.90\n3,,2026-02-11,x\n"
)
SHOPIFY = (
    "Name,Email,Financial Status,Created at,Lineitem quantity,Lineitem name,Lineitem price,"
    "Lineitem sku,Lineitem discount,Vendor\n"
    "#1,z@example.com,paid,2026-01-05 10:00:00 +0100,1,Ink,4.50,INK,0,A\n"
)


@pytest.fixture
def folder(rapport, tmp_path):
    """A project without a source, with an export in it."""
    assert rapport("init", tmp_path / "shop", "--blank", "--currency", "EUR").code == 0
    (tmp_path / "shop" / "data").mkdir()
    (tmp_path / "shop" / "data" / "orders.csv").write_text(ORDERS)
    return tmp_path / "shop"


def said(**more):
    columns = {
        "order_id": "order_no",
        "customer_id": "customer_no",
        "ordered_at": "order_date",
        "net_amount": "amount",
    }
    return places.file_place("data/orders.csv") | {"table": "order_lines", "columns": columns} | more


# --- proposing


def test_a_column_is_proposed_by_name_type_and_content():
    rows = pl.DataFrame(
        {"Invoice No": ["1", "2"], "client": ["a", "b"], "when": ["2026-01-05", "2026-01-06"],
         "date": ["soon", "later"], "Total": ["9,00", "7,90"], "note": ["", "x"]}
    )  # fmt: skip
    found = {one.ours: one for one in candidates("order_lines", rows)}
    assert found["order_id"].theirs == "Invoice No"
    assert found["net_amount"].theirs == "Total"
    assert found["ordered_at"].theirs == "when"  # `date` has the name, but not the content
    assert found["ordered_at"].confidence == 0.5
    assert found["order_id"].confidence > found["customer_id"].confidence - 0.2
    assert "100% numbers" in found["net_amount"].why


@pytest.mark.parametrize(
    ("header", "row", "table"),
    [
        ("order_id,customer_id,date,amount", "1,a,2026-01-05,9", "order_lines"),
        ("customer_id,name,email,region", "a,Zoe,z@example.com,North", "customers"),
        ("sku,product,category,department", "1,Ink,Pens,Office", "products"),
        (
            "contract_no,customer_no,plan,start_date,fee,billing_period",
            "1,a,Basic,2026-01-05,9,month",
            "subscriptions",
        ),
        ("month,channel,purpose,amount", "2026-01-01,web,acquisition,100", "spend"),
    ],
)
def test_the_table_is_the_one_that_the_columns_fill(header, row, table):
    rows = pl.DataFrame([dict(zip(header.split(","), row.split(","), strict=True))])
    assert table_of(rows.columns, rows) == table


# --- looking


def test_a_file_is_looked_at_with_its_encoding_guessed(folder):
    text = "주문번호,고객,금액\n" + "1001,김민수,9000\n" * 20
    (folder / "data" / "orders.csv").write_bytes(text.encode("cp949"))
    found = places.look(places.file_place("data/orders.csv"), folder)
    assert found.guess is not None
    assert found.guess.encoding == "cp949"
    assert found.rows.columns == ["주문번호", "고객", "금액"]


def test_files_of_the_project_are_offered_and_unknown_kinds_refused(folder):
    (folder / "store").mkdir()
    (folder / "store" / "x.parquet").write_text("")
    assert places.files(folder) == ["data/orders.csv"]
    with pytest.raises(Fault, match="unknown kind of file"):
        places.file_place("data/orders.pdf")
    with pytest.raises(SourceError, match="does not exist"):
        places.look(places.file_place("data/order.csv"), folder)


def test_a_folder_is_all_its_files_of_one_kind(folder):
    (folder / "data" / "more.csv").write_text(ORDERS)
    (folder / "data" / "notes.txt").write_text("x")
    assert places.whole_folder(folder, "data/") == "data/*.csv"
    assert places.whole_folder(folder, "data/orders.csv") == "data/orders.csv"
    place = places.file_place(places.whole_folder(folder, "data"))
    assert place["name"] == "data"
    assert places.look(place, folder).rows.height == 6


@pytest.mark.database
def test_a_database_is_known_by_a_variable_alone(folder, postgres_url, monkeypatch):
    engine = sa.create_engine(postgres_url.replace("://", "+psycopg://", 1))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS shown")
        connection.exec_driver_sql("CREATE TABLE shown AS SELECT n AS id FROM generate_series(1, 5000) AS n")
    engine.dispose()
    with pytest.raises(Fault, match="the environment variable `SHOP_DATABASE` is not set"):
        places.tables("SHOP_DATABASE", folder)
    monkeypatch.setenv("SHOP_DATABASE", postgres_url)
    assert "shown" in places.tables("SHOP_DATABASE", folder)
    place = places.database_place("SHOP_DATABASE", "shown")
    assert place["connection"] == "${SHOP_DATABASE}"
    assert places.look(place, folder).rows.height == places.ROWS


# --- trying and saving


def test_a_dry_run_counts_every_row_and_publishes_nothing(folder):
    outcome = rehearse(folder, PROJECT, said(), NOW)
    assert outcome.report is not None
    assert outcome.report.rows_read == 3
    assert outcome.report.accepted == 1
    assert set(outcome.report.quarantined) == {
        "`order_date` is an impossible date",
        "`amount` is not a number",
    }
    assert outcome.set_aside is not None
    assert outcome.set_aside.height == 2
    assert not (folder / "store").exists()
    assert not (folder / "sources.yaml").exists()


def test_what_is_wrong_is_told_in_words(folder):
    outcome = rehearse(folder, PROJECT, said(columns={"order_id": "order_no"}), NOW)
    assert outcome.report is None
    assert "`order_lines` needs `ordered_at`, `net_amount`" in outcome.faults[0]
    broken = said()
    broken["columns"]["net_amount"] = "amont"
    assert (
        "there is no column `amont`. Did you mean `amount`?"
        in rehearse(folder, PROJECT, broken, NOW).faults[0]
    )


def test_sources_are_saved_below_each_other_and_never_over_one_another(folder):
    save(folder, said())
    text = (folder / "sources.yaml").read_text()
    (folder / "sources.yaml").write_text(text.replace("sources:\n", "sources:\n  # the shop\n"))
    save(folder, said(name="again"))
    assert [source.name for source in find_sources(folder).sources] == ["orders", "again"]
    assert "# the shop" in (folder / "sources.yaml").read_text()
    with pytest.raises(Fault, match="there is a source `orders` already"):
        save(folder, said())
    assert yaml.safe_load(text)["sources"][0]["location"] == "data/orders.csv"


# --- the page


def test_the_page_opens_before_anything_is_loaded(folder, open_page, texts):
    page = open_page("connect", folder)
    assert not page.exception
    assert "1. Where it lies" in texts(page)
    assert "Open Connect" in " ".join(texts(open_page("overview", folder)))


def test_a_file_of_the_project_is_mapped_and_tried(folder, open_page, texts):
    page = open_page("connect", folder)
    page.segmented_control(key="connect.way").set_value("file").run()
    page.selectbox(key="connect.location").set_value("data/orders.csv").run()
    assert not page.exception
    assert page.selectbox(key="connect.map.order_lines.customer_id").value == "customer_no"
    assert page.button(key="connect.save").disabled
    page.button(key="connect.try").click().run()
    assert "3 rows read" in texts(page)
    assert not page.button(key="connect.save").disabled
    page.selectbox(key="connect.map.order_lines.customer_id").set_value("order_no").run()
    assert page.button(key="connect.save").disabled
    assert "The mapping has changed since it was tried." in texts(page)


def test_a_known_export_is_read_by_its_preset(folder, open_page, texts):
    (folder / "data" / "orders.csv").write_text(SHOPIFY)
    page = open_page("connect", folder)
    page.segmented_control(key="connect.way").set_value("file").run()
    page.selectbox(key="connect.location").set_value("data/orders.csv").run()
    assert not page.exception
    assert page.checkbox(key="connect.map.preset.shopify_orders").value
    page.button(key="connect.try").click().run()
    assert "1 rows read" in texts(page)
    assert not page.button(key="connect.save").disabled


def test_a_variable_that_is_not_set_is_told(folder, open_page, texts):
    page = open_page("connect", folder)
    page.segmented_control(key="connect.way").set_value("database").run()
    page.text_input(key="connect.variable").set_value("NOT_THERE").run()
    assert "is not set" in " ".join(texts(page))
