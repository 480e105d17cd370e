"""One customer: who it is, value, rhythm, what happened, what was bought, what was felt."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from html import escape
from typing import Final

import streamlit as st

from dashboard import customer_data as asked
from dashboard import segment_data
from dashboard.customer_data import Person
from dashboard.desk import Desk
from dashboard.format import MISSING, Formatter
from dashboard.parts import markup, states
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.parts.filter_bar import heading
from dashboard.parts.markup import Column
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later, ngettext
from metrics.customer_facts import Fact
from metrics.event_facts import SCORE

ID: Final = "customers.id"
TERM: Final = "customers.search"
LINES: Final = 30
"""So many lines of a life are shown before the rest is asked for."""

STATES: Final[Mapping[str, str]] = {
    "prospect": later("Never ordered"),
    "new": later("New"),
    "active": later("Active"),
    "returning": later("Returning"),
    "due": later("Due"),
    "lost": later("Lost"),
}
_NAMES: Final[Mapping[str, str]] = {
    "order": later("Order {what}"),
    "return": later("Return {what}"),
    "contact": later("Contact: {what}"),
    "complaint": later("Complaint: {what}"),
    "answer": later("Answered {what}"),
    "contract": later("Contract {what} began"),
    "contract_end": later("Contract {what} ended"),
}


def render(desk: Desk, _scope: Scope) -> None:
    """Draw the section."""
    _search(desk)
    chosen = st.query_params.get(ID)
    if not chosen:
        _nobody(desk)
        return
    found = asked.person(desk, chosen)
    stands_for = asked.merged_into(desk, chosen) if found is None else None
    if stands_for is not None:
        markup.notice(_("Customer {id} was merged into {other}.").format(id=chosen, other=stands_for))
        found = asked.person(desk, stands_for)
    if found is None:
        text = _("No customer has the id {id}. Search above by a part of the id.").format(id=chosen)
        states.empty("person_off", _("Nobody of this id"), text)
        return
    _person(desk, found)


def _search(desk: Desk) -> None:
    """The box that finds customers, and who was found."""
    shown = desk.role == "shown"
    hint = _("Id, name or e-mail") if shown else _("Part of an id; a whole name or e-mail address")
    term = st.text_input(
        _("Search"),
        key=TERM,
        placeholder=hint,
        icon=":material/search:",
        label_visibility="collapsed",
        max_chars=120,
        width=420,
    )
    if not term.strip():
        return
    found = asked.search(desk, term)
    if found.is_empty():
        markup.notice(_("Nobody was found."))
        return
    ids = found["customer_id"].to_list()
    if len(ids) == 1 and st.session_state.get("customers.found") != term:
        st.session_state["customers.found"] = term
        st.query_params[ID] = ids[0]
        return
    chosen = st.pills(_("Found"), ids, key=f"customers.pick.{term}", label_visibility="collapsed")
    if chosen and st.query_params.get(ID) != chosen:
        st.query_params[ID] = chosen
        st.rerun()


def _nobody(desk: Desk) -> None:
    """What stands there before anybody is chosen: the best customers to begin with."""
    rows = asked.people(desk)
    states.empty(
        "person_search",
        _("Whom do you want to see?"),
        _("Search by id, name or e-mail, or open a customer from any list."),
    )
    if "net_amount" not in rows.columns or not len(rows):
        return
    best = rows.sort("net_amount", "customer_id", descending=[True, False], nulls_last=True).head(8)
    chosen = st.pills(
        _("Customers with the highest revenue"), best["customer_id"].to_list(), key="customers.best"
    )
    if chosen:
        st.query_params[ID] = chosen
        st.rerun()


def _person(desk: Desk, who: Person) -> None:
    known = asked.facts(desk, who.number)
    personal = " \N{MIDDLE DOT} ".join(part for part in (who.name, who.email) if part)
    attributes = " \N{MIDDLE DOT} ".join(
        f"{heading(name)}: {known[name]}" for name in desk.attributes if known.get(name)
    )
    markup.section(who.id, personal)
    if personal and desk.role != "shown":
        markup.note(
            _("Personal fields are masked; `access: personal_fields: shown` in rapport.yaml shows them.")
        )
    if attributes:
        markup.note(attributes)
    inside = asked.memberships(desk, who.number)
    if inside:
        chips = "".join(f"<span>{escape(label)}</span>" for label in inside)
        st.html(f'<p class="members" aria-label="{escape(_("Segments"))}">{chips}</p>')
    figure_row(_figures(desk, known), "customer")
    left, right = st.columns([6, 5], gap="medium")
    with left:
        _life(desk, who)
    with right:
        _rhythm(desk, known)
        _bought(desk, who)
        _felt(desk, known)
    _everything(desk, known)


def _figures(desk: Desk, known: Mapping[str, object]) -> list[Stated]:
    """Value to date, state and what is expected."""
    show = desk.show
    year, orders = known.get("net_amount_365d"), known.get("orders")
    stated = [
        Stated(
            _("Revenue ever"),
            _money(show, known.get("net_amount")),
            _("{amount} in the last year").format(amount=_money(show, year)),
        ),
        Stated(
            _("Contribution"),
            _money(show, known.get("contribution")),
            _tier(known),
        ),
        Stated(
            _("Orders"),
            MISSING if orders is None else show.count(int(str(orders))),
            _("{amount} each").format(amount=_money(show, known.get("average_order"))),
        ),
    ]
    if known.get("lifecycle"):
        state = str(known["lifecycle"])
        stated.append(Stated(_("State"), _(STATES.get(state, state)), _silence(desk, known)))
    alive, worth = known.get("p_alive"), known.get("lifetime_value")
    if isinstance(alive, float):
        under = _("{value} expected in 12 months").format(value=_money(show, worth))
        stated.append(Stated(_("P(alive)"), show.percent(alive, 0), under))
    return stated


def _tier(known: Mapping[str, object]) -> str:
    tier, share = known.get("value_tier"), known.get("value_percentile")
    if tier is None or not isinstance(share, float):
        return _("no orders so far")
    return _("tier {tier}, more than {share} % of customers").format(tier=tier, share=int(100 * share - 1e-9))


def _silence(desk: Desk, known: Mapping[str, object]) -> str:
    silent, allowed = known.get("silent_days"), known.get("lapse_days")
    if not isinstance(silent, int):
        return _("no order so far")
    if not isinstance(allowed, float):
        return _("silent for {n} days").format(n=silent)
    return _("silent for {n} of {allowed} days allowed").format(
        n=silent, allowed=desk.show.decimal(allowed, 0)
    )


def _money(show: Formatter, value: object) -> str:
    return show.money(value) if isinstance(value, int | float | Decimal) else MISSING


def _life(desk: Desk, who: Person) -> None:
    """What happened, the latest first."""
    rows = asked.timeline(desk, who.number)
    with st.container(border=True, key="card-customer-life"):
        count = ngettext("{n} event", "{n} events", len(rows)).format(n=desk.show.count(len(rows)))
        st.html(markup.card_head(_("What happened"), _("{count}, the latest first").format(count=count)))
        if rows.is_empty():
            lacking = _("No order, contact, answer or contract of this customer is known.")
            st.html(f'<div class="state"><p>{escape(lacking)}</p></div>')
            return
        whole = len(rows) <= LINES or st.toggle(
            _("Show all {n}").format(n=desk.show.count(len(rows))), key=f"customers.all.{who.number}"
        )
        shown = rows if whole else rows.head(LINES)
        st.html(f'<ol class="life">{"".join(_event(desk, row) for row in shown.iter_rows(named=True))}</ol>')


def _event(desk: Desk, row: Mapping[str, object]) -> str:
    show, kind = desk.show, str(row["kind"])
    day, amount, detail = row["day"], row["amount"], row["detail"]
    what = _(_NAMES[kind]).format(what=str(row["what"] or ""))
    told = [str(detail)] if detail else []
    if kind in ("order", "return") and isinstance(row["count"], int):
        told.insert(0, ngettext("{n} line", "{n} lines", row["count"]).format(n=row["count"]))
    paid = ""
    if isinstance(amount, Decimal) and kind not in ("contact", "complaint"):
        paid = f' <span class="amount">{escape(show.exact_money(amount))}</span>'
    when = show.day(day) if isinstance(day, date) else ""
    about = f' <span class="muted">{escape(", ".join(told))}</span>' if told else ""
    return f'<li class="{kind}"><time>{escape(when)}</time>{escape(what)}{paid}{about}</li>'


def _rhythm(desk: Desk, known: Mapping[str, object]) -> None:
    """How the customer orders, and when the next order is expected."""
    show = desk.show
    days = {name: value for name, value in known.items() if isinstance(value, date)}
    pairs = {
        _("First order"): show.day(days["first_order_on"]) if "first_order_on" in days else "",
        _("Last order"): show.day(days["last_order_on"]) if "last_order_on" in days else "",
        _("Silence allowed"): _days(show, known.get("lapse_days")),
        _("Lost from"): show.day(days["lapses_on"]) if "lapses_on" in days else "",
        _("Next order by"): show.day(days["next_order_on"])
        if "next_order_on" in days
        else _("not expected")
        if "next_order_on" in known
        else "",
        _("Season"): show.month_alone(date(2024, int(str(known["season"])), 1))
        if known.get("season")
        else "",
        _("Movement"): str(known.get("movement") or "").replace("_", " "),
        _("Running contracts"): str(known["active_contracts"]) if known.get("active_contracts") else "",
        _("Open complaints"): str(known["open_complaints"]) if known.get("open_complaints") else "",
    }
    with st.container(border=True, key="card-customer-rhythm"):
        st.html(
            markup.card_head(_("Rhythm and outlook"), _("judged from the customer's own gaps between orders"))
        )
        told = {name: text for name, text in pairs.items() if text}
        st.html(markup.facts(told) if told else f'<p class="note">{escape(_("No order so far."))}</p>')


def _month(show: Formatter, month: object) -> str:
    return show.month_alone(date(2024, month, 1)) if isinstance(month, int) else ""


def _days(show: Formatter, value: object) -> str:
    return _("{n} days").format(n=show.decimal(value, 0)) if isinstance(value, float) else ""


def _bought(desk: Desk, who: Person) -> None:
    """Revenue by category."""
    rows, show = asked.bought(desk, who.number), desk.show
    count = len(rows)
    title = ngettext("Bought in {n} category", "Bought in {n} categories", count).format(n=count)
    with st.container(border=True, key="card-customer-categories"):
        note = _("net revenue, {currency} \N{MIDDLE DOT} ever").format(currency=show.currency)
        st.html(markup.card_head(title if count else _("Categories"), note))
        if rows.is_empty():
            given = _("Nothing was bought so far.") if desk.categories else _("No source gives categories.")
            st.html(f'<p class="note">{escape(given)}</p>')
            return
        heads = [Column(_("Category")), Column(_("Revenue"), "number"), Column(_("Orders"), "number")]
        cells = [
            [name, show.exact_money(amount), show.count(orders), show.day(day) if day else MISSING]
            for name, orders, amount, day in rows.iter_rows()
        ]
        st.html(markup.table([*heads, Column(_("Last"))], cells, title))


def _felt(desk: Desk, known: Mapping[str, object]) -> None:
    """The last answers against the mean of the customer's peers."""
    offered = segment_data.facts(desk).offered
    peer = asked.peers(desk, known)
    means = {fact: (mean, n) for fact, mean, n in asked.averages(desk, peer).iter_rows()}
    answered = [name for name in means if isinstance(known.get(name), float)]
    group = _("all customers")
    if peer is not None:
        group = f"{_(offered[peer[0]].label)} {peer[1].replace('_', ' ')}"
    with st.container(border=True, key="card-customer-felt"):
        last = known.get("last_answer_on")
        when = _("last answer {day}").format(day=desk.show.day(last)) if isinstance(last, date) else ""
        note = " \N{MIDDLE DOT} ".join(
            part for part in (_("against {group}").format(group=group), when) if part
        )
        st.html(markup.card_head(_("What was felt"), note))
        if not means:
            st.html(f'<p class="note">{escape(_("No source gives survey answers."))}</p>')
        elif not answered:
            st.html(f'<p class="note">{escape(_("This customer has not answered a survey."))}</p>')
        else:
            rows = [_answer(desk, offered[name], known[name], *means[name]) for name in answered]
            heads = [
                Column(_("Question")),
                *(Column(head, "number") for head in (_("Answer"), _("Mean"), "n")),
            ]
            st.html(markup.table(heads, rows, _("Answers against the mean")))


