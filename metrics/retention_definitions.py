"""Definitions of figures that follow customers through time: cohorts, lifecycle, survival, recurring revenue.

They are no sums over the rows of a period; their figures are computed in `metrics.retention_figures`.
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from pydantic import Field, model_validator

from config.errors import Fault
from metrics.definitions import Computed, Unit
from metrics.event_times import Event
from metrics.lives import Back, Start

CohortFigure = Literal[
    "rate",
    "customers",
    "net_retention",
    "revenue",
    "orders_per_customer",
    "margin",
    "customer_value",
    "paid_back",
    "payback_age",
]
LifecycleFigure = Literal[
    "active", "new", "retained", "reactivated", "churned", "dormant", "lost", "quick_ratio", "lost_share"
]
SurvivalFigure = Literal["met", "waiting", "median_days", "mean_days"]
RevenueFigure = Literal["net_retention", "gross_retention", "logo_churn", "logo_retention", "mrr"]

_COHORT: Final = {
    "rate": "active customers of the cohorts / their customers",
    "customers": "active customers of the cohorts",
    "net_retention": "net amount of the cohorts / their net amount at age 0",
    "revenue": "net amount of the cohorts",
    "orders_per_customer": "orders of the cohorts / their customers",
    "margin": "margin of the cohorts so far",
    "customer_value": "margin of the cohorts so far / their customers",
    "paid_back": "margin of the cohorts so far / what was spent to win them",
    "payback_age": "the first age by whose end the margin of the cohorts covers what was spent to win them",
}
_LIFECYCLE: Final = {
    "quick_ratio": "(new + reactivated) / churned",
    "lost_share": "lost customers / all who ever ordered",
}
_SURVIVAL: Final = {
    "met": "1 - S({days}) of the {event}",
    "waiting": "S({days}) of the {event}",
    "median_days": "the first day t with S(t) <= 1/2 of the {event}",
    "mean_days": "the area under S(t) up to day {days} of the {event}",
}
_REVENUE: Final = {
    "net_retention": "(start + expansion - contraction - churn) / start, of MRR",
    "gross_retention": "(start - contraction - churn) / start, of MRR",
    "logo_churn": "customers without a contract at the end / customers under contract at the start",
    "logo_retention": "customers still under contract at the end / customers under contract at the start",
    "mrr": "monthly amounts of the contracts that run at the end",
}
_UNITS: Final[Mapping[str, tuple[Unit, ...]]] = {
    **dict.fromkeys(("rate", "lost_share", "met", "waiting", "logo_churn", "logo_retention"), ("rate",)),
    **dict.fromkeys(("revenue", "margin", "customer_value", "mrr"), ("money",)),
    **dict.fromkeys(("net_retention", "gross_retention", "paid_back"), ("rate", "ratio")),
    **dict.fromkeys(("orders_per_customer", "quick_ratio"), ("ratio",)),
    **dict.fromkeys(
        (
            "payback_age",
            "customers",
            "active",
            "new",
            "retained",
            "reactivated",
            "churned",
            "dormant",
            "lost",
        ),
        ("count",),
    ),
    **dict.fromkeys(("median_days", "mean_days"), ("days",)),
}
_SILENT: Final = ("dormant", "lost", "lost_share")
_EVENTS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "order": ("orders", ("customer", "ordered_on", "orders")),
    "contact": ("interactions", ("customer", "occurred_on")),
    "survey_answer": ("survey_answers", ("customer", "answered_on")),
    "contract": ("subscriptions", ("customer", "started_on", "ended_on")),
}
_PANEL: Final = ("customer_periods", ("customer", "period", "orders"))
_IN_CATEGORY: Final = (
    "baskets",
    ("customer", "ordered_on", "category", "purchases", "lines", "quantity", "net_amount"),
)
_OF_SPEND: Final = ("paid_back", "payback_age")
_AMOUNTS: Final = {
    "net_retention": ("net_amount",),
    "revenue": ("net_amount",),
    **dict.fromkeys(("margin", "customer_value", *_OF_SPEND), ("net_amount", "margin")),
}
"""What the events of lives read, and what the values of cohorts add to it."""


class CohortRetention(Computed):
    """What cohorts do some periods after they began: those whose cell closes in the period asked for.

    All of them together, weighted by their customers unless `mean` says otherwise. Cohorts that may hold
    customers from before the data are left out and counted as excluded.
    """

    kind: Literal["cohort_retention"]
    age: int = Field(ge=0, description="Periods since the start; 0 is the one in which it lies.")
    until_age: int | None = Field(
        None, ge=0, description="The last age of a bracket: active once at least from `age` to `until_age`."
    )
    grain: Literal["week", "month", "quarter", "year"] | None = Field(
        None, description="Length of the cohorts' periods; that of the period asked for when left out."
    )
    start: Start = Field("first_order", description="What a life begins with.")
    start_category: str | None = Field(None, description="Only orders in this category begin one.")
    back: Back = Field("order", description="What counts as coming back.")
    back_category: str | None = Field(None, description="Only orders in this category count.")
    window: Literal["calendar", "rolling"] = Field(
        "calendar", description="Calendar periods of the project's zone, or the customer's own from day one."
    )
    returns: Literal["on", "on_or_after"] = Field(
        "on", description="Active in the period, or in it or any later one."
    )
    base: Literal["first", "previous"] = Field(
        "first", description="A share of the cohort, or over those active in the period before."
    )
    mean: Literal["weighted", "simple"] = Field(
        "weighted", description="All customers together, or the plain mean of the rates of the cohorts."
    )
    value: CohortFigure = Field(
        "rate",
        description="What is shown of the cell; `payback_age`: the first age, up to `age`, by whose end the "
        "margin has paid what the customers cost to win.",
    )

    @model_validator(mode="after")
    def _fits(self) -> "CohortRetention":
        if self.mean == "simple" and self.value != "rate":
            fault = f"a simple mean is one of rates, not of `{self.value}`"
            raise Fault(fault, "Remove `mean`, or `value`", at=("mean",))
        if self.until_age is None:
            return self
        if self.until_age < self.age:
            fault = f"the bracket ends at {self.until_age}, before it begins at {self.age}"
            raise Fault(fault, "Write the larger age as `until_age`", at=("until_age",))
        if self.returns == "on_or_after" or self.base == "previous" or self.value != "rate":
            fault = "a bracket gives the share of the cohort that is active once within it, and nothing else"
            raise Fault(fault, "Remove `returns`, `base` and `value`, or `until_age`", at=("until_age",))
        return self

    @property
    def is_of_spend(self) -> bool:
        """Whether the figure compares with what winning the customers cost."""
        return self.value in _OF_SPEND

    @property
    def formula(self) -> str:
        """The quotient and the age, in one line."""
        if self.value == "payback_age":
            return f"{_COHORT[self.value]}, up to age {self.age}"
        ages = f"age {self.age}" + (f" to {self.until_age}" if self.until_age else "")
        return f"{_COHORT[self.value]}, at {ages}"

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """The events that begin and continue a life, and what its value adds up."""
        begins = "order" if self.start.endswith("order") else self.start
        found = dict(_EVENTS[event] for event in (begins, self.back))
        if "orders" in found:
            amounts = _AMOUNTS.get(self.value, ())
            table, columns = _EVENTS["order"] if self.window == "rolling" else _PANEL
            found = {name: held for name, held in found.items() if name != "orders"}
            found[table] = (*columns, *amounts)
        if self.start_category or self.back_category:
            found["baskets"] = ("category",)
        if self.is_of_spend:
            found["spend"] = ("spent_on", "purpose", "amount")
        return found

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units that fit the value."""
        return _UNITS[self.value]


