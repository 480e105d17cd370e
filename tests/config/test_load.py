"""The loader: strict values, exact places, every problem at once."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from config.documents import Place
from config.errors import ConfigError, Fault, Problem
from config.load import open_document, read, read_located, read_many


class Strict(BaseModel):
    """Base of the small models of these tests."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(Strict):
    """A column of a source."""

    source: str = Field(alias="from")
    formats: tuple[str, ...] = ()


class Shop(Strict):
    """A file with every kind of value."""

    name: str
    opened_on: date | None = None
    rent: Decimal | None = None
    share: float = 0.0
    floors: int = 1
    open: bool = False
    countries: tuple[str, ...] = ()
    columns: dict[str, str | int | bool | Column] = {}
    labels: dict[int, str] = {}

    @field_validator("countries")
    @classmethod
    def _no_atlantis(cls, countries: tuple[str, ...]) -> tuple[str, ...]:
        if "Atlantis" in countries:
            raise Fault(*SUNK, at=(countries.index("Atlantis"),), offset=2)
        return countries


SUNK = ("`Atlantis` has sunk", "Choose another country")


def written(folder: Path, text: str, name: str = "shop.yaml") -> Path:
    path = folder / name
    path.write_bytes(text.encode("utf-8"))
    return path


def shop(folder: Path, text: str, environ: dict[str, str] | None = None) -> Shop:
    return read(written(folder, f"name: Shop\n{text}"), Shop, environ=environ or {})


def messages(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        shop(folder, text, environ)
    return [problem.render().removeprefix(f"{folder}/") for problem in caught.value.problems]


WORDS = "NO on Yes 12:30 0o7 0x1F 1_000 1e5 .5 +5 007 True 99999999999999999999"


@pytest.mark.parametrize("word", WORDS.split())
def test_words_that_yaml_would_change_stay_text(tmp_path: Path, word: str) -> None:
    assert shop(tmp_path, f"countries: [{word}]").countries == (word,)


def test_numbers_booleans_and_dates_are_read_as_what_they_are(tmp_path: Path) -> None:
    found = shop(tmp_path, "floors: -3\nshare: 0.25\nopen: true\nopened_on: 2024-02-29\nrent: 1234.10\n")
    assert (found.floors, found.share, found.open) == (-3, 0.25, True)
    assert (found.opened_on, found.rent) == (date(2024, 2, 29), Decimal("1234.10"))


@pytest.mark.parametrize(
    "text", ['floors: "3"', "floors: 3.0", "open: yes", 'open: "true"', "share: 1_000", "name: 5"]
)
def test_nothing_is_converted_silently(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        read(written(tmp_path, text if text.startswith("name") else f"name: Shop\n{text}"), Shop)


def test_null_is_written_as_null_or_nothing(tmp_path: Path) -> None:
    assert shop(tmp_path, "opened_on: null\nrent:\n").rent is None


def test_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: Caf\xc3\xa9\n")
    assert read(path, Shop).name == "Café"


def test_windows_line_ends_keep_the_places(tmp_path: Path) -> None:
    assert messages(tmp_path, "floors: 1\r\nopen: maybe\r\n")[0].startswith(
        "shop.yaml:3:7: open: expected true or false"
    )


def test_other_encodings_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_bytes("name: Shop\ncountries: [Brésil]\n".encode("cp1252"))
    with pytest.raises(
        ConfigError, match=r"shop.yaml:2:1: file: the file is not UTF-8 text \(byte 0xe9\). Save it"
    ):
        read(path, Shop)


def test_missing_file_names_a_file_with_a_similar_name(tmp_path: Path) -> None:
    written(tmp_path, "", "sources.yaml")
    with pytest.raises(ConfigError, match=r"the file does not exist. Did you mean `sources.yaml`\?"):
        read(tmp_path / "source.yaml", Shop)


def test_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the file cannot be read"):
        read(tmp_path, Shop)


def test_file_that_no_person_wrote_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the limit is 2,000,000"):
        read(written(tmp_path, "a" * 2_000_001), Shop)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_a_problem_and_no_crash(tmp_path: Path, opening: str) -> None:
    assert open_document(written(tmp_path, opening * 50_000)).faults


def test_aliases_that_multiply_are_refused(tmp_path: Path) -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    text = "\n".join(["a0: &a0 [x]", *levels])
    assert "repeat values without end" in open_document(written(tmp_path, text)).faults[0][1].fault


def test_a_few_aliases_are_fine(tmp_path: Path) -> None:
    assert shop(tmp_path, "countries: &home [Chile]\ncolumns: {}\n").countries == ("Chile",)


def test_variables_are_text_wherever_they_stand(tmp_path: Path) -> None:
    found = shop(tmp_path, "columns: {a: 'x-${A}-${B}', b: '$${A}'}\n", {"A": "1", "B": "${A}"})
    assert found.columns == {"a": "x-1-${A}", "b": "${A}"}


def test_variables_in_keys_stay_as_written(tmp_path: Path) -> None:
    assert shop(tmp_path, "columns: {'${A}': x}\n", {"A": "1"}).columns == {"${A}": "x"}


def test_unset_variable_says_how_to_set_it(tmp_path: Path) -> None:
    assert messages(tmp_path, "countries: ['${HOME_LAND}']") == [
        "shop.yaml:2:13: countries[1]: the environment variable `HOME_LAND` is not set. "
        "Set it before the start: export HOME_LAND=..."
    ]


def test_messages_never_show_what_a_variable_holds(tmp_path: Path) -> None:
    class Picky(Strict):
        url: Literal["local"]

    path = written(tmp_path, "url: ${SHOP_URL}\n")
    with pytest.raises(ConfigError) as caught:
        read(path, Picky, environ={"SHOP_URL": "postgresql://u:hunter2@h/db"})
    assert "hunter2" not in str(caught.value)
    assert "unknown value `${SHOP_URL}`" in str(caught.value)


def test_message_of_a_validator_does_not_show_what_a_variable_holds(tmp_path: Path) -> None:
    class Echo(Strict):
        url: str

        @field_validator("url")
        @classmethod
        def _refuse(cls, url: str) -> str:
            raise Fault(f"`{url}` is refused", f"Change {url}")

    with pytest.raises(ConfigError) as caught:
        read(written(tmp_path, "url: x${PASSWORD}\n"), Echo, environ={"PASSWORD": "hunter2"})
    assert caught.value.problems[0].fault == "`x${PASSWORD}` is refused"
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "a: postgresql://rapport:hunter2@db/shop",
        "a: postgresql://:hunter2@db/shop",
        "a: postgresql://rapport:${A}x@db/shop",
        "a: mysql://db/shop?user=rapport&password=hunter2",
        "password: hunter2",
        "a: {Password: hunter2}",
        "a: {secret: hunter2}",
    ],
)
def test_written_passwords_are_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    problems = [problem for _, problem in open_document(written(tmp_path, text), environ={"A": "b"}).faults]
    assert [problem.rule for problem in problems] == ["password"]
    assert "hunter2" not in problems[0].render()


