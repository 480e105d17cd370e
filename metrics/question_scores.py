"""The scores of single questions, each from the answers of an instrument and with its interval."""

from collections.abc import Mapping
from typing import Final, Literal

import numpy as np
import polars as pl
import scipy

from metrics.answers import Answers
from metrics.instruments import Question
from metrics.reasons import Reason
from metrics.survey_scores import (
    Estimate,
    OffScale,
    Scores,
    acsi,
    customer_effort,
    mean_score,
    net_promoter_score,
    promoters,
    top_box,
)

Measure = Literal["nps", "top_box", "top_two_box", "ces", "mean", "acsi"]
SHARES: Final = frozenset({"top_box", "top_two_box"})


def question_scores(answers: Answers, code: str) -> Mapping[Measure, Estimate] | Reason:
    """What a question's kind makes of its answers.

    `nps`: the net promoter score; codes off the scale stop it with a question unless the instrument drops
    them. `csat`: the share of the best code and, apart from it, of the two best; and the mean. `ces`: the
    mean, turned so that more is easier, and the share of the three easiest codes under `top_box`. Others: the
    mean.
    """
    question = answers.instrument.questions[code]
    return _scored(question, answers.single[code], answers.strays.get(code, {}))


def _scored(
    question: Question, codes: Scores, strays: Mapping[float, int]
) -> Mapping[Measure, Estimate] | Reason:
    scale = question.codes
    match question.kind:
        case "nps":
            if strays and question.off_scale == "refuse":
                return Reason("off_scale", str(OffScale(strays, int(scale.min), int(scale.max))))
            return {"nps": net_promoter_score(promoters(codes, off_scale="drop"))}
        case "csat":
            good = codes if scale.better == "high" else scale.min + scale.max - codes
            boxes: dict[Measure, Estimate] = {
                "top_box": top_box(good, scale.max),
                "top_two_box": top_box(good, scale.max, 2),
            }
            return boxes | {"mean": mean_score(good)}
        case "ces":
            low, high = scale.min, scale.max
            easy = codes if scale.better == "high" else low + high - codes
            mean = customer_effort(codes, easy=scale.better, low=low, high=high)
            return {"ces": mean, "top_box": top_box(easy, high, 3)}
        case _:
            return {"mean": mean_score(codes)}


def satisfaction_index(answers: Answers) -> Estimate | None:
    """The index of an instrument's three `acsi` questions; None where it does not ask three.

    Answers are taken to 1 to 10 in proportion where they were asked on another scale.
    """
    codes = answers.instrument.questions_of("acsi")
    if len(codes) != 3:
        return None
    questions = [answers.instrument.questions[code] for code in codes]
    columns = [
        1 + 9 * (answers.single[code] - of.codes.min) / (of.codes.max - of.codes.min)
        for code, of in zip(codes, questions, strict=True)
    ]
    return acsi(np.stack(columns, axis=1), np.array([question.weight for question in questions]))


def score_trend(answers: Answers, code: str, measure: Measure, periods: pl.Series) -> pl.DataFrame:
    """A score in each period with answers: period, n, value, lower, upper, se; sorted. Empty when refused."""
    rows = []
    for period in periods.unique().sort():
        inside = answers.where((periods == period).to_numpy())
        found = satisfaction_index(inside) if measure == "acsi" else None
        scores = {} if measure == "acsi" else question_scores(inside, code)
        if isinstance(scores, Reason):
            break
        estimate = found or scores.get(measure)
        if estimate is not None and estimate.value is not None:
            rows.append({"period": period, **estimate._asdict()})
    floats = dict.fromkeys(("value", "lower", "upper", "se"), pl.Float64)
    return pl.DataFrame(rows, schema={"period": pl.Int32, "n": pl.Int64, **floats})


def change_p(before: Estimate, after: Estimate, measure: Measure) -> float | None:
    """The p-value of a change of a score: z test of two scores, of two shares by their own variances.

    Null where one of them has no spread.
    """
    if before.value is None or after.value is None:
        return None
    total = float(np.hypot(_error(before, measure), _error(after, measure)))
    return float(2 * scipy.stats.norm.sf(abs(after.value - before.value) / total)) if total else None


def _error(each: Estimate, measure: Measure) -> float:
    if measure in SHARES and each.value is not None:
        return float(np.sqrt(each.value * (1 - each.value) / each.n)) if each.n else 0.0
    return each.se or 0.0
