"""What if: sliders that move the drivers of all customers or of a segment, and named scenarios compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import streamlit as st

from config.errors import ConfigError
from dashboard import equity_data as asked
from dashboard import scenarios
from dashboard.desk import Desk
from dashboard.format import MISSING
from dashboard.parts import markup, states
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.views.equity_levers import LEVERS, choose_segment
from metrics.equity_drivers import Measured
from metrics.equity_scenarios import PERCENT, POINTS, Outcome, Scenario, outcome
from metrics.reasons import Estimate, Reason

NAME: Final = "equity_what_if.name"
SAID: Final = "equity_what_if.said"
FIELDS: Final[Mapping[str, str]] = {**POINTS, **PERCENT}
WIDEST: Final = {"retention": 20, "margin_rate": 20, "discount": 20}


def render(desk: Desk, scope: Scope, found: Measured) -> None:
    """The sliders with their result, then the scenarios that were kept."""
    attribute, value = choose_segment(desk)
    segment = (attribute, value) if attribute and value else None
    terms = asked.Terms.of(found)
    chosen = asked.measured(desk, scope, terms, segment)
    if isinstance(chosen, Reason):
        states.empty("tune", _("Nothing to show for this segment"), sentence(chosen.text))
    else:
        _sliders(desk, chosen, segment)
    _kept(desk, scope, terms)


def _sliders(desk: Desk, found: Measured, segment: tuple[str, str] | None) -> None:
    who = segment[1] if segment else _("all customers")
    markup.section(
        _("What if"),
        _("Move a driver of {who}; the interval comes from what yearly retention may really be").format(
            who=who
        ),
    )
    with st.container(border=True, key="card-equity-what-if"):
        steps = _steps(desk, found)
        scenario = Scenario(name=_("unnamed"), segment=dict([segment]) if segment else {}, **steps)
        done = outcome(scenario, found)
        if done.change.value is None:
            markup.notice(sentence(str(done.change.reason)))
            return
        _figures(desk, found, scenario, done)
        _keep(desk, scenario)


def _steps(desk: Desk, found: Measured) -> dict[str, float]:
    """By how much the sliders moved each driver, by field of a scenario."""
    steps = {}
    with st.grid(3, min_column_width=220, gap="medium"):
        for lever, (name, unit) in LEVERS.items():
            most = WIDEST.get(lever, 50)
            steps[FIELDS[lever]] = float(
                st.slider(
                    _("{driver}, {unit}").format(
                        driver=_(name), unit=_("points") if lever in POINTS else _("per cent")
                    ),
                    -most,
                    most,
                    0,
                    key=f"equity.{lever}",
                    bind="query-params",
                    help=_("Today {value}").format(
                        value=desk.show.value(getattr(found.drivers, lever), unit)
                    ),
                )
            )
    return steps


def _figures(desk: Desk, found: Measured, scenario: Scenario, done: Outcome) -> None:
    today = outcome(Scenario(name=scenario.name), found)
    figure_row(
        [
            Stated(_("Change of equity"), desk.show.change(done.change.value, "money"), _between(desk, done)),
            Stated(_("Equity then"), _money(desk, done.after), _against(desk, done)),
            Stated(
                _("May cost to win"),
                _money(desk, done.break_even.value),
                _("a customer breaks even; today {value}").format(value=_money(desk, today.break_even.value)),
            ),
            Stated(
                _("Paid back in"),
                _months(desk, done.payback_month),
                _("at {cost} a new customer; today {value}").format(
                    cost=desk.show.money(_cost(found, scenario)), value=_months(desk, today.payback_month)
                ),
            ),
        ],
        "equity-what-if",
    )


def _cost(found: Measured, scenario: Scenario) -> float:
    now = found.drivers.acquisition_cost
    return scenario.moved(found.drivers).get("acquisition_cost", now)


def _between(desk: Desk, done: Outcome) -> str:
    if done.change.lower is None:
        return _("nothing moved yet") if not done.change.value else _("no interval: some draws have no end")
    low, high = (desk.show.change(bound, "money") for bound in (done.change.lower, done.change.upper))
    if low == high:
        return _("whatever retention really is")
    return _("95 %: {low} to {high}").format(low=low, high=high)


def _against(desk: Desk, done: Outcome) -> str:
    share = done.change.value / done.before if done.before and done.change.value is not None else None
    return _("{share} against today").format(share=desk.show.relative(share))


def _money(desk: Desk, value: float | None) -> str:
    return desk.show.value(value, "money")


def _months(desk: Desk, found: Estimate) -> str:
    return MISSING if found.value is None else _("month {n}").format(n=desk.show.decimal(found.value, 0))


def _keep(desk: Desk, scenario: Scenario) -> None:
    """A name for what the sliders say, and the file in which it is kept."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text_input(_("Name of this scenario"), key=NAME, max_chars=60, width=320)
        st.button(
            _("Keep"),
            key="equity_what_if.keep",
            icon=":material/bookmark_add:",
            disabled=not scenario.moves,
            help=_("Written into scenarios.yaml of the project"),
            on_click=_write,
            args=(desk, scenario),
        )
    if said := st.session_state.pop(SAID, ""):
        markup.notice(said)


