"""The guided student: points where the teacher has density, with learned features."""

from collections.abc import Iterator
from pathlib import Path

import nfcore

_RECIPES = Path(__file__).parent / "recipes"


@nfcore.hookimpl
def nfcore_components() -> Iterator[nfcore.Component]:
    """Offer the encoding."""
    yield nfcore.Component(
        "encoding",
        "guided",
        "nfcore_guided.encoding:Guided",
        summary="K points at the quantiles of the teacher's density, with learned features at each",
        level=2,
    )


@nfcore.hookimpl
def nfcore_recipes() -> Iterator[nfcore.Recipe]:
    """Offer the pipelines."""
    yield nfcore.Recipe(
        "guided",
        _RECIPES / "guided.toml",
        summary="The student of higher quality: points guided by the teacher's geometry, learned features",
    )
    yield nfcore.Recipe(
        "quickstart",
        _RECIPES / "quickstart.toml",
        summary="Photos to verified exports in minutes on two CPU cores, with the guided student",
    )
