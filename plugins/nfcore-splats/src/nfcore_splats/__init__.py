"""3D Gaussian splats: existing files as scenes and teachers, and fitted fields as splats."""

from __future__ import annotations

from collections.abc import Iterator

import nfcore


@nfcore.hookimpl
def nfcore_components() -> Iterator[nfcore.Component]:
    """Offer the ray source, the teacher and the exporter."""
    yield nfcore.Component(
        "ray_source",
        "splats",
        "nfcore_splats.source:SplatScene",
        summary="Views of a file of 3D Gaussians (.ply, .splat, .spz, SOG) in place of photos",
        markers=("means_l.webp",),
        suffixes=(".ply", ".splat", ".spz", ".sog"),
        level=2,
    )
    yield nfcore.Component(
        "teacher",
        "splats",
        "nfcore_splats.teacher:Splats",
        summary="3D Gaussians: those of a file, drawn by tiles; or small ones fitted to photos",
        level=2,
    )
    yield nfcore.Component(
        "exporter",
        "splats",
        "nfcore_splats.exporter:SplatExporter",
        summary="3D Gaussians that show what a fitted field shows, for any viewer of splats: PLY and SPZ",
        level=2,
    )
