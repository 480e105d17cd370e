"""How fresh the data are, on the Data page: the last refreshes, the next one, and the rule."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from connectors.attempts import Attempt
from dashboard import data
from dashboard.desk import Desk
from dashboard.parts import freshness_badge, markup
from dashboard.parts.markup import Column
from dashboard.text import gettext as _
from dashboard.text import later

OUTCOMES = {
    "published": later("a new version"),
    "unchanged": later("nothing had changed"),
    "failed": later("failed; the last good version stayed served"),
}
_SHOWN = 8


def render(desk: Desk) -> None:
    """Draw the section."""
    fresh = data.freshness(desk)
    rule = _("Refreshed every {every}; late after {late} (`refresh:` in rapport.yaml)")
    setting = desk.project.refresh
    markup.section(
        _("Refreshes"),
        rule.format(every=setting.every.removeprefix("1 "), late=setting.late_after).replace("`", ""),
    )
    st.html(freshness_badge.badge(fresh, lambda at: desk.show.moment(desk.local_time(at))))
    tried = data.attempts(desk)
    if tried:
        columns = [
            Column(_("Began")),
            Column(_("Took"), "number"),
            Column(_("Outcome"), "wide"),
            Column(_("Version"), "code"),
        ]
        rows = [_row(desk, one) for one in reversed(tried[-_SHOWN:])]
        markup.show_table(columns, rows, _("Refreshes"))


def _row(desk: Desk, one: Attempt) -> list[str]:
    began: datetime = desk.local_time(one.began_at)
    outcome = _(OUTCOMES[one.outcome]) + (f": {one.fault}" if one.fault else "")
    return [desk.show.moment(began), f"{desk.show.decimal(one.seconds, 1)} s", outcome, one.version]
