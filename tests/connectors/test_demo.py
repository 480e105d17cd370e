"""The demonstration project: its shape, its determinism, its truths."""

from pathlib import Path

import polars as pl
import pytest

from connectors.demo import write


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    write(folder)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def orders(folder: Path) -> pl.DataFrame:
    paths = sorted((folder / "data").glob("orders-*.csv"))
    return pl.concat([pl.read_csv(path, infer_schema=False) for path in paths])


def test_same_seed_same_bytes(tmp_path):
    for name in ("first", "second"):
        write(tmp_path / name, customers=500, months=14)
    assert files(tmp_path / "first") == files(tmp_path / "second")
    write(tmp_path / "other", customers=500, months=14, seed=5)
    assert files(tmp_path / "first") != files(tmp_path / "other")


def test_customers_have_one_row_each(project):
    customers = pl.read_csv(project / "data" / "customers.csv", infer_schema=False)
    assert customers["customer_no"].n_unique() >= 20_000
    assert customers["email"].n_unique() >= 20_000
