"""The editors of a what-if: drivers, one segment, and how drivers are measured.

An editor keeps what was typed against the rows that it was drawn with, so these stay while it is on the page.
When it comes back it begins with the plan as changed so far.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import polars as pl
import streamlit as st

from dashboard.desk import Desk
from dashboard.parts import markup
from dashboard.parts.filter_bar import heading
from dashboard.text import gettext as _
from dashboard.views import scorecard_words as words
from dashboard.views.scorecard_words import Shown
from metrics.scorecard_changes import DRIVER_KEYS, SEGMENT_KEYS, Changes, Path, standing
from metrics.scorecard_plan import Plan

TURN: Final = "scorecard.turn"
SEGMENT: Final = "scorecard.what_if_segment"
NONE: Final = ""
"""The choice of none of the options."""
Take = Callable[[Plan, Changes], None]


def renew() -> None:
    """Forget what the editors were told, so that they begin with the plan."""
    st.session_state[TURN] = st.session_state.get(TURN, 0) + 1


def _key(name: str) -> str:
    return f"scorecard.edit.{name}.{st.session_state.get(TURN, 0)}"


def drivers(shown: Shown, take: Take) -> None:
    """Everything that the plan says of each driver."""
    markup.section(_("Drivers"), _("for all segments"))
    owners = [(each.driver,) for each in shown.written.drivers]
    columns = {"label": st.column_config.TextColumn(_("Driver"), pinned=True, required=True)} | _columns()
    _editor(shown, take, "drivers", owners, DRIVER_KEYS, columns, _("none"))


def segment(shown: Shown, take: Take) -> None:
    """What differs in one segment; what is left empty is as for all."""
    names = shown.facts.sizes["segment"].to_list()
    markup.section(_("One segment"), _("what differs in it; an empty cell is as for all segments"))
    chosen = st.selectbox(_("Segment"), names, key=SEGMENT, width=320)
    labels = {each.driver: each.label for each in shown.plan.drivers}
    owners = [(chosen or names[0], driver) for driver in labels]
    columns = {"driver": st.column_config.TextColumn(_("Driver"), pinned=True)} | _columns()
    first = pl.Series("driver", list(labels.values()))
    _editor(shown, take, f"segment.{chosen}", owners, SEGMENT_KEYS, columns, _("as for all"), first)


def _editor(
    shown: Shown,
    take: Take,
    name: str,
    owners: Sequence[Path],
    keys: Sequence[str],
    columns: dict[str, Any],
    empty: str,
    first: pl.Series | None = None,
) -> None:
    """A table of keys by owner, whose cells are taken as changes; `first` heads the rows."""
    key = _key(name)
    base = f"{key}.rows"
    if key not in st.session_state or base not in st.session_state:
        st.session_state[base] = [[standing(shown.plan, (*owner, each)) for each in keys] for owner in owners]
    rows = st.session_state[base]
    frame = pl.DataFrame(
        {each: pl.Series([row[at] for row in rows], dtype=_dtype(each)) for at, each in enumerate(keys)}
    )

    def taken() -> None:
        edited = st.session_state[key]["edited_rows"]
        cells = {
            (*owner, each): edited.get(at, {}).get(each, rows[at][place])
            for at, owner in enumerate(owners)
            for place, each in enumerate(keys)
        }
        take(shown.written, cells)

    st.data_editor(
        frame if first is None else frame.insert_column(0, first),
        key=key,
        hide_index=True,
        num_rows="fixed",
        disabled=["driver"],
        column_config={each: config for each, config in columns.items() if each in (*keys, "driver")},
        column_order=[each for each in columns if each in (*keys, "driver")],
        placeholder=empty,
        on_change=taken,
        alt=_("What the scorecard says, to be changed"),
    )


def _dtype(key: str) -> pl.DataType:
    return pl.String() if key in ("label", "tag", "basis", "source") else pl.Float64()


def _columns() -> dict[str, Any]:
    """How each key is edited, in the order of the table."""
    share: dict[str, Any] = {"min_value": 0.0, "max_value": 1.0, "step": 0.01, "format": "%.2f"}
    money: dict[str, Any] = {"min_value": 0.0, "step": 0.01, "format": "%.2f"}
    number, choice = st.column_config.NumberColumn, st.column_config.SelectboxColumn
    bases, tags = words.BASES, words.TAGS
    numbers: dict[str, tuple[dict[str, Any], str]] = {
        "target": ({"min_value": 0.0}, _("Makes the target one that is set by hand")),
        "achievable": (share, _("The share of the gap that can be closed")),
        "probability": (share, _("The chance that the programme succeeds")),
        "cost": (money, _("What the programme costs in each segment")),
        "cost_per_customer": (money, _("What it costs for each customer besides")),
        "weight": (share, _("In the balanced view; all weights sum to 1")),
        "amber": (share, _("Below this share of the target it is amber")),
        "red": (share, _("Below this share of the target it is red")),
    }
    return {
        "basis": choice(
            words.key("basis"),
            options=list(bases),
            format_func=lambda name: _(bases[str(name)]),
            required=True,
            width=170,
        ),
        **{each: number(words.key(each), help=help_, **how) for each, (how, help_) in numbers.items()},
        "tag": choice(
            words.key("tag"), options=list(tags), format_func=lambda name: _(tags[str(name)]), required=True
        ),
        "source": st.column_config.TextColumn(words.key("source"), help=_("Of a target from outside")),
    }


def measures(desk: Desk, shown: Shown, take: Take) -> None:
    """What is said of the whole scorecard: discounting, peers, periods, who was referred, satisfaction."""
    markup.section(_("How drivers are measured"), _("for the whole scorecard"))
    plan = shown.plan
    with st.grid(4, min_column_width=220, gap="medium"):
        _number(shown, take, "discount_rate", 0.0, 1.0, 0.01)
        _number(shown, take, "acquisition_periods", 0, 10, 1)
        _number(shown, take, "periods", 2, 20, 1)
        _choice(shown, take, "peers", {NONE: _("the first that fits"), **_attributes(desk)}, plan.peers)
        _referral(desk, shown, take)
        _satisfaction(desk, shown, take)


def _attributes(desk: Desk) -> dict[str, str]:
    return {name: heading(name) for name in desk.attributes}


def _number(shown: Shown, take: Take, name: str, low: float, high: float, step: float) -> None:
    key = _key(name)
    st.number_input(
        words.key(name),
        low,
        high,
        getattr(shown.plan, name),
        step,
        key=key,
        on_change=lambda: take(shown.written, {(name,): st.session_state[key]}),
    )


def _choice(
    shown: Shown,
    take: Take,
    name: str,
    options: Mapping[str, str],
    chosen: str | None,
    made: Callable[[str], object] = lambda text: text or None,
) -> None:
    """A choice of one key; `made` says what the key is to hold."""
    key, known = _key(name), list(options)
    st.selectbox(
        words.key(name),
        known,
        known.index(chosen) if chosen in known else 0,
        format_func=lambda value: options[value],
        key=key,
        on_change=lambda: take(shown.written, {(name,): made(st.session_state[key])}),
    )


def _referral(desk: Desk, shown: Shown, take: Take) -> None:
    """Who was referred: any value of any attribute."""
    pairs = {
        f"{name}: {value}": {"attribute": name, "value": value}
        for name, values in desk.attributes.items()
        for value in values
    }
    named = {text: f"{heading(pair['attribute'])}: {pair['value']}" for text, pair in pairs.items()}
    where = shown.plan.referral
    chosen = f"{where.attribute}: {where.value}" if where else None
    _choice(shown, take, "referral", {NONE: _("nobody known"), **named}, chosen, pairs.get)


def _satisfaction(desk: Desk, shown: Shown, take: Take) -> None:
    """Which question asks for satisfaction."""
    if "answers" not in desk.whole.frames:
        return
    rows = desk.whole.frame("answers").select(pl.col("instrument", "item").cast(pl.String)).unique()
    asked = {
        f"{instrument}: {item}": {"item": item, "instrument": instrument}
        for instrument, item in rows.sort("instrument", "item").iter_rows()
    }
    now = shown.plan.satisfaction
    chosen = NONE
    if now is not None:
        chosen = f"{now.instrument}: {now.item}" if now.instrument else now.item
        asked.setdefault(chosen, now.model_dump())
    options = {NONE: _("not asked"), **{text: text for text in asked}}
    _choice(shown, take, "satisfaction", options, chosen, asked.get)
