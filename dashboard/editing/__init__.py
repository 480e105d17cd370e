"""Editing definitions: dated versions of files, drafts, and what an edit does to figures."""
