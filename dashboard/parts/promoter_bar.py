"""Promoters, passives and detractors as one bar with their counts and shares written out."""

from __future__ import annotations

from html import escape

import streamlit as st

from dashboard.format import Formatter
from dashboard.text import gettext as _
from metrics.survey_scores import Promoters


def promoter_bar(counts: Promoters, show: Formatter) -> None:
    """The bar; every part is named with its share, so that colour carries nothing alone."""
    parts = (
        ("bad", _("Detractors 0 to 6"), counts.detractors),
        ("quiet", _("Passives 7, 8"), counts.passives),
        ("good", _("Promoters 9, 10"), counts.promoters),
    )
    bars = "".join(f'<i class="{tone}" style="flex:{n} 0 0"></i>' for tone, _name, n in parts)
    words = "".join(
        f'<span class="{tone}"><b>{escape(show.percent(n / counts.n))}</b> {escape(name)} '
        f'<em class="muted">{escape(show.decimal(n, 0))}</em></span>'
        for tone, name, n in parts
        if counts.n
    )
    st.html(f'<div class="promoters" aria-hidden="true">{bars}</div><div class="promoters-key">{words}</div>')
