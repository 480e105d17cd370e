"""The Definitions page as Streamlit's own test runner draws it: one metric opened, edited, restored."""

import re
import shutil
from datetime import UTC, datetime
from html import unescape

import pytest

from dashboard.editing.history import save, versions

NOW = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
OWN = """\
metrics:
  - name: repeat_customers
    kind: simple
    label: Repeat customers
    description: Customers who ordered on two or more days.
    table: customer_periods
    expression: count(customer)
    where: order_days >= 2
    direction: up_is_good
    unit: count
"""


@pytest.fixture
def project(shop, tmp_path):
    """A copy of the demo project, to be edited."""
    return shutil.copytree(shop, tmp_path / "shop")


@pytest.fixture
def own(project):
    return project / "metrics" / "customers.yaml"


def said(page) -> str:
    """Everything that the page says in HTML, without its tags."""
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", each.value) for each in page.html))


def opened(open_page, project, name="repeat_customers", **parameters):
    page = open_page("definitions", project, metric=name, **parameters)
    assert not page.exception
    return page


def test_a_metric_opens_with_figure_formula_lineage_and_use(open_page, project):
    text = said(opened(open_page, project, "repeat_purchase_rate"))
    assert "Share of the customers with an order in the period who have two or more in it." in text
    assert "Repeat customers / Active customers" in text
    assert "customer_periods" in text
    assert "order_lines" in text
    assert "Wilson" in text
    assert "Overview" in text


def test_a_metric_that_is_not_known_leads_to_all_of_them(open_page, project):
    text = said(opened(open_page, project, "repeat_purchase_rat"))
    assert "No metric is named" in text
    assert "metrics" in text


def test_the_way_back_to_all_definitions(open_page, project):
    page = opened(open_page, project)
    page.button(key="definitions.back").click().run()
    assert "defined by this project" in said(page)


def test_an_own_definition_is_shown_with_its_place(open_page, project, own):
    save(own, OWN, NOW)
    text = said(opened(open_page, project))
    assert "metrics/customers.yaml:2 \N{MIDDLE DOT} of this project" in text
    assert "order_days >= 2" in text


def test_a_broken_file_is_told_on_every_page_and_the_last_good_figure_served(open_page, project, own):
    save(own, OWN, NOW)
    good = said(opened(open_page, project))
    own.write_text(OWN.replace("order_days", "order_dayz"))
    for path in ("overview", "data", "definitions"):
        text = said(open_page(path, project))
        assert "1 problem in the definitions" in text
        assert "metrics/customers.yaml:8:12" in text
        assert "Did you mean order_days ?" in re.sub(r"\s+", " ", text)
    figure = re.search(r"All history\s+([\d,]+)", good)[1]
    assert re.search(r"All history\s+([\d,]+)", said(opened(open_page, project)))[1] == figure


def test_the_editor_starts_with_the_definition_and_has_nothing_to_save(open_page, project):
    page = opened(open_page, project, part="Edit")
    assert "Saving writes metrics/customers.yaml" in re.sub(r"\s+", " ", said(page))
    assert page.button(key="editor.repeat_customers.save").disabled


def test_the_history_restores_what_is_shipped(open_page, project, own):
    save(own, OWN, NOW)
    page = opened(open_page, project, part="History")
    assert "order_days >= 2" in said(page)
    assert "As shipped" in said(page)
    page.button(key="history.repeat_customers.1").click().run()
    assert not own.exists()
    assert [version.text for version in versions(own)] == [OWN]
    assert "of this project" not in said(page)


def test_the_history_restores_an_older_text_among_the_others_of_its_file(open_page, project, own):
    other = "  - name: customers\n    kind: simple\n    label: All customers\n    description: All.\n"
    other += "    table: customer_periods\n    expression: count(customer)\n    unit: count\n"
    save(own, OWN + other, NOW)
    save(own, OWN.replace(">= 2", ">= 5") + other.replace("All.", "Everybody."), NOW.replace(day=2))
    page = opened(open_page, project, part="History")
    page.button(key="history.repeat_customers.1").click().run()
    assert own.read_text() == OWN + other.replace("All.", "Everybody.")


def test_a_metric_that_was_never_edited_has_no_history(open_page, project):
    assert "Nothing was changed yet" in said(opened(open_page, project, part="History"))
