"""What a metric's definition may say: strict, frozen models of the documents in `metrics/*.yaml`.

A definition names columns and other metrics as text; `metrics.catalog` checks and compiles them.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from config.errors import Fault

Unit = Literal["money", "count", "rate", "ratio", "score", "nps", "days", "per_thousand"]
Direction = Literal["up_is_good", "down_is_good", "neutral"]
Additivity = Literal["additive", "semi", "non"]
Interval = Literal["wilson", "t", "delta", "poisson", "bootstrap", "none"]
Value = bool | int | float | str | None
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]


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
    additivity: Additivity = Field("non", description="Whether parts add up to the whole.")
    interval: Interval | None = Field(None, description="How its uncertainty is computed.")
    min_n: int | None = Field(None, ge=0, description="Fewer units than this, and the figure is not shown.")
    owner: str = Field("", description="Who answers for the definition.")
    source: str = Field("", description="Where the definition comes from.")
    tags: tuple[str, ...] = Field((), description="Words to find it by.")
    tests: tuple[Test, ...] = Field((), description="Worked examples.")


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
    def _in_order(self) -> "NetPromoterScore":
        if not self.lowest <= self.detractors_to < self.promoters_from <= self.highest:
            fault = "the answers of detractors and promoters overlap or leave the scale"
            raise Fault(fault, "Keep lowest <= detractors_to < promoters_from <= highest")
        return self
