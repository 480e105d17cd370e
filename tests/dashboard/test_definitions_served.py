"""What is served while a file is broken: the newest version that compiles, else as shipped."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.definitions import definitions, remember
from dashboard.editing.drafts import draft_of
from dashboard.editing.history import save, versions

NOW = datetime(2026, 5, 1, tzinfo=UTC)
OWN = """\
metrics:
  - name: days_twice
    kind: simple
    label: Twice
    description: Customers who came on two days.
    table: customer_periods
    expression: count(customer)
    where: order_days >= 2
    unit: count
  - name: twice_share
    kind: ratio
    label: Twice share
    description: Their share.
    numerator: days_twice
    denominator: active_customers
    unit: rate
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "metrics" / "own.yaml"
    save(path, OWN, NOW)
    return path


def condition(found, name="days_twice"):
    return found.located[name].value.where


def test_a_whole_file_is_served_as_it_stands(tmp_path, file):
    found = definitions(tmp_path, {})
    assert found.problems == ()
    assert found.kept == frozenset()
    assert condition(found) == "order_days >= 2"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("order_days >= 2", "order_dayz >= 2", "unknown column `order_dayz`. Did you mean `order_days`?"),
        ("kind: simple", "kind: simpel", "unknown kind `simpel`. Did you mean `simple`?"),
        ("label: Twice\n", 'label: "Twice\n', "a quote is opened and never closed"),
        ("    unit: count\n", "", "`unit` is missing"),
    ],
)
def test_a_broken_definition_is_told_and_served_as_it_last_was(tmp_path, file, old, new, fault):
    file.write_text(OWN.replace(old, new, 1))
    found = definitions(tmp_path, {})
    assert fault in found.errors[0].render()
    assert found.errors[0].path == str(file)
    assert condition(found) == "order_days >= 2"
    assert "days_twice" in found.kept
    assert {"days_twice", "twice_share"} <= set(found.catalog.plans)
    assert found.catalog.broken == {}


def test_the_newest_version_that_compiles_is_served_not_merely_the_newest(tmp_path, file):
    save(file, OWN.replace(">= 2", ">= 3"), NOW + timedelta(days=1))
    save(file, OWN.replace("order_days", "broken_once"), NOW + timedelta(days=2))
    save(file, OWN.replace("order_days", "broken_twice"), NOW + timedelta(days=3))
    assert condition(definitions(tmp_path, {})) == "order_days >= 3"


def test_other_definitions_of_a_broken_file_follow_their_edits(tmp_path, file):
    text = OWN.replace("order_days", "order_dayz").replace("label: Twice share", "label: Share of two")
    file.write_text(text)
    found = definitions(tmp_path, {})
    assert found.located["twice_share"].value.label == "Share of two"
    assert found.kept == {"days_twice"}


def test_what_was_taken_out_of_a_file_on_purpose_does_not_come_back(tmp_path, file):
    first, second = OWN.split("  - name: twice_share")
    file.write_text(first.replace("order_days", "order_dayz"))
    assert second
    assert "twice_share" not in definitions(tmp_path, {}).located


def test_a_first_override_that_is_broken_leaves_the_shipped_definition_served(tmp_path):
    shipped = definitions(tmp_path, {})
    draft = draft_of(tmp_path, shipped.located["repeat_customers"])
    save(draft.file, draft.file_text(draft.text.replace("orders >= 2", "orderz >= 2")), NOW)
    found = definitions(tmp_path, {})
    assert found.errors
    assert condition(found, "repeat_customers") == "orders >= 2 AND customer IS NOT NULL"
    assert found.catalog.plans.keys() == shipped.catalog.plans.keys()


def test_a_new_definition_that_was_never_whole_is_disabled_and_nothing_else(tmp_path):
    path = tmp_path / "metrics" / "own.yaml"
    path.parent.mkdir()
    path.write_text(OWN.replace("order_days", "order_dayz"))
    found = definitions(tmp_path, {})
    assert set(found.catalog.broken) == {"days_twice", "twice_share"}
    assert "active_customers" in found.catalog.plans


def test_a_metric_that_reads_one_with_a_missing_key_is_told_that_this_one_is_broken(tmp_path):
    path = tmp_path / "metrics" / "own.yaml"
    path.parent.mkdir()
    path.write_text(OWN.replace("    unit: count\n", ""))
    first, second = definitions(tmp_path, {}).problems
    assert "`unit` is missing" in first.fault
    assert second.fault == "it refers to `days_twice`, which is broken"


def test_good_edits_by_hand_are_remembered_and_broken_ones_are_not(tmp_path, file):
    file.write_text(OWN.replace(">= 2", ">= 4"))
    remember(tmp_path, definitions(tmp_path, {}))
    assert len(versions(file)) == 2
    file.write_text(OWN.replace("order_days", "order_dayz"))
    remember(tmp_path, definitions(tmp_path, {}))
    assert len(versions(file)) == 2
    assert condition(definitions(tmp_path, {})) == "order_days >= 4"


def test_two_files_that_define_one_name_are_told_with_both_places(tmp_path, file):
    (tmp_path / "metrics" / "again.yaml").write_text(OWN)
    messages = [problem.render() for problem in definitions(tmp_path, {}).problems]
    assert len(messages) == 2
    assert messages[0].startswith(
        f"{file}:2:11: metrics[days_twice].name: the name `days_twice` stands twice"
    )
    assert f"first at {tmp_path / 'metrics' / 'again.yaml'}:2:11" in messages[0]


def test_an_unsaved_text_of_a_file_that_is_not_there_yet_counts(tmp_path):
    path = tmp_path / "metrics" / "new.yaml"
    assert condition(definitions(tmp_path, {}, {path: OWN})) == "order_days >= 2"
    assert not path.exists()


def test_the_digest_tells_definitions_apart(tmp_path, file):
    first = definitions(tmp_path, {}).digest
    assert definitions(tmp_path, {}).digest == first
    assert definitions(tmp_path, {}, {file: OWN.replace(">= 2", ">= 3")}).digest != first
