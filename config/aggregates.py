"""The aggregates of the expression language. Over no values, every aggregate but a count is null."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import polars as pl
from sqlglot import exp

from config.terms import Builder, Kind, Node, Scope, Term


def _inner(scope: Scope, node: Node, value: Node, *kinds: Kind) -> Term:
    """The values that an aggregate runs over, filtered by its FILTER."""
    if not scope.aggregates:
        raise scope.fail(
            node, f"the aggregate `{scope.words(node)}` is not allowed here", "Write it without an aggregate"
        )
    if scope.inside:
        raise scope.fail(
            node, f"the aggregate `{scope.words(node)}` stands inside another one", "Use one of the two"
        )
    if isinstance(value, exp.Distinct):
        raise scope.fail(value, "DISTINCT is for count() only", "Remove it, or write count(DISTINCT x)")
    inside = replace(scope, inside=True)
    term = inside.of_kind(value, *kinds) if kinds else inside.term(value)
    return term if scope.condition is None else term.with_expr(term.expr.filter(scope.condition))


def _over(change: Callable[[pl.Expr], pl.Expr], result: pl.DataType | None, *kinds: Kind) -> Builder:
    def build(scope: Scope, node: Node) -> Term:
        term = _inner(scope, node, node.this, *kinds)
        return Term(change(term.expr), result or term.dtype, node)

    return build


def total(scope: Scope, node: exp.Sum) -> Term:
    """`sum(x)`: exact for exact numbers; null over no values."""
    term = _inner(scope, node, node.this, "number")
    dtype = pl.Decimal(38, term.dtype.scale) if isinstance(term.dtype, pl.Decimal) else term.dtype
    return Term(pl.when(term.expr.count() > 0).then(term.expr.sum().cast(dtype)), dtype, node)


def count(scope: Scope, node: exp.Count) -> Term:
    """`count(*)`, `count(x)` and `count(distinct x)`."""
    if isinstance(node.this, exp.Star):
        return _rows(scope, node)
    if not isinstance(node.this, exp.Distinct):
        return _over(lambda value: value.count().cast(pl.Int64), pl.Int64())(scope, node)
    values = node.this.expressions
    if len(values) != 1:
        raise scope.fail(node, "count(DISTINCT ...) takes one value", "Join the texts with ||")
    distinct = _inner(scope, node, values[0]).expr.drop_nulls().n_unique()
    return Term(distinct.cast(pl.Int64), pl.Int64(), node)


def _rows(scope: Scope, node: exp.Count) -> Term:
    _inner(scope, node, exp.Null())
    rows = pl.len() if scope.condition is None else scope.condition.fill_null(False).sum()
    return Term(rows.cast(pl.Int64), pl.Int64(), node)


def share(scope: Scope, node: exp.PercentileCont) -> Term:
    """`percentile(x, 0.9)` (or `quantile_cont`): linear between the two nearest values."""
    return _percentile(scope, node, node.this, scope.part(node, "expression"))


def share_within(scope: Scope, node: exp.WithinGroup) -> Term:
    """`percentile_cont(0.9) WITHIN GROUP (ORDER BY x)`."""
    ordered = node.expression.expressions[0]
    if not isinstance(node.this, exp.PercentileCont) or ordered.args.get("desc"):
        raise scope.fail(node, "WITHIN GROUP is for percentile_cont()", "Write percentile(x, 0.9)")
    return _percentile(scope, node, ordered.this, node.this.this)


def _percentile(scope: Scope, node: Node, value: Node, at: Node) -> Term:
    term, part = _inner(scope, node, value, "number"), _part(scope, at)
    return Term(term.expr.cast(pl.Float64).quantile(part, interpolation="linear"), pl.Float64(), node)


def _part(scope: Scope, node: Node) -> float:
    value = float(node.name) if isinstance(node, exp.Literal) and not node.is_string else -1.0
    if not 0 <= value <= 1:
        raise scope.fail(node, "a percentile lies between 0 and 1", "Write percentile(x, 0.9)")
    return value


def filtered(scope: Scope, node: exp.Filter) -> Term:
    """`sum(x) FILTER (WHERE condition)`."""
    if type(node.this) not in AGGREGATES or not scope.aggregates or scope.inside:
        raise scope.fail(node, "FILTER belongs to one aggregate", "Write sum(x) FILTER (WHERE condition)")
    condition = replace(scope, inside=True).of_kind(node.expression.this, "condition")
    return replace(scope, condition=condition.expr).term(node.this)


def _spread(change: Callable[[pl.Expr], pl.Expr]) -> Builder:
    return _over(lambda value: change(value.cast(pl.Float64)), pl.Float64(), "number")


AGGREGATES: Mapping[type[Node], Builder] = {
    exp.Avg: _spread(pl.Expr.mean),
    exp.Count: count,
    exp.Filter: filtered,
    exp.Max: _over(pl.Expr.max, None),
    exp.Median: _spread(pl.Expr.median),
    exp.Min: _over(pl.Expr.min, None),
    exp.PercentileCont: share,
    exp.Stddev: _spread(pl.Expr.std),
    exp.StddevPop: _spread(lambda value: value.std(ddof=0)),
    exp.StddevSamp: _spread(pl.Expr.std),
    exp.Sum: total,
    exp.WithinGroup: share_within,
}
