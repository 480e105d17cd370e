"""A refresh that is killed at any point: the store opens on the version before or on the new one, whole."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from connectors.content import Content, content_of
from connectors.store import Store
from connectors.writer import exclusive

pytestmark = pytest.mark.skipif(os.name == "nt", reason="forks and kills processes")

ROWS = 30_000
NEVER = 1_000_000

SERVER = """
import os, signal, sys, time
from datetime import UTC, datetime
from pathlib import Path
import polars as pl
from config.model import Project
from connectors.refresh import refresh
from connectors.sources import Sources
from connectors.store import Store

COLUMNS = {"order_id": "order", "line_id": "line", "customer_id": "customer", "ordered_at": "at",
           "net_amount": "amount", "is_return": False}
CHANGES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}

def build(tables, as_of):
    lines = tables["order_lines"]
    return {name: lines.group_by("customer_id").agg(pl.len()).sort("customer_id") for name in ("a", "b", "c")}

def run(folder, source, last_step):
    seen = 0
    def watch(event, arguments):
        nonlocal seen
        if event in CHANGES and folder in str(arguments[:1]):
            seen += 1
            if seen == last_step:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(watch)
    orders = {"name": "orders", "table": "order_lines", "columns": COLUMNS}
    sources = Sources.model_validate({"sources": [orders | {"kind": "parquet", "location": source}]})
    refresh(Path(folder), Project(name="Shop", currency="EUR"), sources, Store(Path(folder) / "store"), build,
            now=datetime(2026, 3, 1, tzinfo=UTC), keep=1)
    return seen

# Each refresh is a fork of this process, so that the libraries are loaded once.
for line in sys.stdin:
    folder, source, last_step, seconds = line.rstrip().split("|")
    counts, tell = os.pipe()
    started = time.perf_counter()
    child = os.fork()
    if not child:
        os.write(tell, b"%d" % run(folder, source, int(last_step)))
        os._exit(0)
    os.close(tell)
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.perf_counter() - started > float(seconds):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            break
        time.sleep(0.0005)
    steps = os.read(counts, 20).decode() or "0"
    os.close(counts)
    print(steps, time.perf_counter() - started, flush=True)
"""


class Refreshes:
    """Refreshes in processes of their own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def run(
        self, folder: Path, source: Path, last_step: int = NEVER, seconds: float = 60
    ) -> tuple[int, float]:
        """How many steps a refresh took and how long; 0 when it was killed at `last_step` or in time."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{folder}|{source}|{last_step}|{seconds}\n")
        self.process.stdin.flush()
        steps, took = self.process.stdout.readline().split()
        return int(steps), float(took)


@pytest.fixture(scope="module")
def refreshes() -> Iterator[Refreshes]:
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Refreshes(process)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two states of the source."""
    folder = tmp_path_factory.mktemp("lines")
    numbers = pl.DataFrame({"n": range(ROWS)})
    made = {name: folder / f"{name}.parquet" for name in ("old", "new")}
    for shift, path in enumerate(made.values()):
        numbers.select(
            order=pl.format("O{}", pl.col("n") // 2),
            line=pl.col("n") % 2,
            customer=pl.format("C{}", pl.col("n") % 997),
            at=pl.lit(datetime(2026, 1, 1, tzinfo=UTC)) + pl.duration(minutes=pl.col("n")),
            amount=pl.col("n") + shift,
        ).write_parquet(path)
    return made


def content(store: Store) -> Content:
    """Everything in the version that is served; fails when any part of it is not whole."""
    version = store.current()
    assert version is not None
    lines = version.scan("order_lines").collect()
    assert lines.height == ROWS
    for mart in ("a", "b", "c"):
        assert version.scan(mart).collect()["len"].sum() == ROWS
    return content_of(lines)


def leftovers(store: Store) -> set[str]:
    """Files that no version names, once a later writer has swept."""
    with exclusive(store, now=datetime(2026, 3, 2, tzinfo=UTC)):
        pass
    named = {part.path for version in store.versions() for part in version.manifest.parts()}
    manifests = {f"versions/{version.id}/manifest.json" for version in store.versions()}
    there = {p.relative_to(store.root).as_posix() for p in store.root.rglob("*") if p.is_file()}
    return there - named - manifests - {"current.json", "refresh.lock"}


def test_a_refresh_killed_at_any_point_leaves_the_old_version_or_the_new_one(
    refreshes: Refreshes, sources: dict[str, Path], tmp_path: Path
):
    old, new = tmp_path / "old", tmp_path / "new"
    refreshes.run(old, sources["old"])
    shutil.copytree(old, new)
    steps, seconds = refreshes.run(new, sources["new"])
    contents = {content(Store(old / "store")): "old", content(Store(new / "store")): "new"}
    assert len(contents) == 2

    points = random.Random(7)
    kills = [(step, 60.0) for step in sorted(points.sample(range(1, steps + 1), 14))]
    kills += [(NEVER, points.uniform(0, seconds)) for _ in range(8)]
    outcomes = []
    for at, (step, after) in enumerate(kills):
        folder = tmp_path / f"kill-{at}"
        shutil.copytree(old, folder)
        finished, _ = refreshes.run(folder, sources["new"], step, after)
        assert not finished or after < 60
        store = Store(folder / "store")
        outcomes.append(contents[content(store)])
        assert leftovers(store) == set()
        assert contents[content(store)] == outcomes[-1]
        shutil.rmtree(folder)
    assert set(outcomes) == {"old", "new"}


def test_after_a_kill_the_next_refresh_needs_no_help(
    refreshes: Refreshes, sources: dict[str, Path], tmp_path: Path
):
    refreshes.run(tmp_path, sources["old"])
    before = content(Store(tmp_path / "store"))
    steps, _ = refreshes.run(tmp_path, sources["new"], last_step=20)
    assert steps == 0
    assert content(Store(tmp_path / "store")) == before
    steps, _ = refreshes.run(tmp_path, sources["new"])
    assert steps > 20
    assert content(Store(tmp_path / "store")) != before
    assert leftovers(Store(tmp_path / "store")) == set()