def _answer(desk: Desk, fact: Fact, score: object, mean: float | None, n: int) -> list[str]:
    show = desk.show
    label = _(fact.label).removeprefix(f"{SCORE.rstrip('_').capitalize()} ")
    given = float(str(score))
    return [
        label,
        show.decimal(given, 0 if given.is_integer() else 2),
        show.value(mean, "score"),
        show.count(n),
    ]


def _everything(desk: Desk, known: Mapping[str, object]) -> None:
    """Every fact by its family, and what is not known."""
    found = segment_data.facts(desk)
    lacking = [_(found.offered[name].label) for name, value in known.items() if value is None]
    with st.expander(_("Everything that is known")):
        by_family: dict[str, dict[str, str]] = {}
        for name, value in known.items():
            if value is not None:
                fact = found.offered[name]
                family = by_family.setdefault(_(found.family_of[name].label), {})
                family[_(fact.label)] = _text(desk, fact, value)
        for label, pairs in by_family.items():
            markup.section(label)
            st.html(markup.facts(pairs))
        if lacking:
            markup.note(_("Not known of this customer: {names}.").format(names=", ".join(lacking)))


def _text(desk: Desk, fact: Fact, value: object) -> str:
    show = desk.show
    match value:
        case bool():
            return _("yes") if value else _("no")
        case date():
            return show.day(value)
        case int() | float() | Decimal() if fact.unit:
            return show.full(value, fact.unit)
        case _:
            return str(value)
