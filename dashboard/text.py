"""Wording: every text that a person reads on a page goes through gettext.

English is the source and lives in the code. A second language is one file,
`dashboard/locale/<language>/LC_MESSAGES/rapport.po`; nothing has to be compiled.
`pybabel extract -k later -o rapport.pot dashboard` gives the template to translate. The language is the
project's, one for the whole server: it is kept here and also holds when Streamlit reruns only a fragment.
"""

from __future__ import annotations

import gettext as _gettext
import io
from functools import lru_cache
from pathlib import Path

DOMAIN = "rapport"
FOLDER = Path(__file__).with_name("locale")

_catalogue: _gettext.NullTranslations = _gettext.NullTranslations()


def use(locale: str, folder: Path) -> None:
    """Set the language of all following texts: that of the catalogue of `locale` in a folder, or English."""
    global _catalogue
    _catalogue = catalogue(locale, folder)


@lru_cache(maxsize=8)
def catalogue(locale: str, folder: Path) -> _gettext.NullTranslations:
    """The catalogue for `de_DE`: that of `de_DE`, else of `de`, else one that returns the English source."""
    for name in (locale, locale.split("_")[0]):
        source = folder / name / "LC_MESSAGES" / f"{DOMAIN}.po"
        if source.is_file():
            return _compiled(source)
    return _gettext.NullTranslations()


def _compiled(source: Path) -> _gettext.GNUTranslations:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file))
    compiled.seek(0)
    return _gettext.GNUTranslations(compiled)


def gettext(message: str) -> str:
    """`message` in the language in use."""
    return _catalogue.gettext(message)


def ngettext(one: str, many: str, count: int) -> str:
    """`one` or `many`, by the plural rule of the language in use."""
    return _catalogue.ngettext(one, many, count)


def pgettext(context: str, message: str) -> str:
    """`message` as it reads in `context`, for words that are one in English and two elsewhere."""
    return _catalogue.pgettext(context, message)


def later(message: str) -> str:
    """`message` itself, marked for the catalogue: a text of module level, translated when it is shown."""
    return message


def choice(label: str | dict[str, str], locale: str) -> str:
    """A label from YAML: a text, or a map of languages of which the nearest to `locale` is taken.

    >>> choice({"en": "Revenue", "de": "Umsatz"}, "de_AT")
    'Umsatz'
    """
    if isinstance(label, str):
        return label
    for name in (locale, locale.split("_")[0], "en"):
        if name in label:
            return label[name]
    return next(iter(label.values()))
