"""Definitions of cross-buying and affinity; their figures are computed in `metrics.crossbuying_figures`."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from pydantic import Field, model_validator

from config.errors import Fault
from metrics.definitions import Computed, Unit

CrossFigure = Literal[
    "categories",
    "multi_category_share",
    "categories_in_orders",
    "cross_buy_rate",
    "losing_share",
    "loss_share",
]
AffinityFigure = Literal["lift", "leverage", "support", "confidence"]

_FORMULAS: Final[Mapping[CrossFigure, str]] = {
    "categories": "categories held / customers who hold one",
    "multi_category_share": "customers who hold two categories or more / customers who hold one",
    "categories_in_orders": "mean over customers with {k} orders of sum over c of 1 - C(n - n_c, {k}) / "
    "C(n, {k})",
    "cross_buy_rate": "customers with a new category in the period / customers of the year before who lack "
    "one",
    "losing_share": "cross-buyers with a contribution below zero / cross-buyers",
    "loss_share": "loss of cross-buyers / loss of all customers with a contribution below zero",
}
_AFFINITY: Final[Mapping[AffinityFigure, str]] = {
    "lift": "share with both / (share with {x} * share with {y}), by {per}",
    "leverage": "share with both - share with {x} * share with {y}, by {per}",
    "support": "{per}s with {x} and {y} / {per}s",
    "confidence": "{per}s with {x} and {y} / {per}s with {x}",
}
_BASKETS: Final = ("customer", "order", "ordered_on", "category", "purchases")
_MONEY: Final = ("gross_amount", "returned_amount", "discount", "margin")


class CrossBuying(Computed):
    """How many categories customers hold by the end of the period, net of what was returned in full."""

    kind: Literal["cross_buying"]
    value: CrossFigure = Field(
        description="Categories held a customer, the share with two or more, the number to expect in "
        "`orders` orders, the share who add a category in the period, the share of cross-buyers who cost "
        "more than they bring, or their part of all that such customers lose."
    )
    orders: int | None = Field(
        None, ge=1, le=50, description="At how many orders customers are compared (`categories_in_orders`)."
    )

    @model_validator(mode="after")
    def _fits(self) -> "CrossBuying":
        if (self.orders is None) == (self.value == "categories_in_orders"):
            fault = "`orders` says at how many orders `categories_in_orders` compares customers"
            remedy = "Add it, such as `orders: 3`" if self.orders is None else "Remove it"
            raise Fault(fault, remedy, at=("value",) if self.orders is None else ("orders",))
        return self

    @property
    def formula(self) -> str:
        """The quotient in one line."""
        return _FORMULAS[self.value].replace("{k}", str(self.orders))

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """Baskets; for losses also orders and what contacts cost."""
        if self.value not in ("losing_share", "loss_share"):
            return {"baskets": (*_BASKETS, "quantity", "net_amount")}
        return {"baskets": _BASKETS, "orders": _MONEY, "interactions": ("customer", "cost")}

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units that fit the value."""
        return ("ratio",) if self.value.startswith("categories") else ("rate",)


class Affinity(Computed):
    """How far two categories go together in the orders or among the customers of the period."""

    kind: Literal["affinity"]
    first: str = Field(min_length=1, description="A category.")
    second: str = Field(min_length=1, description="Another category.")
    per: Literal["order", "customer"] = Field(
        "order", description="What holds both: one order, one customer."
    )
    value: AffinityFigure = Field(
        "lift",
        description="Over chance, above chance, the share with both, or the share of `first` with both.",
    )

    @model_validator(mode="after")
    def _differ(self) -> "Affinity":
        if self.first == self.second:
            fault = f"`{self.first}` is compared with itself"
            raise Fault(fault, "Name another category", at=("second",))
        return self

    @property
    def formula(self) -> str:
        """The measure in one line."""
        return _AFFINITY[self.value].format(x=self.first, y=self.second, per=self.per)

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """Baskets."""
        return {"baskets": _BASKETS}

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units that fit the measure."""
        return ("ratio",) if self.value == "lift" else ("rate",)


Crossed: TypeAlias = CrossBuying | Affinity
"""Every kind of the family."""
