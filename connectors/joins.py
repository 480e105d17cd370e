"""Several sources set side by side: one row for every match, and a count of the rows without one."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from config.errors import suggestion
from connectors import values
from connectors.errors import SourceError
from connectors.kinds import ColumnMap, Join, Source
from connectors.raw import MET, OWN, ROW, Raw
from connectors.steps import inline
from connectors.tables import keys

_UNMATCHED: Final = "(unmatched)"
_KEY: Final = "(key)"


@dataclass(frozen=True)
class Joined:
    """The rows of a source with those of the others beside them.

    `unmatched` counts joined rows without a match by its reason; they are not in `raw`. `own` counts rows of
    the source itself that are in none of the joined rows, in the same way. `met` holds the row numbers of the
    other sources that some row met.
    """

    raw: Raw
    unmatched: Counter[str]
    own: Counter[str]
    met: Mapping[str, pl.Series]


def joined(source: Source, raw: Raw, other: Callable[[str], tuple[Source, Raw]], target: Path) -> Joined:
    """Join the others to a source, write the result to `target`, and number its rows anew.

    A column that both have keeps its name on the left and becomes `source.column` on the right; a key of one
    name stands once. Raises SourceError for a column that is not there, and when a row would meet several
    others without the table's key telling them apart (`many: true` allows it).
    """
    frame = raw.frame.rename({ROW: OWN}).with_columns(pl.lit(0, pl.UInt8).alias(_UNMATCHED))
    origins: dict[str, Source] = dict.fromkeys(raw.columns, source)
    for at, join in enumerate(source.joins, 1):
        theirs, right = other(join.source)
        frame = _beside(source, frame, join, right, at, origins)
        origins |= dict.fromkeys(_renames(join, right, origins).values(), theirs)
    frame.with_row_index(ROW).sink_parquet(target, compression="lz4")
    return _counted(source, raw, pl.scan_parquet(target), origins)


def _counted(source: Source, raw: Raw, found: pl.LazyFrame, origins: Mapping[str, Source]) -> Joined:
    reasons = {at: join.reason or f"no match in `{join.source}`" for at, join in enumerate(source.joins, 1)}
    own = found.group_by(OWN).agg(pl.min(_UNMATCHED))
    met = {join.source: found.select(pl.col(_met(join)).drop_nulls().unique()) for join in source.joins}
    rows, joined_rows, own_rows, *others = pl.collect_all(
        [found.select(pl.len()), _by_reason(found), _by_reason(own), *met.values()]
    )
    frame = found.filter(pl.col(_UNMATCHED) == 0).drop(_UNMATCHED)
    result = replace(raw, frame=frame, rows=rows.item(), rejected=raw.rejected.clear(), origins=origins)
    return Joined(
        replace(result, notes=(), heads=()),
        _named(joined_rows, reasons),
        _named(own_rows, reasons),
        {name: frame.to_series() for name, frame in zip(met, others, strict=True)},
    )


def _named(counts: pl.DataFrame, reasons: Mapping[int, str]) -> Counter[str]:
    named: Counter[str] = Counter()
    for at, rows in counts.iter_rows():
        named[reasons[at]] += rows
    return named


def _by_reason(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.filter(pl.col(_UNMATCHED) > 0).group_by(_UNMATCHED).len().sort(_UNMATCHED)


def _met(join: Join) -> str:
    return f"{MET}{join.source})"


def _beside(
    source: Source, left: pl.LazyFrame, join: Join, right: Raw, at: int, origins: Mapping[str, Source]
) -> pl.LazyFrame:
    _refuse_missing(source, join, list(origins), right)
    renames = _renames(join, right, origins)
    ours, theirs = list(join.keys), list(join.keys.values())
    _refuse_multiples(source, join, right, renames)
    names = [f"{_KEY}{n}" for n in range(len(ours))]
    schema = left.collect_schema()
    left = left.with_columns(
        _key(name, schema[name]).alias(key) for name, key in zip(ours, names, strict=True)
    )
    beside = right.frame.select(
        *(_key(name, right.columns[name]).alias(key) for name, key in zip(theirs, names, strict=True)),
        *(pl.col(name).alias(new) for name, new in renames.items()),
        pl.col(ROW).alias(_met(join)),
    )
    found = left.join(beside, on=names, how="left", maintain_order="left")
    missing = pl.lit(join.how == "inner") & pl.col(_met(join)).is_null() & (pl.col(_UNMATCHED) == 0)
    code = pl.when(missing).then(pl.lit(at, pl.UInt8)).otherwise(pl.col(_UNMATCHED))
    return found.with_columns(code.alias(_UNMATCHED)).drop(names)


def _renames(join: Join, right: Raw, origins: Mapping[str, Source]) -> dict[str, str]:
    """Columns of the other source and their names beside ours; a key of the same name is left out."""
    same = {theirs for ours, theirs in join.keys.items() if ours == theirs}
    names = (name for name in right.columns if name not in same)
    return {name: f"{join.source}.{name}" if name in origins else name for name in names}


def _key(name: str, dtype: pl.DataType) -> pl.Expr:
    """A key as an id, so that `17850.0` meets `17850` and a blank meets nothing."""
    return values.ids(inline, pl.col(name), dtype, name).expr


def _refuse_missing(source: Source, join: Join, ours: Sequence[str], right: Raw) -> None:
    where = f"source `{source.name}`, join with `{join.source}`"
    for name, theirs in join.keys.items():
        if name not in ours:
            raise SourceError(where, f"there is no column `{name}`", suggestion(name, ours))
        if theirs not in right.columns:
            fault = f"`{join.source}` has no column `{theirs}`"
            raise SourceError(where, fault, suggestion(theirs, right.columns))


def _refuse_multiples(source: Source, join: Join, right: Raw, renames: Mapping[str, str]) -> None:
    """A row that meets several others counts several times: only where its key tells the copies apart."""
    if join.many or _finer(source, renames.values()):
        return
    theirs = list(join.keys.values())
    keyed = right.frame.select(_key(name, right.columns[name]).alias(name) for name in theirs).drop_nulls()
    several = keyed.group_by(theirs).len().filter(pl.col("len") > 1).sort(theirs).head(1).collect()
    if several.height:
        example = " and ".join(f"`{value}`" for value in several.row(0)[:-1])
        fault = f"`{join.source}` has {several['len'][0]} rows for {example}, so that rows would count twice"
        where = f"source `{source.name}`, join with `{join.source}`"
        raise SourceError(
            where, fault, "Remove them there, or write `many: true` if each is a row of its own"
        )


def _finer(source: Source, beside: Iterable[str]) -> bool:
    """Whether a key of the table comes from the other source, so that its rows are told apart."""
    made = [source.columns.get(key) for key in keys(source.table)] if source.table else []
    texts = {one.source if isinstance(one, ColumnMap) else one for one in made}
    return any(name in texts for name in beside)
