"""The n of a figure in words, with its unit."""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.format import Formatter
from dashboard.text import gettext as _
from dashboard.text import ngettext
from metrics.counted import Counted


def with_unit(n: int, what: Counted, show: Formatter) -> str:
    """An n with its unit: `4,212 customers`; a figure of sales to nobody known rests on none."""
    if not n and what == "customers":
        return _("no known customers")
    return _units(n)[what].format(n=show.decimal(n, 0))


def _units(n: int) -> Mapping[Counted, str]:
    return {
        "customers": ngettext("{n} customer", "{n} customers", n),
        "orders": ngettext("{n} order", "{n} orders", n),
        "days": ngettext("{n} order day", "{n} order days", n),
        "lines": ngettext("{n} line", "{n} lines", n),
        "purchases": ngettext("{n} purchase", "{n} purchases", n),
        "answers": ngettext("{n} answer", "{n} answers", n),
        "contacts": ngettext("{n} contact", "{n} contacts", n),
        "contracts": ngettext("{n} contract", "{n} contracts", n),
        "entries": ngettext("{n} entry", "{n} entries", n),
        "rows": ngettext("{n} row", "{n} rows", n),
    }
