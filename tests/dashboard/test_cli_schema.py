"""The JSON Schemas of a project's files: current, explained, and named where editors look for them."""

from pathlib import Path

import pytest
import yaml

import config
from config import schemas
from dashboard.commands.schema import MODELS, SHIPPED

CONFIG = Path(config.__file__).parent
NAMED = {
    **dict.fromkeys(sorted((CONFIG / "metrics").glob("*.yaml")), "metrics"),
    CONFIG / "demo" / "rapport.yaml": "rapport",
    CONFIG / "demo" / "sources.yaml": "sources",
}


def test_the_committed_schemas_are_current():
    assert schemas.stale(MODELS, SHIPPED) == []
    assert {path.name for path in SHIPPED.glob("*.json")} >= {f"{name}.schema.json" for name in MODELS}


def test_the_command_writes_them(rapport, tmp_path):
    done = rapport("schema", tmp_path / "here", "--json")
    assert [Path(each["path"]).name for each in done.json] == [f"{name}.schema.json" for name in MODELS]
    assert all(each["changed"] for each in done.json)
    assert schemas.stale(MODELS, tmp_path / "here") == []
    assert not any(each["changed"] for each in rapport("schema", tmp_path / "here", "--json").json)


def test_the_command_says_how_a_file_names_its_schema(rapport, tmp_path):
    done = rapport("schema", tmp_path)
    assert "# yaml-language-server: $schema=" in done.err
    assert done.out.count(".schema.json") == len(MODELS)


@pytest.mark.parametrize(("path", "name"), NAMED.items(), ids=lambda each: Path(each).name)
def test_shipped_files_name_their_schema_in_the_first_line(path, name):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == f"# yaml-language-server: $schema=../schemas/{name}.schema.json"
    assert (path.parent / first.split("=", 1)[1]).resolve() == SHIPPED.resolve() / f"{name}.schema.json"


def properties(node):
    if isinstance(node, dict):
        yield from node.get("properties", {}).items()
        for value in node.values():
            yield from properties(value)
    if isinstance(node, list):
        for value in node:
            yield from properties(value)


@pytest.mark.parametrize("name", MODELS)
def test_every_key_is_explained_and_no_other_is_allowed(name):
    schema = schemas.schema(MODELS[name])
    unexplained = {key for key, said in properties(schema) if "description" not in said and key != "kind"}
    assert unexplained == set()
    objects = [schema, *schema.get("$defs", {}).values()]
    assert all(each.get("additionalProperties") is False for each in objects if "properties" in each)


def test_the_kinds_of_metrics_are_told_apart_by_their_kind():
    items = schemas.schema(MODELS["metrics"])["properties"]["metrics"]["items"]
    assert items["discriminator"]["propertyName"] == "kind"
    kinds = {
        each["kind"]
        for path, name in NAMED.items()
        if name == "metrics"
        for each in yaml.safe_load(path.read_text(encoding="utf-8"))["metrics"]
    }
    assert kinds <= set(items["discriminator"]["mapping"])
