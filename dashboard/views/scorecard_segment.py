"""One segment: what it is worth, why its moves rank where they do, and what all of them bring together."""

from __future__ import annotations

from typing import Final

import polars as pl
import streamlit as st

from dashboard.desk import Desk
from dashboard.parts import markup, states
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.views import scorecard_words as words
from dashboard.views.scorecard_priorities import whole_table
from dashboard.views.scorecard_words import Shown
from metrics.scorecard import joint_change

SEGMENT: Final = "scorecard.segment"
TOLD: Final = 3


def render(desk: Desk, scope: Scope, shown: Shown) -> None:
    """The chooser, the figures, the reasons, the rows."""
    names = shown.table["segment"].unique().sort().to_list()
    if st.session_state.get(SEGMENT) not in names:
        st.session_state[SEGMENT] = _best(shown) or names[0]
    segment = st.selectbox(_("Segment"), names, key=SEGMENT, bind="query-params", width=320)
    rows = shown.table.filter(pl.col("segment") == segment)
    _figures(desk, rows)
    _reasons(desk, shown, rows)
    whole_table(desk, shown, segment)


def _best(shown: Shown) -> str | None:
    moves = shown.moves
    return str(moves["segment"][0]) if len(moves) else None


def _figures(desk: Desk, rows: pl.DataFrame) -> None:
    show = desk.show
    priced = rows.filter(pl.col("share").is_not_null())
    joint = joint_change(priced) if len(priced) else pl.DataFrame({"joint": [0.0], "interaction": [0.0]})
    together, extra = joint.select("joint", "interaction").row(0)
    worth = rows.filter(pl.col("expected") > 0, pl.col("open"))
    figure_row(
        [
            Stated(_("Customers"), show.count(rows["customers"][0] or 0), _("who ordered in the year")),
            Stated(
                _("All gaps closed"),
                show.change(together, "money"),
                _("of customer equity, every gap together"),
            ),
            Stated(
                _("Because together"),
                show.change(extra, "money"),
                _("more or less than the sum of each alone"),
            ),
            Stated(
                _("Worth doing"),
                show.count(len(worth)),
                _("with {net} expected from the best").format(
                    net=show.money(worth["expected"][0]) if len(worth) else show.money(0)
                ),
            ),
        ],
        "scorecard-segment",
    )


def _reasons(desk: Desk, shown: Shown, rows: pl.DataFrame) -> None:
    """Why this rank, in words, for the best moves and for what has no value in money."""
    open_ = rows.filter(pl.col("open"))
    if open_.is_empty():
        text = _("Every driver of this segment is on target.")
        states.empty("check_circle", _("Nothing to close"), text)
        return
    told = pl.concat([open_.drop_nulls("expected").head(TOLD), open_.filter(pl.col("expected").is_null())])
    markup.section(_("Why this rank"), _("what each of them is worth, step by step"))
    for place, row in enumerate(told.iter_rows(named=True)):
        with st.container(border=True, key=f"card-scorecard-why-{place}"):
            rank = "" if row["expected"] is None else desk.show.decimal(row["rank"], 0)
            title = (
                f"{rank}. {words.label(shown, row['driver'])}" if rank else words.label(shown, row["driver"])
            )
            st.html(markup.card_head(title, words.goal(desk, row)))
            st.html(f'<p class="why">{markup.marked(words.why(desk, shown, row))}</p>')
