"""Their columns to ours: expressions over whole columns, with what can be wrong in every row.

A `Plan` is lazy: nothing is read but a sample where a form has to be found out. Its rows carry our values,
the filter that drops a row, a flag for each way in which the row may be at fault, and one for each repair.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from config.errors import suggestion
from config.expressions import ExpressionError, Kind, column_kinds, compile_expression
from config.model import Project
from connectors.errors import SourceError, SourceErrors
from connectors.kinds import ROW_NUMBER, ColumnMap, Mapped, Source
from connectors.raw import ROW, Raw
from connectors.reading import INSTANT, PLAIN, TYPES, Reader, Target, theirs
from connectors.steps import Steps
from connectors.tables import DEFAULTS, TABLES, dtypes, facts
from connectors.values import EXACT, Parsed

DROP: Final = "(drop)"
"""Column of planned rows: 0, or the place (from 1) of the filter that drops the row."""

_NAME: Final = re.compile(r"[^\W\d][\w ]*")
_AHEAD: Final = frozenset({"promised_at", "started_on", "ended_on"})
"""Columns that may lie in the future."""

_OPERANDS: Final[dict[Kind, Target]] = {
    "text": Target(pl.String()),
    "number": Target(EXACT, exact=True),
    "condition": Target(pl.Boolean()),
    "date": Target(pl.Date()),
    "time": Target(INSTANT),
}
"""What a column becomes within an expression."""


class Check(NamedTuple):
    """One way in which a row may be at fault: the column that shows it and the reason that is told."""

    column: str
    reason: str


class _Expression(NamedTuple):
    text: str
    where: str
    kind: Kind


@dataclass(frozen=True)
class Plan:
    """How the rows of a source become rows of a table.

    `applied` gives, for raw rows, ROW, `DROP`, our columns (`ours:name`), a flag for every check (`check:0`)
    and the number of repaired cells of every kind (`repair:0`), in their order; `rows` are those of all rows
    of the source. What became of a row depends on no other one but through `notes`, which say what was filled
    in, and in what form the columns were found to be written. `subjects` names the columns that show ours:
    theirs where one of theirs is taken as it is.
    """

    applied: Callable[[pl.LazyFrame], pl.LazyFrame]
    rows: pl.LazyFrame
    columns: tuple[str, ...]
    checks: tuple[Check, ...]
    drops: tuple[str, ...]
    repairs: tuple[str, ...]
    subjects: Mapping[str, str]
    notes: tuple[str, ...] = ()


def plan(raw: Raw, source: Source, project: Project, now: datetime) -> Plan:
    """How the raw rows of a source become rows of its table.

    Raises SourceErrors with everything in which the mapping does not fit the columns that are there.
    """
    return _Mapper(raw, source, project, now).plan()


@dataclass
class _Mapper:
    raw: Raw
    source: Source
    project: Project
    now: datetime
    steps: Steps = field(default_factory=Steps)
    checks: list[tuple[Check, pl.Expr]] = field(default_factory=list)
    repairs: dict[str, list[pl.Expr]] = field(default_factory=dict)
    faults: list[SourceError] = field(default_factory=list)
    subjects: dict[str, str] = field(default_factory=dict)

    def plan(self) -> Plan:
        self._name_operands()
        drop = self._drop()
        ours = self._ours()
        if self.faults:
            raise SourceErrors(self.faults)
        flags = [bad.fill_null(value=False).alias(f"check:{at}") for at, (_, bad) in enumerate(self.checks)]
        repairs = [
            pl.sum_horizontal(conditions).fill_null(0).cast(pl.UInt16).alias(f"repair:{at}")
            for at, conditions in enumerate(self.repairs.values())
        ]
        values = [expr.alias(f"ours:{name}") for name, expr in ours.items()]
        raw = [pl.col(name).alias(theirs(name)) for name in self.raw.columns]

        def applied(rows: pl.LazyFrame) -> pl.LazyFrame:
            named = rows.select(ROW, *raw)
            return self.steps.applied(named).select(ROW, drop.alias(DROP), *values, *flags, *repairs)

        return Plan(
            applied,
            applied(self.raw.frame),
            tuple(ours),
            tuple(check for check, _ in self.checks),
            tuple(one.reason for one in self.source.filters),
            tuple(self.repairs),
            self.subjects,
            self._notes,
        )

    @contextmanager
    def _collecting(self, where: str) -> Iterator[None]:
        """Keeps the faults of one column, so that all of them are told at once."""
        place = f"source `{self.source.name}`, {where}"
        try:
            yield
        except ExpressionError as error:
            self.faults.append(SourceError(place, error.fault, error.remedy))
        except SourceError as error:
            self.faults.append(SourceError(place, error.fault, error.remedy, retryable=error.retryable))

    # What is asked for

    @cached_property
    def _targets(self) -> dict[str, tuple[Target, Mapped]]:
        """Our columns with their types and what each is made of."""
        types = dtypes(self.source.table) if self.source.table else {}
        made = {name: (self._target(name), mapped) for name, mapped in self.source.columns.items()}
        numbered = (n for n in DEFAULTS.get(self.source.table, {}) if n not in made and types[n] == pl.String)
        made |= {name: (self._target(name), ROW_NUMBER) for name in numbered}
        kept = {name: (self._kept(one), one) for name, one in self.source.kept.items()}
        return {**made, **kept}

    def _target(self, name: str) -> Target:
        return Target(dtypes(self.source.table)[name], id=facts(self.source.table, name).get("unit") == "id")

    def _kept(self, made: str | ColumnMap) -> Target:
        """The type of an attribute: the one that is said, else text, or what a typed file gives."""
        return _said(made) or _like(self.raw.columns.get(_written(made), pl.String()))

    @cached_property
    def _expressions(self) -> list[_Expression]:
        """The expressions whose columns are all there, each with the kind of value that is wanted."""
        asked = [_Expression(one.drop, f"filter `{one.reason}`", "condition") for one in self.source.filters]
        asked += [
            _Expression(_written(made), f"column `{name}`", _kind(target.dtype))
            for name, (target, made) in self._targets.items()
            if self._is_expression(made)
        ]
        return [one for one in asked if self._sound(one)]

    def _is_expression(self, made: Mapped) -> bool:
        return not _constant(made) and _written(made) not in (*self.raw.columns, ROW_NUMBER)

    def _sound(self, one: _Expression) -> bool:
        before = len(self.faults)
        with self._collecting(one.where):
            try:
                column_kinds(one.text, list(self.raw.columns))
            except ExpressionError as error:
                if not _NAME.fullmatch(one.text):
                    raise
                # Words alone are more likely the name of a column than a condition such as `id IS NULL`.
                fault, remedy = f"there is no column `{one.text}`", suggestion(one.text, self.raw.columns)
                raise SourceError(one.where, fault, remedy) from error
        return len(self.faults) == before

    # What expressions are made of

    @cached_property
    def _kinds(self) -> dict[str, Kind]:
        """What every column is within expressions; text where one of them asks for text."""
        kinds: dict[str, Kind] = {}
        for one in self._expressions:
            asked = column_kinds(one.text, list(self.raw.columns))
            used = compile_expression(one.text, dict.fromkeys(self.raw.columns, pl.Unknown())).columns
            for name in used:
                kind = asked.get(name) or self._natural(name, one.kind)
                kinds[name] = "text" if kinds.get(name, kind) != kind else kind
        return kinds

    def _natural(self, name: str, wanted: Kind) -> Kind:
        """The kind of a column whose use leaves it open: its own, and for text the one that is wanted."""
        dtype = self.raw.columns[name]
        if dtype == pl.String:
            return wanted if wanted in ("number", "date", "time") else "text"
        if wanted == "text":
            return "text"
        kind = _kind(dtype)
        return kind if kind in _OPERANDS else "text"

    def _name_operands(self) -> None:
        """Sets the columns of expressions beside theirs: as text, exact numbers, times or conditions."""
        for name, kind in self._kinds.items():
            with self._collecting(f"column `{name}`"):
                self.steps.name(name, self._noted(self._reader.cell(name, _OPERANDS[kind]), name))

    @cached_property
    def _reader(self) -> Reader:
        numbers = {name for name, kind in self._kinds.items() if kind == "number"}
        direct = {_written(made) for target, made in self._targets.values() if target.number}
        numeric = frozenset(n for n in numbers | direct if self.raw.columns.get(n) == pl.String)
        return Reader(self.raw, self.source, self.project, self.steps, numeric)

    def _compiled(self, text: str, kind: Kind | None = None) -> tuple[pl.Expr, pl.DataType]:
        scope = {name: _OPERANDS[self._kinds.get(name, "text")].dtype for name in self.raw.columns}
        compiled = compile_expression(text, scope, kind=kind)
        return self.steps(compiled.expr), compiled.dtype

    def _drop(self) -> pl.Expr:
        sound = {one.where for one in self._expressions}
        drop = pl.lit(0, pl.UInt16)
        for at, one in reversed([*enumerate(self.source.filters, 1)]):
            if f"filter `{one.reason}`" not in sound:
                continue
            with self._collecting(f"filter `{one.reason}`"):
                condition, _ = self._compiled(one.drop, "condition")
                drop = pl.when(condition).then(pl.lit(at, pl.UInt16)).otherwise(drop)
        return drop

    # Our columns

    def _ours(self) -> dict[str, pl.Expr]:
        ours: dict[str, pl.Expr] = {}
        sound = {one.where for one in self._expressions}
        for name, (target, made) in self._targets.items():
            if self._is_expression(made) and f"column `{name}`" not in sound:
                continue
            with self._collecting(f"column `{name}`"):
                ours |= self._our(name, target, made)
        return {**ours, **self._returns(ours)}

    def _our(self, name: str, target: Target, made: Mapped) -> dict[str, pl.Expr]:
        parsed, subject = self._mapped(name, target, made)
        self.subjects[name] = subject
        value = self._noted(parsed, subject)
        self._check_limits(name, value, subject)
        if name == "ordered_at" and self.source.table == "order_lines" and parsed.day is not None:
            return {name: value, "ordered_on": parsed.day}
        return {name: value}

    def _mapped(self, name: str, target: Target, made: Mapped) -> tuple[Parsed, str]:
        """The values of one of our columns, and the name of the column that shows its faults."""
        how, text = (made if isinstance(made, ColumnMap) else PLAIN), _written(made)
        if _constant(made):
            return self._reader.computed(pl.lit(text), pl.String(), target, name, how), name
        if text in self.raw.columns:
            return self._reader.cell(text, target, how), text
        if text == ROW_NUMBER:
            number = pl.col(ROW).cast(pl.Int64) + 1
            return self._reader.computed(number, pl.Int64(), target, name, how), name
        expr, dtype = self._compiled(text)
        if name in self.source.kept:
            target = _said(made) or _like(dtype)
        return self._reader.computed(expr, dtype, target, name, how), name

    def _noted(self, parsed: Parsed, column: str) -> pl.Expr:
        self.checks += [(Check(column, reason), bad) for reason, bad in parsed.faults]
        for what, where in parsed.repairs:
            self.repairs.setdefault(what, []).append(where)
        return self.steps(parsed.expr)

    def _check_limits(self, name: str, value: pl.Expr, subject: str) -> None:
        """What the table asks of a column: not empty, not below its least value, not in the future."""
        column = TABLES[self.source.table].columns().get(name)
        if column is None:
            return
        if not column.nullable:
            self.checks.append((Check(subject, f"`{subject}` is empty"), value.is_null()))
        least = getattr(column, "min", None)
        if least is not None:
            self.checks.append((Check(subject, f"`{subject}` is below {least:g}"), value < least))
        if name not in _AHEAD and column.dtype.is_temporal():
            latest = self.now if column.dtype == INSTANT else self._today
            self.checks.append((Check(subject, f"`{subject}` is in the future"), value > latest))

    @property
    def _today(self) -> date:
        return self.now.astimezone(ZoneInfo(self.project.timezone)).date()

    @property
    def _notes(self) -> tuple[str, ...]:
        given = {*self.source.columns}
        defaults = DEFAULTS.get(self.source.table, {})
        filled = (f"`{name}`: {words}" for name, words in defaults.items() if name not in given)
        return (*dict.fromkeys(self._reader.notes), *filled)

    def _returns(self, ours: dict[str, pl.Expr]) -> dict[str, pl.Expr]:
        """Whether a line is a return: as mapped, else a negative amount. No return has a positive one."""
        if self.source.table != "order_lines" or "net_amount" not in ours:
            return {}
        amount = ours["net_amount"]
        if "is_return" not in self.source.columns:
            return {"is_return": (amount < 0).fill_null(value=False)}
        if "is_return" in ours:
            check = Check(self.subjects["net_amount"], "a return with a positive amount")
            self.checks.append((check, ours["is_return"] & (amount > 0)))
        return {}


def _written(made: Mapped) -> str:
    """What stands in the file: a name, an expression or a constant, as text."""
    if isinstance(made, ColumnMap):
        return made.source
    return str(made).lower() if isinstance(made, bool) else str(made)


def _said(made: Mapped) -> Target | None:
    """The type that is said of an attribute."""
    return Target(TYPES[made.type]) if isinstance(made, ColumnMap) and made.type else None


def _like(dtype: pl.DataType) -> Target:
    """The type in which an attribute is kept whose values have this one."""
    if dtype.is_numeric():
        return Target(pl.Int64() if dtype.is_integer() else pl.Float64())
    if dtype == pl.Datetime:
        return Target(INSTANT)
    return Target(dtype if dtype in (pl.Date, pl.Boolean) else pl.String())


def _constant(made: Mapped) -> bool:
    return not isinstance(made, str | ColumnMap)


def _kind(dtype: pl.DataType) -> Kind:
    if dtype.is_numeric():
        return "number"
    kinds: dict[object, Kind] = {pl.Boolean: "condition", pl.Date: "date", pl.Datetime: "time"}
    return kinds.get(dtype.base_type(), "text")
