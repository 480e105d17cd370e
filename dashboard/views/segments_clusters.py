"""Behaviour clusters: groups of customers who behave alike, in words, or why there are none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl
import streamlit as st

from dashboard import segment_data
from dashboard import segment_questions as asked
from dashboard.desk import Desk
from dashboard.parts import markup, states
from dashboard.parts.customer_list import customer_list
from dashboard.parts.kpi_row import sentence
from dashboard.parts.markup import Column
from dashboard.parts.opening_table import opening_table
from dashboard.state import Scope
from dashboard.text import gettext as _
from dashboard.text import later
from dashboard.views.segments_list import UNITS, headings
from metrics.clusters import STABLE, Cluster, Clusters, Method
from metrics.reasons import Reason

KEY: Final = "segments.clusters"
METHODS: Final[Mapping[Method, str]] = {
    "k_means": later("k-means"),
    "gaussian_mixture": later("Gaussian mixture"),
}
WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "recency_days": (later("silent for longer"), later("ordered more recently")),
    "orders": (later("order more often"), later("order less often")),
    "average_order": (later("larger orders"), later("smaller orders")),
    "categories": (later("more categories"), later("fewer categories")),
    "age_days": (later("customers for longer"), later("customers for a shorter time")),
    "return_rate": (later("send back more"), later("send back less")),
    "contacts_365d": (later("need more contacts"), later("need fewer contacts")),
}
MOST_TRAITS: Final = 3


def render(desk: Desk, scope: Scope) -> None:
    """Draw the section."""
    chosen = st.segmented_control(
        _("Method"),
        list(METHODS),
        default="k_means",
        required=True,
        format_func=lambda name: _(METHODS[name]),
        key=f"{KEY}.method",
        bind="query-params",
    )
    method: Method = "gaussian_mixture" if chosen == "gaussian_mixture" else "k_means"
    with st.spinner(_("Looking for clusters, and whether chance would make them too")):
        found = asked.behaviour(desk, scope, method)
    if isinstance(found, Reason):
        states.empty("bubble_chart", _("No clusters to show"), sentence(found.text))
        return
    _table(desk, found)
    _who(desk, found)


def _table(desk: Desk, found: Clusters) -> None:
    show = desk.show
    total = sum(each.customers for each in found.clusters)
    words = _("{k} clusters of {n} customers \N{MIDDLE DOT} silhouette {s}, larger than by chance (p = {p})")
    markup.section(
        _("Who behaves alike"),
        words.format(
            k=len(found.clusters),
            n=show.count(total),
            s=show.decimal(found.silhouette, 2),
            p=show.decimal(found.chance, 2),
        ),
    )
    heads = [Column(_("Cluster")), Column(_("What sets it apart"), "wide")]
    heads += [
        Column(_("Customers"), "number"),
        Column(_("Share"), "number"),
        Column(_("Stability"), "number"),
    ]
    rows = [
        [
            _("Cluster {n}").format(n=each.number),
            described(desk, each),
            show.count(each.customers),
            show.percent(each.customers / total),
            show.decimal(each.stability, 2),
        ]
        for each in found.clusters
    ]
    opening_table(heads, rows, _("Behaviour clusters"), key=f"{KEY}.rows", opens=_open)
    markup.note(
        _(
            "In brackets the median, against that of all customers. Stability: how much of a cluster is "
            "found again in bootstrap samples (Jaccard); below {least} none is shown. Clusters describe "
            "customers, they do not explain them."
        ).format(least=STABLE)
    )


def _open(name: str) -> None:
    """A click on a row lists the customers of its cluster."""
    st.session_state[f"{KEY}.one"] = int("".join(each for each in name if each.isdigit()))


def described(desk: Desk, cluster: Cluster) -> str:
    """A cluster in words, by the features that set it apart most."""
    if not cluster.traits:
        return _("Near the middle in everything")
    offered, told = segment_data.facts(desk).offered, []
    for trait in cluster.traits[:MOST_TRAITS]:
        fact = offered[trait.feature]
        more, less = WORDS[trait.feature]
        unit = fact.unit or "count"
        here, all_ = (desk.show.value(value, unit) for value in (trait.median, trait.overall))
        told.append(
            _("{what} ({here} against {all})").format(
                what=_(more if trait.z > 0 else less), here=here, all=all_
            )
        )
    text = ", ".join(told)
    return f"{text[:1].upper()}{text[1:]}"


def _who(desk: Desk, found: Clusters) -> None:
    """The customers of one cluster."""
    chosen = st.selectbox(
        _("Customers of cluster"),
        [each.number for each in found.clusters],
        key=f"{KEY}.one",
        width=240,
    )
    numbers = found.members.filter(pl.col("cluster") == chosen)["customer"]
    cluster = next(each for each in found.clusters if each.number == chosen)
    rows = pl.DataFrame([numbers]).with_columns(pl.lit(described(desk, cluster)).alias("reason"))
    customer_list(
        desk,
        segment_data.described(desk, segment_data.valued(desk, rows)),
        key=f"{KEY}.customers",
        file=f"cluster-{chosen}",
        label=_("Customers of a cluster"),
        names=headings(),
        units=UNITS,
    )
