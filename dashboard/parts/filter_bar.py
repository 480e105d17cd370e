"""The filters in the sidebar, kept across pages and in the URL, with the freshness line under them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from html import escape
from typing import Final

import streamlit as st

from dashboard import state
from dashboard.state import (
    AGAINST,
    CATEGORY,
    COMPARISONS,
    GRAIN,
    GRAINS,
    GROUP,
    PERIOD,
    Comparison,
    Reader,
    Scope,
)
from dashboard.text import gettext as _
from metrics.periods import Grain
from metrics.selection import SEGMENT

IGNORED: Final = "filters.ignored"
MAIN: Final = ("region", "channel")
"""The attributes that stand in the bar itself; the others are folded away."""


@dataclass(frozen=True)
class Choices:
    """What there is to choose from: the days of the first and the last order, values, categories."""

    first: date
    last: date
    as_of: date
    refreshed_at: datetime
    attributes: Mapping[str, tuple[str, ...]]
    categories: tuple[str, ...] = ()
    segments: Mapping[str, str] = field(default_factory=dict)
    """The labels of the segments by name."""


def filter_bar(choices: Choices, reader: Reader) -> Scope:
    """Draw the bar and return what is chosen."""
    _check_link(choices, reader)
    with st.sidebar:
        grain = _grain()
        period = _period(choices, reader, grain)
        comparison = _comparison()
        segments = _segments(choices)
        main = _attributes(choices, [name for name in MAIN if name in choices.attributes])
        categories = _many(_("Category"), CATEGORY, choices.categories)
        folded = _folded(choices, [name for name in choices.attributes if name not in MAIN])
        attributes = (*segments, *main, *folded)
        scope = Scope(grain, period, comparison, attributes, categories)
        _foot(choices, reader, scope)
    return scope


def ignored_note() -> None:
    """Say what of a link was left out, until a filter is changed."""
    from dashboard.parts.markup import notice

    if left_out := st.session_state.get(IGNORED):
        notice(
            _("This link asks for what the data do not have; ignored: {what}").format(
                what=", ".join(left_out)
            )
        )


def _grain() -> Grain:
    chosen = st.segmented_control(
        _("Period length"),
        list(GRAINS),
        default=Grain.MONTH,
        required=True,
        format_func=lambda grain: _(GRAINS[grain]),
        key=GRAIN,
        bind="query-params",
        on_change=_grain_changed,
        width="stretch",
    )
    return Grain(chosen or Grain.MONTH)


def _grain_changed() -> None:
    """A period of the old length names nothing in the new one: take the latest."""
    st.session_state.pop(IGNORED, None)
    st.session_state[PERIOD] = None


def _period(choices: Choices, reader: Reader, grain: Grain) -> int:
    latest = state.latest(reader.calendar, grain, choices.first, choices.last, choices.as_of)
    options = state.periods(reader.calendar, grain, choices.first, choices.as_of)
    _pin(latest, _name(reader, choices, latest, grain))
    chosen = st.selectbox(
        _("Period"),
        options,
        index=None,
        placeholder=_("Latest complete"),
        format_func=lambda code: _name(reader, choices, code, grain),
        key=PERIOD,
        bind="query-params",
        on_change=_changed,
    )
    return latest if chosen is None else int(chosen)


def _pin(latest: int, name: str) -> None:
    """Choose the latest period where none is chosen, and write it into the URL before the first drawing."""
    if PERIOD not in st.session_state and PERIOD not in st.query_params:
        st.query_params[PERIOD] = name
        st.session_state[PERIOD] = latest
    elif st.session_state.get(PERIOD, latest) is None:
        st.session_state[PERIOD] = latest


def _name(reader: Reader, choices: Choices, code: int, grain: Grain) -> str:
    name = reader.period(code, grain)
    if reader.calendar.is_complete(code, grain, choices.as_of):
        return name
    return _("{period} so far").format(period=name)


def _comparison() -> Comparison:
    chosen = st.selectbox(
        _("Compare with"),
        list(COMPARISONS),
        format_func=lambda comparison: _(COMPARISONS[comparison]),
        key=AGAINST,
        bind="query-params",
        on_change=_changed,
    )
    return "year" if chosen == "year" else "previous"


def _folded(choices: Choices, names: list[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The further attributes, folded away until one of them is chosen."""
    if not names:
        return ()
    chosen = any(st.query_params.get(state.parameter(name)) for name in names)
    with st.expander(_("More filters"), expanded=chosen):
        return _attributes(choices, names)


