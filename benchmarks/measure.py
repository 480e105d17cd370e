"""One piece of work in a process of its own: how long it takes and how much memory it needs at its peak.

measured("benchmarks.refresh:scan_sort_sink", source, target)
"""

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Cost:
    """Wall and processor seconds, and the greatest resident memory in MB."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Result:
    """A figure and the bound, if any, that it must not pass; `baseline` is what a ratio divides by."""

    name: str
    value: float
    bound: float | None
    unit: str
    cost: Cost | None = None
    baseline: Cost | None = None

    @property
    def holds(self) -> bool:
        """Whether the figure stays within its bound."""
        return self.bound is None or self.value <= self.bound

    def line(self) -> str:
        """The figure in words."""
        told = f"{'ok  ' if self.holds else 'MISS'} {self.name}: {self.value:.2f} {self.unit}"
        if self.bound is not None:
            told += f" (at most {self.bound:g})"
        if self.cost and self.baseline:
            told += f", {self.cost.seconds:.1f} s against {self.baseline.seconds:.1f} s"
        return told

    def facts(self) -> dict[str, object]:
        """The figure for a JSON file."""
        return asdict(self) | {"holds": self.holds}


def ratio(name: str, bound: float | None, cost: Cost, baseline: Cost) -> Result:
    """How many times the baseline's time the work takes."""
    return Result(name, cost.seconds / baseline.seconds, bound, "times the baseline", cost, baseline)


def measured(work: str, *arguments: object, python: str = sys.executable) -> Cost:
    """The cost of `module:function` with these arguments, as text, in a fresh process of an interpreter."""
    command = [python, "-m", "benchmarks.measure", work, *map(str, arguments)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def in_turn(rounds: int, *works: Sequence[object]) -> list[Cost]:
    """The median cost of several works, measured in turn: a busy machine then slows all of them alike."""
    costs = [[measured(str(work[0]), *work[1:]) for work in works] for _ in range(rounds)]
    return [typical(column) for column in zip(*costs, strict=True)]


def typical(costs: Iterable[Cost]) -> Cost:
    """The median time of several runs with the greatest memory of all."""
    runs = list(costs)
    return Cost(
        median(run.seconds for run in runs),
        median(run.cpu_seconds for run in runs),
        max(run.peak_mb for run in runs),
    )


def peak_mb() -> float:
    """The greatest resident memory of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():  # unlike getrusage it starts anew with the program
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource  # not on Windows

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 2**20 if sys.platform == "darwin" else used / 1024


def _main() -> None:
    module, _, name = sys.argv[1].partition(":")
    work: Callable[..., object] = getattr(importlib.import_module(module), name)
    start, cpu = time.perf_counter(), time.process_time()
    work(*sys.argv[2:])
    cost = Cost(time.perf_counter() - start, time.process_time() - cpu, peak_mb())
    print(json.dumps(asdict(cost)))


if __name__ == "__main__":
    _main()
