"""What a metric's definition may say: strict, frozen models of the documents in `metrics/*.yaml`.

A definition names columns and other metrics as text; `metrics.catalog` checks and compiles them.
"""

import re
from abc import abstractmethod
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from config.errors import Fault

Unit = Literal["money", "count", "rate", "ratio", "score", "nps", "days", "per_thousand"]
Direction = Literal["up_is_good", "down_is_good", "neutral"]
Additivity = Literal["additive", "semi", "non"]
Interval = Literal["wilson", "t", "delta", "poisson", "order", "bootstrap", "none"]
Format = Literal["currency", "percent", "points", "days", "number", "whole"]
Style: TypeAlias = Unit | Literal["points"]
"""How a figure is written: as its unit is, or as percentage points."""

Value = bool | int | float | str | None
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]


FORMATS: Final[Mapping[Unit, tuple[Format, ...]]] = {
    "money": ("currency",),
    "count": ("whole", "number"),
    "rate": ("percent", "points", "number"),
    "ratio": ("number", "percent", "whole"),
    "score": ("number", "whole"),
    "nps": ("points", "number"),
    "days": ("days", "number", "whole"),
    "per_thousand": ("number", "whole"),
}
"""The formats that fit a unit, the usual one first."""

_STYLES: Final[Mapping[Format, Style]] = {
    "currency": "money",
    "percent": "rate",
    "points": "points",
    "days": "days",
    "number": "ratio",
    "whole": "count",
}


_STRETCH: Final = re.compile(r"[1-9]\d{0,3} (days?|weeks?|months?|quarters?|years?)")


class Strict(BaseModel):
    """A model that takes no unknown key and never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Test(Strict):
    """A worked example: rows of tables, and the figure that they must give."""

    __test__ = False

    name: str = Field("", description="What the example shows.")
    rows: Mapping[str, tuple[Mapping[str, Value], ...]] = Field(
        description="Rows by table; columns that are left out are empty."
    )
    expect: float | None = Field(description="The figure, or null where there must be none.")
    grain: Literal["all", "week", "month", "quarter", "year"] = Field(
        "all", description="Length of the period that is asked for."
    )
    period: str | None = Field(None, description="A day within that period; all of history when left out.")


class Target(Strict):
    """A figure to reach, by period and by segment."""

    value: float = Field(description="The figure to reach, in the unit of the metric.")
    grain: Literal["day", "week", "month", "quarter", "year"] | None = Field(
        None,
        description="Length of the periods for which it holds; any when left out. Targets of an additive "
        "metric by month add up to those of quarters and years.",
    )
    since: date | None = Field(None, description="The first day on which a period may begin.")
    until: date | None = Field(None, description="The last day on which a period may end.")
    segment: Mapping[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="For whom it holds, such as `region: [North]`: shown under exactly these filters.",
    )


class Thresholds(Strict):
    """From where a figure is good, and from where it is bad; between the two it wants watching."""

    good: float = Field(description="From here on the figure is good.")
    bad: float = Field(description="From here on, the other way, it is bad.")
    of: Literal["figure", "target"] = Field(
        "figure", description="Whether they are figures, or shares of the target such as 1 and 0.9."
    )


class Measure(Strict):
    """One aggregate of one table."""

    table: str = Field(description="A canonical table, or a mart such as `customer_periods`.")
    expression: str = Field(description="One aggregate, such as `sum(net_amount)` or `count(*)`.")
    where: str | None = Field(None, description="Which rows count.")


class Metric(Strict):
    """What every kind of metric says about itself."""

    name: Name = Field(description="What the metric is called in files, in the URL and by `rapport query`.")
    label: str = Field(min_length=1, max_length=18, description="The name on a tile, 18 characters at most.")
    description: str = Field(min_length=1, description="What it says and how it is counted, in words.")
    direction: Direction = Field("neutral", description="Which way of change is good.")
    unit: Unit = Field(description="What the figure is measured in, and so how it is written.")
    format: Format | None = Field(
        None, description="How the figure is written, where that is not the usual way for its unit."
    )
    additivity: Additivity = Field("non", description="Whether parts add up to the whole.")
    interval: Interval | None = Field(
        None,
        description="How its uncertainty is computed: wilson for shares, t for means, delta and bootstrap "
        "over customers, poisson for events by exposure, order for quantiles of independent rows, none "
        "for a full count; the usual one for its kind when left out.",
    )
    min_n: int | None = Field(None, ge=0, description="Fewer units than this, and the figure is not shown.")
    grain: Literal["day", "week", "month", "quarter", "year"] | None = Field(
        None, description="The shortest period for which it is counted; any when left out."
    )
    target: float | tuple[Target, ...] | None = Field(
        None, description="What is to be reached: one figure, or a list by period and segment."
    )
    thresholds: Thresholds | None = Field(None, description="From where the figure is good, and bad.")
    owner: str = Field("", description="Who answers for the definition.")
    version: int | None = Field(None, ge=1, description="Counts what the definition has meant so far.")
    changed_on: date | None = Field(None, description="The day of the last change of meaning.")
    approved_by: str = Field("", description="Who agreed to the definition.")
    source: str = Field("", description="Where the definition comes from.")
    tags: tuple[str, ...] = Field((), description="Words to find it by.")
    examples: tuple[str, ...] = Field((), description="Cases in words, shown with the definition.")
    tests: tuple[Test, ...] = Field((), description="Worked examples that the check computes.")

    @model_validator(mode="after")
    def _thresholds_fit(self) -> Self:
        limits = self.thresholds
        if limits is None:
            return self
        if self.direction == "neutral":
            fault = "thresholds need a direction: neither way of this metric is good"
            raise Fault(
                fault, "Write `direction: up_is_good` or `direction: down_is_good`", at=("thresholds",)
            )
        if (limits.good > limits.bad) != (self.direction == "up_is_good") or limits.good == limits.bad:
            fault = f"good from {limits.good:g} and bad from {limits.bad:g} contradict `{self.direction}`"
            raise Fault(fault, "Swap the two, or change the direction", at=("thresholds",))
        if limits.of == "target" and self.target is None:
            fault = "thresholds of a target, but there is none"
            raise Fault(fault, "Write a `target`, or thresholds in figures", at=("thresholds", "of"))
        return self

    @property
    def style(self) -> Style:
        """How the figure is written."""
        usual = self.format is None or self.format == FORMATS[self.unit][0]
        return self.unit if usual or self.format is None else _STYLES[self.format]

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets, a single figure as one that holds always and for everybody."""
        if isinstance(self.target, tuple):
            return self.target
        return () if self.target is None else (Target(value=self.target),)


