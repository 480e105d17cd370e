"""Definitions of the next category; their figures are computed in `metrics.next_category_figures`."""

from collections.abc import Mapping
from typing import Final, Literal

from pydantic import Field, model_validator

from config.errors import Fault
from metrics.definitions import Computed, Unit

NextFigure = Literal["hit_rate", "mrr", "first_purchases"]

_FORMULAS: Final[Mapping[NextFigure, str]] = {
    "hit_rate": "customers who bought first in one of their {k} likeliest open categories / in any",
    "mrr": "mean of 1 / rank of the best-ranked category bought first, over those who bought first in any",
    "first_purchases": "sum over customers and open categories of the chance of a first purchase in {days} "
    "days",
}
_READS: Final[Mapping[str, tuple[str, ...]]] = {
    "baskets": ("customer", "order", "ordered_on", "category", "purchases", "gross_amount", "net_amount"),
    "interactions": ("customer", "occurred_on"),
}
_UNITS: Final[Mapping[NextFigure, tuple[Unit, ...]]] = {
    "hit_rate": ("rate",),
    "mrr": ("ratio",),
    "first_purchases": ("count",),
}


class NextCategory(Computed):
    """What customers will buy first, and how well that was foreseen by the end of the period.

    Foreseen by a model that was fitted before the last `days` days of the period and is asked about them;
    `first_purchases` looks `days` ahead from its end.
    """

    kind: Literal["next_category"]
    value: NextFigure = Field(
        description="Share of hits, mean reciprocal rank, or first purchases to expect."
    )
    days: int = Field(90, ge=7, le=365, description="Within how many days.")
    k: int | None = Field(None, ge=1, le=20, description="How many categories are named (`hit_rate`).")

    @model_validator(mode="after")
    def _fits(self) -> "NextCategory":
        if (self.k is None) == (self.value == "hit_rate"):
            fault = "`k` says how many categories are named for `hit_rate`"
            remedy = "Add it, such as `k: 3`" if self.k is None else "Remove it"
            raise Fault(fault, remedy, at=("value",) if self.k is None else ("k",))
        return self

    @property
    def formula(self) -> str:
        """The figure in one line."""
        return _FORMULAS[self.value].format(k=self.k, days=self.days)

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """Baskets, and when customers were in contact."""
        return _READS

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units that fit the value."""
        return _UNITS[self.value]
