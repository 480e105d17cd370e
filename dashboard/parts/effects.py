"""What moved a figure: the effect of each part with a bar, and the sum that is the change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from dashboard.text import gettext as _


@dataclass(frozen=True)
class Effect:
    """One part: its name, its figure before and now, its effect in words and as a number, and its tone."""

    name: str
    before: str
    now: str
    text: str
    size: float
    tone: str


def effects(parts: Sequence[Effect], total: Effect, heads: Sequence[str], label: str) -> None:
    """The parts, the largest effect first, and the total under them; `heads` are the five headings."""
    most = max((abs(part.size) for part in parts), default=0.0) or 1.0
    titles = "".join(
        f'<th scope="col" class="{"number" if at else ""}">{escape(head)}</th>'
        for at, head in enumerate(heads)
    )
    size = f'<th aria-label="{escape(_("Size"))}"></th>'
    body = "".join(_row(part, _bar(part, abs(part.size) / most)) for part in parts)
    st.html(
        f'<div class="table-wrap" role="region" aria-label="{escape(label)}" tabindex="0">'
        f'<table class="plain effects"><thead><tr>{titles}{size}</tr></thead>'
        f"<tbody>{body}{_row(total, '', 'total')}</tbody></table></div>"
    )


def _bar(part: Effect, share: float) -> str:
    side = "up" if part.size >= 0 else "down"
    return f'<i class="effect {part.tone} {side}" style="--size:{share * 50:.1f}%"></i>'


def _row(part: Effect, bar: str, kind: str = "") -> str:
    figures = "".join(
        f'<td class="number">{escape(text)}</td>' for text in (part.before, part.now, part.text)
    )
    name = f"<td>{escape(part.name)}</td>"
    return f'<tr class="{kind}">{name}{figures}<td class="bar">{bar}</td></tr>'
