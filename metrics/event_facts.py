"""Facts from contacts, surveys and contracts: service, the last scores, what runs."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from connectors.tables import MONEY
from metrics.customer_facts import CUSTOMER, Fact, Family
from metrics.frames import Marts
from metrics.order_facts import YEAR

SCORE: Final = "last_"
"""What stands before the code of a survey item in the name of the fact that holds its last score."""

MOST_SCORES: Final = 40
"""Of more items than this in one project only the first ones by name become facts."""

_COUNT, _DAY = pl.Int64(), pl.Date()
_SERVICE: Final[Mapping[str, Fact]] = {
    "contacts": Fact(_COUNT, "Contacts", "count", "Contacts ever, complaints among them."),
    "contacts_365d": Fact(_COUNT, "Contacts, last year", "count", "Contacts in the last 365 days."),
    "complaints": Fact(_COUNT, "Complaints", "count", "Complaints ever."),
    "complaints_365d": Fact(_COUNT, "Complaints, last year", "count", "Complaints in the last 365 days."),
    "open_complaints": Fact(_COUNT, "Open complaints", "count", "Complaints that are not settled."),
    "unhappy_complaints": Fact(
        _COUNT, "Complaints left unsatisfied", "count", "Complaints whose outcome is `unsatisfied`."
    ),
    "last_contact_on": Fact(_DAY, "Last contact", about="The day of the last contact."),
    "last_complaint_on": Fact(_DAY, "Last complaint", about="The day of the last complaint."),
    "contact_cost": Fact(MONEY, "Cost of contacts", "money", "What contacts have cost ever."),
}
_CONTRACTS: Final[Mapping[str, Fact]] = {
    "contracts": Fact(_COUNT, "Contracts", "count", "Different contracts ever."),
    "active_contracts": Fact(_COUNT, "Running contracts", "count", "Contracts that run on the as-of day."),
}
_ANSWERED: Final[Mapping[str, Fact]] = {
    "responses": Fact(_COUNT, "Survey responses", "count", "Questionnaires filled in."),
    "last_answer_on": Fact(_DAY, "Last answer", about="The day of the last filled-in questionnaire."),
}
_GAP: Final = Fact(
    pl.Float64(),
    "Last gap",
    "score",
    "Perceived less expected service, mean over the items of the last questionnaire that asked both.",
)
_INVITED: Final = "invited"
"""The item that says who was asked; it is no answer."""


def _service(marts: Marts, _names: frozenset[str]) -> pl.DataFrame:
    rows = marts.frame("contacts")
    complaint = pl.col("kind").cast(pl.String) == "complaint"
    recent = pl.col("occurred_on") > marts.as_of - YEAR
    unsettled = pl.col("resolved_on").is_null() | (pl.col("resolved_on") > marts.as_of)
    unhappy = (pl.col("outcome").cast(pl.String) == "unsatisfied").fill_null(value=False)
    return rows.group_by(CUSTOMER).agg(
        pl.len().cast(_COUNT).alias("contacts"),
        recent.sum().cast(_COUNT).alias("contacts_365d"),
        complaint.sum().cast(_COUNT).alias("complaints"),
        (complaint & recent).sum().cast(_COUNT).alias("complaints_365d"),
        (complaint & unsettled).sum().cast(_COUNT).alias("open_complaints"),
        (complaint & unhappy).sum().cast(_COUNT).alias("unhappy_complaints"),
        pl.col("occurred_on").max().alias("last_contact_on"),
        pl.col("occurred_on").filter(complaint).max().alias("last_complaint_on"),
        pl.col("cost").sum().alias("contact_cost"),
    )


def _contracts(marts: Marts, _names: frozenset[str]) -> pl.DataFrame:
    rows = marts.frame("contracts")
    runs = (pl.col("ended_on").is_null() | (pl.col("ended_on") > marts.as_of)) & (
        pl.col("started_on") <= marts.as_of
    )
    name = pl.col("subscription_id")
    return rows.group_by(CUSTOMER).agg(
        name.n_unique().cast(_COUNT).alias("contracts"),
        name.filter(runs).n_unique().cast(_COUNT).alias("active_contracts"),
    )


def score_items(marts: Marts) -> tuple[str, ...]:
    """The survey items that are scored by themselves, by name; those of expectations and gaps are not."""

    def found() -> tuple[str, ...]:
        rows = marts.frame("answers").filter(pl.col("part").cast(pl.String) == "score")
        items = rows["item"].cast(pl.String).unique().sort().to_list()
        return tuple(item for item in items if item != _INVITED)[:MOST_SCORES]

    return marts.kept("score items", found)


def _scores(marts: Marts) -> dict[str, Fact]:
    if "answers" not in marts.frames:
        return {}
    about = "The last answer to `{item}` in any survey."
    scores = {
        f"{SCORE}{item.lower()}": Fact(
            pl.Float64(), f"Last {item.replace('_', ' ')}", "score", about.format(item=item)
        )
        for item in score_items(marts)
    }
    asked = marts.kept("parts asked", lambda: set(marts.frame("answers")["part"].cast(pl.String).unique()))
    gap = {"last_gap": _GAP} if {"expectation", "perception"} <= asked else {}
    return {**_ANSWERED, **gap, **scores}


def _answers(marts: Marts, names: frozenset[str]) -> pl.DataFrame:
    rows = marts.frame("answers").filter(
        pl.col(CUSTOMER).is_not_null(), pl.col("item").cast(pl.String) != _INVITED
    )
    found = rows.group_by(CUSTOMER).agg(
        pl.col("response_id").n_unique().cast(_COUNT).alias("responses"),
        pl.col("answered_on").max().alias("last_answer_on"),
    )
    if "last_gap" in names:
        found = found.join(_gaps(rows), on=CUSTOMER, how="left")
    scored = rows.filter(pl.col("part").cast(pl.String) == "score", pl.col("score").is_not_null())
    for item in score_items(marts):
        if (name := f"{SCORE}{item.lower()}") in names:
            last = (
                scored.filter(pl.col("item").cast(pl.String) == item)
                .sort("answered_at", "response_id")
                .unique(CUSTOMER, keep="last")
                .select(CUSTOMER, pl.col("score").alias(name))
            )
            found = found.join(last, on=CUSTOMER, how="left")
    return found


def _gaps(rows: pl.DataFrame) -> pl.DataFrame:
    """The gap of each customer's last response that asked for expectation and perception."""
    part = pl.col("part").cast(pl.String)
    asked = rows.filter(part.is_in(["expectation", "perception"]), pl.col("score").is_not_null())
    pairs = asked.group_by(CUSTOMER, "response_id", "answered_on", "item").agg(
        pl.col("score").filter(part == "perception").first().alias("perceived"),
        pl.col("score").filter(part == "expectation").first().alias("expected"),
    )
    both = pairs.with_columns(gap=pl.col("perceived") - pl.col("expected")).drop_nulls("gap")
    by = (CUSTOMER, "answered_on", "response_id")
    means = both.group_by(by).agg(pl.col("gap").mean().alias("last_gap")).sort(by)
    return means.unique(CUSTOMER, keep="last").select(CUSTOMER, "last_gap")


SERVICE: Final = Family(
    "service",
    "Contacts and complaints",
    lambda marts: _SERVICE if "contacts" in marts.frames else {},
    _service,
    frozenset(name for name, fact in _SERVICE.items() if fact.dtype == _COUNT),
)
CONTRACTS: Final = Family(
    "contracts",
    "Contracts",
    lambda marts: _CONTRACTS if "contracts" in marts.frames else {},
    _contracts,
    frozenset(_CONTRACTS),
)
SCORES: Final = Family("scores", "Survey answers", _scores, _answers, frozenset({"responses"}))
