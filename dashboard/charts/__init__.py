"""Frames in, Plotly figures as plain dicts out."""
