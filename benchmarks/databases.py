"""A pull of order lines from PostgreSQL, and a refresh of the few that changed.

The pull (casts, parsing, checks, staged Parquet) within 1.3 times a bare ADBC read of the same table, at most
a third of `pandas.read_sql`, under 600 MB. A refresh of 1 % new rows within a tenth of one that reads all.
The server is that of `RAPPORT_TEST_POSTGRES`, by default the one on this machine.
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import adbc_driver_postgresql.dbapi as adbc
import sqlalchemy as sa

from benchmarks.lines import COLUMNS, Size, parquet
from benchmarks.measure import Cost, Result, in_turn, ratio
from config.model import Project
from connectors.databases import read_database
from connectors.kinds import DatabaseSource
from connectors.refresh import refresh
from connectors.sources import Sources
from connectors.store import Store
from metrics.marts import build
from metrics.periods import Calendar
from metrics.renewal import renew

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SERVER = os.environ.get("RAPPORT_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
PULLED = 2_000_000
MOST_MB = 600
TABLE = """
CREATE TABLE lines (
    order_id text, line_id text, customer_id text, ordered_at timestamptz, status text, product_id text,
    category text, quantity float8, net_amount numeric(18,4), cost numeric(18,4), discount numeric(18,4),
    is_return boolean, channel text, changed_at timestamptz
)"""


def run(size: Size) -> Iterator[Result]:
    """The pull beside its baselines, then the small refresh beside the whole one."""
    rounds = 1 if size.quick else 3
    with _database(size) as address, tempfile.TemporaryDirectory(prefix="rapport-bench-") as place:
        ours = ("benchmarks.databases:pull", address, place)
        bare = ("benchmarks.databases:bare", address)
        pandas = ("benchmarks.databases:with_pandas", address)
        cost, base, slow = in_turn(rounds, ours, bare, pandas)
        rows = min(PULLED, size.lines)
        name = f"pull of {rows:,} lines from PostgreSQL"
        yield ratio(f"{name}, against a bare ADBC read", None if size.quick else 1.3, cost, base)
        yield ratio(f"{name}, against pandas.read_sql", None if size.quick else 1 / 3, cost, slow)
        yield Result(f"{name}, peak memory", cost.peak_mb, MOST_MB, "MB", cost)
        whole, small = _refreshes(address, place)
        yield ratio(
            f"refresh of 1 % new rows at {size.lines:,} lines", None if size.quick else 0.1, small, whole
        )


def _refreshes(address: str, place: str) -> tuple[Cost, Cost]:
    whole = in_turn(1, ("benchmarks.databases:refreshed", address, place, "0"))[0]
    engine = sa.create_engine(address.replace("://", "+psycopg://", 1))
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO lines SELECT 'N' || order_id, line_id, customer_id, ordered_at, status, product_id,"
            " category, quantity, net_amount, cost, discount, is_return, channel, now()"
            " FROM lines TABLESAMPLE SYSTEM (1)"
        )
    engine.dispose()
    return whole, in_turn(1, ("benchmarks.databases:refreshed", address, place, "1"))[0]


@contextmanager
def _database(size: Size) -> Iterator[str]:
    """A database of its own with the lines, dropped at the end."""
    name = f"rapport_bench_{uuid.uuid4().hex[:8]}"
    admin = sa.create_engine(SERVER.replace("://", "+psycopg://", 1), isolation_level="AUTOCOMMIT")
    address = sa.make_url(SERVER).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        _fill(address, parquet(size))
        yield address
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        admin.dispose()


def _fill(address: str, lines: Path) -> None:
    import polars as pl

    with adbc.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute(TABLE)
        whole = pl.scan_parquet(lines).with_columns(
            pl.col("net_amount", "cost", "discount").cast(pl.String), changed_at=pl.col("ordered_at")
        )
        for at in range(0, whole.select(pl.len()).collect().item(), 500_000):
            some = whole.slice(at, 500_000).collect()
            table = some.to_arrow(compat_level=pl.CompatLevel.oldest())
            cursor.adbc_ingest("staged", table, mode="replace")
            cursor.execute(
                "INSERT INTO lines SELECT order_id, line_id, customer_id, ordered_at, status, product_id,"
                " category, quantity, net_amount::numeric, cost::numeric, discount::numeric, is_return,"
                " channel, changed_at FROM staged"
            )
        cursor.execute("DROP TABLE staged")
        cursor.execute("CREATE INDEX ON lines (changed_at)")
        cursor.execute("ANALYZE lines")
        connection.commit()


def _source(address: str, **given: object) -> dict[str, object]:
    return {"name": "lines", "kind": "database", "connection": address, "timeout": 3600} | given


def pull(address: str, place: str) -> None:
    """The product's own pull of the first lines."""
    source = DatabaseSource.model_validate(_source(address, query=f"SELECT * FROM lines LIMIT {PULLED}"))
    shutil.rmtree(f"{place}/pull", ignore_errors=True)
    read_database(source, Path(place), Path(place) / "pull")


def bare(address: str) -> None:
    """The same rows through ADBC into Arrow, let go batch by batch."""
    with adbc.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM lines LIMIT {PULLED}")
        for batch in cursor.fetch_record_batch():
            batch.num_rows  # noqa: B018  (they are read, and that is all)


def with_pandas(address: str) -> None:
    """The same rows as people read them without Rapport."""
    import pandas as pd

    engine = sa.create_engine(address.replace("://", "+psycopg://", 1))
    pd.read_sql(f"SELECT * FROM lines LIMIT {PULLED}", engine)


def refreshed(address: str, place: str, hour: str) -> None:
    """A refresh of the incremental source: all of it the first time."""
    folder = Path(place) / "project"
    folder.mkdir(exist_ok=True)
    how = {"watermark": "changed_at", "key": ["order_id", "line_id"], "look_back": "1 hour"}
    mapping = {"table": "order_lines", "columns": {name: name for name in COLUMNS}}
    source = _source(address, **mapping, **{"from": "lines"}, incremental=how)
    refresh(
        folder,
        Project(name="Benchmark", currency="EUR"),
        Sources.model_validate({"sources": [source]}),
        Store(folder / "store"),
        lambda tables, as_of: build(tables, Calendar(), as_of),
        renew=partial(renew, Calendar()),
        now=NOW + timedelta(hours=int(hour)),
    )
