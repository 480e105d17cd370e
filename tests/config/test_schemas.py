"""The committed JSON Schemas say what the models say."""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

import config
from config import schemas
from config.model import Project

FOLDER = Path(config.__file__).parent / "schemas"


class Metric(BaseModel):
    """A definition."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="How others call it.")


def test_committed_schema_of_the_project_is_current() -> None:
    assert schemas.stale({"rapport": Project}, FOLDER) == []


def test_schema_explains_every_key_and_forbids_others() -> None:
    schema = schemas.schema(Project)
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["name", "currency"]
    assert all("description" in key for key in schema["properties"].values())


def test_missing_and_changed_schemas_are_stale_until_written(tmp_path: Path) -> None:
    models = {"rapport": Project, "metric": TypeAdapter(Metric)}
    assert schemas.stale(models, tmp_path / "new") == ["rapport", "metric"]
    written = schemas.write(models, tmp_path / "new")
    assert [path.name for path in written] == ["rapport.schema.json", "metric.schema.json"]
    assert schemas.stale(models, tmp_path / "new") == []
    assert schemas.write(models, tmp_path / "new") == []
    written[0].write_text("{}")
    assert schemas.stale(models, tmp_path / "new") == ["rapport"]


def test_file_of_definitions_is_one_key_with_a_list(tmp_path: Path) -> None:
    schemas.write({"metrics": schemas.file_of("metrics", Metric, "The metrics.")}, tmp_path)
    schema = json.loads((tmp_path / "metrics.schema.json").read_text())
    assert schema["properties"]["metrics"]["items"] == {"$ref": "#/$defs/Metric"}
    assert schema["properties"]["metrics"]["description"] == "The metrics."
    assert schema["additionalProperties"] is False
