"""Incremental reading: the rows that changed since the last refresh, set over those that are kept.

The rows of such a source are kept in the store as they came: a first part with all, further parts with what
changed. A row of a later part takes the place of those with its key. Every refresh asks for rows from the
greatest watermark less the look-back on, so that late corrections are found; now and then all keys are
compared, which finds what was deleted. A version names its parts, so that nothing is kept that was not
published.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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

    def written(self, source: str, rows: pl.DataFrame, at: int) -> Part:
        """Some rows as a new part."""
        digest = blake2b(source.encode(), digest_size=6).hexdigest()
        path = self.draft / f"pull-{digest}-{at:03}.parquet"
        rows.write_parquet(path, compression="lz4")
        prints = rows.drop(ROW, strict=False).hash_rows().sum() if rows.height else 0
        return Part(
            path=f"{self.final}/{path.name}", rows=rows.height, bytes=path.stat().st_size, hash=f"{prints:x}"
        )


@dataclass(frozen=True)
class _Reading:
    """One source, its session and what is kept of it."""

    source: DatabaseSource
    how: Increment
    opened: Session
    relation: str
    columns: Columns
    shelf: Shelf
    workdir: Path
    now: datetime
    pulled: Pulled

    @property
    def shape(self) -> str:
        """All that the kept rows depend on: another shape reads everything anew."""
        fields = [f"{column.name} {column.sql} {column.dtype}" for column in self.columns.kept]
        words = (self.relation, self.how.watermark, *self.how.keys, *fields)
        return blake2b("\0".join(words).encode(), digest_size=8).hexdigest()

    def all(self) -> Pull:
        """Every row, read now."""
        rows = self._rows(self.relation, "all")
        part = self.shelf.written(self.source.name, rows, 0)
        return Pull(shape=self.shape, parts=(part,), compared_at=self.now)

    def changed(self, before: Pull) -> Pull:
        """The rows that changed, beside those that were kept."""
        kept = merged(self.frames(before), self.how.keys)
        since = since_of(kept, self.how)
        fresh = self._rows(self._later(since), "changed")
        new = fresh.join(
            _keyed(kept, fresh, self.how.keys).drop(ROW),
            on=[name for name in fresh.columns if name != ROW],
            how="anti",
            nulls_equal=True,
        )
        if not new.height:
            return before
        part = self.shelf.written(self.source.name, new, len(before.parts))
        grown = before.model_copy(update={"parts": (*before.parts, part)})
        return self.compact(grown) if len(grown.parts) > MOST_PARTS else grown

    def compared(self, before: Pull) -> Pull:
        """The kept rows without those whose keys are gone; everything anew where keys are missing."""
        names = ", ".join(self.opened.quoted(name) for name in self.how.keys)
        there = self._rows(f"(SELECT {names} FROM {self.relation}) AS rapport", "keys")
        keys = there.lazy().select(_texts(self.how.keys)).unique()
        kept = merged(self.frames(before), self.how.keys)
        own = kept.select(_texts(self.how.keys)).unique()
        missing, gone = pl.collect_all([_except(keys, own), _except(own, keys)])
        if missing.item():
            return self.all()
        noted = before.model_copy(update={"compared_at": self.now})
        return self.compact(noted, keys) if gone.item() else noted

    def compact(self, pull: Pull, keys: pl.LazyFrame | None = None) -> Pull:
        """The same rows in one part; with `keys`, only those that have one of them."""
        rows = merged(self.frames(pull), self.how.keys)
        if keys is not None:
            texts = _texts(self.how.keys)
            rows = rows.join(keys, left_on=texts, right_on=self.how.keys, how="semi", nulls_equal=True)
        part = self.shelf.written(self.source.name, rows.collect(), len(pull.parts))
        return pull.model_copy(update={"parts": (part,)})

    def frames(self, pull: Pull) -> list[pl.LazyFrame]:
        """The parts, the oldest first."""
        return [pl.scan_parquet(self.shelf.path(part), glob=False) for part in pull.parts]

    def _rows(self, relation: str, name: str) -> pl.DataFrame:
        """The rows of a relation, those with a cell that is no value beside the others."""
        piece = pull(self.source, self.opened, relation, self.workdir / name, self.pulled)
        fit = piece.frame.with_columns(pl.lit(value=True).alias(_FIT)).collect()
        unfit = piece.rejected.with_columns(pl.lit(value=False).alias(_FIT))
        return pl.concat([fit, _like(fit, unfit)], how="diagonal")

    def _later(self, since: object) -> str:
        """The part of the relation that may have changed."""
        column = self.opened.quoted(self.how.watermark)
        if since is None:
            return self.relation
        condition = f"{column} >= {_literal(since)} OR {column} IS NULL"
        return f"(SELECT * FROM {self.relation} WHERE {condition}) AS rapport"


def _like(fit: pl.DataFrame, unfit: pl.DataFrame) -> pl.DataFrame:
    """Rows that cannot be used: cells as far as they fit, and every text under a name of its own."""
    own = [
        pl.col(name).cast(dtype, strict=False) for name, dtype in fit.schema.items() if name in unfit.columns
    ]
    texts = [
        pl.col(name).alias(f"text:{name}") for name in unfit.columns if name not in (*REJECTED, _FIT, ROW)
    ]
    return unfit.select(*own, *(pl.col(name) for name in (COLUMN, VALUE, REASON)), *texts)


def _texts(names: Sequence[str]) -> list[pl.Expr]:
    return [pl.col(name).cast(pl.String) for name in names]


def _except(left: pl.LazyFrame, right: pl.LazyFrame) -> pl.LazyFrame:
    """How many rows of the one are not in the other."""
    return left.join(right, on=left.collect_schema().names(), how="anti", nulls_equal=True).select(pl.len())


def _keyed(kept: pl.LazyFrame, fresh: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The kept rows with a key of the fresh ones."""
    rows = kept.join(fresh.lazy().select(keys), on=list(keys), how="semi", nulls_equal=True).collect()
    there = [pl.col(name) if name in rows.columns else pl.lit(None, dtype).alias(name)
             for name, dtype in fresh.schema.items()]  # fmt: skip
    return rows.select(there)


