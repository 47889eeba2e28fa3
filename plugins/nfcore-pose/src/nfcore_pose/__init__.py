"""Poses for photos that have none, and for videos: structure from motion by COLMAP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import nfcore
from nfcore_pose.suffixes import PHOTOS, VIDEOS

if TYPE_CHECKING:
    import typer


@nfcore.hookimpl
def nfcore_components() -> Iterator[nfcore.Component]:
    """Offer the ray source."""
    yield nfcore.Component(
        "ray_source",
        "photos",
        "nfcore_pose.source:Photos",
        summary="Photos without poses, or a video: poses are estimated by COLMAP, once",
        suffixes=(*PHOTOS, *VIDEOS),
        level=2,
    )


@nfcore.hookimpl
def nfcore_commands(app: typer.Typer) -> None:
    """Add ``nfcore pose``."""
    from nfcore.cli import examples
    from nfcore_pose.command import pose

    app.command(epilog=examples("nfcore pose can.mp4", "nfcore pose photos posed --matching exhaustive"))(pose)
