"""Priorities: what to do first, the way to target equity, the quadrant, and the whole scorecard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from typing import Final

import polars as pl
import streamlit as st

from dashboard import sheet
from dashboard.charts.layout import Chart
from dashboard.charts.scorecard import Line, Move, priorities, scorecard_table
from dashboard.charts.waterfall import Step, waterfall
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.parts import downloads, markup
from dashboard.parts.chart_card import Card, chart_card
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.parts.markup import Column
from dashboard.scorecard_data import Split, equity_today
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import ngettext
from dashboard.theme import SERIES
from dashboard.views import scorecard_words as words
from dashboard.views.scorecard_words import Shown
from metrics.scorecard_targets import totals

FIRST: Final = 3
OTHER: Final = "other"
ALL: Final = "scorecard.all"


def render(desk: Desk, scope: Scope, shown: Shown) -> None:
    """The three best moves, since they are the answer; the figures, waterfall and quadrant, the table."""
    _first(desk, shown)
    _figures(desk, shown)
    left, right = st.columns(2)
    with left:
        chart_card(*_waterfall(desk, shown))
    with right:
        chart_card(*_quadrant(desk, shown))
    whole_table(desk, shown)


def _figures(desk: Desk, shown: Shown) -> None:
    show, moves = desk.show, shown.moves
    worth = moves.filter(pl.col("expected") > 0)
    joint = float(shown.table["share"].sum() or 0)
    today = equity_today(shown.plan, shown.facts)
    apart = float(shown.table["alone"].sum() or 0)
    if shown.split.overlaps:
        first = Stated(
            _("Segments compared"),
            show.count(shown.table["segment"].n_unique()),
            _("they overlap, so they have no total"),
        )
        second = Stated(_("Moves with a gap"), show.count(len(moves)), _("segments times drivers"))
    else:
        first = Stated(
            _("Customer equity"), show.money(today), _("sum of the segments, each with its own rates")
        )
        second = Stated(
            _("With every gap closed"),
            show.money(today + joint),
            _("{joint} together; one at a time {apart}").format(
                joint=show.change(joint, "money"), apart=show.change(apart, "money")
            ),
        )
    figure_row(
        [
            first,
            second,
            Stated(
                _("Worth doing"),
                show.count(len(worth)),
                ngettext(
                    "move is expected to pay, of {n}", "moves are expected to pay, of {n}", len(worth)
                ).format(n=show.count(len(moves))),
            ),
            Stated(
                _("Best single move"),
                show.money(worth["expected"][0]) if len(worth) else MISSING,
                words.name(shown, worth.row(0, named=True)) if len(worth) else _("none pays its cost"),
            ),
        ],
        "scorecard",
    )


def _first(desk: Desk, shown: Shown) -> None:
    """The best moves as cards that an executive reads in ten seconds."""
    best = shown.moves.filter(pl.col("expected") > 0).head(FIRST)
    if best.is_empty():
        markup.notice(_("No programme is expected to pay its cost: lower the cost, or choose other targets."))
        return
    markup.section(_("Do these first"), _("by expected value after the programme's cost"))
    sheet.record(lambda: sheet.Tiles(numbers=tuple(_number(desk, shown, row) for row in best.to_dicts())))
    with st.grid(FIRST, min_column_width=260, gap="small"):
        for place, row in enumerate(best.iter_rows(named=True)):
            with st.container(border=True, key=f"card-scorecard-move-{place}", height="stretch"):
                st.html(_move(desk, shown, place + 1, row))


def _number(desk: Desk, shown: Shown, row: words.Row) -> sheet.Number:
    """A move as a figure of a report."""
    shown_as = desk.show.change(row["expected"], "money")
    return sheet.Number(label=words.name(shown, row), shown=shown_as, under=words.goal(desk, row))


def _move(desk: Desk, shown: Shown, place: int, row: words.Row) -> str:
    show = desk.show
    under = _("expected, after {cost} for the programme").format(cost=show.money(row["cost"]))
    sure = _("confidence {word}").format(word=words.confidence(row))
    customers = ngettext("{n} customer", "{n} customers", int(row["customers"])).format(
        n=show.count(row["customers"])
    )
    facts = f"{customers} \N{MIDDLE DOT} {sure}"
    return (
        f'<div class="move"><span class="place">{place}</span>'
        f'<div class="what"><b>{escape(words.label(shown, row["driver"]))}</b>'
        f"<span>{escape(str(row['segment']))}</span></div>"
        f'<div class="goal"><i class="band {row["band"]}"></i>{escape(words.goal(desk, row))}</div>'
        f'<div class="net">{escape(show.change(row["expected"], "money"))}</div>'
        f'<div class="under">{escape(under)}</div>'
        f'<div class="under">{escape(facts)}</div></div>'
    )


def _waterfall(desk: Desk, shown: Shown) -> tuple[Card, Chart | None, str]:
    """From equity today to equity with every gap closed, by Shapley's shares of the drivers."""
    show, shares = desk.show, totals(shown.table)
    moved = shares.filter(pl.col("share").abs() > 0.5)
    today, joint = equity_today(shown.plan, shown.facts), float(shares["share"].sum() or 0)
    steps = [
        Step(_("Today"), today, total=True),
        *(Step(words.label(shown, driver), share) for driver, share in moved.iter_rows()),
        Step(_("On target"), today + joint, total=True),
    ]
    lead = words.label(shown, moved["driver"][0]) if len(moved) else ""
    card = Card(
        key="scorecard-waterfall",
        title=_("{driver} is the largest step to target equity").format(driver=lead)
        if lead
        else _("Every driver is on target"),
        note=_("customer equity, {currency} \N{MIDDLE DOT} every gap closed, shares by Shapley").format(
            currency=show.currency
        ),
        definition={
            _("Equity"): _("Customers times margin times r / (1 + i - r), and next year's new customers"),
            _("Shares"): _(
                "Gaps closed together are worth more or less than each alone; a driver's share is its mean "
                "addition over all orders of closing, and the shares add up to the whole"
            ),
        },
        columns=[Column(_("Step")), Column(_("Amount"), "number")],
        rows=lambda: [
            [step.name, show.money(step.value) if step.total else show.change(step.value, "money")]
            for step in steps
        ],
        frame=lambda: shares,
    )
    if shown.split.overlaps:
        return (
            card,
            None,
            _("Segments that overlap have no total. Choose an attribute to see the way to target."),
        )
    if not len(moved):
        return card, None, _("There is no gap to close.")
    alt = _("From equity today to target by driver, {first} first").format(first=lead)
    chart = waterfall(steps, partial(show.axis, unit="money"), partial(_signed, desk), alt, room=0.4)
    return card, chart, ""


