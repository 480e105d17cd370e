"""Definitions of what customers are worth: predicted value, P(alive), customer equity, concentration.

Their figures are computed in `metrics.worth_figures`.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, model_validator

from config.errors import Fault
from metrics.definitions import Computed, Unit

ModelName = Annotated[
    Literal["best", "bg_nbd", "mbg_nbd", "pareto_nbd"],
    Field(description="The purchase model; `best` takes the lowest AIC of those that converge."),
]
_HISTORY: Final = ("customer", "ordered_on", "orders", "order_days", "net_amount")
_DISCOUNT: Final = Field(0.10, ge=0, lt=1, description="Yearly discount rate, such as 0.1.")


class LifetimeValue(Computed):
    """What customers will bring after the end of the period, by a purchase model and Gamma-Gamma.

    Of all who had ordered by then: expected orders times expected spend times the margin rate so far (1 where
    no source gives a cost), discounted by month; `residual` without an end. Models are fitted to the selected
    customers on what was known at the end of the period.
    """

    kind: Literal["lifetime_value"]
    value: Literal["mean", "total", "residual_mean", "residual_total"] = Field(
        "mean", description="Per customer or in total, over the months or without an end."
    )
    months: int = Field(12, ge=1, le=120, description="Calendar months that the value looks ahead.")
    discount: float = _DISCOUNT
    convention: Literal["end", "begin"] = Field(
        "end", description="Whether a month's orders are discounted from its end or its beginning."
    )
    model: ModelName = "best"

    @property
    def formula(self) -> str:
        """How the figure is computed, in one line."""
        kind, _, per = self.value.rpartition("_")
        ahead = "discounted residual orders" if kind else f"discounted orders of {self.months} months"
        return f"{'sum' if per == 'total' else 'mean'} of margin x expected spend x {ahead}"

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """The columns that it reads."""
        return {"orders": (*_HISTORY, "margin")}

    @property
    def units(self) -> tuple[Unit, ...]:
        """A value is money."""
        return ("money",)


class PAlive(Computed):
    """How many of those who ever ordered are still customers at the end of the period, by a purchase model.

    BG/NBD holds every one-time buyer for alive: prefer Pareto/NBD or MBG/NBD.
    """

    kind: Literal["p_alive"]
    value: Literal["mean", "customers"] = Field(
        "mean", description="Mean of P(alive), or its sum: how many customers are expected to be there."
    )
    model: ModelName = "best"

    @property
    def formula(self) -> str:
        """How the figure is computed, in one line."""
        return f"{'mean' if self.value == 'mean' else 'sum'} of P(alive) over customers who ever ordered"

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """The columns that it reads."""
        return {"orders": _HISTORY}

    @property
    def units(self) -> tuple[Unit, ...]:
        """A mean is a rate, a sum counts customers."""
        return ("rate",) if self.value == "mean" else ("count",)


class CustomerEquity(Computed):
    """What the customers of the twelve months up to the end of the period are worth.

    Existing: customers times yearly margin times r / (1 + i - r); new: those won in the year, once more,
    times margin (1 + i) / (1 + i - r) less their cost. See `metrics.equity_drivers`.
    """

    kind: Literal["customer_equity"]
    value: Literal["total", "existing", "new", "per_customer", "retention"] = Field(
        "total", description="Both, the existing customers alone (in all or per head), the new, or r."
    )
    discount: float = _DISCOUNT
    convention: Literal["end", "begin", "certain_end"] = Field(
        "end",
        description="When the first margin comes: after a year if kept, now, or after a year for certain.",
    )

    @property
    def formula(self) -> str:
        """How the figure is computed, in one line."""
        existing = "customers x margin x r / (1 + i - r)"
        new = "new customers x (margin x (1 + i) / (1 + i - r) - cost) / (1 + i)"
        return {
            "total": f"{existing} + {new}",
            "existing": existing,
            "new": new,
            "per_customer": "margin x r / (1 + i - r)",
            "retention": "customers of the year before who ordered again / customers of the year before",
        }[self.value]

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """The columns that it reads."""
        own = ("customer", "ordered_on", "orders", "first_orders", "net_amount", "margin")
        return {"orders": own, "spend": ("spent_on", "purpose", "amount")}

    @property
    def units(self) -> tuple[Unit, ...]:
        """Equity is money, retention a rate."""
        return ("rate",) if self.value == "retention" else ("money",)


class Concentration(Computed):
    """How unevenly the customers who ordered in the period brought its revenue or margin.

    Gini and HHI are of customers whose amount is not negative; the others are counted as excluded.
    """

    kind: Literal["concentration"]
    of: Literal["revenue", "margin"] = Field("revenue", description="The amount that is shared out.")
    value: Literal["top_share", "gini", "hhi", "customers_for_share"] = Field(
        "top_share", description="Share of the best customers, Gini, HHI, or how many bring a share."
    )
    share: float = Field(
        0.2,
        gt=0,
        le=1,
        description="The best customers, as a share of all; for the last value, of the amount.",
    )

    @model_validator(mode="after")
    def _has_a_share(self) -> "Concentration":
        if self.value in ("gini", "hhi") and "share" in self.model_fields_set:
            fault = f"`share` says nothing about {self.value}"
            raise Fault(fault, "Remove it, or ask for `top_share`", at=("share",))
        return self

    @property
    def formula(self) -> str:
        """How the figure is computed, in one line."""
        return {
            "top_share": f"{self.of} of the best {self.share:.0%} of customers / {self.of}",
            "gini": f"2 sum(rank x {self.of}) / (n sum({self.of})) - (n + 1) / n, ranks from the smallest",
            "hhi": f"sum of squared shares of {self.of}",
            "customers_for_share": f"the fewest customers who bring {self.share:.0%} of {self.of}",
        }[self.value]

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """The columns that it reads."""
        return {"customer_periods": ("customer", "period", "orders", AMOUNTS[self.of])}

    @property
    def units(self) -> tuple[Unit, ...]:
        """A share is a rate, Gini and HHI are scores, customers are counted."""
        return {"top_share": ("rate",), "customers_for_share": ("count",)}.get(self.value, ("score", "ratio"))  # type: ignore[return-value]  # literals


AMOUNTS: Final = {"revenue": "net_amount", "margin": "margin"}
Worth: TypeAlias = LifetimeValue | PAlive | CustomerEquity | Concentration
"""Every kind of this family."""
