"""Geometry out of a radiance field: textured meshes and point clouds."""

from __future__ import annotations

from collections.abc import Iterator

import nfcore


@nfcore.hookimpl
def nfcore_components() -> Iterator[nfcore.Component]:
    """Offer the exporters."""
    yield nfcore.Component(
        "exporter",
        "mesh",
        "nfcore_mesh.exporter:MeshExporter",
        summary="A textured triangle mesh: GLB, USDZ, OBJ, PLY",
        level=2,
    )
    yield nfcore.Component(
        "exporter",
        "points",
        "nfcore_mesh.points:PointCloudExporter",
        summary="A point cloud with colours and normals: PLY",
        level=2,
    )