def _signed(desk: Desk, value: float) -> str:
    return f"{'+' if value > 0 else ''}{desk.show.axis(round(value), 'money')}"


def _quadrant(desk: Desk, shown: Shown) -> tuple[Card, Chart | None, str]:
    show = desk.show
    names = _named(shown)
    moves = [_bubble(desk, shown, row, names) for row in shown.moves.iter_rows(named=True)]
    card = Card(
        key="scorecard-quadrant",
        title=_likely(moves),
        note=_("expected value by feasibility \N{MIDDLE DOT} size: customers, colour: driver"),
        definition={
            _("Feasibility"): _("Chance of success times the share of the gap that can be closed"),
            _("Expected value"): _("Feasibility times the change of equity, less the programme's cost"),
            _("Lines"): _("the medians of all moves"),
        },
        columns=[
            Column(_("Move")),
            Column(_("Feasibility"), "number"),
            Column(_("Expected"), "number"),
            Column(_("Customers"), "number"),
        ],
        rows=lambda: [
            [move.name, show.percent(move.feasible, 0), show.money(move.expected), show.count(move.customers)]
            for move in moves
        ],
        frame=lambda: shown.moves,
    )
    if len(moves) < 2:
        return card, None, _("Fewer than two moves have a gap.")
    alt = _("Moves by feasibility and expected value; the best is {name}").format(name=moves[0].name)
    return (
        card,
        priorities(moves, names, partial(show.axis, unit="money"), partial(show.percent, digits=0), alt),
        "",
    )


