"""`rapport demo`: a generated project of any size."""

from pathlib import Path

from connectors.demo import project as demo
from dashboard.commands.terminal import CannotRun, progress, show, show_json


def write_demo(folder: Path, *, customers: int, months: int, seed: int | None, as_json: bool) -> None:
    """Write the project. Raises CannotRun where the folder already holds something else."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        message = f"`{folder}`: the folder is not empty. Choose another one"
        raise CannotRun(message)
    used = demo.SEED if seed is None else seed
    with progress() as report:
        report(f"generating {customers:,} customers", None)
        demo.write(folder, customers=customers, months=months, seed=used)
    if as_json:
        show_json({"project": folder, "customers": customers, "months": months, "seed": used})
    else:
        show(f"Wrote {folder}: {customers:,} customers, {months} months, seed {used}")
        show(f"Next: rapport run --project {folder}")
