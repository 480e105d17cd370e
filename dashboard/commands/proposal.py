"""A `sources.yaml` proposed from a file: what its columns' names say, and comments for what they do not."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from unicodedata import normalize

import polars as pl

from connectors.files import read_files
from connectors.kinds import CsvSource, ExcelSource, FileSource, ParquetSource
from connectors.raw import ROW
from connectors.tables import facts
from dashboard.commands.terminal import CannotRun

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    ours: tuple(known.split())
    for ours, known in {
        "order_id": "order_id order_no order_number order invoice_no invoice_id invoice_number invoice"
        " transaction_id receipt_no receipt basket_id ticket_id",
        "line_id": "line_id line_no line_number line order_item_id item_no position",
        "customer_id": "customer_id customer_no customer_number customer client_id client user_id user"
        " buyer_id buyer member_id account_id customer_email email",
        "ordered_at": "ordered_at ordered_on order_date order_time order_datetime invoice_date purchase_date"
        " purchased_at transaction_date created_at date_time datetime timestamp date time",
        "net_amount": "net_amount line_total net_total total_price total_amount net_sales sales revenue"
        " amount total paid turnover value",
        "quantity": "quantity qty units count pieces",
        "product_id": "product_id sku stock_code item_id article_no product_code product",
        "category": "category product_category department item_category",
        "status": "status order_status",
        "channel": "channel sales_channel order_channel source",
        "cost": "cost line_cost cost_of_goods cogs",
        "discount": "discount discount_amount rebate",
    }.items()
}
"""Names under which our columns are known, the most telling first; case and punctuation do not count."""

PRICES: Final = ("unit_price", "price", "price_each", "item_price", "list_price")
NEEDED: Final = ("order_id", "customer_id", "ordered_at", "net_amount")
KINDS: Final[Mapping[str, type[FileSource]]] = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), CsvSource),
    **dict.fromkeys((".parquet", ".pq"), ParquetSource),
    **dict.fromkeys((".xlsx", ".xlsm", ".xls"), ExcelSource),
}
_DAYS: Final = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(.*)")
_PLAIN: Final = re.compile(r"[A-Za-z_]\w*")

SOURCES: Final = """\
# Where the data comes from and how its columns become ours. Check it with `rapport check`.
sources:
  - name: orders
    table: order_lines
    kind: {kind}
    location: {location}
    columns:
{columns}{attributes}
"""


@dataclass(frozen=True)
class Proposal:
    """How a file's columns may map to ours: expressions by our name, and the columns left over."""

    columns: Mapping[str, str]
    rest: tuple[str, ...]
    dates: Sequence[str]

    @property
    def missing(self) -> tuple[str, ...]:
        """The columns without which nothing can be loaded, and for which none was found."""
        return tuple(name for name in ("ordered_at", "net_amount") if name not in self.columns)


def propose(sample: Path) -> Proposal:
    """What the names of a file's columns say. Raises SourceError when the file cannot be read."""
    frame = _sample(sample)
    found = {ours: theirs for ours, known in NAMES.items() if (theirs := _named(frame.columns, known))}
    used = set(found.values())
    columns = dict(found)
    price = _named(frame.columns, PRICES)
    if "net_amount" not in found and "quantity" in found and price:
        columns["net_amount"] = f"{_quoted(found['quantity'])} * {_quoted(price)}"
        used.add(price)
    dates = frame[found["ordered_at"]].cast(pl.String).drop_nulls().to_list() if "ordered_at" in found else []
    return Proposal(columns, tuple(name for name in frame.columns if name not in used), dates)


def _sample(path: Path) -> pl.DataFrame:
    source = _kind(path).model_validate({"name": "orders", "kind": _kind_name(path), "location": path.name})
    with TemporaryDirectory() as workdir:
        return (
            read_files(source, path.parent, Path(workdir)).frame.drop(ROW, strict=False).head(1000).collect()
        )


def _kind(path: Path) -> type[FileSource]:
    try:
        return KINDS[path.suffix.lower()]
    except KeyError:
        message = f"`{path}`: unknown kind of file. Known: {', '.join(KINDS)}"
        raise CannotRun(message) from None


def _kind_name(path: Path) -> str:
    return {CsvSource: "csv", ParquetSource: "parquet", ExcelSource: "excel"}[_kind(path)]


def _named(columns: Iterable[str], known: Sequence[str]) -> str | None:
    """The column whose name is the first of the known ones, however it is written."""
    written = {_folded(name): name for name in reversed(list(columns))}
    return next((written[_folded(name)] for name in known if _folded(name) in written), None)


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", normalize("NFKD", name).casefold())


def _quoted(name: str) -> str:
    """A column's name within an expression."""
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def sources_text(proposal: Proposal, sample: Path, folder: Path) -> str:
    """The proposed `sources.yaml`, with a comment for whatever a person has to decide."""
    lines = "".join(f"      {line}\n" for line in _column_lines(proposal))
    return SOURCES.format(
        kind=_kind_name(sample),
        location=_scalar(_relative(sample, folder)),
        columns=lines,
        attributes=_attributes(proposal.rest),
    ).rstrip() + "\n"  # fmt: skip


def _relative(sample: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(sample, folder)).as_posix()
    except ValueError:  # another drive on Windows
        return sample.as_posix()


def _column_lines(proposal: Proposal) -> Iterator[str]:
    for ours in NAMES:
        theirs = proposal.columns.get(ours)
        if theirs is not None:
            yield f"{ours}: {_mapping(ours, theirs, proposal.dates)}"
        elif ours == "order_id":
            yield "order_id: row_number      # nothing looks like an order number: every row is an order"
        elif ours in NEEDED:
            yield f"# {ours}: ?      # {facts('order_lines', ours)['description']}"


def _mapping(ours: str, theirs: str, dates: Sequence[str]) -> str:
    form = _ambiguous_form(dates) if ours == "ordered_at" else None
    if form is None:
        return _scalar(theirs)
    return (
        f'{{from: {_scalar(theirs)}, formats: ["{form}"]}}      # or is the month first? Then swap %d and %m'
    )


def _ambiguous_form(dates: Sequence[str]) -> str | None:
    """A format, day first, when the dates do not show whether the day or the month comes first."""
    matches = [match for value in dates if (match := _DAYS.fullmatch(value))]
    if not matches or len(matches) < len(dates):
        return None
    if max(int(match[part]) for match in matches for part in (1, 3)) > 12:
        return None
    mark, time = matches[0][2], matches[0][5]
    clock = {0: "", 1: " %H:%M", 2: " %H:%M:%S"}[time.count(":")]
    return f"%d{mark}%m{mark}%Y{clock}"


def _scalar(text: str) -> str:
    """A text as YAML, quoted where YAML would read something else."""
    if re.fullmatch(r"[^\W\d_][\w ./*-]*", text) and text == text.strip() and " #" not in text:
        return text
    return "'" + text.replace("'", "''") + "'"


def _attributes(rest: Sequence[str]) -> str:
    if not rest:
        return ""
    listed = ", ".join(map(_scalar, rest))
    return f"    # Further columns, to filter and to compare by:\n    # attributes: [{listed}]"
