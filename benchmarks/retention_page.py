"""The retention page at full size: drawn by Streamlit's own runner under every definition in its address."""

import gc
import logging
import os
from collections.abc import Iterator

from benchmarks.lines import Size
from benchmarks.measure import Result
from benchmarks.overview import provided, visit
from dashboard import warm
from dashboard.retention_choices import DEFINITIONS
from dashboard.views import retention
from dashboard.workspace import PROJECT_VARIABLE
from metrics.periods import Grain


def run(size: Size) -> Iterator[Result]:
    """Changes of the definition, after what the server asks when it starts."""
    logging.disable(logging.WARNING)  # Streamlit misses a server at every drawing
    os.environ[PROJECT_VARIABLE] = str(provided(size))
    warm.prepare(Grain.MONTH, retention.__name__)
    visit({}, "retention")
    gc.collect()
    gc.freeze()
    links = ({"retention.definition": label} for label, _said in DEFINITIONS.values())
    costs = sorted((visit(link, "retention") for link in links), key=lambda cost: cost.seconds)
    gc.unfreeze()
    words = f"retention page of {size.customers:,} customers, another definition, the slowest"
    yield Result(words, costs[-1].seconds * 1000, None if size.quick else 300.0, "ms", costs[-1])
