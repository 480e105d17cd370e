"""`rapport check`: every problem of every file of a project, and whether its sources fit what these say.

Files are read by the loader that the pages use, sources by the one that a refresh uses, as far as it takes
to know their columns.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal, TypeVar

from config.errors import ConfigError, Problem
from config.load import Located
from config.model import Project, find_project
from connectors.errors import SourceError, StoreError
from connectors.sources import FILE_NAME, Sources, locate_sources
from connectors.staging import faults
from connectors.store import Store
from dashboard.annotations import read_annotations
from dashboard.commands.opening import opened
from dashboard.commands.sarif import sarif
from dashboard.commands.terminal import CannotRun, ProblemFound, progress, say, show, show_json
from dashboard.definitions import Definitions, definitions, mapped_attributes
from dashboard.examples import failures
from dashboard.instruments import instruments
from dashboard.scenarios import read_scenarios
from dashboard.scorecard_files import scorecard_plan
from dashboard.segment_files import facts_of, own_segments, segments
from dashboard.snapshots.reports import reports
from dashboard.workspace import project_folder
from metrics.frames import Marts
from metrics.periods import Calendar

T = TypeVar("T")
_COLUMN: Final = re.compile(r"column `([^`]+)`$")


@dataclass(frozen=True)
class Form:
    """How the problems are printed, and whether the examples of the definitions are run."""

    as_json: bool = False
    as_sarif: bool = False
    tests: bool = False


def check(project: Path | None, form: Form, *, now: datetime) -> None:
    """Print the problems of a project. Raises ProblemFound when one of them is an error."""
    folder = project_folder(project) or opened(None, None).folder
    if not folder.is_dir():
        message = f"project `{folder}`: there is no such folder. Write one with `rapport init {folder}`"
        raise CannotRun(message)
    if form.as_json and form.as_sarif:
        message = "`--json` and `--sarif` are two formats. Ask for one of them"
        raise CannotRun(message)
    found = _Check(folder, now)
    problems = (*found.problems(), *(found.failures() if form.tests else ()))
    _print(problems, folder, form, found.examples)
    errors = sum(problem.severity == "error" for problem in problems)
    if errors:
        message = f"project `{folder}`: {errors} {'error' if errors == 1 else 'errors'}"
        raise ProblemFound(message)


def _print(problems: tuple[Problem, ...], folder: Path, form: Form, examples: int) -> None:
    if form.as_json:
        show_json([asdict(problem) for problem in problems])
        return
    if form.as_sarif:
        show_json(sarif(problems, folder, version("rapport-dashboard")))
        return
    for problem in problems:
        show(f"{problem.severity}: {problem.render()}")
    ran = f", {examples} tests ran" if form.tests else ""
    if not problems:
        say(f"project `{folder}`: no problems{ran}")
    elif ran:
        say(f"project `{folder}`{ran}")


class _Check:
    """One look at a project: its settings, its sources, its definitions."""

    def __init__(self, folder: Path, now: datetime) -> None:
        self.folder, self.now = folder, now
        self.project, self.of_project = _found(find_project, folder)
        self.sources, self.of_sources = _found(locate_sources, folder / FILE_NAME)
        attributes = mapped_attributes(self.sources.value) if self.sources else {}
        self.definitions: Definitions = definitions(folder, attributes)
        self.of_scenarios = read_scenarios(folder).problems
        self.instruments = instruments(folder)
        self.of_scorecard = scorecard_plan(folder).problems
        self.of_segments = _segments(folder, self.project, self.definitions)
        self.of_reports = (*reports(folder).problems, *read_annotations(folder).problems)

    def problems(self) -> Iterator[Problem]:
        """What is wrong in the files, file by file."""
        yield from self.of_project
        yield from self.of_sources
        yield from self._unfit()
        yield from self.definitions.problems
        yield from self.of_scenarios
        yield from self.instruments.problems
        yield from self.of_scorecard
        yield from self.of_segments
        yield from self.of_reports

    def _unfit(self) -> Iterator[Problem]:
        """What a refresh would refuse."""
        if self.project is None or self.sources is None:
            return
        sources = self.sources.value
        with progress() as report, TemporaryDirectory(prefix="rapport-check-") as workdir:
            report("looking at the sources", None)
            found = faults(self.folder, self.project, sources, now=self.now, workdir=Path(workdir))
        for at, source in enumerate(sources.sources):
            for error in found.get(source.name, ()):
                yield _placed(self.sources, at, error)

    @property
    def examples(self) -> int:
        """How many examples the definitions have."""
        return sum(len(plan.definition.tests) for plan in self.definitions.catalog.plans.values())

    def failures(self) -> Iterator[Problem]:
        """The examples of definitions that do not give what they promise, each at its place."""
        if self.project is None:
            return failures(self.definitions, Calendar(), folder=self.folder)
        cuts = (self.project.timezone, self.project.week_start, self.project.fiscal_year_start)
        return failures(self.definitions, Calendar(*cuts), folder=self.folder)


def _placed(sources: Located[Sources], at: int, error: SourceError) -> Problem:
    """The fault of a source at its place in `sources.yaml`; a server that is silent may answer later."""
    column = _COLUMN.search(error.where)
    below = ("sources", at, "columns", column[1]) if column else ("sources", at)
    severity: Literal["warning", "error"] = "warning" if error.retryable else "error"
    return sources.problem(below, error.fault, error.remedy, rule="source", severity=severity)


def _segments(folder: Path, project: Project | None, found: Definitions) -> tuple[Problem, ...]:
    """What is wrong with the segments; which facts there are is known only of what was loaded."""
    written = own_segments(folder).problems
    if project is None:
        return written
    try:
        served = Store(folder / project.store).current()
    except StoreError:
        return written
    if served is None:
        return written
    names = (*served.manifest.marts, *served.manifest.tables)
    frames = {name: served.scan(name) for name in names}
    cuts = Calendar(project.timezone, project.week_start, project.fiscal_year_start)
    marts = Marts(frames, cuts, served.manifest.as_of)
    return segments(folder, facts_of(marts, found.catalog)).problems


def _found(read: Callable[[Path], T], folder: Path) -> tuple[T | None, tuple[Problem, ...]]:
    try:
        return read(folder), ()
    except ConfigError as error:
        return None, error.problems
