"""The planted truths of the demonstration retailer: typed models of its YAML files."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

Floats = NDArray[np.float64]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Monthly = Annotated[tuple[Positive, ...], Field(min_length=12, max_length=12)]


class Part(BaseModel):
    """A part of a demo document: unknown keys are refused, values do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CalendarTruth(Part):
    """When the planted events happen, counted from the ends of the history."""

    timezone: str
    failure_quarters_before_end: int
    rival_outage_days_before_end: int
    rival_outage_days: int
    loyalty_launch_days: int


class Acquisition(Part):
    """Intensity of new customers over the history and within the year."""

    daily_growth: Positive
    monthly: Monthly
    never_ordered: Share


class Segment(Part):
    """Purchases of one segment.

    The weekly rate of a customer is Gamma(r, rate alpha), the dropout rate Gamma(s, rate beta). An order's
    value is Gamma(p, rate nu) with nu of the customer Gamma(q, rate v), so that its mean is p * v / (q - 1).
    """

    share: Share
    r: Positive
    alpha: Positive
    s: Positive
    beta: Positive
    p: Positive
    q: Annotated[float, Field(gt=1)]
    v: Positive
    cac: Positive
    seasonal: bool = False


class Seasonality(Part):
    """Multipliers of the purchase rate in seasonal segments, January to December."""

    monthly: Monthly


class Baskets(Part):
    """How an order becomes lines."""

    lines: tuple[Share, ...]
    focus: Share
    focus_per_recent_order: float
    discounted: Share
    discounted_november: Share
    discounts: tuple[Share, ...]
    handling_per_delivery: float
    guests: Share
    cancelled: Share


class Affinity(Part):
    """A basket that holds `first` gains a line of `second` with this probability."""

    first: str
    second: str
    probability: Share


class Delivery(Part):
    """Days promised, and the share of deliveries that come later."""

    promised_days: int
    late: Share
    late_failure: Share


class Returns(Part):
    """Share of delivered lines that come back and the share of their cost that is recovered."""

    rate: Share
    recovered: Share


class Contacts(Part):
    """Contacts per order, per late order and per return, and what one costs by channel."""

    per_order: Share
    per_late_order: Share
    per_return: Share
    costs: Mapping[str, float]


class Truths(Part):
    """Every parameter that the generator reads."""

    calendar: CalendarTruth
    acquisition: Acquisition
    regions: Mapping[str, Share]
    segments: Mapping[str, Segment]
    seasonality: Seasonality
    order_channels: Mapping[str, Mapping[str, Share]]
    baskets: Baskets
    affinities: tuple[Affinity, ...]
    delivery: Delivery
    returns: Returns
    contacts: Contacts

    def of_segments(self, name: str) -> Floats:
        """One parameter of every segment, in the order of `segments`."""
        return np.array([getattr(segment, name) for segment in self.segments.values()], dtype=np.float64)


class Category(Part):
    """A category: share of lines, prices, cost as a share of the list price, relative return rate."""

    share: Share
    low: Positive
    high: Positive
    cost: Share
    returns: Positive
    nouns: tuple[str, ...]


class Catalogue(Part):
    """Departments with their categories; every noun of a category comes in every range."""

    ranges: tuple[str, ...]
    departments: Mapping[str, Mapping[str, Category]]

    @property
    def categories(self) -> dict[str, Category]:
        """Categories of all departments, in order."""
        return {name: one for group in self.departments.values() for name, one in group.items()}

    @property
    def products_per_category(self) -> int:
        """Products of a category: every noun in every range."""
        return len(self.ranges) * len(next(iter(self.categories.values())).nouns)


class Culture(Part):
    """Given and family names; `script` spells what is not Latin, `joined` puts the family first, unspaced."""

    share: Share
    given: tuple[str, ...]
    family: tuple[str, ...]
    script: Mapping[str, str] = {}
    joined: bool = False


class Names(Part):
    """Cultures with their share of customers."""

    cultures: tuple[Culture, ...]


def shipped(name: str) -> str:
    """Text of a file of the shipped demo project."""
    return files("config").joinpath("demo", name).read_text(encoding="utf-8")


@cache
def truths() -> Truths:
    """The shipped truths."""
    return Truths.model_validate(yaml.safe_load(shipped("truths.yaml")))


@cache
def catalogue() -> Catalogue:
    """The shipped catalogue of products."""
    return Catalogue.model_validate(yaml.safe_load(shipped("catalogue.yaml")))


@cache
def names() -> Names:
    """The shipped names of people."""
    return Names.model_validate(yaml.safe_load(shipped("names.yaml")))
