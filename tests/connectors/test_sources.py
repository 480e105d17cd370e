"""sources.yaml: everything that the format offers, and what its schema says of it."""

from pathlib import Path
from textwrap import dedent

import pytest

import config
from config import schemas
from config.errors import ConfigError
from connectors.kinds import CsvSource, DatabaseSource, Filter, Join, TextSource
from connectors.sources import Sources, find_sources, read_sources

FULL = """
sources:
  - name: orders
    table: order_lines
    kind: csv
    location: [data/a.csv, data/b-*.csv]
    encoding: cp1250
    delimiter: ";"
    decimal: ","
    thousands: "."
    blanks: [NA, "-"]
    skip_rows: 2
    timezone: America/Sao_Paulo
    joins:
      - {source: items, on: order_id, reason: order without items}
      - {source: shop, on: {shop_id: id}, how: left, many: true}
    columns:
      order_id: order_id
      line_id: row_number
      customer_id: {from: customer, blanks: [guest]}
      ordered_at: {from: bought, formats: ["%m/%d/%Y %H:%M"], timezone: UTC}
      net_amount: {from: paid, decimal: "."}
      quantity: 1
      is_return: false
      status: {from: status, values: {canceled: cancelled, 7: null}, otherwise: quarantine}
    attributes: {shop: "shop.name", age: {from: age, type: number}}
    filters:
      - {drop: "paid <= 0", reason: no price}
    duplicates: merge
  - name: items
    kind: text
    location: items.txt
    header: [order_id, sku]
  - name: shop
    kind: database
    connection: ${SHOP}
    from: public.shops
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "sources.yaml"
    path.write_text(dedent(FULL))
    return path


def test_everything_that_the_format_offers(written: Path) -> None:
    orders, items, shop = read_sources(written, environ={"SHOP": "sqlite:///shop.sqlite"}).sources
    assert isinstance(orders, CsvSource)
    assert orders.location == ("data/a.csv", "data/b-*.csv")
    assert orders.joins[0] == Join(source="items", on="order_id", reason="order without items")
    assert [dict(join.keys) for join in orders.joins] == [{"order_id": "order_id"}, {"shop_id": "id"}]
    assert orders.filters == (Filter(drop="paid <= 0", reason="no price"),)
    assert set(orders.kept) == {"shop", "age"}
    assert isinstance(items, TextSource)
    assert isinstance(shop, DatabaseSource)
    assert (shop.relation, shop.connection) == ("public.shops", "sqlite:///shop.sqlite")


def test_attributes_may_be_a_list(tmp_path: Path) -> None:
    text = "{name: p, kind: csv, location: p, table: products, columns: {product_id: id}, attributes: [size]}"
    (tmp_path / "sources.yaml").write_text(f"sources: [{text}]")
    assert find_sources(tmp_path).named("p").kept == {"size": "size"}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("kind: cvs", "unknown kind `cvs`. Did you mean `csv`?"),
        ("timezone: Europe/Berln", "unknown time zone `Europe/Berln`. Did you mean `Europe/Berlin`?"),
        ("duplicates: drop", "unknown value `drop`"),
        ("delimiter: ';;'", "needs at most 1 characters"),
        ("sheet: May", "unknown key `sheet`"),
        ("header: [id, id]", "two columns are named `id`"),
        ("columns: {product_id: {from: id, formats: [yyyy]}}", "`yyyy` is no date format"),
        ("attributes: [name]", "`name` is a column of `products`, not an attribute"),
        ("table: customers", "`customers` needs `customer_id`"),
    ],
)
def test_what_cannot_be_is_told_where_it_stands(tmp_path: Path, line: str, told: str) -> None:
    base = {
        "name": "p",
        "kind": "csv",
        "table": "products",
        "location": "p.csv",
        "columns": "{product_id: id}",
    }
    key, value = line.split(": ", 1)
    path = tmp_path / "sources.yaml"
    path.write_text("sources:\n  - " + "\n    ".join(f"{k}: {v}" for k, v in {**base, key: value}.items()))
    with pytest.raises(ConfigError) as caught:
        read_sources(path)
    assert told in str(caught.value)
    assert all(problem.line > 1 for problem in caught.value.problems)


def test_name_of_a_source_can_name_a_file(tmp_path: Path) -> None:
    (tmp_path / "sources.yaml").write_text(
        "sources: [{name: ../x, table: products, kind: csv, location: p.csv}]"
    )
    with pytest.raises(ConfigError, match="cannot name a source"):
        find_sources(tmp_path)


def test_committed_schema_is_current_and_describes_every_key() -> None:
    folder = Path(config.__file__).parent / "schemas"
    assert schemas.stale({"sources": Sources}, folder) == []
    models = schemas.schema(Sources)["$defs"].values()
    assert [key for model in models for key in model["properties"].values() if "description" not in key] == []
