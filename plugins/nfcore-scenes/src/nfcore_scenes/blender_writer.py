"""Any ray source's views as a Blender (NeRF-synthetic) data set on disk."""

from __future__ import annotations

import math
from pathlib import Path
from typing import get_args

import torch
from PIL import Image
from torch import Tensor

from nfcore import Cameras, RaySource, Split, UserError, Views
from nfcore.io import atomic_path, to_bytes, write_json


def write_blender(source: RaySource, folder: Path) -> None:
    """Write the views of ``source`` into the new ``folder``, atomically.

    Photos with alpha become RGBA with the background taken out of their colours, others RGB, both 8-bit. A split
    without views gets no transforms file. The layout has neither depth range nor box nor background: set these
    as options of the reader if its defaults don't fit.

    Raises:
        UserError: ``folder`` exists already, or the layout can't represent the cameras: it has one field of view
            per split, square pixels and the principal point in the middle.

    """
    new_folder(folder)
    with atomic_path(folder.resolve()) as temporary:
        temporary.mkdir()
        for split in get_args(Split):
            views = source.views(split)
            if len(views):
                _write_split(temporary, split, views, source.scene.background)


def new_folder(folder: Path) -> None:
    """Reject a ``folder`` that exists already.

    Raises:
        UserError: it does.

    """
    if folder.exists():
        raise UserError(f"{folder} exists already: choose a new folder, nothing is overwritten")


def _write_split(folder: Path, split: Split, views: Views, background: tuple[float, float, float]) -> None:
    (folder / split).mkdir()
    angle = _field_of_view(views.cameras)
    frames = []
    for index, pose in enumerate(views.cameras.poses):
        alpha = None if views.alpha is None else views.alpha[index]
        name = f"{split}/r_{index}"
        picture(views.images[index], alpha, background).save(folder / f"{name}.png")
        frames.append({"file_path": f"./{name}", "transform_matrix": [*pose.tolist(), [0.0, 0.0, 0.0, 1.0]]})
    write_json(folder / f"transforms_{split}.json", {"camera_angle_x": angle, "frames": frames})


def _field_of_view(cameras: Cameras) -> float:
    """Return the horizontal field of view in radians that all cameras share."""
    first = cameras.intrinsics[0].tolist()
    expected = torch.tensor([first[0], first[0], cameras.width / 2, cameras.height / 2])
    if not torch.allclose(cameras.intrinsics, expected, rtol=1e-5):
        raise UserError(
            "the Blender layout has one focal length for all photos of a split and the principal point in the "
            f"middle, not (fx, fy, cx, cy) = {first} in {cameras.width}x{cameras.height} pixels"
        )
    return 2 * math.atan(0.5 * cameras.width / first[0])


def picture(image: Tensor, alpha: Tensor | None, background: tuple[float, float, float]) -> Image.Image:
    """Return an image (h, w, 3), composited on ``background``, as an 8-bit picture with straight alpha."""
    if alpha is not None:
        seen = image - (1 - alpha[..., None]) * torch.tensor(background)
        image = torch.cat([seen / alpha[..., None].clamp_min(1e-6), alpha[..., None]], -1)
    return Image.fromarray(to_bytes(image))
