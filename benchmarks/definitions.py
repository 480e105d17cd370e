"""Reading, checking and compiling definitions: 200 at once, and one edit among them, beside YAML alone.

Timed within one process, where pages read them. Every round reads texts and conditions that were never seen
before, so that nothing kept from an earlier round helps.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import yaml

from benchmarks.lines import Size
from benchmarks.measure import Cost, Result, ratio
from dashboard.definitions import definitions

COUNT = 200
FILES = 20
ROUNDS = 7
APART = 10_000
"""The conditions of two rounds never name the same number."""


def run(size: Size) -> Iterator[Result]:
    """Loading, then the edits of a person."""
    with tempfile.TemporaryDirectory(prefix="rapport-bench-") as place:
        folders = [write(Path(place), round_) for round_ in range(ROUNDS + 1)]
        load(folders.pop())  # the parser sets itself up at its first use
        loading = typical(load, folders)
        reading = typical(read_alone, folders)
        editing = typical(edit, folders)
    bounds = (None, None) if size.quick else (150.0, 50.0)
    yield Result(f"load and validate {COUNT} definitions", loading.seconds * 1000, bounds[0], "ms", loading)
    yield ratio("the same against reading their YAML without a check", None, loading, reading)
    words = f"validate again after an edit of one of {COUNT}"
    yield Result(words, editing.seconds * 1000, bounds[1], "ms", editing)
    yield ratio("an edit against loading all", None, editing, loading)


def typical(work: Callable[[Path], None], folders: list[Path]) -> Cost:
    """The median cost of a piece of work over some projects."""
    costs = []
    for folder in folders:
        wall, cpu = time.perf_counter(), time.process_time()
        work(folder)
        costs.append((time.perf_counter() - wall, time.process_time() - cpu))
    walls, cpus = zip(*costs, strict=True)
    return Cost(median(walls), median(cpus), 0.0)


def write(place: Path, round_: int) -> Path:
    """A project with definitions of three kinds in files of ten."""
    folder = place / str(round_)
    (folder / "metrics").mkdir(parents=True)
    for file in range(FILES):
        numbers = range(file * COUNT // FILES, (file + 1) * COUNT // FILES)
        said = {"metrics": [definition(number, round_ * APART) for number in numbers]}
        text = yaml.safe_dump(said, sort_keys=False)
        (folder / "metrics" / f"own_{file:02}.yaml").write_text(text, encoding="utf-8")
    return folder


def definition(number: int, base: int) -> dict[str, object]:
    """One definition; some are ratios, some arithmetic on others, most an aggregate under a condition."""
    said: dict[str, object] = {
        "name": f"own_{number}",
        "label": f"Own {number}",
        "description": f"The number {number} of our own metrics, with a sentence that says what it counts.",
        "tags": ["ours", "bench"],
    }
    if number % 10 == 9:
        formula = f"{{own_{number - 2}}} + {{own_{number - 4}}} * {base + number}"
        return said | {"kind": "derived", "unit": "money", "expression": formula}
    if number % 10 in (3, 8):
        below = {"table": "orders", "expression": "count(*)", "where": f"net_amount > {base + number}"}
        return said | {"kind": "ratio", "unit": "rate", "numerator": below, "denominator": "orders"}
    where = f"net_amount > {base + number} AND orders > 0"
    if number % 5 == 0:
        where += " AND (lines >= 2 OR region IN ('North', 'South'))"
    measure = {"table": "customer_periods", "expression": "sum(net_amount)", "where": where}
    return said | {"kind": "simple", "unit": "money", **measure}


def load(folder: Path) -> None:
    """All definitions, read, checked and compiled."""
    found = definitions(folder, {})
    if len(found.catalog.plans) < COUNT or found.errors:
        raise SystemExit("\n".join(problem.render() for problem in found.errors))


def read_alone(folder: Path) -> None:
    """The same files through PyYAML's fast loader, without a check."""
    for path in sorted((folder / "metrics").glob("*.yaml")):
        yaml.load(path.read_bytes(), yaml.CSafeLoader)


def edit(folder: Path) -> None:
    """The definitions with another condition in one of the files, as a person types it."""
    path = folder / "metrics" / "own_07.yaml"
    text = path.read_text(encoding="utf-8").replace("AND orders > 0", "AND orders > 1", 1)
    if definitions(folder, {}, {path: text}).errors:
        raise SystemExit("the edit is broken")
