"""Scenarios in their file: read, kept and removed without losing what else stands there."""

import pytest

from config.errors import ConfigError
from dashboard.scenarios import FILE_NAME, keep, read_scenarios, remove
from metrics.equity_scenarios import Scenario

MORE = Scenario(name="Keep more", retention_points=5, segment={"channel": "web"})
TEXT = """# ours
scenarios:
  # agreed in May
  - name: Dearer
    order_value_percent: 3
  - name: Cheaper # to win
    acquisition_cost_percent: -20
"""


@pytest.mark.parametrize("before", [None, TEXT, TEXT.rstrip()])
def test_what_is_kept_is_read_again_and_nothing_is_lost(tmp_path, before):
    if before is not None:
        (tmp_path / FILE_NAME).write_text(before)
    keep(tmp_path, MORE)
    assert read_scenarios(tmp_path).values[-1] == MORE
    assert (tmp_path / FILE_NAME).read_text().startswith((before or "scenarios:").rstrip())
    remove(tmp_path, "Keep more")
    assert (tmp_path / FILE_NAME).exists() == (before is not None)
    if before is not None:
        assert (tmp_path / FILE_NAME).read_text() == TEXT


def test_the_others_stay_when_one_is_removed(tmp_path):
    (tmp_path / FILE_NAME).write_text(TEXT)
    remove(tmp_path, "Dearer")
    assert [each.name for each in read_scenarios(tmp_path).values] == ["Cheaper"]
    assert "# ours" in (tmp_path / FILE_NAME).read_text()


@pytest.mark.parametrize("text", [TEXT + "  - name: Keep more\n", "scenarios: [", "scenarios: [{name: x}]\n"])
def test_a_file_that_would_break_is_left_as_it_is(tmp_path, text):
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(ConfigError):
        keep(tmp_path, MORE)
    assert (tmp_path / FILE_NAME).read_text() == text


def test_faults_of_scenarios_have_a_place_and_a_remedy(tmp_path, rapport):
    assert rapport("demo", tmp_path, "--customers", 50, "--months", 3).code == 0
    (tmp_path / FILE_NAME).write_text(TEXT.replace("order_value_percent: 3", "order_value: 3"))
    found = read_scenarios(tmp_path).problems
    assert [(each.line, each.column, each.rule) for each in found] == [(5, 5, "unknown-key")]
    assert "order_value_percent" in found[0].render()
    done = rapport("check", "--project", tmp_path)
    assert done.code != 0
    assert "scenarios.yaml:5:5" in done.out + done.err
    assert [each.name for each in read_scenarios(tmp_path).values] == ["Cheaper"]
