"""Reads YAML strictly: text of a file -> plain values with places, or a problem that says what to change.

Only `true` and `false` are booleans and only plain decimals are numbers, so that `NO`, `on`, `12:30`, `0o7`
and `1_000` stay the text that was written. Keys are text and stand once. `${NAME}` in a value is the
environment variable of that name, always as text.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from config.documents import Document, Json, Place, place_of
from config.errors import Location, Problem

MOST_VALUES = 200_000
DEEPEST = 40
_PLAIN = "plain"
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufffe\uffff]")
_VARIABLE = re.compile(r"\$(?P<escape>\$)?\{(?P<name>[^}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PASSWORD = re.compile(
    r"://[^/?#\s:@]*:(?P<user>[^/?#\s@]+)@|[?&;](?:password|pwd)=(?P<query>[^&;\s]+)", re.I
)
_PASSWORD_KEYS = frozenset({"password", "passwd", "pwd", "secret"})

_SYNTAX = (
    ("found a tab", "a tab stands where spaces belong", "Indent with spaces"),
    (
        "mapping values are not allowed",
        "a `:` stands where no key can be",
        "Put a text that contains `: ` in quotes, and check the indentation",
    ),
    ("could not find expected ':'", "a key has no `:`", "Write `key: value`, and check the indentation"),
    ("found unexpected end of stream", "a quote is opened and never closed", "Close the quote"),
    (
        "did not find expected ',' or ']'",
        "a `[` is opened and not closed",
        "Close the list with `]`, with commas between the items",
    ),
    (
        "did not find expected ',' or '}'",
        "a `{` is opened and not closed",
        "Close the map with `}`, with commas between the entries",
    ),
    (
        "did not find expected key",
        "this line does not continue the map above it",
        "Check the indentation, and close every quote and bracket",
    ),
    (
        "did not find expected '-'",
        "this line does not continue the list above it",
        "Start it with `- `, or check the indentation",
    ),
    ("found another document", "`---` starts a second document", "Keep one document in a file"),
    ("found undefined alias", "this alias has no anchor", "Put a text that starts with `*` in quotes"),
    (
        "found character that cannot start",
        "a value starts with a character of the YAML syntax",
        "Put the value in quotes",
    ),
    (
        "found unknown escape character",
        "this escape is unknown",
        "Use single quotes, where a backslash is itself",
    ),
)


class _Loader(yaml.CSafeLoader):
    """Composes nodes only. A plain scalar keeps the tag `plain`: its meaning is decided here, not by YAML."""

    DEFAULT_SCALAR_TAG = _PLAIN  # type: ignore[misc]  # Final in the stubs, made to be overridden
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  PyYAML's own name
    _depth = 0

    def descend_resolver(self, current_node: yaml.Node | None, current_index: object) -> None:
        # libyaml composes recursively in C: without a bound, deep nesting ends the process.
        self._depth += 1
        if self._depth > DEEPEST:
            mark = current_node.start_mark if current_node else None
            raise yaml.composer.ComposerError(None, None, "too deep", mark)

    def resolve(self, kind: type[yaml.Node], value: object, implicit: object) -> str:
        return _PLAIN

    def ascend_resolver(self) -> None:
        self._depth -= 1


def compose(text: str, path: str, environ: Mapping[str, str] | None) -> Document:
    """Document of a text. Faults never raise: a text that is not YAML gives a document without a root.

    `environ` holds the variables that `${NAME}` may name; without it, variables are refused.
    """
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        return Document(path, text, faults=(((), _syntax_problem(path, text, error)),))
    if root is None:
        return Document(
            path,
            text,
            faults=(((), _whole(path, "the file is empty", "Write its keys or remove it")),),
        )
    builder = _Builder(Document(path, text, root), environ)
    try:
        value = builder.value(root, ())
    except _TooMuch as fault:
        return Document(path, text, faults=(((), _whole(path, str(fault), "Write the values out")),))
    return Document(path, text, root, value, tuple(builder.faults), builder.secrets)


def _whole(path: str, fault: str, remedy: str) -> Problem:
    return Problem(path, 1, 1, "file", fault, remedy, rule="yaml")


def _syntax_problem(path: str, text: str, error: yaml.YAMLError) -> Problem:
    if not isinstance(error, yaml.MarkedYAMLError):
        return _control_character(path, text)
    found, place = error.problem or "", _place(error)
    if error.problem_mark and text.startswith("\t", error.problem_mark.index):
        found = "found a tab"
    for part, fault, remedy in _SYNTAX:
        if part in found:
            return Problem(path, place.line, place.column, "file", fault, remedy, rule="yaml")
    return Problem(path, place.line, place.column, "file", f"this is not YAML ({found})", rule="yaml")


def _place(error: yaml.MarkedYAMLError) -> Place:
    """Where the fault lies: for a quote or bracket that is never closed, where it was opened."""
    opened = any(part in (error.problem or "") for part in ("end of stream", "expected ','"))
    mark = error.context_mark if opened and error.context_mark else error.problem_mark
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)


def _control_character(path: str, text: str) -> Problem:
    found = _CONTROL.search(text)
    place = place_of(text, found.start()) if found else Place(1, 1)
    name = f"U+{ord(found.group()):04X}" if found else ""
    fault = f"a control character stands here ({name})"
    return Problem(path, place.line, place.column, "file", fault, "Remove it", rule="yaml")


class _TooMuch(Exception):
    """Aliases that repeat each other until the document is larger than any that a person writes."""


@dataclass
class _Builder:
    """Plain values from nodes, with every fault that is met on the way."""

    document: Document
    environ: Mapping[str, str] | None
    faults: list[tuple[Location, Problem]] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    _values: int = 0

    def value(self, node: yaml.Node, location: Location) -> Json:
        self._count(location)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, location)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*location, at)) for at, item in enumerate(node.value)]
        return {key: self.value(node, (*location, key)) for key, node in self._entries(node, location)}

    def _count(self, location: Location) -> None:
        self._values += 1
        if self._values > MOST_VALUES or len(location) > DEEPEST:
            message = "aliases (`*name`) repeat values without end"
            raise _TooMuch(message)

    def _entries(self, node: yaml.Node, location: Location) -> Iterator[tuple[str, yaml.Node]]:
        seen: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if self._is_new(key, seen, location):
                yield key.value, value

    def _is_new(self, key: yaml.Node, seen: dict[str, yaml.Node], location: Location) -> bool:
        if not isinstance(key, yaml.ScalarNode):
            self._fault(location, key, "a key must be a text", "Write `key: value`", "key")
        elif key.value == "<<" and not key.style:
            self._fault(location, key, "`<<` is not supported", "Write the keys out", "key")
        elif key.value in seen:
            self._duplicate(location, key, seen[key.value])
        else:
            seen[key.value] = key
            return True
        return False

    def _duplicate(self, location: Location, key: yaml.ScalarNode, first: yaml.Node) -> None:
        mark = first.start_mark
        fault = f"`{key.value}` stands twice, first at {mark.line + 1}:{mark.column + 1}"
        self._fault(location, key, fault, "Remove one of the two", "duplicate-key")

    def _scalar(self, node: yaml.ScalarNode, location: Location) -> Json:
        if node.tag != _PLAIN:
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            self._fault(location, node, f"the tag `{tag}` is not allowed", "Remove it", "tag")
        if "${" in node.value:
            return self._substituted(node, location)
        self._refuse_password(node, node.value, location)
        return node.value if node.style else plain(node.value)

    def _substituted(self, node: yaml.ScalarNode, location: Location) -> str:
        self._refuse_password(node, _VARIABLE.sub("", node.value), location)
        return _VARIABLE.sub(lambda found: self._variable(found, node, location), node.value)

    def _variable(self, found: re.Match[str], node: yaml.ScalarNode, location: Location) -> str:
        written, name = found.group(), found["name"]
        if found["escape"]:
            return written[1:]
        fault = _variable_fault(written, name, self.environ)
        if fault:
            self._fault(location, node, *fault, "environment")
            return written
        value = (self.environ or {})[name]
        if len(value) > 2:
            self.secrets[value] = name
        return value

    def _refuse_password(self, node: yaml.ScalarNode, text: str, location: Location) -> None:
        named = bool(text) and bool(location) and str(location[-1]).casefold() in _PASSWORD_KEYS
        if named or ("://" in text and _PASSWORD.search(text)):
            remedy = "Put it in an environment variable and write `${NAME}` here"
            self._fault(location, node, "a password stands in the file", remedy, "password")

    def _fault(self, location: Location, node: yaml.Node, fault: str, remedy: str, rule: str) -> None:
        mark, where = node.start_mark, self.document.where(location)
        problem = Problem(self.document.path, mark.line + 1, mark.column + 1, where, fault, remedy, rule=rule)
        self.faults.append((location, problem))


def plain(text: str) -> Json:
    """Meaning of a scalar without quotes.

    >>> [plain(word) for word in ("5", "0.5", "true", "null", "NO", "1_000", "12:30", "007")]
    [5, 0.5, True, None, 'NO', '1_000', '12:30', '007']
    """
    if text in ("", "null", "~"):
        return None
    if text in ("true", "false"):
        return text == "true"
    number = _NUMBER.fullmatch(text)
    if not number:
        return text
    return float(text) if number[1] else int(text)


def _variable_fault(written: str, name: str, environ: Mapping[str, str] | None) -> tuple[str, str] | None:
    if not written.endswith("}") or not _NAME.fullmatch(name):
        return (
            f"`{written}` names no environment variable",
            "Write `${NAME}`, or `$${` for the characters themselves",
        )
    if environ is None:
        return (
            f"`{written}` is not allowed here",
            "Use environment variables in rapport.yaml and sources.yaml",
        )
    if name not in environ:
        return f"the environment variable `{name}` is not set", f"Set it before the start: export {name}=..."
    return None
