"""Teachers: radiance fields that are fitted to the photos."""

import nfcore


@nfcore.hookimpl
def nfcore_components():
    """Offer the teachers."""
    yield nfcore.Component(
        "teacher",
        "voxels",
        "nfcore_teachers.voxels:Voxels",
        summary="Sparse voxel grid with a small colour network: the fastest on a CPU",
    )
    yield nfcore.Component(
        "teacher",
        "hash-grid",
        "nfcore_teachers.hash_grid:HashGrid",
        summary="Instant-NGP: multiresolution hash grids and two small networks; made for a GPU",
    )
