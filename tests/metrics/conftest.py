"""A small shop with everything that makes counting hard, and the shipped definitions."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from config.load import read_many
from connectors.tables import INSTANT, MONEY
from metrics.catalog import DEFINITION, Catalog, catalog
from metrics.frames import Marts
from metrics.marts import build
from metrics.periods import Calendar

AS_OF = date(2024, 6, 20)
SHIPPED = Path(__file__).parents[2] / "config" / "metrics"


def shop_lines(seed: int, customers: int = 120, orders: int = 700) -> pl.DataFrame:
    """Order lines in any order, with all that makes counting hard.

    Unknown buyers, several orders a day, orders over two days, returns of their own and within an order,
    missing costs and categories, prices that rise and fall.
    """
    rng = np.random.default_rng(seed)
    days = rng.integers(0, 537, orders)
    buyers = rng.integers(0, customers, orders)
    rows: list[dict[str, Any]] = []
    for number in range(orders):
        buyer = None if rng.random() < 0.06 else f"c{buyers[number]:04d}"
        for line in range(rng.integers(1, 5)):
            later = int(rng.random() < 0.04) * 40
            back = bool(rng.random() < 0.1)
            quantity = float(rng.integers(1, 5))
            price = rng.integers(100, 5000) / 100
            sign = -1 if back else 1
            rows.append(
                {
                    "order_id": f"{'r' if back and rng.random() < 0.6 else 'o'}{number:05d}",
                    "line_id": str(line),
                    "customer_id": buyer,
                    "ordered_on": date(2023, 1, 1) + timedelta(days=int(days[number]) + later),
                    "category": [None, "books", "games", "tea", "toys"][rng.integers(0, 5)],
                    "quantity": sign * quantity,
                    "net_amount": round(sign * quantity * price, 2),
                    "cost": None if rng.random() < 0.1 else round(sign * quantity * price * 0.6, 4),
                    "discount": round(quantity * rng.random(), 2),
                    "is_return": back,
                    "channel": ["app", "store", "web"][rng.integers(0, 3)],
                }
            )
    frame = pl.DataFrame(rows, infer_schema_length=None).sample(fraction=1, shuffle=True, seed=seed)
    return frame.with_columns(
        pl.col("net_amount", "cost", "discount").cast(MONEY),
        pl.col("ordered_on").cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias("ordered_at"),
    )


def shop_tables(seed: int) -> dict[str, pl.DataFrame]:
    """Every table of the shop."""
    rng = np.random.default_rng(seed + 1000)
    ids = [f"c{number:04d}" for number in range(130)]
    customers = pl.DataFrame(
        {
            "customer_id": ids,
            "region": [
                None if rng.random() < 0.05 else str(rng.choice(["East", "North", "West"])) for _ in ids
            ],
            "channel": rng.choice(["app", "store", "web"], len(ids)),
            "vip": rng.random(len(ids)) < 0.3,
        }
    )
    answers = pl.DataFrame(
        {
            "response_id": [f"q{number // 2}" for number in range(400)],
            "item": ["overall", "nps"] * 200,
            "part": ["score"] * 400,
            "customer_id": [None if rng.random() < 0.1 else str(rng.choice(ids)) for _ in range(400)],
            "answered_at": [_moment(rng) for _ in range(400)],
            "instrument": ["q"] * 400,
            "score": [float(rng.integers(0, 8 if at % 2 == 0 else 11)) for at in range(400)],
        }
    )
    contacts = pl.DataFrame(
        {
            "interaction_id": [f"i{number}" for number in range(300)],
            "customer_id": [None if rng.random() < 0.1 else str(rng.choice(ids)) for _ in range(300)],
            "occurred_at": [_moment(rng) for _ in range(300)],
            "kind": rng.choice(["complaint", "contact"], 300),
            "cost": [round(float(rng.random()) * 9, 2) for _ in range(300)],
        }
    )
    months = [
        date(2023, 1, 1),
        date(2023, 2, 1),
        *(date(2023 + m // 12, m % 12 + 1, 1) for m in range(2, 18)),
    ]
    spend = pl.DataFrame(
        [
            {
                "spent_on": month,
                "channel": channel,
                "purpose": purpose,
                "amount": float(rng.integers(50, 500)),
            }
            for month in months
            for channel in ("app", "store", "web")
            for purpose in ("acquisition", "retention")
        ]
    )
    money = pl.col("cost").cast(MONEY)
    return {
        "order_lines": shop_lines(seed),
        "customers": customers,
        "survey_answers": answers.with_columns(pl.col("answered_at").cast(INSTANT)),
        "interactions": contacts.with_columns(pl.col("occurred_at").cast(INSTANT), money),
        "spend": spend.with_columns(pl.col("amount").cast(MONEY)),
    }


def _moment(rng: np.random.Generator) -> datetime:
    return datetime(2023, 1, 1, 12) + timedelta(days=int(rng.integers(0, 530)))  # noqa: DTZ001 (cast to UTC)


def opened(
    tables: Mapping[str, pl.DataFrame], calendar: Calendar | None = None, as_of: date = AS_OF
) -> Marts:
    """The marts of some tables, with the tables beside them."""
    ours = calendar or Calendar()
    lazy = {name: table.lazy() for name, table in tables.items()}
    return Marts({**lazy, **build(lazy, ours, as_of)}, ours, as_of)


@pytest.fixture(scope="session")
def shop() -> dict[str, pl.DataFrame]:
    return shop_tables(7)


@pytest.fixture(scope="session")
def shop_marts(shop: dict[str, pl.DataFrame]) -> Marts:
    return opened(shop)


@pytest.fixture(scope="session")
def shipped() -> Catalog:
    """The shipped metrics; none may be broken."""
    loaded = read_many(sorted(SHIPPED.glob("*.yaml")), DEFINITION, under="metrics")
    made = catalog(loaded.items)
    assert not (*loaded.problems, *made.problems)
    return made


@pytest.fixture(scope="session")
def open_marts() -> Callable[..., Marts]:
    return opened
