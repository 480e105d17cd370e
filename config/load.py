"""The one YAML loader: files -> typed models, or every problem of every file with its line and column.

project = read(folder / "rapport.yaml", Project)
loaded = read_many(sorted(folder.glob("metrics/*.yaml")), Metric, under="metrics")
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from config.documents import Document
from config.errors import ConfigError, Fault, Location, Problem, suggestion
from config.explain import Explainer
from config.syntax import compose

T = TypeVar("T")
_LARGEST_FILE = 2_000_000


@dataclass(frozen=True)
class Located(Generic[T]):
    """A good value, and where it stands: to report what only its user can find."""

    value: T
    document: Document
    at: Location = ()

    def problem(
        self,
        below: Location,
        fault: str,
        remedy: str = "",
        *,
        offset: int = 0,
        rule: str = "",
        key: bool = False,
        severity: Literal["error", "warning"] = "error",
    ) -> Problem:
        """A problem at a part of this value: `("where",)`, or a character `offset` within its text."""
        return self.document.problem(
            (*self.at, *below), fault, remedy, offset=offset, rule=rule, key=key, severity=severity
        )

    def blame(self, below: Location, fault: Fault) -> Problem:
        """The problem of a fault that was found in a part of this value, such as an ExpressionError."""
        return self.problem(
            (*below, *fault.at), fault.fault, fault.remedy, offset=fault.offset, rule=fault.rule
        )


@dataclass(frozen=True)
class Loaded(Generic[T]):
    """The good values of several files, in the order of the files, and every problem of the others."""

    items: tuple[Located[T], ...]
    problems: tuple[Problem, ...]

    @property
    def values(self) -> tuple[T, ...]:
        """The good values alone."""
        return tuple(item.value for item in self.items)


def read(path: Path, model: type[T] | TypeAdapter[T], *, environ: Mapping[str, str] | None = os.environ) -> T:
    """The document of one file. Raises ConfigError with every problem of the file.

    `environ` holds what `${NAME}` may name; None refuses variables.
    """
    return read_located(path, model, environ=environ).value


def read_located(
    path: Path, model: type[T] | TypeAdapter[T], *, environ: Mapping[str, str] | None = os.environ
) -> Located[T]:
    """The document of one file with its places. Raises ConfigError with every problem of the file."""
    document = open_document(path, environ=environ)
    value, problems = _validated(document, (), document.value, _adapter(model))
    if problems or value is None:
        raise ConfigError(problems)
    return value


def read_many(
    paths: Sequence[Path],
    model: type[T] | TypeAdapter[T],
    *,
    under: str | None = None,
    name: str = "name",
    environ: Mapping[str, str] | None = None,
    unsaved: Mapping[Path, str] | None = None,
) -> Loaded[T]:
    """The documents of many files: the good ones, and every problem of the others.

    With `under`, a file is one key that holds a list of documents, and a broken one does not spoil its
    neighbours. Two documents with one `name` are a problem of the second, which is left out. `unsaved` holds
    the text of files that are still being edited. Variables are refused unless `environ` is given, because
    definitions are shown on pages.
    """
    items: list[Located[T]] = []
    problems: list[Problem] = []
    for path in paths:
        document = open_document(path, environ=environ, text=(unsaved or {}).get(path))
        for item, faults in _items(document, under, _adapter(model)):
            items += [item] if item else []
            problems += faults
    unique, twice = _unique(items, name)
    return Loaded(unique, _sorted((*problems, *twice)))


def open_document(
    path: Path, *, environ: Mapping[str, str] | None = None, text: str | None = None
) -> Document:
    """The plain document of a file, or of an unsaved text for it; its `faults` say what is wrong."""
    if text is not None:
        return _composed(text, path, environ)
    try:
        data = path.read_bytes()
        if len(data) > _LARGEST_FILE:
            fault = f"the file has {len(data):,} bytes, the limit is {_LARGEST_FILE:,}"
            return _unreadable(path, fault, "Split it")
        return _composed(data.decode("utf-8-sig"), path, environ)
    except FileNotFoundError:
        return _unreadable(path, "the file does not exist", _missing_remedy(path))
    except UnicodeDecodeError as error:
        return _not_utf8(path, data, error)
    except OSError as error:
        return _unreadable(
            path, f"the file cannot be read ({error.strerror})", "Check the path and its permissions"
        )


def _composed(text: str, path: Path, environ: Mapping[str, str] | None) -> Document:
    if environ is None:
        return _unchanged(text, str(path))
    return compose(text, str(path), environ)


@lru_cache(maxsize=256)
def _unchanged(text: str, path: str) -> Document:
    """Document of a text: the same text gives the same document, so an edit re-reads one file of many."""
    return compose(text, path, None)


def _unreadable(path: Path, fault: str, remedy: str) -> Document:
    return Document(str(path), faults=(((), Problem(str(path), 1, 1, "file", fault, remedy, rule="file")),))


def _missing_remedy(path: Path) -> str:
    siblings = sorted(found.name for found in path.parent.glob("*.y*ml")) if path.parent.is_dir() else []
    return suggestion(path.name, siblings) or "Check the path, or write the file"


def _not_utf8(path: Path, data: bytes, error: UnicodeDecodeError) -> Document:
    line = data.count(b"\n", 0, error.start) + 1
    fault = f"the file is not UTF-8 text (byte 0x{data[error.start]:02x})"
    problem = Problem(str(path), line, 1, "file", fault, "Save it as UTF-8", rule="file")
    return Document(str(path), faults=(((), problem),))


def _adapter(model: type[T] | TypeAdapter[T]) -> TypeAdapter[T]:
    return model if isinstance(model, TypeAdapter) else TypeAdapter(model)


def _items(
    document: Document, under: str | None, adapter: TypeAdapter[T]
) -> Iterator[tuple[Located[T] | None, tuple[Problem, ...]]]:
    if under is None or document.root is None:
        yield _validated(document, (), document.value, adapter)
        return
    listed, problems = _listed(document, under)
    yield None, problems
    for at, value in enumerate(listed):
        yield _validated(document, (under, at), value, adapter)


def _listed(document: Document, under: str) -> tuple[list[Any], tuple[Problem, ...]]:
    value = document.value
    listed = value.get(under) if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(listed, list):
        place: Location = (under,) if isinstance(value, dict) and under in value else ()
        own = document.problem(
            place,
            f"expected a list under `{under}:`",
            f"Write `{under}:` and a `- ` for each one below it",
            rule="type",
        )
        return [], (*document.faults_above(under), own)
    extra = [key for key in value if key != under]
    unknown = (
        document.problem(
            (key,), f"unknown key `{key}`", suggestion(key, [under]), rule="unknown-key", key=True
        )
        for key in extra
    )
    return listed, (*document.faults_above(under), *unknown)


def _validated(
    document: Document, at: Location, value: object, adapter: TypeAdapter[T]
) -> tuple[Located[T] | None, tuple[Problem, ...]]:
    problems = document.faults_within(at)
    if document.root is None:
        return None, problems
    try:
        good = adapter.validate_json(to_json(value), strict=True)
    except ValidationError as error:
        explained = Explainer(adapter, document, at).problems(error.errors(include_url=False))
        return None, _sorted((*problems, *explained))
    return (None if problems else Located(good, document, at)), problems


def _unique(items: Iterable[Located[T]], name: str) -> tuple[tuple[Located[T], ...], tuple[Problem, ...]]:
    first: dict[object, Located[T]] = {}
    problems: list[Problem] = []
    for item in items:
        key = getattr(item.value, name, None) or id(item)
        if key in first:
            problems.append(_twice(item, first[key], name))
        else:
            first[key] = item
    return tuple(first.values()), tuple(problems)


def _twice(item: Located[T], first: Located[T], name: str) -> Problem:
    place = first.document.place((*first.at, name))
    word = getattr(item.value, name)
    other = "" if first.document is item.document else f"{first.document.path}:"
    fault = f"the name `{word}` stands twice, first at {other}{place.line}:{place.column}"
    return item.problem((name,), fault, "Rename one of the two", rule="duplicate-name")


def _sorted(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: (problem.path, problem.line, problem.column)))
