"""What a segment may say: strict, frozen models of the documents in `segments.yaml`.

A rule is a condition on facts about a customer (`metrics.customer_facts`) and on other segments, written
`{name}`. A fact of the segment's own counts what a customer did, or did not do, in a window of days.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from config.errors import Fault
from metrics.definitions import Computed, Measure, Name, Strict, Unit


class OwnFact(Measure):
    """An aggregate of a customer's own rows in a table: did X in window W.

    Counts and sums are 0 where there are no rows, anything else has no value.
    """

    name: Name = Field(description="What the rule calls it.")
    days: int | None = Field(
        None, ge=1, le=36_500, description="Only the last so many days, the as-of day included."
    )
    start: date | None = Field(None, description="Only from this day on.")
    end: date | None = Field(None, description="Only up to this day.")

    @model_validator(mode="after")
    def _one_window(self) -> "OwnFact":
        if self.days is not None and (self.start or self.end):
            fault = "`days` and `start` or `end` are two windows"
            raise Fault(fault, "Write one of them", at=("days",))
        if self.start and self.end and self.end < self.start:
            fault = f"the window ends on {self.end}, before it starts on {self.start}"
            raise Fault(fault, "Swap `start` and `end`", at=("end",))
        return self


class Segment(Strict):
    """Customers for whom a rule holds on the as-of day."""

    name: Name = Field(description="What the segment is called in files, in the URL and by `rapport query`.")
    label: Annotated[str, Field(min_length=1, max_length=40)] = Field(
        description="The name on pages, 40 characters at most."
    )
    where: str = Field(
        min_length=1,
        description="The rule: a condition on customer facts and, in braces, on other segments.",
    )
    description: str = Field("", description="Whom it holds and what it is for.")
    owner: str = Field("", description="Who answers for it.")
    family: str = Field("", max_length=40, description="The heading under which it is listed.")
    facts: tuple[OwnFact, ...] = Field((), description="Facts that the rule uses beside the known ones.")


class SegmentShare(Computed):
    """The share of a period's customers, revenue or orders that belongs to a segment.

    Customers are those who ordered in the period; sales to nobody known count in the base of revenue and
    orders.
    """

    kind: Literal["segment_share"]
    segment: Name = Field(description="The segment, as `segments.yaml` names it.")
    of: Literal["customers", "revenue", "orders"] = Field(
        "customers", description="What the share is of: customers who ordered, net revenue, or orders."
    )
    belongs: Literal["as_of", "start", "end"] = Field(
        "as_of",
        description="Who belongs on the as-of day, on the day before the period began, or at its end.",
    )

    @property
    def formula(self) -> str:
        """How the share is computed, in one line."""
        return _FORMULAS[self.of].format(segment=self.segment)

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """The columns that it reads by itself; those of the segment's rule come on top."""
        return {"orders": ("customer", "ordered_on", "net_amount" if self.of == "revenue" else "orders")}

    @property
    def units(self) -> tuple[Unit, ...]:
        """A share is a rate."""
        return ("rate",)


_FORMULAS: Final = {
    "customers": "customers of the period in `{segment}` / customers of the period",
    "revenue": "net revenue of customers in `{segment}` / net revenue",
    "orders": "orders of customers in `{segment}` / orders",
}
