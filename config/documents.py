"""A YAML file that was read: plain values, with the line and the column of every key and value."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, TypeAlias

import yaml

from config.errors import Location, Problem

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True)
class Place:
    """Line and column of a character, both from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Step:
    """One step on the way to a value: its key (none in a list), its node, and the words that name it."""

    part: str | int
    key: yaml.Node | None
    node: yaml.Node
    label: str


@dataclass(frozen=True)
class Document:
    """The value of a YAML file and the place of everything in it.

    `faults` are the problems found on the way, each with the location of the value that it spoils. `secrets`
    maps the text of a substituted variable to its name, so that no message shows it.
    """

    path: str
    text: str = ""
    root: yaml.Node | None = None
    value: Json = None
    faults: tuple[tuple[Location, Problem], ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)

    def steps(self, location: Location) -> list[Step]:
        """The steps from the top towards a value, as far as it exists.

        Parts that name no key (the branch of a union, which pydantic adds to its locations) are passed over.
        """
        steps: list[Step] = []
        node, branch = self.root, None
        for part in location:
            if node is not branch and part == _kind(node):
                branch = node
            elif step := _step(node, part):
                steps.append(step)
                node = step.node
        return steps

    def where(self, location: Location) -> str:
        """Name of a value in the words of the file: `sources[orders].columns.order_id`."""
        label = "".join(step.label for step in self.steps(location))
        return label.removeprefix(".") or "top level"

    def place(self, location: Location, *, key: bool = False, offset: int = 0) -> Place:
        """Place of a value (or of its key), or of a character within its text."""
        steps = self.steps(location)
        node = steps[-1].node if steps else self.root
        if node is None:
            return Place(1, 1)
        if key and steps and steps[-1].key:
            return _start(steps[-1].key)
        return self._within(node, offset) if offset else _start(node)

    def written(self, location: Location) -> yaml.Node | None:
        """The node of the nearest existing value: what stands in the file, before any substitution."""
        steps = self.steps(location)
        return steps[-1].node if steps else self.root

    def problem(
        self,
        location: Location,
        fault: str,
        remedy: str = "",
        *,
        rule: str = "",
        key: bool = False,
        offset: int = 0,
        severity: Literal["error", "warning"] = "error",
    ) -> Problem:
        """A problem at a value of this document, at a character of its text, or at its key in a map."""
        place = self.place(location, key=key, offset=offset)
        words = (self.where(location[:-1] if key else location), self._safe(fault), self._safe(remedy))
        return Problem(self.path, place.line, place.column, *words, severity=severity, rule=rule)

    def faults_within(self, top: Location) -> tuple[Problem, ...]:
        """The problems met while reading that spoil the value at `top`."""
        return tuple(problem for location, problem in self.faults if location[: len(top)] == top)

    def faults_above(self, under: str) -> tuple[Problem, ...]:
        """The problems met while reading that lie in no item of the list under a key."""
        return tuple(problem for at, problem in self.faults if at[:1] != (under,) or len(at) < 2)

    def _safe(self, text: str) -> str:
        for secret, name in self.secrets.items():
            text = text.replace(secret, f"${{{name}}}")
        return text

    def _within(self, node: yaml.Node, offset: int) -> Place:
        if not isinstance(node, yaml.ScalarNode):
            return _start(node)
        raw = self.text[node.start_mark.index : node.end_mark.index]
        return place_of(self.text, node.start_mark.index + _raw_offset(raw, node, offset))


def place_of(text: str, index: int) -> Place:
    """Place of the character at `index` of a text."""
    before = text[:index]
    return Place(before.count("\n") + 1, index - before.rfind("\n"))


def _start(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _kind(node: yaml.Node | None) -> str | None:
    return _text_at(node, "kind")


def _text_at(node: yaml.Node | None, name: str) -> str | None:
    found = _entry(node, name)
    return str(found[1].value) if found and isinstance(found[1], yaml.ScalarNode) else None


def _entry(node: yaml.Node | None, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next(((key, value) for key, value in node.value if key.value == name), None)


def _step(node: yaml.Node | None, part: str | int) -> Step | None:
    if isinstance(node, yaml.SequenceNode):
        return _item(node, part)
    found = _entry(node, str(part))
    return Step(part, found[0], found[1], f".{part}") if found else None


def _item(node: yaml.SequenceNode, part: str | int) -> Step | None:
    if not isinstance(part, int) or part >= len(node.value):
        return None
    item = node.value[part]
    return Step(part, None, item, f"[{_text_at(item, 'name') or part + 1}]")


def _raw_offset(raw: str, node: yaml.ScalarNode, offset: int) -> int:
    """Position in the file of a character of a scalar: past quotes, indentation and folded lines."""
    at = raw.find("\n") + 1 if node.style in ("|", ">") else int(node.style in ("'", '"'))
    for wanted, following in pairwise(_padded(node.value[: offset + 1])):
        while at < len(raw) and not _stands_for(raw[at], wanted):
            at += 1
        at += following is not None
    return min(at, len(raw))


def _padded(characters: str) -> Iterable[str | None]:
    return [*characters, None]


def _stands_for(raw: str, wanted: str | None) -> bool:
    return raw == wanted or (wanted == " " and raw == "\n")
