"""A rasteriser of Gaussians in torch, tile by tile: the reference of the kernels, and used without numba.

It computes what ``nfcore_splats.kernels`` computes; torch's autograd takes the gradients.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from nfcore import Cameras
from nfcore_splats.gaussians import Gaussians, rotation_matrices
from nfcore_splats.records import GREATEST_ALPHA, LEAST_ALPHA, LEAST_TRANSMITTANCE, NEAR, TILE

#: Variance of the low-pass filter in the image, pixels squared (the reference code's).
BLUR = 0.3
# J is evaluated no farther outside of the image than this share of half the field of view.
_ASIDE = 1.3


class Ellipses(NamedTuple):
    """m Gaussians as one camera sees them, nearest first: centres (m, 2), inverse covariances xx, xy, yy (m, 3),
    opacities (m,), colours (m, 3), depths (m,), and half of width and height (m, 2), in pixels."""

    centres: Tensor
    inverses: Tensor
    opacities: Tensor
    colours: Tensor
    depths: Tensor
    halves: Tensor


def world_to_camera(camera: Cameras) -> Tensor:
    """Return (3, 4) into the camera's axes with x right, y down, z forwards, of one camera."""
    pose = camera.poses[0]
    rows = pose[:, :3].T * torch.tensor([1.0, -1.0, -1.0])[:, None]
    return torch.cat([rows, -(rows @ pose[:, 3:])], 1)


def ellipses(gaussians: Gaussians, camera: Cameras) -> Ellipses:
    """Return the Gaussians in the image; differentiable, but for the direction that a colour is seen from."""
    pose = world_to_camera(camera)
    focus, principal = camera.intrinsics[0, :2], camera.intrinsics[0, 2:]
    size = torch.tensor([camera.width, camera.height])
    place = gaussians.means @ pose[:, :3].T + pose[:, 3]
    depth = place[:, 2:].clamp_min(NEAR)
    margin = (_ASIDE - 1) * size / (2 * focus)
    ratio = place[:, :2] / depth
    limited = ratio.clamp(-principal / focus - margin, (size - principal) / focus + margin)
    jw = (focus / depth)[..., None] * (pose[:2, :3] - limited[..., None] * pose[2, :3])
    axes = jw @ (rotation_matrices(gaussians.quaternions) * gaussians.log_scales.exp()[:, None])
    sharp = axes @ axes.mT
    covariance = sharp + BLUR * torch.eye(2)
    determinant = torch.linalg.det(covariance)
    opacity = gaussians.opacity_logits.sigmoid()
    if gaussians.antialiased:
        opacity = opacity * (torch.linalg.det(sharp).clamp_min(0) / determinant).sqrt().detach()
    xx, xy, yy = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1]
    inverse = torch.stack([yy, -xy, xx], 1) / determinant[:, None]
    centre = focus * ratio + principal
    with torch.no_grad():
        reach = 2 * (opacity * 255).clamp_min(1).log()
        half = (reach[:, None] * torch.stack([xx, yy], 1)).sqrt()
        seen = (place[:, 2] > NEAR) & (opacity > LEAST_ALPHA) & (determinant > 0) & (determinant < 1e30)
        seen &= ((centre + half > 0) & (centre - half < size)).all(1)
        order = seen.nonzero()[:, 0]
        order = order[place[order, 2].argsort(stable=True)]
    fixed = replace(gaussians, means=gaussians.means.detach()).chosen(order)
    colour = fixed.colours(camera.poses[0, :, 3])
    return Ellipses(centre[order], inverse[order], opacity[order], colour, place[order, 2], half[order])


def draw(gaussians: Gaussians, camera: Cameras, background: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return image (h, w, 3), opacity (h, w) and depth (h, w) of one camera's view.

    >>> nothing = Gaussians.of_colours(torch.zeros(1, 3), torch.ones(1, 3), torch.zeros(1, 3), opacity=0.003)
    >>> camera = Cameras(torch.eye(4)[None, :3], torch.tensor([[2.0, 2.0, 1.0, 1.0]]), height=2, width=2)
    >>> draw(nothing, camera, torch.ones(3))[1]
    tensor([[0., 0.],
            [0., 0.]])
    """
    seen = ellipses(gaussians, camera)
    height, width = camera.height, camera.width
    rows = []
    for top in range(0, height, TILE):
        tiles = [
            _tile(seen, (top, left), (min(TILE, height - top), min(TILE, width - left)), background)
            for left in range(0, width, TILE)
        ]
        rows.append(torch.cat(tiles, 1))
    drawn = torch.cat(rows, 0)
    return drawn[..., :3], drawn[..., 3], drawn[..., 4].detach()


def _tile(seen: Ellipses, corner: tuple[int, int], size: tuple[int, int], background: Tensor) -> Tensor:
    """Return RGB, opacity and depth (h, w, 5) of one tile."""
    low = torch.tensor([corner[1], corner[0]])
    high = low + torch.tensor([size[1], size[0]])
    touched = ((seen.centres + seen.halves > low) & (seen.centres - seen.halves < high)).all(1)
    touched &= (seen.halves > 0).all(1)
    part = Ellipses(*(tensor[touched] for tensor in seen))
    y, x = torch.meshgrid(torch.arange(size[0]) + corner[0], torch.arange(size[1]) + corner[1], indexing="ij")
    pixels = torch.stack([x, y], -1).reshape(-1, 1, 2) + 0.5
    dx, dy = (pixels - part.centres).unbind(-1)
    qa, qb, qc = part.inverses.unbind(1)
    wanted = part.opacities * torch.exp(-(0.5 * (qa * dx * dx + qc * dy * dy) + qb * dx * dy))
    alpha = wanted.clamp_max(GREATEST_ALPHA)
    alpha = torch.where(alpha >= LEAST_ALPHA, alpha, 0.0)
    passed = torch.cumprod(1 - alpha, 1)
    alpha = torch.where(passed.detach() >= LEAST_TRANSMITTANCE, alpha, 0.0)
    passed = torch.cumprod(torch.cat([torch.ones(len(alpha), 1), 1 - alpha], 1), 1)
    weights, rest = passed[:, :-1] * alpha, passed[:, -1]
    image = weights @ part.colours + rest[:, None] * background
    opacity = 1 - rest
    depth = torch.where(opacity > 0, (weights @ part.depths) / opacity.clamp_min(1e-12), 0.0)
    return torch.cat([image, opacity[:, None], depth[:, None]], 1).reshape(*size, 5)
