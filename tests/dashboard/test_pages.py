import re
import shutil
from decimal import Decimal
from html import unescape
from pathlib import Path

import duckdb
import polars as pl
import pytest

from connectors.store import Store
from dashboard.desk import Desk
from dashboard.pages import PAGES
from dashboard.views.overview import GOALS
from metrics.selection import Missing

TILES = [name for _title, _words, group in GOALS for name in group]

NOT_SPLIT = {
    (f"{cost}_customer", "region") for cost in ("acquisition_cost_per_new", "retention_cost_per_kept")
}


def tile(page, name):
    return next(html for html in page.container(key=f"tile-{name}").html).value


def figure(page, name):
    return re.search(r'class="figure">([^<]*)<', tile(page, name))[1]


@pytest.mark.parametrize("path", [page.path for page in PAGES])
def test_every_page_draws_without_an_error(open_page, texts, path):
    page = open_page(path)
    assert not page.exception
    assert "Something went wrong here" not in texts(page)
    assert sum('class="head"' in html.value for html in page.html) == 1


def test_every_tile_is_full_on_the_demo(open_page):
    page = open_page()
    assert [name for name in TILES if "lacking" in tile(page, name)] == []


def test_labels_fit_a_tile(open_page):
    page = open_page()
    labels = [unescape(re.search(r'class="label"><span>([^<]*)<', tile(page, name))[1]) for name in TILES]
    assert max(map(len, labels)) <= 18


def test_a_tile_shows_what_sql_counts(open_page, shop):
    """Oracle: DuckDB over the stored order lines."""
    page = open_page(period="Sep 2026")
    lines = Store(shop / "store").current().scan("order_lines").collect().to_arrow()
    active, revenue = duckdb.sql(
        "SELECT count(DISTINCT customer_id) FILTER (NOT is_return), sum(net_amount) FROM lines "
        "WHERE ordered_on BETWEEN '2026-09-01' AND '2026-09-30'"
    ).fetchall()[0]
    assert lines.num_rows
    assert figure(page, "active_customers") == f"{active:,}"
    assert figure(page, "net_revenue") == f"${Decimal(revenue).quantize(Decimal(1)):,}"


def test_a_filter_changes_the_tiles_and_says_so(open_page, texts):
    page = open_page()
    before = figure(page, "net_revenue")
    page.multiselect(key="region").select("East").run()
    assert figure(page, "net_revenue") != before
    assert any("East" in text for text in texts(page)[:3])


def test_regions_add_up_to_the_whole(open_page):
    """Oracle: addition. New customers of each region sum to those of all."""
    page = open_page()
    whole = int(figure(page, "new_customers").replace(",", ""))
    options = page.multiselect(key="region").options
    parts = [
        int(figure(open_page(region=region), "new_customers").replace(",", "") or 0) for region in options
    ]
    assert sum(parts) == whole


def test_the_address_gives_the_same_figures_again(open_page):
    page = open_page()
    page.multiselect(key="region").select("North").run()
    page.get_by_key("grain").set_value("quarter").run()
    page.selectbox(key="vs").select("year").run()
    shown = {name: tile(page, name) for name in TILES}
    again = open_page(grain="Quarter", period="Q3 2026", region="North", vs="Same period last year")
    assert {name: tile(again, name) for name in TILES} == shown


def test_the_period_is_always_in_the_address(open_page):
    page = open_page()
    assert page.query_params["period"] == "Oct 2026"
    page.get_by_key("grain").set_value("quarter").run()
    assert page.query_params["period"] == "Q3 2026"


def test_what_a_link_asks_in_vain_is_ignored_and_said(open_page, texts):
    page = open_page(region=["Atlantis", "East"], colour="red", grain="Fortnight")
    assert not page.exception
    said = next(text for text in texts(page) if "ignored" in text)
    assert all(word in said for word in ("region=Atlantis", "colour=red", "grain=Fortnight"))
    assert page.multiselect(key="region").value == ["East"]
    page.multiselect(key="region").select("North").run()
    assert not any("ignored" in text for text in texts(page))


