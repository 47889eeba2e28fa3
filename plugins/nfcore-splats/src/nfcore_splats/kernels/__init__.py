"""Kernels that draw Gaussians and take their gradients, compiled by numba: see ``nfcore.kernels.load``.

- ``ellipse``, ``projection``, ``projection_backward``: each Gaussian as an ellipse in the image, with its colour
  from there; and back;
- ``tiles``: which ellipses touch each tile of 16 x 16 pixels, in the order of their depth;
- ``compositing``: the pixels of tiles, front to back; and back.
"""

from __future__ import annotations

import numpy as np

from nfcore_splats.kernels.compositing import composite, composite_backward
from nfcore_splats.kernels.projection import project
from nfcore_splats.kernels.projection_backward import project_backward
from nfcore_splats.kernels.tiles import count_tiles, fill_tiles
from nfcore_splats.records import COLUMNS, GRADIENTS, TILE

__all__ = [
    "COLUMNS",
    "GRADIENTS",
    "TILE",
    "composite",
    "composite_backward",
    "count_tiles",
    "fill_tiles",
    "project",
    "project_backward",
]


def warm_up() -> None:
    """Compile, on one Gaussian."""
    means, scales = np.array([[0, 0, 2]], np.float32), np.zeros((1, 3), np.float32)
    turns, logits = np.array([[1, 0, 0, 0]], np.float32), np.zeros(1, np.float32)
    harmonics, pose = np.zeros((1, 1, 3), np.float32), np.eye(4, dtype=np.float32)[:3]
    camera = np.array([2, 2, 1, 1, 2, 2, 0.3, 0], np.float32)
    given, rows = (means, scales, turns, logits, harmonics, pose, camera), np.zeros((1, COLUMNS), np.float32)
    project(*given, rows, 0, 1)
    starts = np.zeros(2, np.int64)
    count_tiles(rows, 1, starts)
    entries = np.zeros(1, np.int32)
    fill_tiles(rows, 1, starts, np.zeros(1, np.int64), entries)
    image, opacity, depth = (
        np.zeros((2, 2, 3), np.float32),
        np.zeros((2, 2), np.float32),
        np.zeros((2, 2), np.float32),
    )
    background, gradients = np.ones(3, np.float32), np.zeros((1, GRADIENTS), np.float32)
    tiles = (rows, starts, entries, 0, 1, 1)
    composite(*tiles, background, image, opacity, depth)
    composite_backward(*tiles, image, opacity, image, opacity, gradients)
    project_backward(*given, rows, gradients, means, scales, turns, logits, harmonics, 0, 1)
