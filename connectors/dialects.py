"""The kinds of databases that an address may name: four that are tested here, and documented ones."""

from collections.abc import Mapping
from typing import Final

from connectors.engines.documented import DOCUMENTED
from connectors.engines.duckdb import DuckDB
from connectors.engines.mariadb import MariaDB
from connectors.engines.postgresql import PostgreSQL
from connectors.engines.session import Dialect
from connectors.engines.sqlite import SQLite

DIALECTS: Final[Mapping[str, Dialect]] = {
    "postgresql": PostgreSQL(),
    "mysql": MariaDB(),
    "mariadb": MariaDB(),
    "sqlite": SQLite(),
    "duckdb": DuckDB(),
    **DOCUMENTED,
}
"""Kinds of databases by the scheme of their addresses; no other scheme is opened."""
