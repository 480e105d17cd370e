"""Pages drawn without a browser, for reports that a clock asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from streamlit.logger import set_log_level
from streamlit.testing.v1 import AppTest

from dashboard.pages import PAGES
from dashboard.snapshots.compose import SHOWN, Shown
from dashboard.text import gettext as _

SCRIPT: Final = """
from dashboard import data, pages, shell, text
text.use(data.locale(), text.FOLDER)
shell.open_page(next(page for page in pages.PAGES if page.path == {path!r}))
"""
SECONDS: Final = 300
"""How long a page of a report may take before it counts as stuck."""


class NotDrawn(Exception):
    """A page of a report that could not be drawn."""


def drawn(path: str, address: Mapping[str, Sequence[str]]) -> Shown:
    """A page drawn without a browser, with parameters as in its address.

    The project is the one that `RAPPORT_PROJECT` names. Raises NotDrawn for an unknown or failing page.
    """
    if path not in {page.path for page in PAGES if page.needs_data}:
        known = ", ".join(page.path for page in PAGES if page.needs_data)
        raise NotDrawn(_("there is no page `{path}`. Known: {known}").format(path=path, known=known))
    # What is cached for pages is asked for outside of one here; Streamlit warns of each such question.
    set_log_level("error")
    test = AppTest.from_string(SCRIPT.format(path=path), default_timeout=SECONDS)
    for name, values in address.items():
        test.query_params[name] = list(values)
    test.run()
    found = test.session_state.get(SHOWN, None)
    if not isinstance(found, Shown):
        raise NotDrawn(_("the page `{path}` could not be drawn").format(path=path))
    return found
