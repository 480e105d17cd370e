"""Survey answers as people bring them: words in several scripts, blanks, nobody known, no expectations."""

import polars as pl
import pytest

from connectors.store import Store
from dashboard.instruments import instruments
from metrics.answers import read_answers
from metrics.gap_comparisons import respondent_gaps
from metrics.linkage import followed
from metrics.satisfaction import dimension_gaps, performance

SOURCES = """
sources:
  - name: orders
    table: order_lines
    kind: csv
    location: orders.csv
    columns: {order_id: order_no, customer_id: customer_no, ordered_at: day, net_amount: amount}
  - name: survey
    table: survey_answers
    kind: csv
    location: survey.csv
    columns:
      response_id: response
      customer_id: customer
      item: item
      part: part
      answered_at: day
      instrument: "'words'"
      score:
        from: answer
        values: {Strongly agree: 7, Agree: 6, 매우 그렇다: 7, 非常同意: 7, 不同意: 2}
"""
INSTRUMENT = """
instruments:
  - name: words
    label: In words
    parts: [expectation, perception]
    scale: {min: 1, max: 7, blanks: [99]}
    dimensions: {d: {label: D, items: [a, b]}}
"""
ORDERS = "order_no,customer_no,day,amount\n1,c1,2026-01-02,9.00\n2,c2,2026-01-03,7.00\n3,c1,2026-01-20,5.00\n"
HEAD = "response,customer,item,part,day,answer\n"
BOTH = HEAD + "\n".join(
    f"{response},{customer},{item},{part},2026-01-05,{answer}"
    for response, customer, expected, perceived in (
        ("r1", "c1", "Strongly agree", "Agree"),
        ("r2", "c2", "매우 그렇다", "不同意"),
        ("r3", "stranger", "非常同意", "Agree"),
    )
    for item in "ab"
    for part, answer in (("expectation", expected), ("perception", perceived))
)


@pytest.fixture
def loaded(rapport, tmp_path):
    """A refreshed project with these answers; the answers read by its own instrument."""

    def load(survey, form=INSTRUMENT):
        (tmp_path / "instruments").mkdir()
        files = {
            "rapport.yaml": "name: Shop\ncurrency: EUR\n",
            "sources.yaml": SOURCES,
            "orders.csv": ORDERS,
            "survey.csv": survey + "\n",
            "instruments/words.yaml": form,
        }
        for name, text in files.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        done = rapport("refresh", "--project", tmp_path)
        assert done.code == 0, done.err + done.out
        version = Store(tmp_path / "store").current()
        named = instruments(tmp_path).named["words"]
        return version, read_answers(version.scan("answers").collect(), named)

    return load


def test_answers_in_words_of_three_scripts(loaded):
    _version, found = loaded(BOTH)
    assert found.parts["expectation"].tolist() == [[7, 7]] * 3
    assert found.parts["perception"].tolist() == [[6, 6], [2, 2], [6, 6]]
    assert dimension_gaps(found)["gap"][0] == pytest.approx((-1 - 5 - 1) / 3)


def test_respondents_who_are_not_known_count_but_not_in_the_link(loaded):
    version, found = loaded(BOTH)
    assert found.n == 3
    orders = version.scan("orders").select("customer", "ordered_on", "net_amount").collect()
    responses = found.responses.select("customer", "answered_on").hstack(respondent_gaps(found))
    rows = followed(responses, orders, 14, version.manifest.as_of, scores=("d",))
    assert rows.select("d", "orders_before", "observed").rows() == [(-1, 1, True), (-5, 1, False)]


def test_without_expectations_it_is_performance_and_never_a_gap(loaded):
    perceived = "\n".join(line for line in BOTH.splitlines() if ",expectation," not in line)
    form = INSTRUMENT.replace("[expectation, perception]", "[perception]")
    _version, found = loaded(perceived, form)
    assert not found.instrument.has_gap
    assert performance(found)["mean"][0] == pytest.approx(14 / 3)


def test_expectations_that_nobody_gave_make_no_gap_of_perceptions(loaded):
    """The form asks for both, the file holds one side: no pair, no gap."""
    perceived = "\n".join(line for line in BOTH.splitlines() if ",expectation," not in line)
    _version, found = loaded(perceived)
    assert dimension_gaps(found)["gap"].to_list() == [None, None]


def test_a_blank_code_is_counted_as_none(loaded):
    _version, found = loaded(BOTH + "\nr4,c1,a,perception,2026-01-05,99")
    assert found.found["blank"] == 1
    assert pl.Series(found.parts["perception"][:, 0]).is_nan().sum() == 1
