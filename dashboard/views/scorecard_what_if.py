"""What if: everything that `scorecard.yaml` says, changed on the page; nothing is written.

Changes stay for the visit, whichever page or section is drawn, and stand in the URL of the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl
import streamlit as st

from dashboard.desk import Desk
from dashboard.parts import markup
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.parts.markup import Column
from dashboard.scorecard_data import table
from dashboard.scorecard_files import as_yaml
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import ngettext
from dashboard.views import scorecard_editors as editors
from dashboard.views import scorecard_words as words
from dashboard.views.scorecard_words import Shown
from metrics.scorecard_changes import (
    Changes,
    Path,
    as_parameters,
    changed,
    differing,
    from_parameters,
    standing,
)
from metrics.scorecard_plan import Plan

CHANGES: Final = "scorecard.changes"
PARAMETER: Final = "scorecard.if"


def changes() -> Changes:
    """What was changed in this visit; at its beginning what the link says."""
    if CHANGES not in st.session_state:
        st.session_state[CHANGES] = from_parameters(st.query_params.get_all(PARAMETER))
    found: Changes = st.session_state[CHANGES]
    return found


def planned(written: Plan) -> Plan:
    """The written plan with what was changed on the page, which the URL says from now on."""
    said = as_parameters(changes())
    if st.query_params.get_all(PARAMETER) != said:
        st.query_params[PARAMETER] = said
    return changed(written, changes())[0]


def _take(written: Plan, new: Changes) -> None:
    """Keep new changes, and forget those that say what is written anyway."""
    st.session_state[CHANGES] = differing(written, {**changes(), **new})


def _reset() -> None:
    st.session_state[CHANGES] = {}
    editors.renew()


def changed_note(written: Plan, plan: Plan) -> None:
    """Say that figures are those of a what-if, and how to leave it."""
    if written == plan:
        return
    n = len(changes())
    text = ngettext(
        "What if: these figures follow {n} change made on the page, not `scorecard.yaml`.",
        "What if: these figures follow {n} changes made on the page, not `scorecard.yaml`.",
        n,
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="scorecard-what-if"):
        markup.notice(text.format(n=n))
        st.button(_("As written"), key="scorecard.reset", icon=":material/restart_alt:", on_click=_reset)


def render(desk: Desk, scope: Scope, shown: Shown) -> None:
    """The effect of the changes, the editors, every change, and the file that would say the same."""
    _effect(desk, shown)
    _faults(shown)
    editors.drivers(shown, _take)
    editors.segment(shown, _take)
    editors.measures(desk, shown, _take)
    _changed(shown)
    _file(shown)


def _effect(desk: Desk, shown: Shown) -> None:
    """The best move and the value of all, as written and as changed."""
    show = desk.show
    before = table(shown.written, shown.facts).filter(pl.col("open"), pl.col("expected").is_not_null())
    after = shown.moves
    sums = [float(rows.filter(pl.col("expected") > 0)["expected"].sum() or 0) for rows in (before, after)]
    figure_row(
        [
            Stated(
                _("Best move"),
                words.name(shown, after.row(0, named=True)) if len(after) else _("none"),
                _("as written: {name}").format(
                    name=words.name(shown, before.row(0, named=True)) if len(before) else _("none")
                ),
            ),
            Stated(
                _("Expected of all that pay"),
                show.money(sums[1]),
                _("{change} against what is written").format(change=show.change(sums[1] - sums[0], "money")),
            ),
        ],
        "scorecard-what-if",
    )


def _faults(shown: Shown) -> None:
    """What of the changes cannot be, or that there are none yet."""
    for path, fault in changed(shown.written, changes())[1].items():
        markup.notice(_("{place}: {fault}").format(place=_place(shown, path), fault=fault))
    if not changes():
        markup.note(_("Nothing is changed yet: change a cell, and every section of the page follows."))


def _changed(shown: Shown) -> None:
    """Every change beside what is written."""
    if not changes():
        return
    rows = [
        [
            _place(shown, path[:-1]),
            words.key(path[-1]),
            words.said(standing(shown.written, path)),
            words.said(value),
        ]
        for path, value in changes().items()
    ]
    heads = [Column(_("Of")), Column(_("What")), Column(_("As written")), Column(_("What if"))]
    markup.section(_("Changed"), _("kept for this visit and in the address of the page, written nowhere"))
    markup.show_table(heads, rows, _("Changes of the what-if"))


def _place(shown: Shown, path: Path) -> str:
    """Whose key is meant: a driver, a segment's driver, or the whole scorecard."""
    labels: Mapping[str, str] = {name: each.label for name, each in shown.plan.by_driver.items()}
    match path:
        case (segment, driver):
            return f"{segment}, {labels.get(driver, driver)}"
        case (name,):
            return labels.get(name) or words.key(name)
        case _:
            return _("Scorecard")


def _file(shown: Shown) -> None:
    """The plan as a file to keep; not one that would be refused."""
    whole = abs(shown.plan.weights - 1) < 1e-6
    if not whole:
        sum_ = f"{shown.plan.weights:.2f}"
        text = _(
            "The weights sum to {sum}, not to 1: the balanced view scales them, a file would be refused."
        )
        markup.notice(text.format(sum=sum_))
    st.download_button(
        _("As scorecard.yaml"),
        as_yaml(shown.plan),
        "scorecard.yaml",
        "text/yaml",
        icon=":material/download:",
        key="scorecard.yaml",
        on_click="ignore",
        disabled=not whole,
        help=_("Put this file into the project folder to keep it"),
    )
