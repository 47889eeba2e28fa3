"""Teachers: radiance fields that are fitted to the photos, and a pipeline that ends with one."""

from collections.abc import Iterator
from pathlib import Path

import nfcore

_RECIPES = Path(__file__).parent / "recipes"


@nfcore.hookimpl
def nfcore_components() -> Iterator[nfcore.Component]:
    """Offer the teachers."""
    yield nfcore.Component(
        "teacher",
        "deferred",
        "nfcore_teachers.deferred:Deferred",
        summary="Sparse voxels with one small network for each ray: full-size photos in minutes on a CPU",
        level=2,
    )
    yield nfcore.Component(
        "teacher",
        "voxels",
        "nfcore_teachers.voxels:Voxels",
        summary="Sparse voxels with a small network for each sample: as deferred, for comparisons",
        level=2,
    )
    yield nfcore.Component(
        "teacher",
        "hash-grid",
        "nfcore_teachers.hash_grid:HashGrid",
        summary="Instant-NGP: multiresolution hash grids and two small networks; made for a GPU",
        level=2,
    )
    yield nfcore.Component(
        "teacher",
        "nerf",
        "nfcore_teachers.nerf:Nerf",
        summary="NeRF: two networks, 64 coarse and 128 fine samples; made for a GPU",
        level=2,
    )
    yield nfcore.Component(
        "teacher",
        "mip-nerf",
        "nfcore_teachers.mip_nerf:MipNerf",
        summary="Mip-NeRF: one network that sees cones, without aliasing; made for a GPU",
        level=2,
    )


@nfcore.hookimpl
def nfcore_recipes() -> Iterator[nfcore.Recipe]:
    """Offer the pipelines without a student."""
    yield nfcore.Recipe(
        "field",
        _RECIPES / "field.toml",
        summary="The teacher alone: photos to a radiance field that is scored and rendered, without a student",
    )
    yield nfcore.Recipe(
        "baked",
        _RECIPES / "baked.toml",
        summary="Photos to a page that draws the scene in real time: a field, baked, without a student",
    )
