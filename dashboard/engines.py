"""The engine that sums order lines when marts are made: Polars, or what `engine` of rapport.yaml names.

An engine reads the lines from a Parquet file that is written for it, so that Spark's workers must see the
store's disk. It sums them; whatever comes after is small, and Polars computes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import polars as pl

from config.errors import ConfigError, Problem
from config.model import FILE_NAME
from connectors.store import DRAFTS
from dashboard.workspace import Workspace
from metrics import marts

_LINES: Final = "order_lines"


def build(workspace: Workspace, tables: Mapping[str, pl.LazyFrame], as_of: date) -> dict[str, Any]:
    """Every mart that the tables allow (`metrics.marts.build`), by the engine of the project.

    Raises ConfigError when the engine is not installed.
    """
    engine, calendar = workspace.project.engine, workspace.calendar
    if engine == "polars" or _LINES not in tables:
        return marts.build(tables, calendar, as_of)
    with TemporaryDirectory(prefix="engine-", dir=workspace.store / DRAFTS) as folder:
        file = Path(folder) / f"{_LINES}.parquet"
        tables[_LINES].sink_parquet(file)
        lines = _duckdb(file) if engine == "duckdb" else _spark(file, workspace.folder)
        return marts.build({**tables, _LINES: lines}, calendar, as_of)


def _duckdb(file: Path) -> Any:  # noqa: ANN401  # a relation of DuckDB
    import duckdb  # no other page or command needs it

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'").fetchall()
    return connection.read_parquet(str(file))


def _spark(file: Path, project: Path) -> Any:  # noqa: ANN401  # a frame of Spark
    """A frame of the session that `SPARK_REMOTE` or the settings of Spark name, else of one started here."""
    try:
        from pyspark.sql import SparkSession
    except ModuleNotFoundError:
        fault = "Spark is not installed"
        remedy = "Install it (`pip install 'rapport-dashboard[spark]'`), or say `engine: polars`"
        raise ConfigError([Problem(str(project / FILE_NAME), 1, 1, "engine", fault, remedy)]) from None
    settings = {"spark.sql.session.timeZone": "UTC", "spark.app.name": "rapport"}
    return SparkSession.builder.config(map=settings).getOrCreate().read.parquet(str(file))
