"""`python -m benchmarks [NAME...] [--quick]`: every benchmark, or those named; 1 when a bound is missed.

Prints one line a figure and writes all of them to `benchmarks/results/`, dated. `--quick` takes a small size:
it shows that everything works, and holds to the bounds of memory alone.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from benchmarks import (
    crossbuying,
    databases,
    definitions,
    lifetime,
    marts,
    overview,
    refresh,
    retention,
    retention_page,
    segments,
    snapshots,
    surveys,
    tiles,
)
from benchmarks.lines import FULL, QUICK, Size
from benchmarks.measure import Result

BENCHMARKS: Mapping[str, Callable[[Size], Iterator[Result]]] = {
    "refresh": refresh.run,
    "databases": databases.run,
    "marts": marts.run,
    "definitions": definitions.run,
    "lifetime": lifetime.run,
    "overview": overview.run,
    "retention": retention.run,
    "retention_page": retention_page.run,
    "tiles": tiles.run,
    "snapshots": snapshots.run,
    "crossbuying": crossbuying.run,
    "segments": segments.run,
    "surveys": surveys.run,
}
RESULTS = Path(__file__).parent / "results"
LIBRARIES = ("polars", "duckdb", "pandas", "pyarrow", "streamlit")


def main() -> int:
    """Run, print, write; 1 when a bound is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").split(":")[0])
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="a small size, without bounds of time")
    chosen = parser.parse_args()
    size = QUICK if chosen.quick else FULL
    results = []
    for name in chosen.names or BENCHMARKS:
        for result in BENCHMARKS[name](size):
            print(result.line(), flush=True)
            results.append(result)
    print(f"written to {written(size, results)}")
    return 0 if all(result.holds for result in results) else 1


def written(size: Size, results: list[Result]) -> Path:
    """The file with all results and what they were measured on."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}{'-quick' if size.quick else ''}.json"
    facts = {
        "lines": size.lines,
        "customers": size.customers,
        "processors": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "results": [result.facts() for result in results],
    }
    path.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
