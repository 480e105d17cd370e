import tomllib

import pytest

from dashboard import theme

CONFIG = tomllib.loads((theme.ASSETS.parent / ".streamlit" / "config.toml").read_text())


def luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2, relative luminance."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_the_oracle_itself():
    assert contrast("#FFFFFF", "#000000") == pytest.approx(21)


@pytest.mark.parametrize("ground", theme.GROUNDS)
@pytest.mark.parametrize("colour", [*theme.SERIES, theme.GOOD, theme.BAD, theme.QUIET])
def test_a_chart_colour_reads_on_every_ground(colour, ground):
    assert contrast(colour, ground) >= 3


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_reads_on_its_ground(mode):
    colours = CONFIG["theme"][mode]
    for ground in (colours["backgroundColor"], colours["secondaryBackgroundColor"]):
        assert contrast(colours["textColor"], ground) >= 7
        assert contrast(colours["grayColor"], ground) >= 4.5
        assert contrast(colours["linkColor"], ground) >= 4.5


def test_the_settings_keep_the_server_at_home_and_quiet():
    assert CONFIG["server"]["address"] == "127.0.0.1"
    assert CONFIG["browser"]["gatherUsageStats"] is False
    assert CONFIG["client"]["showErrorDetails"] == "none"
    assert CONFIG["client"]["toolbarMode"] == "viewer"
    assert CONFIG["client"]["disableDataExport"] is True


def test_fonts_come_from_here_and_carry_their_licence():
    faces = CONFIG["theme"]["fontFaces"]
    for face in faces:
        assert (theme.ASSETS.parent / face["url"].lstrip("/")).is_file()
    assert "SIL Open Font License" in (theme.ASSETS / "inter" / "LICENSE").read_text()


def test_no_style_or_setting_calls_another_host():
    for text in (theme.style_sheet(), str(CONFIG)):
        assert "http://" not in text
        assert "https://" not in text
