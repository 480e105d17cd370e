"""The list of pages. A new page is one module in `views/` with a `render()`, and one line here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Final

from dashboard.text import later


@dataclass(frozen=True)
class Page:
    """A page: its address, its place in the navigation, and the module whose `render()` draws it.

    `filters` says whether the filter bar stands beside it, `needs_data` whether it waits for loaded data.
    """

    path: str
    title: str
    icon: str
    group: str
    view: str
    help: str
    filters: bool = True
    needs_data: bool = True

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that the page shows, as its module lists them under `METRICS`."""
        return getattr(import_module(self.view), "METRICS", ())

    def render(self) -> None:
        """Draw the page; its module is imported when it is first opened."""
        import_module(self.view).render()


PAGES: Final[tuple[Page, ...]] = (
    Page(
        "overview",
        later("Overview"),
        "space_dashboard",
        later("Executive"),
        "dashboard.views.overview",
        later(
            "The goals of customer relationship management, the business in numbers, and what moved revenue."
        ),
    ),
    Page(
        "scorecard",
        later("Scorecard"),
        "scoreboard",
        later("Executive"),
        "dashboard.views.scorecard",
        later("Which driver of customer equity is worth the next unit of money, and in which segment."),
    ),
    Page(
        "retention",
        later("Retention"),
        "cycle",
        later("Customers"),
        "dashboard.views.retention",
        later("Who stays, who leaves, who comes back: cohorts, lifecycle, survival, contracts, movements."),
    ),
    Page(
        "satisfaction",
        later("Satisfaction"),
        "sentiment_satisfied",
        later("Customers"),
        "dashboard.views.satisfaction",
        later(
            "What customers expect and perceive, item by item; scores, reliability, and what it goes with."
        ),
    ),
    Page(
        "lifetime",
        later("Lifetime value"),
        "trending_up",
        later("Customers"),
        "dashboard.views.lifetime",
        later("What each customer will bring, how sure that is, and whether such predictions came true."),
    ),
    Page(
        "equity",
        later("Customer equity"),
        "savings",
        later("Customers"),
        "dashboard.views.equity",
        later("What the customer base is worth, what would change that, and how unevenly customers earn."),
    ),
    Page(
        "cross-buying",
        later("Cross-buying"),
        "shopping_basket",
        later("Customers"),
        "dashboard.views.crossbuying",
        later(
            "In how many categories customers buy, what goes together, who loses money, whom to offer what."
        ),
    ),
    Page(
        "segments",
        later("Segments"),
        "group_work",
        later("Customers"),
        "dashboard.views.segments",
        later("Named groups of customers: build, compare, see how they overlap and move, export the list."),
    ),
    Page(
        "customers",
        later("Customers"),
        "person_search",
        later("Customers"),
        "dashboard.views.customers",
        later("One customer with behaviour and feeling together, and whom to call this week."),
    ),
    Page(
        "snapshots",
        later("Snapshots"),
        "photo_library",
        later("Foundations"),
        "dashboard.views.snapshots",
        later("Pages as they were: open them, send them, receive them, and see what changed between two."),
        filters=False,
    ),
    Page(
        "definitions",
        later("Definitions"),
        "menu_book",
        later("Foundations"),
        "dashboard.views.definitions",
        later("What every figure means, where it comes from, and what happens when a definition is edited."),
        filters=False,
    ),
    Page(
        "data",
        later("Data"),
        "database",
        later("Foundations"),
        "dashboard.views.data",
        later("Where the figures come from: sources, freshness, rows set aside and why, versions."),
        filters=False,
    ),
    Page(
        "connect",
        later("Connect"),
        "cable",
        later("Foundations"),
        "dashboard.views.connect",
        later("From a file or a database to figures: look, map, try, load."),
        filters=False,
        needs_data=False,
    ),
)
