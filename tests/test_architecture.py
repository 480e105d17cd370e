"""The rules of the house: which way imports point, how long functions are, what modules may be called."""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGES = ("config", "connectors", "metrics", "dashboard")
LAYERS = {
    "config": (),
    "connectors": ("config",),
    "metrics": ("config", "connectors.tables"),
    "dashboard": ("config", "connectors", "metrics"),
}
LAZY_IN_COMMANDS = ("streamlit", "plotly", "polars", "connectors", "metrics", "dashboard.server")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules(*packages: str) -> list[Path]:
    """Every module of the packages."""
    return sorted(path for package in packages for path in (REPOSITORY / package).rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def spot(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(REPOSITORY).as_posix()}:{getattr(node, 'lineno', 1)}"


def body_lines(function: Function) -> int:
    """Lines of a function without its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) and len(function.body) > 1 else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


def functions(*packages: str) -> Iterator[tuple[Path, Function]]:
    for path in modules(*packages):
        for node in ast.walk(tree(path)):
            if isinstance(node, Function):
                yield path, node


def imported(nodes: Iterator[ast.AST] | list[ast.stmt]) -> Iterator[tuple[ast.AST, str]]:
    """The modules that import statements name; `from a import b` counts as `a` and as `a.b`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)


def within(name: str, allowed: tuple[str, ...]) -> bool:
    return any(name == root or name.startswith(f"{root}.") for root in allowed)


def test_import_contracts_hold() -> None:
    pytest.importorskip("importlinter")
    # In a process of its own: it takes over how this one logs.
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_down(package: str) -> None:
    upward = [
        f"{spot(path, node)} imports {name}"
        for path in modules(package)
        for node, name in imported(ast.walk(tree(path)))
        if name.split(".")[0] in PACKAGES and not within(name, (package, *LAYERS[package]))
    ]
    assert not upward


def test_streamlit_stays_out_of_charts_and_commands() -> None:
    pure = [*modules("dashboard/charts", "dashboard/commands"), REPOSITORY / "dashboard/cli.py"]
    found = [
        spot(path, node)
        for path in pure
        for node, name in imported(ast.walk(tree(path)))
        if within(name, ("streamlit",))
    ]
    assert not found


def test_the_command_line_imports_nothing_heavy_at_the_top() -> None:
    path = REPOSITORY / "dashboard/cli.py"
    found = [spot(path, node) for node, name in imported(tree(path).body) if within(name, LAZY_IN_COMMANDS)]
    assert not found


def loaded_by(heavy: tuple[str, ...], *commands: list[str]) -> list[str]:
    """Which of the modules the commands load, in a process of their own."""
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from dashboard.cli import app\n"
        f"for command in {commands!r}:\n"
        "    assert CliRunner().invoke(app, command).exit_code == 0\n"
        f"print(*sorted(set(sys.modules) & set({heavy!r})))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_version_loads_neither_frames_nor_pages() -> None:
    heavy = ("streamlit", "polars", "plotly", "sqlalchemy", "sqlglot", "numpy", "connectors.store")
    assert loaded_by(heavy, ["version"]) == []


def test_commands_do_without_streamlit(tmp_path: Path) -> None:
    shop = str(tmp_path / "shop")
    commands = ("check", "refresh", "query orders", "sources", "snapshots")
    asked = [[*command.split(), "--project", shop] for command in commands]
    assert loaded_by(("streamlit", "plotly"), ["init", shop], *asked) == []


def test_functions_are_short() -> None:
    sizes = {spot(path, function): body_lines(function) for path, function in functions(*PACKAGES)}
    assert not {where: size for where, size in sizes.items() if size > 60}
    assert statistics.median(sizes.values()) <= 8
    assert statistics.quantiles(sizes.values(), n=10)[-1] <= 25


def test_files_are_one_room_each() -> None:
    lines = {
        path.relative_to(REPOSITORY).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in modules(*PACKAGES)
    }
    assert not {name: count for name, count in lines.items() if count > 400}


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert not [path for path in modules(*PACKAGES, "tests") if path.stem in drawers]


def test_names_that_streamlit_would_shadow_are_not_used() -> None:
    # `streamlit run dashboard/app.py` puts dashboard/ first on sys.path, and takes over a folder `pages`.
    taken = {"config", "connectors", "metrics"}
    entries = list((REPOSITORY / "dashboard").iterdir())
    assert not [entry.name for entry in entries if entry.stem in taken]
    assert not (REPOSITORY / "dashboard" / "pages").exists()


def test_tests_are_no_package_and_have_unique_names() -> None:
    tests = [path for path in modules("tests") if path.name.startswith("test_")]
    assert not list((REPOSITORY / "tests").rglob("__init__.py"))
    assert len({path.stem for path in tests}) == len(tests)


def test_silenced_checks_say_why() -> None:
    silenced = re.compile(r"#\s*(noqa|type:\s*ignore)")
    reasoned = re.compile(r"#\s*(noqa:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*|type:\s*ignore\[[\w, -]+\])\W+\w")
    bare = [
        f"{path.relative_to(REPOSITORY)}:{number}"
        for path in modules(*PACKAGES)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if silenced.search(line) and not reasoned.search(line)
    ]
    assert not bare


def test_the_metrics_reference_is_current() -> None:
    from dashboard.reference import reference

    written = (REPOSITORY / "docs" / "metrics.md").read_text(encoding="utf-8")
    is_current = written == reference()  # a whole page of differences would help nobody
    assert is_current, "docs/metrics.md is out of date: run `make docs`"


def test_the_first_page_waits_for_nothing_that_it_does_not_need() -> None:
    # Parts of scipy load at first use where a module says `import scipy` and writes `scipy.stats.norm`.
    heavy = ("scipy.stats", "scipy.optimize", "statsmodels", "sklearn", "pandas", "plotly.express", "duckdb")
    code = (
        "import importlib, sys\n"
        "import dashboard.app, dashboard.warm\n"
        "from dashboard.pages import PAGES\n"
        "importlib.import_module(PAGES[0].view)\n"
        f"print(*sorted(set(sys.modules) & set({heavy!r})))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
