"""The segments of the project with their sizes; one of them opened with its rule and its customers."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

import streamlit as st

from dashboard import segment_data as asked
from dashboard import sheet
from dashboard.desk import Desk
from dashboard.parts import markup, states
from dashboard.parts.cell_grid import cell_grid
from dashboard.parts.customer_list import customer_list
from dashboard.parts.figure_row import Stated, figure_row
from dashboard.parts.own_table import in_words
from dashboard.segment_data import Size
from dashboard.segment_files import FILE
from dashboard.state import Scope
from dashboard.text import gettext as _
from metrics.definitions import Unit
from metrics.segment_definitions import Segment

SECTION: Final = "segments.section"
CHOSEN: Final = "segments.one"
UNITS: Final[Mapping[str, Unit]] = {"net_amount": "money", "orders": "count"}


def render(desk: Desk, scope: Scope) -> None:
    """Draw the section."""
    found = asked.sizes(desk, scope)
    if not found:
        text = _("Write one in `{file}`, or build one here.").format(file=FILE)
        states.empty("group_work", _("No segments yet"), text)
        return
    name = _chosen(desk)
    if name is not None:
        st.button(
            _("All segments"),
            icon=":material/arrow_back:",
            key="segments.all",
            type="tertiary",
            on_click=_close,
        )
        _one(desk, scope, name, found[name])
        return
    _table(desk, found)
    _left_out(desk)


def headings() -> dict[str, str]:
    """The columns of lists of customers."""
    return {
        "reason": _("Why"),
        "net_amount": _("Revenue ever"),
        "orders": _("Orders"),
        "last_order_on": _("Last order"),
    }


def _chosen(desk: Desk) -> str | None:
    labels = desk.segments.book.labels
    chosen = st.selectbox(
        _("Open a segment"),
        list(labels.values()),
        index=None,
        placeholder=_("Choose one to see its rule and its customers"),
        key=CHOSEN,
        bind="query-params",
        width=420,
    )
    return next((name for name, label in labels.items() if label == chosen), None)


def _close() -> None:
    st.session_state[CHOSEN] = None


def _one(desk: Desk, scope: Scope, name: str, size: Size) -> None:
    rule, show = desk.segments.book.rules[name], desk.show
    segment = rule.segment
    markup.section(segment.label, segment.description)
    figure_row(sized(desk, size), "segment")
    st.html(markup.facts(_about(desk, segment), code=[_("In YAML")]))
    rows = asked.listed(desk, asked.without_segments(scope), rule)
    if rows.is_empty():
        states.empty(
            "group_off",
            _("Nobody belongs to this segment"),
            _("Its rule holds for none of {n} customers.").format(n=show.count(asked.facts(desk).size)),
        )
        return
    customer_list(
        desk,
        rows,
        key=f"segments.customers-{name}",
        file=f"segment-{name}",
        label=_("Customers of {segment}").format(segment=segment.label),
        names=headings(),
        units=UNITS,
    )


def sized(desk: Desk, size: Size) -> list[Stated]:
    """The figures of a segment's size."""
    show = desk.show
    each = size.revenue / size.customers if size.customers else None
    return [
        Stated(
            _("Customers"),
            show.count(size.customers),
            _("{share} of customers").format(share=show.percent(size.share)),
        ),
        Stated(
            _("Revenue"),
            show.money(size.revenue),
            _("{share} of revenue ever").format(share=show.percent(size.revenue_share)),
        ),
        Stated(_("Revenue each"), show.value(each, "money"), _("revenue ever per customer")),
    ]


def _about(desk: Desk, segment: Segment) -> dict[str, str]:
    where = _("this project's `{file}`") if segment.name in desk.segments.own else _("comes with Rapport")
    pairs = {
        _("Who belongs"): asked.words(desk).sentence(segment),
        _("In YAML"): segment.where,
        _("Owner"): segment.owner,
        _("Defined in"): where.format(file=FILE).replace("`", ""),
        _("Known as"): segment.name,
    }
    return {name: text for name, text in pairs.items() if text}


def open_segment(label: str) -> None:
    """Open a segment by its label, from any section."""
    st.session_state[SECTION] = "list"
    st.session_state[CHOSEN] = label


def _table(desk: Desk, found: Mapping[str, Size]) -> None:
    """Every segment with a bar for its share of customers and of revenue, a project's own ones first."""
    families: dict[str, list[str]] = {}
    for name in found:
        families.setdefault(desk.segments.book.rules[name].segment.family or _("Own"), []).append(name)
    own = sorted(families, key=lambda family: not any(n in desk.segments.own for n in families[family]))
    heads = "".join(
        f'<th scope="col" class="{kind}">{escape(head)}</th>'
        for head, kind in (
            (_("Segment"), ""),
            (_("Customers"), "number"),
            (_("Share"), "number"),
            (_("Share of revenue"), "number"),
            (_("Who belongs"), ""),
        )
    )
    body = "".join(
        f'<tr class="family"><th scope="rowgroup" colspan="5">{escape(family)}</th></tr>'
        + "".join(_row(desk, name, found[name]) for name in families[family])
        for family in own
    )
    html = (
        f'<div class="table-wrap" role="region" aria-label="{escape(_("Segments"))}" tabindex="0">'
        f'<table class="plain segments"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
    )
    sheet.record(lambda: in_words(html, _("Segments")))
    cell_grid(html, key="segments.table", chosen=open_segment)
    markup.note(
        _("Shares are of {n} customers and of their revenue so far; segments may overlap.").format(
            n=desk.show.count(asked.facts(desk).size)
        )
    )


def _row(desk: Desk, name: str, size: Size) -> str:
    show, segment = desk.show, desk.segments.book.rules[name].segment
    label = escape(desk.segments.book.labels[name], quote=True)
    about = escape(segment.description or asked.words(desk).sentence(segment))
    shares = "".join(
        f'<td class="number share" style="--part:{share:.4f}"><i></i>{escape(show.percent(share))}</td>'
        for share in (size.share, size.revenue_share)
    )
    return (
        f'<tr><td class="opens"><button type="button" data-cell="{label}">{label}</button></td>'
        f'<td class="number">{show.count(size.customers)}</td>{shares}<td class="wide">{about}</td></tr>'
    )


def _left_out(desk: Desk) -> None:
    """Segments that come with the product and for which this project has no source."""
    found, own = desk.segments.book.broken, desk.segments.own
    broken = {name: each[0] for name, each in found.items() if name not in own}
    if not broken:
        return
    with st.expander(_("{n} ready-made segments need what no source gives").format(n=len(broken))):
        rows = [[name, problem.fault] for name, problem in broken.items()]
        columns = [markup.Column(_("Segment")), markup.Column(_("What is missing"), "wide")]
        markup.show_table(columns, rows, _("Segments that need other sources"))
