"""What customers will do: their models, each fitted once for whoever asks, and the values that follow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import polars as pl

from metrics.frames import Marts
from metrics.lifetime.candidates import CONTINUOUS, MODELS, best_of, fit_table
from metrics.lifetime.fitting import Fit
from metrics.lifetime.gammagamma import GammaGamma, independence
from metrics.lifetime.gates import cautions, gates
from metrics.lifetime.history import Rows, compress, history_of_customers
from metrics.lifetime.model import PurchaseModel
from metrics.lifetime.values import Terms, customer_values
from metrics.reasons import Reason
from metrics.selection import Missing


@dataclass(frozen=True, eq=False)
class Outlook:
    """The order histories of some customers at the end of a day; models are fitted when first asked for.

    `margin` is the margin on revenue, None where cost is unknown, and values are then revenue.
    """

    histories: pl.DataFrame
    margin: float | None
    as_of: date
    models: dict[str, Fit[PurchaseModel]] = field(default_factory=dict, repr=False)
    valued: dict[tuple[Terms, str], pl.DataFrame] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, people: pl.DataFrame, as_of: date) -> "Outlook":
        """That of a customer summary which ends on `as_of`."""
        return cls(history_of_customers(people, as_of), margin_rate(people), as_of)

    @cached_property
    def rows(self) -> Rows:
        """The distinct histories, which models are fitted to."""
        return compress(self.histories)

    def fit(self, name: str) -> Fit[PurchaseModel]:
        """One of MODELS fitted to these customers."""
        if name not in self.models:
            self.models[name] = MODELS[name].fit(self.rows)
        return self.models[name]

    @cached_property
    def fitted(self) -> Mapping[str, Fit[PurchaseModel]]:
        """The models of which the best is taken."""
        return {name: self.fit(name) for name in CONTINUOUS}

    @cached_property
    def table(self) -> pl.DataFrame:
        """How well each fits; see `fit_table`."""
        return fit_table(self.fitted)

    @cached_property
    def best(self) -> str:
        """The name of the best one; empty where none could be fitted."""
        return best_of(self.fitted)

    @property
    def purchases(self) -> Fit[PurchaseModel] | None:
        """The best fit; None where none could be made."""
        return self.fitted.get(self.best)

    @cached_property
    def spend(self) -> Fit[GammaGamma]:
        """The model of what an order brings."""
        return GammaGamma.fit(self.histories)

    @cached_property
    def against(self) -> tuple[Reason, ...]:
        """What stands against predictions from these histories; see `gates`."""
        return gates(self.histories)

    @cached_property
    def notes(self) -> tuple[Reason, ...]:
        """What to keep in mind with the best fit."""
        linked = independence(self.histories).reason
        weak = [fit.reason for fit in (self.purchases, self.spend) if fit and fit.reason]
        model = self.purchases.model if self.purchases else None
        told = cautions(model, self.histories) if model else ()
        return (*weak, *told, *([linked] if linked else []))

    def values(self, terms: Terms, name: str = "") -> pl.DataFrame:
        """What every customer will bring by a model, the best one where none is named; see `customer_values`.

        No rows where it could not be fitted.
        """
        chosen = name or self.best
        model = self.fit(chosen).model if chosen else None
        if model is None:
            return pl.DataFrame(schema={"customer": pl.UInt32, "value": pl.Float64})
        if (terms, chosen) not in self.valued:
            self.valued[terms, chosen] = customer_values(self.histories, model, self.spend.model, terms)
        return self.valued[terms, chosen]


def outlook(marts: Marts) -> Outlook:
    """The outlook of the customers of a selection on the as-of day, made once. Raises as `buyers` does."""
    people = buyers(marts)
    return marts.kept(("outlook", str(marts.selection)), lambda: Outlook.of(people, marts.as_of))


def buyers(marts: Marts) -> pl.DataFrame:
    """The summaries of the customers of a selection. Raises Missing without order lines."""
    people = marts.frame("customer_summary")
    if "first_order_on" not in people.columns:
        fault = "no source gives `order_lines`"
        raise Missing(fault)
    return people if marts.mask is None else people.filter(marts.mask)


def margin_rate(people: pl.DataFrame) -> float | None:
    """Margin over revenue; None where cost is unknown or nothing was sold."""
    if "margin" not in people.columns or not people["margin"].count():
        return None
    margin, revenue = people.select(pl.col("margin", "net_amount").sum().cast(pl.Float64)).row(0)
    return margin / revenue if revenue > 0 else None
