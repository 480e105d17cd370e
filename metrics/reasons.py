"""Why a figure is missing or weak, in words for the reader of a page."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """A short stable name for machines, and `fault. What to do` for people."""

    code: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval where one is known, or the reason why there is none."""

    value: float | None
    reason: Reason | None = None
    lower: float | None = None
    upper: float | None = None


class FrameProblem(ValueError):
    """A frame or a parameter that no figure can be computed from; carries the reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.text)
        self.reason = reason
