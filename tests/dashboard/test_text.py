"""A second language is a file: one made of every marked text leaves no English on the pages."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from dashboard import text

ROOT = Path(text.__file__).parent
KEYWORDS = {"_": None, "gettext": None, "later": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}
PLACEHOLDER = re.compile(r"(\{\w+\}|<[^>]+>|`[^`]*`)")
ACCENTS = str.maketrans("aeiouAEIOU", "àéîöüÀÉÎÖÜ")


def extracted() -> Catalog:
    """Every marked text of the pages."""
    found = Catalog(project="rapport")
    for file, line, message, comments, context in extract_from_dir(
        str(ROOT), [("**.py", "python")], keywords=KEYWORDS
    ):
        found.add(message, locations=[(file, line)], auto_comments=comments, context=context)
    return found


def pseudo(message: str) -> str:
    """`Net revenue` as `⟦Nét révénüé⟧`, its placeholders left alone."""
    parts = PLACEHOLDER.split(message)
    accented = (part if odd % 2 else part.translate(ACCENTS) for odd, part in enumerate(parts))
    return f"⟦{''.join(accented)}⟧"


@pytest.fixture
def pseudo_language(tmp_path, monkeypatch):
    """A folder of catalogues that holds one language, made of all marked texts; the pages use it."""
    catalogue = extracted()
    for message in catalogue:
        if isinstance(message.id, tuple):
            message.string = tuple(pseudo(form) for form in message.id)
        elif message.id:
            message.string = pseudo(message.id)
    catalogue.locale = "en"
    file = tmp_path / "en" / "LC_MESSAGES" / "rapport.po"
    file.parent.mkdir(parents=True)
    with file.open("wb") as out:
        write_po(out, catalogue)
    monkeypatch.setattr(text, "FOLDER", tmp_path)
    yield tmp_path
    monkeypatch.undo()
    text.use("en_US", text.FOLDER)


@pytest.mark.parametrize("path", ["overview", "data"])
def test_no_english_is_left_when_a_language_is_there(open_page, shop, texts, pseudo_language, path):
    page = open_page(path)
    assert not page.exception
    shown = [*texts(page), *(widget.label for widget in (*page.button, *page.selectbox, *page.multiselect))]
    english = {message.id for message in extracted() if isinstance(message.id, str) and len(message.id) > 3}
    desk = page.session_state["desk"]
    labels = {plan.definition.label for plan in desk.catalog.plans.values()}
    # A person's own names and values are data, whatever they say.
    sources = {source.name for source in desk.manifest.sources}
    rows = [desk.quarantine(source) for source in sources]
    own = {name for frame in rows for name in frame.columns}
    own |= {str(value) for frame in rows for row in frame.rows() for value in row}
    described = yaml.safe_load((shop / "sources.yaml").read_text("utf-8"))["sources"]
    own |= {str(theirs) for source in described for theirs in source["columns"].values()}
    assert [word for word in shown if word in english - labels - sources - own] == []
    assert sum("⟦" in word for word in shown) > 20


def test_a_drawer_speaks_the_language_too(open_page, texts, pseudo_language):
    page = open_page()
    page.button(key="open-retention_rate").click().run()
    shown = texts(page)
    assert pseudo("Definition") in shown
    assert "Definition" not in shown


def test_plurals_follow_the_language(tmp_path):
    catalogue = Catalog(locale="pl")
    catalogue.add(("{n} row", "{n} rows"), string=("{n} wiersz", "{n} wiersze", "{n} wierszy"))
    file = tmp_path / "pl" / "LC_MESSAGES" / "rapport.po"
    file.parent.mkdir(parents=True)
    with file.open("wb") as out:
        write_po(out, catalogue)
    polish = text.catalogue("pl_PL", tmp_path)
    shown = [polish.ngettext("{n} row", "{n} rows", n).format(n=n) for n in (1, 3, 5)]
    assert shown == ["1 wiersz", "3 wiersze", "5 wierszy"]


def test_without_a_catalogue_the_source_is_shown():
    assert text.catalogue("xx_XX", text.FOLDER).gettext("Overview") == "Overview"


def test_the_command_for_translators_finds_every_text(tmp_path):
    template = tmp_path / "rapport.pot"
    command = ["-q", "extract", "-k", "later", "-o", str(template), "."]
    subprocess.run([sys.executable, "-m", "babel.messages.frontend", *command], cwd=ROOT, check=True)
    with template.open("rb") as file:
        found = {(message.context, message.id) for message in read_po(file)}
    assert found == {(message.context, message.id) for message in extracted()}


def test_every_translation_keeps_its_placeholders():
    for file in (ROOT / "locale").glob("*/LC_MESSAGES/rapport.po"):
        with file.open("rb") as source:
            for message in read_po(source):
                assert not [error for error in message.check() if error], f"{file}: {message.id}"