def merged(frames: Sequence[pl.LazyFrame], keys: Sequence[str]) -> pl.LazyFrame:
    """The rows of all parts, each key as the last part has it."""
    kept = []
    for at, frame in enumerate(frames):
        later = [other.select(keys) for other in frames[at + 1 :]]
        if later:
            frame = frame.join(pl.concat(later).unique(), on=list(keys), how="anti", nulls_equal=True)
        kept.append(frame)
    return pl.concat(kept, how="diagonal")


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
) -> tuple[Raw, Pull]:
    """All rows of an incremental source, read as far as they may have changed, and what is to be kept of it.

    Raises SourceError as `read_database` does, and where key or watermark is not there.
    """
    how = source.incremental
    assert how is not None  # who calls has looked
    with session(source, folder) as opened:
        relation = relation_of(source, opened)
        columns = opened.columns(relation)
        _refuse_missing(source, how, columns)
        reading = _Reading(source, how, opened, relation, columns, shelf, workdir / source.name, now, pulled)
        kept = _refreshed(reading, before)
        return _raw(reading, kept), kept


def _refreshed(reading: _Reading, before: Pull | None) -> Pull:
    if before is None or before.shape != reading.shape:
        return reading.all()
    changed = reading.changed(before)
    due = before.compared_at + reading.how.interval <= reading.now
    return reading.compared(changed) if due else changed


def _refuse_missing(source: DatabaseSource, how: Increment, columns: Columns) -> None:
    there = [column.name for column in columns.kept]
    missing = [name for name in (how.watermark, *how.keys) if name not in there]
    if missing:
        where, listed = f"source `{source.name}`", ", ".join(f"`{name}`" for name in missing)
        known = ", ".join(f"`{name}`" for name in there[:12])
        raise SourceError(where, f"`incremental:` names {listed}, which is no column", f"Known: {known}")


def _raw(reading: _Reading, kept: Pull) -> Raw:
    rows = merged(reading.frames(kept), reading.how.keys).drop(ROW).with_row_index(ROW)
    target = reading.workdir / "merged.parquet"
    rows.sink_parquet(target, compression="lz4")
    found = pl.scan_parquet(target, glob=False)
    names = [column.name for column in reading.columns.kept]
    fit = found.filter(pl.col(_FIT)).select(ROW, *names)
    shown = [pl.col(name) for name in found.collect_schema() if name.startswith("text:")]
    unfit = found.filter(~pl.col(_FIT)).collect()
    rejected = unfit.select(
        ROW,
        *(pl.col(name) if name in unfit.columns else pl.lit(None, pl.String).alias(name)
          for name in (COLUMN, VALUE, REASON)),
        *(text.alias(text.meta.output_name().removeprefix("text:")) for text in shown),
    )  # fmt: skip
    height = int(found.select(pl.len()).collect().item())
    shown_as = f"{reading.source.connection.partition(':')[0]}: {reading.source.relation or 'query'}"
    file = SourceFile(path=shown_as, rows=height)
    left_out = (f"column `{name}` holds bytes and is left out" for name in reading.columns.left_out)
    piece = Piece(fit, file, tuple(left_out), rejected, span=height, warnings=reading.opened.warnings)
    return replace(Raw.of(reading.source.name, [piece]), rows=height)
