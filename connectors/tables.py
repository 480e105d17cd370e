"""The canonical tables: what every source is mapped onto, and what every metric reads.

Each table is a dataframely schema: column names, dtypes, nulls, ranges and keys, with the unit in
`metadata`. Money is `Decimal(18, 4)` in the project's currency, ids are text, instants are UTC
`Datetime("us")`, days are calendar days in the project's time zone. A source may list further columns on
any table; they are kept beside these as dimensions.
"""

from collections.abc import Mapping
from typing import Any, Final

import dataframely as dy
import polars as pl

MONEY: Final = pl.Decimal(18, 4)
INSTANT: Final = pl.Datetime("us", "UTC")

SURVEY_PARTS: Final = ("expectation", "perception", "importance", "minimum", "desired", "score")
SPEND_PURPOSES: Final = ("acquisition", "retention", "service")
BILLING_PERIODS: Final = ("week", "month", "quarter", "year")


def _id(meaning: str, *, nullable: bool = False, key: bool = False) -> dy.String:
    return dy.String(
        nullable=nullable, primary_key=key, min_length=1, metadata={"description": meaning, "unit": "id"}
    )


def _text(meaning: str, *, personal: bool = False) -> dy.String:
    return dy.String(nullable=True, metadata={"description": meaning, "unit": "text", "personal": personal})


def _money(meaning: str, *, nullable: bool = True) -> dy.Decimal:
    return dy.Decimal(18, 4, nullable=nullable, metadata={"description": meaning, "unit": "currency"})


def _instant(meaning: str, *, nullable: bool = True) -> dy.Datetime:
    return dy.Datetime(
        nullable=nullable, time_zone="UTC", time_unit="us", metadata={"description": meaning, "unit": "UTC"}
    )


def _day(meaning: str, *, nullable: bool = True, key: bool = False) -> dy.Date:
    return dy.Date(nullable=nullable, primary_key=key, metadata={"description": meaning, "unit": "day"})


class Customers(dy.Schema):
    """One row a customer."""

    customer_id = _id("the person or account, one id across all tables", key=True)
    joined_on = _day("the day on which the relationship began")
    region = _text("where the customer is served")
    channel = _text("the channel that acquired the customer")
    name = _text("the customer's name", personal=True)
    email = _text("the customer's e-mail address", personal=True)


class OrderLines(dy.Schema):
    """One row an order line; a return is a line of its own with a negative amount."""

    order_id = _id("the order, invoice or return document", key=True)
    line_id = _id("the line within the order", key=True)
    customer_id = _id("the buyer; empty for a sale to nobody known", nullable=True)
    ordered_at = _instant("when the order was placed", nullable=False)
    ordered_on = _day("the day of the order in the project's time zone", nullable=False)
    status = _text("the order's status in the source's words")
    promised_at = _instant("when delivery was promised")
    delivered_at = _instant("when it was delivered")
    product_id = _id("the product", nullable=True)
    category = _text("the product's category")
    quantity = dy.Float64(
        nullable=True, metadata={"description": "units; negative on a return", "unit": "units"}
    )
    net_amount = _money("paid for the line after discount; negative on a return", nullable=False)
    cost = _money("cost of the goods; negative on a return")
    discount = _money("taken off the list price, positive")
    is_return = dy.Bool(nullable=False, metadata={"description": "the line takes goods back", "unit": "flag"})
    returned_order_id = _id("the order that a return takes back", nullable=True)
    channel = _text("the channel through which the order came")


class Products(dy.Schema):
    """One row a product."""

    product_id = _id("the product", key=True)
    name = _text("the product's name")
    category = _text("the product's category")
    department = _text("the department above the category")


