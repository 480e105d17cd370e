"""The same expression, run by DuckDB on the same rows, gives the same values."""

import datetime as dt
import math
from collections.abc import Sequence
from decimal import Decimal

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.expressions import compile_aggregate, compile_expression

DUCKDB = duckdb.connect()
ROWS = pl.DataFrame(
    {
        "price": ["1.1250", "-2.5", None, "0", "12345678901.2345"],
        "fee": ["3.00", "-0.07", "7", None, "0"],
        "quantity": [7, -7, 0, None, 3],
        "score": [1.5, -2.5, None, 3.0, 0.1],
        "code": ["a", "Ab%c", "", None, "C_17"],
        "name": ["x\ny", "漢字 b", None, "  q ", "Éa"],
        "gift": [True, False, None, True, False],
        "small": [100, -100, None, 0, 1],
        "ordered_on": ["2024-01-31", "2023-12-31", None, "2024-02-29", "1970-01-01"],
        "paid_at": ["2024-01-31 05:06", None, "2020-01-01 00:00", "2024-12-31 23:59", "1969-07-20 20:17"],
    },
    schema_overrides={"small": pl.Int8},
).with_columns(
    pl.col("price").cast(pl.Decimal(18, 4)),
    pl.col("fee").cast(pl.Decimal(10, 2)),
    pl.col("ordered_on").str.to_date(),
    pl.col("paid_at").str.to_datetime("%Y-%m-%d %H:%M", time_unit="us"),
)

ONE_VALUE_A_ROW = """
    price + fee
    price - 1
    price * fee
    price * 1.055
    price * quantity
    fee * fee * fee
    quantity - small
    quantity * 0.1
    score * 0.1
    -price + 1
    price / nullif(fee, 0)
    quantity / 2
    quantity % 3
    quantity % -3 + 0
    score % 2
    (quantity + 1) * 2 - 3 / 4
    quantity + null
    price = 1.125
    price > quantity
    price >= score
    quantity <> 7
    quantity is distinct from 7
    quantity between -7 and 0
    quantity in (7, 0)
    quantity in (7, null)
    quantity not in (7, null)
    quantity in (small, 3)
    price in (1.125, 0)
    score in (1.5, 3)
    code in ('a', '')
    code like 'a%'
    code like 'A_!%c' escape '!'
    code ilike 'a%'
    code not like '%b%'
    code not ilike '%B%'
    name like 'x_y'
    name like '漢_ b'
    code like '%.%'
    code < name
    gift and quantity > 0
    gift or quantity is null
    not gift
    gift is true
    gift is not false
    gift = true
    code is null
    price is not null
    case when quantity > 0 then price else 0 end
    case quantity when 7 then 'seven' when 0 then 'none' end
    case when gift then 1 when quantity = 0 then 2.5 end
    case when gift then null else quantity end
    if(gift, 1, 2)
    coalesce(price, quantity)
    coalesce(code, 'none')
    coalesce(null, quantity)
    nullif(quantity, 0)
    nullif(price, 0)
    greatest(quantity, 3)
    least(price, quantity, 1)
    abs(price)
    abs(quantity)
    round(price, 2)
    round(score)
    round(quantity, 1)
    floor(price)
    ceil(score)
    sqrt(abs(score))
    ln(abs(score))
    exp(score)
    power(quantity, 2)
    concat(code, '-', name)
    code || '-' || name
    lower(code)
    upper(name)
    trim(name)
    ltrim(name)
    rtrim(name)
    length(name)
    substring(code, 2, 2)
    substr(code, 2)
    left(code, 2)
    right(code, 2)
    replace(code, 'b', 'XX')
    split_part(code, 'b', 1)
    split_part(code, 'b', 2)
    split_part(code, 'b', 3)
    contains(code, 'b')
    starts_with(code, 'A')
    ends_with(code, 'c')
    cast(quantity as text)
    cast(price as text)
    cast(ordered_on as text)
    cast(paid_at as text)
    cast(gift as text)
    cast(code as int)
    cast(price as bigint)
    cast(quantity as double)
    cast(score as decimal(18, 1))
    cast(quantity as decimal(3, 1))
    cast(paid_at as date)
    cast(ordered_on as timestamp)
    cast(quantity as boolean)
    price::text
    year(ordered_on)
    quarter(ordered_on)
    month(ordered_on)
    week(ordered_on)
    day(paid_at)
    isodow(ordered_on)
    hour(paid_at)
    extract(month from ordered_on)
    extract(isodow from ordered_on)
    date_trunc('year', ordered_on)
    date_trunc('month', ordered_on)
    date_trunc('week', ordered_on)
    date_trunc('quarter', paid_at)
    date_diff('day', ordered_on, paid_at)
    date_diff('month', ordered_on, date '2024-12-01')
    date_diff('year', ordered_on, paid_at)
    ordered_on + interval 7 day
    ordered_on - interval '1 month'
    ordered_on + interval 1 year
    paid_at - interval 2 weeks
    ordered_on - date '2024-01-01'
    ordered_on >= date '2024-01-31'
    ordered_on > paid_at
    paid_at < timestamp '2024-01-01 00:00:00'
    ordered_on between date '2024-01-01' and date '2024-03-01'
"""