def _write(desk: Desk, scenario: Scenario) -> None:
    name = st.session_state[NAME].strip()
    if not name:
        st.session_state[SAID] = _("Give the scenario a name first.")
        return
    named = scenario.model_copy(update={"name": name})
    try:
        scenarios.keep(desk.workspace.folder, named)
    except ConfigError as error:
        st.session_state[SAID] = sentence(error.problems[0].render())
    except OSError:
        st.session_state[SAID] = _(
            "The project folder cannot be written. Ask who runs it to add `{name}`."
        ).format(name=name)
    else:
        st.session_state[NAME] = ""


def _kept(desk: Desk, scope: Scope, terms: asked.Terms) -> None:
    """The scenarios of the project side by side, the best first."""
    found = scenarios.read_scenarios(desk.workspace.folder)
    markup.section(_("Scenarios"), _("Kept in scenarios.yaml and measured on the data of today"))
    if found.problems:
        states.problems(_("Some scenarios cannot be read"), _("Mend the file, then reload."), found.problems)
    if not found.values:
        markup.note(_("None yet. Move the sliders, give the scenario a name and keep it."))
        return
    results = [(each, _result(desk, scope, terms, each)) for each in found.values]
    results.sort(key=lambda pair: _rank(pair[1]), reverse=True)
    heads = [
        Column(_("Scenario")),
        Column(_("For")),
        Column(_("Moves"), "wide"),
        Column(_("Change of equity"), "number"),
        Column(_("95 % interval")),
        Column(_("Equity then"), "number"),
        Column(_("May cost to win"), "number"),
        Column(_("Paid back in"), "number"),
    ]
    markup.show_table(heads, [_row(desk, *pair) for pair in results], _("Scenarios"))
    _removal(desk, [each.name for each in found.values])


def _result(desk: Desk, scope: Scope, terms: asked.Terms, scenario: Scenario) -> Outcome | Reason:
    where = scenario.where
    if where and where[0] not in desk.attributes:
        known = ", ".join(desk.attributes)
        return Reason("unknown_attribute", f"`{where[0]}` is no attribute here. Use one of {known}")
    found = asked.measured(desk, scope, terms, where)
    return found if isinstance(found, Reason) else outcome(scenario, found)


def _rank(done: Outcome | Reason) -> float:
    known = isinstance(done, Outcome) and done.change.value is not None
    return done.change.value or 0.0 if known else float("-inf")  # type: ignore[union-attr]  # known


def _row(desk: Desk, scenario: Scenario, done: Outcome | Reason) -> list[str]:
    who = scenario.where[1] if scenario.where else _("all customers")
    if isinstance(done, Reason):
        return [scenario.name, who, sentence(done.text), *[MISSING] * 5]
    if done.change.value is None:
        return [scenario.name, who, sentence(str(done.change.reason)), *[MISSING] * 5]
    return [
        scenario.name,
        who,
        _moves(desk, scenario),
        desk.show.change(done.change.value, "money"),
        _between(desk, done).removeprefix("95 %: "),
        _money(desk, done.after),
        _money(desk, done.break_even.value),
        _months(desk, done.payback_month),
    ]


def _moves(desk: Desk, scenario: Scenario) -> str:
    """`Retention +5 points, order value -3 %`, and the note."""
    steps = [
        _("{driver} {step} {unit}").format(
            driver=_(LEVERS[lever][0]).lower(),
            step=desk.show.signed(getattr(scenario, name), 0),
            unit=_("points") if lever in POINTS else "%",
        )
        for lever, name in FIELDS.items()
        if getattr(scenario, name)
    ]
    words = ", ".join(steps) or _("nothing moves")
    return f"{words}. {scenario.note}" if scenario.note else words


def _removal(desk: Desk, names: list[str]) -> None:
    with st.popover(_("Remove a scenario"), icon=":material/delete:", type="tertiary"):
        name = st.selectbox(_("Scenario"), names, key="equity_what_if.old", filter_mode=None)
        st.button(_("Remove"), key="equity_what_if.remove", on_click=_drop, args=(desk, name))


def _drop(desk: Desk, name: str) -> None:
    try:
        scenarios.remove(desk.workspace.folder, name)
    except (ConfigError, OSError) as error:
        st.session_state[SAID] = sentence(str(error))
