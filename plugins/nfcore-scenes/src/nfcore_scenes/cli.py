"""The command ``nfcore make-scene``: the procedural scene as a data set on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def make_scene(
    folder: Annotated[Path, typer.Argument(help="New folder to write; must not exist yet.")],
    image_size: Annotated[int, typer.Option(min=1, help="Side of the square images in pixels.")] = 100,
) -> None:
    """Write the procedural scene as a Blender (NeRF-synthetic) data set."""
    # Imported here, so that the command line's listings never wait for torch.
    from nfcore_scenes.blender_writer import write_blender
    from nfcore_scenes.procedural import Procedural

    source = Procedural(Procedural.Options(), image_size)
    write_blender(source, folder)
    counts = ", ".join(f"{len(source.views(split))} {split}" for split in ("train", "val", "test"))
    typer.echo(f"{folder}: {counts} views of {image_size}x{image_size} pixels")
