"""How polygons are drawn: the nearest opaque texel at four samples of a pixel, then the network once a pixel.

As in MobileNeRF (section 3.4), features are averaged before the network. Samples that hit nothing are left out of
the mean, and their share of the pixel shows the background.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore import Cameras, Rendering
from nfcore.scene import Vector
from nfcore_mobilenerf.polygons import Layers, Polygons, colour
from nfcore_mobilenerf.rasterizer import Triangles


@torch.no_grad()
def draw(
    triangles: Triangles,
    features: Tensor,
    opaque: Tensor,
    layers: Layers,
    camera: Cameras,
    background: Vector,
) -> Rendering:
    """Return one view (height, width) on the CPU.

    Args:
        triangles: the geometry.
        features: (n, 8) float32 in [0, 1] of the texture's texels.
        opaque: (n,) bool, which of them are there.
        layers: of the network.
        camera: one.
        background: RGB.

    """
    texel, depth = triangles.samples(camera, 1, opaque)
    texel, depth = texel.view(-1, 4), depth.view(-1, 4)
    hit = texel >= 0
    opacity = hit.float().mean(1)
    shown = opacity.nonzero()[:, 0]
    share = hit[shown] / hit[shown].sum(1, keepdim=True)
    mean = (features[texel[shown].clamp_min(0).long()] * share[..., None]).sum(1)
    directions = F.normalize(camera.rays().flat().directions[shown], dim=1)
    rgb = torch.tensor(background).repeat(len(opacity), 1)
    rgb[shown] += opacity[shown, None] * (colour(layers, mean, directions) - rgb[shown])
    depths = torch.zeros(len(opacity))
    depths[shown] = (torch.where(hit[shown], depth[shown], 0) * share).sum(1)
    size = camera.height, camera.width
    return Rendering(rgb.view(*size, 3), opacity.view(size), depths.view(size))


def draw_polygons(polygons: Polygons, camera: Cameras, background: Vector) -> Rendering:
    """Return one view (height, width) of ``polygons`` on the CPU."""
    triangles = Triangles.of_quads(polygons.quads, polygons.texels)
    features = polygons.features.float() / 255
    return draw(triangles, features, polygons.opaque, polygons.layers, camera, background)


def features_in_bytes(features: Tensor) -> Tensor:
    """Return features in [0, 1] as uint8; the first is never 0, which marks texels that are not there."""
    found = (features * 255).round().clamp(0, 255).to(torch.uint8)
    found[:, 0].clamp_(min=1)
    return found
