"""One customer: everything that happened, day by day, and how much in which category."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from connectors.tables import MONEY
from metrics.customer_facts import CUSTOMER
from metrics.frames import Marts

KINDS: Final = ("order", "return", "contact", "complaint", "answer", "contract", "contract_end")
"""What a line of a life may be."""

LINE: Final[Mapping[str, pl.DataType]] = {
    "day": pl.Date(),
    "kind": pl.String(),
    "what": pl.String(),
    "detail": pl.String(),
    "amount": MONEY,
    "count": pl.Int64(),
}
_SCORE: Final = "score"


def life(marts: Marts, customer: int) -> pl.DataFrame:
    """What a customer did and what happened to him, the latest first; empty where nothing is known.

    Columns as in LINE. Of an order or return `what` is its id, `amount` net, `count` its lines; of a contact
    `what` is its topic and `detail` how it ended; of an answer `what` is the survey, `detail` its scores and
    `count` the items answered; of a contract `what` is the plan and `amount` what is billed.
    """
    parts = [
        part
        for part in (
            _orders(marts, customer),
            _contacts(marts, customer),
            _answers(marts, customer),
            *_contracts(marts, customer),
        )
        if part is not None
    ]
    rows = pl.concat([pl.DataFrame(schema=LINE), *parts])
    return rows.sort("day", "kind", "what", descending=[True, False, False])


def _own(marts: Marts, mart: str, customer: int) -> pl.DataFrame | None:
    """The rows of a mart about one customer; None where no source gives it."""
    if mart not in marts.frames:
        return None
    return marts.frames[mart].lazy().filter(pl.col(CUSTOMER) == customer).collect()


def _lines(rows: pl.DataFrame, **columns: pl.Expr) -> pl.DataFrame:
    given = {name: columns.get(name, pl.lit(None)) for name in LINE}
    return rows.select(expr.cast(LINE[name]).alias(name) for name, expr in given.items())


def _orders(marts: Marts, customer: int) -> pl.DataFrame | None:
    rows = _own(marts, "orders", customer)
    if rows is None:
        return None
    kind = pl.when(pl.col("orders") > 0).then(pl.lit("order")).otherwise(pl.lit("return"))
    channel = pl.col("channel") if "channel" in rows.columns else pl.lit(None)
    return _lines(
        rows,
        day=pl.col("ordered_on"),
        kind=kind,
        what=pl.col("order_id"),
        detail=channel,
        amount=pl.col("net_amount"),
        count=pl.col("lines"),
    )


def _contacts(marts: Marts, customer: int) -> pl.DataFrame | None:
    rows = _own(marts, "contacts", customer)
    if rows is None:
        return None
    complaint = pl.col("kind").cast(pl.String) == "complaint"
    topic = pl.coalesce(pl.col("topic").cast(pl.String), pl.col("kind").cast(pl.String))
    return _lines(
        rows,
        day=pl.col("occurred_on"),
        kind=pl.when(complaint).then(pl.lit("complaint")).otherwise(pl.lit("contact")),
        what=topic,
        detail=pl.col("outcome"),
        amount=pl.col("cost"),
    )


def _answers(marts: Marts, customer: int) -> pl.DataFrame | None:
    rows = _own(marts, "answers", customer)
    if rows is None:
        return None
    scored = pl.col("part").cast(pl.String) == _SCORE
    said = pl.format("{} {}", pl.col("item").cast(pl.String), pl.col("score").round(1))
    by = ("response_id", "instrument", "answered_on")
    answered = rows.filter(pl.col("item").cast(pl.String) != "invited", pl.col("score").is_not_null())
    found = answered.group_by(by).agg(
        said.filter(scored).str.replace(r"\.0$", "").sort().str.join(", ").alias("scores"), pl.len()
    )
    return _lines(
        found,
        day=pl.col("answered_on"),
        kind=pl.lit("answer"),
        what=pl.col("instrument"),
        detail=pl.col("scores"),
        count=pl.col("len"),
    )


def _contracts(marts: Marts, customer: int) -> tuple[pl.DataFrame, ...]:
    rows = _own(marts, "contracts", customer)
    if rows is None:
        return ()
    amount, plan, every = pl.col("amount"), pl.col("plan"), pl.col("billing_period")
    began = _lines(
        rows,
        day=pl.col("started_on"),
        kind=pl.lit("contract"),
        what=plan,
        detail=every,
        amount=amount,
    )
    over = rows.filter(pl.col("ended_on") <= marts.as_of)
    ended = _lines(
        over, day=pl.col("ended_on"), kind=pl.lit("contract_end"), what=plan, detail=every, amount=amount
    )
    return began, ended


def categories(marts: Marts, customer: int) -> pl.DataFrame:
    """What a customer bought by category: category, orders, net_amount, last_on; the largest amount first."""
    schema: dict[str, pl.DataType] = {
        "category": pl.String(),
        "orders": pl.Int64(),
        "net_amount": MONEY,
        "last_on": pl.Date(),
    }
    rows = _own(marts, "baskets", customer)
    if rows is None:
        return pl.DataFrame(schema=schema)
    bought = rows.filter(pl.col("category").is_not_null())
    found = bought.group_by(pl.col("category").cast(pl.String)).agg(
        (pl.col("purchases") > 0).sum().cast(pl.Int64).alias("orders"),
        pl.col("net_amount").sum(),
        pl.col("ordered_on").filter(pl.col("purchases") > 0).max().alias("last_on"),
    )
    return found.sort("net_amount", "category", descending=[True, False]).select(list(schema))
