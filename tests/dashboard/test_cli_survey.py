"""`rapport init --survey`: drafts that load, what they leave open, and what cannot be drafted."""

import pytest

from dashboard.instruments import instruments


@pytest.fixture
def draft(rapport, tmp_path):
    """Drafts from the text of a CSV file; gives what the command printed and the project's folder."""

    def drafted(text, name="survey.csv"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return rapport("init", tmp_path, "--survey", tmp_path / name), tmp_path

    return drafted


@pytest.mark.realdata
def test_the_airline_survey(rapport, real_data, tmp_path):
    """23 pairs on 1 to 100, and an NPS whose codes run up to 11: a question, no guess."""
    done = rapport("init", tmp_path, "--survey", real_data / "airlinesat" / "airlinesat.csv")
    assert done.code == 0, done.err
    found = instruments(tmp_path)
    assert found.problems == ()
    airline = found.named["airlinesat"]
    assert airline.codes == tuple(str(at) for at in range(1, 24))
    assert airline.has_gap
    assert (airline.scale.min, airline.scale.max) == (1, 100)
    text = (tmp_path / "instruments" / "airlinesat.yaml").read_text()
    assert "codes run from 1 to 11. Is the scale shifted?" in text


def test_servqual_headers(draft):
    header = ",".join(f"E{at},P{at}" for at in range(1, 23))
    done, folder = draft(f"{header},customer\n" + ",".join(["7", "5"] * 22) + ",c1\n")
    assert done.code == 0, done.err
    form = instruments(folder).named["survey"]
    assert [len(each.items) for each in form.dimensions.values()] == [4, 5, 4, 4, 5]
    assert "customer" in (folder / "instruments" / "survey.yaml").read_text()


def test_letters_of_codes_make_dimensions(draft):
    _done, folder = draft("min_T1;min_R2;desired_T1;desired_R2;perceived_T1;perceived_R2\n1;2;8;9;5;6\n")
    form = instruments(folder).named["survey"]
    assert form.has_zone
    assert list(form.dimensions) == ["T", "R"]
    assert form.scale.max == 9


def test_questions_alone(draft):
    _done, folder = draft("Would you recommend us?,Effort,id\n9,2,1\n10,5,2\n")
    questions = instruments(folder).named["survey"].questions
    assert {code: each.kind for code, each in questions.items()} == {
        "Would you recommend us?": "nps",
        "Effort": "ces",
    }


@pytest.mark.parametrize(
    ("text", "words"), [("name,city\nann,rome\n", "no column looks like an answer"), ("", "cannot be read")]
)
def test_what_cannot_be_drafted_is_told(draft, text, words):
    done, folder = draft(text)
    assert done.code == 2
    assert words in " ".join(done.err.split())
    assert not (folder / "instruments").exists()


def test_a_missing_file_and_a_second_draft(rapport, draft, tmp_path):
    assert "does not exist" in rapport("init", tmp_path, "--survey", tmp_path / "none.csv").err
    assert draft("E1,E2,P1,P2\n5,5,4,4\n")[0].code == 0
    assert "there already" in draft("E1,E2,P1,P2\n5,5,4,4\n")[0].err
