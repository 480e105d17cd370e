"""Snapshots: what pages showed, kept as files that open anywhere and can be compared later."""
