"""Survey answers as matrices: a row a respondent, a column an item, NaN where there is no answer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.instruments import Finding, Instrument, Scale

Matrix: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Frame: TypeAlias = pl.DataFrame | pl.LazyFrame
UNSCALED: Final = "importance"
"""The part whose answers are points or ratings of weight: neither range-checked nor reversed."""
_ENOUGH: Final = 100


@dataclass(frozen=True)
class Answers:
    """The answers to one instrument.

    `responses` has one row a response, sorted by response_id: response_id, weight (1 where none was given)
    and those of customer_id, customer, answered_at, answered_on, order_id that the rows had. `parts` holds a
    matrix (responses x items) for each part, `points` the 100 points (responses x dimensions), `single` a
    column of answers for each question and each side of a feature. `found` counts what was odd, `strays` the
    codes off the scale of each question as they stand in the source, and `excluded` the responses that the
    instrument's rules left out.
    """

    instrument: Instrument
    responses: pl.DataFrame
    parts: Mapping[str, Matrix]
    points: Matrix
    single: Mapping[str, Matrix]
    found: Mapping[str, int]
    strays: Mapping[str, Mapping[float, int]]
    excluded: Mapping[str, int]

    @property
    def n(self) -> int:
        """Responses that count."""
        return len(self.responses)

    @property
    def weight(self) -> Matrix:
        """Sample weights of the responses."""
        return self.responses["weight"].to_numpy()

    def columns(self, dimension: str) -> list[int]:
        """Positions of a dimension's items in the matrices."""
        at = {code: position for position, code in enumerate(self.instrument.codes)}
        return [at[code] for code in self.instrument.dimensions[dimension].items]

    def where(self, mask: Flags) -> "Answers":
        """The answers of some of the responses."""
        parts, single = (
            {name: values[mask] for name, values in of.items()} for of in (self.parts, self.single)
        )
        responses = self.responses.filter(mask)
        return replace(self, responses=responses, parts=parts, single=single, points=self.points[mask])


def read_answers(survey_answers: Frame, instrument: Instrument) -> Answers:
    """The answers to an instrument, in matrices, cleaned as it says.

    Codes that mean no answer become missing (`blank`); the others are shifted by the scale's offset, and what
    then lies off the scale becomes missing (`off_scale`). Parts and items that the instrument puts on a scale
    of their own are carried over in proportion; reversed items, and all where the low end is the good one,
    are turned. Answers to items that the instrument does not know are left aside (`unknown_item`). An item
    of which 100 or more answers stay below the top while most others reach it was perhaps asked on a shorter
    scale (`narrow_item`). Straight-liners (all answers equal, at least 4), respondents whose expectations are
    all at the top (`ceiling`) and second responses of one customer on one day (`duplicate_respondent`) are
    left out where `exclude` names them. Each is counted in `found`.
    """
    rows = survey_answers.lazy().filter(pl.col("instrument") == instrument.name).collect()
    responses = _responses(rows)
    reader = _Reader(instrument, responses, _located(rows, responses))
    parts: dict[str, Matrix] = {part: reader.scaled(part) for part in instrument.parts}
    points = reader.matrix(UNSCALED, tuple(instrument.dimensions))
    single = reader.single()
    strange = len(rows.filter(~pl.col("item").cast(pl.String).is_in(list(instrument.known))))
    found = {**reader.found, "unknown_item": strange, "narrow_item": _narrow(parts, instrument)}
    return _without(Answers(instrument, responses, parts, points, single, found, reader.strays, {}))


def _responses(rows: pl.DataFrame) -> pl.DataFrame:
    heads = ("customer_id", "customer", "answered_at", "answered_on", "order_id")
    first = [pl.col(name).first() for name in heads if name in rows.columns]
    weight = pl.col("weight").first().fill_null(1.0)
    return rows.group_by("response_id").agg(*first, weight).sort("response_id")


def _located(rows: pl.DataFrame, responses: pl.DataFrame) -> pl.DataFrame:
    """The answers that were given, each with the row of its response: item, part, score, row."""
    places = pl.DataFrame({"response_id": responses["response_id"]}).with_row_index("row")
    given = rows.lazy().filter(pl.col("score").is_not_null()).select("response_id", "item", "part", "score")
    texts = pl.col("item", "part").cast(pl.String).cast(pl.Categorical)
    return given.with_columns(texts).join(places.lazy(), on="response_id").drop("response_id").collect()


