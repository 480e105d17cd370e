"""Definitions of what customers feel: gaps, satisfied shares, effort, the index, and what a gap is worth.

Gaps name an instrument, which says how its answers are read; the others name the item that was asked. Their
figures are computed in `metrics.survey_figures`.
"""

from collections.abc import Mapping
from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from config.errors import Fault
from metrics.definitions import Computed, Unit

_READS: Mapping[str, tuple[str, ...]] = {
    "survey_answers": ("customer", "answered_on", "instrument", "item", "part", "score", "weight")
}
_ORDERS: Mapping[str, tuple[str, ...]] = {"orders": ("customer", "ordered_on", "orders", "net_amount")}


class _Asked(Computed):
    """What kinds about one question say."""

    instrument: str | None = Field(None, description="Only answers to this questionnaire; all when left out.")
    lowest: float = Field(1, description="The lowest answer of the scale.")
    highest: float = Field(5, description="The highest answer of the scale.")

    @model_validator(mode="after")
    def _is_a_scale(self) -> Self:
        if self.lowest >= self.highest:
            fault = f"a scale from {self.lowest:g} to {self.highest:g} has no room"
            raise Fault(fault, "Set `lowest` below `highest`", at=("lowest",))
        return self

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """The columns that it reads."""
        return _READS


class ServqualGap(Computed):
    """Perception less expectation, of a dimension or of all together, by respondent first (SERVQUAL)."""

    kind: Literal["servqual_gap"]
    instrument: str = Field(description="The questionnaire, as `instruments/` describes it.")
    dimension: str = Field("overall", description="One of its dimensions, or `overall`: their mean.")
    weighted: bool = Field(False, description="Whether dimensions weigh as their importance says.")

    @model_validator(mode="after")
    def _is_of_all(self) -> Self:
        if self.weighted and self.dimension != "overall":
            fault = "one dimension has no weights"
            raise Fault(fault, "Remove `weighted`, or ask for `overall`", at=("weighted",))
        return self

    @property
    def formula(self) -> str:
        """How the figure is computed, in one line."""
        if self.dimension != "overall":
            return f"mean of perception - expectation in {self.dimension}, by respondent"
        return f"{'sum of importance x' if self.weighted else 'mean of'} gaps of the dimensions"

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """The columns that it reads."""
        return _READS

    @property
    def units(self) -> tuple[Unit, ...]:
        """A gap is on the scale of the items."""
        return ("score",)


class CustomerSatisfaction(_Asked):
    """The share of the best answers to a question: the best one alone, or the best two."""

    kind: Literal["csat"]
    item: str = Field(description="The code of the question.")
    boxes: int = Field(1, ge=1, description="How many of the best answers count.")
    better: Literal["high", "low"] = Field("high", description="Which end of the scale is the good one.")

    @property
    def formula(self) -> str:
        """How the figure is computed, in one line."""
        scale = f"{self.lowest:g} to {self.highest:g}"
        return f"answers in the best {self.boxes} of {scale} / answers to {self.item}"

    @property
    def units(self) -> tuple[Unit, ...]:
        """A share is a rate."""
        return ("rate",)


class CustomerEffort(_Asked):
    """How easy it was: the mean on the scale, turned so that more is easier."""

    kind: Literal["ces"]
    item: str = Field(description="The code of the question.")
    highest: float = Field(7, description="The highest answer of the scale.")
    easy: Literal["high", "low"] = Field(description="Which end of the scale means easy.")

    @property
    def formula(self) -> str:
        """How the figure is computed, in one line."""
        turned = "" if self.easy == "high" else f"{self.lowest + self.highest:g} - "
        return f"mean of {turned}the answers to {self.item}"

    @property
    def units(self) -> tuple[Unit, ...]:
        """A mean on the scale is a score."""
        return ("score",)


class SatisfactionIndex(_Asked):
    """The index of three questions (ACSI): overall, against expectations, against the ideal; 0 to 100."""

    kind: Literal["acsi"]
    items: tuple[str, str, str] = Field(description="The codes of the three questions.")
    highest: float = Field(10, description="The highest answer of the scale.")
    weights: tuple[float, float, float] = Field((1.0, 1.0, 1.0), description="Their weights; normalised.")

    @model_validator(mode="after")
    def _weighs(self) -> Self:
        if min(self.weights) < 0 or sum(self.weights) <= 0:
            fault = "weights that sum to nothing, or below 0, weigh nothing"
            raise Fault(fault, "Give three weights of 0 or more, one above 0", at=("weights",))
        return self

    @property
    def formula(self) -> str:
        """How the figure is computed, in one line."""
        span = f"{self.highest - self.lowest:g}"
        return f"100 x weighted mean of ({', '.join(self.items)} - {self.lowest:g}) / {span}"

    @property
    def units(self) -> tuple[Unit, ...]:
        """An index is a score."""
        return ("score",)


class ReturnOnQuality(Computed):
    """What closing the gap of a dimension is worth in customer equity, by way of retention.

    From the answers and orders up to the end of the period; no figure where the data do not tell the slope.
    """

    kind: Literal["return_on_quality"]
    instrument: str = Field(description="The questionnaire, as `instruments/` describes it.")
    dimension: str = Field(description="The dimension whose gap closes.")
    points: float = Field(0.5, gt=0, description="By how many points of the scale.")
    days: int = Field(90, ge=1, description="An order within so many days after an answer is a return.")
    cost: float = Field(0.0, ge=0, description="What the programme costs, taken off.")

    @property
    def formula(self) -> str:
        """How the figure is computed, in one line."""
        return f"customer equity at logit r + slope x {self.points:g} - customer equity at r - {self.cost:g}"

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """The columns that it reads."""
        return {**_READS, **_ORDERS}

    @property
    def units(self) -> tuple[Unit, ...]:
        """Equity is money."""
        return ("money",)


Surveyed: TypeAlias = (
    ServqualGap | CustomerSatisfaction | CustomerEffort | SatisfactionIndex | ReturnOnQuality
)
"""Every kind of this family."""
