"""What a questionnaire asks: its items, dimensions and parts, its scale, and the rules for bad answers."""

from collections.abc import Mapping
from math import ceil
from typing import Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from config.errors import Fault, suggestion

Part: TypeAlias = Literal["expectation", "perception", "importance", "minimum", "desired", "score"]
Finding: TypeAlias = Literal["straight_liner", "ceiling", "duplicate_respondent"]
Label: TypeAlias = str | Mapping[str, str]
"""A text, or one for each language: `{en: Reliability, zh: ...}`."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Scale(_Model):
    """The codes that an answer may have."""

    min: float = Field(description="The lowest code of the scale.")
    max: float = Field(description="The highest code of the scale.")
    offset: float = Field(
        0, description="Added to every code as it stands in the source, before anything else."
    )
    better: Literal["high", "low"] = Field("high", description="Which end is the good one.")

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.min >= self.max:
            fault = f"a scale from {self.min:g} to {self.max:g} has no room"
            raise Fault(fault, "Set `min` below `max`")
        return self


class Dimension(_Model):
    """A group of items that measure one thing."""

    label: Label = Field(description="The name that people read.")
    items: tuple[str, ...] = Field(min_length=1, description="Codes of its items.")
    weight: float | None = Field(
        None, ge=0, description="Its fixed weight, in any unit: weights are normalised."
    )
    min_items: int | None = Field(
        None,
        ge=1,
        description="Answered items that a respondent needs to have a score; default: half, rounded up.",
    )

    @property
    def needed(self) -> int:
        """Items that a respondent must have answered."""
        return self.min_items or ceil(len(self.items) / 2)


class Instrument(_Model):
    """A questionnaire with items in dimensions."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Its name in `survey_answers.instrument`.")
    label: Label = Field(description="The name that people read.")
    source: str = Field("", description="Where the instrument was published.")
    parts: tuple[Part, ...] = Field(("expectation", "perception"), description="What is asked of each item.")
    scale: Scale = Field(description="The scale of the answers.")
    dimensions: Mapping[str, Dimension] = Field(min_length=1, description="Dimensions by name, in order.")
    items: Mapping[str, Label] = Field(default_factory=dict, description="Wording of the items by code.")
    reversed: tuple[str, ...] = Field(
        (), description="Items worded negatively: scored as min + max - answer."
    )
    weights: Literal["none", "fixed", "points", "importance"] = Field(
        "none",
        description="Weights of the dimensions: none, fixed (`weight` of each), points (each respondent's "
        "answers to items named like the dimensions, part importance) or importance (asked of each item).",
    )
    exclude: tuple[Finding, ...] = Field(
        (), description="Findings whose respondents are left out, and counted."
    )
    min_n: int = Field(30, ge=1, description="Respondents below which a figure is not shown.")

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        known = self.codes
        for code in (*self.reversed, *self.items):
            if code not in known:
                fault = f"`{code}` is in no dimension"
                raise Fault(fault, suggestion(code, known))
        twice = [code for at, code in enumerate(known) if code in known[:at]]
        if twice:
            fault = f"`{twice[0]}` is in two dimensions"
            raise Fault(fault, "Keep it in one")
        if self.weights == "fixed" and any(d.weight is None for d in self.dimensions.values()):
            fault = "fixed weights, but a dimension has none"
            raise Fault(fault, "Give every dimension a `weight`")
        return self

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of all items in the order of the dimensions."""
        return tuple(code for dimension in self.dimensions.values() for code in dimension.items)

    @property
    def has_gap(self) -> bool:
        """Whether expectation and perception are both asked; without both there is no gap."""
        return {"expectation", "perception"} <= set(self.parts)