ONE_VALUE_A_GROUP = """
    sum(price)
    sum(small)
    sum(price * fee)
    sum(price) filter (where gift)
    sum(price) filter (where quantity > 100)
    sum(price) / nullif(count(*), 0)
    sum(case when gift then price else 0 end) / nullif(sum(price), 0)
    count(*)
    count(quantity)
    count(*) filter (where quantity > 0)
    count(distinct code)
    count(distinct code) filter (where gift)
    avg(price)
    avg(quantity)
    median(price)
    median(quantity)
    percentile(price, 0.9)
    quantile_cont(quantity, 0.1)
    percentile_cont(0.25) within group (order by quantity)
    min(price)
    max(ordered_on)
    min(code)
    max(price) - min(price)
    stddev(price)
    stddev_pop(quantity)
    round(100.0 * count(*) filter (where gift) / nullif(count(*), 0), 1)
    coalesce(sum(price) filter (where quantity > 100), 0)
"""


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def in_duckdb(text: str, rows: pl.DataFrame) -> list[object]:
    """Values of the expression by DuckDB, with its words for what we call CAST and percentile."""
    sql = text.replace("cast(", "try_cast(").replace("percentile(", "quantile_cont(")
    DUCKDB.register("rows", rows.to_arrow())
    return [row[0] for row in DUCKDB.sql(f"select {sql} from rows").fetchall()]


def alike(ours: object, theirs: object) -> bool:
    """Equal, whatever the type of number; a date equals its midnight; floats to nine digits."""
    if ours is None or theirs is None:
        return ours is theirs
    if isinstance(ours, float) or isinstance(theirs, float):
        return math.isclose(float(str(ours)), float(str(theirs)), rel_tol=1e-9, abs_tol=1e-9)
    return midnight(ours) == midnight(theirs)


def midnight(value: object) -> object:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return dt.datetime.combine(value, dt.time())
    return value


def assert_alike(text: str, ours: Sequence[object], theirs: Sequence[object]) -> None:
    assert len(ours) == len(theirs), text
    for mine, yours in zip(ours, theirs, strict=True):
        assert alike(mine, yours), f"{text}: {list(ours)} against {list(theirs)}"


@pytest.mark.parametrize("text", lines(ONE_VALUE_A_ROW))
def test_row_by_row_as_in_duckdb(text: str) -> None:
    compiled = compile_expression(text, ROWS.schema)
    ours = ROWS.lazy().select(value=compiled.expr).collect()["value"]
    assert ours.dtype == compiled.dtype
    assert_alike(text, ours.to_list(), in_duckdb(text, ROWS))


@pytest.mark.parametrize("text", lines(ONE_VALUE_A_GROUP))
def test_aggregates_as_in_duckdb(text: str) -> None:
    compiled = compile_aggregate(text, ROWS.schema)
    for rows in (ROWS, ROWS.head(1), ROWS.head(0), ROWS.clear(3)):
        ours = rows.lazy().select(value=compiled.expr).collect()["value"]
        assert ours.dtype == compiled.dtype
        assert_alike(text, ours.to_list(), in_duckdb(text, rows))


@pytest.mark.parametrize("text", lines(ONE_VALUE_A_GROUP))
def test_aggregates_by_group_as_in_duckdb(text: str) -> None:
    compiled = compile_aggregate(text, ROWS.schema)
    rows = pl.concat([ROWS, ROWS.slice(1, 3), ROWS.slice(2, 1)]).with_columns(
        team=pl.Series(list("aabbbaacc"))
    )
    ours = rows.lazy().group_by("team").agg(value=compiled.expr).sort("team").collect()
    theirs = [value for team in "abc" for value in in_duckdb(text, rows.filter(pl.col("team") == team))]
    assert_alike(text, ours["value"].to_list(), theirs)


WORDS = st.sampled_from(["", "a", "A", "ab", "C_1", "%", "b.c", "漢字", " x "])
NUMBERS = st.decimals(-999, 999, places=2)


