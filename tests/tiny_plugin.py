"""Offers the components of ``tiny.py`` and the recipe that composes them, as a plugin should: without torch."""

from pathlib import Path

import nfcore


@nfcore.hookimpl
def nfcore_components():
    yield nfcore.Component("ray_source", "ring", "tiny:Ring", level=2)
    yield nfcore.Component("teacher", "sky", "tiny:Sky", level=2)
    yield nfcore.Component("encoding", "directions", "tiny:Directions", level=2)
    yield nfcore.Component("backbone", "mixing", "tiny:Mixing")
    yield nfcore.Component("upsampler", "shuffle", "tiny:Shuffle")
    yield nfcore.Component("exporter", "copy", "tiny:Copy", level=2)
    yield nfcore.Component("exporter", "bake", "tiny:Bake", level=2)
    yield nfcore.Component("loss", "square", "tiny:Square")
    yield nfcore.Component("loss", "opaque-square", "tiny:OpaqueSquare")


@nfcore.hookimpl
def nfcore_recipes():
    yield nfcore.Recipe("tiny", Path(__file__).with_name("tiny.toml"))


@nfcore.hookimpl
def nfcore_publications():
    yield nfcore.Publication("postcard", Path(__file__).with_name("tiny_tables.toml"))
