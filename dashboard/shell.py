"""What stands around every page: logo, navigation, filters, and what is said when there are no data."""

from __future__ import annotations

import streamlit as st

from config.errors import ConfigError
from connectors.errors import StoreError
from dashboard import data, state, text, theme
from dashboard.pages import Page, navigation
from dashboard.parts import filter_bar, markup, states
from dashboard.text import gettext as _


def draw() -> None:
    """Draw the page that the address names."""
    st.set_page_config(page_title="Rapport", page_icon=str(theme.MARK), layout="wide", menu_items={})
    st.html(theme.style_sheet())
    text.use(data.locale())
    st.logo(str(theme.LOGO), icon_image=str(theme.MARK), size="large")
    navigation(_open).run()


def _open(page: Page) -> None:
    """Draw a page when its project and its data can be read; say what is wrong when not."""
    try:
        data.project()
        version = data.version()
    except ConfigError as error:
        markup.head(_(page.title), _("The project's files cannot be read."))
        states.broken(error.problems)
        return
    except StoreError as error:
        markup.head(_(page.title), _("The store cannot be opened."))
        states.empty("database_off", _("The store cannot be opened"), str(error))
        return
    if version is None and page.needs_data:
        _no_data(page)
        return
    if page.filters:
        state.keep(filter_bar.filter_bar(_choices(), data.reader()))
    elif version is not None:
        with st.sidebar:
            filter_bar.freshness(version.manifest.as_of, data.local(version.manifest), data.reader())
    page.render()


def _no_data(page: Page) -> None:
    markup.head(_(page.title), data.project().name)
    states.empty(
        "inbox",
        _("No data yet"),
        _("Nothing has been loaded into this project's store. Load it in a terminal, then reload this page."),
        data.refresh_command(),
    )


def _choices() -> filter_bar.Choices:
    manifest = data.served().manifest
    return filter_bar.Choices(
        first=data.first_day(),
        as_of=manifest.as_of,
        refreshed_at=data.local(manifest),
        attributes=data.attributes(),
        categories=data.categories(),
    )
