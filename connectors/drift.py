"""What changed in the columns of the sources since the version before."""

from collections.abc import Iterator, Mapping, Sequence

from connectors.errors import SourceError
from connectors.manifest import SourceReport
from connectors.sources import Sources


def changes(before: Sequence[SourceReport], now: Sequence[SourceReport]) -> tuple[str, ...]:
    """A sentence for every column that was added, removed or has another type, in the order of the sources.

    Sources that were not there before, or whose columns were not noted, say nothing.
    """
    known = {report.name: report.columns for report in before if report.columns}
    return tuple(
        f"source `{report.name}`: {words}"
        for report in now
        if report.name in known
        for words in _changes(known[report.name], report.columns)
    )


def _changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in now.keys() - before.keys():
        yield f"column `{name}` is new ({now[name]})"
    for name in before.keys() - now.keys():
        yield f"column `{name}` is gone"
    for name, dtype in now.items():
        if name in before and before[name] != dtype:
            yield f"column `{name}` was {before[name]} and is {dtype}"


def refuse(sources: Sources, before: Sequence[SourceReport], now: Sequence[SourceReport]) -> None:
    """SourceError with every change of a source that says `drift: stop`."""
    strict = {source.name for source in sources.sources if source.drift == "stop"}
    found = changes(before, [report for report in now if report.name in strict])
    if found:
        where, _, words = found[0].partition(": ")
        more = "".join(f"; {one}" for one in found[1:])
        remedy = "Nothing was published: adapt the source, or write `drift: report` to go on"
        raise SourceError(where, words + more, remedy)
