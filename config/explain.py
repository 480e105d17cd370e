"""What pydantic found wrong, in words for the person who wrote the file, at the place where it stands."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import yaml
from pydantic import TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic_core import ErrorDetails

from config.documents import Document
from config.errors import Fault, Location, Problem, listing, similar, suggestion
from config.syntax import plain

Schema: TypeAlias = Mapping[str, Any]

_EXPECTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "decimal_type": "a number",
    "decimal_parsing": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a map of `key: value`",
    "mapping_type": "a map of `key: value`",
    "model_type": "a map of `key: value`",
    "model_attributes_type": "a map of `key: value`",
    "dataclass_type": "a map of `key: value`",
    "date_type": "a date such as 2024-01-31",
    "date_parsing": "a date such as 2024-01-31",
    "date_from_datetime_parsing": "a date such as 2024-01-31",
    "datetime_type": "a time such as 2024-01-31T12:00:00",
    "datetime_parsing": "a time such as 2024-01-31T12:00:00",
    "none_required": "nothing",
}
_BOUNDS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")


@dataclass(frozen=True)
class Explainer:
    """Turns the errors of one model into problems of one document."""

    adapter: TypeAdapter[Any]
    document: Document
    top: Location = ()

    def problems(self, errors: Iterable[ErrorDetails]) -> Iterator[Problem]:
        """One problem for each error, and one for all branches of a union that fit equally badly.

        A key that is missing because it was misspelt is told once, at the misspelling.
        """
        groups = _by_union(self.document, self.top, [error for error in errors if not self._is_echo(error)])
        misspelt = {intended for group in groups for error in group for intended in self._intended(error)}
        for group in groups:
            if len(group) > 1:
                yield self._either(group)
            elif group[0]["type"] != "missing" or group[0]["loc"] not in misspelt:
                yield self._one(group[0])

    def _is_echo(self, error: ErrorDetails) -> bool:
        """Whether a list is called too short only because its broken items were not counted."""
        node = self.document.written((*self.top, *error["loc"]))
        least = error.get("ctx", {}).get("min_length", 0) if error["type"] == "too_short" else 0
        return isinstance(node, yaml.CollectionNode) and 0 < least <= len(node.value)

    def _intended(self, error: ErrorDetails) -> list[Location]:
        if error["type"] != "extra_forbidden":
            return []
        parent, key = error["loc"][:-1], str(error["loc"][-1])
        return [(*parent, name) for name in similar(key, self._keys(parent))]

    def _either(self, group: list[ErrorDetails]) -> Problem:
        location = (*self.top, *group[0]["loc"])
        node, words = self.document.written(location), [word for error in group for word in _words(error)]
        expected = _alternatives(part for error in group for part in _expectations(error))
        near = similar(node.value, words) if isinstance(node, yaml.ScalarNode) else []
        remedy = suggestion(near[0], near) if near else ""
        return self.document.problem(
            location, f"expected {expected}, found {found(node)}", remedy, rule="type"
        )

    def _one(self, error: ErrorDetails) -> Problem:
        location, kind = (*self.top, *error["loc"]), error["type"]
        explain = _EXPLAIN.get(kind)
        if explain:
            return explain(self, error, location)
        if kind in _EXPECTED:
            return self._type(error, location)
        if kind in _BOUNDS:
            return self._bound(error, location)
        return self.document.problem(location, _plainly(error["msg"]), rule=kind.replace("_", "-"))

    def _type(self, error: ErrorDetails, location: Location) -> Problem:
        node, expected = self.document.written(location), _EXPECTED[error["type"]]
        fault = f"expected {expected}, found {found(node)}"
        return self.document.problem(location, fault, _type_remedy(expected, node), rule="type")

    def _bound(self, error: ErrorDetails, location: Location) -> Problem:
        name, words = _BOUNDS[error["type"]]
        limit = error["ctx"][name]
        limit = f"{limit:g}" if isinstance(limit, float) else limit
        fault = f"must be {words} {limit}, found {found(self.document.written(location))}"
        return self.document.problem(location, fault, rule="bound")

    def _unknown_key(self, error: ErrorDetails, location: Location) -> Problem:
        key = str(location[-1])
        remedy = suggestion(key, self._keys(error["loc"][:-1]))
        return self.document.problem(location, f"unknown key `{key}`", remedy, rule="unknown-key", key=True)

    def _missing(self, error: ErrorDetails, location: Location) -> Problem:
        name, about = str(location[-1]), self._about(error["loc"])
        remedy = f"Add `{name}:`" + (f" ({about})" if about else "")
        return self.document.problem(location[:-1], f"`{name}` is missing", remedy, rule="missing-key")

    def _no_kind(self, error: ErrorDetails, location: Location) -> Problem:
        name = str(error["ctx"]["discriminator"]).strip("'")
        remedy = f"Add `{name}:`. {listing(self._tags(error['loc']))}"
        return self.document.problem(location, f"`{name}` is missing", remedy.strip(), rule="missing-key")

    def _unknown_kind(self, error: ErrorDetails, location: Location) -> Problem:
        context = error["ctx"]
        name, tag = str(context["discriminator"]).strip("'"), str(context["tag"])
        remedy = suggestion(tag, _QUOTED.findall(str(context["expected_tags"])))
        return self.document.problem(
            (*location, name), f"unknown {name} `{tag}`", remedy, rule="unknown-value"
        )

    def _literal(self, error: ErrorDetails, location: Location) -> Problem:
        node = self.document.written(location)
        known = _words(error)
        word = node.value if isinstance(node, yaml.ScalarNode) else ""
        fault = f"unknown value `{word}`" if word else f"expected one word, found {found(node)}"
        return self.document.problem(location, fault, suggestion(word, known), rule="unknown-value")

    def _fault(self, error: ErrorDetails, location: Location) -> Problem:
        cause = error["ctx"]["error"]
        if not isinstance(cause, Fault):
            return self.document.problem(location, str(cause), rule="value")
        place = (*location, *cause.at)
        rule = cause.rule or "value"
        return self.document.problem(place, cause.fault, cause.remedy, rule=rule, offset=cause.offset)

    def _length(self, error: ErrorDetails, location: Location) -> Problem:
        context, few = error["ctx"], error["type"].endswith("short")
        if few and context["min_length"] == 1:
            return self.document.problem(
                location, "must not be empty", self._about(error["loc"]), rule="length"
            )
        bound = f"at least {context['min_length']}" if few else f"at most {context['max_length']}"
        what = "characters" if error["type"].startswith("string") else "entries"
        fault = f"needs {bound} {what}, found {found(self.document.written(location))}"
        return self.document.problem(location, fault, rule="length")

    def _pattern(self, error: ErrorDetails, location: Location) -> Problem:
        node, pattern = self.document.written(location), error["ctx"]["pattern"]
        fault = f"{found(node)} does not match the pattern `{pattern}`"
        return self.document.problem(location, fault, self._about(error["loc"]), rule="pattern")

    def _about(self, location: Location) -> str:
        """First line of the description of a field; empty without one."""
        field = self._properties(location[:-1]).get(str(location[-1]), {})
        return str(field.get("description", "")).split("\n")[0].rstrip(".")

    def _keys(self, location: Location) -> list[str]:
        return list(self._properties(location))

    def _properties(self, location: Location) -> Mapping[str, Schema]:
        merged: dict[str, Schema] = {}
        for schema in _below(json_schema(self.adapter), location):
            merged.update(schema.get("properties", {}))
        return merged

    def _tags(self, location: Location) -> list[str]:
        tops = _below(json_schema(self.adapter), location)
        return [tag for schema in tops for tag in schema.get("discriminator", {}).get("mapping", {})]


_EXPLAIN: Mapping[str, Callable[[Explainer, ErrorDetails, Location], Problem]] = {
    "extra_forbidden": Explainer._unknown_key,
    "missing": Explainer._missing,
    "union_tag_not_found": Explainer._no_kind,
    "union_tag_invalid": Explainer._unknown_kind,
    "literal_error": Explainer._literal,
    "enum": Explainer._literal,
    "value_error": Explainer._fault,
    "string_too_short": Explainer._length,
    "string_too_long": Explainer._length,
    "string_pattern_mismatch": Explainer._pattern,
    "too_short": Explainer._length,
    "too_long": Explainer._length,
}


def _words(error: ErrorDetails) -> list[str]:
    """The words that a field allows."""
    expected = str(error.get("ctx", {}).get("expected", ""))
    return (_QUOTED.findall(expected) or [expected]) if error["type"] in ("literal_error", "enum") else []


def _expectations(error: ErrorDetails) -> list[str]:
    return [f"`{word}`" for word in _words(error)] or [_EXPECTED.get(error["type"], _plainly(error["msg"]))]


def _alternatives(parts: Iterable[str]) -> str:
    """`a text, a number or a list`; a whole number goes without saying where any number will do."""
    unique = list(dict.fromkeys(parts))
    kept = [part for part in unique if part != "a whole number" or "a number" not in unique]
    return " or ".join([", ".join(kept[:-1]), kept[-1]] if len(kept) > 1 else kept)


def found(node: yaml.Node | None) -> str:
    """What stands in the file, in words: `the text `x``, `a list`."""
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if not isinstance(node, yaml.ScalarNode):
        return "a map" if node else "nothing"
    value = node.value if node.style else plain(node.value)
    if value is None:
        return "nothing"
    text = node.value if len(node.value) <= 60 else f"{node.value[:57]}..."
    return f"`{text}`" if isinstance(value, bool) else f"the {_noun(value)} `{text}`"


def _noun(value: object) -> str:
    return "text" if isinstance(value, str) else "number"


def _type_remedy(expected: str, node: yaml.Node | None) -> str:
    if not isinstance(node, yaml.ScalarNode) or not node.value:
        return ""
    if expected == "a text":
        return f'Put it in quotes: "{node.value}"'
    if expected == "a list":
        return f"Write a list: [{node.value}]"
    if expected == "true or false" and node.value.casefold() in _BOOLEANS:
        return f"Write {_BOOLEANS[node.value.casefold()]}"
    if "number" in expected:
        return _number_remedy(node)
    return ""


def _number_remedy(node: yaml.ScalarNode) -> str:
    digits = re.sub(r"[_,' ]", "", node.value)
    if isinstance(plain(digits), int) and not isinstance(plain(digits), bool):
        return f"Write {digits}"
    return "Write plain digits, such as 5 or 0.5"


def _plainly(message: str) -> str:
    message = message.replace("Input should", "should").removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _by_union(document: Document, top: Location, errors: Iterable[ErrorDetails]) -> list[list[ErrorDetails]]:
    """Errors that stand alone, and for every union the errors of the branch that was meant."""
    alone: list[list[ErrorDetails]] = []
    unions: dict[Location, dict[object, list[ErrorDetails]]] = defaultdict(lambda: defaultdict(list))
    for error in errors:
        named = error["loc"][:-1] if error["type"] == "missing" else error["loc"]
        split = _branch(document, top, named)
        if split is None:
            alone.append([error])
        else:
            unions[split[0]][split[1]].append(error)
    return alone + [group for branches in unions.values() for group in _meant(branches)]


def _branch(document: Document, top: Location, location: Location) -> tuple[Location, object] | None:
    """Where a union without a discriminator stands, and the name of the branch; none without such a union."""
    for at, part in enumerate(location):
        before = (*top, *location[:at])
        if isinstance(part, str) and _is_branch(document, before, part):
            return before, part
    return None


def _is_branch(document: Document, before: Location, part: str) -> bool:
    """Whether pydantic added this part to name a branch: it is no key of the document and no missing key."""
    if part == "[key]" or len(document.steps((*before, part))) > len(document.steps(before)):
        return False
    return bool(_BRANCH.match(part))


_BRANCH = re.compile(
    r"(?: str|int|float|bool|date|datetime|decimal|none|literal|dict|list|tuple|set|frozenset"
    r"| constrained-\w+|function-\w+|lax-or-strict|nullable|is-instance|[A-Z]\w* )(?:\[.*\])?$",
    re.VERBOSE,
)


def _meant(branches: Mapping[object, list[ErrorDetails]]) -> list[list[ErrorDetails]]:
    """The errors of the branch whose type fits what was written; all of them as one group when none fits."""
    fitting = [errors for name, errors in branches.items() if not _at_top(name, errors)]
    if fitting:
        return [[error] for error in min(fitting, key=len)]
    return [[errors[0] for errors in branches.values()]]


def _at_top(name: object, errors: list[ErrorDetails]) -> bool:
    return any(error["loc"][-1] == name and (_words(error) or error["type"] in _EXPECTED) for error in errors)


@lru_cache(maxsize=32)
def json_schema(adapter: TypeAdapter[Any]) -> Schema:
    """JSON Schema of a model; empty for a model that has none."""
    try:
        return adapter.json_schema()
    except (PydanticInvalidForJsonSchema, PydanticUserError):
        return {}


def _below(root: Schema, location: Location) -> list[Schema]:
    """The schemas that describe the value at a location: several for a union."""
    current = _branches(root, root)
    for part in location:
        nested = [child for schema in current for child in _children(schema, part)]
        tagged = [schema["discriminator"]["mapping"][part] for schema in current if _has_tag(schema, part)]
        current = [
            found
            for child in (*nested, *({"$ref": ref} for ref in tagged))
            for found in _branches(root, child)
        ] or current
    return current


def _has_tag(schema: Schema, part: str | int) -> bool:
    return part in schema.get("discriminator", {}).get("mapping", {})


def _children(schema: Schema, part: str | int) -> Iterator[Schema]:
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), Mapping) and isinstance(part, int) == (name == "items"):
            yield schema[name]
    if part in schema.get("properties", {}):
        yield schema["properties"][part]


def _branches(root: Schema, schema: Schema) -> list[Schema]:
    while "$ref" in schema:
        schema = root["$defs"][str(schema["$ref"]).rsplit("/", 1)[-1]]
    nested = [*schema.get("anyOf", []), *([] if "discriminator" in schema else schema.get("oneOf", []))]
    return [schema, *(found for branch in nested for found in _branches(root, branch))]
