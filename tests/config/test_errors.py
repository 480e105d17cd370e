"""Suggestions that help, and none that are silly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import ConfigError, Fault, Problem, listing, sentence, suggestion, unknown

COLUMNS = ["customer_id", "order_id", "ordered_at", "net_amount", "quantity", "is_return", "region"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("net_amout", "net_amount"),
        ("Net_Amount", "net_amount"),
        ("amount", "net_amount"),
        ("customer_ids", "customer_id"),
        ("regoin", "region"),
        ("return", "is_return"),
    ],
)
def test_misspelt_word_is_answered_by_the_one_that_was_meant(word: str, meant: str) -> None:
    assert suggestion(word, COLUMNS) == f"Did you mean `{meant}`?"


@pytest.mark.parametrize("word", ["colour", "x", "id", "profit", "", "foo"])
def test_word_unlike_any_is_answered_by_the_list(word: str) -> None:
    assert suggestion(word, [*COLUMNS, "floor"]).startswith("Known: customer_id, order_id")


def test_swapped_letters_of_short_words_are_seen() -> None:
    assert suggestion("cvs", ["text", "csv", "excel"]) == "Did you mean `csv`?"


def test_two_words_are_named_only_when_both_are_as_near() -> None:
    assert suggestion("date", ["data", "rate", "name"]) == "Known: data, rate, name"
    assert suggestion("ordered", ["orders", "ordered_on", "ordered_at"]) == (
        "Did you mean `ordered_on` or `ordered_at`?"
    )


def test_long_lists_are_cut_and_very_long_ones_left_out() -> None:
    assert listing([f"c{n}" for n in range(20)]).endswith("c11 and 8 more")
    assert suggestion("zzz", [f"c{n}" for n in range(500)]) == ""
    assert suggestion("zzz", []) == ""


def test_example_stands_in_for_a_list_that_is_too_long() -> None:
    fault = unknown("currency", "zzz", [f"c{n}" for n in range(500)], example="EUR")
    assert str(fault) == "unknown currency `zzz`. Write one such as `EUR`"


@given(st.text(max_size=12), st.lists(st.text(max_size=12), max_size=8))
def test_known_word_is_always_its_own_suggestion(word: str, others: list[str]) -> None:
    assert f"`{word}`" in suggestion(word, [*others, word])


def test_problem_reads_as_one_line_with_its_place() -> None:
    problem = Problem("rapport.yaml", 3, 5, "access", "unknown key `x`", "Known: verbatims")
    assert problem.render() == "rapport.yaml:3:5: access: unknown key `x`. Known: verbatims"
    assert Problem("a.yaml", 1, 1, "", "the file is empty").render() == "a.yaml:1:1: the file is empty"


def test_error_shows_all_problems_one_a_line() -> None:
    problems = [Problem("a.yaml", line, 1, "", f"fault {line}") for line in (1, 2)]
    assert str(ConfigError(problems)).splitlines() == ["a.yaml:1:1: fault 1", "a.yaml:2:1: fault 2"]


def test_sentence_adds_a_full_stop_only_where_one_is_missing() -> None:
    assert sentence("What is this?", "Remove it") == "What is this? Remove it"
    assert str(Fault("`x` is missing", "Add it")) == "`x` is missing. Add it"
