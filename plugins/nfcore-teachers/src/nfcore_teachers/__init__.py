"""Teachers: radiance fields that are fitted to the photos."""

from collections.abc import Iterator

import nfcore


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
        summary="Sparse voxel grid with a small colour network: the fastest on a CPU",
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
