"""Staging: whatever comes in, every row is accepted, quarantined, filtered or merged, and counted once."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.model import Project
from connectors.errors import SourceError, SourceErrors
from connectors.manifest import SourceReport
from connectors.sources import read_sources
from connectors.staging import Staged, stage
from connectors.tables import TABLES

NOW = datetime(2024, 6, 1, tzinfo=UTC)
PROJECT = Project(name="Shop", currency="EUR", timezone="Europe/Berlin")
ORDERS = {
    "name": "orders",
    "table": "order_lines",
    "kind": "csv",
    "location": "orders.csv",
    "columns": {
        "order_id": "order_no",
        "line_id": "line",
        "customer_id": "customer_no",
        "ordered_at": "bought",
        "net_amount": "paid",
    },
}
HEADER = "order_no,line,customer_no,bought,paid"
Run = Callable[..., Staged]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Stages sources over files that are given as text."""

    def run(*sources: dict[str, object], project: Project = PROJECT, **files: str) -> Staged:
        for name, text in files.items():
            (tmp_path / f"{name}.csv").write_text(text)
        path = tmp_path / "sources.yaml"
        path.write_text(yaml.safe_dump({"sources": list(sources)}, sort_keys=False))
        return stage(tmp_path, project, read_sources(path), now=NOW, workdir=tmp_path / "work")

    return run


def orders(**changes: object) -> dict[str, object]:
    return {**ORDERS, **changes}


def columns(**changes: object) -> dict[str, object]:
    return {**ORDERS["columns"], **changes}  # type: ignore[dict-item]  # a dict


def lines(*rows: str) -> str:
    return "\n".join([HEADER, *rows]) + "\n"


def report(staged: Staged, name: str = "orders") -> SourceReport:
    return next(one for one in staged.reports if one.name == name)


def test_canonical_rows_have_every_column_and_the_local_day(run: Run) -> None:
    staged = run(orders(), orders=lines("A1,1,C1,2024-03-31 23:30,12.5", "A1,2,,2024-01-01,-3"))
    rows = staged.tables["order_lines"].collect()
    late, early = datetime(2024, 3, 31, 21, 30, tzinfo=UTC), datetime(2023, 12, 31, 23, tzinfo=UTC)
    assert rows.select("order_id", "line_id", "customer_id", "net_amount", "is_return").rows() == [
        ("A1", "1", "C1", Decimal("12.5"), False),
        ("A1", "2", None, Decimal(-3), True),
    ]
    assert rows["ordered_at"].to_list() == [late, early]
    assert rows["ordered_on"].to_list() == [date(2024, 3, 31), date(2024, 1, 1)]
    assert rows.columns == list(TABLES["order_lines"].columns())
    assert set(staged.tables) == {"order_lines"}


