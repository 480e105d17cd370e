"""Customers: find one and see behaviour and feeling together; whom to call this week."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from dashboard import customer_data, data, state
from dashboard.desk import Desk
from dashboard.parts import filter_bar, markup, sections
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from dashboard.views import customer_calls, customer_view

SECTION: Final = "customers.section"

Section = Callable[[Desk, Scope], None]
SECTIONS: Final[Mapping[str, tuple[str, Section]]] = {
    "one": (later("One customer"), customer_view.render),
    "calls": (later("Who to call"), customer_calls.render),
}


def prepare(desk: Desk, _scope: Scope) -> None:
    """Work out what every customer's page asks of all customers."""
    customer_data.prepare(desk)


def render() -> None:
    """Draw the section that is chosen, for the scope that the filter bar holds."""
    desk, scope = data.desk(), state.scope()
    caption = _("As of {day} \N{MIDDLE DOT} {n} customers").format(
        day=desk.show.day(desk.as_of), n=desk.show.count(len(desk.whole.frame("customer_summary")))
    )
    markup.head(_("Customers"), caption)
    filter_bar.ignored_note()
    chosen = sections.chosen(SECTION, SECTIONS)
    with sections.reason_if_missing():
        SECTIONS[chosen][1](desk, scope)
