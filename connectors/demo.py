"""The demonstration project: a seeded generator of a believable omnichannel retailer."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from zlib import crc32

import numpy as np
import polars as pl

from connectors import demo_baskets, demo_orders, demo_people, demo_service
from connectors.demo_calendar import Floats, History, Ints
from connectors.demo_truths import Truths, catalogue, names, shipped, truths

SEED = 20261031
END = date(2026, 10, 31)
BLOCK = 80_000
"""Customers generated at a time; a larger project gets its orders as Parquet, a part a block."""

_CSV_ORDERS = "kind: csv\n    location: data/orders-*.csv"
_PARQUET_ORDERS = "kind: parquet\n    location: data/orders-*.parquet"


@dataclass(frozen=True)
class Tables:
    """The generated frames of one block of customers."""

    customers: pl.DataFrame
    orders: pl.DataFrame
    interactions: pl.DataFrame
    newcomers: Floats
    active: Floats


def write(
    folder: Path, *, customers: int = 20_000, months: int = 36, seed: int = SEED, end: date = END
) -> None:
    """Write a complete project of this size: rapport.yaml, sources.yaml, data files and, beside them, truth/.

    The same arguments give the same bytes. Files that exist are replaced. `end` is the last day.
    """
    history = History.of_months(months, end)
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    large = customers > BLOCK
    _write_settings(folder, large=large)
    _write_csv(demo_baskets.products(catalogue()), data / "products.csv")
    sums: list[tuple[Floats, Floats]] = []
    orders = contacts = 0
    for part, (offset, size) in enumerate(_blocks(customers)):
        tables = _block(size, offset, orders, history, truths(), seed)
        orders = int(tables.orders["order_no"].to_numpy().max(initial=orders))
        _write_orders(tables.orders, data, part, large=large)
        _write_csv(_customers(tables.customers), data / "customers.csv", append=part > 0)
        _write_contacts(tables.interactions, contacts, data / f"contacts-{part:03}.parquet")
        contacts += tables.interactions.height
        sums.append((tables.newcomers, tables.active))
    newcomers, active = (np.sum([pair[k] for pair in sums], axis=0) for k in (0, 1))
    _write_csv(_money(demo_service.spend(newcomers, active, history, truths()), "amount"), data / "spend.csv")


def _blocks(customers: int) -> Iterator[tuple[int, int]]:
    for offset in range(0, customers, BLOCK):
        yield offset, min(BLOCK, customers - offset)


def stream(seed: int, offset: int, stage: str) -> np.random.Generator:
    """Random numbers of one stage of one block: a change in a stage leaves the others as they were."""
    return np.random.default_rng([seed, offset, crc32(stage.encode())])


def _block(size: int, offset: int, numbered: int, history: History, truth: Truths, seed: int) -> Tables:
    def rng(stage: str) -> np.random.Generator:
        return stream(seed, offset, stage)

    people = demo_people.people(size, offset, history, truth, rng("people"))
    customer, day = demo_orders.purchases(people, history, truth, rng("purchases"))
    orders = demo_orders.orders(customer, day, truth, rng("orders"))
    sent = demo_baskets.deliveries(orders, people, history, truth, rng("deliveries"))
    lines = demo_baskets.lines(orders, sent, people, history, truth, catalogue(), rng("lines"))
    sold = demo_baskets.table(lines, orders, sent, people, history, truth, catalogue(), numbered + 1)
    rows, days = demo_baskets.returned(lines, orders, sent, history, truth, catalogue(), rng("returns"))
    back = demo_baskets.return_table(sold, rows, days, history, truth)
    contacts = demo_service.interactions(
        orders, sent, np.unique(lines.order[rows]), people, history, truth, rng("contacts")
    )
    first = people.joined[people.ordered]
    seen = np.unique(np.stack([history.months[orders.day], orders.customer]), axis=1)
    return Tables(
        customers=demo_people.table(people, history, truth, names(), rng("names")),
        orders=pl.concat([sold, back]).sort("order_time", "order_no", "line", maintain_order=True),
        interactions=contacts,
        newcomers=_by_month(history.months[first], people.segment[people.ordered], history, truth),
        active=_by_month(seen[0], people.segment[seen[1]], history, truth),
    )


def _by_month(month: Ints, segment: Ints, history: History, truth: Truths) -> Floats:
    counts = np.zeros((int(history.months[-1] - history.months[0]) + 1, len(truth.segments)))
    np.add.at(counts, (month - history.months[0], segment), 1)
    return counts


def _write_settings(folder: Path, *, large: bool) -> None:
    sources = shipped("sources.yaml")
    if large:
        sources = sources.replace(_CSV_ORDERS, _PARQUET_ORDERS)
    (folder / "sources.yaml").write_text(sources, encoding="utf-8")
    (folder / "rapport.yaml").write_text(shipped("rapport.yaml"), encoding="utf-8")


def _write_orders(orders: pl.DataFrame, data: Path, part: int, *, large: bool) -> None:
    frame = _money(orders, "list_amount", "paid", "cost").with_columns(
        order_no=pl.when(pl.col("returns_order").is_null())
        .then(_code("A", "order_no"))
        .otherwise(_code("R", "order_no")),
        customer_no=_code("C", "customer_no"),
        sku=pl.format("P{}", (pl.col("sku") + 1).cast(pl.String).str.zfill(4)),
        returns_order=_code("A", "returns_order"),
    )  # fmt: skip
    if large:
        frame.write_parquet(data / f"orders-{part:03}.parquet")
        return
    for year in frame["order_time"].dt.year().unique().sort():
        _write_csv(frame.filter(pl.col("order_time").dt.year() == year), data / f"orders-{year}.csv")


def _write_contacts(contacts: pl.DataFrame, numbered: int, path: Path) -> None:
    numbers = pl.int_range(pl.len()) + numbered + 1
    _money(contacts, "cost").with_columns(
        customer_no=_code("C", "customer_no"),
        contact_no=pl.format("K{}", numbers.cast(pl.String).str.zfill(7)),
    ).write_parquet(path)


def _customers(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(customer_no=_code("C", "customer_no"))


def _code(letter: str, number: str) -> pl.Expr:
    """A running number as an id with leading zeros."""
    return pl.format(letter + "{}", pl.col(number).cast(pl.String).str.zfill(7))


def _money(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Whole cents as decimals."""
    return frame.with_columns(pl.col(columns).cast(pl.Decimal(18, 2)) / 100)


def _write_csv(frame: pl.DataFrame, path: Path, *, append: bool = False) -> None:
    with path.open("ab" if append else "wb") as file:
        frame.write_csv(file, include_header=not append, datetime_format="%Y-%m-%d %H:%M")
