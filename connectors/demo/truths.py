"""The planted truths of the demonstration retailer: typed models of its YAML files."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from config.load import read

Floats = NDArray[np.float64]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Monthly = Annotated[tuple[Positive, ...], Field(min_length=12, max_length=12)]


class Part(BaseModel):
    """A part of a demo document: unknown keys are refused, values do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Acquisition(Part):
    """Intensity of new customers over the history and within the year."""

    growth: Positive
    launch: float
    launch_days: Positive
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
    acquisition_cost: Positive
    seasonal: bool = False


class Baskets(Part):
    """How an order becomes lines, and what handling costs."""

    lines: tuple[Share, ...]
    focus: Share
    focus_per_recent_order: float
    discounted: Share
    discounted_november: Share
    discounts: tuple[Share, ...]
    cost_per_delivery: float
    cost_per_line: float
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


class Returns(Part):
    """Share of lines that come back and the share of their cost that is recovered."""

    rate: Share
    recovered: Share


class Contacts(Part):
    """Contacts per order, per late order and per return, what they cost, and whom bad handling loses."""

    per_order: Share
    per_late_order: Share
    per_return: Share
    again: Share
    costs: Mapping[str, float]
    lost_unsatisfied: Share


class Failure(Part):
    """The service failure of a region, from a quarter on."""

    region: str
    segments: tuple[str, ...]
    quarters_before_last: int
    late: Share
    perception: Mapping[str, float]
    lag_quarters: int
    retention: Share


class Survey(Part):
    """The panel, its answers on average, and how carelessly some are given."""

    consent: Share
    most: Count
    active_days: int
    invited: Share
    response: Mapping[str, Share]
    expectations: Mapping[str, float]
    gaps: Mapping[str, float]
    points: Mapping[str, float]
    straight: Share
    unanswered: Share
    after_orders: Share


class Link(Part):
    """What gaps do to the chance of an order after an answer."""

    days: int
    intercept: float
    per_log_order: float
    slopes: Mapping[str, float]
    gone: Share


class December(Part):
    """Customers who buy in December alone."""

    share: Share
    segments: tuple[str, ...]
    back: Share
    value: Positive


class Outage(Part):
    """Customers whose volume rises while a rival cannot deliver."""

    share: Share
    segments: tuple[str, ...]
    days_before_end: int
    days: int
    rate: Positive
    during: Positive
    after: Positive


class Loyalty(Part):
    """The loyalty programme: its true lift, and who enrols."""

    segments: tuple[str, ...]
    launch_days: int
    lift: float
    intercept: float
    slope: float


class HeavyReturners(Part):
    """Customers who send most of it back."""

    share: Share
    rate: Share
    recovered: Share


class ServiceTrait(Part):
    """Visits per order and the cost of one."""

    visits: float
    cost: float


class DiscountTrait(Part):
    """Range of the discount without which nothing is bought."""

    least: Share
    most: Share


class LimitTrait(Part):
    """Order value, as a share of the segment's."""

    value: Share


class Traits(Part):
    """Why a cross-buyer loses money."""

    service: ServiceTrait
    returns: Returns
    discount: DiscountTrait
    limit: LimitTrait


class CrossBuyers(Part):
    """Customers of many categories who lose money."""

    share: Share
    focus: Share
    traits: Traits


class Subscriptions(Part):
    """The box: plans with their monthly price, churn and plan changes."""

    share: Share
    a: Positive
    b: Positive
    plans: Mapping[str, float]
    shares: tuple[Share, ...]
    yearly: Share
    changed: Share
    up: Share
    back: Share


class OrderFaults(Part):
    """Wrong rows among the order lines, and how many of each."""

    test_order: Count
    impossible_date: Count
    no_order_number: Count
    no_amount: Count
    duplicate: Count
    orphan_return: Count


class CustomerFaults(Part):
    """Wrong rows among the customers."""

    duplicate: Count
    no_number: Count
    impossible_date: Count


class AnswerFaults(Part):
    """Wrong rows among the survey answers."""

    refused: Count


class Faults(Part):
    """Wrong rows, by file."""

    orders: OrderFaults
    customers: CustomerFaults
    answers: AnswerFaults


class Truths(Part):
    """Every parameter that the generator reads."""

    acquisition: Acquisition
    regions: Mapping[str, Share]
    segments: Mapping[str, Segment]
    seasonality: Monthly
    order_channels: Mapping[str, Mapping[str, Share]]
    baskets: Baskets
    affinities: tuple[Affinity, ...]
    delivery: Delivery
    returns: Returns
    contacts: Contacts
    failure: Failure
    survey: Survey
    link: Link
    december: December
    outage: Outage
    loyalty: Loyalty
    heavy_returners: HeavyReturners
    cross_buyers: CrossBuyers
    subscriptions: Subscriptions
    faults: Faults
    kano: Mapping[str, Literal["A", "O", "M", "I"]]

    def of_segments(self, name: str) -> Floats:
        """One parameter of every segment, in the order of `segments`."""
        return np.array([getattr(segment, name) for segment in self.segments.values()], dtype=np.float64)


def control(truths: Truths) -> Truths:
    """The same retailer with nothing planted: no failure, no link, no odd customers, no affinities."""

    def put(part: Part, **values: object) -> Part:
        return part.model_copy(update=values)

    return truths.model_copy(
        update={
            "affinities": (),
            "baskets": put(truths.baskets, focus_per_recent_order=0.0),
            "contacts": put(truths.contacts, lost_unsatisfied=0.0),
            "failure": put(truths.failure, late=truths.delivery.late, perception={}),
            "link": put(truths.link, slopes=dict.fromkeys(truths.link.slopes, 0.0)),
            "december": put(truths.december, share=0.0),
            "outage": put(truths.outage, share=0.0),
            "loyalty": put(truths.loyalty, lift=0.0, slope=0.0),
            "heavy_returners": put(truths.heavy_returners, share=0.0),
            "cross_buyers": put(truths.cross_buyers, share=0.0),
        }
    )


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

    def of_categories(self, name: str) -> Floats:
        """One number of every category, in order."""
        return np.array([getattr(one, name) for one in self.categories.values()], dtype=np.float64)


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


class Comments(Part):
    """What respondents write: by dimension when they miss something, in general when they do not."""

    missed: Mapping[str, tuple[str, ...]]
    pleased: tuple[str, ...]


def shipped(name: str) -> Path:
    """Path of a file of the shipped demo project."""
    return Path(str(files("config").joinpath("demo", name)))


@cache
def truths() -> Truths:
    """The shipped truths."""
    return read(shipped("truths.yaml"), Truths)


@cache
def catalogue() -> Catalogue:
    """The shipped catalogue of products."""
    return read(shipped("catalogue.yaml"), Catalogue)


@cache
def names() -> Names:
    """The shipped names of people."""
    return read(shipped("names.yaml"), Names)


@cache
def comments() -> Comments:
    """The shipped words of respondents."""
    return read(shipped("comments.yaml"), Comments)
