"""RFM: how recently, how often and for how much customers buy, in scores that never split equal customers.

Hughes (1994), Strategic Database Marketing. The usual ranks into fifths give customers who are alike
different scores: where half of all ordered once, one-order customers would get three. Here all customers with
the same value share the score of the first of them.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Final, Literal

import polars as pl
from pydantic import Field, model_validator

from config.errors import Fault, unknown
from metrics.customer_facts import CUSTOMER, Fact, Family
from metrics.definitions import Computed, Name, Strict, Unit
from metrics.frames import Marts

SCORES: Final = ("recency_score", "frequency_score", "monetary_score")
VALUE: Final = "value_score"
Range = tuple[int, int]
Edges = Annotated[tuple[float, ...], Field(min_length=1)]


class RfmSegment(Strict):
    """A named part of the grid of recency scores by value scores."""

    name: Name = Field(description="What rules call it: rfm_segment = 'champions'.")
    label: str = Field(min_length=1, max_length=40, description="The name on pages.")
    recency: Range = Field(description="Lowest and highest recency score.")
    value: Range = Field(
        description="Lowest and highest value score: the mean of frequency and monetary score, rounded up."
    )


class RfmEdges(Strict):
    """Edges of one's own in place of those that make bins of equal size."""

    recency: Edges | None = Field(
        None, description="Days, rising: up to the first edge is the best score, beyond the last one is 1."
    )
    frequency: Edges | None = Field(
        None, description="Orders, rising: below the first edge is score 1, from the last on the best."
    )
    monetary: Edges | None = Field(None, description="Amounts, rising, as for frequency.")


class Rfm(Computed):
    """The share of scored customers who lie in some RFM segments at the end of the period.

    The definition called `rfm` is also what the facts `recency_score`, `frequency_score`, `monetary_score`
    and `rfm_segment` follow.
    """

    kind: Literal["rfm"]
    days: int | None = Field(
        None, ge=1, description="Orders and amounts of so many last days; of all history when left out."
    )
    bins: int = Field(5, ge=2, le=10, description="How many scores there are; the highest is the best.")
    edges: RfmEdges = Field(RfmEdges(), description="Edges of one's own.")
    segments: tuple[RfmSegment, ...] = Field(
        min_length=1, description="Named parts of the grid; of two that fit the first counts."
    )
    counts: tuple[Name, ...] = Field(min_length=1, description="The segments whose share is the figure.")

    @property
    def formula(self) -> str:
        """How the share is computed, in one line."""
        return f"scored customers in {', '.join(self.counts)} / scored customers"

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """The columns that it reads."""
        return {"orders": ("customer", "ordered_on", "orders", "net_amount")}

    @property
    def units(self) -> tuple[Unit, ...]:
        """A share is a rate."""
        return ("rate",)

    @model_validator(mode="after")
    def _fits(self) -> "Rfm":
        names = [segment.name for segment in self.segments]
        for at, name in enumerate(self.counts):
            if name not in names:
                what = "RFM segment"
                raise unknown(what, name, names, at=("counts", at))
        for key in ("recency", "frequency", "monetary"):
            edges = getattr(self.edges, key)
            if edges is not None and (len(edges) != self.bins - 1 or list(edges) != sorted(set(edges))):
                fault = f"{self.bins} scores have {self.bins - 1} edges, each above the one before"
                raise Fault(fault, "Correct the list", at=("edges", key))
        return self


def rfm(marts: Marts, spec: Rfm) -> pl.DataFrame:
    """The scores of every customer with an order in the window, sorted by customer.

    `recency` (days from the last order to the as-of day), `frequency` (orders), `monetary` (net amount);
    `recency_score`, `frequency_score`, `monetary_score`: with k bins and no edges of one's own

        score(v) = 1 + floor(k * customers with a worse value / all scored customers)

    so that equal values share one score and a bin may be empty; amounts of zero and below score 1. Frequency
    and money are of the same window. `value_score`: (frequency + monetary score) / 2, halves rounded up.
    `rfm_segment`: the name of the first segment that fits, null where none does.
    """
    rows = _measured(marts, spec.days).sort(CUSTOMER)
    k, edges = spec.bins, spec.edges
    recency = (
        k + 1 - _edged("recency", edges.recency, above=True)
        if edges.recency
        else _ranked("recency", k, best_is_low=True)
    )
    frequency = _edged("frequency", edges.frequency) if edges.frequency else _ranked("frequency", k)
    monetary = _edged("monetary", edges.monetary) if edges.monetary else _ranked("monetary", k)
    paid = pl.when(pl.col("monetary") > 0).then(monetary).otherwise(1)
    scored = rows.with_columns(
        recency.cast(pl.Int8).alias("recency_score"),
        frequency.cast(pl.Int8).alias("frequency_score"),
        paid.cast(pl.Int8).alias("monetary_score"),
    )
    both = (pl.col("frequency_score") + pl.col("monetary_score") + 1) // 2
    return scored.with_columns(both.alias("value_score")).with_columns(_named(spec.segments))


