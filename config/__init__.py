"""Reads YAML into typed models and compiles expressions; says what is wrong and where."""
