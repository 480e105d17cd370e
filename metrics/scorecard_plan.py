"""What `scorecard.yaml` may say: drivers with targets, costs, chances, weights and bands, after Hansotia."""

from collections.abc import Mapping
from typing import Final, Literal, get_args

from pydantic import Field, model_validator

from config.errors import Fault
from metrics.definitions import Strict

Driver = Literal[
    "retention",
    "categories",
    "revenue_per_category",
    "margin_rate",
    "cost_to_serve",
    "acquisition_rate",
    "acquisition_cost",
    "referral_rate",
    "win_back_rate",
    "satisfaction",
]
Basis = Literal["best_quartile", "own_best", "manual", "external"]
DRIVER_NAMES: Final[tuple[Driver, ...]] = get_args(Driver)
GIVEN: Final = ("manual", "external")
_NONE: Final = frozenset({"peers", "referral", "satisfaction"})
"""What a scorecard may be without."""


class DriverPlan(Strict):
    """One driver: what it is to reach and why, what closing the gap costs, and how likely it is."""

    driver: Driver = Field(description="The driver of customer equity, or satisfaction.")
    label: str = Field(min_length=1, max_length=24, description="The name on the page.")
    tag: Literal["hard", "soft"] = Field(
        description="Hard: revenue, margin, cost. Soft: satisfaction, trust, referral."
    )
    basis: Basis = Field(
        "best_quartile",
        description="Where the target comes from: the best quartile of peer sub-segments (shrunk), the best "
        "of the last `periods` quarters, a number of one's own, or one from outside.",
    )
    target: float | None = Field(None, ge=0, description="The target, where the basis is manual or external.")
    source: str = Field("", max_length=200, description="Where an external target comes from.")
    achievable: float = Field(1.0, ge=0, le=1, description="The share of the gap that can be closed.")
    probability: float = Field(1.0, ge=0, le=1, description="The chance that the programme succeeds.")
    cost: float = Field(0.0, ge=0, description="What the programme costs in each segment.")
    cost_per_customer: float = Field(0.0, ge=0, description="What it costs for each customer besides.")
    weight: float = Field(0.0, ge=0, le=1, description="Its weight in the balanced view; weights sum to 1.")
    amber: float = Field(0.9, gt=0, le=1, description="Below this share of the target reached it is amber.")
    red: float = Field(0.75, gt=0, le=1, description="Below this share it is red.")

    @model_validator(mode="after")
    def _fits(self) -> "DriverPlan":
        if (self.target is None) == (self.basis in GIVEN):
            fault = f"the basis `{self.basis}` {'needs' if self.target is None else 'takes no'} target"
            remedy = "Write `target:`" if self.target is None else "Remove `target`, or write `basis: manual`"
            raise Fault(fault, remedy, at=("basis",) if self.target is None else ("target",))
        if self.basis == "external" and not self.source:
            fault = "an external target says where it comes from"
            raise Fault(fault, "Write `source:`", at=("basis",))
        if self.red > self.amber:
            fault = f"red begins at {self.red:g}, above amber at {self.amber:g}"
            raise Fault(fault, "Write the smaller share as `red`", at=("red",))
        return self


class Change(Strict):
    """What differs for one segment."""

    segment: str = Field(min_length=1, description="A value of the attribute, or the name of a segment.")
    driver: Driver = Field(description="The driver.")
    target: float | None = Field(None, ge=0, description="Its own target, instead of that of the driver.")
    achievable: float | None = Field(None, ge=0, le=1, description="The share of the gap that can be closed.")
    probability: float | None = Field(None, ge=0, le=1, description="The chance that the programme succeeds.")
    cost: float | None = Field(
        None, ge=0, description="What the programme costs in this segment, all in all."
    )


class Where(Strict):
    """Customers who came through other customers."""

    attribute: str = Field(min_length=1, description="A customer attribute, such as `channel`.")
    value: str = Field(min_length=1, description="Its value for customers who were referred.")


class Asked(Strict):
    """The answers that say how satisfied a customer is."""

    item: str = Field(min_length=1, description="The item's code.")
    instrument: str | None = Field(None, description="The questionnaire, where the item stands in several.")


class Plan(Strict):
    """The whole scorecard."""

    discount_rate: float = Field(0.10, ge=0, le=1, description="Discount rate a year.")
    acquisition_periods: int = Field(
        1, ge=0, le=10, description="Years over which new customers are counted into equity."
    )
    periods: int = Field(8, ge=2, le=20, description="Of how many quarters `own_best` takes the best.")
    peers: str | None = Field(
        None, description="The attribute that makes sub-segments; region or channel when left out."
    )
    referral: Where | None = Field(None, description="Who was referred; no referral when left out.")
    satisfaction: Asked | None = Field(None, description="How satisfaction is asked.")
    drivers: tuple[DriverPlan, ...] = Field(min_length=1, description="The drivers, each once.")
    segments: tuple[Change, ...] = Field((), description="What differs in single segments.")

    @model_validator(mode="after")
    def _once(self) -> "Plan":
        names = [plan.driver for plan in self.drivers]
        for at, name in enumerate(names):
            if name in names[:at]:
                fault = f"the driver `{name}` stands twice"
                raise Fault(fault, "Remove one of the two", at=("drivers", at, "driver"))
        return self

    @property
    def by_driver(self) -> Mapping[str, DriverPlan]:
        """The drivers by name."""
        return {plan.driver: plan for plan in self.drivers}

    @property
    def weights(self) -> float:
        """The sum of the weights, which is to be 1."""
        return sum(plan.weight for plan in self.drivers)


class OwnPlan(Strict):
    """A project's own scorecard: what it says replaces the shipped one, drivers by name."""

    discount_rate: float | None = Field(None, ge=0, le=1, description="Discount rate a year.")
    acquisition_periods: int | None = Field(None, ge=0, le=10, description="Years of new customers.")
    periods: int | None = Field(None, ge=2, le=20, description="Of how many quarters the best is taken.")
    peers: str | None = Field(None, description="The attribute that makes sub-segments.")
    referral: Where | None = Field(None, description="Who was referred.")
    satisfaction: Asked | None = Field(None, description="How satisfaction is asked.")
    drivers: tuple[DriverPlan, ...] = Field((), description="Drivers that replace those of the same name.")
    segments: tuple[Change, ...] = Field((), description="What differs in single segments.")


def merged(shipped: Plan, own: OwnPlan) -> Plan:
    """The shipped plan with what a project's own says; `null` takes back what the shipped one has.

    Raises Fault unless the weights sum to 1.
    """
    drivers = dict(shipped.by_driver) | {plan.driver: plan for plan in own.drivers}
    written = own.model_fields_set & _NONE | {name for name, value in own if value is not None}
    said = {name: getattr(own, name) for name in written - {"drivers", "segments"}}
    plan = shipped.model_copy(
        update={**said, "drivers": tuple(drivers.values()), "segments": own.segments or shipped.segments}
    )
    if abs(plan.weights - 1) > 1e-6:
        fault = f"the weights of all drivers sum to {plan.weights:g}, not to 1"
        parts = ", ".join(f"{each.driver} {each.weight:g}" for each in plan.drivers)
        raise Fault(fault, f"Change them so that they do: {parts}", at=("drivers",))
    return plan
