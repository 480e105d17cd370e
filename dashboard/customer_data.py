"""The questions of the page on customers: who is meant, what is known of one, whom to call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from dashboard import segment_data
from dashboard.desk import Desk
from dashboard.privacy import MASK
from dashboard.state import Scope
from metrics.call_list import BASE, NEEDS, REASONS, CallReason, call_list
from metrics.customer_facts import CUSTOMER
from metrics.customer_life import categories, life
from metrics.event_facts import SCORE
from metrics.merging import merged

FOUND: Final = 20
PEERS: Final = ("rfm_segment", "channel", "region")
"""The first of these facts that a project has says who a customer's answers are compared with."""


@dataclass(frozen=True)
class Person:
    """A customer by number and id; personal fields as far as the project shows them."""

    number: int
    id: str
    name: str
    email: str


def people(desk: Desk) -> pl.DataFrame:
    """The customers of the project, by number."""
    return desk.whole.frame("customer_summary")


def person(desk: Desk, customer_id: str) -> Person | None:
    """The customer of an id, None when there is none."""
    rows = people(desk)
    at = rows["customer_id"].search_sorted(customer_id)
    if at >= len(rows) or rows["customer_id"][at] != customer_id:
        return None
    return Person(int(at), customer_id, _personal(desk, "name", at), _personal(desk, "email", at))


def merged_into(desk: Desk, customer_id: str) -> str | None:
    """The customer who now stands for one that was merged; None for an id that was not."""
    if "customers" not in desk.manifest.tables:
        return None
    table = desk.version.scan("customers")
    return desk.kept("merged", lambda: merged(table)).get(customer_id)


def _personal(desk: Desk, field: str, number: int) -> str:
    rows = people(desk)
    value = rows[field][number] if field in rows.columns else None
    if value is None:
        return ""
    return str(value) if desk.role == "shown" else MASK


def search(desk: Desk, term: str) -> pl.DataFrame:
    """The first customers whose id holds a text; by name and e-mail too.

    Where personal fields are masked, a name or an e-mail address finds its customer only when it is typed in
    full: who knows it may look it up, nobody may browse them.
    """
    needle = term.strip().lower()
    rows = people(desk)
    if not needle:
        return rows.select("customer_id", CUSTOMER).clear()
    tests = [_holds("customer_id", needle)]
    for field in ("name", "email"):
        if field in rows.columns:
            whole = pl.col(field).str.to_lowercase() == needle
            tests.append(_holds(field, needle) if desk.role == "shown" else whole)
    exact = pl.col("customer_id").str.to_lowercase() != needle
    found = rows.lazy().filter(pl.any_horizontal(tests).fill_null(value=False)).sort(exact, "customer_id")
    return found.head(FOUND).select("customer_id", CUSTOMER).collect()


def _holds(field: str, needle: str) -> pl.Expr:
    return pl.col(field).str.to_lowercase().str.contains(needle, literal=True)


def facts(desk: Desk, number: int) -> dict[str, object]:
    """Every fact of one customer that is at hand."""
    found = segment_data.facts(desk)
    frame = found.frame(found.at_hand)
    return {column.name: column[number] for column in frame.get_columns()}


def memberships(desk: Desk, number: int) -> list[str]:
    """The labels of the segments that a customer belongs to."""
    book = desk.segments.book
    return [label for name, label in book.labels.items() if book.members(name)[number]]


def timeline(desk: Desk, number: int) -> pl.DataFrame:
    """What happened, the latest first; see `metrics.customer_life.life`."""
    return desk.kept(f"life {number}", lambda: life(desk.whole, number))


def bought(desk: Desk, number: int) -> pl.DataFrame:
    """What was bought by category; see `metrics.customer_life.categories`."""
    return desk.kept(f"categories of {number}", lambda: categories(desk.whole, number))


def peers(desk: Desk, known: Mapping[str, object]) -> tuple[str, str] | None:
    """The fact and its value that say whom a customer is compared with; None for everybody."""
    offered = segment_data.facts(desk).offered
    return next(((name, str(known[name])) for name in PEERS if name in offered and known.get(name)), None)


def averages(desk: Desk, peer: tuple[str, str] | None) -> pl.DataFrame:
    """The mean of the last scores of a customer's peers: fact, mean, n."""
    rows = peer_averages(desk, peer[0] if peer else None)
    return rows.filter(pl.col("peers") == (peer[1] if peer else "")).drop("peers")


def peer_averages(desk: Desk, by: str | None) -> pl.DataFrame:
    """The mean of the last scores by the values of a fact, of everybody without one: peers, fact, mean, n."""
    found = segment_data.facts(desk)
    scores = [name for name in found.offered if name.startswith(SCORE) and name != "last_answer_on"]
    scores = [name for name in scores if found.family_of[name].name == "scores"]

    def made() -> pl.DataFrame:
        if not scores:
            return pl.DataFrame(
                schema={"peers": pl.String, "fact": pl.String, "mean": pl.Float64, "n": pl.Int64}
            )
        frame = found.frame([*scores, *([by] if by else [])])
        peers = pl.col(by).cast(pl.String) if by else pl.lit("")
        told = (_told(name) for name in scores)
        rows = frame.with_columns(peers.alias("peers")).group_by("peers").agg(told)
        return rows.unpivot(scores, index="peers", variable_name="fact").unnest("value")

    return desk.kept(f"averages by {by}", made)


def _told(score: str) -> pl.Expr:
    n = pl.col(score).count().cast(pl.Int64)
    return pl.struct(pl.col(score).mean().alias("mean"), n.alias("n")).alias(score)


def prepare(desk: Desk) -> None:
    """Work out the facts of all customers and what their answers are compared with."""
    facts(desk, 0)
    for by in (*(name for name in PEERS if name in segment_data.facts(desk).offered), None):
        peer_averages(desk, by)


def calls(desk: Desk, scope: Scope, budget: int, shares: Mapping[CallReason, float]) -> pl.DataFrame:
    """Whom to call within a budget, of the customers in the scope; see `metrics.call_list.call_list`."""
    found = segment_data.facts(desk)
    within = segment_data.base(desk, scope)
    names = [name for name in sorted(BASE.union(*NEEDS.values())) if name in found.offered]

    def made() -> pl.DataFrame:
        if not set(names) >= BASE:
            return pl.DataFrame(schema={CUSTOMER: pl.UInt32})
        rows = found.frame(names).with_columns(people(desk)[CUSTOMER])
        kept = rows if within is None else rows.filter(within)
        chosen = call_list(kept, desk.as_of, budget, shares)
        return chosen.join(kept, on=CUSTOMER, how="left", maintain_order="left")

    return desk.kept(f"calls {budget} {sorted(shares.items())} {scope.filters}", made)


def callable_reasons(desk: Desk) -> list[CallReason]:
    """The reasons to call for which this project has the facts."""
    offered = segment_data.facts(desk).offered.keys()
    return [reason for reason in REASONS if NEEDS[reason] | BASE <= offered]
