"""Every refresh that was tried: when, how long it took, how it ended. Kept beside the versions of a store."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from connectors.durable import replace_text
from connectors.errors import SourceError
from connectors.manifest import Frozen
from connectors.store import Store, Version

FILE: Final = "attempts.json"
KEPT: Final = 50


class Attempt(Frozen):
    """One refresh: `version` is the one served after it, `fault` why it failed."""

    began_at: datetime
    seconds: float
    outcome: Literal["published", "unchanged", "failed"]
    version: str = ""
    fault: str = ""


class Attempts(Frozen):
    """The newest refreshes, the oldest first."""

    attempts: tuple[Attempt, ...] = ()

    @property
    def last(self) -> Attempt | None:
        """The newest one."""
        return self.attempts[-1] if self.attempts else None


def attempts(root: Path) -> Attempts:
    """The refreshes of a store; none where none was noted or the note cannot be read."""
    try:
        return Attempts.model_validate_json((root / FILE).read_bytes())
    except (OSError, ValidationError):
        return Attempts()


def noted(store: Store, now: datetime, work: Callable[[], Version]) -> Version:
    """What a refresh gives, with a note of how it ended. What cannot be noted is told all the same."""
    start = time.monotonic()
    before = store.index().current
    try:
        version = work()
    except SourceError as error:
        first = str(error).split("\n")[0]
        _note(store.root, now, start, outcome="failed", version=before or "", fault=first)
        raise
    outcome: Literal["published", "unchanged"] = "unchanged" if version.id == before else "published"
    _note(store.root, now, start, outcome=outcome, version=version.id)
    return version


def _note(
    root: Path,
    now: datetime,
    start: float,
    *,
    outcome: Literal["published", "unchanged", "failed"],
    version: str,
    fault: str = "",
) -> None:
    one = Attempt(
        began_at=now,
        seconds=round(time.monotonic() - start, 1),
        outcome=outcome,
        version=version,
        fault=fault,
    )
    kept = (*attempts(root).attempts, one)[-KEPT:]
    with suppress(OSError):
        root.mkdir(parents=True, exist_ok=True)
        replace_text(root / FILE, Attempts(attempts=kept).model_dump_json(indent=1))
