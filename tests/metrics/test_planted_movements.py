"""What is planted in the demonstration is found again, and nothing in the control without plants.

The detectors read the store alone; the labels only say afterwards who was planted. On controls of 12,000
customers with twenty other seeds none of the three found anything either.
"""

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from connectors.demo.truths import truths
from connectors.store import Store
from metrics.frames import Marts
from metrics.patterns import Windows, busiest, movements
from metrics.periods import Calendar, Grain
from metrics.retention_shifts import shifts
from metrics.seasons import seasonal, standing_out


def loaded(folder: Path, rapport) -> tuple[Marts, pl.DataFrame]:
    assert rapport("refresh", "--project", folder).code == 0
    version = Store(folder / "store").current()
    names = (*version.manifest.marts, *version.manifest.tables)
    marts = Marts({name: version.scan(name) for name in names}, Calendar(), version.manifest.as_of)
    return marts, pl.read_parquet(folder / "truth" / "customers-*.parquet")


@pytest.fixture(scope="module")
def planted(demo_project, rapport):
    return loaded(demo_project, rapport)


@pytest.fixture(scope="module")
def plain(control_project, rapport):
    return loaded(control_project, rapport)


def of_group(labels: pl.DataFrame, group: str) -> set[str]:
    return set(labels.filter(pl.col("group") == group)["customer_no"])


def ids(marts: Marts, customers: pl.Series) -> set[str]:
    return set(marts.frame("customer_summary")["customer_id"].gather(customers))


def outage(marts: Marts) -> Windows:
    first = marts.as_of - timedelta(days=truths().outage.days_before_end - 1)
    return Windows.around(first, first + timedelta(days=truths().outage.days - 1), marts.as_of)


def risen_then_fallen(marts: Marts, windows: Windows) -> set[str]:
    found = movements(marts, windows, by="channel")
    return ids(marts, found.filter(pl.col("pattern") == "risen_then_fallen")["customer"])


def test_customers_won_during_the_outage(planted):
    """At least eight in ten are found, and nine in ten of the list are they."""
    marts, labels = planted
    found, true = risen_then_fallen(marts, outage(marts)), of_group(labels, "outage")
    assert len(found & true) / len(true) >= 0.8
    assert len(found & true) / len(found) >= 0.9


def test_the_weeks_of_the_outage_are_found_without_being_told(planted):
    marts, _labels = planted
    windows = busiest(marts, by="channel")
    assert windows is not None
    assert abs((windows.during[0] - outage(marts).during[0]).days) <= 28


def test_nobody_rises_and_falls_in_the_control(plain):
    marts, _labels = plain
    assert risen_then_fallen(marts, outage(marts)) == set()
    assert busiest(marts, by="channel") is None


def test_december_shoppers(planted):
    """All who came in two Decembers; 1.6 % of the others are called seasonal too, 0.3 % of December."""
    marts, labels = planted
    found = seasonal(marts.frame("orders").lazy(), marts.as_of)
    december = ids(marts, found.filter(pl.col("season") == 12)["customer"])
    true = of_group(labels, "december")
    years = (
        marts.frame("orders")
        .filter(pl.col("orders") > 0)
        .group_by("customer")
        .agg(pl.col("ordered_on").dt.year().n_unique().alias("years"))
    )
    repeated = true & ids(marts, years.filter(pl.col("years") >= 2)["customer"])
    assert len(december & repeated) / len(repeated) >= 0.99
    assert len(december & true) / len(december) >= 0.85
    assert len(ids(marts, found["customer"]) - true) / len(labels) <= 0.02


def test_december_stands_out_and_in_the_control_no_month_does(planted, plain):
    months = []
    for marts, _labels in (planted, plain):
        orders = marts.frame("orders").lazy()
        channels = marts.frame("customer_summary").select("customer", segment="channel")
        found = standing_out(seasonal(orders, marts.as_of), orders, marts.as_of, segment=channels)
        months.append(found.filter("stands_out")["month"].to_list())
    assert months == [[12], []]


def moved(marts: Marts) -> list[str]:
    """Whose retention fell apart from that of others: three quarters against the same ones a year before."""
    last = Calendar().code(date(2026, 9, 30), Grain.QUARTER)
    found = shifts(marts, Grain.QUARTER, last, list(marts.attributes), count=3, back=4)
    return found.filter(pl.col("q_value") < 0.05, pl.col("shift") < 0)["value"].to_list()


def test_the_region_whose_service_failed(planted, plain):
    """East is found among all values of six attributes, and no other region; in the control nobody."""
    regions = set(planted[0].attributes["region"])
    assert regions.intersection(moved(planted[0])) == {"East"}
    assert moved(plain[0]) == []