@st.composite
def tables(draw: st.DrawFn) -> pl.DataFrame:
    """Up to six rows with nulls in every column."""
    size = draw(st.integers(1, 6))

    def column(values: st.SearchStrategy[object], dtype: pl.DataType) -> pl.Series:
        return pl.Series(draw(st.lists(st.none() | values, min_size=size, max_size=size)), dtype=dtype)

    return pl.DataFrame(
        {
            "d": column(NUMBERS, pl.Decimal(18, 4)),
            "i": column(st.integers(-50, 50), pl.Int32()),
            "f": column(st.integers(-40, 40).map(lambda eighths: eighths / 8), pl.Float64()),
            "s": column(WORDS, pl.String()),
            "t": column(WORDS, pl.String()),
            "b": column(st.booleans(), pl.Boolean()),
        }
    )


numbers = st.deferred(
    lambda: (
        st.sampled_from(["d", "i", "f", "0", "2", "0.5", "nullif(i, i)"])
        | st.builds("({} {} {})".format, exact, st.sampled_from(["+", "-", "*"]), exact)
        | st.builds("({} / nullif({}, 0))".format, exact, exact)
        | st.builds("coalesce({}, {})".format, numbers, numbers)
        | st.builds("case when {} then {} else {} end".format, conditions, numbers, numbers)
        | st.builds("abs({})".format, numbers)
        | st.builds("length({})".format, texts)
    )
)
exact = st.sampled_from(["d", "i", "f", "3", "0.25", "(d + 1)", "(i - f)", "coalesce(d, i)"])
texts = st.deferred(
    lambda: (
        st.sampled_from(["s", "t", "'a'", "''", "'漢'"])
        | st.builds("({} || {})".format, texts, texts)
        | st.builds("lower({})".format, texts)
        | st.builds("trim({})".format, texts)
        | st.builds("coalesce({}, {})".format, texts, texts)
        | st.builds("substring({}, {}, {})".format, texts, st.integers(1, 3), st.integers(0, 3))
        | st.builds("case when {} then {} end".format, conditions, texts)
    )
)
conditions = st.deferred(
    lambda: (
        st.sampled_from(["b", "true", "false"])
        | st.builds(
            "({} {} {})".format, numbers, st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), known_numbers
        )
        | st.builds("({} {} {})".format, texts, st.sampled_from(["=", "<>", "<"]), texts)
        | st.builds("({} {} {})".format, conditions, st.sampled_from(["and", "or"]), conditions)
        | st.builds("(not {})".format, conditions)
        | st.builds("({} is null)".format, numbers | texts)
        | st.builds("({} in ({}, {}, null))".format, texts, texts, texts)
        | st.builds("({} in (1, {}))".format, known_numbers, known_numbers)
        | st.builds("({} between {} and {})".format, known_numbers, known_numbers, known_numbers)
        | st.builds("({} {} '{}')".format, texts, st.sampled_from(["like", "not like", "ilike"]), patterns)
    )
)
known_numbers = st.sampled_from(["d", "i", "f", "0", "2", "1.5"])
patterns = st.text(alphabet="aAbC_%. 漢", max_size=4)


@settings(max_examples=120, deadline=None)
@given(rows=tables(), text=numbers | texts | conditions)
def test_random_expressions_as_in_duckdb(rows: pl.DataFrame, text: str) -> None:
    compiled = compile_expression(text, rows.schema)
    ours = rows.lazy().select(pl.col("d"), value=compiled.expr).collect()["value"]
    assert ours.dtype == compiled.dtype
    assert_alike(text, ours.to_list(), in_duckdb(text, rows))


@settings(max_examples=50, deadline=None)
@given(
    rows=tables(),
    value=numbers,
    condition=conditions,
    function=st.sampled_from(["sum", "count", "avg", "median"]),
)
def test_random_aggregates_as_in_duckdb(
    rows: pl.DataFrame, value: str, condition: str, function: str
) -> None:
    text = f"{function}({value} + i) filter (where {condition})"
    ours = rows.lazy().select(value=compile_aggregate(text, rows.schema).expr).collect()["value"].to_list()
    assert_alike(text, ours, in_duckdb(text, rows))


def test_sums_of_money_are_exact() -> None:
    rows = pl.DataFrame(
        {"net_amount": pl.Series(["0.1"] * 10 + ["-1"], dtype=pl.String).cast(pl.Decimal(18, 4))}
    )
    total = rows.select(value=compile_aggregate("sum(net_amount)", rows.schema).expr).item()
    assert total == Decimal(0)
