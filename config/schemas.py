"""JSON Schemas of the YAML files, made from the models: editors complete and explain with them.

A file names its schema in its first line:

    # yaml-language-server: $schema=schemas/rapport.schema.json
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model

Model: TypeAlias = Any
"""A pydantic model, any type that pydantic understands, or a TypeAdapter."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(model: Model) -> dict[str, Any]:
    """JSON Schema of what a file of this model may say."""
    adapter = model if isinstance(model, TypeAdapter) else TypeAdapter(model)
    return {"$schema": _DIALECT, **adapter.json_schema(mode="validation")}


def file_of(under: str, model: Model, description: str) -> type[BaseModel]:
    """Model of a file that is one key with a list of documents, as `read_many(..., under=...)` reads it."""
    fields: dict[str, Any] = {under: (list[model], Field(description=description))}
    return create_model(f"{under.title()}File", __config__=ConfigDict(extra="forbid"), **fields)


def write(models: Mapping[str, Model], folder: Path) -> list[Path]:
    """Writes `<name>.schema.json` for each model, and gives the files that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = [_path(folder, name) for name in stale(models, folder)]
    for name, model in models.items():
        _path(folder, name).write_text(_text(model), encoding="utf-8")
    return changed


def stale(models: Mapping[str, Model], folder: Path) -> list[str]:
    """Names of the models whose schema in the folder is missing or says something else."""
    return [name for name, model in models.items() if not _is_current(_path(folder, name), model)]


def _is_current(path: Path, model: Model) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == _text(model)


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.schema.json"


def _text(model: Model) -> str:
    return json.dumps(schema(model), indent=2, ensure_ascii=False) + "\n"