class Lifecycle(Computed):
    """How customers moved from the period before: active = before + new + reactivated - churned."""

    kind: Literal["lifecycle"]
    value: LifecycleFigure = Field(
        description="Customers who are active, new, retained, reactivated, churned (ordered in the period "
        "before, not in this one), dormant or lost (silent within or beyond their own rhythm at its end); "
        "`quick_ratio`: (new + reactivated) / churned; `lost_share`: lost over all who ever ordered."
    )
    quantile: float = Field(
        0.9, gt=0, lt=1, description="The part of the own gaps that silence must outlast to mean lost."
    )
    min_gaps: int = Field(3, ge=1, description="Fewer gaps than this, and the rhythm of all counts alone.")
    rhythm_of: str = Field(
        "channel",
        description="The attribute towards whose value's rhythm the own one is drawn; that of all customers "
        "where the data have no such attribute.",
    )

    @property
    def formula(self) -> str:
        """Who is counted, in one line."""
        return _LIFECYCLE.get(self.value, f"customers who are {self.value}")

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """The days of orders for silence, the panel for what changed from period to period."""
        if self.value in _SILENT:
            return dict((_EVENTS["order"],))
        table, columns = _PANEL
        return {table: (*columns, "is_first", "active_before")}

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units that fit the value."""
        return _UNITS[self.value]


class Survival(Computed):
    """How long customers who began in the period take until an event, censored where it has not come yet."""

    kind: Literal["survival"]
    event: Event = Field(
        description="The second order, a second category, a lapse (silence beyond the own rhythm) or the end "
        "of the contract."
    )
    value: SurvivalFigure = Field(
        "met", description="The share who have met it by `days` or still wait, or days in the middle or mean."
    )
    days: int = Field(365, ge=1, description="By which day; the mean counts waiting up to it.")

    @property
    def formula(self) -> str:
        """The reading of the survival curve S, in one line."""
        return _SURVIVAL[self.value].format(days=self.days, event=self.event.replace("_", " "))

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """The days on which lives begin and meet their event."""
        tables = {"second_category": _IN_CATEGORY, "contract_end": _EVENTS["contract"]}
        return dict((tables.get(self.event, _EVENTS["order"]),))

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units that fit the value."""
        return _UNITS[self.value]


class RevenueRetention(Computed):
    """What is kept of recurring revenue or of customers under contract at the start."""

    kind: Literal["revenue_retention"]
    value: RevenueFigure = Field(
        description="Net or gross revenue kept, customers lost or kept, or MRR itself."
    )
    periods: int = Field(
        1, ge=1, le=60, description="Over how many periods up to the end of the one asked for."
    )

    @property
    def formula(self) -> str:
        """The quotient, in one line."""
        return _REVENUE[self.value]

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """Contracts with their days and amounts."""
        table, days = _EVENTS["contract"]
        return {table: (*days, "amount", "billing_period")}

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units that fit the value."""
        return _UNITS[self.value]


Followed: TypeAlias = CohortRetention | Lifecycle | Survival | RevenueRetention
"""Every kind that follows customers through time."""
