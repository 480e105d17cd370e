"""How the scorecard is worded: drivers, amounts, bases, bands, and why a move ranks where it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.scorecard_data import Split
from dashboard.text import gettext as _
from dashboard.text import later
from metrics.definitions import Unit
from metrics.scorecard_plan import Plan
from metrics.scorecard_targets import NO_LINK, Facts

UNITS: Final[Mapping[str, Unit]] = {
    "retention": "rate",
    "categories": "ratio",
    "revenue_per_category": "money",
    "margin_rate": "rate",
    "cost_to_serve": "money",
    "acquisition_rate": "rate",
    "acquisition_cost": "money",
    "referral_rate": "rate",
    "win_back_rate": "rate",
    "satisfaction": "ratio",
}
BASES: Final[Mapping[str, str]] = {
    "best_quartile": later("best quartile of peers"),
    "own_best": later("own best"),
    "manual": later("set by hand"),
    "external": later("from outside"),
}
BANDS: Final[Mapping[str, str]] = {
    "green": later("on target"),
    "amber": later("below target"),
    "red": later("far below target"),
}
SURENESS: Final[Mapping[str, str]] = {
    "high": later("high"),
    "medium": later("medium"),
    "low": later("low"),
}
TAGS: Final[Mapping[str, str]] = {"hard": later("hard"), "soft": later("soft")}
KEYS: Final[Mapping[str, str]] = {
    "label": later("Name"),
    "tag": later("Kind"),
    "basis": later("Basis"),
    "target": later("Own target"),
    "source": later("Source"),
    "achievable": later("Can be closed"),
    "probability": later("Chance"),
    "cost": later("Cost"),
    "cost_per_customer": later("Cost a customer"),
    "weight": later("Weight"),
    "amber": later("Amber below"),
    "red": later("Red below"),
    "discount_rate": later("Discount rate a year"),
    "acquisition_periods": later("Years of new customers"),
    "periods": later("Quarters of own best"),
    "peers": later("Peers by"),
    "referral": later("Referred"),
    "satisfaction": later("Satisfaction asked as"),
}
"""What `scorecard.yaml` may say, by key."""
Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Shown:
    """What a section draws: the split, the plan with what was changed on the page, the plan as written."""

    split: Split
    plan: Plan
    written: Plan
    facts: Facts
    table: pl.DataFrame

    @property
    def moves(self) -> pl.DataFrame:
        """What has a gap and a value in money, best first."""
        return self.table.filter(pl.col("open"), pl.col("expected").is_not_null())


def key(name: str) -> str:
    """A key of `scorecard.yaml` in words."""
    return _(KEYS[name]) if name in KEYS else name


def said(value: object) -> str:
    """What a key says, in words."""
    match value:
        case None | "":
            return MISSING
        case float():
            return f"{value:g}"
        case {"attribute": attribute, "value": held}:
            return f"{attribute}: {held}"
        case {"item": item, "instrument": instrument}:
            return f"{instrument}: {item}" if instrument else str(item)
        case str() if value in {**BASES, **TAGS}:
            return _({**BASES, **TAGS}[value])
        case _:
            return str(value)


def label(shown: Shown, driver: str) -> str:
    """The name of a driver."""
    return shown.plan.by_driver[driver].label


def amount(desk: Desk, driver: str, value: float | None) -> str:
    """A value of a driver in its unit."""
    return desk.show.value(value, UNITS[driver])


def name(shown: Shown, row: Row) -> str:
    """A move in two words: driver and segment."""
    return f"{label(shown, row['driver'])}, {row['segment']}"


def goal(desk: Desk, row: Row) -> str:
    """From today's value to the target."""
    return _("{now} \N{RIGHTWARDS ARROW} {then}").format(
        now=amount(desk, row["driver"], row["current"]), then=amount(desk, row["driver"], row["target"])
    )


def basis(desk: Desk, shown: Shown, row: Row) -> str:
    """Where the target comes from."""
    words = _(BASES[row["basis"]])
    if row["basis"] == "own_best" and row["best_on"] is not None:
        return _("own best, year to {day}").format(day=desk.show.month(row["best_on"]))
    source = shown.plan.by_driver[row["driver"]].source
    return source if row["basis"] == "external" and source else words


def why(desk: Desk, shown: Shown, row: Row) -> str:
    """Why a move ranks where it does, in words that a person can check by hand."""
    show = desk.show
    if row["expected"] is None:
        return _("No value in money: {reason}.").format(reason=row["reason"] or NO_LINK)
    if not row["open"]:
        return _("The target is reached, so there is nothing to gain here.")
    closing = _(
        "All of the gap is worth {worth} of customer equity. {share} of it can be closed, with a chance of "
        "{chance}: {likely}. The programme costs {cost}, which leaves {net}."
    ).format(
        worth=show.change(row["alone"], "money"),
        share=show.percent(row["achievable"], 0),
        chance=show.percent(row["probability"], 0),
        likely=show.money(row["alone"] * row["achievable"] * row["probability"]),
        cost=show.money(row["cost"]),
        net=show.money(row["expected"]),
    )
    return f"{closing} {_next(desk, shown, row)}".strip()


def _next(desk: Desk, shown: Shown, row: Row) -> str:
    """What comes after it, and how sure the order is."""
    after = shown.moves.filter(pl.col("rank") > row["rank"]).head(1)
    sure = _sure(desk, row)
    if after.is_empty():
        return sure
    then = after.row(0, named=True)
    words = _("Next is {name} with {net}.").format(
        name=name(shown, then), net=desk.show.money(then["expected"])
    )
    return f"{words} {sure}".strip()


def _sure(desk: Desk, row: Row) -> str:
    if row["positive"] is None:
        return _("Too few customers to say how sure that is.")
    return _("Over all that the drivers may really be, it pays in {share} of cases.").format(
        share=desk.show.percent(row["positive"], 0)
    )


def interval(desk: Desk, row: Row) -> str:
    """The 95 % interval of the change of equity."""
    if row["alone_lower"] is None:
        return MISSING
    return _("{low} to {high}").format(
        low=desk.show.change(row["alone_lower"], "money"), high=desk.show.change(row["alone_upper"], "money")
    )


def confidence(row: Row) -> str:
    """How sure the sign of the expected value is."""
    return _(SURENESS[row["confidence"]]) if row["confidence"] else MISSING
