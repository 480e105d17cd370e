"""Historic value to the cent, and what it says about costs that are not known."""

from datetime import date
from decimal import Decimal

import polars as pl

from metrics.lifetime.historic import historic_value, lacking, with_costs

MONEY = pl.Decimal(18, 4)
CUSTOMERS = pl.DataFrame(
    {
        "customer": [1, 2, 3],
        "net_amount": ["100.10", "20.20", "-5.00"],
        "cost": ["60.05", "25.00", None],
        "service_cost": ["10.05", None, "1.00"],
        "acquisition_cost": ["5.00", "5.00", "5.00"],
    }
).with_columns(pl.exclude("customer").cast(MONEY))


def test_contribution_is_what_is_left():
    rows = historic_value(CUSTOMERS)
    assert rows["revenue"].to_list() == [Decimal("100.10"), Decimal("20.20"), Decimal("-5.00")]
    assert rows["margin"].to_list() == [Decimal("40.05"), Decimal("-4.80"), None]
    assert rows["contribution"].to_list() == [Decimal("25.00"), Decimal("-9.80"), None]
    assert rows.schema["contribution"].is_decimal()


def test_unknown_costs_are_named():
    assert lacking(CUSTOMERS) == ()
    bare = CUSTOMERS.select("customer", "net_amount")
    assert [reason.code for reason in lacking(bare)] == ["no_cost", "no_service_cost", "no_acquisition_cost"]
    assert historic_value(bare)["margin"].null_count() == 3
    assert historic_value(CUSTOMERS.drop("service_cost"))["contribution"][0] == Decimal("35.05")
    assert historic_value(CUSTOMERS.clear()).is_empty()


PEOPLE = pl.DataFrame(
    {
        "customer": [1, 2, 3],
        "channel": ["web", "web", "app"],
        "first_order_on": [date(2023, 5, 1), date(2024, 2, 1), date(2024, 3, 1)],
    }
)
CONTACTS = pl.DataFrame({"customer": [1, 1, 3], "cost": ["2.00", "3.00", None]}).cast({"cost": MONEY})


def spent(channels):
    return pl.DataFrame(
        {
            "spent_on": [date(2024, 1, 1), date(2024, 1, 1), date(2024, 2, 1)],
            "purpose": ["acquisition", "acquisition", "service"],
            "channel": channels,
            "amount": ["30.00", "8.00", "99.00"],
        }
    ).cast({"amount": MONEY})


def test_acquisition_is_each_channels_own_since_spending_began():
    rows = with_costs(PEOPLE, CONTACTS, spent(["web", "app", "web"]))
    assert rows["acquisition_cost"].to_list() == [None, Decimal(30), Decimal(8)]
    assert rows["service_cost"].to_list() == [Decimal(5), None, Decimal(0)]


def test_acquisition_for_all_is_shared_by_all():
    rows = with_costs(PEOPLE, None, spent(["all", "app", "all"]))
    assert rows["acquisition_cost"].to_list() == [None, Decimal(19), Decimal(19)]
    assert "service_cost" not in rows.columns
    assert with_costs(PEOPLE, None, None).columns == PEOPLE.columns
