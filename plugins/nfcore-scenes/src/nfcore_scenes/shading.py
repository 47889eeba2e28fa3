"""Light on the procedural scene: a warm sun with soft shadows, a cool second light, the sky all around."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore_scenes import still_life
from nfcore_scenes.solids import length
from nfcore_scenes.tracing import normals, openness, sunlight

_SUN = F.normalize(torch.tensor([-0.55, -0.5, 0.9]), dim=0)
_SUN_COLOUR = torch.tensor([[1.0], [0.93], [0.80]]) * 1.25
_FILL = F.normalize(torch.tensor([0.8, 0.45, 0.5]), dim=0)
_FILL_COLOUR = torch.tensor([[0.45], [0.62], [1.0]]) * 0.35
_SKY = torch.tensor([[0.62], [0.74], [0.95]])
_GROUND = torch.tensor([[0.42], [0.34], [0.28]])


def shade(points: Tensor, directions: Tensor) -> Tensor:
    """Return sRGB (3, n) in [0, 1] of surface ``points`` (3, n) seen along unit ``directions`` (3, n).

    Diffuse light depends only on the point; Blinn-Phong highlights of both lights and the sky's reflection
    (Schlick 1994 for Fresnel's law) depend on the direction too.
    """
    normal = normals(still_life.distance, points)
    above = points + 3e-3 * normal
    colour, gloss, sharpness = _materials(points)
    sun = sunlight(still_life.distance, above, _SUN, softness=0.12, reach=1.4)
    ambient = openness(still_life.distance, above, normal)

    light = _SUN_COLOUR * (sun * _cosine(normal, _SUN)) + _FILL_COLOUR * (ambient * _cosine(normal, _FILL))
    light = light + 0.55 * ambient * _sky(normal[2])
    highlights = _SUN_COLOUR * (sun * _highlight(normal, directions, _SUN, sharpness))
    highlights = highlights + _FILL_COLOUR * (ambient * _highlight(normal, directions, _FILL, sharpness))
    facing = -(normal * directions).sum(0).clamp(-1, 0)
    mirrored = directions + 2 * facing * normal
    fresnel = 0.04 + 0.96 * (1 - facing) ** 5
    reflected = _sky(mirrored[2]) * (0.6 * fresnel * ambient)
    return _display(colour * light + gloss * (highlights + reflected))


def _materials(points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return linear RGB (3, n), gloss (n,) and sharpness (n,) of each point's object."""
    owner = still_life.nearest(points)
    colour = torch.empty_like(points)
    for index, solid in enumerate(still_life.SOLIDS):
        mine = (owner == index).nonzero()[:, 0]
        colour[:, mine] = solid.colour(solid.local(points[:, mine]))
    gloss = torch.tensor([solid.gloss for solid in still_life.SOLIDS])
    sharpness = torch.tensor([solid.sharpness for solid in still_life.SOLIDS])
    return colour, gloss[owner], sharpness[owner]


def _cosine(normal: Tensor, towards: Tensor) -> Tensor:
    return (towards @ normal).clamp_min(0)


def _highlight(normal: Tensor, directions: Tensor, towards: Tensor, sharpness: Tensor) -> Tensor:
    """Return the Blinn-Phong lobe (n,), scaled so that a sharper one is brighter."""
    halfway = towards[:, None] - directions
    halfway = halfway / length(halfway)
    return (normal * halfway).sum(0).clamp_min(0) ** sharpness * (0.5 + sharpness / 60) * (towards @ normal > 0)


def _sky(upwards: Tensor) -> Tensor:
    """Return the light (3, n) that comes from directions with the given z component (n,)."""
    return torch.lerp(_GROUND, _SKY, (0.5 + 0.5 * upwards).expand(3, -1))


def _display(linear: Tensor) -> Tensor:
    """Return display values: a soft shoulder keeps highlights from clipping hard, then sRGB's gamma."""
    return (linear * (1 + linear / 4) / (1 + linear)).clamp(1e-6, 1) ** (1 / 2.2)
