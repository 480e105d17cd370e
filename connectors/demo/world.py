"""What every stage of the demonstration's generator knows: history, truths, block, random numbers."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
import polars as pl

from connectors.demo.calendar import Clock, Flags, History, Ints
from connectors.demo.truths import Catalogue, Comments, Names, Truths


@dataclass(frozen=True)
class World:
    """A retailer's history and truths, seen from one block of customers, `offset` after the first."""

    history: History
    truths: Truths
    catalogue: Catalogue
    names: Names
    comments: Comments
    customers: int
    seed: int
    offset: int = 0

    def block(self, offset: int) -> "World":
        """The same world, seen from another block."""
        return replace(self, offset=offset)

    def rng(self, stage: str) -> np.random.Generator:
        """Random numbers of one stage of this block: a change in one stage leaves the others as they were."""
        return np.random.default_rng([self.seed, self.offset, crc32(stage.encode())])

    @property
    def clock(self) -> Clock:
        """The clock of the seasonal segments."""
        return Clock.at(self.history.seasonal(self.truths.seasonality))

    @property
    def failure_day(self) -> int:
        """First day of the service failure."""
        return self.history.quarter_start(self.truths.failure.quarters_before_last)

    def segments(self, names: Iterable[str]) -> Ints:
        """Codes of these segments."""
        known = list(self.truths.segments)
        return np.array([known.index(name) for name in names], dtype=np.int64)

    def seasonal(self, segment: Ints) -> Flags:
        """Whether each of these segments has seasons."""
        return self.truths.of_segments("seasonal").astype(bool)[segment]


def labels(names: Iterable[str], codes: Ints) -> pl.Series:
    """The names at these codes."""
    return pl.Series(list(names), dtype=pl.String).gather(codes)
