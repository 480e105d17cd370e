"""Survey answers as matrices: a row a respondent, a column an item, NaN where there is no answer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from metrics.instruments import Finding, Instrument

Matrix: TypeAlias = NDArray[np.float64]
UNSCALED: Final = "importance"
"""The part whose answers are points or ratings of weight: neither range-checked nor reversed."""


@dataclass(frozen=True)
class Answers:
    """The answers to one instrument.

    `responses` has one row a response, sorted by response_id: response_id, customer_id, answered_at, weight
    (1 where none was given). `parts` holds a matrix (responses x items) for each part. `found` counts what
    was odd and `excluded` the responses that the instrument's rules left out.
    """

    instrument: Instrument
    responses: pl.DataFrame
    parts: Mapping[str, Matrix]
    points: Matrix
    found: Mapping[str, int]
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

    def where(self, mask: NDArray[np.bool_]) -> "Answers":
        """The answers of some of the responses."""
        kept = {part: matrix[mask] for part, matrix in self.parts.items()}
        return replace(self, responses=self.responses.filter(mask), parts=kept, points=self.points[mask])


def read_answers(survey_answers: pl.LazyFrame, instrument: Instrument) -> Answers:
    """The answers to an instrument, in matrices, cleaned as it says.

    Codes are shifted by the scale's offset; answers off the scale become missing and are counted
    (`off_scale`); reversed items are turned; answers to items that the instrument does not know are counted
    (`unknown_item`) and left aside; straight-liners (all answers equal over at least 4), respondents whose
    expectations are all at the top (`ceiling`) and second responses of one customer on one day
    (`duplicate_respondent`) are counted, and left out where `exclude` names them.
    """
    rows = survey_answers.filter(pl.col("instrument") == instrument.name).collect()
    responses = _responses(rows)
    matrices: dict[str, Matrix] = {
        part: _matrix(rows, responses, part, instrument.codes) for part in instrument.parts
    }
    scaled = {part: _scaled(matrix, part, instrument) for part, matrix in matrices.items()}
    points = _matrix(rows, responses, UNSCALED, tuple(instrument.dimensions))
    known = {*instrument.codes, *instrument.dimensions}
    off = sum(int(np.isnan(scaled[part]).sum() - np.isnan(matrices[part]).sum()) for part in matrices)
    found = {"off_scale": off, "unknown_item": len(rows.filter(~pl.col("item").is_in(list(known))))}
    return _without(Answers(instrument, responses, scaled, points, found, {}))


def _responses(rows: pl.DataFrame) -> pl.DataFrame:
    first = [pl.col(name).first() for name in ("customer_id", "answered_at")]
    weight = pl.col("weight").first().fill_null(1.0)
    return rows.group_by("response_id").agg(*first, weight).sort("response_id")


def _matrix(rows: pl.DataFrame, responses: pl.DataFrame, part: str, items: tuple[str, ...]) -> Matrix:
    """Scores of one part, dense: a plain scatter, cheaper than a pivot of a million answers."""
    row = pl.DataFrame({"response_id": responses["response_id"]}).with_row_index("row")
    column = pl.DataFrame({"item": items}, schema={"item": pl.String}).with_row_index("column")
    cells = rows.filter(pl.col("part").cast(pl.String) == part, pl.col("score").is_not_null())
    placed = cells.join(row, on="response_id").join(column, on="item")
    matrix = np.full((len(responses), len(items)), np.nan)
    matrix[placed["row"].to_numpy(), placed["column"].to_numpy()] = placed["score"].to_numpy()
    return matrix


def _scaled(matrix: Matrix, part: str, instrument: Instrument) -> Matrix:
    scale = instrument.scale
    if part == UNSCALED:
        return matrix
    shifted = matrix + scale.offset
    valid = np.where((shifted >= scale.min) & (shifted <= scale.max), shifted, np.nan)
    turned = np.isin(instrument.codes, instrument.reversed)
    return np.where(turned, scale.min + scale.max - valid, valid)


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


def _odd(answers: Answers) -> dict[Finding, NDArray[np.bool_]]:
    scored = [matrix for part, matrix in answers.parts.items() if part != UNSCALED]
    every = np.concatenate(scored, axis=1) if scored else np.empty((answers.n, 0))
    top = answers.instrument.scale.max
    expected = answers.parts.get("expectation", np.empty((answers.n, 0)))
    day = pl.col("answered_at").dt.date()
    again = pl.struct("customer_id", day).is_first_distinct().not_() & pl.col("customer_id").is_not_null()
    return {
        "straight_liner": _all_equal(every) & (_answered(every) >= 4),
        "ceiling": _all_equal(expected) & (np.nanmax(expected, axis=1, initial=-np.inf) == top),
        "duplicate_respondent": answers.responses.select(again).to_series().to_numpy(),
    }


def _answered(matrix: Matrix) -> NDArray[np.int64]:
    count: NDArray[np.int64] = (~np.isnan(matrix)).sum(axis=1)
    return count


def _all_equal(matrix: Matrix) -> NDArray[np.bool_]:
    high = np.nanmax(matrix, axis=1, initial=-np.inf)
    low = np.nanmin(matrix, axis=1, initial=np.inf)
    equal: NDArray[np.bool_] = high == low
    return equal
