"""A million survey answers to every table of gaps, and the link of what was felt to orders.

22,000 respondents answer 44 items; pandas and scipy doing the same item tables are the baseline. Bounds are
of processor seconds without the import of libraries, since the machine may be shared.
"""

import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.lines import Size, folder
from benchmarks.measure import Result, measured, ratio
from dashboard.instruments import instruments
from metrics.answers import Answers, read_answers
from metrics.gap_comparisons import respondent_gaps
from metrics.instruments import Instrument
from metrics.linkage import followed, linked, slopes
from metrics.reliability import item_analysis, reliability
from metrics.satisfaction import dimension_gaps, item_gaps

RESPONDENTS = 22_000
FEW = 500
DAY = date(2026, 1, 5)


def run(size: Size) -> Iterator[Result]:
    """Tables and fit with their own clock, then the tables against pandas and scipy."""
    count = FEW if size.quick else RESPONDENTS
    source = answers(count)
    for words, work, bound in (("gap tables", gap_tables, 1.0), ("linkage fit", linkage, 2.0)):
        work(source)
        name = f"{words} of {2 * 22 * count:,} answers"
        yield Result(name, _seconds(work, source), None if size.quick else bound, "CPU s")
    ours, theirs = (measured(f"benchmarks.surveys:{name}", source) for name in ("gap_tables", "textbook"))
    yield ratio("all gap tables, against items in pandas", None if size.quick else 1.25, ours, theirs)


def _seconds(work: Callable[[Path], None], source: Path) -> float:
    begun = time.process_time()
    work(source)
    return time.process_time() - begun


def servqual() -> Instrument:
    """The shipped questionnaire."""
    return instruments(Path()).named["servqual_1991"]


def answers(count: int) -> Path:
    """Random answers of so many respondents to both sides of 22 items."""
    path = folder(Size(0, count)) / "answers.parquet"
    if path.exists():
        return path
    random = np.random.default_rng(4)
    ids = pl.Series([f"r{at:06}" for at in range(count)])
    who = pl.Series(np.arange(count), dtype=pl.UInt32)
    parts = [
        pl.DataFrame(
            {
                "response_id": ids,
                "customer": who,
                "score": np.clip(np.round(random.normal(mean, 1, count)), 1, 7),
            }
        ).with_columns(item=pl.lit(item), part=pl.lit(part))
        for part, mean in (("expectation", 6.0), ("perception", 5.5))
        for item in servqual().codes
    ]
    rows = pl.concat(parts).with_columns(
        answered_on=pl.lit(DAY), instrument=pl.lit("servqual_1991"), weight=pl.lit(1.0)
    )
    rows.with_columns(pl.col("item", "part", "instrument").cast(pl.Categorical)).write_parquet(path)
    return path


def _read(source: Path) -> Answers:
    return read_answers(pl.read_parquet(source), servqual())


def gap_tables(source: str | Path) -> None:
    """Items, dimensions, reliability: every table of the page."""
    found = _read(Path(source))
    for table in (item_gaps, dimension_gaps, reliability, item_analysis):
        table(found)


def linkage(source: str | Path) -> None:
    """What respondents did before and after, and the model on five gaps."""
    found = _read(Path(source))
    gaps = respondent_gaps(found)
    random = np.random.default_rng(5)
    count = found.n
    orders = pl.DataFrame(
        {
            "customer": pl.Series(random.integers(0, count, 12 * count), dtype=pl.UInt32),
            "ordered_on": np.datetime64(DAY) + random.integers(-700, 300, 12 * count),
            "net_amount": random.gamma(2.0, 20.0, 12 * count),
        }
    )
    names = tuple(found.instrument.dimensions)
    responses = found.responses.select("customer", "answered_on").hstack(gaps.select(names))
    link = linked(followed(responses, orders, 90, date(2026, 12, 31), scores=names), names)
    slopes(link)  # type: ignore[arg-type]  # so many answers give a model


def textbook(source: str | Path) -> None:
    """The item table as a notebook has it: a pandas pivot, then scipy item by item."""
    import pandas as pd
    from scipy import stats

    rows = pl.read_parquet(source).to_pandas()
    wide = rows.pivot_table(index="response_id", columns=["part", "item"], values="score", observed=True)
    gaps = wide["perception"] - wide["expectation"]
    for item in gaps:
        values = gaps[item].dropna()
        stats.ttest_1samp(values, 0).confidence_interval()
        stats.wilcoxon(values[values != 0], method="asymptotic")
    pd.DataFrame({"gap": gaps.mean()})
