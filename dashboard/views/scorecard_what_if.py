"""What if: everything that `scorecard.yaml` says, edited on the page; nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl
import streamlit as st
from pydantic import ValidationError

from dashboard.desk import Desk
from dashboard.parts import markup
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.scorecard_data import table
from dashboard.scorecard_files import as_yaml
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.views import scorecard_words as words
from dashboard.views.scorecard_words import Shown
from metrics.scorecard_plan import DriverPlan, Plan

EDITS: Final = "scorecard.edits"
RATE: Final = "scorecard.discount"
EDITOR: Final = "scorecard.editor"
COLUMNS: Final = (
    "label",
    "basis",
    "target",
    "achievable",
    "probability",
    "cost",
    "cost_per_customer",
    "weight",
    "amber",
    "red",
)


def planned(written: Plan) -> Plan:
    """The written plan with what was changed on the page."""
    edits: Mapping[str, Mapping[str, Any]] = st.session_state.get(EDITS, {})
    drivers = tuple(_edited(plan, edits.get(plan.driver, {})) for plan in written.drivers)
    rate = st.session_state.get(f"{EDITS}.rate", written.discount_rate)
    return written.model_copy(update={"drivers": drivers, "discount_rate": rate})


def _edited(plan: DriverPlan, changes: Mapping[str, Any]) -> DriverPlan:
    """The driver with its changes; as it was where they do not go together."""
    if not changes:
        return plan
    try:
        return DriverPlan.model_validate(_told(plan, changes))
    except ValidationError:
        return plan


def _told(plan: DriverPlan, changes: Mapping[str, Any]) -> dict[str, Any]:
    """What the editor says of a driver: a target of one's own makes it the basis."""
    told = plan.model_dump() | dict(changes)
    given = told["basis"] in ("manual", "external")
    if "target" in changes and changes["target"] is not None and not given:
        told["basis"] = "manual"
    if told["basis"] == "external" and not told["source"]:
        told["source"] = _("entered on the page")
    if told["basis"] in ("best_quartile", "own_best"):
        told["target"] = None
    return told


def changed_note(written: Plan, plan: Plan) -> None:
    """Say that figures are those of a what-if, and how to leave it."""
    if written == plan:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        markup.notice(_("What if: these figures follow what was changed on the page, not `scorecard.yaml`."))
        st.button(_("As written"), key="scorecard.reset", icon=":material/restart_alt:", on_click=_reset)


def _reset() -> None:
    for key in (EDITS, f"{EDITS}.rate", EDITOR, RATE):
        st.session_state.pop(key, None)


def render(desk: Desk, scope: Scope, shown: Shown) -> None:
    """The effect of the changes, the editor, and the file that would say the same."""
    _effect(desk, shown)
    markup.section(_("Drivers"), _("change a cell; every section of the page follows"))
    st.data_editor(
        _frame(shown.written, shown.plan),
        key=EDITOR,
        hide_index=True,
        num_rows="fixed",
        disabled=["label"],
        column_config=_columns(),
        on_change=_take,
        args=(shown.written,),
    )
    _faults(shown)
    st.number_input(
        _("Discount rate a year"),
        0.0,
        1.0,
        shown.plan.discount_rate,
        0.01,
        key=RATE,
        on_change=_take_rate,
        width=220,
    )
    st.download_button(
        _("As scorecard.yaml"),
        as_yaml(shown.plan),
        "scorecard.yaml",
        "text/yaml",
        icon=":material/download:",
        key="scorecard.yaml",
        on_click="ignore",
        help=_("Put this file into the project folder to keep it"),
    )


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


def _frame(written: Plan, plan: Plan) -> pl.DataFrame:
    """The rows of the editor: as written, since the editor keeps the changes itself."""
    rows = [{name: getattr(each, name) for name in COLUMNS} for each in written.drivers]
    return pl.DataFrame(rows, schema_overrides={"target": pl.Float64}, infer_schema_length=None)


def _columns() -> dict[str, Any]:
    share: dict[str, Any] = {"min_value": 0.0, "max_value": 1.0, "step": 0.01, "format": "%.2f"}
    money: dict[str, Any] = {"min_value": 0.0, "step": 0.01, "format": "%.2f"}
    number = st.column_config.NumberColumn
    return {
        "label": st.column_config.TextColumn(_("Driver"), pinned=True),
        "basis": st.column_config.SelectboxColumn(
            _("Basis"),
            options=list(words.BASES),
            format_func=lambda name: _(words.BASES[str(name)]),
            width="medium",
            required=True,
        ),
        "target": number(_("Own target"), help=_("Makes the target one that is set by hand"), min_value=0.0),
        "achievable": number(_("Can be closed"), **share),
        "probability": number(_("Chance"), **share),
        "cost": number(_("Cost"), **money),
        "cost_per_customer": number(_("Cost a customer"), **money),
        "weight": number(_("Weight"), **share),
        "amber": number(_("Amber below"), **share),
        "red": number(_("Red below"), **share),
    }


def _take(written: Plan) -> None:
    """Keep what the editor changed, by driver."""
    rows = st.session_state[EDITOR]["edited_rows"]
    st.session_state[EDITS] = {
        written.drivers[int(at)].driver: {name: value for name, value in changes.items() if value is not None}
        for at, changes in rows.items()
    }


def _take_rate() -> None:
    st.session_state[f"{EDITS}.rate"] = st.session_state[RATE]


def _faults(shown: Shown) -> None:
    """What does not go together is said and left as it was written."""
    for plan in shown.written.drivers:
        changes = st.session_state.get(EDITS, {}).get(plan.driver)
        if not changes:
            continue
        try:
            DriverPlan.model_validate(_told(plan, changes))
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
            markup.notice(_("{driver}: {fault}").format(driver=plan.label, fault=fault))
    if abs(shown.plan.weights - 1) > 1e-6:
        markup.notice(
            _("The weights sum to {sum}, not to 1; the balanced view scales them.").format(
                sum=f"{shown.plan.weights:.2f}"
            )
        )
