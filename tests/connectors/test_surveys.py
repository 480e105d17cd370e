"""Survey exports as their tools write them: header rows, item columns, choices, missing codes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import xlsxwriter

from config.model import Project
from connectors.errors import SourceError
from connectors.sources import Sources
from connectors.staging import Staged, stage

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def staged(folder: Path, *more: dict[str, Any], **given: Any) -> Staged:
    source = {"name": "survey", "kind": "survey", "instrument": "servqual_1991"} | given
    sources = Sources.model_validate({"sources": [source, *more]})
    project = Project(name="Survey", currency="EUR")
    return stage(folder, project, sources, now=NOW, workdir=folder / "work")


def answers(result: Staged) -> list[tuple[Any, ...]]:
    return (
        result.tables["survey_answers"]
        .select("response_id", "item", pl.col("part").cast(pl.String), "score", "customer_id")
        .collect()
        .rows()
    )


PAIRS = [
    {"columns": "E_{item}", "part": "expectation"},
    {"columns": "P_{item}", "part": "perception"},
]
QUALTRICS = (
    "ResponseId,RecordedDate,RecipientEmail,ExternalReference,E_T1,P_T1,E_REL5,P_REL5,Why\n"
    'Response ID,Recorded Date,"Recipient\nEmail",Ref,"Expected: tidy","Seen: tidy","Expected, kept",Seen,'
    "Why?\n"
    '"{""ImportId"":""_recordId""}","{""ImportId"":""d""}","{""ImportId"":""e""}","{""ImportId"":""x""}",'
    '"{""ImportId"":""Q1""}","{""ImportId"":""Q2""}","{""ImportId"":""Q3""}","{""ImportId"":""Q4""}",'
    '"{""ImportId"":""Q5""}"\n'
    'R_1,2026-02-01 10:00:00,zoe@example.com,0007,7,5,6,6,"slow, but\nkind"\n'
    "R_2,2026-02-02 11:00:00,,0012,6,,7,4,\n"
)


def test_qualtrics_has_three_header_rows_and_quoted_line_breaks(tmp_path: Path):
    (tmp_path / "q.csv").write_text(QUALTRICS)
    result = staged(
        tmp_path, location="q.csv", format="qualtrics", answers=PAIRS,
        columns={"customer_id": "ExternalReference"}, attributes={"comment": "Why"},
    )  # fmt: skip
    assert answers(result) == [
        ("R_1", "T1", "expectation", 7.0, "0007"),
        ("R_1", "T1", "perception", 5.0, "0007"),
        ("R_1", "REL5", "expectation", 6.0, "0007"),
        ("R_1", "REL5", "perception", 6.0, "0007"),
        ("R_2", "T1", "expectation", 6.0, "0012"),
        ("R_2", "T1", "perception", None, "0012"),
        ("R_2", "REL5", "expectation", 7.0, "0012"),
        ("R_2", "REL5", "perception", 4.0, "0012"),
    ]
    table = result.tables["survey_answers"].collect()
    assert set(table["instrument"]) == {"servqual_1991"}
    assert table["answered_at"][0] == datetime(2026, 2, 1, 10, tzinfo=UTC)
    assert table["comment"][0] == "slow, but\nkind"
    assert "q.csv: 2 responses, 4 answers each" in result.reports[0].notes


def test_respondents_meet_customers_by_a_declared_key(tmp_path: Path):
    (tmp_path / "q.csv").write_text(QUALTRICS)
    (tmp_path / "people.csv").write_text("no,mail\n0007,zoe@example.com\n")
    people = {"name": "people", "kind": "csv", "location": "people.csv"}
    result = staged(
        tmp_path, people, location="q.csv", format="qualtrics", answers=PAIRS,
        columns={"customer_id": "no"},
        joins=[{"source": "people", "on": {"RecipientEmail": "mail"}, "how": "left"}],
    )  # fmt: skip
    assert [row[-1] for row in answers(result)] == ["0007"] * 4 + [None] * 4


SURVEYMONKEY = [
    [
        "Respondent ID",
        "End Date",
        "Email Address",
        "How well did we do?",
        "",
        "Which do you use?",
        "",
        "Recommend?",
    ],
    ["", "", "", "Staff", "Speed", "App", "Shop", "Response"],
    ["114", "02/25/2026 10:00:00 AM", "zoe@example.com", "Very good", "Bad", "App", "", "9"],
    ["115", "02/26/2026 10:00:00 AM", "ann@example.com", "Bad", "", "", "Shop", "10"],
]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_surveymonkey_has_two_header_rows_and_columns_of_choices(tmp_path: Path, form: str):
    if form == "csv":
        text = "".join(",".join(row) + "\n" for row in SURVEYMONKEY)
        (tmp_path / "s.csv").write_text(text)
    else:
        book = xlsxwriter.Workbook(tmp_path / "s.xlsx")
        sheet = book.add_worksheet()
        for at, row in enumerate(SURVEYMONKEY):
            sheet.write_row(at, 0, [cell or None for cell in row])
        book.close()
    words = {"Very good": 5, "Bad": 2}
    result = staged(
        tmp_path, location=f"s.{form}", format="surveymonkey",
        answers=[
            {"columns": "How well did we do? | {item}", "part": "perception", "values": words},
            {"columns": "Which do you use? | {item}", "item": "uses {item}", "kind": "ticked"},
            {"columns": "Recommend?", "item": "nps"},
        ],
    )  # fmt: skip
    found = {(row[0], row[1]): row[3] for row in answers(result)}
    assert found == {
        ("114", "Staff"): 5.0, ("114", "Speed"): 2.0, ("114", "uses App"): 1.0, ("114", "uses Shop"): 0.0,
        ("114", "nps"): 9.0, ("115", "Staff"): 2.0, ("115", "Speed"): None, ("115", "uses App"): 0.0,
        ("115", "uses Shop"): 1.0, ("115", "nps"): 10.0,
    }  # fmt: skip


def test_limesurvey_google_forms_and_typeform(tmp_path: Path):
    (tmp_path / "l.csv").write_text(
        'id;submitdate;token;"G1[SQ001]";"G1[SQ002]"\n1;2026-02-01 10:00:00;t1;5;3\n'
        "2;2026-02-02 10:00:00;t2;4;\n"
    )
    result = staged(
        tmp_path, location="l.csv", format="limesurvey",
        answers=[{"columns": "G1[SQ{item}]", "item": "Q{item}", "part": "perception"}],
    )  # fmt: skip
    assert [row[:4] for row in answers(result)][:2] == [
        ("1", "Q001", "perception", 5.0),
        ("1", "Q002", "perception", 3.0),
    ]
    (tmp_path / "g.csv").write_text(
        'Timestamp,Email Address,Rate us [Staff],"What do you like?"\n'
        '2026/02/01 10:00:00,zoe@example.com,5,"Price, Staff"\n2026/02/02 10:00:00,ann@example.com,3,\n'
    )
    result = staged(
        tmp_path, location="g.csv", format="google_forms",
        answers=[
            {"columns": "Rate us [{item}]", "part": "perception"},
            {"columns": "What do you like?", "item": "likes", "kind": "listed"},
        ],
    )  # fmt: skip
    assert [row[:4] for row in answers(result)] == [
        ("1", "Staff", "perception", 5.0),
        ("1", "likes:Price", "score", 1.0),
        ("1", "likes:Staff", "score", 1.0),
        ("2", "Staff", "perception", 3.0),
    ]
    (tmp_path / "t.csv").write_text(
        "#,How likely are you to recommend us?,Submit Date (UTC)\nabc1,9,2026-02-01 10:00:00\n"
    )
    result = staged(
        tmp_path, location="t.csv", format="typeform",
        answers=[{"columns": "How likely are you to recommend us?", "item": "nps"}],
    )  # fmt: skip
    assert [row[:4] for row in answers(result)] == [("abc1", "nps", "score", 9.0)]


def test_spss_codes_that_mean_missing_are_no_answers_and_are_told(tmp_path: Path):
    pyreadstat = pytest.importorskip("pyreadstat")
    import pandas as pd

    frame = pd.DataFrame(
        {
            "id": [1.0, 2.0, 3.0],
            "when": pd.to_datetime(["2026-01-05", "2026-01-06", "2026-01-07"]),
            "q_T1": [5.0, 9.0, 1.0],
            "q_T2": [1.0, None, 98.0],
        }
    )
    pyreadstat.write_sav(
        frame, tmp_path / "s.sav", missing_ranges={"q_T1": [9], "q_T2": [{"lo": 97, "hi": 99}]},
        variable_value_labels={"q_T1": {1: "bad", 5: "good", 9: "refused"}},
    )  # fmt: skip
    result = staged(
        tmp_path, location="s.sav", format="spss", response="id", answered="when",
        answers=[{"columns": "q_{item}", "part": "perception"}],
    )  # fmt: skip
    assert [row[:4] for row in answers(result)] == [
        ("1", "T1", "perception", 5.0),
        ("1", "T2", "perception", 1.0),
        ("2", "T1", "perception", None),
        ("2", "T2", "perception", None),
        ("3", "T1", "perception", 1.0),
        ("3", "T2", "perception", None),
    ]
    assert "s.sav: `q_T1`: 1 answers 9 (refused) count as missing" in result.reports[0].notes
    assert "s.sav: `q_T2`: 1 answers 98 count as missing" in result.reports[0].notes


@pytest.mark.realdata
def test_the_published_mean_gap_of_the_airline_survey(real_data: Path, tmp_path: Path):
    """Twenty-three pairs in one wide file; -21.286730 is the mean of the item means over complete pairs."""
    file = real_data / "airlinesat" / "airlinesat.csv"
    wide = pl.read_csv(file, infer_schema_length=None).with_row_index("Respondent")
    wide.with_columns(pl.lit("2026-01-05").alias("Timestamp")).write_csv(tmp_path / "a.csv")
    result = staged(
        tmp_path, location="a.csv", format="google_forms", response="Respondent", blanks=["NA"],
        answers=[{"columns": "e{item}", "part": "expectation"}, {"columns": "s{item}", "part": "perception"}],
    )  # fmt: skip
    table = result.tables["survey_answers"].filter(pl.col("item").str.contains(r"^\d+$")).collect()
    pairs = table.pivot("part", index=["response_id", "item"], values="score").drop_nulls()
    means = pairs.group_by("item").agg((pl.col("perception") - pl.col("expectation")).mean().alias("gap"))
    assert means.height == 23
    assert means["gap"].mean() == pytest.approx(-21.286730, abs=1e-6)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"answers": [{"columns": "X_{item}"}]}, "no column is called like `X_{item}`"),
        ({"answers": [*PAIRS, {"columns": "{item}_T1"}]}, "which `E_{item}` takes too. Make one of the two"),
        ({"response": "respid", "answers": PAIRS}, "there is no column `respid`"),
    ],
)
def test_patterns_that_do_not_fit_are_told(tmp_path: Path, given: dict[str, Any], told: str):
    (tmp_path / "q.csv").write_text(QUALTRICS)
    with pytest.raises(SourceError) as raised:
        staged(tmp_path, location="q.csv", format="qualtrics", **given)
    assert told in str(raised.value)


def test_a_file_without_the_third_row_is_told(tmp_path: Path):
    lines = QUALTRICS.splitlines()
    (tmp_path / "q.csv").write_text(
        "\n".join([lines[0], lines[-2].replace(',"slow, but', ",slow"), lines[-1], lines[-1]])
    )
    with pytest.raises(SourceError, match="the third row is not Qualtrics' row of import ids"):
        staged(tmp_path, location="q.csv", format="qualtrics", answers=PAIRS)


def test_every_answer_is_counted_once_and_broken_rows_are_kept(tmp_path: Path):
    (tmp_path / "q.csv").write_text(QUALTRICS + "R_3,2026-02-03\nR_4,2026-02-03 10:00:00,,0031,7,x,7,7,\n")
    result = staged(tmp_path, location="q.csv", format="qualtrics", answers=PAIRS)
    report = result.reports[0]
    assert report.rows_read == 13
    assert report.accepted == 11
    assert report.quarantined == {
        "the row has fewer columns than the header": 1,
        "`score` is not a number": 1,
    }
