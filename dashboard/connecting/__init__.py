"""Connecting a source without YAML: look at it, propose a mapping, try it, save it."""
