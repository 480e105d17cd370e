"""Incremental reading: the rows that changed since the last refresh, beside those that are kept.

The rows of such a source are kept in the store as they came, each under a number: a first part with all, then
parts with what changed, and the numbers of the rows whose place these took. Every refresh asks for rows from
the greatest watermark less the look-back on, so that late corrections are found; now and then all keys are
compared, which finds what was deleted. A version names its parts, so that nothing is kept that was not
published.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Final

import polars as pl

from connectors.databases import Pulled, pull, relation_of, session, unheard
from connectors.engines.session import Columns, Session
from connectors.errors import SourceError
from connectors.kinds import DatabaseSource, Increment
from connectors.manifest import Part, Pull, SourceFile
from connectors.raw import COLUMN, REASON, REJECTED, ROW, VALUE, Piece, Raw

MOST_PARTS: Final = 8
"""Parts after which all rows are written anew."""

_FIT: Final = "(fit)"
_NO_ROWS: Final = pl.Series(ROW, [], pl.UInt32)


@dataclass(frozen=True)
class Shelf:
    """Where kept rows lie: the store, the folder of the draft and its name once published."""

    root: Path
    draft: Path
    final: str

    def path(self, part: Part) -> Path:
        """A part, which an earlier version or this draft wrote."""
        own = self.draft / Path(part.path).name
        return own if part.path.startswith(f"{self.final}/") else self.root / part.path

    def written(self, source: str, rows: pl.LazyFrame, kind: str) -> Part:
        """Some rows as a new part."""
        digest = blake2b(source.encode(), digest_size=6).hexdigest()
        path = self.draft / f"pull-{digest}-{kind}.parquet"
        rows.sink_parquet(path, compression="lz4")
        there = pl.scan_parquet(path, glob=False)
        height, first = there.select(pl.len(), pl.col(ROW).min().alias(ROW)).collect().row(0)
        return Part(
            path=f"{self.final}/{path.name}", rows=height, bytes=path.stat().st_size, hash=f"{kind}-{first}"
        )


@dataclass(frozen=True)
class Change:
    """Which rows came and which went since the last refresh, by their numbers, and where both are found."""

    rows: pl.LazyFrame
    came: pl.Series
    went: pl.Series


@dataclass
class _Reading:
    """One source, its session and what is kept of it; `came` and `went` gather what changed."""

    source: DatabaseSource
    how: Increment
    opened: Session
    relation: str
    columns: Columns
    shelf: Shelf
    workdir: Path
    now: datetime
    pulled: Pulled
    came: pl.Series = field(default_factory=lambda: _NO_ROWS)
    went: pl.Series = field(default_factory=lambda: _NO_ROWS)

    @property
    def shape(self) -> str:
        """All that the kept rows depend on: another shape reads everything anew."""
        fields = [f"{column.name} {column.sql} {column.dtype}" for column in self.columns.kept]
        words = (self.relation, self.how.watermark, *self.how.keys, *fields)
        return blake2b("\0".join(words).encode(), digest_size=8).hexdigest()

    def all(self) -> Pull:
        """Every row, read now."""
        part = self.shelf.written(self.source.name, self._rows(self.relation, "all"), "all")
        return Pull(shape=self.shape, parts=(part,), numbered=part.rows, compared_at=self.now)

    def changed(self, before: Pull) -> Pull:
        """The rows that changed, beside those that were kept."""
        kept = self.kept(before)
        fresh = self._rows(self._later(since_of(kept, self.how)), "changed").collect()
        known = _keyed(kept, fresh, self.how.keys)
        values = [name for name in fresh.columns if name != ROW]
        other = fresh.join(_as(fresh.schema, known), on=values, how="anti", nulls_equal=True)
        came, went = (_semi(rows, other, self.how.keys) for rows in (fresh, known))
        if not came.height:
            return before
        numbers = pl.int_range(before.numbered, before.numbered + came.height, dtype=pl.UInt32, eager=True)
        rows = came.with_columns(numbers.alias(ROW)).lazy()
        part = self.shelf.written(self.source.name, rows, f"{before.numbered}")
        self.came, self.went = numbers, went[ROW]
        grown = before.model_copy(
            update={"parts": (*before.parts, part), "numbered": before.numbered + came.height}
        )
        return self._without(grown, went[ROW])

    def compared(self, before: Pull) -> Pull:
        """The kept rows without those whose keys are gone; everything anew where keys are missing."""
        names = ", ".join(self.opened.quoted(name) for name in self.how.keys)
        there = self._rows(f"(SELECT {names} FROM {self.relation}) AS rapport", "keys")
        keys = there.select(_texts(self.how.keys)).unique()
        kept = self.kept(before).select(ROW, *_texts(self.how.keys))
        own = kept.drop(ROW).unique()
        missing = keys.join(own, on=self.how.keys, how="anti", nulls_equal=True).select(pl.len())
        without = kept.join(keys, on=self.how.keys, how="anti", nulls_equal=True).select(ROW)
        lacking, lost = pl.collect_all([missing, without])
        if lacking.item():
            return self.all()
        gone = lost[ROW]
        self.went = pl.concat([self.went, gone.filter(~gone.is_in(self.came.implode()))])
        self.came = self.came.filter(~self.came.is_in(gone.implode()))
        return self._without(before.model_copy(update={"compared_at": self.now}), gone)

    def compact(self, pull: Pull) -> Pull:
        """The same rows in one part."""
        part = self.shelf.written(self.source.name, self.kept(pull), f"{pull.numbered}-all")
        return pull.model_copy(update={"parts": (part,), "gone": None})

    def _without(self, pull: Pull, rows: pl.Series) -> Pull:
        """The pull with some more rows gone."""
        if not rows.len():
            return pull
        gone = pl.concat([self.gone(pull), rows]).sort().to_frame().lazy()
        kind = f"{pull.numbered}-{len(rows)}-gone"
        return pull.model_copy(update={"gone": self.shelf.written(self.source.name, gone, kind)})

    def gone(self, pull: Pull) -> pl.Series:
        """The numbers of the rows that no longer count."""
        return pl.read_parquet(self.shelf.path(pull.gone))[ROW] if pull.gone else _NO_ROWS

    def every(self, pull: Pull) -> pl.LazyFrame:
        """The rows of all parts, the oldest first."""
        parts = [pl.scan_parquet(self.shelf.path(part), glob=False) for part in pull.parts]
        return pl.concat(parts, how="diagonal")

    def kept(self, pull: Pull) -> pl.LazyFrame:
        """The rows that count."""
        gone = self.gone(pull)
        return self.every(pull).filter(~pl.col(ROW).is_in(gone.implode())) if gone.len() else self.every(pull)

    def _rows(self, relation: str, name: str) -> pl.LazyFrame:
        """The rows of a relation, those with a cell that is no value beside the others."""
        piece = pull(self.source, self.opened, relation, self.workdir / name, self.pulled)
        fit = piece.frame.with_columns(pl.lit(value=True).alias(_FIT))
        unfit = piece.rejected.with_columns(pl.lit(value=False).alias(_FIT))
        return pl.concat([fit, _like(fit, unfit).lazy()], how="diagonal")

    def _later(self, since: object) -> str:
        """The part of the relation that may have changed."""
        column = self.opened.quoted(self.how.watermark)
        if since is None:
            return self.relation
        condition = f"{column} >= {_literal(since)} OR {column} IS NULL"
        return f"(SELECT * FROM {self.relation} WHERE {condition}) AS rapport"


def _like(fit: pl.LazyFrame, unfit: pl.DataFrame) -> pl.DataFrame:
    """Rows that cannot be used: cells as far as they fit, and every text under a name of its own."""
    own = [
        pl.col(name).cast(dtype, strict=False)
        for name, dtype in fit.collect_schema().items()
        if name in unfit.columns
    ]
    texts = [
        pl.col(name).alias(f"text:{name}") for name in unfit.columns if name not in (*REJECTED, _FIT, ROW)
    ]
    return unfit.select(*own, *(pl.col(name) for name in (COLUMN, VALUE, REASON)), *texts)


def _texts(names: Sequence[str]) -> list[pl.Expr]:
    return [pl.col(name).cast(pl.String) for name in names]


def _keyed(kept: pl.LazyFrame, fresh: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The kept rows with a key of the fresh ones; most others are told by one column of the key."""
    first = kept.filter(pl.col(keys[0]).is_in(fresh[keys[0]].unique().implode(), nulls_equal=True))
    return _semi(first.collect(), fresh, keys)


