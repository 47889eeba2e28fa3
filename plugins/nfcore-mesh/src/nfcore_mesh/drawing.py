"""What a textured mesh looks like from a camera."""

from __future__ import annotations

import torch
from torch import Tensor

from nfcore import Cameras
from nfcore.geometry import rasterise
from nfcore_mesh.texture import Textured

#: Samples along each side of a pixel.
SAMPLES = 2


def drawn(textured: Textured, cameras: Cameras, background: tuple[float, float, float]) -> Tensor:
    """Return images (n, 3, height, width) in [0, 1] on the CPU, the mean of ``SAMPLES``^2 samples a pixel."""
    return torch.stack([_view(textured, camera, background) for camera in cameras])


def _view(textured: Textured, camera: Cameras, background: tuple[float, float, float]) -> Tensor:
    height, width = camera.height, camera.width
    fine = camera.resized(SAMPLES * height, SAMPLES * width)
    hits = rasterise(textured.mesh.vertices, textured.mesh.triangles, fine)
    colours = textured.colours(hits) + torch.tensor(background) * (hits.face < 0)[..., None]
    return colours.reshape(height, SAMPLES, width, SAMPLES, 3).mean((1, 3)).permute(2, 0, 1)
