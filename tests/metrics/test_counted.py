"""What the n of a figure counts, for each kind of metric."""

import pytest

from config.errors import Fault
from dashboard.definitions import definitions
from metrics.counted import counted


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return definitions(tmp_path_factory.mktemp("none"), {}).catalog


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("net_revenue", "customers"),
        ("retention_rate", "customers"),
        ("average_order_value", "orders"),
        ("complaints_per_1000_orders", "orders"),
        ("complaints", "contacts"),
        ("satisfaction", "answers"),
        ("nps", "answers"),
        ("acquisition_spend", "entries"),
        ("acquisition_cost_per_new_customer", "customers"),
        ("days_to_second_order", "customers"),
    ],
)
def test_n_counts(catalog, name, what):
    assert counted(catalog, name) == what


def test_an_unknown_metric_has_no_n(catalog):
    with pytest.raises(Fault, match="Did you mean `net_revenue`"):
        counted(catalog, "net_revenu")
