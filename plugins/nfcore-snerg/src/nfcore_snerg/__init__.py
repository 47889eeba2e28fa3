"""SNeRG: a teacher that is fitted as its viewer draws it, an exporter of the official files, and a pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nfcore

_RECIPES = Path(__file__).parent / "recipes"


@nfcore.hookimpl
def nfcore_components() -> Iterator[nfcore.Component]:
    """Offer the teacher and the exporter."""
    yield nfcore.Component(
        "teacher",
        "snerg",
        "nfcore_snerg.teacher:Snerg",
        summary="Baked voxels of colour and features, a tiny network for each ray (Hedman et al. 2021)",
        level=2,
    )
    yield nfcore.Component(
        "exporter",
        "snerg",
        "nfcore_snerg.exporter:SnergFiles",
        summary="The files of SNeRG's official viewer: a texture atlas as PNG, the network as JSON",
        level=2,
    )


@nfcore.hookimpl
def nfcore_recipes() -> Iterator[nfcore.Recipe]:
    """Offer the pipeline."""
    yield nfcore.Recipe(
        "snerg",
        _RECIPES / "snerg.toml",
        summary="Photos to SNeRG's files for its official viewer: baked voxels, without a student",
    )
