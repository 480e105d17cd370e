"""`rapport init`: a starter project, and the sources.yaml proposed from a file's header."""

import polars as pl
import pytest
import yaml

from dashboard.connecting.proposal import propose, sources_text


@pytest.fixture
def proposed(tmp_path):
    """The only source of the sources.yaml proposed for a CSV text."""

    def read(text: str) -> dict[str, object]:
        sample = tmp_path / "orders.csv"
        sample.write_text(text, encoding="utf-8")
        written = sources_text(propose(sample), sample, tmp_path / "shop")
        return yaml.safe_load(written)["sources"][0]

    return read


def test_the_example_is_a_whole_project(rapport, tmp_path):
    folder = tmp_path / "shop"
    assert rapport("init", folder).code == 0
    assert rapport("check", "--project", folder).code == 0
    assert (folder / ".gitignore").read_text() == "store/\n"


def test_an_existing_project_stays_as_it_is(rapport, tmp_path):
    rapport("init", tmp_path, "--name", "First")
    done = rapport("init", tmp_path, "--name", "Second")
    assert done.code == 2
    assert "First" in (tmp_path / "rapport.yaml").read_text()


def test_columns_are_known_by_their_names_however_written(proposed):
    source = proposed("InvoiceNo,Customer ID,invoice_date,QTY,Unit Price,Country\n1,a,2026-01-31,2,3.5,DE\n")
    assert source["location"] == "../orders.csv"
    assert source["columns"] == {
        "order_id": "InvoiceNo",
        "customer_id": "Customer ID",
        "ordered_at": "invoice_date",
        "net_amount": 'QTY * "Unit Price"',
        "quantity": "QTY",
    }


def test_an_amount_of_its_own_comes_before_quantity_times_price(proposed):
    source = proposed("order_id,customer_id,date,qty,price,line_total\n1,a,2026-01-31,2,3.5,7\n")
    assert source["columns"]["net_amount"] == "line_total"


def test_without_an_order_number_every_row_is_an_order(proposed):
    source = proposed("customer_id,date,amount\na,2026-01-31,7\n")
    assert source["columns"]["order_id"] == "row_number"


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (("05/01/2026", "06/02/2026"), {"from": "date", "formats": ["%d/%m/%Y"]}),
        (("5.1.2026 10:30", "6.2.2026 11:00"), {"from": "date", "formats": ["%d.%m.%Y %H:%M"]}),
        (("05/01/2026", "31/01/2026"), "date"),
        (("2026-01-05", "2026-02-06"), "date"),
    ],
)
def test_a_date_that_could_be_two_days_is_asked_about(proposed, dates, expected):
    rows = "".join(f"{n},a,{day},7\n" for n, day in enumerate(dates))
    assert proposed(f"order_id,customer_id,date,amount\n{rows}")["columns"]["ordered_at"] == expected


def test_columns_left_over_are_listed_as_a_comment(tmp_path):
    sample = tmp_path / "orders.csv"
    sample.write_text("order_id,customer_id,date,amount,Sales Region,note: x\n1,a,2026-01-31,7,N,-\n")
    text = sources_text(propose(sample), sample, tmp_path)
    assert "# attributes: [Sales Region, 'note: x']" in text


def test_a_column_that_cannot_be_told_is_named(rapport, tmp_path):
    sample = tmp_path / "orders.csv"
    sample.write_text("order_id,customer_id,date,gelb\n1,a,2026-01-31,7\n")
    done = rapport("init", tmp_path / "shop", "--from", sample)
    assert done.code == 1
    assert "`net_amount`" in done.err
    assert "# net_amount: ?" in (tmp_path / "shop" / "sources.yaml").read_text()
    assert rapport("check", "--project", tmp_path / "shop").code == 1


@pytest.mark.parametrize("suffix", ["parquet", "xlsx"])
def test_other_kinds_of_files(rapport, tmp_path, suffix):
    frame = pl.DataFrame({"order_id": ["1"], "customer_id": ["a"], "date": ["2026-01-31"], "amount": [7.5]})
    sample = tmp_path / f"orders.{suffix}"
    frame.write_parquet(sample) if suffix == "parquet" else frame.write_excel(sample)
    done = rapport("init", tmp_path / "shop", "--from", sample, "--json")
    assert done.code == 0
    assert done.json["columns"]["net_amount"] == "amount"
    assert rapport("check", "--project", tmp_path / "shop").code == 0


def test_a_file_of_another_kind_is_refused(rapport, tmp_path):
    done = rapport("init", tmp_path / "shop", "--from", tmp_path / "orders.doc")
    assert done.code == 2
    assert ".csv" in done.err
    assert not (tmp_path / "shop" / "rapport.yaml").exists()