def test_reset_brings_back_the_start(open_page):
    page = open_page()
    start = figure(page, "active_customers")
    page.multiselect(key="region").select("North").run()
    page.selectbox(key="vs").select("year").run()
    page.button(key="filters.reset").click().run()
    assert figure(page, "active_customers") == start
    assert page.multiselect(key="region").value == []
    assert page.selectbox(key="vs").value == "previous"


def test_the_running_period_is_named_and_not_compared(open_page, tmp_path, rapport):
    folder = tmp_path / "running"
    assert rapport("demo", folder, "--customers", 60, "--months", 14).code == 0
    settings = folder / "rapport.yaml"
    settings.write_text(settings.read_text().replace("as_of: last_day", "as_of: 2026-10-12"))
    assert rapport("refresh", "--project", folder).code == 0
    page = open_page(project=folder, period="Oct 2026 so far")
    assert not page.exception
    assert "period not over" in tile(page, "net_revenue")
    assert "chip" not in tile(page, "net_revenue")


def test_a_chart_shows_its_table(open_page):
    page = open_page()
    assert len(page.get("plotly_chart")) == 4
    page.toggle(key="bridge.as_table").set_value(True).run()
    assert len(page.get("plotly_chart")) == 3
    assert any("Reactivated" in html.value and "<table" in html.value for html in page.html)


def test_the_bridge_adds_up_to_the_cent(open_page):
    page = open_page()
    page.toggle(key="bridge.as_table").set_value(True).run()
    table = next(html.value for html in page.html if "Reactivated" in html.value and "<table" in html.value)
    amounts = [
        Decimal(text.replace("$", "").replace(",", "")) for text in re.findall(r">(-?\$[\d,.]+)<", table)
    ]
    assert amounts[0] + sum(amounts[1:-1]) == amounts[-1]


def test_a_tile_opens_what_is_behind_it(open_page, texts):
    page = open_page()
    count = figure(page, "active_customers")
    page.button(key="open-active_customers").click().run()
    assert not page.exception
    shown = texts(page)
    assert f"{count} customers" in shown
    assert "count(customer) of customer_periods where orders > 0" in shown
    assert {"Definition", "Interval", "As of", "What moved it"} <= set(shown)


@pytest.mark.parametrize("name", TILES)
def test_every_tile_opens(open_page, texts, name):
    page = open_page()
    page.button(key=f"open-{name}").click().run()
    assert not page.exception
    assert "Something went wrong here" not in texts(page)
    assert "Formula" in texts(page)


@pytest.mark.parametrize("name", TILES)
@pytest.mark.parametrize("by", ["region", "channel"])
def test_effects_add_up_to_the_change(open_page, name, by):
    """Oracle: subtraction of the two figures that the tile compares."""
    page = open_page()
    desk = page.session_state["desk"]
    scope = page.session_state["filters.scope"]
    found = desk.tiles([name], scope)[0]
    if (name, by) in NOT_SPLIT:
        with pytest.raises(Missing, match="cannot be split by customer"):
            desk.effects(found, scope, by)
        return
    effects = desk.effects(found, scope, by)
    now, before = found.figure, desk.figure(name, found.reference, scope)
    assert float(effects["effect"].sum()) == pytest.approx(float(now.shown) - float(before.shown), abs=1e-9)


def test_nothing_loaded_says_what_to_type(open_page, texts, tmp_path, rapport):
    folder = tmp_path / "bare"
    assert rapport("demo", folder, "--customers", 20, "--months", 13).code == 0
    page = open_page(project=folder)
    assert not page.exception
    assert "No data yet" in texts(page)
    assert f"rapport refresh --project {folder}" in texts(page)


