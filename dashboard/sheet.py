"""What a page shows, as data: a sheet of blocks that reports and snapshots are made of.

Whatever draws on a page says here what it draws, so that a snapshot holds what the page showed, and nothing
has to be written twice. A block is made when somebody asks for it; outside `recorded` nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Any, Final, Literal, cast

import orjson
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

Texts = tuple[str, ...]


class Frozen(BaseModel):
    """A strict, immutable model."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Head(Frozen):
    """The title of a page and the sentence that states its scope."""

    kind: Literal["head"] = "head"
    title: str
    caption: str = ""


class Section(Frozen):
    """A heading within a page."""

    kind: Literal["section"] = "section"
    title: str
    caption: str = ""


class Note(Frozen):
    """A line of text; a `notice` is one that a reader needs before the figures."""

    kind: Literal["note"] = "note"
    text: str
    notice: bool = False


class Number(Frozen):
    """A figure as on its tile, in words, and the number behind the words.

    `metric` is empty for a figure that is no metric. `amount` is exact money as text; `value`, `lower` and
    `upper` are in the unit of the metric. `reason` says why there is no figure.
    """

    label: str
    shown: str
    under: str = ""
    change: str = ""
    tone: str = "flat"
    arrow: str = ""
    against: str = ""
    history: tuple[float | None, ...] = ()
    metric: str = ""
    unit: str = ""
    period: int | None = None
    value: float | None = None
    amount: str | None = None
    n: int | None = None
    lower: float | None = None
    upper: float | None = None
    interval: str | None = None
    reason: str | None = None


class Tiles(Frozen):
    """Figures side by side."""

    kind: Literal["tiles"] = "tiles"
    numbers: tuple[Number, ...]


class Table(Frozen):
    """A table in words. `kinds` names how each column is set: empty, `number`, `code` or `wide`.

    `heat` shades cells from -1 to 1; `missing` counts rows of `frame` that the words leave out.
    """

    kind: Literal["table"] = "table"
    key: str
    title: str
    note: str = ""
    heads: Texts
    kinds: Texts = ()
    rows: tuple[Texts, ...]
    total: Texts | None = None
    heat: tuple[tuple[float | None, ...], ...] = ()
    missing: int = 0
    has_frame: bool = False
    frame: pl.DataFrame | None = Field(None, exclude=True)


class Picture(Frozen):
    """A chart: its finding, the Plotly figure as a plain dict, its table in words and its rows.

    `figure` is None where there was nothing to draw; `otherwise` says why.
    """

    kind: Literal["chart"] = "chart"
    key: str
    title: str
    note: str = ""
    definition: Mapping[str, str] = Field(default_factory=dict)
    heads: Texts = ()
    kinds: Texts = ()
    rows: tuple[Texts, ...] = ()
    figure: dict[str, Any] | None = None
    alt: str = ""
    height: int = 300
    otherwise: str = ""
    has_frame: bool = False
    frame: pl.DataFrame | None = Field(None, exclude=True)


Block = Annotated[Head | Section | Note | Tiles | Table | Picture, Field(discriminator="kind")]

_making: Final[ContextVar[list[Callable[[], Block]] | None]] = ContextVar("making", default=None)


class Sheet:
    """The blocks of one page, in the order in which they were drawn."""

    def __init__(self) -> None:
        self._made: list[Callable[[], Block]] = []

    def blocks(self) -> list[Block]:
        """Every block, made now."""
        return [make() for make in self._made]


@contextmanager
def recorded() -> Iterator[Sheet]:
    """A sheet that fills while a page is drawn."""
    sheet = Sheet()
    token = _making.set(sheet._made)
    try:
        yield sheet
    finally:
        _making.reset(token)


@contextmanager
def aside() -> Iterator[None]:
    """What is drawn meanwhile, such as a drawer over the page, is no part of the page."""
    token = _making.set(None)
    try:
        yield
    finally:
        _making.reset(token)


def record(make: Callable[[], Block]) -> None:
    """Say what is drawn; `make` is called when somebody wants the sheet."""
    making = _making.get()
    if making is not None:
        making.append(make)


def plain(figure: dict[str, Any]) -> dict[str, Any]:
    """A Plotly figure as JSON holds it: arrays as lists, missing values as null."""
    # orjson takes arrays whose numbers lie side by side; slices of others go through a list.
    data = orjson.dumps(figure, option=orjson.OPT_SERIALIZE_NUMPY, default=lambda array: array.tolist())
    return cast(dict[str, Any], orjson.loads(data))
