"""Twenty tiles with their 13 months at full size: at once, asked again, and each alone.

Timed within one process on opened marts, as the server keeps them. CPU seconds stand beside the wall's.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
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


ROLLING = ("active_customers_year", "revenue_year", "revenue_growth", "customers_ever")
BOUNDS = {"cold": 300.0, "warm": 30.0}


def run(size: Size) -> Iterator[Result]:
    """Cold and warm tiles beside each tile alone; rolling figures, counted in one pass."""
    with tempfile.TemporaryDirectory(prefix="rapport-bench-") as place:
        frames = written(size, Path(place))
        catalog = definitions(Path(place), {}).catalog
        first = Marts(frames, CALENDAR, AS_OF)
        tiles(catalog, first, HISTORY)  # loads the columns that the server holds in memory
        marts = anew(first)
        cold = timed(lambda: tiles(catalog, marts, HISTORY))
        warm = timed(lambda: tiles(catalog, marts, HISTORY))
        alone = timed(lambda: [compute(catalog, [tile], anew(marts), HISTORY) for tile in TILES])
        compute(catalog, ROLLING, first, HISTORY)
        rolling = timed(lambda: compute(catalog, ROLLING, anew(first), HISTORY))
    told = f"{len(TILES)} tiles with 13 months"
    for name, cost in {"cold": cold, "warm": warm}.items():
        bound = None if size.quick else BOUNDS[name]
        yield Result(f"{told}, {name}", cost.seconds * 1000, bound, "ms", cost)
    yield ratio(f"{told} at once against each alone", None if size.quick else 0.5, cold, alone)
    yield ratio(f"{told} asked again against the first time", None, warm, cold)
    yield Result(
        f"{len(ROLLING)} rolling figures with 13 months", rolling.seconds * 1000, None, "ms", rolling
    )


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


def timed(work: Callable[[], object]) -> Cost:
    """The cost of a piece of work, once."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu, 0.0)
