"""The demonstration's contacts and complaints, and the money spent on customers."""

import numpy as np
import polars as pl

from connectors.demo_baskets import Deliveries, moments
from connectors.demo_calendar import Floats, History, Ints
from connectors.demo_orders import Orders
from connectors.demo_people import People, labels
from connectors.demo_truths import Truths

_OUTCOMES = ("satisfied quickly", "satisfied", "unsatisfied")
_TOPICS = ("late delivery", "return", "damaged goods", "product question", "order change", "billing")
_PURPOSES = ("acquisition", "retention", "service")


def interactions(
    orders: Orders,
    sent: Deliveries,
    returned: Ints,
    people: People,
    history: History,
    truths: Truths,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Contacts after orders, late deliveries and returns (of the orders `returned`), sorted by time."""
    plan = truths.contacts
    real = orders.known & ~orders.cancelled
    late = np.flatnonzero(real & sent.late & (rng.random(orders.size) < plan.per_late_order))
    plain = np.flatnonzero(real & (rng.random(orders.size) < plan.per_order))
    back = returned[(rng.random(returned.size) < plan.per_return) & real[returned]]
    about = np.concatenate([late, plain, back])
    topic = np.concatenate([
        np.zeros(late.size, np.int64), rng.integers(2, len(_TOPICS), plain.size), np.ones(back.size, np.int64)
    ])  # fmt: skip
    minute = _occurred(about, topic, orders, sent, rng)
    return _until_end(_contacts(orders.customer[about], minute, topic, people, truths, rng), history)


def _until_end(contacts: pl.DataFrame, history: History) -> pl.DataFrame:
    """Contacts up to the end of the history; what is not settled by then is open."""
    closes = history.days * 1440
    kept = contacts.filter(pl.col("minute") < closes)
    solved = (kept["minute"] + kept["solving"]).to_numpy()
    open_ = pl.Series(solved >= closes)
    return kept.with_columns(
        time=pl.Series(moments(history, kept["minute"].to_numpy())),
        solved=pl.Series(moments(history, solved)).set(open_, None),
        outcome=kept["outcome"].set(open_, "open"),
    ).drop("minute", "solving")


def _occurred(about: Ints, topic: Ints, orders: Orders, sent: Deliveries, rng: np.random.Generator) -> Ints:
    start = np.where(sent.shipped[about] & (topic <= 1), sent.promised[about], orders.day[about] * 1440)
    return (start // 1440 + rng.integers(1, 6, about.size)) * 1440 + rng.integers(8 * 60, 19 * 60, about.size)


def _contacts(
    customer: Ints, minute: Ints, topic: Ints, people: People, truths: Truths, rng: np.random.Generator
) -> pl.DataFrame:
    channels = list(truths.contacts.costs)
    complaint = rng.random(customer.size) < np.array([0.72, 0.18, 0.85, 0.02, 0.06, 0.40])[topic]
    channel = rng.choice(len(channels), customer.size, p=(0.34, 0.30, 0.26, 0.10))
    hours = rng.lognormal(np.where(complaint, 3.0, 1.2), 1.0)
    happy = np.where(complaint, np.where(hours < 24, 0.78, 0.45), 0.9)
    outcome = np.where(rng.random(customer.size) < happy, np.where(hours < 24, 0, 1), 2)
    cost = np.array(list(truths.contacts.costs.values()))[channel] * rng.lognormal(0, 0.25, customer.size)
    return pl.DataFrame({
        "customer_no": people.numbers()[customer],
        "minute": minute,
        "solving": np.rint(hours * 60).astype(np.int64),
        "kind": labels(("contact", "complaint"), complaint.astype(np.int64)),
        "channel": labels(channels, channel),
        "topic": labels(_TOPICS, topic),
        "cost": np.rint(cost * 100 * np.where(complaint, 2.2, 1.0)).astype(np.int64),
        "outcome": labels(_OUTCOMES, outcome),
    }).sort("minute", "customer_no", "topic", "cost")  # fmt: skip


def spend(customers_by_segment: Floats, active: Floats, history: History, truths: Truths) -> pl.DataFrame:
    """Spend by month, channel and purpose in cents.

    `customers_by_segment` counts new customers, `active` buying customers: month by segment.
    """
    months = np.unique(history.months)
    cac = truths.of_segments("cac")
    wobble = 1 + 0.08 * np.sin(np.arange(months.size))[:, None]
    amounts = np.stack([customers_by_segment * cac * wobble, active * 1.1, active * 0.45 + 250], axis=2)
    month, segment, purpose = (grid.ravel() for grid in np.indices(amounts.shape))
    first = (months[month] - 1970 * 12).astype("datetime64[M]").astype("datetime64[D]")
    return pl.DataFrame({
        "month": first,
        "channel": labels(truths.segments, segment),
        "purpose": labels(_PURPOSES, purpose),
        "amount": np.rint(amounts.ravel() * 100).astype(np.int64),
    })  # fmt: skip
