"""Databases, one file each: how a session is guarded, and how each type of column is fetched exactly.

Whatever a driver might round, shift or refuse (decimals, dates, instants) is fetched as text in a fixed form
and parsed by whole columns, so that a cell that cannot be parsed is set aside with its own text.
"""
