"""Customer facts: what is known of each customer on the as-of day, one row a customer, for rules and pages.

A family of facts is a `Family`: it says which columns it can give for some marts, and computes those that are
asked for. A new family (a model, a score) is a `Family` in a file of its own and one line in
`metrics.fact_families.FAMILIES`; rules, the builder, segments, lists and the customer page then know it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from metrics.definitions import Unit
from metrics.frames import Marts

CUSTOMER: Final = "customer"


@dataclass(frozen=True)
class Fact:
    """A column of customer facts: its type, its name in words, how its numbers are written, what it says.

    `unit` is None for texts, days and flags. `about` is a sentence for people who choose it. `because` are
    the facts that it follows from: their values say why a customer has this one.
    """

    dtype: pl.DataType
    label: str
    unit: Unit | None = None
    about: str = ""
    because: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """Facts that are computed together.

    `offers` says which facts there are for some marts, without computing them; none where a source is
    lacking. `made` gives `customer` and at least the facts asked for, a row a customer in any order; whoever
    is left out has no value. `zero` are the facts that are 0 then.
    """

    name: str
    label: str
    offers: Callable[[Marts], Mapping[str, Fact]]
    made: Callable[[Marts, frozenset[str]], pl.DataFrame]
    zero: frozenset[str] = frozenset()
    slow: bool = False
    """Whether it compares all customers with each other, so that no page asks for it in passing."""


@dataclass(frozen=True)
class CustomerFacts:
    """The facts of the customers of some marts, computed when first asked for and then kept.

    `offered` has every fact by name in the order of the families, `family_of` the family of each.
    """

    marts: Marts
    families: Sequence[Family]
    offered: Mapping[str, Fact]
    family_of: Mapping[str, Family]
    known: dict[str, pl.Series] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, marts: Marts, families: Sequence[Family]) -> "CustomerFacts":
        """The facts that some families offer; of two with one name the first counts."""
        offered: dict[str, Fact] = {}
        family_of: dict[str, Family] = {}
        for family in families:
            for name, fact in family.offers(marts).items():
                if name not in offered:
                    offered[name], family_of[name] = fact, family
        return cls(marts, tuple(families), offered, family_of)

    @property
    def size(self) -> int:
        """How many customers there are."""
        return len(self.marts.frame("customer_summary"))

    @property
    def dtypes(self) -> dict[str, pl.DataType]:
        """The types of all facts, as conditions see them: categories are text."""
        return {
            name: pl.String() if isinstance(fact.dtype, pl.Enum) else fact.dtype
            for name, fact in self.offered.items()
        }

    @property
    def at_hand(self) -> list[str]:
        """The facts that a page may show in passing: all but those of slow families not computed yet."""
        return [name for name in self.offered if name in self.known or not self.family_of[name].slow]

    def frame(self, names: Collection[str]) -> pl.DataFrame:
        """Some facts, one row a customer by number. Raises KeyError for one that is not offered."""
        missing = [name for name in names if name not in self.known]
        wanted: dict[str, set[str]] = {}
        for name in missing:
            wanted.setdefault(self.family_of[name].name, set()).add(name)
        for family in self.families:
            if family.name in wanted:
                self._compute(family, frozenset(wanted[family.name]))
        columns = [self.known[name] for name in names]
        return pl.DataFrame(columns) if columns else self.marts.frame("customer_summary").select()

    def _compute(self, family: Family, names: frozenset[str]) -> None:
        made = family.made(self.marts, names)
        for column in aligned(made, self.size, names, family.zero):
            self.known[column.name] = column


def aligned(
    rows: pl.DataFrame, size: int, names: Collection[str], zero: Collection[str] = ()
) -> list[pl.Series]:
    """Columns of a frame with `customer` as series by customer number; null, or 0, for who is not in it."""
    kept = rows.filter(pl.col(CUSTOMER).is_not_null())
    numbers = pl.int_range(size, dtype=pl.UInt32, eager=True)
    if len(kept) == size and kept[CUSTOMER].cast(pl.UInt32).equals(numbers):
        whole = kept
    else:
        every = pl.DataFrame({CUSTOMER: numbers})
        theirs = kept.select(pl.col(CUSTOMER).cast(pl.UInt32), *names)
        whole = every.join(theirs, on=CUSTOMER, how="left", maintain_order="left")
    filled = whole.with_columns(pl.col(name).fill_null(0) for name in names if name in zero)
    return [filled[name] for name in names]
