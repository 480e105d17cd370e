"""`rapport check`: every problem at once, for people, programs and code hosts; the tests of definitions."""

import pytest

OWN = """\
metrics:
  - name: big_orders
    kind: simple
    label: Big orders
    description: Orders of 100 or more.
    table: orders
    expression: count(*)
    where: net_amount >= 100
    unit: count
    tests:
      - name: a hundred is big
        rows:
          order_lines:
            - {order_id: o1, customer_id: ann, ordered_on: 2024-01-05, net_amount: 100}
            - {order_id: o2, customer_id: ann, ordered_on: 2024-01-06, net_amount: 99}
        expect: 1
"""


@pytest.fixture
def project(tmp_path, rapport):
    rapport("init", tmp_path / "shop")
    folder = tmp_path / "shop"
    (folder / "metrics").mkdir(exist_ok=True)
    return folder


@pytest.fixture
def check(project, rapport):
    def run(text, *flags):
        (project / "metrics" / "own.yaml").write_text(text)
        return rapport("check", "--project", project, *flags)

    return run


def test_a_project_without_problems(check):
    done = check(OWN)
    assert (done.code, done.out) == (0, "")
    assert "no problems" in done.err


def test_every_problem_of_every_file_at_once(check, project):
    (project / "rapport.yaml").write_text("name: Shop\ncurrency: EURO\n")
    done = check(OWN.replace("net_amount >=", "net_amont >=").replace("label:", "labell:"))
    assert done.code == 1
    lines = done.out.splitlines()
    assert any("rapport.yaml:2:11" in line and "Did you mean `EUR`?" in line for line in lines)
    assert any("own.yaml:4:5" in line and "Did you mean `label`?" in line for line in lines)
    assert done.err.count("errors") == 1


def test_a_warning_alone_is_no_failure(check):
    done = check(OWN.replace("unit: count", "unit: money"))
    assert done.code == 0
    assert done.out.startswith("warning: ")
    assert "unit-mismatch" in check(OWN.replace("unit: count", "unit: money"), "--json").out


def test_json_has_the_same_problems(check, project):
    (problem,) = check(OWN.replace("net_amount >=", "net_amont >="), "--json").json
    assert problem["path"] == str(project / "metrics" / "own.yaml")
    assert (problem["line"], problem["column"], problem["rule"]) == (8, 12, "expression")
    assert problem["remedy"] == "Did you mean `net_amount`?"
    assert check(OWN, "--json").json == []


def test_sarif_points_at_line_and_column(check):
    log = check(OWN.replace("net_amount >=", "net_amont >="), "--sarif").json
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    (result,) = run["results"]
    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert rule["id"] == result["ruleId"] == "expression"
    assert result["level"] == "error"
    assert result["message"]["text"].endswith("unknown column `net_amont`. Did you mean `net_amount`?")
    place = result["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 8, "startColumn": 12}
    assert place["artifactLocation"] == {"uri": "metrics/own.yaml", "uriBaseId": "PROJECT"}
    base = run["originalUriBaseIds"]["PROJECT"]["uri"]
    assert base.startswith("file://")
    assert base.endswith("/shop/")


def test_sarif_of_a_project_without_problems_is_an_empty_run(check):
    (run,) = check(OWN, "--sarif").json["runs"]
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])


def test_one_format_at_a_time(check):
    done = check(OWN, "--sarif", "--json")
    assert done.code == 2
    assert "Ask for one of them" in done.err


def example(name: str, *changes: tuple[str, str]) -> str:
    """The definition of OWN under another name, with changes."""
    text = OWN.removeprefix("metrics:\n").replace("big_orders", name)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def tested(tmp_path_factory, rapport):
    """`rapport check --tests` on three definitions whose tests fail, and the file that they stand in."""
    folder = tmp_path_factory.mktemp("projects") / "shop"
    rapport("init", folder)
    file = folder / "metrics" / "own.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        "metrics:\n"
        + example("wrong", (">= 100", "> 100"))
        + example("nothing", ("expect: 1", "expect: null"))
        + example("no_table", ("order_lines:", "order_line:"))
    )
    untested = rapport("check", "--project", folder)
    assert untested.code == 0, untested.out
    return rapport("check", "--project", folder, "--tests"), file


def test_a_failing_test_says_what_was_expected_and_where(tested):
    done, file = tested
    assert done.code == 1
    place = f"error: {file}:16:17: metrics[wrong].tests[a hundred is big].expect: "
    assert any(line.startswith(place) and "expected 1, got 0" in line for line in done.out.splitlines())


def test_an_expectation_of_nothing_is_met_by_nothing_alone(tested):
    assert "metrics[nothing].tests[a hundred is big].expect: expected no figure, got 1" in tested[0].out


def test_a_test_with_rows_of_no_table_is_told_not_thrown(tested):
    done, _file = tested
    assert any(
        "metrics[no_table]" in line and "the example cannot be computed" in line
        for line in done.out.splitlines()
    )
    assert "Traceback" not in done.err


def test_shipped_definitions_have_tests_that_hold_and_no_warnings(check):
    done = check(OWN, "--tests")
    assert (done.code, done.out) == (0, "")
    assert " tests ran" in done.err


@pytest.mark.parametrize(
    ("theirs", "ours", "words"),
    [
        (
            ("amount\n", "amont\n"),
            None,
            "columns.net_amount: there is no column `amount`. Did you mean",
        ),
        (("2026-01-20", "20.01.2026"), None, "no problems"),
        (("2026-", "03/04/"), None, "columns.ordered_at: `03/04/01-05` in"),
        (None, ("orders.csv", "order.csv"), "sources[orders]: the file"),
    ],
)
def test_what_a_refresh_would_refuse_is_told_before(check, project, theirs, ours, words):
    for path, change in ((project / "data" / "orders.csv", theirs), (project / "sources.yaml", ours)):
        if change:
            path.write_text(path.read_text().replace(*change))
    done = check("metrics: []\n")
    assert words in done.out + done.err
    assert done.code == (0 if words == "no problems" else 1)
    assert done.code == (0 if done.out == "" else 1)
