"""Warming up: while a browser loads its scripts, the server asks the questions of the start page."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from threading import Event, Thread
from typing import Final

from dashboard import data, state
from dashboard.pages import PAGES
from dashboard.state import GRAINS, Scope
from metrics.periods import Grain

_log: Final = logging.getLogger("rapport")
_warm: Final = Event()
_PAUSE: Final = 4.0
"""Seconds after the start page is prepared, in which a browser that was opened with the server draws it."""

MOST_CATEGORIES: Final = 24
"""Of how many categories the start page is prepared before anybody asks."""


def start() -> None:
    """Warm up beside the server, now and after every refresh, so that it answers at once."""
    Thread(target=_keep_warm, name="warm-up", daemon=True).start()


def is_warm() -> bool:
    """Whether the start page is prepared, or cannot be; a page itself says what is wrong then."""
    return _warm.is_set()


def _keep_warm() -> None:
    for _version in versions():
        _warm_up()


def versions(look_every: float = 2.0) -> Iterator[str | None]:
    """The served version, None before the first, and then every one that takes its place.

    Looks every so many seconds; a refresh may happen in another process.
    """
    last: object = versions  # what is no version
    while True:
        version = data.readiness().get("version")
        if version != last:
            yield version
        last = version
        time.sleep(look_every)


def _warm_up() -> None:
    """Prepare the start page in every period length, then the other pages that prepare something.

    Last comes each category alone, since a choice of one reads far more than a choice of customers.
    """
    grains = (Grain.MONTH, *(grain for grain in GRAINS if grain is not Grain.MONTH))
    works: list[Callable[[], None]] = [
        *(partial(prepare, grain) for grain in grains),
        *(partial(prepare, Grain.MONTH, page.view) for page in PAGES[1:]),
        prepare_categories,
    ]
    gc.unfreeze()
    for at, work in enumerate(works):
        if at == 1:
            time.sleep(_PAUSE)
        try:
            work()
        except Exception:
            _log.exception("warm-up failed")
        # What is loaded by now is taken out of the collection that Streamlit runs after every click.
        gc.collect()
        gc.freeze()
        _warm.set()


def prepare_categories() -> None:
    """Ask every question of the start page about each single category, in the latest month."""
    desk = data.open_desk()
    for category in desk.categories[:MOST_CATEGORIES] if desk else ():
        prepare(Grain.MONTH, category=category)


def prepare(grain: Grain, name: str = PAGES[0].view, category: str | None = None) -> None:
    """Ask every question that a view prepares, in the latest period of this length, of one or no category."""
    # Streamlit imports this module with the first chart, which takes longer than drawing it.
    import_module("plotly.graph_objs").Figure  # noqa: B018 - touching it is what imports
    view = import_module(name)
    desk = data.open_desk()
    if desk is not None and hasattr(view, "prepare"):
        latest = state.latest(desk.calendar, grain, desk.first_day, desk.last_day, desk.as_of)
        view.prepare(desk, Scope(grain, latest, categories=(category,) if category else ()))
