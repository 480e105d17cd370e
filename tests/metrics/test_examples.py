"""The worked examples of the shipped definitions: they hold, and a plausible wrong definition breaks them."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from config.documents import Document
from config.load import Located, read_many
from metrics.catalog import Catalog, catalog
from metrics.examples import outcome, outcomes
from metrics.instruments import Instrument
from metrics.periods import Calendar
from metrics.segment_definitions import Segment

WRONG = {
    "customers": {"where": "orders > 0"},
    "active_customers": {"where": "lines > 0"},
    "new_customers": {"expression": "count(customer)", "where": "orders > 0"},
    "returning_customers": {"expression": "count(customer)", "where": "orders >= 2"},
    "reactivated_customers": {"where": "orders > 0"},
    "repeat_customers": {"where": "purchases >= 2 AND customer IS NOT NULL"},
    "orders": {"expression": "sum(purchases)"},
    "net_revenue": {"expression": "sum(gross_amount)"},
    "gross_revenue": {"expression": "sum(net_amount)"},
    "returned_value": {"expression": "sum(returned_amount)"},
    "gross_margin": {"expression": "sum(net_amount - cost)"},
    "cross_sell_revenue": {"expression": "sum(net_amount)"},
    "up_sell_revenue": {"expression": "sum(net_amount)"},
    "contacts": {"expression": "count(distinct customer)"},
    "complaints": {"where": None},
    "service_cost": {"where": "kind = 'contact'"},
    "acquisition_spend": {"where": None},
    "satisfaction": {"where": None},
    "nps": {"promoters_from": 8, "detractors_to": 7, "off_scale": "drop"},
    "repeat_purchase_rate": {"denominator": "customers"},
    "new_customer_share": {"denominator": "new_customers"},
    "orders_per_customer": {"numerator": "orders"},
    "return_rate": {"denominator": "net_revenue"},
    "average_order_value": {"numerator": "gross_revenue"},
    "units_per_order": {"denominator": "customers"},
    "discount_rate": {"denominator": "gross_revenue"},
    "gross_margin_rate": {"denominator": "net_revenue"},
    "average_profit_per_order": {"numerator": "net_revenue"},
    "average_customer_value": {"numerator": "net_revenue"},
    "cross_and_up_sell_share": {"denominator": "net_revenue"},
    "complaints_per_1000_orders": {"numerator": "contacts"},
    "service_cost_per_active_customer": {"denominator": "orders"},
    "acquisition_cost_per_new_customer": {"denominator": "active_customers"},
    "first_month_retention": {"age": 0},
    "first_year_repeat_rate": {"days": 10},
    "days_to_second_order": {"value": "mean_days"},
    "quick_ratio": {"value": "retained"},
    "churned_customers": {"value": "retained"},
    "lost_share": {"value": "dormant"},
    "net_revenue_retention": {"value": "gross_retention"},
    "gross_revenue_retention": {"value": "net_retention"},
    "contract_churn": {"value": "logo_retention", "periods": 12},
    "recurring_revenue": {"value": "logo_churn"},
    "retention_cost_per_kept_customer": {"denominator": "active_customers"},
    "acquisition_to_retention_cost": {
        "expression": "{retention_cost_per_kept_customer} / {acquisition_cost_per_new_customer}"
    },
    "acquisition_spend_to_date": {"to_date": None},
    "customers_ever": {"metric": "active_customers", "to_date": "month"},
    "new_customer_growth": {"against": "previous"},
    "first_order_value": {"where": "orders > 0"},
    "new_customer_revenue_share": {"denominator": "net_revenue"},
    "active_customers_year": {"window": "13 months"},
    "order_days_per_customer": {"numerator": "orders"},
    "margin_per_customer": {"numerator": "gross_margin"},
    "active_customer_growth": {"metric": "orders"},
    "retention_rate_change": {"value": "relative", "against": "previous"},
    "first_year_revenue_kept": {"value": "rate"},
    "payback_months": {"age": 1},
    "acquisition_paid_back": {"value": "customer_value", "unit": "money"},
    "cohort_margin_half_year": {"value": "orders_per_customer"},
    "dormant_customers": {"value": "lost"},
    "contract_retention_year": {"periods": 1},
    "contract_survival_year": {"value": "met", "days": 90},
    "recurring_revenue_growth": {"value": "difference"},
    "new_contracts": {"expression": "count(subscription_id)"},
    "median_order_value": {"where": None},
    "large_order_value": {"expression": "max(net_amount)"},
    "discounted_order_share": {"where": None},
    "average_unit_price": {"numerator": "net_revenue"},
    "lines_per_order": {"denominator": "customers"},
    "unidentified_order_share": {"where": None},
    "revenue_year": {"window": "1 month"},
    "revenue_to_date": {"to_date": "quarter", "metric": "orders"},
    "revenue_growth": {"against": "previous"},
    "complaint_share": {"where": "kind <> 'visit'"},
    "customers_in_contact": {"expression": "count(*)"},
    "contacts_per_customer": {"denominator": "orders"},
    "cost_per_contact": {"expression": "avg(coalesce(cost, 0))"},
    "days_to_resolve": {"where": None},
    "slow_resolution_days": {"expression": "max(date_diff('day', occurred_on, resolved_on))"},
    "resolved_share": {"where": None},
    "survey_responses": {"expression": "count(*)"},
    "satisfaction_year": {"window": "1 month"},
    "nps_change": {"value": "relative"},
    "service_gap": {"dimension": "REL"},
    "responsiveness_gap": {"dimension": "overall"},
    "satisfied": {"boxes": 3},
    "very_satisfied": {"boxes": 2},
    "ease": {"easy": "low"},
    "satisfaction_index": {"weights": (1, 2, 3)},
    "categories_sold": {"where": None},
    "cross_sell_share": {"denominator": "net_revenue"},
    "up_sell_share": {"numerator": "cross_sell_revenue"},
    "categories_per_customer": {"value": "multi_category_share"},
    "multi_category_share": {"value": "categories"},
    "categories_in_three_orders": {"orders": 2},
    "cross_buy_rate": {"value": "multi_category_share"},
    "second_category_rate": {"event": "second_order"},
    "losing_cross_buyers": {"value": "loss_share"},
    "cross_buyer_loss_share": {"value": "losing_share"},
    "customer_equity": {"discount": 0.0},
    "existing_equity": {"convention": "begin"},
    "best_fifth_share": {"share": 0.4},
    "revenue_gini": {"value": "hhi"},
    "rfm": {"counts": ("champions",)},
    "loyal_customer_share": {"belongs": "end"},
    "loyal_revenue_share": {"of": "orders"},
}
FITTED = {"predicted_value", "predicted_total", "p_alive", "customers_alive", "responsiveness_return"}
"""Figures of a fitted model; `test_worth_figures.py` and `test_linkage.py` compare them with known ones."""


@cache
def segments() -> tuple[Located[Segment], ...]:
    file = Path(__file__).parents[2] / "config" / "segments.yaml"
    return read_many([file], TypeAdapter(Segment), under="segments").items


@cache
def forms() -> Mapping[str, Instrument]:
    file = Path(__file__).parents[2] / "config" / "instruments" / "servqual.yaml"
    return {each.name: each for each in read_many([file], Instrument, under="instruments").values}


def test_every_shipped_metric_has_an_example_and_gives_it(shipped: Catalog) -> None:
    found = outcomes(shipped, segments=segments(), instruments=forms())
    assert {outcome.metric for outcome in found} == set(shipped.plans)
    assert [outcome for outcome in found if not outcome.is_as_expected] == []


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_days_of_an_example_are_those_of_the_project(shipped: Catalog, zone: str) -> None:
    """Both ends of a wait are cut into days in one time zone, so that its length does not hang on it."""
    calendar = Calendar(zone)
    for name in ("days_to_resolve", "slow_resolution_days"):
        for test in shipped.definition(name).tests:
            assert outcome(shipped, name, test, calendar).is_as_expected


@pytest.mark.parametrize("name", list(WRONG))
def test_a_plausible_wrong_definition_fails_its_examples(shipped: Catalog, name: str) -> None:
    document = Document("metrics.yaml")
    definitions = [
        plan.definition.model_copy(update=WRONG[name])
        if each == name
        else plan.definition.model_copy(update={"tests": ()})
        for each, plan in shipped.plans.items()
    ]
    wrong = catalog([Located(definition, document) for definition in definitions])
    assert not wrong.problems
    assert not all(
        outcome.is_as_expected for outcome in outcomes(wrong, segments=segments(), instruments=forms())
    )


def test_no_shipped_metric_lacks_a_wrong_twin(shipped: Catalog) -> None:
    assert set(WRONG) == set(shipped.plans) - {"retention_rate"} - FITTED
