"""The demonstration's survey export: one row an answer, in waves of the panel and after orders."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from connectors.demo.calendar import Floats, Ints, whole
from connectors.demo.files import code
from connectors.demo.orders import DAY, Orders
from connectors.demo.people import BANDS, People
from connectors.demo.survey import DIMENSIONS, ITEMS, OF_ITEM, Answers, Invitations
from connectors.demo.world import World, labels

_KANO = {"A": (0, 1), "O": (0, 4), "M": (1, 4), "I": (2, 2), "R": (4, 0), "Q": (0, 0)}
_KANO_MIX = (0.08, 0.10, 0.08, 0.18, 0.03, 0.01)
"""Shares of the categories of a feature beside the planted one, which gets the rest."""
_ZONE_WAVES, _KANO_WAVES = 4, 2


def export(
    answers: Answers, asked: Invitations, orders: Orders, people: People, world: World, first_order: int
) -> pl.DataFrame:
    """All answers of the block, in the order of responses; a null score is an item left out."""
    heads = _heads(answers, people, world)
    latest = np.unique(answers.wave)
    frames = [
        _invited(asked, answers, people, world),
        _rows(heads, "servqual_1991", "expectation", dict(zip(ITEMS, answers.expectation.T, strict=True))),
        _rows(heads, "servqual_1991", "perception", dict(zip(ITEMS, answers.perception.T, strict=True))),
        _rows(
            heads,
            "servqual_1991",
            "importance",
            dict(zip(DIMENSIONS, answers.points.T, strict=True)),
            blank=-1,
        ),
        _overall(heads, answers, world),
        *_zone(heads.filter(pl.Series(np.isin(answers.wave, latest[-_ZONE_WAVES:]))), answers, latest, world),
        _kano(heads.filter(pl.Series(np.isin(answers.wave, latest[-_KANO_WAVES:]))), world),
        _after_orders(orders, people, world, first_order),
    ]
    return pl.concat(frames, how="diagonal_relaxed").sort("answered", "response", maintain_order=True)


def response_ids(customer: Ints, wave: Ints, people: People) -> pl.Series:
    """Ids of responses: the wave and the customer."""
    frame = pl.DataFrame({"wave": _quarters(wave), "number": people.numbers[customer]})
    return frame.select(pl.format("{}-{}", "wave", pl.col("number").cast(pl.String).str.zfill(7))).to_series()


def _quarters(wave: Ints) -> pl.Series:
    frame = pl.DataFrame({"wave": wave})
    return frame.select(pl.format("{}Q{}", pl.col("wave") // 4, pl.col("wave") % 4 + 1)).to_series()


def _heads(answers: Answers, people: People, world: World) -> pl.DataFrame:
    """Who answered when, one row a response; weights undo the uneven willingness of age bands."""
    rng = world.rng("answered")
    willing = np.array([world.truths.survey.response[band] for band in BANDS])
    weight = np.round(willing.mean() / willing[people.band[answers.customer]], 3)
    minute = answers.day * DAY + rng.integers(9 * 60, 21 * 60, answers.day.size)
    return pl.DataFrame({
        "response": response_ids(answers.customer, answers.wave, people),
        "customer_no": people.numbers[answers.customer],
        "answered": world.history.moments(minute),
        "wave": _quarters(answers.wave),
        "weight": weight,
    })  # fmt: skip


def _rows(
    heads: pl.DataFrame, survey: str, part: str, items: Mapping[str, Ints], blank: int = 0
) -> pl.DataFrame:
    """One row a response and item; the score `blank` is an item left out."""
    frames = [
        heads.with_columns(item=pl.lit(name), score=pl.Series(scores)) for name, scores in items.items()
    ]
    score = pl.when(pl.col("score") != blank).then("score")
    return pl.concat(frames).with_columns(survey=pl.lit(survey), part=pl.lit(part), score=score)


def _invited(asked: Invitations, answers: Answers, people: People, world: World) -> pl.DataFrame:
    """One row an invitation: score 1 when it was answered, 0 when not."""
    response = response_ids(asked.customer, asked.wave, people)
    answered = response.is_in(response_ids(answers.customer, answers.wave, people).implode())
    frame = pl.DataFrame({
        "response": response,
        "customer_no": people.numbers[asked.customer],
        "answered": world.history.moments(asked.day * DAY + 8 * 60),
        "wave": _quarters(asked.wave),
        "weight": 1.0,
    })  # fmt: skip
    return _rows(frame, "invitation", "score", {"invited": answered.cast(pl.Int64).to_numpy()}, blank=-1)


def _overall(heads: pl.DataFrame, answers: Answers, world: World) -> pl.DataFrame:
    """Overall quality, recommendation, satisfaction and the index items, all driven by perceived quality."""
    rng = world.rng("overall")
    seen = np.where(answers.perception > 0, answers.perception, np.nan)
    by_dimension = np.stack(
        [np.nanmean(seen[:, d == OF_ITEM], axis=1) for d in range(len(DIMENSIONS))], axis=1
    )
    weights = answers.points / np.maximum(answers.points.sum(axis=1, keepdims=True), 1)
    quality = np.nansum(weights * by_dimension, axis=1) - 5.5

    def scored(mean: float, slope: float, noise: float, low: int, high: int) -> Ints:
        latent = mean + slope * quality + noise * rng.standard_normal(quality.size)
        return whole(np.clip(latent, low, high))

    overall = _rows(heads, "servqual_1991", "score", {"overall": scored(5.6, 1.0, 0.5, 1, 7)}, blank=-1)
    others = {
        "nps": scored(8.25, 1.6, 1.3, 0, 10),
        "csat": scored(4.2, 0.75, 0.6, 1, 5),
        "acsi_satisfaction": scored(8.1, 1.1, 0.9, 1, 10),
        "acsi_expectancy": scored(7.8, 1.1, 1.0, 1, 10),
        "acsi_ideal": scored(7.4, 1.2, 1.0, 1, 10),
    }
    said = overall.with_columns(comment=_comments(answers, world))
    return pl.concat([said, _rows(heads, "relationship", "score", others, blank=-1)], how="diagonal")


def _comments(answers: Answers, world: World) -> pl.Series:
    """What about a fifth of the respondents write: of the dimension that falls shortest, or kind words."""
    rng, words, size = world.rng("comments"), world.comments, answers.day.size
    lists = [*(words.missed[name] for name in DIMENSIONS), words.pleased]
    offsets = np.cumsum([0, *(len(one) for one in lists)])
    lengths = np.diff(offsets)
    short = np.where(answers.gaps.min(axis=1, initial=0) <= -1, answers.gaps.argmin(axis=1), len(lists) - 1)
    pick = offsets[short] + np.floor(rng.random(size) * lengths[short]).astype(np.int64)
    return labels([text for one in lists for text in one], pick).set(pl.Series(rng.random(size) > 0.22), None)


def _zone(heads: pl.DataFrame, answers: Answers, latest: Ints, world: World) -> list[pl.DataFrame]:
    """The zone of tolerance: minimum, desired and perceived level of each dimension, 1 to 9."""
    rng = world.rng("zone")
    gaps = answers.gaps[np.isin(answers.wave, latest[-_ZONE_WAVES:])]
    least = 5.6 + 0.8 * rng.standard_normal(gaps.shape)
    wish = least + 1.9 + 0.5 * rng.standard_normal(gaps.shape)
    seen = least + 1.3 + 0.9 * gaps + 0.5 * rng.standard_normal(gaps.shape)
    return [
        _rows(heads, "zone_of_tolerance", part, dict(zip(DIMENSIONS, _nine(levels).T, strict=True)))
        for part, levels in (("minimum", least), ("desired", wish), ("perception", seen))
    ]


def _nine(levels: Floats) -> Ints:
    return whole(np.clip(levels, 1, 9))


def _kano(heads: pl.DataFrame, world: World) -> pl.DataFrame:
    """Kano pairs: how it would be with a feature (K1F) and without (K1D), 1 like it to 5 dislike it."""
    rng, items = world.rng("kano"), dict[str, Ints]()
    codes = list(_KANO)
    for feature, planted in world.truths.kano.items():
        mix = np.array(_KANO_MIX)
        mix[codes.index(planted)] += 1 - mix.sum()
        kinds = np.array(list(_KANO.values()))[rng.choice(len(codes), heads.height, p=mix)]
        items |= {f"{feature}F": kinds[:, 0] + 1, f"{feature}D": kinds[:, 1] + 1}
    return _rows(heads, "kano", "score", items)


def _after_orders(orders: Orders, people: People, world: World, first: int) -> pl.DataFrame:
    """Satisfaction (1 to 5) and ease (1 to 7) asked after some orders; a late delivery spoils both."""
    rng, share = world.rng("after orders"), world.truths.survey.after_orders
    asked = orders.known & ~orders.cancelled & (rng.random(orders.size) < share)
    ready = np.where(orders.shipped, orders.delivered, orders.placed) // DAY + rng.integers(1, 6, orders.size)
    row = np.flatnonzero(asked & (ready < world.history.days))
    late = orders.late[row]
    heads = pl.DataFrame({
        "order": row + first,
        "customer_no": people.numbers[orders.customer[row]],
        "answered": world.history.moments(ready[row] * DAY + rng.integers(9 * 60, 21 * 60, row.size)),
        "weight": 1.0,
    }).with_columns(response=code("Q", "order"), order_no=code("A", "order")).drop("order")  # fmt: skip
    pleased = np.where(late, 2.8, 4.4) + 0.8 * rng.standard_normal(row.size)
    ease = np.where(late, 4.2, 5.7) + 1.0 * rng.standard_normal(row.size)
    items = {"csat": whole(np.clip(pleased, 1, 5)), "ces": whole(np.clip(ease, 1, 7))}
    return _rows(heads, "post_purchase", "score", items)
