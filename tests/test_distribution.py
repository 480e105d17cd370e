"""The wheel: everything that the product reads at run time is in it, and nothing else."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from re import match

import pytest

PACKAGES = ("config", "connectors", "metrics", "dashboard")


def tracked(repository: Path) -> list[str]:
    """Files that git knows, without those deleted in the work tree."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout
    return [name for name in listed.split("\0") if name and (repository / name).is_file()]


@pytest.fixture(scope="module")
def wheel(repository, tmp_path_factory, unavailable) -> zipfile.ZipFile:
    """The wheel, built from a copy of the tracked files."""
    if not (repository / ".git").exists():
        unavailable("not a git clone: the files of the distribution are not known")
    copy, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in tracked(repository):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((repository / name).read_bytes())
    build = [
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        target,
        copy,
    ]
    subprocess.run([sys.executable, *build], capture_output=True, check=True)
    return zipfile.ZipFile(next(target.glob("*.whl")))


def test_every_file_of_the_packages_is_in_it(wheel, repository):
    ours = {name for name in tracked(repository) if name.startswith(tuple(f"{p}/" for p in PACKAGES))}
    assert ours - set(wheel.namelist()) == set()


def test_nothing_else_is_in_it(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_it_carries_the_licence_and_the_command(wheel):
    texts = {name.split("/", 1)[1]: name for name in wheel.namelist() if ".dist-info/" in name}
    assert "rapport = dashboard.cli:main" in wheel.read(texts["entry_points.txt"]).decode()
    assert "licenses/LICENSE" in texts


def test_constraints_pin_every_direct_dependency(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (repository / "constraints.txt").read_text().splitlines()
    }
    names = {match(r"[\w.-]+", name)[0].lower().replace("_", "-") for name in wanted}
    assert names - pinned == set()


def test_constraints_name_no_index(repository):
    assert "://" not in (repository / "constraints.txt").read_text()