def _measured(marts: Marts, days: int | None) -> pl.DataFrame:
    """Recency, frequency and money of the customers who ordered in the window."""
    recency = (pl.lit(marts.as_of) - pl.col("last_order_on")).dt.total_days()
    people = marts.frame("customer_summary")
    if days is None:
        return people.filter(pl.col("orders") > 0).select(
            CUSTOMER,
            recency.alias("recency"),
            pl.col("orders").cast(pl.Int64).alias("frequency"),
            pl.col("net_amount").alias("monetary"),
        )
    rows = marts.frame("orders").filter(
        pl.col("ordered_on") > marts.as_of - timedelta(days=days), pl.col(CUSTOMER).is_not_null()
    )
    sums = rows.group_by(CUSTOMER).agg(
        pl.col("orders").sum().cast(pl.Int64).alias("frequency"), pl.col("net_amount").sum().alias("monetary")
    )
    last = people.select(CUSTOMER, recency.alias("recency"))
    return (
        sums.filter(pl.col("frequency") > 0)
        .join(last, on=CUSTOMER, how="left")
        .select(CUSTOMER, "recency", "frequency", "monetary")
    )


def _ranked(name: str, bins: int, *, best_is_low: bool = False) -> pl.Expr:
    worse = pl.col(name).rank("min", descending=best_is_low).cast(pl.Int64) - 1
    return 1 + (worse * bins) // pl.len().cast(pl.Int64)


def _edged(name: str, edges: Sequence[float], *, above: bool = False) -> pl.Expr:
    value = pl.col(name).cast(pl.Float64)
    passed = [(value > edge if above else value >= edge).cast(pl.Int64) for edge in edges]
    return 1 + pl.sum_horizontal(passed)


def _named(segments: Sequence[RfmSegment]) -> pl.Expr:
    fits = [
        pl.when(
            pl.col("recency_score").is_between(*segment.recency)
            & pl.col("value_score").is_between(*segment.value)
        ).then(pl.lit(segment.name))
        for segment in segments
    ]
    names = pl.Enum(list(dict.fromkeys(segment.name for segment in segments)))
    return pl.coalesce(fits).cast(names).alias("rfm_segment")


def bins_of(scores: pl.DataFrame, bins: int) -> pl.DataFrame:
    """What lies in each bin: `score_of`, `score`, `lowest`, `highest` value, `customers`; empty bins too.

    Sorted by (recency, frequency, monetary) and score.
    """
    parts = []
    for column in SCORES:
        value = column.removesuffix("_score")
        every = pl.DataFrame({"score": range(1, bins + 1)}, schema={"score": pl.Int8})
        found = scores.group_by(pl.col(column).alias("score")).agg(
            pl.col(value).min().cast(pl.Float64).alias("lowest"),
            pl.col(value).max().cast(pl.Float64).alias("highest"),
            pl.len().cast(pl.Int64).alias("customers"),
        )
        whole = every.join(found, on="score", how="left", maintain_order="left")
        parts.append(whole.select(pl.lit(value).alias("score_of"), pl.all()))
    return pl.concat(parts).with_columns(pl.col("customers").fill_null(0))


def rfm_family(spec: Rfm) -> Family:
    """The facts of a scoring."""
    labels = {segment.name: segment.label for segment in spec.segments}
    score, best = pl.Int8(), f"from 1 to {spec.bins}, the best; equal customers share one."
    offered: Mapping[str, Fact] = {
        "recency_score": Fact(score, "Recency score", "count", f"How recently the customer ordered, {best}"),
        "frequency_score": Fact(score, "Frequency score", "count", f"How often the customer ordered, {best}"),
        "monetary_score": Fact(score, "Monetary score", "count", f"How much the customer paid, {best}"),
        VALUE: Fact(
            score, "Value score", "count", "The mean of frequency and monetary score, halves rounded up."
        ),
        "rfm_segment": Fact(
            pl.Enum(list(labels)),
            "RFM segment",
            about=f"The named part of the RFM grid: {', '.join(labels.values())}.",
            because=("recency_score", VALUE),
        ),
    }

    def offers(marts: Marts) -> Mapping[str, Fact]:
        people = marts.frame("customer_summary")
        return offered if "last_order_on" in people.columns and people["last_order_on"].count() else {}

    return Family("rfm", "RFM", offers, lambda marts, _names: rfm(marts, spec))