def _semi(rows: pl.DataFrame, others: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The rows with a key of the others, in their order."""
    return rows.join(others, on=list(keys), how="semi", nulls_equal=True, maintain_order="left")


def _as(schema: pl.Schema, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the columns of others but for their numbers."""
    there = {name: dtype for name, dtype in schema.items() if name != ROW}
    return rows.select(
        pl.col(name) if name in rows.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in there.items()
    )


def since_of(kept: pl.LazyFrame, how: Increment) -> object:
    """The greatest watermark less the look-back; None where there is none."""
    newest = kept.select(pl.col(how.watermark).max()).collect().item()
    if isinstance(newest, datetime | date):
        return newest - how.window
    if isinstance(newest, str):
        try:
            moment = datetime.fromisoformat(newest) - how.window
        except ValueError:
            return None  # a text that is no time: nothing tells how far to look back
        return moment.isoformat(" " if " " in newest else "T")[: len(newest)]
    return newest


def _literal(value: object) -> str:
    """A watermark in SQL."""
    if isinstance(value, datetime):
        return f"'{value.replace(tzinfo=None).isoformat(' ')}'"
    if isinstance(value, str | date):
        return "'" + str(value).replace("'", "''") + "'"
    return str(value)


def read_changes(
    source: DatabaseSource,
    folder: Path,
    workdir: Path,
    shelf: Shelf,
    before: Pull | None,
    now: datetime,
    pulled: Pulled = unheard,
) -> tuple[Raw, Pull, Change | None]:
    """All rows of an incremental source, what is to be kept of it, and what changed; None for everything.

    The source is read as far as it may have changed. Raises SourceError as `read_database` does, and where
    key or watermark is not there.
    """
    how = source.incremental
    assert how is not None  # who calls has looked
    with session(source, folder) as opened:
        relation = relation_of(source, opened)
        columns = opened.columns(relation)
        _refuse_missing(source, how, columns)
        reading = _Reading(source, how, opened, relation, columns, shelf, workdir / source.name, now, pulled)
        if before is None or before.shape != reading.shape:
            kept = reading.all()
            return _raw(reading, kept), kept, None
        return _refreshed(reading, before)


def _refreshed(reading: _Reading, before: Pull) -> tuple[Raw, Pull, Change | None]:
    kept = reading.changed(before)
    if before.compared_at + reading.how.interval <= reading.now:
        kept = reading.compared(kept)
        if kept.parts[: len(before.parts)] != before.parts:
            return _raw(reading, kept), kept, None
    change = Change(reading.every(kept).filter(_FIT).select(*_names(reading)), reading.came, reading.went)
    if len(kept.parts) > MOST_PARTS:
        kept = reading.compact(kept)
    return _raw(reading, kept), kept, change


def _refuse_missing(source: DatabaseSource, how: Increment, columns: Columns) -> None:
    there = [column.name for column in columns.kept]
    missing = [name for name in (how.watermark, *how.keys) if name not in there]
    if missing:
        where, listed = f"source `{source.name}`", ", ".join(f"`{name}`" for name in missing)
        known = ", ".join(f"`{name}`" for name in there[:12])
        raise SourceError(where, f"`incremental:` names {listed}, which is no column", f"Known: {known}")


def _names(reading: _Reading) -> list[str]:
    return [ROW, *(column.name for column in reading.columns.kept)]


def _raw(reading: _Reading, kept: Pull) -> Raw:
    found = reading.kept(kept)
    unfit = found.filter(~pl.col(_FIT)).collect()
    shown = [pl.col(name) for name in unfit.columns if name.startswith("text:")]
    rejected = unfit.select(
        ROW,
        *(pl.col(name) if name in unfit.columns else pl.lit(None, pl.String).alias(name)
          for name in (COLUMN, VALUE, REASON)),
        *(text.alias(text.meta.output_name().removeprefix("text:")) for text in shown),
    )  # fmt: skip
    height = sum(part.rows for part in kept.parts) - (kept.gone.rows if kept.gone else 0)
    shown_as = f"{reading.source.connection.partition(':')[0]}: {reading.source.relation or 'query'}"
    file = SourceFile(path=shown_as, rows=height)
    left_out = (f"column `{name}` holds bytes and is left out" for name in reading.columns.left_out)
    fit = found.filter(_FIT).select(_names(reading))
    piece = Piece(fit, file, tuple(left_out), rejected, span=height, warnings=reading.opened.warnings)
    return replace(Raw.of(reading.source.name, [piece]), rows=height)
