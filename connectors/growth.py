"""A table with some changes, written as one more layer upon those of the version before.

The layer holds every row of the groups that changed, a group being the rows with one value of the first sort
key: all lines of a customer. What a refresh costs then follows from what has changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Final

import polars as pl

from connectors.content import Content, content_of, digest
from connectors.layers import MOST_LAYERS, Place, scanned
from connectors.manifest import Entry, Layer, Part
from connectors.parts import MANY_ROWS, PartWriter, in_order

MOST_CHANGED: Final = 0.3
"""Share of a table's rows that a layer may hold; for more, all is written anew."""

_KEY: Final = "(key)"


@dataclass(frozen=True)
class Grown:
    """A table with its changes, the groups in which something changed, and the rows that went."""

    entry: Entry
    groups: pl.Series
    went: pl.DataFrame


def grown(
    name: str,
    before: Entry,
    went: pl.DataFrame,
    came: pl.DataFrame,
    *,
    order: Sequence[str],
    keys: Sequence[str],
    place: Place,
    parts: PartWriter,
) -> Grown | None:
    """The table `before` without the rows that went, with those that came, sorted by `order`.

    None where that cannot be written as a layer: a key stands twice, a row that went is not there, too much
    has changed or too many layers lie upon each other.
    """
    group = order[0]
    changed = pl.concat([went[group], came[group]]).unique()
    if not changed.len():
        return Grown(before, changed, went)
    rows = scanned(before, place, ordered=False)
    if len(before.layers) >= MOST_LAYERS or rows.collect_schema()[group] != pl.String:
        return None
    beside = _beside(rows, changed, went, came, group, keys)
    if beside is None:
        return None
    layer = _set_into(beside, came.select(beside.columns), order)
    if layer.height > MOST_CHANGED * before.rows:
        return None
    content = _content(before, went, came)
    hashed = digest(content, layer.columns)
    part = parts.file(name, layer, hashed)
    entry = Entry(
        rows=content.rows,
        hash=hashed,
        parts=before.parts,
        mask=_masked(name, before.layers[0], changed, hashed, place, parts),
        later=(
            *(_under(name, one, changed, hashed, place, parts) for one in before.later),
            Layer(parts=(part,)),
        ),
        order=(group,),
        content=content.hex,
    )
    return Grown(entry, changed, went)


def _beside(
    rows: pl.LazyFrame,
    changed: pl.Series,
    went: pl.DataFrame,
    came: pl.DataFrame,
    group: str,
    keys: Sequence[str],
) -> pl.DataFrame | None:
    """The other rows of the changed groups; None where a key would stand twice or a row is not there."""
    mine = pl.col(group).is_in(changed.implode(), nulls_equal=True)
    alike = pl.col(keys[0]).is_in(came[keys[0]].unique().implode())
    found = rows.filter(mine | alike).collect()
    others = found.join(went, on=keys, how="anti", maintain_order="left") if went.height else found
    twice = (
        came.select(keys).is_duplicated().any() or others.filter(alike).join(came, on=keys, how="semi").height
    )
    if twice or found.height - others.height != went.height:
        return None
    return others.filter(mine)


def _set_into(beside: pl.DataFrame, came: pl.DataFrame, order: Sequence[str]) -> pl.DataFrame:
    """Both together in order; many rows by the first key alone, as `in_order` has them."""
    key = pl.col(order[0]).fill_null("")
    if beside.height < MANY_ROWS or not beside.select(key).to_series().is_sorted():
        return in_order(pl.concat([beside, came]), order)
    both = [rows.lazy().with_columns(key.alias(_KEY)) for rows in (beside, in_order(came, order))]
    return both[0].merge_sorted(both[1], _KEY, maintain_order=True).drop(_KEY).collect()


def _content(before: Entry, went: pl.DataFrame, came: pl.DataFrame) -> Content:
    if before.content:
        whole = Content.parse(before.content, before.rows)
    else:
        whole = reduce(add, (Content.parse(part.hash, part.rows) for part in before.parts), Content())
    return whole - content_of(went) + content_of(came)


def _under(
    name: str, layer: Layer, changed: pl.Series, hashed: str, place: Place, parts: PartWriter
) -> Layer:
    return Layer(parts=layer.parts, mask=_masked(name, layer, changed, hashed, place, parts))


def _masked(
    name: str, layer: Layer, changed: pl.Series, hashed: str, place: Place, parts: PartWriter
) -> Part:
    """The groups of a layer that do not count, with those that changed now."""
    before = [pl.read_parquet(place(layer.mask)).to_series()] if layer.mask else []
    return parts.file(f"{name}-mask", pl.concat([*before, changed]).unique().sort().to_frame(), hashed)
