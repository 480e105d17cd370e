"""One customer across systems: ids that share a key are one person, and nothing is matched by guess.

A source says whose ids it holds (`system`) and by which keys its customers are known elsewhere (`identity`):
an e-mail address, a telephone number, or the id in another system. Two ids of different systems with an equal
key are one customer, and so is whoever is connected through several keys. A key that two ids of one system
share proves nothing and is not used; where the keys would still join two ids of one system, or two ids that
`apart` separates, all ids concerned stay as they are. The map is made anew at every refresh, so that undoing
a rule undoes its merges.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from connectors import values
from connectors.kinds import Source
from connectors.loads import Load
from connectors.raw import ROW
from connectors.steps import inline

KEY_MAP: Final = "key_map"
"""Name of the table in the store."""

ALONE: Final = "no key in another system"
MATCHED: Final = "matched"
SHARED: Final = "a key stands with two ids of this system"
JOINED: Final = "keys join two ids of one system"
APART: Final = "kept apart by hand"

_NODE: Final = ("system", "source_id")


@dataclass(frozen=True)
class Identities:
    """The key map of a refresh: a row an id of a system, with the customer that it stands for.

    Columns: system, source_id, customer_id, state (see the constants above), matched_by (kinds of keys).
    """

    key_map: pl.DataFrame

    def applied(self, load: Load) -> None:
        """Writes the customers of a source under the ids of the map, in place."""
        if not load.source.system:
            return
        rows = pl.read_parquet(load.accepted)
        if "customer_id" not in rows.columns:
            return
        own = self.key_map.filter(system=load.source.system).select("source_id", "customer_id")
        found = rows.rename({"customer_id": "source_id"}).join(
            own, on="source_id", how="left", maintain_order="left"
        )
        found.select(rows.columns).write_parquet(load.accepted, compression="lz4")


def identities(loads: Sequence[Load], apart: Sequence[tuple[str, str]] = ()) -> Identities:
    """The key map of sources that name their system; the first of them lends its ids to matched customers.

    An id of a later system that meets none of an earlier one becomes `system:id`, so that it cannot be taken
    for another's.
    """
    loads = [load for load in loads if load.source.system]
    systems = list(dict.fromkeys(str(load.source.system) for load in loads))
    nodes = _nodes(loads, systems)
    edges = _edges(loads, nodes)
    shared = _shared(edges)
    usable = edges.join(shared.select("kind", "value").unique(), on=["kind", "value"], how="anti")
    grouped = nodes.with_columns(pl.Series("group", _groups(nodes.height, usable)))
    return Identities(_mapped(grouped, usable, shared, apart))


def _nodes(loads: Sequence[Load], systems: Sequence[str]) -> pl.DataFrame:
    """Every id of every system once, the systems in their order."""
    parts = [
        _accepted(load)
        .select(pl.lit(load.source.system).alias("system"), pl.col("customer_id").alias("source_id"))
        .drop_nulls()
        .collect()
        for load in loads
        if "customer_id" in load.plan.columns
    ]
    order = pl.col("system").replace_strict(systems, list(range(len(systems))), return_dtype=pl.Int64)
    schema = dict.fromkeys(_NODE, pl.String)
    found = pl.concat([pl.DataFrame(schema=schema), *parts]).unique()
    return found.with_columns(order.alias("rank")).sort("rank", "source_id").with_row_index("node")


def _accepted(load: Load) -> pl.LazyFrame:
    return pl.scan_parquet(load.accepted)


def _keys(load: Load) -> pl.DataFrame:
    """The keys of a source's customers: source_id, kind, value; normalised, without empty ones."""
    raw = load.raw
    parts = [
        raw.frame.select(
            ROW, pl.lit(kind).alias("kind"), _normal(kind, theirs, raw.columns[theirs]).alias("value")
        )
        for kind, theirs in load.source.identity.items()
    ]
    if not parts:
        return pl.DataFrame(schema={"source_id": pl.String, "kind": pl.String, "value": pl.String})
    rows = _accepted(load).select(ROW, pl.col("customer_id").alias("source_id"))
    found = pl.concat(parts).join(rows, on=ROW).select("source_id", "kind", "value")
    return found.drop_nulls().filter(pl.col("value") != "").unique().collect()


def _normal(kind: str, theirs: str, dtype: pl.DataType) -> pl.Expr:
    """A key in the form in which it is compared.

    An e-mail address without case and space around it; a telephone number as its digits, with `00` before a
    country read as `+`; an id as ids are read everywhere.
    """
    text = pl.col(theirs).cast(pl.String).str.strip_chars()
    if kind == "email":
        return pl.when(text.str.contains("@")).then(text.str.to_lowercase())
    if kind == "phone":
        digits = text.str.replace_all(r"[^\d+]", "").str.replace(r"^00", "+")
        return pl.when(digits.str.len_chars() >= 7).then(digits)
    return values.ids(inline, pl.col(theirs), dtype, theirs).expr


