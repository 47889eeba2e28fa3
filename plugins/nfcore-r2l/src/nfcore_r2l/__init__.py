"""R2L: Distilling Neural Radiance Field to Neural Light Field (Wang et al., ECCV 2022)."""

from collections.abc import Iterator
from pathlib import Path

import nfcore

_RECIPES = Path(__file__).parent / "recipes"


@nfcore.hookimpl
def nfcore_components() -> Iterator[nfcore.Component]:
    """Offer the network."""
    yield nfcore.Component(
        "backbone",
        "res-mlp",
        "nfcore_r2l.res_mlp:ResMLP",
        summary="R2L's residual MLP: linear layers on each ray alone, blocks of two, one skip over all of them",
    )


@nfcore.hookimpl
def nfcore_recipes() -> Iterator[nfcore.Recipe]:
    """Offer the pipelines."""
    yield nfcore.Recipe(
        "r2l",
        _RECIPES / "r2l.toml",
        summary="The paper: 88 layers of 256, a ray for each of 400x400 pixels, 5.9 M parameters; made for a GPU",
    )
    yield nfcore.Recipe(
        "r2l-small",
        _RECIPES / "r2l-small.toml",
        summary="R2L narrow and shallow, for a CPU",
    )
