"""The instruments of a project: shipped ones, overrides, broken ones, what `rapport check` says."""

import pytest

from dashboard.instruments import instruments

OWN = """
instruments:
  - name: servqual_1991
    label: {en: Our survey, de: Unsere Umfrage}
    scale: {min: 1, max: 5}
    dimensions:
      RES: {label: Responsiveness, items: [RES10, RES11]}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "instruments").mkdir()
    return tmp_path


def test_shipped_versions_of_servqual(tmp_path):
    """Parasuraman et al.: 4, 5, 4, 4, 5 items; nine of 1988 are worded negatively, none of 1991."""
    named = instruments(tmp_path).named
    for name in ("servqual_1988", "servqual_1991", "servperf"):
        assert [len(each.items) for each in named[name].dimensions.values()] == [4, 5, 4, 4, 5]
    reversed_ = {int(code[3:]) for code in named["servqual_1988"].reversed}
    assert reversed_ == {*range(10, 14), *range(18, 23)}
    assert named["servqual_1991"].reversed == ()
    assert "personal" in named["servqual_1988"].items["EMP19"]
    assert "hours" in named["servqual_1991"].items["EMP19"]
    assert not named["servperf"].has_gap
    assert named["zone_of_tolerance"].has_zone


def test_an_own_instrument_takes_the_place_of_a_shipped_one(folder):
    (folder / "instruments" / "ours.yaml").write_text(OWN)
    found = instruments(folder)
    assert found.named["servqual_1991"].codes == ("RES10", "RES11")
    assert found.named["servqual_1988"].codes[0] == "T1"
    assert found.problems == ()


def test_a_broken_override_is_left_out_and_nothing_takes_its_place(folder):
    (folder / "instruments" / "ours.yaml").write_text(OWN.replace("max: 5", "max: 0"))
    found = instruments(folder)
    assert "servqual_1991" not in found.named
    assert "servqual_1988" in found.named
    assert "no room" in found.problems[0].render()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("items: [RES10, RES11]}", "items: [RES10, RES10]}"), "`RES10` is asked twice"),
        (("label: Responsiveness", "lable: Responsiveness"), "Did you mean `label`?"),
        (("    dimensions:", "    reversed: [RES12]\n    dimensions:"), "`RES12` is in no dimension"),
        (("    dimensions:", "    scales: {RES1: {min: 1, max: 5}}\n    dimensions:"), "no item and no part"),
        (("    dimensions:", "    weights: fixed\n    dimensions:"), "Give every dimension a `weight`"),
        (("    dimensions:", "    exclude: [straightliner]\n    dimensions:"), "straight_liner"),
    ],
)
def test_check_names_the_place_and_the_remedy(rapport, shop, tmp_path, change, words):
    for name in ("rapport.yaml", "sources.yaml"):
        (tmp_path / name).write_text((shop / name).read_text())
    (tmp_path / "instruments").mkdir()
    (tmp_path / "data").symlink_to(shop / "data")
    (tmp_path / "instruments" / "ours.yaml").write_text(OWN.replace(*change))
    done = rapport("check", "--project", tmp_path)
    assert done.code == 1
    said = " ".join(done.out.split())
    assert "instruments/ours.yaml:" in said
    assert words in said


def test_an_instrument_that_asks_nothing(folder):
    (folder / "instruments" / "ours.yaml").write_text("instruments: [{name: empty, label: Empty}]\n")
    (problem,) = instruments(folder).problems
    assert "asks nothing" in problem.fault
    assert "`dimensions`" in problem.remedy