@pytest.mark.parametrize(
    "text",
    [
        "a: postgresql://rapport:${A}@db/shop",
        "a: postgresql://rapport@db:5432/shop",
        "a: mysql://db/shop?password=${A}",
        "a: https://example.com/a:b@c",
        "password: ${A}",
        "a: SELECT * FROM t WHERE password = 'x'",
    ],
)
def test_places_for_passwords_are_fine(tmp_path: Path, text: str) -> None:
    assert not open_document(written(tmp_path, text), environ={"A": "b"}).faults


def test_union_of_simple_types_and_a_model_speaks_about_the_branch_that_was_meant(tmp_path: Path) -> None:
    text = "columns:\n  a: {frm: x}\n  b: {from: x, formats: [5]}\n  c: [x]\n  d: x\n"
    assert messages(tmp_path, text) == [
        "shop.yaml:3:7: columns.a: unknown key `frm`. Did you mean `from`?",
        'shop.yaml:4:26: columns.b.formats[1]: expected a text, found the number `5`. Put it in quotes: "5"',
        "shop.yaml:5:6: columns.c: expected a text, a whole number, true or false or "
        "a map of `key: value`, found a list",
    ]


def test_fault_of_a_validator_stands_at_its_part_and_character(tmp_path: Path) -> None:
    text = "countries:\n  - Chile\n  - 'Atlantis'\n"
    assert messages(tmp_path, text) == [
        "shop.yaml:4:8: countries[2]: `Atlantis` has sunk. Choose another country"
    ]


