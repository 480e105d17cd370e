"""The glossary of all metrics: searched while one types; a row opens its metric."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files

import streamlit as st

from dashboard.text import gettext as _

_ASSETS = files("dashboard") / "assets" / "glossary"
_HTML = """
<div id="glossary">
  <div class="bar"><input type="search" autocomplete="off"><span class="count" role="status"></span></div>
  <div class="wrap"><table><thead><tr></tr></thead><tbody></tbody></table><p class="none" hidden></p></div>
</div>
"""

_COMPONENT = st.components.v2.component(
    "rapport_glossary",
    html=_HTML,
    css=(_ASSETS / "glossary.css").read_text(encoding="utf-8"),
    js=(_ASSETS / "glossary.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Entry:
    """One metric; `now` is its figure in the last complete month, `whole` that of all history.

    `search` holds every word that it is found by, `mark` what sets it apart, `tone` whether that is bad.
    """

    name: str
    label: str
    family: str
    kind: str
    now: str
    whole: str
    owner: str
    words: str
    search: str
    mark: str = ""
    tone: str = ""


def glossary(entries: Sequence[Entry], month: str, *, key: str) -> str | None:
    """Show the entries by family; the name of the metric that was just opened, else None."""
    heads = [
        {"title": _("Metric"), "kind": ""},
        {"title": _("Kind"), "kind": ""},
        {"title": month, "kind": "number"},
        {"title": _("All history"), "kind": "number"},
        {"title": _("Owner"), "kind": ""},
        {"title": _("Meaning"), "kind": ""},
    ]
    words = {
        "search": _("Search by name, label, tag, table or column"),
        "none": _("No metric matches."),
        "all": _("{n} metrics").format(n=len(entries)),
        "some": _("{n} of {all} metrics").replace("{all}", str(len(entries))),
    }
    data = {"rows": [asdict(entry) for entry in entries], "heads": heads, "words": words}
    result = _COMPONENT(key=key, data=data, on_open_change=lambda: None)
    return str(result.open) if result.open else None
