"""Lineage: from a metric to the metrics that it reads, their tables and columns, and the sources of these.

Everything comes from what was parsed: the columns of the compiled expressions, the definitions that refer to
others, and the mapping in `sources.yaml`. Only how marts are made of canonical columns is said here.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, get_args, get_type_hints

from connectors.kinds import ColumnMap, Source
from connectors.sources import Sources
from connectors.tables import DEFAULTS, TABLES, dtypes
from metrics.catalog import Catalog
from metrics.definitions import Computed, Metric, Name
from metrics.measures import Compute
from metrics.relations import RELATIONS, Relation

_LINES: Final = "order_lines"
_SAME: Final = ("quantity", "net_amount", "cost", "discount", "category", "channel", "order_id")
_ORIGINS: Final[Mapping[str, tuple[str, ...]]] = {
    **{name: (name,) for name in _SAME},
    "customer": ("customer_id",),
    "period": ("ordered_at",),
    "order": ("order_id",),
    "ordered_on": ("ordered_at",),
    "orders": ("order_id", "is_return"),
    "order_days": ("ordered_at", "is_return"),
    "first_orders": ("order_id", "ordered_at", "is_return"),
    "lines": ("line_id",),
    "purchases": ("line_id", "is_return"),
    "bought_quantity": ("quantity", "is_return"),
    "gross_amount": ("net_amount", "is_return"),
    "returned_amount": ("net_amount", "is_return"),
    "costed_amount": ("net_amount", "cost"),
    "margin": ("net_amount", "cost"),
    "cross_sell_amount": ("net_amount", "category", "ordered_at"),
    "up_sell_amount": ("net_amount", "quantity", "category", "ordered_at"),
    "is_first": ("order_id", "ordered_at"),
    "active_before": ("order_id", "ordered_at"),
    "active_next": ("order_id", "ordered_at"),
    "net_before": ("net_amount", "ordered_at"),
    "first_order_on": ("ordered_at",),
    "last_order_on": ("ordered_at",),
    "categories": ("category",),
}
"""What the columns of marts are made of: columns of order lines."""


@dataclass(frozen=True)
class Origin:
    """Where a canonical column comes from: `text` is theirs, a name or an expression; both empty for none."""

    source: str = ""
    text: str = ""


@dataclass(frozen=True)
class Step:
    """One column that a metric reads, down to a source."""

    metric: str
    relation: str
    column: str
    table: str
    table_column: str
    origin: Origin


def lineage(catalog: Catalog, name: str, sources: Sources) -> list[Step]:
    """Every way from a metric down to a column of a source, through the metrics that it reads.

    Raises Fault for an unknown metric.
    """
    names = [name, *below(catalog, name)]
    return [
        step
        for each in names
        for relation, columns in own_reads(catalog, each)
        for step in _steps(each, relation, columns, sources)
    ]


def below(catalog: Catalog, name: str) -> list[str]:
    """The metrics that a metric reads, directly or through others, nearest first."""
    found: dict[str, None] = {}
    waiting = [name]
    while waiting:
        for each in read_by(catalog, waiting.pop(0)):
            if each not in found:
                found[each] = None
                waiting.append(each)
    return list(found)


def above(catalog: Catalog, name: str) -> list[str]:
    """The metrics that read a metric directly."""
    return [other for other in catalog.plans if name in read_by(catalog, other)]


def read_by(catalog: Catalog, name: str) -> list[str]:
    """The metrics that the definition of a metric names."""
    plan = catalog.plan(name)
    written = [getattr(plan.definition, key) for key in _keys(type(plan.definition))]
    named = [text for text in written if isinstance(text, str) and text in catalog.plans]
    return [other for other in dict.fromkeys((*named, *plan.references)) if other != name]


def own_reads(catalog: Catalog, name: str) -> list[tuple[Relation, Collection[str]]]:
    """What a metric itself reads: columns of relations."""
    definition = catalog.definition(name)
    if isinstance(definition, Computed):
        return [(RELATIONS[table], columns) for table, columns in definition.reads.items()]
    return [(part.relation, part.columns) for part in _own_parts(catalog, name)]


def reads_categories(catalog: Catalog, name: str) -> bool:
    """Whether a metric, or one that it reads, rests on the categories of order lines."""
    return any(
        (_LINES, "category") in set(_origins(relation, column))
        for each in (name, *below(catalog, name))
        for relation, columns in own_reads(catalog, each)
        for column in columns
    )


def _own_parts(catalog: Catalog, name: str) -> list[Compute]:
    """The measures of a metric that are not those of a metric which it names."""
    theirs = [part for other in read_by(catalog, name) for part in catalog.plan(other).parts]
    named = {part.key for part in theirs if isinstance(part, Compute)}
    parts = (part for part in catalog.plan(name).parts if isinstance(part, Compute))
    return [part for part in parts if part.key not in named]


@cache
def _keys(model: type[Metric]) -> tuple[str, ...]:
    """The keys of a kind of definition that may hold the name of another metric."""
    hints = get_type_hints(model, include_extras=True)
    held = (key for key, hint in hints.items() if hint == Name or Name in get_args(hint))
    return tuple(key for key in held if key != "name")


def _steps(metric: str, relation: Relation, columns: Collection[str], sources: Sources) -> Iterator[Step]:
    for column in sorted(columns) or ["*"]:
        for table, ours in _origins(relation, column):
            for origin in _given(table, ours, sources):
                yield Step(metric, relation.name, column, table, ours, origin)


def _origins(relation: Relation, column: str) -> Iterator[tuple[str, str]]:
    """The canonical columns behind a column of a relation."""
    table = relation.name if relation.name in TABLES else _LINES
    if column == "*":
        yield table, "*"
    elif relation.name in TABLES and column in dtypes(relation.name):
        yield relation.name, column
    elif relation.name in TABLES and relation.name != "customers":
        yield relation.name, {"customer": "customer_id"}.get(column, column.replace("_on", "_at"))
    elif column in _ORIGINS:
        yield from ((_LINES, ours) for ours in _ORIGINS[column])
    else:
        yield "customers", column


def _given(table: str, column: str, sources: Sources) -> Iterator[Origin]:
    """What the sources of a table give for a column; for a default, what it is."""
    found = [origin for source in sources.sources if (origin := _from(source, table, column))]
    yield from found or [Origin()]


def _from(source: Source, table: str, column: str) -> Origin | None:
    if source.table != table and not (table == "customers" and column in source.kept):
        return None
    if column == "*":
        return Origin(source.name, "")
    written = {**source.kept, **source.columns}.get(column)
    if written is None:
        default = DEFAULTS.get(table, {}).get(column)
        return Origin(source.name, default) if default else None
    return Origin(source.name, written.source if isinstance(written, ColumnMap) else str(written))