def test_a_broken_project_shows_every_fault_at_its_place(open_page, texts, tmp_path):
    (tmp_path / "rapport.yaml").write_text("nam: Shop\ncurrency: EURO\n")
    page = open_page(project=tmp_path)
    assert not page.exception
    shown = " ".join(texts(page))
    assert "The project cannot be read" in shown
    assert f"{tmp_path}/rapport.yaml:1:1" in shown
    assert f"{tmp_path}/rapport.yaml:2:11" in shown
    assert "EUR" in shown


def test_a_broken_definition_is_told_and_the_last_whole_one_served(open_page, texts, shop, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(shop, folder)
    (folder / "metrics").mkdir()
    (folder / "metrics" / "own.yaml").write_text(
        "metrics:\n  - {name: net_revenue, kind: simple, label: Revenue, description: x, unit: money,\n"
        "     table: customer_periods, expression: sum(net_amont)}\n"
    )
    page = open_page(project=folder)
    assert not page.exception
    shown = " ".join(texts(page))
    assert "net_amont" in shown
    assert "metrics/own.yaml:3:" in shown
    assert [name for name in TILES if "lacking" in tile(page, name)] == []


def test_a_fault_of_ours_shows_an_id_and_no_traceback(open_page, texts, monkeypatch, caplog):
    def fail(*_arguments, **_named):
        message = "secret detail"
        raise RuntimeError(message)

    monkeypatch.setattr(Desk, "tiles", fail)
    from dashboard.parts import states
    from dashboard.views import overview

    monkeypatch.setattr(overview, "render", states.guarded(overview.render))
    page = open_page()
    assert not page.exception
    shown = " ".join(texts(page))
    assert "Something went wrong here" in shown
    assert "secret detail" not in shown
    number = re.search(r"\b[0-9a-f]{8}\b", shown)[0]
    assert number in caplog.text
    assert "secret detail" in caplog.text


def test_the_fate_of_rows_adds_up(open_page, texts, shop):
    page = open_page("data")
    shown = texts(page)
    read = next(text for text in shown if text.endswith("rows read"))
    at = shown.index(read)
    numbers = [
        int(text.replace(",", "")) for text in shown[at + 1 : at + 14] if re.fullmatch(r"[\d,]+", text)
    ]
    assert int(read.split()[0].replace(",", "")) == sum(numbers[:4])


def test_the_quarantine_is_searched_and_filtered(open_page, texts):
    page = open_page("data")
    reasons = page.selectbox(key="data.quarantine_reason").options
    page.selectbox(key="data.quarantine_reason").select(reasons[1]).run()
    rows = [html.value for html in page.html if 'aria-label="Quarantined rows' in html.value]
    assert len(rows) == 1
    page.text_input(key="data.quarantine.search").set_value("no such thing").run()
    assert "No row matches." in texts(page)


def test_personal_fields_are_masked_unless_the_project_shows_them(open_page, shop, tmp_path):
    page = open_page()
    desk, scope = page.session_state["desk"], page.session_state["filters.scope"]
    masked = desk.customers(desk.tiles(["active_customers"], scope)[0], scope)
    assert not {"name", "email"} & set(masked.columns)
    folder = tmp_path / "open"
    shutil.copytree(shop, folder)
    settings = Path(folder / "rapport.yaml")
    settings.write_text(settings.read_text() + "access: {personal_fields: shown}\n")
    page = open_page(project=folder)
    desk, scope = page.session_state["desk"], page.session_state["filters.scope"]
    shown = desk.customers(desk.tiles(["active_customers"], scope)[0], scope)
    assert {"name", "email"} <= set(shown.columns)


def test_the_export_holds_what_the_tiles_show(open_page):
    page = open_page()
    desk, scope = page.session_state["desk"], page.session_state["filters.scope"]
    rows = desk.exported(TILES, scope)
    for found in desk.tiles(TILES, scope):
        period = desk.read.period(found.period, scope.grain)
        row = rows.row(
            by_predicate=(pl.col("metric") == found.name) & (pl.col("period") == period), named=True
        )
        assert row["value"] == found.figure.value
