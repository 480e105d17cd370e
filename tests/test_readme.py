"""The README's own lines, run as a newcomer types them."""

import re
import shlex

import pytest

BLOCK = r"<!-- tested: {name} -->\n```\w+\n(.*?)```"


@pytest.fixture(scope="module")
def block(repository):
    """The text of a marked block of the README."""
    text = (repository / "README.md").read_text(encoding="utf-8")
    return lambda name: re.search(BLOCK.format(name=name), text, re.DOTALL)[1]


@pytest.fixture
def typed(rapport, block, monkeypatch, tmp_path):
    """Runs the commands of a block in an empty folder; what they printed, line by line."""
    monkeypatch.chdir(tmp_path)

    def run(name: str) -> dict[str, str]:
        printed = {}
        for line in block(name).splitlines():
            program, *arguments = shlex.split(line)
            assert program == "rapport"
            done = rapport(*arguments)
            assert done.code == 0, f"{line}\n{done.err}"
            printed[arguments[0]] = done.out
        return printed

    return run


@pytest.fixture
def shop(typed, block, tmp_path):
    """The project of the README's CSV file, loaded."""
    (tmp_path / "orders.csv").write_text(block("own-csv-file"), encoding="utf-8")
    return typed("own-csv-commands")


def test_your_own_csv_in_five_minutes(shop):
    assert "orders" in shop["refresh"]
    # 9.00 + 24.50 + 7.90 + 15.80 + 49.00 + 4.50 of three customers, two of whom came back
    assert "\u20ac110.70" in shop["query"]
    assert re.search(r"Customers\s+3\b", shop["query"])
    assert "66.67" in shop["query"]


def test_change_one_kpi(shop, typed, block, rapport, tmp_path):
    own = tmp_path / "shop" / "metrics" / "repeat.yaml"
    own.write_text(block("kpi-file"), encoding="utf-8")
    printed = typed("kpi-commands")
    assert re.search(r"Repeat customers\s+2\b", printed["query"])
    done = rapport("query", "repeat_customers", "--project", "shop")
    assert "on two or more days" in done.err


def test_figures_and_snapshots_without_the_browser(typed, rapport, monkeypatch, tmp_path_factory, tmp_path):
    folder = tmp_path_factory.mktemp("demo") / "small"
    rapport("demo", folder, "--customers", 300, "--months", 12)
    assert rapport("refresh", "--project", folder).code == 0
    monkeypatch.setenv("RAPPORT_PROJECT", str(folder))
    assert typed("query-commands")
    shared = typed("snapshot-commands")
    assert list(tmp_path.glob("*.zip"))
    assert "Alder & Finch" in shared["snapshots"]


def test_every_linked_file_is_there(repository):
    text = (repository / "README.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([\w./-]+)\)", text)) - {"docs/overview.png"}
    assert linked
    assert not [name for name in linked if not (repository / name).exists()]
