"""Layers: what changed lies beside what did not, and reading sets the two into one another.

A table is layered by the first of its sort keys, its group: a later layer holds all rows of every group in
which a row came, went or changed, and the mask of each layer before it lists these groups. Marts are layered
by customer. Their customers are numbered in the order of their ids, so that a new one moves the others up:
the mask of a layer has a row a customer, numbered as when the layer was written, with the number of today, or
null where a later layer has the customer. Its last row stands for the unknown ones.

As no group has rows in two layers, the layers are merged by the group and what is sorted before it, and give
the very rows, in the very order, that writing everything anew would give.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from connectors.manifest import Entry, Layer, Part

if TYPE_CHECKING:
    from connectors.parts import PartWriter

MOST_LAYERS: Final = 8
"""Layers after which everything is written anew."""

NUMBER: Final = "(number)"
"""Column of a mask that numbers customers."""

CUSTOMER: Final = "customer"
UNKNOWN: Final = 2**32 - 1
"""The number of unknown customers in masks, and while layers are merged: the last one."""

_KEY: Final = "(key)"
_LAST: Final = 2**62
Place = Callable[[Part], Path]


def scanned(entry: Entry, place: Place, *, ordered: bool = True) -> pl.LazyFrame:
    """The rows of an entry in their order, or faster in any."""
    layers = [_counting(layer, place) for layer in entry.layers]
    if len(layers) == 1:
        return layers[0]
    schema = layers[-1].collect_schema()
    alike = [layer.select(pl.col(name).cast(dtype) for name, dtype in schema.items()) for layer in layers]
    if not ordered:
        return _told_unknown(pl.concat(alike), entry.order)
    keys = [_key(name, schema[name]).alias(f"{_KEY}{at}") for at, name in enumerate(entry.order)]
    names = [key.meta.output_name() for key in keys]
    keyed = [layer.with_columns(keys) for layer in reversed(alike)]
    merged = reduce(lambda later, earlier: earlier.merge_sorted(later, names), keyed)
    return _told_unknown(merged.drop(names), entry.order)


def _counting(layer: Layer, place: Place) -> pl.LazyFrame:
    """The rows of a layer that still count; unknown customers of masked marts under their number."""
    rows = pl.scan_parquet([place(part) for part in layer.parts], glob=False)
    if layer.mask is None:
        return rows
    mask = pl.read_parquet(place(layer.mask)).to_series()
    if mask.name != NUMBER:
        return rows.filter(~pl.col(mask.name).is_in(mask.implode(), nulls_equal=True))
    renumbered = pl.col(CUSTOMER).map_batches(
        partial(_renumbered, mask), return_dtype=pl.UInt32, is_elementwise=True
    )
    return rows.with_columns(renumbered).filter(pl.col(CUSTOMER).is_not_null())


def _renumbered(mask: pl.Series, customers: pl.Series) -> pl.Series:
    return mask.gather(customers.fill_null(len(mask) - 1)).alias(customers.name)


def _key(name: str, dtype: pl.DataType) -> pl.Expr:
    """What rows are merged by: texts, null first as in tables; numbers, null last as in marts."""
    column = pl.col(name)
    return (
        column.fill_null("") if dtype == pl.String else column.to_physical().cast(pl.Int64).fill_null(_LAST)
    )


def _told_unknown(rows: pl.LazyFrame, order: Sequence[str]) -> pl.LazyFrame:
    if CUSTOMER not in order:
        return rows
    return rows.with_columns(pl.when(pl.col(CUSTOMER) != UNKNOWN).then(CUSTOMER))


@dataclass
class MovedOn:
    """Masks of layers of marts in a new version; layers that were written together share one.

    `numbers` has the new number of each customer of the version before; see `connectors.refresh.Renewed`.
    """

    numbers: pl.Series
    place: Place
    parts: "PartWriter"
    made: dict[str, Part] = field(default_factory=dict)

    def upon(self, before: Entry, rows: Entry, order: tuple[str, ...]) -> Entry:
        """A mart with the rows of some customers upon those of the others, which `before` has."""
        first, *later = (self._moved(layer) for layer in before.layers)
        layers = (*later, Layer(parts=rows.parts))
        stored = sum(part.rows for layer in (first, *layers) for part in layer.parts)
        return Entry(
            rows=stored, hash=rows.hash, parts=first.parts, mask=first.mask, later=layers, order=order
        )

    def _moved(self, layer: Layer) -> Layer:
        known = layer.mask.path if layer.mask else ""
        if known not in self.made:
            before = pl.read_parquet(self.place(layer.mask)).to_series() if layer.mask else None
            mask = moved_on(before, self.numbers)
            self.made[known] = self.parts.file("mask", mask.to_frame(), hashed="")
        return Layer(parts=layer.parts, mask=self.made[known])


def moved_on(mask: pl.Series | None, numbers: pl.Series) -> pl.Series:
    """The mask of a layer of marts in a new version, from the one that it has."""
    if mask is None:
        return numbers.alias(NUMBER)
    unknown = mask[-1] is not None and numbers[-1] is not None
    last = pl.Series([UNKNOWN if unknown else None], dtype=pl.UInt32)
    return pl.concat([numbers.gather(mask[:-1]), last]).alias(NUMBER)