class Simple(Metric, Measure):
    """One aggregate of the rows of a table."""

    kind: Literal["simple"]


class Ratio(Metric):
    """A quotient of two metrics or aggregates; never an average of quotients."""

    kind: Literal["ratio"]
    numerator: Name | Measure = Field(description="A metric, or an aggregate of a table.")
    denominator: Name | Measure = Field(description="A metric, or an aggregate of a table.")
    scale: float = Field(1.0, gt=0, description="What the quotient is multiplied by, such as 1000.")


class Derived(Metric):
    """Arithmetic on other metrics, each written `{name}`."""

    kind: Literal["derived"]
    expression: str = Field(description="Arithmetic, such as `{gross_revenue} - {net_revenue}`.")


class Cumulative(Metric):
    """Another metric over a longer stretch, up to the end of each period: rolling, to date, or of all time.

    It is counted anew over the whole stretch: a customer who is active in two of its months counts once.
    """

    kind: Literal["cumulative"]
    metric: Name = Field(description="The metric to take over a longer stretch.")
    window: str | None = Field(
        None,
        description="The length of the stretch that ends with the period, such as `12 months`.",
    )
    to_date: Literal["week", "month", "quarter", "year"] | None = Field(
        None, description="From the beginning of this week, month, quarter or (fiscal) year."
    )

    @model_validator(mode="after")
    def _one_stretch(self) -> Self:
        if self.window and not _STRETCH.fullmatch(self.window):
            fault = f"`{self.window}` is no length of time"
            raise Fault(
                fault, "Write a number of days, weeks, months, quarters or years: `12 months`", at=("window",)
            )
        if self.window and self.to_date:
            fault = "a stretch is rolling or to date, not both"
            raise Fault(fault, "Remove `window` or `to_date`", at=("to_date",))
        return self


class Change(Metric):
    """What another metric has changed by against an earlier period; none while the period still runs."""

    kind: Literal["change"]
    metric: Name = Field(description="The metric whose change is meant.")
    against: Literal["previous", "year"] = Field(
        "previous", description="The period before, or the same period of the year before."
    )
    value: Literal["relative", "difference"] = Field(
        "relative", description="A share of the earlier figure, or the difference of the two."
    )


class Computed(Metric):
    """A kind whose figures a function of its own computes; see `metrics.families`.

    Everything else that is true of a metric is true of it: tiles, filters, splits, lists, lineage, examples.
    """

    @property
    @abstractmethod
    def formula(self) -> str:
        """How the figure is computed, in one line."""

    @property
    @abstractmethod
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """The columns that it reads, by table or mart of `metrics.relations`."""

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units that fit the figure; none when any may."""
        return ()


class PeriodRetention(Metric):
    """The share of the previous period's active customers who are active again."""

    kind: Literal["period_retention"]


class NetPromoterScore(Metric):
    """The share of promoters less the share of detractors, in points."""

    kind: Literal["nps"]
    where: str = Field(description="Which survey answers are the ones to the recommendation question.")
    promoters_from: int = Field(9, description="The lowest answer of a promoter.")
    detractors_to: int = Field(6, description="The highest answer of a detractor.")
    lowest: int = Field(0, description="The lowest answer of the scale.")
    highest: int = Field(10, description="The highest answer of the scale.")
    offset: int = Field(0, description="Added to every answer, for scales coded from another number.")
    off_scale: Literal["refuse", "drop"] = Field(
        "refuse", description="Whether answers off the scale stop the figure, or are dropped and counted."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.lowest <= self.detractors_to < self.promoters_from <= self.highest:
            fault = "the answers of detractors and promoters overlap or leave the scale"
            raise Fault(fault, "Keep lowest <= detractors_to < promoters_from <= highest")
        return self
