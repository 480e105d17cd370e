"""The demonstration's customers: who they are, when they came, and at which hidden rates they buy and leave."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from connectors.demo_calendar import Floats, History, Ints
from connectors.demo_truths import Culture, Names, Truths

_BANDS = ("18-24", "25-34", "35-44", "45-54", "55-64", "65+")
_BAND_SHARES = {
    "store": (0.06, 0.15, 0.20, 0.22, 0.20, 0.17),
    "web": (0.09, 0.24, 0.26, 0.20, 0.13, 0.08),
    "app": (0.20, 0.34, 0.24, 0.13, 0.06, 0.03),
    "marketplace": (0.14, 0.28, 0.25, 0.18, 0.10, 0.05),
    "referral": (0.10, 0.24, 0.26, 0.20, 0.12, 0.08),
}
_TYPES = {"Single": 0.27, "Couple": 0.30, "Family": 0.36, "Home office": 0.07}
_FOLDED = str.maketrans("łŁø\u0131", "lLoi") | {ord("ß"): "ss"}
_MAILS = ("example.com", "example.org", "example.net")


@dataclass(frozen=True)
class People:
    """A block of customers: attributes as codes, hidden rates per day, days as numbers of the history."""

    offset: int  # customers of earlier blocks
    segment: Ints
    region: Ints
    band: Ints
    kind: Ints
    joined: Ints
    ordered: NDArray[np.bool_]  # whether they ever order
    rate: Floats  # orders per day while alive
    lives: Floats  # days from the first order to dropout
    worth: Floats  # nu: the rate of the gamma from which the values of orders come

    @property
    def size(self) -> int:
        """Customers of the block."""
        return self.segment.size

    def numbers(self) -> Ints:
        """Running number of every customer over all blocks, from 1."""
        return self.offset + 1 + np.arange(self.size)


def people(size: int, offset: int, history: History, truths: Truths, rng: np.random.Generator) -> People:
    """A block of customers with their hidden rates."""
    of = truths.of_segments
    segment = rng.choice(len(truths.segments), size, p=of("share"))
    regions = np.array(list(truths.regions.values()))
    rate = rng.gamma(of("r")[segment]) / of("alpha")[segment] / 7
    dropout = rng.gamma(of("s")[segment]) / of("beta")[segment] / 7
    return People(
        offset=offset,
        segment=segment,
        region=rng.choice(regions.size, size, p=regions),
        band=_bands(segment, truths, rng),
        kind=rng.choice(len(_TYPES), size, p=list(_TYPES.values())),
        joined=_arrivals(size, history, truths, rng),
        ordered=rng.random(size) >= truths.acquisition.never_ordered,
        rate=rate,
        lives=rng.standard_exponential(size) / np.maximum(dropout, 1e-12),
        worth=rng.gamma(of("q")[segment]) / of("v")[segment],
    )


def _bands(segment: Ints, truths: Truths, rng: np.random.Generator) -> Ints:
    limits = np.cumsum([_BAND_SHARES[name] for name in truths.segments], axis=1)[:, :-1]
    return np.asarray((rng.random((segment.size, 1)) > limits[segment]).sum(axis=1), dtype=np.int64)


def _arrivals(size: int, history: History, truths: Truths, rng: np.random.Generator) -> Ints:
    growth = truths.acquisition.daily_growth ** (np.arange(history.days) / history.days)
    weights = growth * history.seasonal(truths.acquisition.monthly)
    return np.sort(rng.choice(history.days, size, p=weights / weights.sum()))


def table(
    people: People, history: History, truths: Truths, names: Names, rng: np.random.Generator
) -> pl.DataFrame:
    """The customers file: one row a customer, in the order of their numbers."""
    ahead = np.where(people.ordered & (rng.random(people.size) < 0.08), rng.integers(1, 6, people.size), 0)
    host = rng.integers(0, len(_MAILS), people.size)
    return pl.DataFrame({
        "customer_no": people.numbers(),
        "registered_on": history.dates[np.maximum(people.joined - ahead, 0)],
        **_called(people.size, names, rng),
        "host": labels(_MAILS, host),
        "region": labels(truths.regions, people.region),
        "acquired_by": labels(truths.segments, people.segment),
        "age_band": labels(_BANDS, people.band),
        "household": labels(_TYPES, people.kind),
    }).with_columns(email=pl.format("{}{}@{}", "email", "customer_no", "host")).drop("host")  # fmt: skip


def labels(names: Iterable[str], codes: Ints) -> pl.Series:
    """The names at these codes."""
    return pl.Series(list(names), dtype=pl.String).gather(codes)


def _called(size: int, names: Names, rng: np.random.Generator) -> dict[str, pl.Series]:
    spelled = [_spellings(culture) for culture in names.cultures]
    weights = np.concatenate(
        [[c.share / len(s)] * len(s) for c, s in zip(names.cultures, spelled, strict=True)]
    )
    pick = rng.choice(weights.size, size, p=weights / weights.sum())
    written, latin = zip(*(pair for culture in spelled for pair in culture), strict=True)
    return {"name": labels(written, pick), "email": labels(latin, pick)}


def _spellings(culture: Culture) -> list[tuple[str, str]]:
    """Every full name of a culture, as written and as the local part of an e-mail address."""
    pairs = [(given, family) for given in culture.given for family in culture.family]
    if culture.joined:
        return [(f"{f}{g}", f"{culture.script[g]}.{culture.script[f]}") for g, f in pairs]
    return [(f"{g} {f}", f"{_latin(g)}.{_latin(f)}") for g, f in pairs]


def _latin(name: str) -> str:
    folded = name.translate(_FOLDED)
    plain = unicodedata.normalize("NFKD", folded).encode("ascii", "ignore").decode()
    return plain.replace("'", "").lower()
