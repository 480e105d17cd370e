"""What rapport.yaml may say, and what stands in when it says nothing."""

from datetime import date
from pathlib import Path

import pytest

from config.errors import ConfigError
from config.model import FILE_NAME, Project, find_project


def project(folder: Path, text: str) -> Project:
    (folder / FILE_NAME).write_text(text, encoding="utf-8")
    return find_project(folder)


def test_name_and_currency_are_enough(tmp_path: Path) -> None:
    found = project(tmp_path, "name: Café 漢字\ncurrency: EUR\n")
    assert (found.name, found.timezone, found.week_start) == ("Café 漢字", "UTC", "monday")
    assert (found.fiscal_year_start, found.as_of, found.engine) == (1, "last_day", "polars")
    assert (found.store, found.min_n, found.locale) == ("store", 5, "en_US")
    assert (found.access.personal_fields, found.access.verbatims) == ("masked", True)


def test_everything_can_be_said(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        """
        name: Loja
        currency: BRL
        timezone: America/Sao_Paulo
        locale: pt_BR
        week_start: sunday
        fiscal_year_start: 4
        as_of: 2018-08-31
        engine: duckdb
        store: ../store
        min_n: 10
        access: {personal_fields: shown, verbatims: false}
        """,
    )
    assert (found.as_of, found.timezone) == (date(2018, 8, 31), "America/Sao_Paulo")
    assert not found.access.verbatims


def test_project_cannot_be_changed(tmp_path: Path) -> None:
    found = project(tmp_path, "name: Shop\ncurrency: EUR\n")
    with pytest.raises(ValueError, match="frozen"):
        found.name = "Other"  # type: ignore[misc]  # the test is that this fails


def test_folder_without_a_project_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"rapport.yaml:1:1: file: the file does not exist"):
        find_project(tmp_path)


@pytest.mark.parametrize("field", sorted(Project.model_fields))
def test_every_field_is_described(field: str) -> None:
    assert Project.model_fields[field].description
