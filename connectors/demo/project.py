"""The demonstration project: a seeded generator of a believable omnichannel retailer."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from connectors.demo import baskets, contracts, faults, purchases, service, survey
from connectors.demo.answers import export
from connectors.demo.calendar import History
from connectors.demo.files import code, money, write_by_year, write_csv
from connectors.demo.labels import customer_labels, response_labels
from connectors.demo.orders import orders as placed_orders
from connectors.demo.orders import traits
from connectors.demo.people import people as drawn_people
from connectors.demo.people import table as customer_table
from connectors.demo.receipts import coded, returned_orders
from connectors.demo.receipts import receipts as printed_receipts
from connectors.demo.service import Activity
from connectors.demo.truths import Truths, catalogue, comments, names, shipped, truths
from connectors.demo.world import World

SEED = 20261031
END = date(2026, 10, 31)
BLOCK = 80_000
"""Customers generated at a time; a larger project gets its orders as Parquet, a part a block."""

_CSV_ORDERS = "kind: csv\n    location: data/orders-*.csv"
_PARQUET_ORDERS = "kind: parquet\n    location: data/orders-*.parquet"


_CUSTOMER = code("C", "customer_no").alias("customer_no")


@dataclass(frozen=True)
class Block:
    """The frames of one block of customers; `labels` and `responses` are the truth about it."""

    customers: pl.DataFrame
    orders: pl.DataFrame
    contacts: pl.DataFrame
    contracts: pl.DataFrame
    answers: pl.DataFrame
    labels: pl.DataFrame
    responses: pl.DataFrame
    activity: Activity


def write(
    folder: Path,
    *,
    customers: int = 20_000,
    months: int = 36,
    seed: int = SEED,
    end: date = END,
    truth: Truths | None = None,
) -> None:
    """Write a complete project of this size: its YAML files, data files and, beside them, truth/.

    The same arguments give the same bytes; files that exist are replaced. `end` is the last day, `truth` the
    parameters: the shipped ones when not given. `truths.control` takes the plants out of them.
    """
    world = World(
        History.of_months(months, end), truth or truths(), catalogue(), names(), comments(), customers, seed
    )
    _clear(folder)
    _write_settings(folder, large=customers > BLOCK)
    write_csv(baskets.products(world.catalogue), folder / "data" / "products.csv")
    activity = list(_write_blocks(folder, world))
    faults.add(folder / "data", world)
    write_csv(money(service.spend(activity, world), "amount"), folder / "data" / "spend.csv")


def _write_blocks(folder: Path, world: World) -> Iterator[Activity]:
    orders = contacts = contracts = 1
    for part, offset in enumerate(range(0, world.customers, BLOCK)):
        size = min(BLOCK, world.customers - offset)
        block = _block(world.block(offset), size, orders, contacts, contracts)
        _write_block(block, folder, part, large=world.customers > BLOCK)
        orders += _numbers(block.orders, "order_no", orders)
        contacts += block.contacts.height
        contracts += _numbers(block.contracts, "contract", contracts)
        yield block.activity


def _numbers(frame: pl.DataFrame, column: str, first: int) -> int:
    """How many numbers from `first` on the column has used."""
    return int(frame[column].to_numpy().max(initial=first - 1)) - first + 1


def _block(world: World, size: int, first_order: int, first_contact: int, first_contract: int) -> Block:
    people = drawn_people(world, size)
    tale, answers, asked = survey.surveyed(purchases.story(people, world), people, world)
    drafted = placed_orders(tale.purchases, people, world)
    contacts = service.about_orders(drafted, world)
    tale = service.lost(tale, contacts, people, world)
    kept = service.kept_orders(drafted, tale)
    orders, contacts = drafted.only(kept), service.of_orders(contacts, kept)
    trait = traits(people, world)
    lines = baskets.lines(orders, trait, people, world)
    receipts = printed_receipts(lines, orders, trait, people, world, first_order)
    returned = returned_orders(receipts, first_order)
    contacts = contacts.plus(service.about_returns(orders, returned, world))
    contacts = contacts.plus(service.visits(orders, trait, world))
    return Block(
        customers=customer_table(people, tale.offered, tale.enrolled, world),
        orders=receipts,
        contacts=service.table(contacts, people, world, first_contact),
        contracts=contracts.contracts(people, world, first_contract),
        answers=export(answers, asked, orders, people, world, first_order),
        labels=customer_labels(tale, trait, people, world),
        responses=response_labels(answers, people),
        activity=service.activity(orders, people, world),
    )


def _write_block(block: Block, folder: Path, part: int, *, large: bool) -> None:
    """Append the block to the CSV files, and add its own Parquet files."""
    data, later = folder / "data", part > 0
    orders = coded(block.orders)
    if large:
        orders.write_parquet(data / f"orders-{part:03}.parquet")
    else:
        write_by_year(orders, "order_time", data / "orders")
    write_csv(block.customers.with_columns(_CUSTOMER), data / "customers.csv", append=later)
    contacts = money(block.contacts, "cost").with_columns(_CUSTOMER, contact_no=code("K", "contact_no"))
    contacts.write_parquet(data / f"contacts-{part:03}.parquet")
    contracts = money(block.contracts, "amount").with_columns(_CUSTOMER, contract=code("S", "contract"))
    write_csv(contracts, data / "subscriptions.csv", append=later)
    write_csv(block.answers.with_columns(_CUSTOMER), data / "survey.csv", append=later, blank="NA")
    block.labels.write_parquet(folder / "truth" / f"customers-{part:03}.parquet")
    block.responses.write_parquet(folder / "truth" / f"responses-{part:03}.parquet")


def _clear(folder: Path) -> None:
    """Make the folders, and take away the parts of an earlier project."""
    for name in ("data", "truth"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for pattern in ("data/orders-*.csv", "data/*-[0-9][0-9][0-9].parquet", "truth/*.parquet"):
        for path in folder.glob(pattern):
            path.unlink()


def _write_settings(folder: Path, *, large: bool) -> None:
    sources = shipped("sources.yaml").read_text(encoding="utf-8")
    if large:
        sources = sources.replace(_CSV_ORDERS, _PARQUET_ORDERS)
    (folder / "sources.yaml").write_text(sources, encoding="utf-8")
    for name in ("rapport.yaml", "scenarios.yaml"):
        (folder / name).write_text(shipped(name).read_text(encoding="utf-8"), encoding="utf-8")
