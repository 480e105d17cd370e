"""What stands around every page: logo, navigation, filters, and what is said when there are no data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from config.errors import ConfigError
from connectors.errors import StoreError
from dashboard import data, sheet, state, text, theme
from dashboard.desk import Desk
from dashboard.pages import PAGES, Page
from dashboard.parts import filter_bar, freshness_badge, markup, snapshot_button, states, watch
from dashboard.snapshots.compose import Shown
from dashboard.text import gettext as _
from dashboard.text import ngettext


def draw() -> None:
    """Draw the page that the address names, with the logo and the navigation."""
    st.set_page_config(page_icon=str(theme.MARK), layout="wide", menu_items={})
    st.html(theme.style_sheet())
    text.use(data.locale(), text.FOLDER)
    st.logo(str(theme.LOGO), icon_image=str(theme.MARK), size="large")
    navigation(open_page).run()


def navigation(open_page: Callable[[Page], None]) -> st.Page:
    """Streamlit's navigation over `PAGES`; `open_page` draws the chosen one."""
    groups: dict[str, list[st.Page]] = {}
    for position, page in enumerate(PAGES):
        groups.setdefault(_(page.group), []).append(entry(page, open_page, default=position == 0))
    return st.navigation(groups, expanded=True)


def entry(page: Page, open_page: Callable[[Page], None], *, default: bool) -> st.Page:
    """A page as Streamlit knows it."""
    return st.Page(
        states.guarded(lambda: open_page(page)),
        title=_(page.title),
        icon=f":material/{page.icon}:",
        url_path=page.path,
        default=default,
        help=_(page.help),
    )


def open_page(page: Page) -> None:
    """Draw a page when its project and its data can be read; say what is wrong when not."""
    st.set_page_config(page_title=f"{_(page.title)} \N{MIDDLE DOT} Rapport")
    try:
        desk = data.find_desk()
    except ConfigError as error:
        markup.head(_(page.title), _("The project's files cannot be read."))
        states.broken(error.problems)
        return
    except StoreError as error:
        markup.head(_(page.title), _("The store cannot be opened."))
        states.empty("database_off", _("The store cannot be opened"), str(error))
        return
    if desk is None or not page.needs_data:
        _without_data(page)
        return
    _sidebar(page, desk)
    watch.watch(data.stamp())
    _say_what_is_broken(desk)
    with sheet.recorded() as shown:
        page.render()
    snapshot_button.offer(
        Shown(page.path, _(page.title), shown, desk, state.scope() if page.filters else None, _address())
    )


def _address() -> dict[str, tuple[str, ...]]:
    return {name: tuple(st.query_params.get_all(name)) for name in st.query_params}


def _say_what_is_broken(desk: Desk) -> None:
    """The card for definitions that are not served as their files say, on every page."""
    found = (*desk.definitions.errors, *desk.segments.problems)
    roots = [problem for problem in found if problem.rule != "broken-reference"]
    if roots:
        count = ngettext("{n} problem in the definitions", "{n} problems in the definitions", len(roots))
        text = _("What was right last is still served. Mend the file; this page follows at once.")
        placed = [replace(problem, path=desk.place(problem.path)) for problem in roots]
        states.problems(count.format(n=len(roots)), text, placed)


def _sidebar(page: Page, desk: Desk) -> None:
    if page.filters:
        state.keep(filter_bar.filter_bar(_choices(desk), desk.read))
    with st.sidebar:
        if not page.filters:
            filter_bar.freshness(desk.as_of, desk.local(desk.manifest), desk.read)
        fresh = data.freshness(desk)
        badge = freshness_badge.badge(fresh, lambda at: desk.show.moment(desk.local_time(at)), short=True)
        st.html(badge)


def _choices(desk: Desk) -> filter_bar.Choices:
    return filter_bar.Choices(
        first=desk.first_day,
        last=desk.last_day,
        as_of=desk.as_of,
        refreshed_at=desk.local(desk.manifest),
        attributes=desk.attributes,
        categories=desk.categories,
        segments=desk.segments.book.labels,
    )


def _without_data(page: Page) -> None:
    """A page that waits for no data, or what is said where a page has none."""
    if not page.needs_data:
        page.render()
        return
    markup.head(_(page.title), data.workspace().project.name)
    states.empty(
        "inbox",
        _("No data yet"),
        _("Nothing has been loaded into this project's store. Open Connect, or load it in a terminal."),
        data.refresh_command(),
    )


def open_first() -> None:
    """Leave a page for the first one."""
    st.switch_page(entry(PAGES[0], open_page, default=True))
