"""Segments on the command line: as a selection, as a split, and checked."""

import shutil

import duckdb
import pytest

from connectors.store import Store
from dashboard.workspace import open_workspace


@pytest.fixture(scope="module")
def own(shop, tmp_path_factory):
    """The shop with segments of its own."""
    folder = tmp_path_factory.mktemp("segments") / "own"
    shutil.copytree(shop, folder)
    (folder / "segments.yaml").write_text(
        "segments:\n"
        "  - {name: east, label: East, where: \"region = 'East'\"}\n"
        "  - {name: often, label: Often, where: orders >= 5}\n"
        '  - {name: both, label: Both, where: "{east} AND {often}"}\n'
    )
    return folder


def test_a_segment_selects_like_the_condition_it_stands_for(own, rapport):
    asked = ("query", "net_revenue", "active_customers", "--json", "--project", own)
    segment = rapport(*asked, "--segment", "east").json
    where = rapport(*asked, "--where", "region = 'East'").json
    assert [row["value"] for row in segment] == [row["value"] for row in where]


def test_of_several_segments_any_will_do(own, rapport):
    """Oracle: SQL over the order lines."""
    found = rapport(
        *("query", "net_revenue", "--json", "--project", own, "--segment", "east", "--segment", "often")
    ).json
    version = Store(open_workspace(own).store).current()
    lines, people = (version.scan(name).collect() for name in ("order_lines", "customers"))
    assert len(lines) > len(people)
    (net,) = duckdb.sql(
        "SELECT sum(net_amount) FROM lines WHERE customer_id IN (SELECT customer_id FROM people "
        "WHERE region = 'East') OR customer_id IN (SELECT customer_id FROM lines WHERE NOT is_return "
        "GROUP BY 1 HAVING count(DISTINCT order_id) >= 5)"
    ).fetchall()[0]
    assert found[0]["amount"] == f"{net:.4f}"


def test_figures_by_segment(own, rapport):
    rows = rapport("query", "active_customers", "--by", "segment", "--json", "--project", own).json
    values = {row["by"]["segment"]: row["value"] for row in rows}
    for name in ("east", "often", "both"):
        alone = rapport("query", "active_customers", "--segment", name, "--json", "--project", own).json
        assert values[name] == alone[0]["value"]


def test_figures_by_segment_under_a_condition(own, rapport):
    asked = ("query", "net_revenue", "orders", "--json", "--project", own, "--where", "region = 'East'")
    rows = rapport(*asked, "--by", "segment").json
    whole = {row["metric"]: row["value"] for row in rapport(*asked).json}
    found = {(row["metric"], row["by"]["segment"]): row["value"] for row in rows}
    for metric, value in whole.items():
        assert found[metric, "east"] == value > found[metric, "both"] == found[metric, "often"] > 0


def test_an_unknown_segment_is_said(own, rapport):
    done = rapport("query", "net_revenue", "--segment", "oftn", "--project", own)
    assert done.code != 0
    assert "unknown segment `oftn`. Did you mean `often`?" in done.err


def test_what_is_wrong_with_segments_is_checked_at_its_place(own, rapport, tmp_path):
    folder = tmp_path / "broken"
    shutil.copytree(own, folder)
    assert rapport("check", "--project", folder).code == 0
    (folder / "segments.yaml").write_text(
        "segments:\n"
        '  - {name: circle, label: C, where: "NOT {circle}"}\n'
        '  - {name: gone, label: G, where: "colour = 1"}\n'
        '  - {name: loop, label: L, where: "orders > 1", owned: me}\n'
    )
    done = rapport("check", "--project", folder)
    assert done.code == 1
    assert "segments.yaml:2:37: segments[circle].where: the segments refer to each other" in done.out
    assert "segments.yaml:3:35: segments[gone].where: unknown fact `colour`" in done.out
    assert "segments.yaml:4:49: segments[loop]: unknown key `owned`. Did you mean `owner`?" in done.out
