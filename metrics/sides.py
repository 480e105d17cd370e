"""Groups of customers side by side, which may overlap: figures of all of them in one pass.

The customers are cut into parts that are alike in every group. What adds up is summed once over the parts and
then put together for each group.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

SIDE: Final = "{side}"
"""The attribute by which the customers of one group are selected; no column can be called so."""

PART: Final = "part"
_BITS: Final = 60


@dataclass(frozen=True, eq=False)
class Sides:
    """Groups of customers: `members` says by customer number who is in each.

    `part_of` is the part of each customer by number, `pairs` has a row for each part and group (`part`,
    `by`); customers of a part without a row are in no group. `answers` are those about single groups.
    """

    members: Mapping[str, pl.Series]
    part_of: pl.Series
    pairs: pl.DataFrame
    answers: dict[object, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, members: Mapping[str, pl.Series], within: pl.Series | None, answers: Mapping[object, Any]
    ) -> "Sides":
        """The groups, of the customers in `within` alone where it is given.

        `answers` are the ones known already about everybody.
        """
        inside = {name: each if within is None else each & within for name, each in members.items()}
        coded = _coded(list(inside.values()))
        parts = coded.unique(maintain_order=True).with_row_index(PART)
        part_of = coded.join(parts, on=coded.columns, how="left", maintain_order="left")[PART]
        kind = pl.Enum(list(inside))
        pairs = [
            parts.filter((pl.col(str(at // _BITS)) & 2 ** (at % _BITS)) > 0).select(
                PART, pl.lit(name, kind).alias("by")
            )
            for at, name in enumerate(inside)
        ]
        empty = pl.DataFrame(schema={PART: pl.UInt32, "by": kind})
        return cls(inside, part_of, pl.concat([empty, *pairs]), dict(answers))

    def split(self, rows: pl.DataFrame, part: pl.Series) -> pl.DataFrame:
        """Every row once for each group that its part is in, with `by`; rows of no part are left out."""
        return rows.with_columns(part.alias(PART)).join(self.pairs, on=PART).drop(PART)


def _coded(members: Sequence[pl.Series]) -> pl.DataFrame:
    """One row a customer: in which of the groups, as bits of as few numbers as will do."""
    chunks = [members[at : at + _BITS] for at in range(0, len(members), _BITS)]
    return pl.DataFrame({str(at): _bits(chunk) for at, chunk in enumerate(chunks)})


def _bits(members: Sequence[pl.Series]) -> pl.Series:
    code = members[0].cast(pl.Int64)
    for place, belongs in enumerate(members[1:], 1):
        code = code + belongs.cast(pl.Int64) * 2**place
    return code
