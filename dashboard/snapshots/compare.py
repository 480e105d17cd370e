"""Two snapshots side by side: every figure old and new, and why it changed.

A change is walked in three steps, from the old snapshot to the new one: first the data change, then the
definition, then what was chosen on the page. Each step is a figure reckoned anew, so that the effects of the
steps add up to the change exactly. Where the data of the newer snapshot are no longer in the store, the steps
cannot be told apart, and that is said. Parts (regions, channels, categories) add up to the change as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from fractions import Fraction
from typing import Final, Literal, Protocol

import orjson
import polars as pl
import yaml

from dashboard.sheet import Number
from dashboard.snapshots.content import Choices, Content, Definition, Manifest, PageSheet, Parts
from dashboard.tiles import Figure, supported
from metrics.contributions import Split, effects
from metrics.selection import SEGMENT

Step = Literal["data", "definition", "population", "choices", "together"]

SAME: Final = Fraction(0)
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True)
class Side:
    """One of the two: a snapshot with its content."""

    manifest: Manifest
    content: Content

    @property
    def definitions(self) -> Mapping[str, Definition]:
        """What its figures mean, by name."""
        return {each.name: each for each in self.content.definitions}


class Again(Protocol):
    """Reckons a figure anew from data that are still in the store."""

    def __call__(
        self, metric: str, definitions: Sequence[Definition], choices: Choices, period: int
    ) -> Fraction | None:
        """The figure on the data of the newer snapshot; None where it cannot be reckoned."""
        ...


@dataclass(frozen=True)
class Cause:
    """One step of a change: how much of it, and what it was. No effect where it cannot be told apart."""

    step: Step
    effect: Fraction | None
    words: Sequence[str] = ()


@dataclass(frozen=True)
class Sides:
    """A change by how many were counted, who they were, and what each did; the three add up to it."""

    volume: Fraction
    mix: Fraction
    rate: Fraction


@dataclass(frozen=True)
class Change:
    """One figure in both snapshots; None in the one that does not have it."""

    page: str
    metric: str
    label: str
    unit: str
    before: Number | None
    after: Number | None
    causes: Sequence[Cause] = ()
    parts: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    sides: Sides | None = None

    @property
    def difference(self) -> Fraction | None:
        """New less old, exact for money."""
        values = [exact(number) for number in (self.before, self.after)]
        return None if None in values else values[1] - values[0]  # type: ignore[operator]  # neither is None

    @property
    def is_clear(self) -> bool:
        """Whether the change stands out of both intervals; a full count has none, its change is a fact."""
        figures = [_figure(number) for number in (self.before, self.after)]
        return bool(self.difference) and supported(figures[1], figures[0])


def exact(number: Number | None) -> Fraction | None:
    """The value of a figure: its exact amount, else its float."""
    if number is None or (number.amount is None and number.value is None):
        return None
    return Fraction(number.amount) if number.amount is not None else Fraction(number.value or 0.0)


def _figure(number: Number | None) -> Figure:
    if number is None:
        return Figure(None)
    return Figure(number.value, lower=number.lower, upper=number.upper)


def compared(before: Side, after: Side, again: Again | None = None) -> list[Change]:
    """Every figure of both, in the order of the newer snapshot and then those that only the older one has."""
    old, new = _numbers(before.content), _numbers(after.content)
    return [_change(before, after, old.get(key), new.get(key), again) for key in dict.fromkeys((*new, *old))]


Key = tuple[str, str, int]
Found = tuple[PageSheet, Number]


def _numbers(content: Content) -> dict[Key, Found]:
    """Figures by page and metric; one that stands on a page twice is counted."""
    found: dict[Key, Found] = {}
    for page in content.pages:
        for number in page.numbers:
            name = number.metric or number.label
            at = next(at for at in range(len(found) + 1) if (page.path, name, at) not in found)
            found[page.path, name, at] = (page, number)
    return found


def _change(before: Side, after: Side, old: Found | None, new: Found | None, again: Again | None) -> Change:
    page, number = new or old or (None, None)
    assert page is not None
    assert number is not None
    plain = Change(page.path, number.metric, number.label, number.unit, old and old[1], new and new[1])
    if old is None or new is None or plain.difference is None:
        return plain
    parts = dict(_parts(before, after, old, new))
    first = next(iter(parts.values()), None)
    return Change(
        plain.page,
        plain.metric,
        plain.label,
        plain.unit,
        old[1],
        new[1],
        tuple(_causes(before, after, old, new, again)),
        {by: effects(*pair) for by, pair in parts.items()},
        None if first is None else sides(*first),
    )


def _parts(before: Side, after: Side, old: Found, new: Found) -> Iterator[tuple[str, tuple[Split, Split]]]:
    """The parts of a figure in both, new and old, by each column that both were taken apart by."""
    mine = {parts.by: parts for parts in after.content.parts if _is_of(parts, new)}
    theirs = {parts.by: parts for parts in before.content.parts if _is_of(parts, old)}
    for by in mine:
        if by in theirs:
            pair = mine[by].split(), theirs[by].split()
            if pair[0].total is not None and pair[1].total is not None:
                yield by, pair


def _is_of(parts: Parts, found: Found) -> bool:
    return (parts.page, parts.metric) == (found[0].path, found[1].metric)


def sides(now: Split, before: Split) -> Sides:
    """How much of a change is volume, mix and rate; they add up to it.

    A sum is N (rows) times R (per row): volume is the change of N at the old R; mix, the change of each
    part's share of N at its old R; rate, the change of each part's R at its new share. A quotient has no
    volume. Parts without rows in one of the two count as mix.
    """
    rows = _rows(now), _rows(before)
    totals = sum(rows[0].values(), SAME), sum(rows[1].values(), SAME)
    whole = (now.total or SAME) - (before.total or SAME)
    if not totals[0] or not totals[1]:
        return Sides(SAME, whole, SAME)
    old_rate = sum((before.scale * part.a for part in before.parts.values()), SAME) / totals[1]
    volume = SAME if now.is_quotient else (totals[0] - totals[1]) * old_rate
    weight = Fraction(1) if now.is_quotient else totals[0]
    rate = SAME
    for value, part in now.parts.items():
        past = before.parts.get(value)
        if past is not None and rows[0][value] and rows[1][value]:
            each = now.scale * part.a / rows[0][value] - before.scale * past.a / rows[1][value]
            rate += weight * rows[0][value] / totals[0] * each
    return Sides(volume, whole - volume - rate, rate)


def _rows(split: Split) -> dict[str | None, Fraction]:
    """What each part is weighed by: what stands below a quotient, the rows of a sum."""
    return {value: part.b if split.is_quotient else Fraction(part.n) for value, part in split.parts.items()}


def _causes(before: Side, after: Side, old: Found, new: Found, again: Again | None) -> Iterator[Cause]:
    """The steps that differ, with their effects."""
    said: dict[Step, list[str]] = {
        "data": data_words(before.manifest, after.manifest),
        "definition": definition_words(before, after, new[1].metric),
        "population": population_words(before, after, old[0].choices, new[0].choices),
        "choices": choice_words(old[0].choices, new[0].choices),
    }
    differing = {step: words for step, words in said.items() if words}
    ends = exact(old[1]), exact(new[1])
    if ends[0] is None or ends[1] is None or not differing:
        return
    if len(differing) == 1:
        ((step, words),) = differing.items()
        yield Cause(step, ends[1] - ends[0], words)
        return
    stops = None if "population" in differing else _stops(before, after, old, new, again)
    if stops is None:
        words = [word for each in differing.values() for word in each]
        yield Cause("together", ends[1] - ends[0], words)
        return
    walked = (ends[0], *stops, ends[1])
    steps: tuple[Step, ...] = ("data", "definition", "choices")
    for at, step in enumerate(steps):
        if step in differing:
            yield Cause(step, walked[at + 1] - walked[at], differing[step])


def _stops(
    before: Side, after: Side, old: Found, new: Found, again: Again | None
) -> tuple[Fraction, Fraction] | None:
    """The figure after the step of the data, and after that of the definition."""
    chosen, number = old[0].choices, new[1]
    if again is None or chosen is None or old[1].period is None or not number.metric:
        return None
    found = [
        again(number.metric, side.content.definitions, chosen, old[1].period) for side in (before, after)
    ]
    return None if found[0] is None or found[1] is None else (found[0], found[1])


def data_words(before: Manifest, after: Manifest) -> list[str]:
    """What became of the rows of each table between two snapshots; nothing where the data are the same."""
    old, new = before.data, after.data
    if old.content_hash == new.content_hash:
        return []
    words = []
    for name in dict.fromkeys((*new.tables, *old.tables)):
        rows = old.tables.get(name, 0), new.tables.get(name, 0)
        if rows[0] != rows[1]:
            words.append(f"{name}: {rows[0]:,} rows, then {rows[1]:,} ({rows[1] - rows[0]:+,})")
        elif old.table_hashes.get(name) != new.table_hashes.get(name):
            words.append(f"{name}: {rows[1]:,} rows in both, some of them corrected")
    if old.as_of != new.as_of:
        words.append(f"data through {old.as_of}, then through {new.as_of}")
    return words or ["the data differ"]


def definition_words(before: Side, after: Side, metric: str) -> list[str]:
    """The lines of the definition, and of those that it is made of, which differ; `-` old, `+` new."""
    old, new = before.definitions, after.definitions
    names = [name for name in _made_of(metric, new) if name in old and old[name].written != new[name].written]
    lines: list[str] = []
    for name in names:
        was, now = (_as_yaml(side[name].written) for side in (old, new))
        lines += [
            line for line in unified_diff(was, now, n=0, lineterm="") if line[:2] not in ("--", "++", "@@")
        ]
    return lines


def _made_of(metric: str, definitions: Mapping[str, Definition]) -> list[str]:
    """A metric and every other that its definition names."""
    if metric not in definitions:
        return []
    found = [metric]
    for name in found:
        words = set(_WORD.findall(definitions[name].written))
        found += [each for each in definitions if each in words and each not in found]
    return found


def _as_yaml(written: str) -> list[str]:
    return yaml.safe_dump(orjson.loads(written), sort_keys=False, allow_unicode=True).splitlines()


def population_words(before: Side, after: Side, was: Choices | None, chosen: Choices | None) -> list[str]:
    """The segments of both pages whose rule was changed, with how many customers they held."""
    old, new = ({group.name: group for group in side.content.groups} for side in (before, after))
    words = []
    for name in chosen.attributes.get(SEGMENT, ()) if chosen and was else ():
        if name in old and name in new and old[name].written != new[name].written:
            lines = unified_diff(_as_yaml(old[name].written), _as_yaml(new[name].written), n=0, lineterm="")
            changed = [line for line in lines if line[:2] not in ("--", "++", "@@")]
            held = f"{old[name].customers:,} customers, then {new[name].customers:,}"
            words.append(f"{new[name].label}: {held}: {' '.join(changed)}")
    return words


def choice_words(before: Choices | None, after: Choices | None) -> list[str]:
    """What was chosen otherwise on the page."""
    if before is None or after is None or before == after:
        return []
    words = []
    if before.name != after.name:
        words.append(f"{before.name}, then {after.name}")
    for name in sorted({*before.attributes, *after.attributes}):
        values = [", ".join(side.attributes.get(name, ())) or "all" for side in (before, after)]
        if values[0] != values[1]:
            words.append(f"{name}: {values[0]}, then {values[1]}")
    if before.categories != after.categories:
        lists = [", ".join(side.categories) or "all" for side in (before, after)]
        words.append(f"category: {lists[0]}, then {lists[1]}")
    return words
