"""Lifetime models against `lifetimes` in an interpreter of its own, else against the textbook formula.

Customers are simulated as BG/NBD tells it: 104 weeks of days, histories as the marts give them. Bounds are of
processor seconds, since the machine may be shared. `lifetimes` needs an older pandas than this package:

    python -m venv ../lifetimes && ../lifetimes/bin/pip install lifetimes "pandas<3" polars pyarrow
    LIFETIMES_PYTHON=../lifetimes/bin/python python -m benchmarks lifetime
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
from scipy.optimize import minimize
from scipy.special import betaln, gammaln

from benchmarks.lines import Size, folder
from benchmarks.measure import Cost, Result, measured
from metrics.equity import Drivers
from metrics.equity_drivers import Measured
from metrics.equity_scenarios import Scenario, outcome
from metrics.lifetime.bgnbd import BGNBD
from metrics.lifetime.gammagamma import GammaGamma
from metrics.lifetime.history import compress, times
from metrics.lifetime.paretonbd import ParetoNBD

SMALL = 2357  # customers, as many as the sample that the papers use
MIDDLE = 100_000  # as many as lifetimes can fit a Pareto/NBD to in minutes
MEGABYTES = 2000
WORKS = (
    ("BG/NBD fit", "bgnbd", 3.0),
    ("Gamma-Gamma fit", "gammagamma", 2.0),
    ("Pareto/NBD fit", "paretonbd", 25.0),
    ("P(alive)", "p_alive", 2.0),
    ("expected orders", "expectation", 2.0),
    ("DERT", "dert", 2.0),
)
_BG = BGNBD(0.93, 4.72, 0.80, 5.93)
_PARETO = ParetoNBD(1.28, 7.40, 1.11, 61.7)


def run(size: Size) -> Iterator[Result]:
    """Fits and scores of all customers, then the ratios against the other implementation."""
    source, small = histories(size.customers), histories(SMALL)
    yield _small("BG/NBD fit", small, bgnbd, None if size.quick else 15.0)
    costs = {}
    for words, work, bound in WORKS:
        costs[work] = cost = measured(f"benchmarks.lifetime:{work}", source)
        name = f"{words} of {size.customers:,} customers"
        yield Result(name, cost.cpu_seconds, None if size.quick else bound, "CPU s", cost)
        yield Result(f"{name}, memory", cost.peak_mb, MEGABYTES, "MB", cost)
    yield _slider()
    other = os.environ.get("LIFETIMES_PYTHON", "")
    if not other:
        baseline = measured("benchmarks.lifetime:textbook", source)
        name = f"BG/NBD fit of {size.customers:,} customers, against textbook"
        yield _ratio(name, size, costs["bgnbd"], baseline)
        return
    middle = histories(min(size.customers, MIDDLE))
    for words, work, against in (
        ("BG/NBD", "bgnbd", source),
        ("Gamma-Gamma", "gammagamma", source),
        ("Pareto/NBD", "paretonbd", middle),
    ):
        ours = costs[work] if against is source else measured(f"benchmarks.lifetime:{work}", against)
        theirs = measured(f"benchmarks.lifetimes_baseline:{work}", against, python=other)
        n = size.customers if against is source else min(size.customers, MIDDLE)
        yield _ratio(f"{words} fit of {n:,} customers, against lifetimes", size, ours, theirs)


def _ratio(name: str, size: Size, cost: Cost, baseline: Cost) -> Result:
    value = cost.cpu_seconds / baseline.cpu_seconds
    return Result(name, value, None if size.quick else 1.0, "times the baseline", cost, baseline)


def _slider() -> Result:
    """One move of a slider: the outcome of a scenario, with its interval from 400 draws."""
    drivers = Drivers(1_000_000, 0.48, 0.1, 4.1, 74.0, 0.41, 5.6, 500_000, 20.0)
    found = Measured(drivers, 480_000, 1_000_000, np.random.default_rng(0).beta(480_000, 520_000, 400))
    spent = []
    for points in range(1, 21):
        start = time.process_time()
        outcome(Scenario(name="more", retention_points=points / 4), found)
        spent.append(time.process_time() - start)
    return Result("a move of a what-if slider", 1000 * median(spent), 100.0, "CPU ms")


def _small(words: str, source: Path, work: Callable[[str], None], bound: float | None) -> Result:
    work(str(source))
    spent = []
    for _ in range(20):
        start = time.process_time()
        work(str(source))
        spent.append(time.process_time() - start)
    return Result(f"{words} of {SMALL:,} customers", 1000 * median(spent), bound, "CPU ms")


def histories(customers: int) -> Path:
    """Simulated histories with spend, generated on first use."""
    path = folder(Size(0, customers)) / "histories.parquet"
    if not path.exists():
        simulated(customers).write_parquet(path)
    return path


def simulated(customers: int, seed: int = 0) -> pl.DataFrame:
    """Customers who order at their own rate and leave after an order; one order a day at most is seen."""
    rng = np.random.default_rng(seed)
    age = rng.integers(1, 104 * 7 + 1, customers)
    rate, leaving = rng.gamma(0.9, 1 / 4.4, customers) / 7, rng.beta(0.8, 6.0, customers)
    now, last = np.zeros(customers), np.zeros(customers, dtype=np.int64)
    orders = np.zeros(customers, dtype=np.int64)
    active = np.arange(customers)
    while len(active):
        now[active] += rng.exponential(1 / np.maximum(rate[active], 1e-12))
        active = active[now[active] < age[active]]
        day = np.ceil(now[active]).astype(np.int64)
        orders[active] += day > last[active]
        last[active] = day
        active = active[rng.random(len(active)) >= leaving[active]]
    spend = (
        rng.gamma(6.25 * np.maximum(orders, 1))
        / rng.gamma(3.74, 1 / 15.44, customers)
        / np.maximum(orders, 1)
    )
    frame = {"frequency": orders, "recency_days": last, "age_days": age, "mean_spend": spend}
    return pl.DataFrame({"customer": np.arange(customers, dtype=np.uint32), **frame})


def bgnbd(source: str) -> None:
    """Compress and fit."""
    assert BGNBD.fit(compress(pl.read_parquet(source))).model


def paretonbd(source: str) -> None:
    """Compress and fit."""
    assert ParetoNBD.fit(compress(pl.read_parquet(source))).model


def gammagamma(source: str) -> None:
    """Fit."""
    assert GammaGamma.fit(pl.read_parquet(source)).model


def p_alive(source: str) -> None:
    """Of every customer."""
    _PARETO.p_alive(*times(pl.read_parquet(source)))


def expectation(source: str) -> None:
    """Of every customer, over a year."""
    _BG.conditional_expectation(52.0, *times(pl.read_parquet(source)))


def dert(source: str) -> None:
    """Of every customer, at 15 % a year."""
    _BG.dert(0.0027, *times(pl.read_parquet(source)))


def textbook(source: str) -> None:
    """The formula as printed, customer by customer, with differences for a gradient."""
    x, t_x, age = times(pl.read_parquet(source))

    def cost(logs: np.ndarray) -> float:
        r, alpha, a, b = np.exp(logs)
        alive = betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + age)
        gone = betaln(a + 1, b + np.maximum(x, 1) - 1) - betaln(a, b) - (r + x) * np.log(alpha + t_x)
        mixed = np.where(x > 0, np.logaddexp(alive, gone), alive)
        return -float(np.mean(gammaln(r + x) - gammaln(r) + r * np.log(alpha) + mixed))

    minimize(cost, np.zeros(4), method="L-BFGS-B", bounds=[(-9.0, 9.0)] * 4)
