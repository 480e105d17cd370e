"""What an edit does: every figure that it changes, old value against new.

Two catalogues are compared metric by metric. One is affected when its own formula changed, or that of a
metric which it reads; of these, the ones whose figures stay the same everywhere are not told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from metrics.catalog import Catalog, Plan
from metrics.definitions import Style
from metrics.figures import compute
from metrics.frames import Marts
from metrics.measures import Compute
from metrics.periods import Grain, Window

MONTHS: Final = 13
_WORDS: Final = frozenset(
    {"label", "description", "owner", "source", "tags", "tests", "direction", "examples", "version"}
    | {"changed_on", "approved_by", "target", "thresholds", "format"}
)
"""What a definition says in words: a change there changes no figure."""

_PAIR: Final = ("before", "after")
Signature = tuple[object, ...]


@dataclass(frozen=True)
class Changed:
    """One metric whose figures an edit changes.

    `before` and `after` are its figure over all of history, None where it has none. `months` has the columns
    period, before, after; `segments` the columns by, before, after for each attribute, largest change first.
    """

    name: str
    label: str
    unit: Style
    before: float | None
    after: float | None
    n_before: int | None
    n_after: int | None
    months: pl.DataFrame
    segments: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    is_edited: bool = True
    """False for a metric that reads the edited one."""

    @property
    def is_new(self) -> bool:
        """Whether the metric had no definition before."""
        return self.before is None and self.months["before"].null_count() == len(self.months)


def effect(
    before: Catalog, after: Catalog, marts: Marts, attributes: Sequence[str] = (), months: int = MONTHS
) -> list[Changed]:
    """The metrics whose figures differ between two catalogues, the edited ones first.

    Figures are compared over all of history, in the last months up to the as-of day, and by the values of
    some customer attributes.
    """
    edited = affected(before, after)
    found = _views(before, after, list(edited), marts, attributes, months)
    changes = [_changed(name, after, before, found, directly=direct) for name, direct in edited.items()]
    moved = [each for each in changes if _differs(each)]
    return sorted(moved, key=lambda each: (not each.is_edited, each.name))


def affected(before: Catalog, after: Catalog) -> dict[str, bool]:
    """The metrics that compute differently, in the order of the catalogue; True where it is their own doing.

    Metrics that only one of the catalogues has are among them.
    """
    names = dict.fromkeys((*before.plans, *after.plans))
    return {
        name: _own(before, name) != _own(after, name)
        for name in names
        if _signature(before, name) != _signature(after, name)
    }


def _own(catalog: Catalog, name: str) -> Signature:
    """What a metric's own definition says of its figure."""
    plan = catalog.plans.get(name)
    if plan is None:
        return ()
    said = plan.definition.model_dump(mode="json", exclude=set(_WORDS))
    return tuple((key, repr(value)) for key, value in said.items())


def _signature(catalog: Catalog, name: str) -> Signature:
    """The same with that of all metrics that it reads."""
    plan = catalog.plans.get(name)
    if plan is None:
        return ()
    return (_own(catalog, name), *(_part(catalog, part) for part in plan.parts))


def _part(catalog: Catalog, part: Compute | str) -> Signature:
    return _signature(catalog, part) if isinstance(part, str) else part.key


@dataclass(frozen=True)
class _Views:
    """Figures of both catalogues: metric, key, before, after; key is 0, a month, or a segment."""

    whole: pl.DataFrame
    months: pl.DataFrame
    segments: Mapping[str, pl.DataFrame]


def _views(
    before: Catalog, after: Catalog, names: list[str], marts: Marts, attributes: Sequence[str], months: int
) -> _Views:
    last = marts.calendar.code(marts.as_of, Grain.MONTH)
    recent = Window(Grain.MONTH, last, months)
    return _Views(
        _both(before, after, names, marts, Window()),
        _both(before, after, names, marts, recent),
        {by: _both(before, after, names, marts, Window(), by) for by in attributes},
    )


def _both(
    before: Catalog, after: Catalog, names: list[str], marts: Marts, window: Window, by: str | None = None
) -> pl.DataFrame:
    """Values and n of both catalogues side by side, null where a catalogue has no such metric."""
    keys = ["metric", *(["by"] if by else []), "period"]
    sides = [
        compute(catalog, [name for name in names if name in catalog.plans], marts, window, by=by)
        for catalog in (before, after)
    ]
    old, new = (
        side.select(
            *(
                pl.col(key).cast(pl.String) if key == "by" else pl.col(key)
                for key in keys
                if key in side.columns
            ),
            pl.col("value").alias(name),
            pl.col("n").alias(f"n_{name}"),
        )
        for side, name in zip(sides, _PAIR, strict=True)
    )
    if old.is_empty() or new.is_empty():
        return pl.concat([old, new], how="diagonal")
    return old.join(new, on=keys, how="full", coalesce=True, nulls_equal=True, maintain_order="left_right")


def _changed(name: str, after: Catalog, before: Catalog, found: _Views, *, directly: bool) -> Changed:
    definition = _plan(name, after, before).definition
    whole = next(_rows(found.whole, name).iter_rows(named=True), {})
    return Changed(
        name,
        definition.label,
        definition.style,
        whole.get("before"),
        whole.get("after"),
        whole.get("n_before"),
        whole.get("n_after"),
        _rows(found.months, name).select("period", *_PAIR),
        {by: _segments(_rows(rows, name)) for by, rows in found.segments.items()},
        directly,
    )


def _plan(name: str, *catalogs: Catalog) -> Plan:
    return next(catalog.plans[name] for catalog in catalogs if name in catalog.plans)


def _rows(both: pl.DataFrame, name: str) -> pl.DataFrame:
    absent = [pl.lit(None, pl.Float64).alias(side) for side in _PAIR if side not in both.columns]
    return both.filter(pl.col("metric") == name).with_columns(absent)


def _segments(rows: pl.DataFrame) -> pl.DataFrame:
    """The segments whose figure changed, the largest change first."""
    size = (pl.col("after") - pl.col("before")).abs().fill_null(float("inf"))
    changed = rows.filter(pl.col("before").ne_missing(pl.col("after")))
    return changed.sort(size, descending=True, maintain_order=True).select("by", *_PAIR)


def _differs(change: Changed) -> bool:
    if change.before != change.after or any(len(rows) for rows in change.segments.values()):
        return True
    return not change.months["before"].equals(change.months["after"])
