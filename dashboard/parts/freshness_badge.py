"""The badge that says whether the data are fresh, late, or failed to be refreshed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from html import escape
from typing import Final

from dashboard.freshness import Freshness
from dashboard.text import gettext as _

_SIGNS: Final = {
    "fresh": "\N{BLACK CIRCLE}",
    "late": "\N{BLACK UP-POINTING TRIANGLE}",
    "failed": "\N{MULTIPLICATION SIGN}",
}


def badge(fresh: Freshness, moment: Callable[[datetime], str], *, short: bool = False) -> str:
    """The badge as HTML: a word, a sign that is no colour, and when the sources were looked at.

    `short` leaves out the last look, where that stands beside it.
    """
    words = {
        "fresh": _("Fresh"),
        "late": _("Late"),
        "failed": _("The last refresh failed"),
    }
    due = moment(fresh.due_at)
    looked = _("next {due}").format(due=due)
    if not short:
        looked = _("looked at {moment}, next {due}").format(moment=moment(fresh.looked_at), due=due)
    return (
        f'<p class="fresh-badge {fresh.state}"><b><span aria-hidden="true">{_SIGNS[fresh.state]}</span> '
        f'{escape(words[fresh.state])}</b> <span class="muted">{escape(looked)}</span></p>'
    )