def _edges(loads: Sequence[Load], nodes: pl.DataFrame) -> pl.DataFrame:
    """Which node has which key: node, system, kind, value; an id is a key of its own node too."""
    places = nodes.select("node", *_NODE)
    parts = []
    for load in loads:
        if not load.source.identity:
            continue
        keyed = _keys(load).with_columns(pl.lit(load.source.system).alias("system"))
        parts.append(keyed.join(places, on=_NODE).select("node", "system", "kind", "value"))
    schema = {"node": pl.UInt32, "system": pl.String, "kind": pl.String, "value": pl.String}
    found = pl.concat([pl.DataFrame(schema=schema), *parts]).unique()
    named = found.select("kind", "value").unique().join(
        places, left_on=["kind", "value"], right_on=list(_NODE)
    )  # fmt: skip
    own = named.select("node", pl.col("kind").alias("system"), "kind", "value")
    return pl.concat([found, own]).unique()


def _shared(edges: pl.DataFrame) -> pl.DataFrame:
    """Keys that stand with two ids of one system, with these ids."""
    twice = pl.col("node").n_unique().over("system", "kind", "value") > 1
    return edges.filter(twice)


def _groups(count: int, edges: pl.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """A number for each node; nodes that are connected through keys have one."""
    if not edges.height:
        return np.arange(count, dtype=np.int32)
    numbers = edges.select("node", pl.struct("kind", "value").rank("dense").alias("key"))
    rows, keys = numbers["node"].to_numpy(), numbers["key"].to_numpy() - 1 + count
    size = count + int(numbers["key"].max() or 0)  # type: ignore[arg-type]  # a rank is a number
    graph = coo_array((np.ones(len(rows), dtype=bool), (rows, keys)), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    return np.asarray(labels[:count], dtype=np.int32)


def _mapped(
    nodes: pl.DataFrame, edges: pl.DataFrame, shared: pl.DataFrame, apart: Sequence[tuple[str, str]]
) -> pl.DataFrame:
    met = edges.filter(pl.col("node").n_unique().over("kind", "value") > 1)
    kinds = met.group_by("node").agg(pl.col("kind").unique().sort().str.join(", ").alias("matched_by"))
    size, twice = pl.len().over("group"), pl.len().over("group", "system") > 1
    separated = _separated(nodes, apart)
    state = (
        pl.when(pl.col("group").is_in(separated)).then(pl.lit(APART))
        .when(twice.max().over("group")).then(pl.lit(JOINED))
        .when(size > 1).then(pl.lit(MATCHED))
        .when(pl.col("node").is_in(shared["node"].implode())).then(pl.lit(SHARED))
        .otherwise(pl.lit(ALONE))
    )  # fmt: skip
    own = pl.when(pl.col("rank") == 0).then(pl.col("source_id")).otherwise(pl.format("{}:{}", *_NODE))
    told = nodes.with_columns(state.alias("state"), own.alias("own")).join(kinds, on="node", how="left")
    first = pl.col("own").first().over("group", order_by="node")
    matched = pl.col("state") == MATCHED
    return told.select(
        *_NODE,
        pl.when(matched).then(first).otherwise("own").alias("customer_id"),
        "state",
        pl.when(matched).then("matched_by").alias("matched_by"),
    ).sort(*_NODE)


def _separated(nodes: pl.DataFrame, apart: Sequence[tuple[str, str]]) -> list[int]:
    """The groups in which two ids stand that a person keeps apart."""
    group = (
        {f"{system}:{own}": int(number) for system, own, number in nodes.select(*_NODE, "group").rows()}
        if apart
        else {}
    )
    return [group[one] for one, two in apart if one in group and group[one] == group.get(two)]


def people(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Customers of several systems, each once: what the first system leaves empty, a later one fills."""
    names = [name for name in rows.collect_schema() if name != "customer_id"]
    return rows.group_by("customer_id", maintain_order=True).agg(
        pl.col(name).drop_nulls().first() for name in names
    )


def again(loads: Sequence[Load]) -> Mapping[str, int]:
    """How many rows of each source are of customers that an earlier source has, or an earlier row."""
    seen = pl.DataFrame(schema={"customer_id": pl.String})
    found: dict[str, int] = {}
    for load in loads:
        own = load.rows().select("customer_id").collect()
        fresh = own.unique().join(seen, on="customer_id", how="anti")
        found[load.source.name] = own.height - fresh.height
        seen = pl.concat([seen, fresh])
    return found


def systems_of(sources: Sequence[Source]) -> list[str]:
    """The systems that sources name, in their order."""
    return list(dict.fromkeys(source.system for source in sources if source.system))
