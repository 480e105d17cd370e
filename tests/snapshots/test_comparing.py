"""A change between two snapshots is explained to the cent: data, definition, choices, and parts."""

import re
from decimal import Decimal
from fractions import Fraction

import pytest

STRICTER = """
metrics:
  - {name: net_revenue, label: Net revenue, kind: simple, unit: money, additivity: additive,
     description: Paid for orders of at least ten., table: orders, expression: sum(net_amount),
     where: net_amount >= 10}
"""


def figure(rows, metric):
    return next(row for row in rows if row["metric"] == metric)


def test_two_months_are_explained_to_the_cent(shop, keep, rapport):
    september = keep(shop, "--report", "month", "--title", "September")
    october = keep(shop, "--page", "overview", "--title", "October")
    done = rapport("compare", september.id, october.id, "--project", shop, "--json")
    assert done.code == 0, done.err
    revenue = figure(done.json, "net_revenue")
    change = Decimal(revenue["change_exact"])
    assert change == Decimal(revenue["after"]["amount"]) - Decimal(revenue["before"]["amount"])
    assert [cause["step"] for cause in revenue["causes"]] == ["choices"]
    assert Decimal(revenue["causes"][0]["effect"]) == change
    for by, parts in revenue["by"].items():
        assert sum(Decimal(part["effect"]) for part in parts) == change, by
    assert sum(Decimal(side) for side in revenue["sides"].values()) == pytest.approx(
        change, abs=Decimal("1e-9")
    )


def test_a_comparison_is_one_page_that_needs_no_network(shop, keep, rapport, tmp_path):
    september = keep(shop, "--report", "month", "--title", "<b>September</b>")
    october = keep(shop, "--page", "overview", "--title", "October")
    page = tmp_path / "out" / "what changed.html"
    done = rapport("compare", september.id, october.id, "--project", shop, "--html", page)
    assert done.code == 0, done.err
    text = page.read_text("utf-8")
    changes = rapport("compare", september.id, october.id, "--project", shop, "--json").json
    revenue = figure(changes, "net_revenue")
    for shown in (revenue["before"]["shown"], revenue["after"]["shown"], "Sep 2026, then Oct 2026"):
        assert shown in text
    assert text.count("<h2>") == sum(1 for each in changes if each["change"] and each["by"])
    assert "&lt;b&gt;September" in text
    assert "<script" not in text
    assert "script-src 'none'" in text
    assert not [link for link in re.findall(r"""(?:src|href)=["']([^"']*)""", text) if link[:5] != "data:"]


def test_a_quotient_is_split_into_mix_and_rate(shop, keep, rapport):
    september = keep(shop, "--report", "month")
    october = keep(shop, "--page", "overview")
    rows = rapport("compare", september.id, october.id, "--project", shop, "--json").json
    rate = figure(rows, "repeat_purchase_rate")
    assert rate["sides"]["volume"] == "0E-12"
    total = sum(Fraction(Decimal(side)) for side in rate["sides"].values())
    assert float(total) == pytest.approx(rate["change"], abs=1e-11)


@pytest.fixture
def both(copy, keep, rapport):
    """A snapshot, then a row corrected and another definition, and a snapshot of the same month."""
    before = keep(copy, "--page", "overview", "--title", "Before")
    orders = sorted((copy / "data").glob("orders-*.csv"))[-1]
    lines = orders.read_text("utf-8").splitlines(keepends=True)
    orders.write_text("".join(lines[:-90] + lines[-50:]), "utf-8")
    done = rapport("refresh", "--project", copy)
    assert done.code == 0, done.err
    (copy / "metrics").mkdir(exist_ok=True)
    (copy / "metrics" / "own.yaml").write_text(STRICTER, "utf-8")
    return copy, before, keep(copy, "--page", "overview", "--title", "After")


def test_data_and_definition_are_told_apart_and_add_up(both, rapport):
    folder, before, after = both
    done = rapport("compare", before.id, after.id, "--project", folder, "--json")
    assert done.code == 0, done.err
    revenue = figure(done.json, "net_revenue")
    steps = {cause["step"]: cause for cause in revenue["causes"]}
    assert set(steps) == {"data", "definition"}
    assert sum(Decimal(cause["effect"]) for cause in steps.values()) == Decimal(revenue["change_exact"])
    said = "\n".join(steps["data"]["words"])
    assert re.search(r"^order_lines: [\d,]+ rows, then [\d,]+ \(-\d\d\)$", said, re.MULTILINE)
    assert "+where: net_amount >= 10" in steps["definition"]["words"]
    (folder / "metrics" / "own.yaml").unlink()
    months = ("--by", "month", "--from", "2026-10", "--to", "2026-10", "--project", folder, "--json")
    plain = rapport("query", "net_revenue", *months).json[0]
    old = Decimal(revenue["before"]["amount"])
    assert Decimal(steps["data"]["effect"]) == Decimal(plain["amount"]) - old


def test_what_the_store_no_longer_has_is_not_guessed(both, rapport):
    folder, before, after = both
    (folder / "store").rename(folder / "elsewhere")
    rows = rapport("compare", before.id, after.id, "--project", folder, "--json").json
    revenue = figure(rows, "net_revenue")
    assert [cause["step"] for cause in revenue["causes"]] == ["together"]
    assert Decimal(revenue["causes"][0]["effect"]) == Decimal(revenue["change_exact"])


def test_the_same_page_twice_has_no_change_and_no_cause(shop, keep, rapport):
    names = [keep(shop, "--page", "overview").id for _again in range(2)]
    rows = rapport("compare", *names, "--project", shop, "--json").json
    assert len(rows) > 10
    assert {row["change"] for row in rows} <= {0.0, None}
    assert not [row for row in rows if row["causes"]]


def test_an_unknown_snapshot_is_told_with_a_way_on(shop, rapport):
    done = rapport("compare", "nowhere", "latest", "--project", shop)
    assert done.code == 2
    assert "snapshot `nowhere`" in done.err
    assert "rapport snapshots" in done.err


def test_a_snapshot_is_compared_with_now(both, rapport):
    folder, before, _after = both
    rows = rapport("compare", before.id, "now", "--project", folder, "--json").json
    revenue = figure(rows, "net_revenue")
    assert Decimal(revenue["change_exact"]) != 0
    assert {cause["step"] for cause in revenue["causes"]} == {"data", "definition"}
    again = rapport("compare", "latest", "now", "--project", folder, "--json").json
    assert {row["change"] for row in again} <= {0.0, None}


LOYAL = """
segments:
  - {name: loyal, label: Loyal customers, description: More orders than before., where: orders >= 6}
"""
REPORT = """
reports:
  - {name: loyal, title: Loyal, pages: [{page: overview, with: {segment: Loyal customers}}]}
"""


def test_a_changed_segment_is_named_with_its_sizes(copy, keep, rapport):
    (copy / "reports.yaml").write_text(REPORT, "utf-8")
    before = keep(copy, "--report", "loyal")
    (copy / "segments.yaml").write_text(LOYAL, "utf-8")
    after = keep(copy, "--report", "loyal")
    revenue = figure(rapport("compare", before.id, after.id, "--project", copy, "--json").json, "net_revenue")
    (cause,) = revenue["causes"]
    assert cause["step"] == "population"
    assert Decimal(cause["effect"]) == Decimal(revenue["change_exact"]) < 0
    sizes = [side.content().groups[0].customers for side in (before, after)]
    assert sizes[0] > sizes[1] > 0
    assert f"{sizes[0]:,} customers, then {sizes[1]:,}" in cause["words"][0]
    assert "+where: orders >= 6" in cause["words"][0]
