"""Intermediate columns, each computed once.

Polars' streaming engine computes an expression again wherever it stands: a parsed amount that five checks
look at would be parsed six times. A step gives it a column of its own.
"""

from collections.abc import Callable
from typing import TypeAlias

import polars as pl

Let: TypeAlias = Callable[[pl.Expr], pl.Expr]
"""Names the values of an expression, so that what follows refers to them."""


class Steps:
    """Steps in the order in which they need each other; calling it adds one and gives its column.

    >>> steps = Steps()
    >>> double = steps(pl.col("n") * 2)
    >>> steps.applied(pl.LazyFrame({"n": [1, 2]})).select(total=double + double).collect()["total"].to_list()
    [4, 8]
    """

    def __init__(self) -> None:
        self._levels: list[dict[str, pl.Expr]] = []
        self._level_of: dict[str, int] = {}

    def __call__(self, expr: pl.Expr) -> pl.Expr:
        """A step that needs no name."""
        return self.name(f"step:{len(self._level_of)}", expr)

    def name(self, name: str, expr: pl.Expr) -> pl.Expr:
        """A step under a name of its own."""
        level = max((self._level_of.get(root, -1) for root in expr.meta.root_names()), default=-1) + 1
        if level == len(self._levels):
            self._levels.append({})
        self._levels[level][name] = expr
        self._level_of[name] = level
        return pl.col(name)

    def applied(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """The frame with every step beside its columns."""
        for level in self._levels:
            frame = frame.with_columns(expr.alias(name) for name, expr in level.items())
        return frame


def inline(expr: pl.Expr) -> pl.Expr:
    """The expression itself: for a value that is used once."""
    return expr
