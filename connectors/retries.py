"""Trying again what may work later: a server that restarts, a connection that breaks, a lock."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from connectors.errors import SourceError

T = TypeVar("T")
PAUSES: Final = (1.0, 4.0, 15.0)
"""Seconds before the second, third and fourth try."""


def retried(work: Callable[[], T], told: Callable[[str], None], pauses: tuple[float, ...] = PAUSES) -> T:
    """What `work` gives, tried again while its fault is one that may pass.

    `told` hears of every further try. Raises the last SourceError, and at once one that will not pass.
    """
    for pause in pauses:
        try:
            return work()
        except SourceError as error:
            if not error.retryable:
                raise
            told(f"{error.where}: {error.fault}; trying again in {pause:g} seconds")
            time.sleep(pause)
    return work()
