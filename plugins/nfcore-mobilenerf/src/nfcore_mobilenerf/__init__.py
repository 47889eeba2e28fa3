"""MobileNeRF (Chen et al. 2022): polygons with binary opacity and features, drawn by the rasterisers of phones."""

from collections.abc import Iterator
from pathlib import Path

import nfcore

_RECIPE = Path(__file__).parent / "recipes" / "mobilenerf.toml"


@nfcore.hookimpl
def nfcore_components() -> Iterator[nfcore.Component]:
    """Offer the teacher and its exporters."""
    yield nfcore.Component(
        "teacher",
        "mobilenerf",
        "nfcore_mobilenerf.teacher:MobileNeRF",
        summary="Polygons with binary opacity, from the surfaces of another fitted teacher (MobileNeRF)",
        level=2,
    )
    yield nfcore.Component(
        "exporter",
        "mobilenerf",
        "nfcore_mobilenerf.official_exporter:OfficialFiles",
        summary="The files of MobileNeRF's own viewer: OBJ meshes, PNG features, mlp.json",
        level=2,
    )
    yield nfcore.Component(
        "exporter",
        "mobilenerf-page",
        "nfcore_mobilenerf.page_exporter:PolygonPage",
        summary="One HTML file that rasterises polygons in real time: WebGL2, no network",
        level=2,
    )


@nfcore.hookimpl
def nfcore_recipes() -> Iterator[nfcore.Recipe]:
    """Offer the pipeline from photos to polygons."""
    yield nfcore.Recipe(
        "mobilenerf",
        _RECIPE,
        summary="Photos to polygons that phones rasterise in real time (MobileNeRF): page, official files",
    )