class _Reader:
    """Lays answers out in matrices, a plain scatter, and counts what was not on the scale."""

    def __init__(self, instrument: Instrument, responses: pl.DataFrame, located: pl.DataFrame) -> None:
        self.instrument, self.size, self.located = instrument, len(responses), located
        self.found = {"off_scale": 0, "blank": 0}
        self.strays: dict[str, dict[float, int]] = {}

    def matrix(self, part: str, items: tuple[str, ...]) -> Matrix:
        """Scores of one part as they stand in the source."""
        column = pl.DataFrame({"item": items}, schema={"item": pl.String}).with_row_index("column")
        coded = column.with_columns(pl.col("item").cast(pl.Categorical))
        placed = self.located.filter(pl.col("part") == part).join(coded, on="item")
        matrix = np.full((self.size, len(items)), np.nan)
        matrix[placed["row"].to_numpy(), placed["column"].to_numpy()] = placed["score"].to_numpy()
        return matrix

    def scaled(self, part: str) -> Matrix:
        """Scores of one part on the instrument's scale, high is good."""
        codes, of = self.instrument.codes, self.instrument
        matrix = self.matrix(part, codes)
        if part == UNSCALED:
            return matrix
        columns = [
            carried(self._valid(matrix[:, at], of.scale_of(part, code)), of.scale_of(part, code), of.scale)
            for at, code in enumerate(codes)
        ]
        turned = np.isin(codes, of.reversed) ^ (of.scale.better == "low")
        stacked = np.stack(columns, axis=1) if columns else matrix
        return np.where(turned, of.scale.min + of.scale.max - stacked, stacked)

    def single(self) -> dict[str, Matrix]:
        """Answers to questions and features on their own scales, not turned."""
        of = self.instrument
        scales = {code: question.codes for code, question in of.questions.items()}
        for feature in of.features.values():
            scales |= dict.fromkeys((feature.functional, feature.dysfunctional), of.scale)
        matrix = self.matrix("score", tuple(scales))
        single = {code: self._valid(matrix[:, at], scale) for at, (code, scale) in enumerate(scales.items())}
        for at, (code, valid) in enumerate(single.items()):
            lost = np.isnan(valid) & ~np.isnan(matrix[:, at]) & ~np.isin(matrix[:, at], scales[code].blanks)
            values, counts = np.unique(matrix[lost, at], return_counts=True)
            self.strays[code] = dict(zip(values.tolist(), counts.tolist(), strict=True))
        return single

    def _valid(self, codes: Matrix, scale: Scale) -> Matrix:
        blank = np.isin(codes, scale.blanks)
        shifted = np.where(blank, np.nan, codes + scale.offset)
        inside = np.where((shifted >= scale.min) & (shifted <= scale.max), shifted, np.nan)
        self.found["blank"] += int(blank.sum())
        self.found["off_scale"] += int(np.isnan(inside).sum() - np.isnan(shifted).sum())
        return inside


def carried(codes: Matrix, of: Scale, to: Scale) -> Matrix:
    """Codes of one scale on another, in proportion: on 1 to 7, x of 1 to 5 is 1 + 6 (x - 1) / 4."""
    if (of.min, of.max) == (to.min, to.max):
        return codes
    return to.min + (codes - of.min) * (to.max - to.min) / (of.max - of.min)


def _narrow(parts: Mapping[str, Matrix], instrument: Instrument) -> int:
    """Columns that never reach the upper quarter of the scale although most columns do."""
    scored = [matrix for part, matrix in parts.items() if part != UNSCALED]
    if not scored:
        return 0
    every = np.concatenate(scored, axis=1)
    highest = np.nanmax(every, axis=0, initial=-np.inf)
    asked = (~np.isnan(every)).sum(axis=0) >= _ENOUGH
    short = asked & (highest < instrument.scale.max - (instrument.scale.max - instrument.scale.min) / 4)
    return int(short.sum()) if 2 * short.sum() < asked.sum() else 0


def _without(answers: Answers) -> Answers:
    """The answers with odd respondents counted, and left out where the instrument says so."""
    odd = _odd(answers)
    found: dict[str, int] = {**answers.found, **{name: int(mask.sum()) for name, mask in odd.items()}}
    left_out = np.zeros(answers.n, bool)
    excluded: dict[str, int] = {}
    for name in answers.instrument.exclude:
        excluded[name] = int((odd[name] & ~left_out).sum())
        left_out |= odd[name]
    return replace(answers.where(~left_out), found=found, excluded=excluded)


def _odd(answers: Answers) -> dict[Finding, Flags]:
    scored = [matrix for part, matrix in answers.parts.items() if part != UNSCALED]
    every = np.concatenate(scored, axis=1) if scored else np.empty((answers.n, 0))
    top = answers.instrument.scale.max
    expected = answers.parts.get("expectation", np.empty((answers.n, 0)))
    has = answers.responses.columns
    who = "customer" if "customer" in has else "customer_id"
    day = pl.col("answered_on") if "answered_on" in has else pl.col("answered_at").dt.date()
    again = pl.struct(who, day).is_first_distinct().not_() & pl.col(who).is_not_null()
    return {
        "straight_liner": _all_equal(every) & (_answered(every) >= 4),
        "ceiling": _all_equal(expected) & (np.nanmax(expected, axis=1, initial=-np.inf) == top),
        "duplicate_respondent": answers.responses.select(again).to_series().to_numpy(),
    }


def _answered(matrix: Matrix) -> NDArray[np.int64]:
    count: NDArray[np.int64] = (~np.isnan(matrix)).sum(axis=1)
    return count


def _all_equal(matrix: Matrix) -> Flags:
    high = np.nanmax(matrix, axis=1, initial=-np.inf)
    low = np.nanmin(matrix, axis=1, initial=np.inf)
    equal: Flags = high == low
    return equal
