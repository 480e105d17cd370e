import polars as pl

from dashboard.privacy import MASK, masked, personal_fields, personal_sources

ROWS = pl.DataFrame(
    {
        "file": ["a.csv", "a.csv"],
        "row": [2, 3],
        "column": ["full_name", "since"],
        "value": ["=Zoë", "2025-13-01"],
        "reason": ["too long", "impossible date"],
        "full_name": ["=Zoë", "Ann"],
        "mail": ["z@example.com", ""],
        "since": ["2024-01-01", "2025-13-01"],
    }
)


def test_what_names_a_person_is_marked_in_the_contracts():
    assert {"name", "email"} <= personal_fields("customers")
    assert personal_fields("") == frozenset()


def test_personal_columns_and_their_faulty_values_are_masked():
    rows = masked(ROWS, frozenset({"full_name", "mail"}))
    assert rows["full_name"].to_list() == [MASK, MASK]
    assert rows["mail"].to_list() == [MASK, ""]
    assert rows["value"].to_list() == [MASK, "2025-13-01"]
    assert rows["since"].to_list() == ROWS["since"].to_list()
    assert rows["reason"].equals(ROWS["reason"])


def test_everything_is_masked_when_nobody_can_tell(tmp_path):
    assert personal_sources(tmp_path) is None
    rows = masked(ROWS, None)
    assert set(rows["since"]) == {MASK}
    assert rows["row"].equals(ROWS["row"])


def test_the_words_of_mappings_and_expressions_are_found(tmp_path):
    (tmp_path / "sources.yaml").write_text(
        "sources:\n"
        "  - name: people\n    table: customers\n    kind: csv\n    location: people.csv\n"
        "    columns:\n      customer_id: no\n      name: first || ' ' || last\n      email: {from: mail}\n"
    )
    assert {"first", "last", "mail"} <= (personal_sources(tmp_path) or set())
    assert "no" not in (personal_sources(tmp_path) or set())
