"""Problems found in configuration: one class of problem, one form of message, suggestions that help."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from typing import Literal

Location = tuple[str | int, ...]
"""The way from the top of a document to a value: keys and list positions (from 0)."""

_LISTED = 12
_MANY = 100
_SIMILARITY = 0.7
_SIMILARITY_OF_SHORT = 0.8
_CLOSE = 0.05


@dataclass(frozen=True)
class Problem:
    """One fault at one place of one file, with what to do about it.

    `line` and `column` count from 1. `where` names the place in the words of the file,
    such as `metrics[orders].where`; `rule` is a short stable name for machines (`unknown-key`).
    """

    path: str
    line: int
    column: int
    where: str
    fault: str
    remedy: str = ""
    severity: Literal["error", "warning"] = "error"
    rule: str = ""

    def render(self) -> str:
        """Text in the form `path:line:column: where: fault. What to do`.

        >>> Problem("rapport.yaml", 3, 1, "top level", "unknown key `nam`", "Did you mean `name`?").render()
        'rapport.yaml:3:1: top level: unknown key `nam`. Did you mean `name`?'
        """
        where = f"{self.where}: " if self.where else ""
        return f"{self.path}:{self.line}:{self.column}: {where}{sentence(self.fault, self.remedy)}"


class ConfigError(Exception):
    """Every problem of the files that were read; `str()` shows one a line, in the order of their places."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(problem.render() for problem in self.problems))


class Fault(ValueError):
    """What a validator of a model raises: the loader adds the path, the line and the column.

    `at` leads from the value that is validated to the part of it that is wrong, `offset` counts the
    characters from the start of a text to the wrong word.
    """

    def __init__(
        self, fault: str, remedy: str = "", *, at: Location = (), offset: int = 0, rule: str = ""
    ) -> None:
        self.fault = fault
        self.remedy = remedy
        self.at = at
        self.offset = offset
        self.rule = rule
        super().__init__(sentence(fault, remedy))


def unknown(
    what: str, word: str, known: Iterable[str], *, example: str = "", at: Location = (), offset: int = 0
) -> Fault:
    """The fault of a word that is not among the known ones; the example helps where these are many.

    >>> str(unknown("currency", "EURO", ["EUR", "USD"]))
    'unknown currency `EURO`. Did you mean `EUR`?'
    """
    remedy = suggestion(word, known) or (f"Write one such as `{example}`" if example else "")
    return Fault(f"unknown {what} `{word}`", remedy, at=at, offset=offset, rule="unknown-value")


def sentence(fault: str, remedy: str = "") -> str:
    """Fault and remedy as one line of text, with a full stop between them.

    >>> sentence("`x` is missing", "Add it")
    '`x` is missing. Add it'
    """
    if not remedy:
        return fault
    return f"{fault}{'' if fault.endswith(('.', '?', '!')) else '.'} {remedy}"


def suggestion(word: str, known: Iterable[str]) -> str:
    """Remedy for an unknown word: the known words nearest to it, else the list of known words.

    Empty when nothing is known, or so much that a list would not help.

    >>> suggestion("curency", ["currency", "name"])
    'Did you mean `currency`?'
    >>> suggestion("colour", ["currency", "name"])
    'Known: currency, name'
    """
    names = list(dict.fromkeys(known))
    near = similar(word, names)
    if near:
        return f"Did you mean {' or '.join(f'`{name}`' for name in near)}?"
    return listing(names) if len(names) <= _MANY else ""


def similar(word: str, known: Sequence[str]) -> list[str]:
    """At most two known words that a person may have meant by `word`, nearest first; else none."""
    same = [name for name in known if name.casefold() == word.casefold()]
    if same or len(word) < 3:
        return same[:2]
    folded = {name.casefold(): name for name in reversed(known)}
    cutoff = _SIMILARITY if len(word) > 4 else _SIMILARITY_OF_SHORT
    near = get_close_matches(word.casefold(), folded, n=2, cutoff=cutoff)
    swapped = [name for name in folded if sorted(name) == sorted(word.casefold())]
    equal = swapped or [name for name in near if _likeness(word, name) > _likeness(word, near[0]) - _CLOSE]
    part = [name for name in folded if word.casefold() in name.split("_")]
    return [folded[name] for name in equal or part[:2]]


def _likeness(word: str, name: str) -> float:
    return SequenceMatcher(None, name, word.casefold()).ratio()


def listing(known: Sequence[str], limit: int = _LISTED) -> str:
    """`Known: a, b, c`, cut at the limit; empty for no names."""
    if not known:
        return ""
    rest = len(known) - limit
    more = f" and {rest} more" if rest > 0 else ""
    return f"Known: {', '.join(known[:limit])}{more}"
