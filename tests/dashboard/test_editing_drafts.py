"""A definition is cut out of its file, edited, and put back; its neighbours and comments stay."""

import pytest

from config.load import open_document
from dashboard.definitions import definitions, shipped_definitions
from dashboard.editing.drafts import cut, draft_of, without

FILE = """\
# ours
metrics:
  # how many
  - name: first
    kind: simple

  # how much
  - name: second
    kind: ratio
    description: |
      Two lines

      with a gap.

# the end
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "metrics" / "customers.yaml"
    path.parent.mkdir()
    path.write_text(FILE)
    return path


@pytest.mark.parametrize("located", shipped_definitions().items, ids=lambda each: each.value.name)
def test_every_shipped_definition_goes_back_to_where_it_was(located):
    draft = cut(located.document, located.value.name)
    assert draft.text.startswith(f"- name: {located.value.name}\n")
    assert draft.file_text(draft.text) == located.document.text


def test_a_definition_is_cut_without_its_indentation_and_without_its_neighbours(file):
    draft = cut(open_document(file), "second")
    assert draft.text == "- name: second\n  kind: ratio\n  description: |\n    Two lines\n\n    with a gap.\n"
    assert draft.first_line == 8
    edited = draft.file_text(draft.text.replace("ratio", "derived"))
    assert edited == FILE.replace("ratio", "derived")


def test_a_comment_belongs_to_the_definition_below_it(file):
    assert "# how much" not in cut(open_document(file), "first").text
    assert without(open_document(file), "first") == FILE.replace(
        "  # how many\n  - name: first\n    kind: simple\n", ""
    )
    left = without(open_document(file), "second")
    assert left == "# ours\nmetrics:\n  # how many\n  - name: first\n    kind: simple\n\n# the end\n"


def test_the_last_definition_of_a_file_leaves_no_file(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text("metrics:\n  - name: only\n")
    assert without(open_document(path), "only") is None


def test_a_shipped_definition_is_drafted_into_the_projects_own_file(tmp_path):
    found = definitions(tmp_path, {})
    draft = draft_of(tmp_path, found.located["repeat_customers"])
    assert draft.file == tmp_path / "metrics" / "customers.yaml"
    assert draft.file_text(draft.text).startswith("metrics:\n  - name: repeat_customers\n    kind: simple\n")
    assert not draft.file.exists()


def test_a_shipped_definition_is_added_below_those_that_the_project_has(tmp_path, file):
    draft = draft_of(tmp_path, definitions(tmp_path, {}).located["repeat_customers"])
    text = draft.file_text(draft.text)
    assert text.startswith(FILE)
    assert open_document(file, text=text).faults == ()
    assert cut(open_document(file, text=text), "repeat_customers").text == draft.text


@pytest.mark.parametrize("text", ["metrics: [\n", "metrics: [{name: first, kind: simple}]\n"])
def test_a_file_that_cannot_be_cut_is_edited_whole(tmp_path, file, text):
    file.write_text(text)
    draft = draft_of(tmp_path, definitions(tmp_path, {}).located["repeat_customers"])
    assert draft.is_whole_file
    assert draft.file_text("metrics: []\n") == "metrics: []\n"


def test_problems_count_within_the_draft(tmp_path):
    draft = draft_of(tmp_path, definitions(tmp_path, {}).located["repeat_customers"])
    text = draft.file_text(draft.text.replace("orders >= 2", "orderz >= 2"))
    (problem, *_) = definitions(tmp_path, {}, {draft.file: text}).problems
    assert (problem.line, problem.column) == (8, 12)
    here = draft.here(problem)
    assert draft.text.splitlines()[here.line - 1][here.column - 1 :].startswith("orders >= 2")