def test_keys_of_whole_numbers_are_checked(tmp_path: Path) -> None:
    assert shop(tmp_path, "labels: {1: one}").labels == {1: "one"}
    assert messages(tmp_path, "labels: {one: 1}")[0].startswith("shop.yaml:2:")


def test_list_items_are_called_by_their_names(tmp_path: Path) -> None:
    class Shops(Strict):
        shops: list[Shop]

    path = written(tmp_path, "shops:\n  - name: North\n    floors: x\n  - floors: y\n    name: [1]\n")
    with pytest.raises(ConfigError) as caught:
        read(path, Shops)
    assert [problem.where for problem in caught.value.problems] == [
        "shops[North].floors",
        "shops[2].floors",
        "shops[2].name",
    ]


def test_missing_keys_named_like_types_are_all_told(tmp_path: Path) -> None:
    class Words(Strict):
        date: str
        list: str
        set: str

    with pytest.raises(ConfigError) as caught:
        read(written(tmp_path, "date: a\n"), Words)
    assert [problem.fault for problem in caught.value.problems] == ["`list` is missing", "`set` is missing"]


def test_list_of_broken_items_is_not_called_empty(tmp_path: Path) -> None:
    class Shops(Strict):
        shops: tuple[Shop, ...] = Field(min_length=1)

    with pytest.raises(ConfigError) as caught:
        read(written(tmp_path, "shops:\n  - floors: x\n"), Shops)
    assert [problem.rule for problem in caught.value.problems] == ["missing-key", "type"]
    with pytest.raises(ConfigError, match="must not be empty"):
        read(written(tmp_path, "shops: []\n"), Shops)


def test_key_named_like_the_kind_is_not_taken_for_the_branch(tmp_path: Path) -> None:
    class Share(Strict):
        kind: Literal["share"]
        share: int
        of: int

    class Total(Strict):
        kind: Literal["total"]

    adapter: TypeAdapter[Share | Total] = TypeAdapter(Annotated[Share | Total, Field(discriminator="kind")])
    with pytest.raises(ConfigError) as caught:
        read(written(tmp_path, "kind: share\nshare: a\nof: b\n"), adapter)
    assert [(problem.line, problem.where) for problem in caught.value.problems] == [(2, "share"), (3, "of")]


# Places within texts


PLACES = """\
plain: one two
single: 'it''s two'
double: "one two"
literal: |
  one
    two
stripped: >-
  one
  two
lines:
  one
  two
漢字: 漢字 two
"""


@pytest.mark.parametrize("key", yaml.safe_load(PLACES))
def test_offset_in_a_text_is_found_again_in_the_file(tmp_path: Path, key: str) -> None:
    document = open_document(written(tmp_path, PLACES))
    assert isinstance(document.value, dict)
    text = document.value[key]
    assert isinstance(text, str)
    place = document.place((key,), offset=text.index("two"))
    assert PLACES.split("\n")[place.line - 1][place.column - 1 :].startswith("two")


@given(
    words=st.lists(st.text(alphabet="ab'c漢 ", min_size=1, max_size=5), min_size=2, max_size=6), at=st.data()
)
def test_every_character_of_a_quoted_text_is_found_again(words: list[str], at: st.DataObject) -> None:
    value = " ".join(words).strip() or "a"
    text = f"key: {json.dumps(value, ensure_ascii=False)}\nother: '{value.replace(chr(39), chr(39) * 2)}'\n"
    document = open_document(Path("a.yaml"), text=text)
    offset = at.draw(st.integers(0, len(value) - 1))
    for key in ("key", "other"):
        place = document.place((key,), offset=offset)
        assert text.split("\n")[place.line - 1][place.column - 1] == value[offset] or offset == 0


def test_place_of_what_does_not_exist_is_the_place_of_its_parent(tmp_path: Path) -> None:
    document = open_document(written(tmp_path, "a:\n  b: 1\n"))
    assert document.place(("a", "c", "d")) == Place(2, 3)
    assert document.place(()) == Place(1, 1)
    assert open_document(tmp_path / "none.yaml").place(("a",)) == Place(1, 1)


# Many files


class Metric(Strict):
    """A definition."""

    name: str
    target: int = 0


GOOD = "metrics:\n  - name: a\n  - name: b\n    target: 5\n"