class SurveyAnswers(dy.Schema):
    """One row an answer: a response, an item and a part of it (what was expected, perceived, wanted, ...)."""

    response_id = _id("one filled-in questionnaire", key=True)
    item = dy.String(
        nullable=False, primary_key=True, min_length=1, metadata={"description": "the item's code"}
    )
    part = dy.Enum(
        SURVEY_PARTS,
        nullable=False,
        primary_key=True,
        metadata={"description": "which side of the item was asked"},
    )
    customer_id = _id("the respondent, where known", nullable=True)
    order_id = _id("the order that the survey is about", nullable=True)
    answered_at = _instant("when it was answered", nullable=False)
    instrument = dy.String(nullable=False, min_length=1, metadata={"description": "which questionnaire"})
    score = dy.Float64(
        nullable=True, metadata={"description": "the answer on the item's scale", "unit": "points"}
    )
    weight = dy.Float64(
        nullable=True, min=0, metadata={"description": "sample weight, 1 when empty", "unit": "weight"}
    )


class Interactions(dy.Schema):
    """One row a contact: a call, a complaint, a visit."""

    interaction_id = _id("the contact", key=True)
    customer_id = _id("who was in contact, where known", nullable=True)
    occurred_at = _instant("when it happened", nullable=False)
    kind = dy.String(nullable=False, min_length=1, metadata={"description": "contact, complaint, visit, ..."})
    channel = _text("phone, e-mail, chat, store, ...")
    topic = _text("what it was about")
    cost = _money("what handling it cost")
    resolved_at = _instant("when it was settled; empty while open")
    outcome = _text("how it ended in the customer's eyes")


class Subscriptions(dy.Schema):
    """One row a contract or one stretch of it with an unchanged plan and amount."""

    subscription_id = _id("the contract", key=True)
    customer_id = _id("the subscriber")
    plan = _text("the plan")
    started_on = _day("the first day", nullable=False, key=True)
    ended_on = _day("the first day without the contract; empty while it runs")
    amount = _money("charged each billing period", nullable=False)
    billing_period = dy.Enum(
        BILLING_PERIODS, nullable=False, metadata={"description": "how often the amount is charged"}
    )


class Spend(dy.Schema):
    """One row a day, channel and purpose on which money was spent on customers."""

    spent_on = _day("the first day of the period that the amount covers", nullable=False, key=True)
    channel = dy.String(
        nullable=False, primary_key=True, metadata={"description": "the channel; `all` when not split"}
    )
    purpose = dy.Enum(
        SPEND_PURPOSES, nullable=False, primary_key=True, metadata={"description": "what the money was to do"}
    )
    amount = _money("spent", nullable=False)


TABLES: Final[Mapping[str, type[dy.Schema]]] = {
    "customers": Customers,
    "order_lines": OrderLines,
    "products": Products,
    "survey_answers": SurveyAnswers,
    "interactions": Interactions,
    "subscriptions": Subscriptions,
    "spend": Spend,
}

DERIVED: Final[Mapping[str, tuple[str, ...]]] = {"order_lines": ("ordered_on",)}
"""Columns that the refresh fills in; a source cannot map them."""

DEFAULTS: Final[Mapping[str, Mapping[str, str]]] = {
    "order_lines": {"line_id": "the row's number in its source", "is_return": "net_amount < 0"},
    "interactions": {"interaction_id": "the row's number in its source"},
}
"""What a required column becomes when a source does not map it; the source's report says so."""


def dtypes(table: str) -> dict[str, pl.DataType]:
    """Column names of a canonical table with their dtypes, in order; KeyError for an unknown table."""
    return {name: column.dtype for name, column in TABLES[table].columns().items()}


def required(table: str) -> tuple[str, ...]:
    """The columns that a source must map: not nullable, not derived, without a default."""
    given = (*DERIVED.get(table, ()), *DEFAULTS.get(table, {}))
    return tuple(n for n, c in TABLES[table].columns().items() if not c.nullable and n not in given)


def keys(table: str) -> tuple[str, ...]:
    """The key columns of a canonical table."""
    return tuple(TABLES[table].primary_key())


def facts(table: str, column: str) -> Mapping[str, Any]:
    """Description, unit and whether the column is personal."""
    return TABLES[table].columns()[column].metadata or {}
