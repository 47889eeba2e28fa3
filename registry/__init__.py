"""The catalogue of known plugins, as it ships with the core: ``index.json``, and the schema of its entries.

``nfcore.plugin.catalogue`` builds, checks and reads it.
"""
