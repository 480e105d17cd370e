"""Personal fields where the project masks them: rows set aside still hold every original value."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import polars as pl

from config.errors import ConfigError
from connectors.kinds import Source
from connectors.sources import find_sources
from connectors.tables import TABLES

MASK: Final = "\N{BULLET}" * 3
OURS: Final = ("row", "reason", "reasons", "column", "file")
"""What a refresh adds to a row that it sets aside, besides the value that could not be read."""
_WORD: Final = re.compile(r"\w+")


def personal_fields(table: str) -> frozenset[str]:
    """The columns of a canonical table that name a person."""
    columns = TABLES[table].columns() if table in TABLES else {}
    return frozenset(name for name, column in columns.items() if (column.metadata or {}).get("personal"))


def personal_sources(folder: Path) -> frozenset[str] | None:
    """The words of a project's sources that its personal fields are read from; None when nobody can tell."""
    try:
        found = find_sources(folder).sources
    except ConfigError:
        return None
    return frozenset(word for source in found for text in _texts(source) for word in _WORD.findall(text))


def _texts(source: Source) -> Iterable[str]:
    for ours in personal_fields(source.table):
        theirs = source.columns.get(ours)
        if theirs is not None:
            yield str(getattr(theirs, "source", theirs))


def masked(rows: pl.DataFrame, personal: frozenset[str] | None) -> pl.DataFrame:
    """Rows set aside without what names a person; without every original value when nobody can tell which."""
    originals = [name for name in rows.columns if name not in (*OURS, "value")]
    hidden = [name for name in originals if personal is None or set(_WORD.findall(name)) & personal]
    covered = [_covered(pl.col(name)).alias(name) for name in hidden]
    if {"column", "value"} <= set(rows.columns):
        told = pl.col("column").is_in(hidden)
        covered.append(pl.when(told).then(_covered(pl.col("value"))).otherwise("value").alias("value"))
    return rows.with_columns(covered)


def _covered(value: pl.Expr) -> pl.Expr:
    """The mask in place of any text; an empty cell stays empty, for that is often its fault."""
    text = value.cast(pl.String)
    return pl.when(text.str.strip_chars() != "").then(pl.lit(MASK)).otherwise(text)