def test_good_documents_are_kept_beside_broken_ones(tmp_path: Path) -> None:
    broken = written(
        tmp_path, "metrics:\n  - name: c\n    target: x\n  - name: d\n  - nam: e\n", "broken.yaml"
    )
    unreadable = written(tmp_path, "metrics: [a", "unreadable.yaml")
    loaded = read_many([written(tmp_path, GOOD), broken, unreadable], Metric, under="metrics")
    assert [metric.name for metric in loaded.values] == ["a", "b", "d"]
    assert [(Path(p.path).name, p.line, p.rule) for p in loaded.problems] == [
        ("broken.yaml", 3, "type"),
        ("broken.yaml", 5, "unknown-key"),
        ("unreadable.yaml", 1, "yaml"),
    ]


def test_duplicate_key_spoils_only_its_own_document(tmp_path: Path) -> None:
    text = "metrics:\n  - name: a\n    target: 1\n    target: 2\n  - name: b\n"
    loaded = read_many([written(tmp_path, text)], Metric, under="metrics")
    assert [metric.name for metric in loaded.values] == ["b"]
    assert [problem.rule for problem in loaded.problems] == ["duplicate-key"]


def test_one_name_in_two_files_names_both_places(tmp_path: Path) -> None:
    other = written(tmp_path, "metrics:\n  - target: 2\n    name: b\n", "other.yaml")
    first = written(tmp_path, GOOD)
    loaded = read_many([first, other], Metric, under="metrics")
    assert [(metric.name, metric.target) for metric in loaded.values] == [("a", 0), ("b", 5)]
    assert [problem.render() for problem in loaded.problems] == [
        f"{other}:3:11: metrics[b].name: the name `b` stands twice, first at {first}:3:11. "
        "Rename one of the two"
    ]


def test_a_document_a_file(tmp_path: Path) -> None:
    paths = [written(tmp_path, f"name: {name}\n", f"{name}.yaml") for name in "xy"]
    assert [metric.name for metric in read_many(paths, Metric).values] == ["x", "y"]


def test_no_files_give_nothing() -> None:
    assert read_many([], Metric) == read_many([], Metric, under="metrics")


def test_empty_list_is_no_problem(tmp_path: Path) -> None:
    assert read_many([written(tmp_path, "metrics: []\n")], Metric, under="metrics").problems == ()


def test_unsaved_text_takes_the_place_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    loaded = read_many([path], Metric, under="metrics", unsaved={path: "metrics:\n  - name: new\n"})
    assert [metric.name for metric in loaded.values] == ["new"]


def test_definitions_may_not_read_the_environment(tmp_path: Path) -> None:
    loaded = read_many([written(tmp_path, "metrics:\n  - name: ${PATH}\n")], Metric, under="metrics")
    assert [problem.rule for problem in loaded.problems] == ["environment"]


def test_later_problems_point_into_the_document(tmp_path: Path) -> None:
    loaded = read_many([written(tmp_path, GOOD)], Metric, under="metrics")
    problem = loaded.items[1].problem(
        ("target",), "5 is too small", "Write 6", severity="warning", rule="target"
    )
    expected = Problem(
        problem.path, 4, 13, "metrics[b].target", "5 is too small", "Write 6", "warning", "target"
    )
    assert problem == expected


def test_located_document_knows_its_places(tmp_path: Path) -> None:
    located = read_located(written(tmp_path, "name: a\ntarget: 3\n"), Metric)
    assert located.problem(("target",), "x").line == 2
    assert located.problem(("target",), "x", key=True).where == "top level"


# Whatever a file holds


@settings(max_examples=200, deadline=None)
@given(
    st.text(alphabet=st.sampled_from("ab:-[]{}\"'#&*!|>%@\t\n ${}漢?,<0\x07"), max_size=60)
    | st.text(max_size=40)
)
def test_no_text_makes_the_loader_fail(text: str) -> None:
    document = open_document(Path("a.yaml"), text=text)
    assert (document.root is None) <= bool(document.faults)
    lines = text.split("\n")
    for _, problem in document.faults:
        assert problem.line <= len(lines) + 1


printable = st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co"], exclude_characters="$\ufeff")
words = st.text(printable, max_size=8)
scalars = st.none() | st.booleans() | st.integers(-999, 999) | words | st.dates().map(str)
plain_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3)
)


@settings(deadline=None)
@given(st.dictionaries(words, plain_values, min_size=1, max_size=4))
def test_every_json_document_is_read_as_itself(value: dict[str, object]) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert open_document(Path("a.yaml"), text=text).value == value
