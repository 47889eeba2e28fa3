"""Blob fields: a teacher made of Gaussians, and an encoding of rays as lines."""

from collections.abc import Iterator
from pathlib import Path

import nfcore


@nfcore.hookimpl
def nfcore_components() -> Iterator[nfcore.Component]:
    """Offer the teacher and the encoding."""
    yield nfcore.Component(
        "teacher",
        "blobs",
        "blob_fields.blobs:Blobs",
        summary="A mixture of Gaussians with line integrals in closed form",
        level=2,
    )
    yield nfcore.Component(
        "encoding",
        "plucker-fourier",
        "blob_fields.plucker_fourier:PluckerFourier",
        summary="Plücker coordinates of the ray through random Fourier features",
        level=2,
    )


@nfcore.hookimpl
def nfcore_recipes() -> Iterator[nfcore.Recipe]:
    """Offer the pipeline that uses both."""
    yield nfcore.Recipe(
        "blobs",
        Path(__file__).parent / "recipes" / "blobs.toml",
        summary="A Gaussian-mixture teacher and a Plücker student, on two CPU cores",
    )