CANONICAL = {
    "customers": ("id,day\nC1,2024-01-02\n", {"customer_id": "id", "joined_on": "day"}),
    "order_lines": (lines("A1,1,C1,2024-03-01,5"), ORDERS["columns"]),
    "products": ("id,name\nP1,Cup\n", {"product_id": "id", "name": "name"}),
    "survey_answers": (
        "r,i,p,at,v\n1,q1,Score,2024-01-02,4.5\n",
        {"response_id": "r", "item": "i", "part": "p", "answered_at": "at", "instrument": "'s'",
         "score": "v"},
    ),
    "interactions": ("at\n2024-01-02 10:00\n", {"occurred_at": "at", "kind": "'contact'"}),
    "subscriptions": (
        "id,c,a\nS1,C1,9.99\n",
        {"subscription_id": "id", "customer_id": "c", "amount": "a", "billing_period": "'month'",
         "started_on": "'2024-01-02'"},
    ),
    "spend": (
        "day,a\n2024-01-02,100\n",
        {"spent_on": "day", "amount": "a", "channel": "'all'", "purpose": "'retention'"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
def test_every_table_keeps_its_contract(run: Run, table: str) -> None:
    text, mapped = CANONICAL[table]
    source = {"name": "s", "table": table, "kind": "csv", "location": "s.csv", "columns": mapped}
    rows = run(source, s=text).tables[table].collect()
    assert rows.height == 1
    assert TABLES[table].validate(rows).height == 1


def test_attributes_follow_the_canonical_columns(run: Run) -> None:
    kept = {
        "vat": {"from": "line", "type": "number"},
        "buyer": "customer_no",
        "half": "paid / 2",
        "large": "paid > 9",
    }
    rows = run(orders(attributes=kept), orders=lines("A1,7,C1,2024-03-01,5")).tables["order_lines"].collect()
    assert rows.columns[-4:] == ["vat", "buyer", "half", "large"]
    assert rows.select("vat", "buyer", "half", "large").row(0) == (7.0, "C1", 2.5, False)


def test_expressions_constants_values_and_row_numbers(run: Run) -> None:
    source = orders(
        columns=columns(
            line_id="row_number",
            net_amount="paid * 2 - 0.005",
            quantity=1,
            status={"from": "line", "values": {"1": "sold", "2": None}, "otherwise": "keep"},
            category="coalesce(customer_no, 'nobody')",
            is_return="order_no LIKE 'R%'",
            channel="CASE WHEN paid >= 10 THEN 'store' ELSE 'web' END",
        )
    )
    text = lines("A1,1,C1,2024-03-01,10.10", "R1,2,,2024-03-02,-1", "A2,3,C2,2024-03-02,0.0025")
    rows = run(source, orders=text).tables["order_lines"].collect()
    wanted = ("line_id", "net_amount", "quantity", "status", "category", "is_return", "channel")
    assert rows.select(wanted).rows() == [
        ("1", Decimal("20.195"), 1.0, "sold", "C1", False, "store"),
        ("2", Decimal("-2.005"), 1.0, None, "nobody", True, "web"),
        ("3", Decimal(0), 1.0, "3", "C2", False, "web"),
    ]


def test_filters_count_by_reason_and_the_first_that_fits(run: Run) -> None:
    filters = [
        {"drop": "customer_no LIKE 'TEST%'", "reason": "test order"},
        {"drop": "paid <= 0", "reason": "no price"},
    ]
    text = lines(
        "A1,1,TEST1,2024-03-01,0", "A2,1,C1,2024-03-01,-1", "A3,1,C1,2024-03-01,1", "A4,1,TEST2,never,x"
    )
    found = report(run(orders(filters=filters), orders=text))
    assert found.filtered == {"test order": 2, "no price": 1}
    assert (found.accepted, found.quarantined) == (1, {})


def test_filters_and_joins_may_share_a_reason(run: Run) -> None:
    drops = [{"drop": f"order_no = 'A{at}'", "reason": "not ours"} for at in (1, 2)]
    source = orders(
        filters=drops, joins=[{"source": "people", "on": {"customer_no": "id"}, "reason": "not ours"}]
    )
    text = lines(*(f"A{at},1,C{at},2024-03-01,5" for at in range(1, 5)))
    assert report(run(source, PEOPLE, orders=text, people="id\nC1\nC2\nC3\n")).filtered == {"not ours": 3}


def test_row_that_no_filter_can_judge_is_quarantined(run: Run) -> None:
    filters = [{"drop": "paid <= 0", "reason": "no price"}]
    found = report(run(orders(filters=filters), orders=lines("A1,1,C1,2024-03-01,x")))
    assert found.quarantined == {"`paid` is not a number": 1}


def test_repairs_are_counted_not_hidden(run: Run) -> None:
    text = lines("9e+05,1.0,17850.0,2024-03-31 02:30,1.00005", "00042,1,C1,2024-03-01 10:00,1")
    staged = run(orders(), orders=text)
    rows = staged.tables["order_lines"].select("order_id", "line_id", "customer_id", "net_amount").collect()
    assert rows.rows() == [("900000", "1", "17850", Decimal("1.0001")), ("00042", "1", "C1", Decimal(1))]
    assert report(staged).repaired == {
        "ids freed from a number format": 3,
        "times skipped by the change to summer time, moved forward": 1,
        "amounts rounded to 4 decimals": 1,
    }


def test_quarantine_keeps_every_original_value(run: Run) -> None:
    text = lines("A1,1,C1,2024-03-01,5", " A2 ,1,C1,2024-03-01,five", "A3,1", "A4,1,C1,31.12.2024,x")
    dated = columns(ordered_at={"from": "bought", "formats": ["%Y-%m-%d"]})
    staged = run(orders(columns=dated), orders=text)
    rows = staged.quarantine["orders"].collect()
    assert rows.select("file", "row", "column", "value", "reason").rows() == [
        ("orders.csv", 2, "paid", "five", "`paid` is not a number"),
        ("orders.csv", 3, "", "A3,1", "the row has fewer columns than the header"),
        ("orders.csv", 4, "bought", "31.12.2024", "`bought` is not a date in the form `%Y-%m-%d`"),
    ]
    assert rows["reasons"][2].count(";") == 1
    assert rows.select("order_no", "line", "customer_no", "bought", "paid").rows() == [
        (" A2 ", "1", "C1", "2024-03-01", "five"),
        ("A3", "1", None, None, None),
        ("A4", "1", "C1", "31.12.2024", "x"),
    ]


def test_rejected_and_faulty_rows_stand_in_the_order_of_the_file(run: Run) -> None:
    rows = ["A1,1", "A2,1,C1,2024-03-01,x", "A3,1", "A4,1,C1,2024-03-01,y", "A5,1,C1,2024-03-01,1"]
    assert run(orders(), orders=lines(*rows)).quarantine["orders"].collect()["row"].to_list() == [1, 2, 3, 4]


def test_notes_say_what_was_filled_in(run: Run) -> None:
    mapped = {name: made for name, made in ORDERS["columns"].items() if name != "line_id"}  # type: ignore[attr-defined]  # a dict
    found = report(run(orders(columns=mapped), orders=lines("A1,1,C1,2024-03-01,5")))
    assert found.notes == (
        "orders.csv: UTF-8, comma between columns",
        "`bought`: dates read as `%Y-%m-%d`",
        "orders: decimal mark `.`",
        "`line_id`: the row's number in its source",
        "`is_return`: net_amount < 0",
    )


def test_original_columns_give_way_to_ours(run: Run) -> None:
    source = {"name": "p", "table": "products", "kind": "csv", "location": "p.csv",
              "columns": {"product_id": "row", "name": "value"}}  # fmt: skip
    rows = run(source, p="row,value,reason\n,cup,why\nP1,cup,\nP2,pot\n").quarantine["p"].collect()
    assert rows.select("row", "value", "row (source)", "value (source)", "reason (source)").rows() == [
        (1, None, None, "cup", "why"),
        (3, "P2,pot", "P2", "pot", None),
    ]


def test_files_of_one_source_are_told_apart(run: Run) -> None:
    source = orders(location="o-*.csv", columns=columns(line_id="row_number"))
    text = lines("A1,1,C1,2024-03-01,5", ",1,C1,2024-03-01,5")
    staged = run(source, **{"o-1": text, "o-2": text})
    rows = staged.quarantine["orders"].collect()
    assert rows.select("file", "row").rows() == [("o-1.csv", 2), ("o-2.csv", 2)]
    assert staged.tables["order_lines"].select("line_id").collect()["line_id"].to_list() == ["1", "3"]


def test_exact_duplicates_merge_only_where_that_is_declared(run: Run) -> None:
    text = lines(*["A1,1,C1,2024-03-01,5"] * 3, "A1,1,C1,2024-03-01,6")
    numbered = columns(line_id="row_number")
    assert report(run(orders(columns=numbered), orders=text)).accepted == 4
    merged = report(run(orders(columns=numbered, duplicates="merge"), orders=text))
    assert (merged.accepted, merged.merged) == (2, 2)


def test_order_of_rows_does_not_decide_which_of_two_alike_stays(run: Run) -> None:
    rows = ["A1,1,C1,2024-03-01,7", "A1,1,C1,2024-03-01,5", "A2,1,C1,2024-03-01,5"]
    for order in (rows, rows[::-1]):
        staged = run(orders(), orders=lines(*order))
        kept = staged.tables["order_lines"].sort("order_id").collect()["net_amount"].to_list()
        assert kept == [Decimal(5), Decimal(5)]
        assert report(staged).quarantined == {"another row has the same `order_id` and `line_id`": 1}


def test_sources_of_one_table_are_set_together_and_checked_across(run: Run) -> None:
    shop = orders(name="shop", location="shop.csv", attributes=["customer_no"])
    text = lines("A1,1,C1,2024-03-01,5", "A2,1,C2,2024-03-01,5")
    staged = run(orders(), shop, orders=text, shop=lines("A2,1,C9,2024-03-01,9", "A3,1,C3,2024-03-01,5"))
    rows = (
        staged.tables["order_lines"]
        .select("order_id", "customer_id", "customer_no")
        .sort("order_id")
        .collect()
    )
    assert rows.rows() == [("A1", "C1", None), ("A2", "C2", None), ("A3", "C3", "C3")]
    assert report(staged, "orders").quarantined == {}
    assert sum(report(staged, "shop").quarantined.values()) == 1


PEOPLE = {"name": "people", "kind": "csv", "location": "people.csv"}


def test_join_brings_columns_and_counts_what_it_does_not_find(run: Run) -> None:
    join = {"source": "people", "on": {"customer_no": "id"}, "reason": "unknown buyer"}
    source = orders(joins=[join], attributes={"region": "region", "their_line": "people.line"})
    text = lines(
        "A1,1,7.0,2024-03-01,5", "A2,1,C2,2024-03-01,5", "A3,1,,2024-03-01,5", "A4,1,C1,2024-03-01,x"
    )
    staged = run(source, PEOPLE, orders=text, people="id,region,line\n7,East,x\nC1,West,y\nC1x,South,\n")
    assert staged.tables["order_lines"].select("order_id", "region", "their_line").collect().rows() == [
        ("A1", "East", "x")
    ]
    found = report(staged)
    assert (found.rows_read, found.accepted) == (4, 1)
    assert found.filtered == {"unknown buyer": 2}
    assert found.quarantined == {"`paid` is not a number": 1}
    assert report(staged, "orders before joins").filtered == {"unknown buyer": 2}
    people = report(staged, "people")
    assert (people.rows_read, people.accepted) == (3, 2)
    assert people.filtered == {"no row of another source refers to it": 1}
    assert staged.quarantine["orders"].select("row", "region").collect().rows() == [(4, "West")]


def test_left_join_keeps_rows_without_a_match(run: Run) -> None:
    source = orders(
        joins=[{"source": "people", "on": {"customer_no": "id"}, "how": "left"}], attributes=["region"]
    )
    text = lines("A1,1,C1,2024-03-01,5", "A2,1,C2,2024-03-01,5")
    rows = run(source, PEOPLE, orders=text, people="id,region\nC1,East\n").tables["order_lines"].collect()
    assert rows["region"].to_list() == ["East", None]


def test_filters_of_a_source_that_is_only_joined_apply_before_the_join(run: Run) -> None:
    people = {**PEOPLE, "filters": [{"drop": "closed = 'yes'", "reason": "account closed"}]}
    source = orders(joins=[{"source": "people", "on": {"customer_no": "id"}, "reason": "no account"}])
    text = lines("A1,1,C1,2024-03-01,5", "A2,1,C2,2024-03-01,5")
    staged = run(source, people, orders=text, people="id,closed\nC1,no\nC2,yes\n")
    assert report(staged).filtered == {"no account": 1}
    assert report(staged, "people").filtered == {"account closed": 1}


def test_join_to_several_rows_needs_their_key_or_a_word(run: Run) -> None:
    items = {"name": "items", "kind": "csv", "location": "items.csv"}
    text = "order_no,customer_no,bought\nA1,C1,2024-03-01\nA2,C2,2024-03-01\n"
    parts = "order_no,line,paid\nA1,1,5\nA1,2,6\n"
    join = {"source": "items", "on": "order_no", "reason": "order without items"}
    keyed = run(orders(joins=[join]), items, orders=text, items=parts)
    assert report(keyed).filtered == {"order without items": 1}
    assert report(keyed).rows_read == 3
    assert keyed.tables["order_lines"].select(pl.sum("net_amount")).collect().item() == 11
    numbered = columns(line_id="row_number")
    with pytest.raises(SourceError, match="`items` has 2 rows for `A1`"):
        run(orders(joins=[join], columns=numbered), items, orders=text, items=parts)
    allowed = run(orders(joins=[{**join, "many": True}], columns=numbered), items, orders=text, items=parts)
    assert report(allowed).accepted == 2


def test_everything_wrong_is_told_at_once(run: Run) -> None:
    other = orders(
        name="other", location="other.csv", columns=columns(net_amount="total", customer_id="buyer")
    )
    with pytest.raises(SourceErrors) as caught:
        run(orders(location="order.csv"), other, orders=lines(), other=lines("A1,1,C1,2024-03-01,5"))
    assert len(caught.value.errors) == 1
    with pytest.raises(SourceErrors) as caught:
        run(orders(columns=columns(net_amount="total")), other, orders=lines("A1,1,C1,2024-03-01,5"))
    assert [error.where for error in caught.value.errors] == [
        "source `orders`, column `net_amount`",
        "source `other`, column `customer_id`",
        "source `other`, column `net_amount`",
    ]


def test_progress_moves_from_nothing_to_all(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(lines("A1,1,C1,2024-03-01,5"))
    (tmp_path / "sources.yaml").write_text(yaml.safe_dump({"sources": [ORDERS]}))
    shares: list[float] = []
    sources = read_sources(tmp_path / "sources.yaml")
    stage(
        tmp_path,
        PROJECT,
        sources,
        now=NOW,
        workdir=tmp_path / "w",
        progress=lambda words, share: shares.append(share),
    )
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_text_in_a_number_column_costs_its_row_however_late_it_comes(run: Run) -> None:
    at = count = 900_000
    rows = pl.select(
        order_no=pl.format("A{}", pl.int_range(count)),
        line=pl.lit("1"),
        customer_no=pl.lit("C1"),
        bought=pl.lit("2024-03-01"),
        paid=pl.when(pl.int_range(count) == at - 1).then(pl.lit("twelve")).otherwise(pl.lit("1.25")),
    )
    staged = run(orders(), orders=rows.write_csv())
    assert staged.tables["order_lines"].select(pl.sum("net_amount")).collect().item() == Decimal("1.25") * (
        count - 1
    )
    assert staged.quarantine["orders"].select("row", "column", "value").collect().rows() == [
        (at, "paid", "twelve")
    ]


# Random dirty input, judged by plain Python as well.

AMOUNT = re.compile(r"-?\d+(\.\d+)?")
KEYS = st.sampled_from(["A1", "A2", "A3", "", " ", "9e+05"])
CELLS = st.tuples(
    KEYS,
    st.sampled_from(["1", "2", ""]),
    st.sampled_from(["C1", "", "TEST1"]),
    st.sampled_from(["2024-03-01", "2024-02-30", "2031-01-01", "", "soon"]),
    st.sampled_from(["5", "5.00", "-1", "", "x", "NaN", "1e400"]),
)
ROWS = st.lists(
    CELLS.map(",".join) | st.sampled_from(["A1,1", "A1,1,C1,2024-03-01,5,6", 'A1,"1']), max_size=25
)


def expected(rows: Sequence[str]) -> tuple[int, set[tuple[str, str]]]:
    """How many rows the filter drops, and the keys that are accepted, by plain Python."""
    dropped, kept = 0, set()
    for row in rows:
        cells = [cell.strip() for cell in row.split(",")]
        if len(cells) != 5 or '"' in row:
            continue
        if cells[2].startswith("TEST"):
            dropped += 1
        elif cells[0] and cells[1] and cells[3] == "2024-03-01" and AMOUNT.fullmatch(cells[4]):
            kept.add((cells[0].replace("9e+05", "900000"), cells[1]))
    return dropped, kept


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, duplicates=st.sampled_from(["keep", "merge"]))
def test_every_row_of_random_dirty_input_is_counted_once(run: Run, rows: list[str], duplicates: str) -> None:
    rows = [*rows, "Z1,1,C1,2024-03-01,5"]
    source = orders(duplicates=duplicates, filters=[{"drop": "customer_no LIKE 'TEST%'", "reason": "test"}])
    staged = run(source, orders=lines(*rows))
    found = report(staged)
    dropped, kept = expected(rows)
    table = staged.tables["order_lines"].collect()
    quarantined = staged.quarantine["orders"].collect().height if "orders" in staged.quarantine else 0
    assert found.rows_read == len(rows)
    assert found.accepted == table.height
    assert sum(found.quarantined.values()) == quarantined
    assert found.accepted + quarantined + sum(found.filtered.values()) + found.merged == len(rows)
    assert set(table.select("order_id", "line_id").iter_rows()) == kept
    if duplicates == "keep":
        assert sum(found.filtered.values()) == dropped
    TABLES["order_lines"].validate(table)
