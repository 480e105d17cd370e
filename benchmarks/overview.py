"""The figures of the Overview at full size: 20 tiles with their 13 months, and changes of its filters.

Timed within one process on opened marts, as the server keeps them. Every change of filters is one that was
not asked before in that process.
"""

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path

import polars as pl

from benchmarks.lines import Size
from benchmarks.marts import store
from benchmarks.measure import Cost, Result, ratio
from dashboard.definitions import definitions
from metrics.catalog import Catalog
from metrics.figures import compute
from metrics.frames import Marts
from metrics.marts import build
from metrics.periods import Calendar, Grain, Window
from metrics.selection import Selection

TILES = (
    "average_profit_per_order",
    "average_customer_value",
    "retention_rate",
    "new_customers",
    "cross_and_up_sell_share",
    "net_revenue",
    "active_customers",
    "repeat_purchase_rate",
    "average_order_value",
    "orders",
    "customers",
    "gross_revenue",
    "return_rate",
    "gross_margin",
    "gross_margin_rate",
    "discount_rate",
    "repeat_customers",
    "returning_customers",
    "new_customer_share",
    "orders_per_customer",
)
CALENDAR = Calendar()
AS_OF = date(2024, 12, 31)
LAST = CALENDAR.code(AS_OF, Grain.MONTH)
HISTORY = Window(Grain.MONTH, LAST, 13)
REGIONS = ("East", "North", "South", "West")
TIERS = ("Blue", "Gold", "Silver")


def run(size: Size) -> Iterator[Result]:
    """Cold and warm tiles, then changes of attributes, period and category."""
    with tempfile.TemporaryDirectory(prefix="rapport-bench-") as place:
        frames = written(size, Path(place))
        catalog = definitions(Path(place), {}).catalog
        first = Marts(frames, CALENDAR, AS_OF)
        tiles(catalog, first, HISTORY)  # loads the columns that the server holds in memory
        marts = anew(first)
        cold = timed(lambda: tiles(catalog, marts, HISTORY))
        alone = timed(lambda: [compute(catalog, [tile], anew(marts), HISTORY) for tile in TILES])
        warm = timed(lambda: tiles(catalog, marts, HISTORY))
        changes = {name: [timed(change) for change in some] for name, some in asked(catalog, marts).items()}
    told = len(TILES)
    bounds: Mapping[str, float | None] = dict.fromkeys(("cold", "warm", "change")) if size.quick else BOUNDS
    yield Result(
        f"{told} tiles with 13 months, nothing kept", cold.seconds * 1000, bounds["cold"], "ms", cold
    )
    yield Result(f"{told} tiles with 13 months, asked again", warm.seconds * 1000, bounds["warm"], "ms", warm)
    yield ratio(f"{told} tiles at once against each alone", None, cold, alone)
    for name, costs in changes.items():
        slowest = sorted(costs, key=lambda cost: cost.seconds)[int(len(costs) * 0.95) - 1]
        bound = bounds["change"] if name != "categories" else None
        yield Result(f"change of {name}, 95th percentile", slowest.seconds * 1000, bound, "ms", slowest)


BOUNDS = {"cold": 300.0, "warm": 30.0, "change": 150.0}


def written(size: Size, place: Path) -> dict[str, pl.LazyFrame]:
    """The marts of the benchmark's lines and customers, on disk as in a store."""
    store(size, place / "lines.parquet")
    lines = pl.scan_parquet(place / "lines.parquet")
    ids = lines.select("customer_id").unique().sort("customer_id").collect()
    number = pl.int_range(pl.len())
    people = ids.with_columns(
        (number % len(REGIONS)).replace_strict(dict(enumerate(REGIONS))).alias("region"),
        (number // 7 % len(TIERS)).replace_strict(dict(enumerate(TIERS))).alias("tier"),
    )
    made = build({"order_lines": lines, "customers": people.lazy()}, CALENDAR, AS_OF)
    frames = {}
    for name, mart in made.items():
        mart.lazy().sink_parquet(place / f"{name}.parquet", row_group_size=500_000)
        frames[name] = pl.scan_parquet(place / f"{name}.parquet")
    return frames


def anew(marts: Marts) -> Marts:
    """The same opened marts with nothing computed from them yet."""
    return Marts(marts.frames, marts.calendar, marts.as_of, opened=marts.opened)


def tiles(catalog: Catalog, marts: Marts, window: Window) -> None:
    """What the Overview asks for."""
    figures = compute(catalog, TILES, marts, window)
    if figures.filter(pl.col("period") == window.last)["value"].null_count():
        raise SystemExit("a tile is empty")


def asked(catalog: Catalog, marts: Marts) -> dict[str, list[Callable[[], None]]]:
    """Changes of filters, none of them asked before."""
    attributes = [
        Selection({"region": regions, "tier": tiers})
        for regions in itertools.combinations(REGIONS, 2)
        for tiers in [*itertools.combinations(TIERS, 1), *itertools.combinations(TIERS, 2)]
    ]
    one = [Selection(categories=(category,)) for category in marts.categories[:10]]
    several = [Selection(categories=marts.categories[at : at + 5]) for at in range(3)]
    periods = [Window(Grain.MONTH, LAST - back, 13) for back in range(1, 9)]

    def change(selection: Selection, window: Window = HISTORY) -> Callable[[], None]:
        return lambda: tiles(catalog, marts.select(selection), window)

    change(several[0])()  # loads the columns of baskets
    return {
        "attributes": [change(selection) for selection in attributes],
        "period": [change(Selection(), window) for window in periods],
        "category": [change(selection) for selection in one],
        "categories": [change(selection) for selection in several[1:]],
    }


def timed(work: Callable[[], object]) -> Cost:
    """The cost of a piece of work, once."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu, 0.0)
