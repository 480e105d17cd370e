"""A password that is a canary is found nowhere: not in store, log or snapshot, nor in what is printed."""

from pathlib import Path

import pytest
import sqlalchemy as sa

pytestmark = pytest.mark.database

CANARY = "kanarienvogel7261"
SOURCES = """
sources:
  - name: orders
    table: order_lines
    kind: database
    connection: ${{SHOP_DATABASE}}
    from: {table}
    incremental: {{watermark: at, key: id}}
    columns: {{order_id: id, line_id: row_number, customer_id: customer, ordered_at: at, net_amount: amount}}
"""


@pytest.fixture
def folder(rapport, tmp_path, postgres_url, monkeypatch):
    """A loaded project on a database whose address has the canary as its password."""
    engine = sa.create_engine(postgres_url.replace("://", "+psycopg://", 1))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS secret_orders")
        connection.exec_driver_sql(
            "CREATE TABLE secret_orders AS SELECT n AS id, 'C' || n AS customer,"
            " timestamp '2026-01-01' + n * interval '1 day' AS at, 10.5 AS amount"
            " FROM generate_series(1, 30) AS n"
        )
    engine.dispose()
    url = sa.make_url(postgres_url).set(password=CANARY).render_as_string(hide_password=False)
    monkeypatch.setenv("SHOP_DATABASE", url)
    folder = tmp_path / "shop"
    assert rapport("init", folder, "--blank").code == 0
    write(folder, "secret_orders")
    return folder


def write(folder: Path, table: str) -> None:
    (folder / "sources.yaml").write_text(SOURCES.format(table=table))


def holding(folder: Path) -> list[str]:
    """The files that hold the canary in their bytes."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return [path.name for path in found if CANARY.encode() in path.read_bytes()]


def test_no_file_and_no_output_holds_the_password(folder, rapport, tmp_path, monkeypatch):
    printed = [rapport("refresh", "--project", folder)]
    assert printed[0].code == 0, printed[0].err
    printed.append(rapport("sources", "--project", folder, "--json"))
    printed.append(rapport("check", "--project", folder))
    write(folder, "no_such_table")
    printed.append(rapport("refresh", "--project", folder))
    assert printed[-1].code == 2
    monkeypatch.setenv("SHOP_DATABASE", f"postgresql://nobody:{CANARY}@127.0.0.1:1/none")
    monkeypatch.setattr("connectors.readers.retried", lambda work, told: work())
    printed.append(rapport("refresh", "--project", folder))
    monkeypatch.setenv("SHOP_DATABASE", f"carrier-pigeon://nobody:{CANARY}@host/none")
    printed.append(rapport("refresh", "--project", folder))
    assert [done for done in printed if CANARY in done.out + done.err] == []
    assert holding(tmp_path) == []


def test_a_snapshot_holds_no_password(folder, rapport, tmp_path):
    assert rapport("refresh", "--project", folder).code == 0
    done = rapport("snapshot", "--page", "data", "--out", tmp_path / "out", "--project", folder)
    assert done.code == 0, done.err
    assert any((tmp_path / "out").rglob("*.html"))
    assert holding(tmp_path) == []