def _attributes(choices: Choices, names: list[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    chosen = ((name, _many(heading(name), state.parameter(name), choices.attributes[name])) for name in names)
    return tuple((name, values) for name, values in chosen if values)


def _segments(choices: Choices) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The chosen segments, any of which will do, as the attribute that they are."""
    labels = choices.segments
    if not labels:
        return ()
    chosen = st.multiselect(
        _("Segment"),
        list(labels.values()),
        key=GROUP,
        bind="query-params",
        placeholder=_("All"),
        on_change=_changed,
        help=_("Customers who belong to any of these on the as-of day"),
    )
    names = tuple(name for name, label in labels.items() if label in chosen)
    return ((SEGMENT, names),) if names else ()


def heading(attribute: str) -> str:
    """The name of an attribute as a heading: `age_band` is `Age band`; those that we ship are translated."""
    known = {
        "region": _("Region"),
        "channel": _("Channel"),
        "category": _("Category"),
        SEGMENT: _("Segment"),
    }
    return known.get(attribute) or attribute.replace("_", " ").strip().capitalize()


def _many(label: str, key: str, options: tuple[str, ...]) -> tuple[str, ...]:
    if not options:
        return ()
    chosen = st.multiselect(
        label, options, key=key, bind="query-params", placeholder=_("All"), on_change=_changed
    )
    return tuple(value for value in options if value in chosen)


def _changed() -> None:
    st.session_state.pop(IGNORED, None)


def _foot(choices: Choices, reader: Reader, scope: Scope) -> None:
    st.button(
        _("Reset filters"),
        icon=":material/restart_alt:",
        key="filters.reset",
        type="tertiary",
        on_click=_reset,
        args=(tuple(choices.attributes),),
        disabled=not scope.is_filtered and scope.comparison == "previous" and scope.grain is Grain.MONTH,
    )
    freshness(choices.as_of, choices.refreshed_at, reader)


def freshness(as_of: date, refreshed_at: datetime, reader: Reader) -> None:
    """Up to which day the data go and when they were read."""
    through = _("Data through {day}").format(day=reader.show.day(as_of))
    refreshed = _("refreshed {moment}").format(moment=reader.show.moment(refreshed_at))
    st.html(
        f'<p class="fresh"><b>{escape(through)}</b><br><span class="muted">{escape(refreshed)}</span></p>'
    )


def _reset(attributes: tuple[str, ...]) -> None:
    st.session_state.pop(IGNORED, None)
    st.session_state[GRAIN] = Grain.MONTH
    st.session_state[PERIOD] = None
    st.session_state[AGAINST] = "previous"
    for key in (*map(state.parameter, attributes), CATEGORY, GROUP):
        if key in st.session_state:
            st.session_state[key] = []


def _check_link(choices: Choices, reader: Reader) -> None:
    """Once a session: note what the link asks for and the data do not have."""
    if IGNORED in st.session_state or GRAIN in st.session_state:
        return
    given = {name: st.query_params.get_all(name) for name in st.query_params}
    st.session_state[IGNORED] = state.ignored(given, _known(choices, reader, given))


def _known(choices: Choices, reader: Reader, given: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The texts that each parameter may hold, as the widgets write them."""
    grains = {_(label): grain for grain, label in GRAINS.items()}
    grain = grains.get((given.get(GRAIN) or [""])[-1], Grain.MONTH)
    codes = state.periods(reader.calendar, grain, choices.first, choices.as_of)
    return {
        GRAIN: list(grains),
        PERIOD: [_name(reader, choices, code, grain) for code in codes],
        AGAINST: [_(label) for label in COMPARISONS.values()],
        CATEGORY: list(choices.categories),
        GROUP: list(choices.segments.values()),
        **{state.parameter(name): list(values) for name, values in choices.attributes.items()},
    }
