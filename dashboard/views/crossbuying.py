"""Cross-buying: in how many categories customers buy, what goes together, who loses money, what to offer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from dashboard import category_trees, data, state
from dashboard import crossbuying_data as asked
from dashboard.desk import Desk
from dashboard.parts import filter_bar, markup, sections, states
from dashboard.parts.details import open_details
from dashboard.parts.downloads import export
from dashboard.parts.kpi_row import kpi_row, sentence
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from dashboard.views import (
    crossbuying_breadth,
    crossbuying_direction,
    crossbuying_losses,
    crossbuying_targets,
    crossbuying_together,
)
from metrics.selection import Missing

SECTION: Final = "crossbuying.section"
METRICS: Final = (
    "categories_per_customer",
    "categories_in_three_orders",
    "multi_category_share",
    "cross_buy_rate",
    "cross_sell_share",
    "losing_cross_buyers",
)

Section = Callable[[Desk, Scope], None]
SECTIONS: Final[Mapping[str, tuple[str, Section]]] = {
    "breadth": (later("Breadth"), crossbuying_breadth.render),
    "together": (later("Bought together"), crossbuying_together.render),
    "direction": (later("What leads what"), crossbuying_direction.render),
    "losses": (later("Losing money"), crossbuying_losses.render),
    "targets": (later("Who to offer what"), crossbuying_targets.render),
}


def prepare(desk: Desk, scope: Scope) -> None:
    """Ask the questions of the first section."""
    desk.tiles(METRICS, scope)
    asked.rarefied(desk, scope)
    asked.beginnings(desk, scope)


def render() -> None:
    """Draw the figures and the chosen section for the customers that the filters leave."""
    desk, scope = data.desk(), state.scope()
    exported = partial(export, "cross-buying", partial(desk.exported, METRICS, scope))
    scope_words = (desk.read.chosen(scope), category_trees.named(desk.whole))
    markup.head(_("Cross-buying"), " \N{MIDDLE DOT} ".join(filter(None, scope_words)), exported)
    filter_bar.ignored_note()
    try:
        asked.bought(desk, scope)
    except Missing as missing:
        text = _("{reason} Map `category` of `order_lines` in `sources.yaml`, or widen the filters.")
        states.empty("category", _("No categories yet"), text.format(reason=sentence(str(missing))))
        return
    if moved := category_trees.warning(desk, scope):
        markup.notice(moved)
    kpi_row(desk.tiles(METRICS, scope), partial(open_details, scope))
    section = sections.chosen(SECTION, SECTIONS)
    SECTIONS[section][1](desk, scope)
