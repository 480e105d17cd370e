"""What a questionnaire asks: its items, dimensions and parts, its scales, and the rules for bad answers."""

from collections.abc import Iterable, Mapping
from math import ceil
from typing import Final, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from config.errors import Fault, suggestion

Part: TypeAlias = Literal["expectation", "perception", "importance", "minimum", "desired", "score"]
Finding: TypeAlias = Literal["straight_liner", "ceiling", "duplicate_respondent"]
Asked: TypeAlias = Literal["nps", "csat", "ces", "acsi", "overall", "score"]
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
    blanks: tuple[float, ...] = Field(
        (), description="Codes in the source that mean no answer, such as 0 or 99; counted, then left aside."
    )

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


SCALES: Final[Mapping[Asked, Scale]] = {
    "nps": Scale(min=0, max=10),
    "csat": Scale(min=1, max=5),
    "ces": Scale(min=1, max=7),
    "acsi": Scale(min=1, max=10),
    "overall": Scale(min=1, max=7),
    "score": Scale(min=1, max=7),
}
"""The scales on which these questions are asked unless the instrument says otherwise."""


class Question(_Model):
    """A question with a score of its own, in no dimension."""

    label: Label = Field(description="The question, or a name for it.")
    kind: Asked = Field(
        description="What is made of the answers: nps (would recommend), csat (satisfied), ces (effort), "
        "acsi (one of the three questions of the index), overall (what the dimensions are to explain), "
        "score (the mean)."
    )
    scale: Scale | None = Field(None, description="Its scale; default: the usual one of its kind.")
    off_scale: Literal["refuse", "drop"] = Field(
        "refuse", description="Whether codes off the scale stop an NPS with a question, or are dropped."
    )
    weight: float = Field(1.0, gt=0, description="Weight of one of the index's questions; normalised.")

    @property
    def codes(self) -> Scale:
        """The scale that counts."""
        return self.scale or SCALES[self.kind]


class Feature(_Model):
    """A feature in Kano's pair of questions: how would it be with it, how without it."""

    label: Label = Field(description="The name that people read.")
    functional: str = Field(description="Code of the question about having it.")
    dysfunctional: str = Field(description="Code of the question about lacking it.")


class Instrument(_Model):
    """A questionnaire: items in dimensions, questions with scores of their own, features."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Its name in `survey_answers.instrument`.")
    label: Label = Field(description="The name that people read.")
    source: str = Field("", description="Where the instrument was published.")
    parts: tuple[Part, ...] = Field(("expectation", "perception"), description="What is asked of each item.")
    scale: Scale = Field(
        SCALES["score"], description="The scale of the items; default: 1 to 7. Features: 1 like to 5 dislike."
    )
    scales: Mapping[str, Scale] = Field(
        default_factory=dict,
        description="Scales of single parts or items that were asked on another one, by part or item: their "
        "answers are carried over in proportion. Nothing is carried over that is not named here.",
    )
    dimensions: Mapping[str, Dimension] = Field(
        default_factory=dict, description="Dimensions by name, in order."
    )
    items: Mapping[str, Label] = Field(default_factory=dict, description="Wording of the items by code.")
    questions: Mapping[str, Question] = Field(
        default_factory=dict, description="Questions with scores of their own, by code."
    )
    features: Mapping[str, Feature] = Field(
        default_factory=dict, description="Features of a Kano survey, by name."
    )
    invitations: str = Field(
        "",
        description="The instrument whose responses are the invitations to this one, same response ids; for "
        "the response rate.",
    )
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
    def _asks_something(self) -> Self:
        if not (self.dimensions or self.questions or self.features):
            fault = "it asks nothing"
            raise Fault(fault, "Give it `dimensions`, `questions` or `features`")
        if self.dimensions and not self.parts:
            fault = "dimensions, but no `parts`"
            raise Fault(fault, "Say what is asked of each item, such as `parts: [perception]`")
        return self

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        known = self.codes
        for place in (
            *(("reversed", code) for code in self.reversed),
            *(("items", code) for code in self.items),
        ):
            if place[1] not in known:
                fault = f"`{place[1]}` is in no dimension"
                raise Fault(fault, suggestion(place[1], known), at=place[:1])
        for name in self.scales:
            if name not in (*known, *self.parts):
                fault = f"`{name}` is no item and no part"
                raise Fault(fault, suggestion(name, (*self.parts, *known)), at=("scales",))
        twice = _twice((*known, *self.questions, *self._of_features))
        if twice:
            fault = f"`{twice}` is asked twice"
            raise Fault(fault, "Keep it in one place")
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

    @property
    def has_zone(self) -> bool:
        """Whether minimum, desired and perceived level are asked: a zone of tolerance."""
        return {"minimum", "desired", "perception"} <= set(self.parts)

    @property
    def known(self) -> frozenset[str]:
        """Every code that an answer may carry; dimensions carry the 100 points."""
        return frozenset((*self.codes, *self.dimensions, *self.questions, *self._of_features))

    @property
    def _of_features(self) -> tuple[str, ...]:
        pairs = self.features.values()
        return tuple(code for pair in pairs for code in (pair.functional, pair.dysfunctional))

    def questions_of(self, kind: Asked) -> tuple[str, ...]:
        """Codes of the questions of a kind, in order."""
        return tuple(code for code, question in self.questions.items() if question.kind == kind)

    def scale_of(self, part: str, item: str) -> Scale:
        """The scale on which an item of a part was asked."""
        return self.scales.get(item) or self.scales.get(part) or self.scale


def _twice(codes: Iterable[str]) -> str | None:
    """The first code that occurs a second time."""
    seen: set[str] = set()
    for code in codes:
        if code in seen:
            return code
        seen.add(code)
    return None
