"""The NDC warp: an infinite frustum becomes the cube [-1, 1]^3 (NeRF, appendix C)."""

from __future__ import annotations

import torch
from torch import Tensor

from nfcore.errors import UserError
from nfcore.scene.bounds import Scene

#: Rays of a forward-facing scene run along -z. Others are clamped to this slope, so that results are finite.
LEAST_SLOPE = 0.01


def far_face_ratios(scene: Scene) -> tuple[float, float]:
    """Return the x and y ratios of the warp that map the far face of the scene's box to [-1, 1].

    NeRF uses 2 f / W and 2 f / H of the one camera whose frustum becomes the cube. They only scale the warped x
    and y, so any frustum along -z works: this one has its apex at the origin and ends in the box's far face.

    >>> far_face_ratios(nfcore.Scene(near=1, far=10, box=((-20, -5, -10), (20, 5, -1)), forward_facing=True))
    (0.5, 2.0)

    Raises:
        UserError: the box does not extend beyond the near plane along -z: the cameras don't look that way.

    """
    (x_low, y_low, z_low), (x_high, y_high, _) = scene.box
    if -z_low <= scene.near:
        raise UserError(
            f"a forward-facing scene must be along -z of the world, as with LLFF's recentred poses: its box must "
            f"extend beyond the near plane z = {-scene.near:g}, but ends at z = {z_low:g}"
        )
    return -z_low / max(abs(x_low), abs(x_high)), -z_low / max(abs(y_low), abs(y_high))


def to_ndc(
    origins: Tensor, directions: Tensor, near: float, ratios: tuple[float, float], dim: int = 1
) -> tuple[Tensor, Tensor]:
    """Return rays in NDC: t = 0 is on the near plane, t = 1 at infinity.

    NeRF, appendix C; origins are first moved along their rays to the plane z = -near.

    Args:
        origins: (.., 3, ..) world, scene units.
        directions: (.., 3, ..) world; z is clamped to at most -0.01.
        near: distance of the near plane from the world's origin, scene units.
        ratios: factors of x / -z and y / -z.
        dim: the axis of the three coordinates.

    Returns:
        Warped origins and directions, (.., 3, ..) each, without unit; z runs from -1 to 1. Differentiable.

    """
    slopes = slope(directions, dim)
    to_plane = to_near_plane(origins, directions, near, dim)
    scales = [ratio / near for ratio in ratios]
    start, move = torch.chunk(origins, 3, dim), torch.chunk(directions, 3, dim)
    crossing = [(start[i] + to_plane * move[i]) * scales[i] for i in (0, 1)]
    vanishing = [-ratios[i] * move[i] / slopes for i in (0, 1)]
    ones = torch.ones_like(slopes)
    moves = [end - begin for begin, end in zip(crossing, vanishing, strict=True)]
    return torch.cat([*crossing, -ones], dim), torch.cat([*moves, 2 * ones], dim)


def slope(directions: Tensor, dim: int) -> Tensor:
    """Return the z (.., 1, ..) of ``directions`` (.., 3, ..), clamped to at most -0.01."""
    return directions.narrow(dim, 2, 1).clamp(max=-LEAST_SLOPE)


def to_near_plane(origins: Tensor, directions: Tensor, near: float, dim: int) -> Tensor:
    """Return the depth (.., 1, ..) at which rays cross the plane z = -near, scene units."""
    return -(near + origins.narrow(dim, 2, 1)) / slope(directions, dim)
