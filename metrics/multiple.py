"""Many tests at once: p-values adjusted so that chance findings stay rare."""

import polars as pl


def holm(p_value: pl.Expr) -> pl.Expr:
    """Holm's step-down adjustment (1979): the chance of even one false finding stays below the level.

    Each p-value times the number of tests not smaller than it, never below the adjusted one before it, at
    most 1. Nulls stay null and do not count.
    """
    rank = p_value.rank("min").cast(pl.Float64)
    scaled = p_value * (p_value.count() - rank + 1)
    return _in_order(scaled, p_value, descending=False).clip(upper_bound=1.0)


def benjamini_hochberg(p_value: pl.Expr) -> pl.Expr:
    """Benjamini and Hochberg's step-up adjustment (1995): the share of false findings among findings.

    Each p-value times the number of tests over its rank, never above the adjusted one after it, at most 1.
    Nulls stay null and do not count.
    """
    rank = p_value.rank("max").cast(pl.Float64)
    scaled = p_value * p_value.count() / rank
    return _in_order(scaled, p_value, descending=True).clip(upper_bound=1.0)


def _in_order(scaled: pl.Expr, p_value: pl.Expr, *, descending: bool) -> pl.Expr:
    """Running maximum from the smallest p-value up, or running minimum from the largest down."""
    order = p_value.arg_sort(descending=descending, nulls_last=True)
    sorted_ = scaled.gather(order)
    running = sorted_.cum_min() if descending else sorted_.cum_max()
    return pl.when(p_value.is_not_null()).then(running.gather(order.arg_sort()))
