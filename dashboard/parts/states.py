"""What a page says when it has nothing to show: empty, broken, failed. Each says what to do next."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from functools import wraps
from html import escape
from typing import Final, ParamSpec

import streamlit as st

from config.errors import Problem
from dashboard import sheet
from dashboard.parts.markup import marked
from dashboard.text import gettext as _
from dashboard.text import ngettext

P = ParamSpec("P")
_log: Final = logging.getLogger("rapport")


def empty(icon: str, title: str, text: str, command: str = "") -> None:
    """An empty state: a sign, the reason and what to do, with the command to type when there is one."""
    sheet.record(lambda: sheet.Note(text=f"{title}: {text}", notice=True))
    typed = f"<p><code>{escape(command)}</code></p>" if command else ""
    sign = f'<div class="icon" aria-hidden="true"><span>{escape(icon)}</span></div>'
    st.html(
        f'<div class="state" role="status">{sign}<h3>{escape(title)}</h3><p>{marked(text)}</p>{typed}</div>'
    )


def problems(title: str, text: str, found: Sequence[Problem]) -> None:
    """A card with the faults of configuration files, each at its place."""
    listed = "".join(f"<li>{_place(fault)}{marked(_sentence(fault))}</li>" for fault in found)
    st.html(
        f'<div class="problem" role="alert"><h3>{escape(title)}</h3><p>{marked(text)}</p>'
        f"<ol>{listed}</ol></div>"
    )


def _place(fault: Problem) -> str:
    return f'<span class="place">{escape(f"{fault.path}:{fault.line}:{fault.column}")}</span>'


def _sentence(fault: Problem) -> str:
    """`where: fault. What to do`, without the place."""
    return fault.render().removeprefix(f"{fault.path}:{fault.line}:{fault.column}: ")


def broken(found: Sequence[Problem]) -> None:
    """The card for a project whose files cannot be read."""
    count = ngettext("{n} problem", "{n} problems", len(found)).format(n=len(found))
    title = _("The project cannot be read: {count}").format(count=count)
    problems(
        title,
        _("Mend the file, then reload this page. `rapport check` prints the same list."),
        found,
    )


def outdated(found: Sequence[Problem]) -> None:
    """The card for definitions that are not served as their files say."""
    title = ngettext(
        "{n} definition has a fault", "{n} definitions have faults", len({problem.where for problem in found})
    )
    words = _("It is left out, or served as it last was whole; everything else is current.")
    problems(title.format(n=len({problem.where for problem in found})), words, found)


def failure(error: Exception) -> bool:
    """The card for a fault of ours: an id to name, details in the log. True: nothing else need be shown."""
    number = secrets.token_hex(4)
    _log.error("page failed, id %s", number, exc_info=error)
    text = _(
        "The details are in the server's log under this id. "
        "Reload the page; if it happens again, report the id."
    )
    st.html(
        f'<div class="problem" role="alert"><h3>{escape(_("Something went wrong here"))}</h3>'
        f"<p>{escape(text)}</p><p><code>{number}</code></p></div>"
    )
    return True


def guarded(render: Callable[P, None]) -> Callable[P, None]:
    """`render`, with the failure card in place of a traceback."""

    @wraps(render)
    def safe(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            render(*args, **kwargs)
        except Exception as error:
            failure(error)

    return safe
