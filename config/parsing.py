"""The text of an expression to its syntax tree, or an error in plain words at the wrong character."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.parsers.duckdb import DuckDBParser

from config.errors import listing, similar
from config.terms import ExpressionError, Node, Scope

LONGEST = 4_000
DEEPEST = 100
_TOKENS = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*` | --[^\n]* | /\*.*?\*/ | (?P<open>['"`])"""
    r"""| \{(?P<name>[^{}'"`]*)\} | (?P<brace>[{}]) | (?P<bracket>[()])""",
    re.VERBOSE | re.DOTALL,
)
_NAME = re.compile(r"\w+")

KNOWN_FUNCTIONS = (
    *("abs", "ceil", "exp", "floor", "greatest", "least", "ln", "power", "round", "sqrt"),
    *("coalesce", "if", "nullif"),
    *("concat", "contains", "ends_with", "left", "length", "lower", "ltrim", "replace", "right", "rtrim"),
    *("split_part", "starts_with", "substring", "trim", "upper"),
    *("date_diff", "date_trunc", "day", "extract", "hour", "isodow", "month", "quarter", "week", "year"),
)
KNOWN_AGGREGATES = ("avg", "count", "max", "median", "min", "percentile", "stddev", "stddev_pop", "sum")


class _Dialect(DuckDB):
    """DuckDB's SQL, with names in backticks too and `percentile(x, part)`."""

    class Tokenizer(DuckDB.Tokenizer):
        IDENTIFIERS: ClassVar[list[str | tuple[str, str]]] = ['"', "`"]

    class Parser(DuckDBParser):
        FUNCTIONS: ClassVar = {**DuckDBParser.FUNCTIONS, "PERCENTILE": exp.PercentileCont.from_arg_list}


_DIALECT = _Dialect()


@lru_cache(maxsize=4_096)
def parse(text: str) -> tuple[Node, Mapping[int, str]]:
    """Syntax tree of an expression, and the `{name}` references in it by their position.

    The tree is shared by all callers: it is read, never changed. Raises ExpressionError.
    """
    if len(text) > LONGEST:
        fault = f"the expression has {len(text):,} characters, the limit is {LONGEST:,}"
        raise ExpressionError(fault, "Split it up")
    sql, braces = _without_braces(text)
    try:
        roots = _DIALECT.parse(sql)
    except SqlglotError as error:
        raise _syntax_error(sql, error) from None
    except RecursionError:
        raise _too_deep() from None
    return _checked([root for root in roots if root is not None]), braces


def conditions(root: Node) -> list[Node]:
    """The conditions that AND and OR join, from left to right; what stands under NOT is one of them."""
    if isinstance(root, exp.Paren):
        return conditions(root.this)
    if isinstance(root, exp.And | exp.Or):
        return [*conditions(root.left), *conditions(root.right)]
    return [root]


def _checked(roots: list[Any]) -> Node:
    if not roots:
        fault = "the expression is empty"
        raise ExpressionError(fault, "Write one, such as sum(net_amount)")
    if len(roots) > 1:
        fault = "`;` separates two statements"
        raise ExpressionError(fault, "Write one expression")
    root: Node = roots[0]
    if _depth(root) > DEEPEST:
        raise _too_deep()
    return root


def _depth(root: Node) -> int:
    layer, depth = [root], 0
    while layer:
        layer, depth = [child for node in layer for child in node.iter_expressions()], depth + 1
    return depth


def _too_deep() -> ExpressionError:
    return ExpressionError("the expression is nested too deeply", "Split it up")


def _without_braces(text: str) -> tuple[str, Mapping[int, str]]:
    """The text with `{name}` written as `"name"`, which is as long, and the names by their position."""
    braces: dict[int, str] = {}

    def plain(found: re.Match[str]) -> str:
        name = found["name"]
        if found["open"] or found["brace"] or (name is not None and not _NAME.fullmatch(name)):
            raise _unclosed(found)
        if name is None:
            return found.group()
        braces[found.start()] = name
        return f'"{name}"'

    sql = _TOKENS.sub(plain, text)
    _check_brackets(text)
    return sql, braces


def _check_brackets(text: str) -> None:
    opened: list[int] = []
    for found in _TOKENS.finditer(text):
        if found["bracket"] == "(":
            opened.append(found.start())
        elif found["bracket"] and not opened:
            raise _stray(found.start())
        elif found["bracket"]:
            opened.pop()
    if opened:
        raise _open(opened[-1])


