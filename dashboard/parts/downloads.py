"""Files for people to take along: CSV that no spreadsheet takes for formulas, and XLSX with real numbers."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final

import polars as pl
import streamlit as st

from dashboard.text import gettext as _

_FORMULA: Final = r"^[=+\-@\t\r\n]"
_CODED: Final = (pl.Enum, pl.Categorical)
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def csv(frame: pl.DataFrame) -> bytes:
    r"""`frame` as UTF-8 CSV with a byte-order mark; what a spreadsheet would run gets a leading apostrophe.

    >>> csv(pl.DataFrame({"name": ["=1+1"], "n": [-2]})).decode("utf-8-sig")
    "name,n\n'=1+1,-2\n"
    """
    texts = [name for name, dtype in frame.schema.items() if dtype == pl.String or dtype in _CODED]
    safe = frame.with_columns(_without_formula(name) for name in texts)
    return safe.rename(_harmless).write_csv(include_bom=True).encode("utf-8")


def _without_formula(name: str) -> pl.Expr:
    text = pl.col(name).cast(pl.String)
    return pl.when(text.str.contains(_FORMULA)).then(pl.lit("'") + text).otherwise(text).alias(name)


def xlsx(frame: pl.DataFrame, sheet: str = "Rapport") -> bytes:
    """`frame` as a workbook; texts stay texts, whatever they begin with."""
    file = io.BytesIO()
    frame.write_excel(
        file, worksheet=sheet[:31], autofit=True, header_format={"bold": True}, freeze_panes=(1, 0)
    )
    return file.getvalue()


def _harmless(name: str) -> str:
    return f"'{name}" if name[:1] in "=+-@\t\r\n" else name


def export(name: str, frame: Callable[[], pl.DataFrame]) -> None:
    """The export button of a page: its figures as a workbook, made when it is clicked."""
    st.download_button(
        _("Export"),
        lambda: xlsx(frame()),
        f"{name}.xlsx",
        XLSX,
        key=f"{name}.export",
        icon=":material/download:",
        on_click="ignore",
        help=_("Download the figures of this page as a workbook"),
    )


def buttons(name: str, frame: Callable[[], pl.DataFrame], key: str) -> None:
    """The two download buttons of a table; the file is made when one is clicked."""
    with st.container(horizontal=True, gap="xsmall", width="content", key=f"downloads-{key}"):
        st.download_button(
            _("CSV"),
            lambda: csv(frame()),
            f"{name}.csv",
            "text/csv",
            key=f"{key}.csv",
            icon=":material/download:",
            on_click="ignore",
            help=_("Download all rows as CSV"),
        )
        st.download_button(
            _("XLSX"),
            lambda: xlsx(frame()),
            f"{name}.xlsx",
            XLSX,
            key=f"{key}.xlsx",
            icon=":material/download:",
            on_click="ignore",
            help=_("Download all rows as a workbook"),
        )
