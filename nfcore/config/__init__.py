"""Pipelines as data: the schema, recipes in layers, and where each setting came from."""
