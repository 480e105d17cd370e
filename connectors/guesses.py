"""What encoding a text file may have that is neither UTF-8 nor cp1252, and how sure that is.

Bytes prove nothing here: Korean in cp949 and Chinese in GB18030 may be the same bytes. So a guess is told
with its share of the evidence and the words that it reads, and a person names the encoding.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from charset_normalizer import from_bytes

CANDIDATES: Final = {
    "cp949": "Korean",
    "gb18030": "Chinese",
    "big5": "traditional Chinese",
    "cp932": "Japanese",
    "cp1252": "Western European",
    "latin-1": "Western European",
    "cp1250": "Central European",
    "cp1251": "Cyrillic",
    "cp1253": "Greek",
    "cp1254": "Turkish",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
}
"""Encodings that are tried, and what is written in them."""

_SAMPLE: Final = 1 << 16
_MESS: Final = 20.0
_LANGUAGE: Final = 2.0
"""Weights of the evidence: characters that do not go together speak against, frequent letters for."""

_CROWD: Final = 10.0
_ACCENTS: Final = re.compile("[\u00c0-\u024f]{3,}")
"""Three accented Latin letters in a row: no language writes so, but other alphabets that are read wrongly."""

_SURE: Final = 0.9
_WORDS: Final = 40


@dataclass(frozen=True)
class Guess:
    """An encoding, its share of the evidence among those that can read the bytes, and words that it reads."""

    encoding: str
    confidence: float
    words: str

    @property
    def sure(self) -> bool:
        """Whether hardly anything speaks for another encoding."""
        return self.confidence >= _SURE

    @property
    def shown(self) -> str:
        """The guess in words.

        >>> Guess("cp949", 0.98, "이름").shown
        'probably cp949 (Korean, 98 % of the evidence), which reads `이름`'
        """
        how = "probably" if self.sure else "perhaps"
        share = f"{self.confidence:.0%}".replace("%", " %")
        kind = CANDIDATES[self.encoding]
        return f"{how} {self.encoding} ({kind}, {share} of the evidence), which reads `{self.words}`"


def guessed(path: Path) -> tuple[Guess, ...]:
    """The encodings that a text file may have, the likeliest first; empty where no candidate can read it.

    Candidates are weighed by charset-normalizer's mess and coherence; those that read the same text count as
    one.
    """
    with path.open("rb") as file:
        data = _whole_lines(file.read(_SAMPLE))
    names = {name.replace("-", "_"): name for name in CANDIDATES}
    texts: dict[str, tuple[str, float]] = {}
    for match in from_bytes(data, cp_isolation=list(names), preemptive_behaviour=False):
        text = str(match)
        weight = math.exp(_LANGUAGE * match.coherence - _MESS * match.chaos - _CROWD * _crowded(text))
        texts.setdefault(text, (names.get(match.encoding, match.encoding), weight))
    total = sum(weight for _, weight in texts.values())
    found = [Guess(name, weight / total, _foreign(text)) for text, (name, weight) in texts.items()]
    return tuple(sorted(found, key=lambda guess: -guess.confidence))


def in_words(guesses: Sequence[Guess]) -> str:
    """What may be told of some guesses: the likeliest, and the next where that is not sure."""
    return ", or ".join(guess.shown for guess in guesses[: 1 if guesses and guesses[0].sure else 2])


def _whole_lines(data: bytes) -> bytes:
    if len(data) < _SAMPLE:
        return data
    end = data.rfind(b"\n") + 1
    return data[: end + end % 2 if b"\0" in data else end]  # in UTF-16 a line feed has two bytes


def _crowded(text: str) -> float:
    """The share of the letters beyond ASCII that stand in crowds of accented ones."""
    crowds = sum(len(crowd) for crowd in _ACCENTS.findall(text))
    return crowds / max(sum(not letter.isascii() for letter in text), 1)


def _foreign(text: str) -> str:
    """The first words that are more than ASCII."""
    lines = [line for line in text.splitlines() if not line.isascii()]
    line = lines[0] if lines else text
    start = next((at for at, letter in enumerate(line) if not letter.isascii()), 0)
    return line[max(start - 10, 0) :][:_WORDS].strip()
