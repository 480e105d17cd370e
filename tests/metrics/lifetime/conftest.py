"""CDNOW as the published papers use it, and customers simulated order by order, as the models tell it."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from metrics.lifetime.history import Rows, compress, history, rows_of

CALIBRATION_END = date(1997, 9, 30)


@pytest.fixture(scope="session")
def cdnow_orders(real_data: Path) -> pl.DataFrame:
    """The 1/10 sample: 6,919 rows of customer, ordered_on, net_amount."""
    text = (real_data / "cdnow" / "CDNOW_sample.txt").read_text()
    rows = [line.split() for line in text.splitlines()]
    return pl.DataFrame(
        {
            "customer": [row[1] for row in rows],
            "ordered_on": [row[2] for row in rows],
            "net_amount": [float(row[4]) for row in rows],
        }
    ).with_columns(pl.col("ordered_on").str.to_date("%Y%m%d"))


@pytest.fixture(scope="session")
def cdnow(cdnow_orders: pl.DataFrame) -> pl.DataFrame:
    """Histories of the 2,357 customers over 39 weeks."""
    return history(cdnow_orders, CALIBRATION_END)


@pytest.fixture(scope="session")
def cdnow_rows(cdnow: pl.DataFrame) -> Rows:
    return compress(cdnow)


@pytest.fixture(scope="session")
def donations(real_data: Path) -> Rows:
    cells = pl.read_csv(real_data / "sbg" / "lifetimes_donations.csv")
    return rows_of(*(cells[name].to_numpy() for name in ("frequency", "recency", "periods", "weights")))


Simulator = Callable[..., Rows]


@pytest.fixture(scope="session")
def simulated() -> Simulator:
    """simulated(kind, parameters, n, seed): histories of n customers seen for 20 to 80 units of time."""

    def simulate(kind: str, parameters: tuple[float, ...], n: int, seed: int) -> Rows:
        rng = np.random.default_rng(seed)
        age = rng.integers(20, 81, n).astype(float)
        one = {
            "BG/NBD": _leaves_after_orders,
            "MBG/NBD": _leaves_after_orders,
            "Pareto/NBD": _leaves_any_time,
        }
        lives = [one[kind](rng, parameters, t, kind) for t in age]
        x, t_x = np.array(lives).T
        return rows_of(x, t_x, age)

    return simulate


def _leaves_after_orders(
    rng: np.random.Generator, parameters: tuple[float, ...], age: float, kind: str
) -> tuple[int, float]:
    r, alpha, a, b = parameters
    rate, leaving = rng.gamma(r, 1 / alpha), rng.beta(a, b)
    x, last, now = 0, 0.0, 0.0
    gone = kind == "MBG/NBD" and rng.random() < leaving
    while not gone:
        now += rng.exponential(1 / max(rate, 1e-12))
        if now > age:
            break
        x, last = x + 1, now
        gone = rng.random() < leaving
    return x, last


def _leaves_any_time(
    rng: np.random.Generator, parameters: tuple[float, ...], age: float, kind: str
) -> tuple[int, float]:
    r, alpha, s, beta = parameters
    rate, leaving = rng.gamma(r, 1 / alpha), rng.gamma(s, 1 / beta)
    end = min(age, rng.exponential(1 / max(leaving, 1e-12)))
    x, last, now = 0, 0.0, rng.exponential(1 / max(rate, 1e-12))
    while now <= end:
        x, last = x + 1, now
        now += rng.exponential(1 / max(rate, 1e-12))
    return x, last
