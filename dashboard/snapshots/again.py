"""Figures reckoned anew on a version that is still in the store, by the definitions of a snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from pydantic import ValidationError

from config.documents import Document
from config.errors import Fault
from config.load import Located
from connectors.errors import StoreError
from connectors.store import Store, Version
from dashboard.definitions import loaded_attributes
from dashboard.desk import Desk
from dashboard.segment_files import facts_of, segments
from dashboard.snapshots.content import Choices, Definition
from metrics.catalog import ATTRIBUTES, DEFINITION, Catalog, catalog
from metrics.figures import compute
from metrics.frames import Marts
from metrics.periods import Grain, Window
from metrics.segments import with_segments
from metrics.selection import Missing, Selection


@dataclass(frozen=True)
class Reckoner:
    """Reckons on one version of a project's store; `desk` is a visit to the project."""

    desk: Desk
    version: Version

    def __call__(
        self, metric: str, definitions: Sequence[Definition], choices: Choices, period: int
    ) -> Fraction | None:
        """The figure, exact for money; None where definitions or choices do not fit the version."""
        known = self._catalog(definitions)
        if known is None or metric not in known.plans:
            return None
        selection = Selection(dict(choices.attributes), choices.categories)
        window = Window(Grain(choices.grain), period)
        try:
            row = compute(known, [metric], self._marts.select(selection), window).row(0, named=True)
        except (Fault, Missing):
            return None
        if row["amount"] is not None:
            return Fraction(row["amount"])
        return None if row["value"] is None else Fraction(row["value"])

    @cached_property
    def _marts(self) -> Marts:
        if self.version.id == self.desk.version.id:
            return self.desk.whole
        manifest = self.version.manifest
        frames = {name: self.version.scan(name) for name in (*manifest.marts, *manifest.tables)}
        forms = self.desk.instruments.named
        marts = Marts(frames, self.desk.calendar, manifest.as_of, instruments=forms)
        found = segments(self.desk.workspace.folder, facts_of(marts, self.desk.catalog))
        return with_segments(marts, found.book)

    def _catalog(self, definitions: Sequence[Definition]) -> Catalog | None:
        try:
            located = [
                Located(DEFINITION.validate_json(each.written), Document(each.name)) for each in definitions
            ]
        except (ValidationError, Fault):
            return None
        return catalog(located, {**ATTRIBUTES, **loaded_attributes(self.version)})


def reckoner(desk: Desk, version_id: str) -> Reckoner | None:
    """What reckons on a version; None when the store has it no longer."""
    try:
        return Reckoner(desk, Store(desk.workspace.store).open(version_id))
    except StoreError:
        return None
