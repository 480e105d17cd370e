"""RFM and value tiers on real customers. Oracle: SQL over the published files."""

import duckdb
import pytest

from connectors.store import Store
from dashboard.figures import Book
from dashboard.segment_files import scoring
from dashboard.workspace import open_workspace
from metrics.rfm import rfm

pytestmark = pytest.mark.realdata

SCORES = """
    SELECT customer_id, recency, frequency, monetary,
        1 + floor(5 * (rank() OVER (ORDER BY recency DESC) - 1) / count(*) OVER ())::INT AS r,
        1 + floor(5 * (rank() OVER (ORDER BY frequency) - 1) / count(*) OVER ())::INT AS f,
        CASE WHEN monetary > 0
            THEN 1 + floor(5 * (rank() OVER (ORDER BY monetary) - 1) / count(*) OVER ())::INT ELSE 1 END AS m
    FROM ({people}) ORDER BY customer_id
"""
CDNOW = """
    SELECT customer_id, DATE '1998-06-30' - max(day) AS recency, count(*) AS frequency,
        sum(dollars) AS monetary
    FROM (
        SELECT line[2:6] AS customer_id, strptime(line[8:15], '%Y%m%d')::DATE AS day,
            regexp_extract(line, '([0-9.]+)\\s*$', 1)::DECIMAL(18, 2) AS dollars
        FROM read_csv('{file}', columns = {{'line': 'VARCHAR'}}, delim = '|', header = false, quote = '')
    ) GROUP BY 1
"""
ONLINE_RETAIL = """
    SELECT customer_id, DATE '{as_of}' - max(day) FILTER (WHERE NOT back) AS recency,
        count(DISTINCT invoice) FILTER (WHERE NOT back) AS frequency, sum(paid) AS monetary
    FROM (
        SELECT CustomerID::BIGINT::VARCHAR AS customer_id, InvoiceNo AS invoice, InvoiceNo LIKE 'C%' AS back,
            InvoiceDate::DATE AS day, Quantity * UnitPrice::DECIMAL(18, 4) AS paid
        FROM '{file}' WHERE CustomerID IS NOT NULL
    ) GROUP BY 1 HAVING frequency > 0
"""


def opened(found) -> Book:
    version = Store(found.store).current()
    return Book(open_workspace(found.project, found.store), version, version.manifest.as_of)


def scores(book: Book) -> list[tuple]:
    """What the product says, in the order and form of the query."""
    found = rfm(book.marts, scoring(book.definitions.catalog))
    ids = book.marts.frame("customer_summary")["customer_id"].gather(found["customer"])
    columns = ("recency", "frequency", "monetary", "recency_score", "frequency_score", "monetary_score")
    return found.select(ids, *columns).sort("customer_id").rows()


def test_cdnow_scores_equal_sql_and_no_tie_is_split(cdnow, real_data):
    book = opened(cdnow)
    people = CDNOW.format(file=real_data / "cdnow" / "CDNOW_master.txt")
    expected = duckdb.sql(SCORES.format(people=people)).fetchall()
    found = scores(book)
    assert len(found) == 23570
    assert [row[1:] for row in found] == [row[1:] for row in expected]
    once = {row[5] for row in found if row[2] == 1}
    assert once == {1}
    assert sum(row[2] == 1 for row in found) == 23570 - 11662


def test_online_retail_scores_equal_sql(retail, real_data):
    book = opened(retail)
    file = real_data / "online_retail" / "online_retail_2010_2011.parquet"
    people = ONLINE_RETAIL.format(file=file, as_of=book.as_of)
    expected = duckdb.sql(SCORES.format(people=people)).fetchall()
    found = scores(book)
    assert found == expected
