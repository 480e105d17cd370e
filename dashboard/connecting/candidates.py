"""Which of their columns may be which of ours: by name, type and content, each with how sure that is."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from unicodedata import normalize

import polars as pl

from connectors.dates import candidates as date_forms
from connectors.tables import DERIVED, TABLES, dtypes, required

NAMES: Final[Mapping[str, str]] = {
    "order_id": "order_id order_no order_number order invoice_no invoice_id invoice_number invoice"
    " transaction_id receipt_no receipt basket_id ticket_id",
    "line_id": "line_id line_no line_number line order_item_id item_no position",
    "customer_id": "customer_id customer_no customer_number customer client_id client user_id user"
    " buyer_id buyer member_id account_id customer_email email",
    "ordered_at": "ordered_at ordered_on order_date order_time order_datetime invoice_date purchase_date"
    " purchased_at transaction_date created_at date_time datetime timestamp date time",
    "net_amount": "net_amount line_total net_total total_price total_amount net_sales sales revenue"
    " amount total paid turnover value",
    "quantity": "quantity qty units count pieces",
    "product_id": "product_id sku stock_code item_id article_no product_code product",
    "category": "category product_category department item_category",
    "department": "department division",
    "status": "status order_status",
    "channel": "channel sales_channel order_channel acquired_by source medium",
    "cost": "cost line_cost cost_of_goods cogs",
    "discount": "discount discount_amount rebate",
    "joined_on": "joined_on registered_on signup_date created_at create_date customer_since since",
    "region": "region state country city area",
    "name": "name full_name customer_name product_name title description",
    "email": "email e_mail mail email_address",
    "promised_at": "promised_at promised estimated_delivery due_date",
    "delivered_at": "delivered_at delivered delivery_date shipped_at",
    "response_id": "response_id respondent_id response id",
    "item": "item question question_id item_code",
    "part": "part side",
    "answered_at": "answered_at answered submitted_at submit_date timestamp date",
    "instrument": "instrument survey questionnaire",
    "score": "score answer rating value",
    "weight": "weight",
    "interaction_id": "interaction_id contact_id case_id ticket_id case_number",
    "occurred_at": "occurred_at opened_at created_at contact_date date timestamp",
    "kind": "kind type contact_type",
    "topic": "topic subject reason category",
    "resolved_at": "resolved_at closed_at resolved closed",
    "outcome": "outcome resolution result",
    "subscription_id": "subscription_id contract_id contract_no contract",
    "plan": "plan tariff product",
    "started_on": "started_on start_date started begin valid_from",
    "ended_on": "ended_on end_date ended cancelled_on valid_to",
    "amount": "amount price fee monthly_fee spend cost",
    "billing_period": "billing_period period interval cycle",
    "spent_on": "spent_on month date day period",
    "purpose": "purpose goal",
}
"""Names under which our columns are known, the most telling first; case and punctuation do not count."""

PRICES: Final = ("unit_price", "price", "price_each", "item_price", "list_price")
_NUMBER: Final = r"^[\s(\-+€$£]*\d[\d.,'\s]*[\s)%€$£-]*$"
_BY_NAME: Final = 0.95
_BY_RANK: Final = 0.03
_LEAST: Final = 0.6
_BY_CONTENT: Final = 0.5


@dataclass(frozen=True)
class Candidate:
    """What one of our columns may be made of, how sure that is (0 to 1), and why in words."""

    ours: str
    theirs: str
    confidence: float
    why: str


def candidates(table: str, sample: pl.DataFrame) -> list[Candidate]:
    """The best candidate for every column of a table for which there is one, in the order of the table.

    A name is worth 95 %, less for the less telling ones; it counts by the share of the sampled cells that are
    what the column needs (dates, numbers). A required column without a name is taken where one column alone
    has such content. No column is taken twice, but for keys and dates that stand for several.
    """
    content = {name: _content(sample[name]) for name in sample.columns}
    found: dict[str, Candidate] = {}
    for ours, dtype in dtypes(table).items():
        if ours in DERIVED.get(table, ()):
            continue
        best = max(_named(ours, dtype, content), key=lambda one: one.confidence, default=None)
        if best is not None:
            found[ours] = best
    if table == "order_lines" and "net_amount" not in found:
        found |= {one.ours: one for one in _priced(found, sample.columns)}
    _fill(table, found, content)
    return [found[ours] for ours in dtypes(table) if ours in found]


def table_of(columns: Sequence[str], sample: pl.DataFrame) -> str:
    """The table that the columns fill best: most of what it needs, then most of what it has."""

    def fit(table: str) -> tuple[float, int]:
        found = {one.ours for one in candidates(table, sample)}
        needed = required(table)
        return len(found & set(needed)) / len(needed), len(found)

    return max(TABLES, key=fit)


def _content(column: pl.Series) -> Mapping[str, float]:
    """The share of the filled cells that look like dates and like numbers."""
    if column.dtype.is_temporal():
        return {"date": 1.0, "number": 0.0}
    if column.dtype.is_numeric():
        return {"date": 0.0, "number": 1.0}
    texts = column.cast(pl.String).str.strip_chars()
    filled = texts.filter(texts != "").head(300)
    if not filled.len():
        return {"date": 0.0, "number": 0.0}
    dates = sum(date_forms(filled.to_list()).values()) / filled.len()
    numbers = int(filled.str.contains(_NUMBER).sum()) / filled.len()
    return {"date": dates, "number": 0.0 if dates > _BY_CONTENT else numbers}


def _named(ours: str, dtype: pl.DataType, content: Mapping[str, Mapping[str, float]]) -> Iterator[Candidate]:
    known = NAMES.get(ours, ours).split()
    folded = {_folded(name): name for name in reversed(list(content))}
    for rank, name in enumerate(known):
        theirs = folded.get(_folded(name))
        if theirs is None:
            continue
        fits, words = _fit(dtype, content[theirs])
        confidence = max(_BY_NAME - _BY_RANK * rank, _LEAST) * fits
        if fits >= _BY_CONTENT:
            yield Candidate(ours, theirs, confidence, f"by its name{words}")


def _fit(dtype: pl.DataType, content: Mapping[str, float]) -> tuple[float, str]:
    """How well a column's cells are what ours needs."""
    if dtype.is_temporal():
        return content["date"], f", {content['date']:.0%} dates"
    if dtype.is_numeric():
        return content["number"], f", {content['number']:.0%} numbers"
    return 1.0, ""


def _priced(found: Mapping[str, Candidate], columns: Sequence[str]) -> Iterator[Candidate]:
    """An amount from quantity and price."""
    folded = {_folded(name): name for name in columns}
    price = next((folded[_folded(name)] for name in PRICES if _folded(name) in folded), None)
    if price and "quantity" in found:
        quantity = found["quantity"].theirs
        yield Candidate("net_amount", f"{quoted(quantity)} * {quoted(price)}", 0.8, "quantity times price")


def _fill(table: str, found: dict[str, Candidate], content: Mapping[str, Mapping[str, float]]) -> None:
    """Required columns without a name: the one column that has such content and is not taken."""
    types = dtypes(table)
    for ours in required(table):
        kind = "date" if types[ours].is_temporal() else "number" if types[ours].is_numeric() else ""
        taken = {one.theirs for one in found.values()}
        free = [name for name in content if name not in taken and kind and content[name][kind] > _BY_NAME]
        if ours not in found and len(free) == 1:
            found[ours] = Candidate(ours, free[0], _BY_CONTENT, f"the only column of {kind}s that is left")


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", normalize("NFKD", name).casefold())


def quoted(name: str) -> str:
    """A column's name within an expression."""
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else '"' + name.replace('"', '""') + '"'
