"""The command ``nfcore make-scene``: the procedural scene as a data set on disk."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import nfcore
from nfcore.cli import say

_PHOTOS = 48


class Format(StrEnum):
    """The available layouts."""

    BLENDER = "blender"
    LLFF = "llff"
    COLMAP = "colmap"
    TRANSFORMS = "transforms"


def make_scene(
    folder: Annotated[Path, typer.Argument(help="New folder to write; must not exist yet.")],
    image_size: Annotated[int, typer.Option(min=1, help="Side of the square images in pixels.")] = 100,
    layout: Annotated[Format, typer.Option("--format", help="Layout of the data set.")] = Format.BLENDER,
    photos: Annotated[
        int | None,
        typer.Option(min=3, help="Number of photos, by default 48; blender has 88.", show_default=False),
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="Write COLMAP's model as text.")] = False,
) -> None:
    """Write the procedural scene as a data set: seen from all sides, for LLFF from the front."""
    # Imported here, so that listings don't wait for torch.
    from nfcore_scenes.blender_writer import new_folder, write_blender
    from nfcore_scenes.procedural import Procedural

    if layout is Format.BLENDER and photos is not None:
        raise nfcore.UserError("--photos: blender has 88 photos; choose another --format for another number")
    if layout is not Format.COLMAP and text:
        raise nfcore.UserError("--text is for COLMAP's model: add --format colmap")
    source = Procedural(Procedural.Options(), image_size)
    if layout is Format.BLENDER:
        write_blender(source, folder)
        counts = ", ".join(f"{len(source.views(split))} {split}" for split in ("train", "val", "test"))
        say(f"{folder}: {counts} views of {image_size}x{image_size} pixels")
        return
    from nfcore_scenes.capture_writers import write_colmap, write_llff, write_transforms
    from nfcore_scenes.photo_shoot import PHONE, PINHOLE, around_poses, forward_poses, shoot

    photos = photos or _PHOTOS
    new_folder(folder)  # refused before anything is rendered
    if layout is Format.LLFF:
        write_llff(shoot(source, forward_poses(photos), PINHOLE.scaled(image_size, image_size), False), folder)
    else:
        taken = shoot(source, around_poses(photos), PHONE.scaled(image_size, image_size), False)
        if layout is Format.COLMAP:
            write_colmap(taken, folder, text=text)
        else:
            write_transforms(taken, folder)
    say(f"{folder}: {photos} photos of {image_size}x{image_size} pixels")
