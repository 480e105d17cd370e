"""Reliability: whether items measure one thing, what goes with the whole, which spoils it, what was odd."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl
import streamlit as st

from dashboard import satisfaction_data as asked
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.parts import downloads, markup, states
from dashboard.parts.markup import Column
from dashboard.satisfaction_data import Wave
from dashboard.state import Scope
from dashboard.survey_words import between, dimension, item
from dashboard.text import gettext as _
from dashboard.text import later
from dashboard.views.satisfaction_gaps import instrument_shown, too_few
from metrics.instruments import Instrument
from metrics.satisfaction import respondents_needed

MEASURES: Final[Mapping[str, str]] = {
    "expectation": later("Expectation"),
    "perception": later("Perception"),
    "gap": later("Gap"),
    "minimum": later("Minimum"),
    "desired": later("Desired"),
}
FINDINGS: Final[Mapping[str, str]] = {
    "off_scale": later("Answers off the scale, left aside"),
    "blank": later("Answers coded as none"),
    "unknown_item": later("Answers to items that the instrument does not know"),
    "narrow_item": later("Items that never reach the top: asked on a shorter scale?"),
    "straight_liner": later("Respondents with one answer throughout"),
    "ceiling": later("Respondents who expect the most of everything"),
    "duplicate_respondent": later("Second responses of a customer on one day"),
    "unknown_customer": later("Responses of nobody who ever ordered"),
}
GOOD: Final = 0.7
HALVES: Final = (0.1, 0.2)


def render(desk: Desk, scope: Scope) -> None:
    """Draw the section for the instrument that is chosen."""
    instrument = instrument_shown(desk)
    found = asked.wave(desk, scope, instrument) if instrument else None
    if instrument is None:
        states.empty("rule", _("No scales to test"), _("No questionnaire with dimensions has answers."))
        return
    if found is None or found.now.n < instrument.min_n:
        too_few(desk, scope, instrument, found)
        return
    _alphas(desk, scope, instrument, found)
    _correlations(desk, scope, instrument, found)
    _items(desk, scope, instrument, found)
    left, right = st.columns(2)
    with left:
        _quality(desk, instrument)
    with right:
        _needed(desk, scope, instrument, found)


def _alphas(desk: Desk, scope: Scope, instrument: Instrument, found: Wave) -> None:
    """One row a dimension: the alpha of each measure with its interval."""
    table = asked.reliabilities(desk, scope, instrument, found)
    markup.section(_("Cronbach's alpha"), _("respondents who answered every item; Feldt's 95 % interval"))
    measures = table["measure"].unique(maintain_order=True).to_list()
    heads = [Column(_("Dimension")), Column(_("Items"), "number")]
    for measure in measures:
        heads += [Column(_(MEASURES[measure]), "number"), Column(_("95 % interval"))]
    heads += [Column(_("Of the difference"), "number")] if "gap" in measures else []
    rows = [_alpha_row(desk, instrument, of, table.filter(dimension=of)) for of in instrument.dimensions]
    markup.show_table(heads, rows, _("Cronbach's alpha"))
    markup.note(
        _(
            "0.7 is a usual floor. Of the difference: what the reliabilities of both sides and their "
            "correlation leave of the gap (Johns 1981); it lies below that of the perception alone. Gaps say "
            "what to mend, perceptions foretell overall quality better."
        )
    )


def _alpha_row(desk: Desk, instrument: Instrument, of: str, rows: pl.DataFrame) -> list[str]:
    texts = [dimension(desk, instrument, of), str(rows["items"][0])]
    for row in rows.iter_rows(named=True):
        texts += _alpha(desk, row)
    if "gap" in rows["measure"]:
        left = rows["difference_reliability"].drop_nulls()
        texts.append(_decimal(desk, left[0] if len(left) else None))
    return texts


def _alpha(desk: Desk, row: Mapping[str, float | None]) -> list[str]:
    alpha, lower, upper = row["alpha"], row["lower"], row["upper"]
    if alpha is None or lower is None or upper is None:
        return [MISSING, _judged(None)]
    between = f"{desk.show.decimal(lower, 2)} {_('to')} {desk.show.decimal(upper, 2)}"
    words = _judged(alpha)
    return [desk.show.decimal(alpha, 2), f"{between}, {words}" if words else between]


def _judged(alpha: float | None) -> str:
    if alpha is None:
        return _("too few items, respondents or differences")
    if alpha < 0:
        return _("an item runs against the others: reversed?")
    return "" if alpha >= GOOD else _("below 0.7")


def _correlations(desk: Desk, scope: Scope, instrument: Instrument, found: Wave) -> None:
    """Whether perceptions or gaps go with the judgement of the whole, dimension by dimension."""
    table = asked.correlations(desk, scope, instrument, found)
    markup.section(
        _("What goes with overall satisfaction"),
        _("correlation with the overall judgement; Fisher's 95 % interval"),
    )
    if table is None:
        text = _("No question of the kind `overall` is asked. Add one to the instrument to see it.")
        markup.note(text)
        return
    measures = table["measure"].unique(maintain_order=True).to_list()
    heads = [Column(_("Dimension")), Column("n", "number")]
    for measure in measures:
        heads += [Column(_(MEASURES[measure]), "number"), Column(_("95 % interval"))]
    names = table["dimension"].unique(maintain_order=True)
    rows = [_correlation_row(desk, instrument, of, table.filter(dimension=of)) for of in names]
    markup.show_table(heads, rows, _("What goes with overall satisfaction"))
    markup.note(
        _(
            "Both columns are about the same respondents. Where perceptions go with the judgement as closely "
            "as gaps do, asking for expectations foretells it no better; it still says what to mend."
        )
    )


def _correlation_row(desk: Desk, instrument: Instrument, of: str, rows: pl.DataFrame) -> list[str]:
    texts = [dimension(desk, instrument, of), desk.show.count(rows["n"][0])]
    for row in rows.iter_rows(named=True):
        texts += [_decimal(desk, row["correlation"]), between(desk.show, row)]
    return texts


def _items(desk: Desk, scope: Scope, instrument: Instrument, found: Wave) -> None:
    table = asked.item_reliabilities(desk, scope, instrument, found)
    suspects = table.filter("reversed")["item"].to_list()
    words = _("what each item does to its dimension; perceptions")
    markup.section(_("Items of a scale"), words)
    for code in suspects:
        text = _(
            "`{code}` runs against the others of its dimension. Is it worded negatively? Then name it under "
            "`reversed` in the instrument."
        )
        markup.notice(text.format(code=code))
    heads = [Column(_("Item")), Column(""), Column(_("Item-total"), "number")]
    heads += [Column("alpha", "number"), Column(_("alpha without it"), "number"), Column("")]
    rows = [
        [
            row["item"],
            item(desk, instrument, row["item"]),
            *(_decimal(desk, row[column]) for column in ("item_total", "alpha", "alpha_without")),
            _("reversed?") if row["reversed"] else _better(row),
        ]
        for row in table.iter_rows(named=True)
    ]
    markup.show_table(heads, rows, _("Items of a scale"))
    downloads.buttons("reliability", lambda: table, "satisfaction.reliability.files")


def _decimal(desk: Desk, value: float | None) -> str:
    return MISSING if value is None else desk.show.decimal(value, 2)


def _better(row: Mapping[str, object]) -> str:
    alpha, without = row["alpha"], row["alpha_without"]
    apart = isinstance(alpha, float) and isinstance(without, float) and without > alpha
    return _("better without it") if apart else ""


def _quality(desk: Desk, instrument: Instrument) -> None:
    """What was odd among all answers, and what became of it."""
    answers = asked.everybody(desk, instrument)
    found = {**answers.found, "unknown_customer": asked.unknown_respondents(desk, answers)}
    markup.section(_("Odd answers"), _("all waves; left out only where the instrument says so"))
    rows = [
        [
            _(FINDINGS[name]),
            desk.show.decimal(n, 0),
            desk.show.decimal(answers.excluded[name], 0) if name in answers.excluded else _("none"),
        ]
        for name, n in found.items()
    ]
    heads = [Column(_("What")), Column(_("Found"), "number"), Column(_("Left out"), "number")]
    markup.show_table(heads, rows, _("Odd answers"))


def _left_out(desk: Desk, n: int | None) -> str:
    return _("none, no rule") if n is None else desk.show.decimal(n, 0)


def _needed(desk: Desk, scope: Scope, instrument: Instrument, found: Wave) -> None:
    """How many respondents a wanted precision takes."""
    table = asked.gap_table(desk, scope, instrument, found.period)
    markup.section(_("Respondents needed"), _("for an interval of at most plus or minus so much"))
    heads = [Column(_("Dimension")), Column(_("Spread"), "number")]
    heads += [Column(f"\N{PLUS-MINUS SIGN}{half}", "number") for half in HALVES] + [
        Column(_("Now"), "number")
    ]
    rows = []
    for row in table.filter(pl.col("sd").is_not_null()).iter_rows(named=True):
        needed = [desk.show.decimal(respondents_needed(row["sd"], half), 0) for half in HALVES]
        name = dimension(desk, instrument, row["dimension"])
        rows.append([name, desk.show.decimal(row["sd"], 2), *needed, desk.show.decimal(row["n"], 0)])
    markup.show_table(heads, rows, _("Respondents needed"))