def _likely(moves: Sequence[Move]) -> str:
    """The best moves that are also at least as feasible as the middle one."""
    middle = sorted(move.feasible for move in moves)[len(moves) // 2] if moves else 0.0
    both = [move.name for move in moves if move.feasible >= middle and move.expected > 0][:2]
    if not both:
        return _("What is worth it is not likely, what is likely is not worth it")
    return _("Both likely and worth it: {names}").format(names="; ".join(both))


def _named(shown: Shown) -> dict[str, str]:
    """The drivers with a colour of their own, those of the best moves, and one name for all others."""
    drivers = shown.moves["driver"].unique(maintain_order=True).to_list()
    names = {driver: words.label(shown, driver) for driver in drivers[: len(SERIES)]}
    return names if len(drivers) <= len(SERIES) else names | {OTHER: _("Others")}


def _bubble(desk: Desk, shown: Shown, row: words.Row, names: Mapping[str, str]) -> Move:
    driver = row["driver"] if row["driver"] in names else OTHER
    note = f"{words.name(shown, row)}: {words.goal(desk, row)}, {desk.show.money(row['expected'])}"
    feasible = row["probability"] * row["achievable"]
    lines = (words.label(shown, row["driver"]), str(row["segment"]))
    return Move(feasible, row["expected"], row["customers"], driver, words.name(shown, row), note, lines)


def whole_table(desk: Desk, shown: Shown, segment: str | None = None) -> None:
    """The scorecard, or that of one segment: what has a gap, and on request what is on target."""
    rows = shown.table if segment is None else shown.table.filter(pl.col("segment") == segment)
    markup.section(_("The scorecard"), _("one change at a time; these rows do not add up, the shares do"))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        everything = st.toggle(_("Show what is on target too"), key=f"{ALL}-{segment}")
        downloads.buttons("scorecard", lambda: rows, f"scorecard-{segment}")
    listed = rows if everything else rows.filter(pl.col("open"))
    if listed.is_empty():
        markup.note(_("Every driver is on target."))
        return
    lines, label = _lines(desk, shown, listed), _("Customer Value Scorecard")
    sheet.record(
        lambda: markup.table_block(
            [Column(title, kind if kind == "number" else "") for title, kind in _heads()],
            [line.texts for line in lines],
            label,
            frame=listed,
        )
    )
    st.html(scorecard_table(_heads(), lines, (5, 4), label))
    markup.note(_key(shown.split))


def _heads() -> Sequence[tuple[str, str]]:
    return (
        (_("Rank"), "number"),
        (_("Segment and driver"), "first"),
        (_("Today"), "number"),
        (_("Target"), "number"),
        (_("Expected net"), "number"),
        (_("Equity, alone"), "number"),
        (_("95 % interval"), ""),
        (_("Shapley share"), "number"),
        (_("Cost"), "number"),
        (_("Chance"), "number"),
        (_("ROI"), "number"),
        (_("Confidence"), ""),
        (_("Customers"), "number"),
        (_("Gap"), "number"),
        (_("Basis"), ""),
    )


def _key(split: Split) -> str:
    words_ = _(
        "Dots: green on target, amber below, red far below. Equity, alone: if only this gap closes, all of "
        "it. Expected net: chance times the share that can be closed times that, less cost. Confidence: how "
        "often it pays over what else the drivers may be by chance: high from 90 %, medium from 60 %."
    )
    kept = _(" Segments are those of the day before the year began.") if split.overlaps else ""
    return words_ + kept


def _lines(desk: Desk, shown: Shown, rows: pl.DataFrame) -> list[Line]:
    most = [float(rows[name].abs().max() or 1.0) for name in ("alone", "expected")]  # type: ignore[arg-type]  # numbers
    return [_line(desk, shown, row, most) for row in rows.iter_rows(named=True)]


def _line(desk: Desk, shown: Shown, row: words.Row, most: list[float]) -> Line:
    show, driver = desk.show, row["driver"]
    known = row["expected"] is not None
    texts = [
        show.decimal(row["rank"], 0) if known and row["open"] else MISSING,
        words.name(shown, row),
        words.amount(desk, driver, row["current"]),
        words.amount(desk, driver, row["target"]),
        show.change(row["expected"], "money") if known else _("n/a"),
        show.change(row["alone"], "money") if known else _("n/a"),
        words.interval(desk, row),
        show.change(row["share"], "money") if known else _("n/a"),
        show.money(row["cost"]) if known else MISSING,
        show.percent(row["probability"], 0) if known else MISSING,
        show.decimal(row["roi"], 1) if row["roi"] is not None else MISSING,
        words.confidence(row),
        show.count(row["customers"]),
        show.change(row["gap"], words.UNITS[driver]),
        words.basis(desk, shown, row),
    ]
    alone, expected = (
        (row[column] or 0.0) / top for column, top in zip(("alone", "expected"), most, strict=True)
    )
    band = row["band"] or ""
    word = _(words.BANDS[band]) if band else ""
    return Line(texts, band, word, alone, expected, not row["open"])
