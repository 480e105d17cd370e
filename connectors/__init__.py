"""Databases, files and survey exports to canonical tables, and the versioned store."""
