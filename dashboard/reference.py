"""`docs/metrics.md` from the shipped definitions and the docstrings: `python -m dashboard.reference FILE`."""

import inspect
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final, assert_never, get_args

import metrics
from dashboard import wording
from dashboard.definitions import shipped_definitions
from metrics.catalog import Definition
from metrics.definitions import (
    Change,
    Computed,
    Cumulative,
    Derived,
    Measure,
    Metric,
    NetPromoterScore,
    PeriodRetention,
    Ratio,
    Simple,
)

HEAD: Final = """\
# Metrics

Written by `make docs` from `config/metrics/*.yaml` and the docstrings of `metrics/`; a test keeps it current.
Every name below is one that `rapport query` prints, at any grain, split and window.

"""
PLUMBING: Final = """
    catalog cells customer_facts definitions evaluation events examples fact_families families figures
    frames lint lists marts measures money orders panels people periods points reasons relations rollup
    selection
"""
"""Modules of `metrics/` that carry figures without being a method of their own."""

DIRECTIONS: Final = {
    "up_is_good": "up is good",
    "down_is_good": "down is good",
    "neutral": "neither way is good",
}
INTERVALS: Final = {
    "wilson": "Wilson",
    "t": "Student's t",
    "delta": "delta method over customers",
    "poisson": "Poisson",
    "bootstrap": "bootstrap over customers",
    "order": "order statistics",
}


def reference() -> str:
    """The whole text, ending with a line feed."""
    return HEAD + "\n\n".join((*_figures(), *_kinds(), *_methods())) + "\n"


def _figures() -> Iterator[str]:
    by_file: dict[str, list[Definition]] = {}
    for item in shipped_definitions().items:
        by_file.setdefault(Path(item.document.path).stem, []).append(item.value)
    for name, listed in by_file.items():
        yield f"## {name.replace('_', ' ').capitalize()}"
        yield from map(_figure, listed)


def _figure(metric: Definition) -> str:
    facts = [metric.kind, metric.unit.replace("_", " "), DIRECTIONS[metric.direction]]
    if metric.interval in INTERVALS:
        facts.append(f"95 % interval: {INTERVALS[metric.interval]}")
    lines = [
        f"### `{metric.name}`",
        "",
        f"**{metric.label}.** {metric.description}",
        "",
        f"- formula: {_formula(metric)}",
    ]
    lines.append(f"- {', '.join(facts)}")
    if metric.source:
        lines.append(f"- {metric.source}")
    return "\n".join(lines)


def _formula(metric: Definition) -> str:
    match metric:
        case Simple():
            return _measure(metric)
        case Ratio():
            scale = "" if metric.scale == 1 else f" x {metric.scale:g}"
            return f"{_term(metric.numerator)} / {_term(metric.denominator)}{scale}"
        case Derived():
            return f"`{metric.expression}`"
        case Cumulative() | Change():
            return wording.formula(metric, lambda name: f"`{name}`")
        case PeriodRetention():
            return "active customers who were active in the period before / those active in the period before"
        case NetPromoterScore():
            scale = f"{metric.lowest} to {metric.highest}"
            ends = f"{metric.promoters_from} and more, less those up to {metric.detractors_to}, on {scale}"
            return f"share of answers of {ends}, of `survey_answers` where `{metric.where}`"
        case Computed():
            return metric.formula
        case _:
            assert_never(metric)


def _term(term: str | Measure) -> str:
    return f"`{term}`" if isinstance(term, str) else f"({_measure(term)})"


def _measure(measure: Measure) -> str:
    where = f" where `{measure.where}`" if measure.where else ""
    return f"`{measure.expression}` of `{measure.table}`{where}"


def _kinds() -> Iterator[str]:
    yield "## Kinds of definitions"
    yield "What `kind:` may be in `metrics/*.yaml`, and what a definition of that kind says."
    for model in get_args(get_args(Definition)[0]):
        name = get_args(model.model_fields["kind"].annotation)[0]
        own = [each for each in model.model_fields if each not in (*Metric.model_fields, "kind")]
        yield f"### `kind: {name}`\n\n{model.__doc__}\n\n{_fields(model, own)}".rstrip()
    yield f"### Every kind\n\n{_fields(Metric, list(Metric.model_fields))}"


def _fields(model: type[Metric], names: Iterable[str]) -> str:
    return "\n".join(f"- `{name}`: {model.model_fields[name].description}" for name in names)


def _methods() -> Iterator[str]:
    yield "## Methods"
    yield "The formulas behind the figures, from the docstrings of the functions that compute them."
    for found in pkgutil.walk_packages(metrics.__path__, "metrics."):
        if found.name.split(".")[1] not in PLUMBING.split():
            yield _method(import_module(found.name))


def _method(module: ModuleType) -> str:
    members = [
        (name, member)
        for name, member in vars(module).items()
        if (inspect.isfunction(member) or inspect.isclass(member))
        and member.__module__ == module.__name__
        and not name.startswith("_")
    ]
    listed = "\n".join(f"- `{name}`: {_first(member)}" for name, member in members if member.__doc__)
    return f"### `{module.__name__}`\n\n{_first(module)}\n\n{listed}".rstrip()


def _first(documented: object) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(documented) or "").split("\n\n")[0].split())


def main() -> None:
    """Write the reference to the file that is named on the command line."""
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
