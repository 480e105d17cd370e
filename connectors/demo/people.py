"""The demonstration's customers: who they are, when they came, how often they buy and when they leave."""

import unicodedata
from dataclasses import dataclass

import numpy as np
import polars as pl

from connectors.demo.calendar import Flags, Floats, Ints
from connectors.demo.truths import Culture, December, Names, Outage
from connectors.demo.world import World, labels

BANDS = ("18-24", "25-34", "35-44", "45-54", "55-64", "65+")
_BAND_SHARES = {
    "store": (0.06, 0.15, 0.20, 0.22, 0.20, 0.17),
    "web": (0.09, 0.24, 0.26, 0.20, 0.13, 0.08),
    "app": (0.20, 0.34, 0.24, 0.13, 0.06, 0.03),
    "marketplace": (0.14, 0.28, 0.25, 0.18, 0.10, 0.05),
    "referral": (0.10, 0.24, 0.26, 0.20, 0.12, 0.08),
}
_HOUSEHOLDS = {"Single": 0.27, "Couple": 0.30, "Family": 0.36, "Home office": 0.07}
_FOLDED = str.maketrans("łŁø\u0131", "lLoi") | {ord("ß"): "ss"}
_HOSTS = ("example.com", "example.org", "example.net")


@dataclass(frozen=True)
class People:
    """A block of customers: attributes as codes, hidden rates per day, days as numbers of the history.

    `ordered` tells who ever orders, `december` and `outage` who belongs to these planted groups, `panel` who
    agreed to be surveyed. `rate` counts orders a day while alive, `lives` the days from the first to dropout.
    `worth` is nu, the rate of the gamma from which the values of a customer's orders come.
    """

    numbers: Ints
    segment: Ints
    region: Ints
    band: Ints
    household: Ints
    joined: Ints
    ordered: Flags
    panel: Flags
    december: Flags
    outage: Flags
    rate: Floats
    lives: Floats
    worth: Floats

    @property
    def size(self) -> int:
        """Customers of the block."""
        return self.segment.size


def people(world: World, size: int) -> People:
    """A block of `size` customers with their hidden rates, in the order of joining."""
    of, rng = world.truths.of_segments, world.rng("people")
    segment = rng.choice(len(world.truths.segments), size, p=of("share"))
    december, outage = _planted(segment, world)
    joined = _joined(december, outage, world)
    order = np.argsort(joined, kind="stable")
    segment, december, outage, joined = segment[order], december[order], outage[order], joined[order]
    regions = np.array(list(world.truths.regions.values()))
    return People(
        numbers=np.arange(size) + world.offset + 1,
        segment=segment,
        region=rng.choice(regions.size, size, p=regions),
        band=_bands(segment, world, rng),
        household=rng.choice(len(_HOUSEHOLDS), size, p=list(_HOUSEHOLDS.values())),
        joined=joined,
        ordered=(rng.random(size) >= world.truths.acquisition.never_ordered) | december | outage,
        panel=(rng.random(size) < consent(world)) & ~december & ~outage,
        december=december,
        outage=outage,
        rate=rng.gamma(of("r")[segment]) / of("alpha")[segment] / 7,
        lives=rng.standard_exponential(size) / np.maximum(_dropout(segment, world, rng), 1e-12),
        worth=rng.gamma(of("q")[segment]) / of("v")[segment] / _value(december, world),
    )


def _dropout(segment: Ints, world: World, rng: np.random.Generator) -> Floats:
    of = world.truths.of_segments
    return rng.gamma(of("s")[segment]) / of("beta")[segment] / 7


def consent(world: World) -> float:
    """Share of customers in the research panel."""
    plan = world.truths.survey
    return min(plan.consent, plan.most / world.customers)


def _planted(segment: Ints, world: World) -> tuple[Flags, Flags]:
    """Members of the December and of the outage group: so many of all customers, from their segments."""
    rng, truths = world.rng("planted"), world.truths
    flags: list[Flags] = []
    plans: tuple[December | Outage, ...] = (truths.december, truths.outage)
    for plan in plans:
        within = np.isin(segment, world.segments(plan.segments))
        share = plan.share / sum(truths.segments[name].share for name in plan.segments)
        flags.append(within & (rng.random(segment.size) < share))
    return flags[0] & bool(world.history.decembers().size), flags[1] & ~flags[0]


def _value(december: Flags, world: World) -> Floats:
    return np.where(december, world.truths.december.value, 1.0)


def _bands(segment: Ints, world: World, rng: np.random.Generator) -> Ints:
    limits = np.cumsum([_BAND_SHARES[name] for name in world.truths.segments], axis=1)[:, :-1]
    return np.asarray((rng.random((segment.size, 1)) > limits[segment]).sum(axis=1), dtype=np.int64)


def _joined(december: Flags, outage: Flags, world: World) -> Ints:
    """The day on which each customer comes: by launch, growth and season; planted groups in time."""
    plan, history, rng = world.truths.acquisition, world.history, world.rng("arrivals")
    day = np.arange(history.days)
    weights = plan.growth ** (day / history.days) + plan.launch * np.exp(-day / plan.launch_days)
    weights *= history.seasonal(plan.monthly)
    joined = rng.choice(history.days, december.size, p=weights / weights.sum())
    seasons = np.append(history.decembers(), 0)
    first = np.minimum(rng.geometric(0.62, december.size) - 1, max(seasons.size - 3, 0))
    joined = np.where(december, seasons[first] + rng.integers(0, 16, december.size), joined)
    latest = max(history.days - world.truths.outage.days_before_end - 300, 0)
    return np.where(outage, rng.integers(0, latest + 1, outage.size), joined)


def table(people: People, offered: Ints, enrolled: Ints, world: World) -> pl.DataFrame:
    """The customers file: one row a customer; `offered` and `enrolled` are days of the programme, -1 none."""
    rng = world.rng("names")
    ahead = np.where(people.ordered & (rng.random(people.size) < 0.08), rng.integers(1, 6, people.size), 0)
    host = rng.integers(0, len(_HOSTS), people.size)
    return pl.DataFrame({
        "customer_no": people.numbers,
        "registered_on": world.history.dates[np.maximum(people.joined - ahead, 0)],
        **_called(people.size, world.names, rng),
        "host": labels(_HOSTS, host),
        "region": labels(world.truths.regions, people.region),
        "acquired_by": labels(world.truths.segments, people.segment),
        "age_band": labels(BANDS, people.band),
        "household": labels(_HOUSEHOLDS, people.household),
        "loyalty": labels(("none", "member"), (enrolled >= 0).astype(np.int64)),
        "loyalty_offered_on": pl.Series(world.history.dates[offered]).set(pl.Series(offered < 0), None),
        "loyalty_enrolled_on": pl.Series(world.history.dates[enrolled]).set(pl.Series(enrolled < 0), None),
        "research_consent": labels(("no", "yes"), people.panel.astype(np.int64)),
    }).with_columns(email=pl.format("{}{}@{}", "email", "customer_no", "host")).drop("host")  # fmt: skip


def _called(size: int, names: Names, rng: np.random.Generator) -> dict[str, pl.Series]:
    spelled = [_spellings(culture) for culture in names.cultures]
    weights = np.concatenate(
        [np.full(len(s), c.share / len(s)) for c, s in zip(names.cultures, spelled, strict=True)]
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
    plain = unicodedata.normalize("NFKD", name.translate(_FOLDED)).encode("ascii", "ignore").decode()
    return plain.replace("'", "").lower()
