"""The report as one HTML file: it opens by a double click, asks no network for anything, and can be clicked.

Every text is escaped where it enters. Scripts are named by their hash in the file's own content policy, so
that nothing else runs, whatever stands in a name or an answer.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from itertools import groupby
from typing import Final, assert_never

import orjson

from dashboard.charts.spark import sparkline
from dashboard.format import Formatter
from dashboard.parts.markup import Column, facts, marked, table
from dashboard.sheet import Block, Head, Note, Number, Picture, Section, Table, Texts, Tiles
from dashboard.snapshots.content import Content, Definition, Manifest, PageSheet
from dashboard.text import gettext as _
from dashboard.theme import ASSETS, MARK, style_sheet

SCRIPTS: Final = ("report.js",)
POLICY: Final = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:; "
    "font-src data:; connect-src 'none'; base-uri 'none'; form-action 'none'; frame-src 'none'"
)


def report(content: Content, manifest: Manifest) -> bytes:
    """The whole report as UTF-8."""
    body = "".join(_page(number, page) for number, page in enumerate(content.pages))
    charts = [block.figure for page in content.pages for block in _pictures(page)]
    data = orjson.dumps(charts).decode().replace("<", "\\u003c")
    parts = (
        _cover(content, manifest),
        f"<main>{body}{_definitions(content.definitions)}{_colophon(manifest)}</main>",
        f'<script type="application/json" id="charts">{data}</script>',
    )
    return document("".join(parts), manifest.title, manifest, (_plotly(), _own()))


def document(body: str, title: str, manifest: Manifest, scripts: Sequence[str] = ()) -> bytes:
    """A page that stands alone: what it looks like is in it, and it runs these scripts and no other."""
    allowed = " ".join(f"'sha256-{_hash(script)}'" for script in scripts) or "'none'"
    parts = (
        f'<!doctype html><html lang="{escape(manifest.locale.split("_")[0])}"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY.format(scripts=allowed)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{escape(title)} \N{MIDDLE DOT} {escape(manifest.project)}</title>",
        f'<link rel="icon" href="{_image(MARK.read_bytes())}">',
        f"<style>{_fonts()}</style>{style_sheet()}<style>{_sheet('report.css')}</style></head><body>",
        body,
        *(f"<script>{script}</script>" for script in scripts),
        "</body></html>",
    )
    return "".join(parts).encode()


def _pictures(page: PageSheet) -> Iterator[Picture]:
    return (block for block in page.blocks if isinstance(block, Picture) and block.figure is not None)


def _cover(content: Content, manifest: Manifest) -> str:
    """What it is and when it was true, and where to find what."""
    show = Formatter(manifest.locale, manifest.currency)
    said = _("{project} \N{MIDDLE DOT} data through {day} \N{MIDDLE DOT} made {moment}").format(
        project=manifest.project,
        day=show.day(manifest.data.as_of),
        moment=show.moment(manifest.local(manifest.created_at)),
    )
    links = "".join(
        f'<a href="#page-{number}">{escape(page_name(page))}</a>' for number, page in enumerate(content.pages)
    )
    more = f'<a href="#definitions">{escape(_("Definitions"))}</a><a href="#about">{escape(_("About"))}</a>'
    return (
        f'<header class="cover"><h1>{escape(manifest.title)}</h1><p>{escape(said)}</p>'
        f'<nav aria-label="{escape(_("Pages"))}">{links}{more}</nav></header>'
    )


def page_name(page: PageSheet) -> str:
    """The title of a page, with its section where the address names one."""
    return ": ".join(filter(None, (page.title, page.section)))


def _page(number: int, page: PageSheet) -> str:
    grouped = groupby(page.blocks, key=lambda block: isinstance(block, Picture))
    blocks = "".join(
        f'<div class="charts">{drawn}</div>' if are_charts else drawn
        for are_charts, drawn in ((are, "".join(map(piece, group))) for are, group in grouped)
    )
    return f'<section class="page" id="page-{number}">{blocks}</section>'


def piece(block: Block) -> str:
    """One block of a page as HTML; a chart without its drawing."""
    match block:
        case Head():
            return f'<div class="head"><h2>{escape(block.title)}</h2><p>{escape(block.caption)}</p></div>'
        case Section():
            words = f"<p>{escape(block.caption)}</p>" if block.caption else ""
            return f'<div class="section"><h3>{escape(block.title)}</h3>{words}</div>'
        case Note():
            return f'<p class="{"notice" if block.notice else "note"}">{marked(block.text)}</p>'
        case Tiles():
            return f'<div class="tiles">{"".join(_tile(number) for number in block.numbers)}</div>'
        case Table():
            return _table(block)
        case Picture():
            return _picture(block)
        case _:
            assert_never(block)


def _tile(number: Number) -> str:
    lines = [
        f'<div class="label"><span>{escape(number.label)}</span></div>',
        f'<div class="figure">{escape(number.shown)}</div>',
    ]
    if number.change:
        arrow = f'<span aria-hidden="true">{escape(number.arrow)}</span>' if number.arrow else ""
        chip = f'<span class="chip {escape(number.tone)}">{arrow}{escape(number.change)}</span>'
        lines.append(f'<div class="change">{chip}<span class="vs">{escape(number.against)}</span></div>')
    under = number.reason if number.reason and number.value is None else number.under
    lines.append(f'<div class="n">{escape(under)}</div>')
    line = sparkline(number.history)
    if line:
        lines.append(f'<div class="spark" aria-hidden="true" style="--spark:{escape(line)}"></div>')
    return f'<div class="card"><div class="tile">{"".join(lines)}</div></div>'


def _columns(block: Table | Picture) -> list[Column]:
    kinds = block.kinds or ("",) * len(block.heads)
    # A report has no page of a customer to go to.
    plain = ("" if kind == "customer" else kind for kind in kinds)
    return [Column(head, kind) for head, kind in zip(block.heads, plain, strict=True)]


def _table(block: Table) -> str:
    note = f'<p class="card-note">{escape(block.note)}</p>' if block.note else ""
    left_out = f'<p class="note">{escape(missing(block))}</p>' if block.missing else ""
    drawn = _heat(block) if block.heat else table(_columns(block), block.rows, block.title, total=block.total)
    title = f'<h4 class="card-title">{escape(block.title)}</h4>' if block.title else ""
    return f'<div class="table-card">{title}{note}{drawn}{left_out}</div>'


def missing(block: Table) -> str:
    """How many rows a table in words leaves out, and where they are."""
    return _("{n} more rows are in the file of this table.").format(n=f"{block.missing:,}")


def _heat(block: Table) -> str:
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in block.heads)
    rows = "".join(
        "<tr>"
        + "".join(_cell(at, text, heat) for at, (text, heat) in enumerate(zip(row, heats, strict=True)))
        + "</tr>"
        for row, heats in zip(block.rows, block.heat, strict=True)
    )
    return (
        f'<div class="table-wrap" tabindex="0" role="region" aria-label="{escape(block.title)}">'
        f'<table class="plain heat"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _cell(at: int, text: str, heat: float | None) -> str:
    if at == 0:
        return f'<th scope="row">{escape(text)}</th>'
    if heat is None:
        return f"<td>{escape(text)}</td>"
    return f'<td class="{"below" if heat < 0 else "above"}" style="--h:{abs(heat):.3f}">{escape(text)}</td>'


def _picture(block: Picture) -> str:
    head = f'<h4 class="card-title">{escape(block.title)}</h4><p class="card-note">{escape(block.note)}</p>'
    if block.figure is None:
        return f'<div class="card">{head}<div class="state"><p>{escape(block.otherwise)}</p></div></div>'
    chart = (
        f'<div class="chart" role="img" aria-label="{escape(block.alt)}" '
        f'style="height:{block.height}px"></div><output class="picked"></output>'
    )
    more = (
        f"<details><summary>{escape(_('Table and definition'))}</summary>"
        f"{facts(block.definition)}{table(_columns(block), block.rows, block.title)}</details>"
    )
    return f'<div class="card">{head}{chart}{more}</div>'


def _definitions(definitions: Sequence[Definition]) -> str:
    rows = [
        [each.label, each.name, f"{each.description} {each.formula}", each.unit, each.direction]
        for each in definitions
    ]
    columns = [
        Column(_("Figure")),
        Column(_("Name"), "code"),
        Column(_("What it means and how it is computed"), "wide"),
        Column(_("Unit")),
        Column(_("Direction")),
    ]
    title = escape(_("Definitions"))
    listed = table(columns, [[text.replace("`", "") for text in row] for row in rows], title)
    return (
        f'<section class="page" id="definitions"><div class="head"><h2>{title}</h2></div>{listed}</section>'
    )


def _colophon(manifest: Manifest) -> str:
    """Where the figures come from: the version, its rows, the hashes."""
    show = Formatter(manifest.locale, manifest.currency)
    pairs = {
        _("Data through"): show.day(manifest.data.as_of),
        _("Refreshed"): show.moment(manifest.local(manifest.data.refreshed_at)),
        _("Version of the store"): manifest.data.version,
        _("Made by"): manifest.created_by,
        _("Rapport"): manifest.product,
        _("Personal fields"): manifest.role,
        _("Hash of the data"): manifest.data.content_hash,
        _("Hash of the definitions"): manifest.definitions_hash,
        _("Hash of the content"): manifest.content_hash,
    }
    heads, kinds, rows = source_rows(manifest, show)
    sources = table(list(map(Column, heads, kinds)), rows, _("Sources")) if rows else ""
    title = escape(_("About this report"))
    known = facts({name: text for name, text in pairs.items() if text})
    return (
        f'<section class="page" id="about"><div class="head"><h2>{title}</h2></div>{known}{sources}</section>'
    )


def source_rows(manifest: Manifest, show: Formatter) -> tuple[Texts, Texts, list[Texts]]:
    """What became of the rows of each source: heads, kinds of columns, and a row for each."""
    heads = (_("Source"), _("Read"), _("Accepted"), _("Set aside"), _("Filtered"), _("Merged"))
    rows = []
    for each in manifest.data.sources:
        counts = (each.rows_read, each.accepted, each.quarantined, each.filtered, each.merged)
        rows.append((each.name, *(show.decimal(count, 0) for count in counts)))
    return heads, ("", *("number",) * 5), rows


@cache
def _plotly() -> str:
    """Plotly's own bundle, inlined once."""
    return (
        (files("plotly") / "package_data" / "plotly.min.js")
        .read_text("utf-8")
        .replace("</script", "<\\/script")
    )


@cache
def _own() -> str:
    return _sheet("report.js")


def _sheet(name: str) -> str:
    return (ASSETS / "report" / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return base64.b64encode(sha256(script.encode()).digest()).decode()


def _image(data: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(data).decode()}"


@cache
def _fonts() -> str:
    """The typeface, for Latin script; other scripts take a font of the reader's system."""
    faces = []
    for name, scope in (
        ("latin", "U+0000-00FF,U+2000-206F,U+20AC,U+2122,U+2191,U+2193,U+2212"),
        ("latin-ext", "U+0100-02BA,U+1E00-1E9F,U+20A0-20C0"),
    ):
        data = (ASSETS / "inter" / f"inter-{name}-wght-normal.woff2").read_bytes()
        faces.append(
            "@font-face{font-family:Inter;font-weight:100 900;"
            f"src:url(data:font/woff2;base64,{base64.b64encode(data).decode()}) format('woff2');"
            f"unicode-range:{scope}}}"
        )
    return "".join(faces)
