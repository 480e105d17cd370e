"""The category tree in words: which one the figures stand on, and which products moved within it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from connectors.errors import StoreError
from connectors.store import Store
from dashboard.format import Formatter
from dashboard.text import gettext as _
from dashboard.text import ngettext
from metrics.category_tree import MART, moved, tree_on, version
from metrics.frames import Marts
from metrics.selection import Missing

if TYPE_CHECKING:
    from dashboard.desk import Desk
    from dashboard.state import Scope


@dataclass(frozen=True, eq=False)
class Tree:
    """The tree of a version of the store: its rows, where products stand now, its name."""

    rows: pl.DataFrame
    now: pl.DataFrame
    version: str

    @property
    def products_moved(self) -> int:
        """How many products have stood in more than one category over all of history."""
        return self.rows.filter(pl.len().over("product_id") > 1)["product_id"].n_unique()


def tree(marts: Marts) -> Tree | None:
    """The tree of some marts on their as-of day; None where order lines name no products."""
    return marts.kept("category tree", lambda: _tree(marts))


def _tree(marts: Marts) -> Tree | None:
    try:
        rows = marts.frame(MART)
    except Missing:
        return None
    now = tree_on(rows, marts.as_of)
    return None if now.is_empty() else Tree(rows, now, version(now))


def named(marts: Marts) -> str:
    """The tree in a caption: `category tree 3fa9c1d2`; empty where there is none to name."""
    found = tree(marts)
    return _("category tree {version}").format(version=found.version) if found else ""


def described(marts: Marts, show: Formatter) -> str:
    """The tree in a sentence: its name, its size, and whether products moved."""
    found = tree(marts)
    if found is None:
        return _("as the order lines give it; without product ids nobody can tell whether products moved")
    size = _("{version}: {products} products in {categories} categories").format(
        version=found.version,
        products=show.decimal(len(found.now), 0),
        categories=show.decimal(found.now["category"].n_unique(), 0),
    )
    n = found.products_moved
    if not n:
        return _("{size}, the same over all of history").format(size=size)
    text = ngettext("{size}; {n} product has moved", "{size}; {n} products have moved", n)
    return text.format(size=size, n=show.decimal(n, 0))


def warning(desk: Desk, scope: Scope) -> str:
    """That products moved, and how many between the two periods compared; empty where none did."""
    found = tree(desk.whole)
    if found is None or not found.products_moved:
        return ""
    show, n = desk.show, found.products_moved
    ever = ngettext(
        "{n} product has stood in more than one category: buying it before and after counts as cross-buying.",
        "{n} products have stood in more than one category: buying one before and after counts as "
        "cross-buying.",
        n,
    ).format(n=show.decimal(n, 0))
    remedy = _(
        "Map `category` from the products in `sources.yaml`, so that one tree holds for all of history."
    )
    return " ".join(filter(None, (ever, _between(desk, scope, found), remedy)))


def _between(desk: Desk, scope: Scope, found: Tree) -> str:
    """That the period and the one that it is compared with stand on different trees."""
    reference = scope.reference(desk.calendar)
    days = (desk.calendar.end(code, scope.grain) for code in (reference, scope.period))
    n = len(moved(*(tree_on(found.rows, day) for day in days)))
    if not n:
        return ""
    text = ngettext(
        "{n} product moved after {period}: the two periods compared stand on different trees.",
        "{n} products moved after {period}: the two periods compared stand on different trees.",
        n,
    )
    return text.format(n=desk.show.decimal(n, 0), period=desk.read.period(reference, scope.grain))


def difference(store: Store, before: str, after: str) -> str:
    """That two versions of a store stand on different trees.

    Empty where no product moved between them, or where the store has one of them no longer.
    """
    try:
        versions = [store.open(name) for name in (before, after)]
    except StoreError:
        return ""
    if not all(each.has(MART) for each in versions):
        return ""
    old, new = (tree_on(each.scan(MART).collect(), each.manifest.as_of) for each in versions)
    n = len(moved(old, new))
    if not n:
        return ""
    text = ngettext(
        "Their category trees differ ({old}, {new}): {n} product moved. Figures by category do not compare.",
        "Their category trees differ ({old}, {new}): {n} products moved. Figures by category do not compare.",
        n,
    )
    return text.format(old=version(old), new=version(new), n=n)
