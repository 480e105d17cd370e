"""What a person is told when a source cannot be read or the store cannot be written."""

from collections.abc import Iterable

from config.errors import sentence


class SourceError(Exception):
    """A source that cannot be read at all: `where: fault. What to do`.

    `where` names the place in the user's words (source, file, column). `retryable` says that the same call
    may succeed later (a server that is down, a lock that is held), so that a caller may try again by itself.
    Secrets never belong in any of the texts.
    """

    def __init__(self, where: str, fault: str, remedy: str = "", *, retryable: bool = False) -> None:
        self.where = where
        self.fault = fault
        self.remedy = remedy
        self.retryable = retryable
        super().__init__(f"{where}: {sentence(fault, remedy)}")


class StoreError(SourceError):
    """A store that cannot be opened or written: a full disk, missing parts, another schema, a lock."""


class SourceErrors(SourceError):
    """Several faults found at once; `str()` shows one a line."""

    def __init__(self, errors: Iterable[SourceError]) -> None:
        self.errors = tuple(one for error in errors for one in getattr(error, "errors", (error,)))
        first = self.errors[0]
        super().__init__(
            first.where, first.fault, first.remedy, retryable=all(e.retryable for e in self.errors)
        )
        self.args = ("\n".join(map(str, self.errors)),)
