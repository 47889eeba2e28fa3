"""The procedural scene's objects: a beach ball, a die, a doughnut and two marbles on a slice of a log."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from nfcore_scenes.solids import rounded_box, rounded_disc, sphere, torus
from nfcore_scenes.textures import beach_ball, die, doughnut, log_slice

#: A box around everything, scene units: lower and upper corner.
BOX = ((-1.2, -1.2, -0.65), (1.2, 1.2, 0.65))

_GROUND = -0.45


@dataclass(frozen=True)
class Solid:
    """One solid with its position and appearance.

    Args:
        distance: points (3, n) in the object's frame to signed distances (n,).
        colour: points (3, n) on its surface, in its frame, to linear RGB (3, n).
        centre: (3,) its frame's origin, scene units.
        gloss: strength of its highlights, 0 for matte.
        sharpness: Blinn-Phong exponent of its highlights.
        rotation: (3, 3) from its frame to the world.

    """

    distance: Callable[[Tensor], Tensor]
    colour: Callable[[Tensor], Tensor]
    centre: Tensor
    gloss: float
    sharpness: float
    rotation: Tensor | None = None

    def local(self, points: Tensor) -> Tensor:
        """Return world points (3, n) in this object's frame."""
        moved = points - self.centre[:, None]
        return moved if self.rotation is None else self.rotation.T @ moved


def _turned(about_z: float, tilt: float = 0.0) -> Tensor:
    """Return the rotation (3, 3) about x, then about z; degrees."""
    z, x = math.radians(about_z), math.radians(tilt)
    turn = torch.tensor([[math.cos(z), -math.sin(z), 0], [math.sin(z), math.cos(z), 0], [0, 0, 1]])
    return turn @ torch.tensor([[1, 0, 0], [0, math.cos(x), -math.sin(x)], [0, math.sin(x), math.cos(x)]])


def _plain(points: Tensor, rgb: tuple[float, float, float]) -> Tensor:
    return torch.tensor(rgb)[:, None].expand_as(points)


def _marble(x: float, y: float, radius: float, rgb: tuple[float, float, float]) -> Solid:
    colour = partial(_plain, rgb=rgb)
    return Solid(
        partial(sphere, radius=radius), colour, torch.tensor([x, y, _GROUND + radius]), gloss=0.9, sharpness=120
    )


SOLIDS = (
    Solid(
        partial(rounded_disc, radius=1.15, half_height=0.09, rounding=0.03),
        partial(log_slice, radius=1.15),
        torch.tensor([0.0, 0.0, _GROUND - 0.09]),
        gloss=0.06,
        sharpness=12,
    ),
    Solid(
        partial(sphere, radius=0.5),
        partial(beach_ball, radius=0.5),
        torch.tensor([-0.38, 0.36, _GROUND + 0.5]),
        gloss=0.55,
        sharpness=60,
        rotation=_turned(35, tilt=38),
    ),
    Solid(
        partial(rounded_box, half_side=0.28, rounding=0.06),
        partial(die, half_side=0.28),
        torch.tensor([0.66, 0.2, _GROUND + 0.28]),
        gloss=0.4,
        sharpness=40,
        rotation=_turned(24),
    ),
    Solid(
        partial(torus, radius=0.33, tube=0.165),
        partial(doughnut, radius=0.33, tube=0.165),
        torch.tensor([0.12, -0.5, _GROUND + 0.165]),
        gloss=0.3,
        sharpness=30,
    ),
    _marble(-0.66, -0.36, 0.13, (0.02, 0.35, 0.33)),
    _marble(0.83, -0.25, 0.10, (0.55, 0.10, 0.02)),
)


def distance(points: Tensor) -> Tensor:
    """Return the signed distance (n,) from world ``points`` (3, n) to the nearest object, scene units."""
    return torch.stack([solid.distance(solid.local(points)) for solid in SOLIDS]).amin(0)


def nearest(points: Tensor) -> Tensor:
    """Return the indices (n,) in ``SOLIDS`` of those nearest to the world ``points`` (3, n)."""
    return torch.stack([solid.distance(solid.local(points)) for solid in SOLIDS]).argmin(0)
