"""The colours of charts and the style sheet. Grounds, inks and fonts are in `.streamlit/config.toml`.

Switching between light and dark redraws nothing on the server, so a colour in a chart must read on both
grounds: each has a contrast of at least 3:1 against white and against the dark panel. Three of the six
Okabe-Ito colours are darkened for that.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

ASSETS: Final = Path(__file__).with_name("assets")
LOGO: Final = ASSETS / "logo.svg"
MARK: Final = ASSETS / "mark.svg"

GROUNDS: Final = ("#FFFFFF", "#F6F7F9", "#0E1420", "#161E2D")
SERIES: Final = ("#0072B2", "#C28200", "#009E73", "#C9719F", "#3A95D1", "#D55E00")
GOOD: Final = "#0F7B5F"
BAD: Final = "#C2410C"
QUIET: Final = "#7E8899"
GRID: Final = "rgba(126, 136, 153, 0.22)"


@cache
def style_sheet() -> str:
    """The style sheets as one `<style>` element, that of the frame first."""
    sheets = sorted(ASSETS.glob("*.css"), key=lambda sheet: sheet.name != "rapport.css")
    return f"<style>{''.join(sheet.read_text(encoding='utf-8') for sheet in sheets)}</style>"