def _stray(offset: int) -> ExpressionError:
    return ExpressionError("this `)` closes nothing", "Remove it, or add a `(`", offset=offset)


def _open(offset: int) -> ExpressionError:
    return ExpressionError("this `(` is never closed", "Close it with `)`", offset=offset)


def _unclosed(found: re.Match[str]) -> ExpressionError:
    if found["open"]:
        return ExpressionError(
            f"the quote `{found['open']}` is never closed", "Close it", offset=found.start()
        )
    fault = f"`{found.group()}` is no reference to a metric"
    return ExpressionError(fault, "Write the name of a metric in braces: {orders}", offset=found.start())


def _syntax_error(text: str, error: SqlglotError) -> ExpressionError:
    if not isinstance(error, ParseError) or not error.errors:
        return ExpressionError("this is not an expression", "Check the quotes and brackets")
    first = error.errors[0]
    word, offset = str(first["highlight"]), _offset(text, first)
    fault, remedy = _in_words(str(first["description"]), word)
    return ExpressionError(fault, remedy, offset=offset)


def _offset(text: str, error: Mapping[str, Any]) -> int:
    lines = text.split("\n")
    before = sum(len(line) + 1 for line in lines[: error["line"] - 1])
    return max(0, min(len(text), before + int(error["col"]) - len(str(error["highlight"]))))


def _in_words(description: str, word: str) -> tuple[str, str]:
    if "greater than the maximum" in description:
        return "the function has too many values", "Remove some before this `)`"
    if "missing for" in description:
        return (
            f"something is missing {'before' if word == ')' else 'after'} `{word}`",
            "Write a column or a value there",
        )
    if description.startswith("Expected"):
        return f"{description[0].lower()}{description[1:]}", f"Check what follows `{word}`"
    if word.isidentifier():
        return (
            f"unexpected `{word}`",
            f'Check the operator before it; a column of this name is written "{word}"',
        )
    return f"unexpected `{word}`", "Check the operator before it, and the brackets"


_REFUSED: Mapping[type[Node], tuple[str, str]] = {
    exp.Query: ("a query inside an expression is not allowed", "Use columns, operators and functions"),
    exp.Exists: ("a query inside an expression is not allowed", "Use columns, operators and functions"),
    exp.Window: ("a window (OVER) is not allowed", "Use an aggregate"),
    exp.CurrentDate: ("the clock is not available", "Compare with a column, or with DATE '2024-01-31'"),
    exp.CurrentTimestamp: ("the clock is not available", "Compare with a column, or with DATE '2024-01-31'"),
    exp.Star: ("`*` stands alone", "Write count(*)"),
    exp.IntDiv: ("`//` is not supported", "Write floor(a / b)"),
    exp.RegexpLike: ("regular expressions are not supported", "Write LIKE 'C%'"),
    exp.Struct: ("braces hold the name of one metric", "Write {orders}"),
}


def refusal(scope: Scope, node: Node) -> ExpressionError:
    """The error of a node that is not on the list of known ones, with what to write instead."""
    for kind, (fault, remedy) in _REFUSED.items():
        if isinstance(node, kind):
            return scope.fail(node, fault, remedy)
    if isinstance(node, exp.DDL | exp.DML | exp.Drop | exp.Command):
        return ExpressionError("a statement is not allowed", "Write one expression, such as sum(net_amount)")
    if isinstance(node, exp.Alias):
        word = node.args["alias"]
        return scope.fail(word, f"unexpected `{word.name}`", "Check for a missing operator before it")
    if isinstance(node.args.get("query"), exp.Query):
        return scope.fail(node, *_REFUSED[exp.Query])
    if isinstance(node, exp.Func) and "start" in node.meta:
        return _unknown_function(scope, node)
    return scope.fail(node, f"`{scope.words(node)}` is not supported", "Use columns, operators and functions")


def _unknown_function(scope: Scope, node: exp.Func) -> ExpressionError:
    name = scope.text[node.meta["start"] : node.meta["end"] + 1].lower()
    if type(node) in scope.builders:
        return scope.fail(node, f"this form of `{name}` is not supported", "Leave out its last part")
    known = sorted((*KNOWN_FUNCTIONS, *(KNOWN_AGGREGATES if scope.aggregates else ())))
    near = " or ".join(f"`{word}`" for word in similar(name, known))
    remedy = f"Did you mean {near}?" if near else listing(known, limit=len(known))
    return scope.fail(node, f"unknown function `{name}`", remedy)
