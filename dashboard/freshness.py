"""How fresh the data are: when they were last read, when they will be, and whether that is late."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from config.model import Project
from connectors.attempts import Attempt

State = Literal["fresh", "late", "failed"]


@dataclass(frozen=True)
class Freshness:
    """The state of the data: `failed` where the last refresh did, else `late` after too long a time."""

    state: State
    looked_at: datetime
    due_at: datetime
    last: Attempt | None = None


def freshness(
    project: Project, refreshed_at: datetime, checked_at: datetime | None, last: Attempt | None, now: datetime
) -> Freshness:
    """How fresh data are that were published at one time and found unchanged at another."""
    looked_at = max(refreshed_at, checked_at) if checked_at else refreshed_at
    state: State = "fresh" if now - looked_at <= project.refresh.patience else "late"
    if last and last.outcome == "failed" and last.began_at >= looked_at:
        state = "failed"
    return Freshness(state, looked_at, looked_at + project.refresh.interval, last)
