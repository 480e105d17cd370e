"""No saving loses a text: what stood in a file is kept with its date, and can be had again."""

import os
from datetime import UTC, datetime, timedelta

from dashboard.editing.history import difference, keep, remove, restore, save, versions

NOW = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)


def texts(file):
    return [version.text for version in versions(file)]


def test_saving_keeps_what_stood_there_and_what_stands_there_now(tmp_path):
    file = tmp_path / "metrics" / "customers.yaml"
    save(file, "one", NOW)
    save(file, "two", NOW + timedelta(days=1))
    assert file.read_text() == "two"
    assert texts(file) == ["two", "one"]
    assert [version.since for version in versions(file)] == [NOW + timedelta(days=1), NOW]
    assert versions(file)[0].path.name == "customers.20260502T093000000000Z.yaml"


def test_an_edit_by_hand_is_kept_before_it_is_replaced(tmp_path):
    file = tmp_path / "customers.yaml"
    save(file, "one", NOW)
    file.write_text("by hand")
    os.utime(file, (NOW.timestamp() + 60,) * 2)
    save(file, "two", NOW + timedelta(hours=1))
    assert texts(file) == ["two", "by hand", "one"]
    assert versions(file)[1].since == NOW + timedelta(minutes=1)


def test_keeping_the_same_text_again_adds_nothing(tmp_path):
    file = tmp_path / "customers.yaml"
    save(file, "one", NOW)
    assert keep(file) is None
    assert len(versions(file)) == 1
    assert keep(tmp_path / "missing.yaml") is None


def test_versions_stay_in_order_when_a_file_carries_an_old_date(tmp_path):
    file = tmp_path / "customers.yaml"
    save(file, "one", NOW)
    file.write_text("two")
    os.utime(file, (NOW.timestamp() - 9e6,) * 2)
    keep(file)
    assert texts(file) == ["two", "one"]


def test_an_old_version_holds_again_and_the_newer_one_is_not_lost(tmp_path):
    file = tmp_path / "customers.yaml"
    save(file, "one", NOW)
    save(file, "two", NOW + timedelta(days=1))
    restore(versions(file)[1], NOW + timedelta(days=2))
    assert file.read_text() == "one"
    assert texts(file) == ["one", "two", "one"]


def test_a_file_that_is_removed_can_be_had_again(tmp_path):
    file = tmp_path / "customers.yaml"
    file.write_text("one")
    remove(file)
    assert not file.exists()
    assert texts(file) == ["one"]


def test_files_do_not_share_their_versions(tmp_path):
    save(tmp_path / "customers.yaml", "one", NOW)
    save(tmp_path / "customers.old.yaml", "two", NOW)
    assert texts(tmp_path / "customers.yaml") == ["one"]
    assert versions(tmp_path / "revenue.yaml") == []


def test_a_difference_shows_the_changed_lines_with_two_around_them():
    before = "a\nb\nc\nd\ne\nf\n"
    lines = difference(before, before.replace("d", "D"))
    assert "".join(line.sign + line.text for line in lines) == " b c-d+D e f"
    assert difference(before, before) == []
